//! `cowshed system check`: whether the store is whole, and making it so.

use std::{
    path::Path,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use cowshed::check::{Deed, Effect, Examination, Examined, Finding, Progress};
use serde_json::{Value, json};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
    text,
};

/// Prove that the store is whole
///
/// Every blob is read, every unpacked layer is compared with its blob, records are compared with
/// directories and with each other, and what dead commands have left is looked for: files, mounts,
/// control groups, loop devices. Other commands may run meanwhile.
///
/// Exits with 0 where all is well and with 1 where something is not.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Do not compare unpacked layers with their blobs
    #[arg(long)]
    quick: bool,
    /// Mend what can be mended; what cannot is put into quarantine, and nothing of a user's is removed
    ///
    /// A damaged layer is unpacked again from its blob, unless a container runs on it. What a killed
    /// command began is finished or undone.
    #[arg(long)]
    repair: bool,
    /// json: one object for each finding, and one at the end
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    format: Option<String>,
}

pub(crate) fn run(root: &Path, args: &CheckArgs) -> Outcome {
    let Some(examination) = Examination::open(root, args.quick)? else {
        if args.format.is_none() {
            output::line(&format!("{}: there is no store", root.display()))?;
        } else {
            output::json(&summary(&Examined::default()))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let watch = Watch::new();
    let watcher = |progress: &Progress| watch.tell(progress);
    let mut failed = Ok(());
    let examined = if args.repair {
        let mut tell = |deed: &Deed| {
            let told = if args.format.is_some() {
                output::json(&deed_object(deed))
            } else {
                tell_deed(deed)
            };
            // A reader that has gone does not stop a repair.
            if failed.is_ok() {
                failed = told;
            }
        };
        examination.repair(&watcher, &mut tell)?
    } else {
        examination.prove(&watcher)?
    };
    failed?;
    if args.format.is_some() {
        for finding in &examined.findings {
            output::json(&object(finding))?;
        }
        output::json(&summary(&examined))?;
    } else {
        print(&examined, args)?;
    }
    Ok(if examined.has_faults() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(examined: &Examined, args: &CheckArgs) -> Result<(), Exit> {
    for finding in &examined.findings {
        let weight = finding.weight.word();
        output::line(&format!("{weight}: {}: {}", finding.object, finding.what))?;
        for detail in &finding.details {
            output::line(&format!("    {detail}"))?;
        }
        let remedy = &finding.remedy;
        if args.repair && remedy.is_automatic() {
            continue;
        }
        if remedy.is_automatic() {
            output::line(&format!("    --repair would {remedy}"))?;
        } else if *remedy != cowshed::check::Remedy::Nothing {
            output::line(&format!("    {remedy}"))?;
        }
    }
    let proved = &examined.proved;
    let trees = if args.quick {
        String::new()
    } else {
        format!("{} of them compared with their blobs, ", proved.trees)
    };
    output::line(&format!(
        "looked at {}, {}, {trees}{}, {}, {}, {} in {:.1} s",
        count(proved.blobs, "blob"),
        count(proved.layers as u64, "layer"),
        count(proved.images as u64, "image"),
        count(proved.containers as u64, "container"),
        count(proved.volumes as u64, "volume"),
        count(proved.events, "event"),
        examined.took.as_secs_f64(),
    ))?;
    if proved.unproved_trees > 0 && !args.quick {
        let layers = count(proved.unproved_trees, "layer");
        output::line(&format!("not compared: {layers}, for want of a whole blob"))?;
    }
    if !examined.is_whole && examined.has_faults() {
        output::line("directories of the store are missing: the rest was not looked at")?;
    }
    let faults = examined.findings.iter().filter(|one| one.is_fault());
    output::line(&match faults.count() {
        0 => "the store is whole".to_owned(),
        1 => "1 thing is not as it must be".to_owned(),
        count => format!("{count} things are not as they must be"),
    })?;
    Ok(())
}

fn tell_deed(deed: &Deed) -> std::io::Result<()> {
    let finding = &deed.finding;
    let what = match &deed.outcome {
        Effect::Mended => format!("repaired: {}", remedy_done(finding)),
        Effect::Kept(path) => {
            let done = remedy_done(finding);
            format!("repaired: {done}; the old one is in {}", text::path(path))
        }
        Effect::Aside(path) => format!("put aside: it is in {}", text::path(path)),
        Effect::Refused(why) => format!("not repaired: {why}"),
        Effect::Failed { why, hint: None } => format!("not repaired: {why}"),
        Effect::Failed {
            why,
            hint: Some(hint),
        } => format!("not repaired: {why} ({hint})"),
    };
    output::line(&format!("{}: {}", finding.object, finding.what))?;
    output::line(&format!("    {what}"))
}

fn remedy_done(finding: &Finding) -> String {
    finding.remedy.to_string()
}

fn deed_object(deed: &Deed) -> Value {
    let (word, path, why) = match &deed.outcome {
        Effect::Mended => ("repaired", None, None),
        Effect::Kept(path) => ("repaired", Some(path), None),
        Effect::Aside(path) => ("quarantined", Some(path), None),
        Effect::Refused(why) | Effect::Failed { why, .. } => ("refused", None, Some(why)),
    };
    let mut object = object(&deed.finding);
    object["Outcome"] = word.into();
    object["Path"] = path.map(|path| text::path(path)).into();
    object["Why"] = why.cloned().into();
    object
}

fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

fn object(finding: &Finding) -> Value {
    json!({
        "Invariant": finding.invariant,
        "Object": finding.object,
        "What": finding.what,
        "Details": finding.details,
        "Severity": finding.weight.word(),
        "Repair": finding.remedy.to_string(),
        "Automatic": finding.remedy.is_automatic(),
        "Proved": finding.remedy.is_proved(),
    })
}

fn summary(examined: &Examined) -> Value {
    let proved = &examined.proved;
    let faults = examined.findings.iter().filter(|one| one.is_fault());
    json!({
        "Summary": true,
        "Clean": !examined.has_faults(),
        "Faults": faults.count(),
        "Findings": examined.findings.len(),
        "Blobs": proved.blobs,
        "BlobBytes": proved.blob_bytes,
        "Layers": proved.layers,
        "Trees": proved.trees,
        "UnprovedTrees": proved.unproved_trees,
        "Images": proved.images,
        "Containers": proved.containers,
        "Volumes": proved.volumes,
        "Events": proved.events,
        "Seconds": examined.took.as_secs_f64(),
    })
}

/// After so long somebody who waits is told what is being done, and again.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Watch {
    told: Mutex<Instant>,
}

impl Watch {
    fn new() -> Self {
        Self {
            told: Mutex::new(Instant::now()),
        }
    }

    fn tell(&self, progress: &Progress) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < PATIENCE {
            return;
        }
        *told = Instant::now();
        report::note(&match progress {
            Progress::Records => "looking at records".to_owned(),
            Progress::Blobs { done, total } => {
                let (done, total) = (text::size(*done, 4), text::size(*total, 4));
                format!("reading blobs: {done} of {total}")
            }
            Progress::Layers { done, total } => {
                format!("comparing layer {} of {total} with its blob", done + 1)
            }
        });
    }
}
