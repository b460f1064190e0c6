//! `cowshed image verify`: blobs, tars and unpacked trees against what they were.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use cowshed::{
    container::{Engine, ImageFault, VerifiedImage},
    image::ImageRecord,
    rootfs::LayerFault,
};
use serde_json::json;

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
    text,
};

/// Check every blob, every layer and every unpacked file of images
///
/// Each layer is unpacked once more beside the store's trees and compared with them: path, type, mode,
/// owner, time, attributes and content.
#[derive(Debug, Args)]
pub(crate) struct ImageVerifyArgs {
    /// Only what is wrong
    #[arg(short, long)]
    quiet: bool,
    /// json: one object for each thing that is wrong
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    format: Option<String>,
    /// Names or ids; all images where none is given
    images: Vec<String>,
}

/// After so long somebody who waits is told what is being done, and again.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(engine: &Engine, args: &ImageVerifyArgs) -> Outcome {
    let names = if args.images.is_empty() {
        all(engine)?
    } else {
        args.images.clone()
    };
    let mut verification = engine.verification();
    let mut told = Instant::now();
    let mut failed = false;
    for name in &names {
        let tell = |number: usize, record: &ImageRecord| {
            if told.elapsed() > PATIENCE {
                let layers = record.layers.len();
                report::note(&format!("verifying layer {number} of {layers} of {name}"));
                told = Instant::now();
            }
        };
        match verification.image(name, tell) {
            Ok(verified) => {
                failed |= !verified.faults.is_empty();
                print(name, &verified, args)?;
            }
            Err(error) => {
                report::print(&Exit::from(error));
                failed = true;
            }
        }
    }
    if failed {
        return Err(Exit::said());
    }
    Ok(ExitCode::SUCCESS)
}

/// A name for each image that has one, and the ids of the others.
fn all(engine: &Engine) -> Result<Vec<String>, Exit> {
    let images = engine.images()?;
    let names = images.names()?;
    let name = |record: &ImageRecord| {
        let own = names
            .iter()
            .find(|(_, manifest)| **manifest == record.manifest);
        own.map_or_else(|| record.manifest.hex(), |(name, _)| name.familiar())
    };
    Ok(images.list()?.iter().map(name).collect())
}

fn print(name: &str, verified: &VerifiedImage, args: &ImageVerifyArgs) -> Result<(), Exit> {
    let VerifiedImage { record, faults } = verified;
    if args.format.is_some() {
        for one in faults {
            let (path, what) = parts(one);
            let layer = one.layer.and_then(|number| record.layers.get(number - 1));
            output::json(&json!({
                "Image": name,
                "ID": record.id,
                "Layer": one.layer,
                "DiffID": layer.map(|layer| layer.diff_id),
                "Path": path,
                "What": what,
            }))?;
        }
        return Ok(());
    }
    if faults.is_empty() {
        if !args.quiet {
            let layers = match record.layers.len() {
                1 => "1 layer".to_owned(),
                count => format!("{count} layers"),
            };
            let size = text::size(record.bytes(), 4);
            output::line(&format!("{name}: ok ({layers}, {size})"))?;
        }
        return Ok(());
    }
    let things = match faults.len() {
        1 => "1 thing is".to_owned(),
        count => format!("{count} things are"),
    };
    output::line(&format!("{name}: {things} not as they were when it came:"))?;
    for one in faults {
        output::line(&format!("  {}", line(one)))?;
    }
    Ok(())
}

fn line(one: &ImageFault) -> String {
    let (path, what) = parts(one);
    let place = one
        .layer
        .map_or(String::new(), |number| format!("layer {number}: "));
    let path = path.map_or(String::new(), |path| format!("{path}: "));
    format!("{place}{path}{what}")
}

/// The path, where it is one, and what is wrong.
fn parts(one: &ImageFault) -> (Option<String>, String) {
    match &one.fault {
        LayerFault::Blob(what) if one.layer.is_none() => (None, what.clone()),
        LayerFault::Blob(what) => (None, format!("blob {what}")),
        LayerFault::Tree(what) => (None, format!("directory {what}")),
        LayerFault::Path(one) => (Some(text::path(&one.path)), one.what.clone()),
    }
}
