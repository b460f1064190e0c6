//! `cowshed run`

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cowshed::container::{Engine, Explain, Way};

use super::{
    attach_args::{AttachArgs, Wants, finish, require_terminal, start_failed},
    create_args::CreateArgs,
    narrate,
};
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

/// How `--explain` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExplainArg {
    /// Every step, its system calls, why, and how long it took
    Text,
    /// A shell script that does the same; nothing is run
    Sh,
    /// One JSON object a step
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Run in the background and print the id
    #[arg(short, long)]
    detach: bool,
    /// Show only these streams: stdin, stdout, stderr
    #[arg(short, long, value_name = "STREAM", conflicts_with = "detach")]
    attach: Vec<String>,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Tell every step
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    explain: Option<ExplainArg>,
    #[command(flatten)]
    attached: AttachArgs,
    #[command(flatten)]
    create: CreateArgs,
}

impl RunArgs {
    fn way(&self) -> Result<Way, Exit> {
        if self.detach {
            return Ok(Way::Detached);
        }
        let mut wanted = (false, false, false);
        for stream in &self.attach {
            match stream.to_ascii_lowercase().as_str() {
                "stdin" => wanted.0 = true,
                "stdout" => wanted.1 = true,
                "stderr" => wanted.2 = true,
                _ => {
                    let what = "valid streams are STDIN, STDOUT and STDERR";
                    return Err(Exit::usage(format!(
                        "invalid argument {stream:?} for \"-a, --attach\": {what}"
                    )));
                }
            }
        }
        if self.attach.is_empty() {
            wanted = (self.create.is_interactive(), true, true);
        }
        let wants = Wants {
            stdin: wanted.0,
            terminal: self.create.has_terminal(),
        };
        if !self.dry_run {
            require_terminal(wants)?;
        }
        Ok(Way::Attached {
            attachment: self.attached.attachment(wants)?,
            outputs: (wanted.1, wanted.2),
            owner: true,
        })
    }
}

pub(crate) fn run(engine: &Engine, args: RunArgs) -> Outcome {
    let way = args.way()?;
    let (dry_run, explain) = (args.dry_run, args.explain);
    if dry_run || explain == Some(ExplainArg::Sh) {
        let plan = engine
            .dry_run(args.create.request()?)
            .map_err(start_failed)?;
        match explain {
            Some(ExplainArg::Sh) => output::raw(&plan.script())?,
            Some(ExplainArg::Json) => narrate::plan_json(&plan)?,
            Some(ExplainArg::Text) | None => narrate::plan_text(&plan)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut explain = match explain {
        None | Some(ExplainArg::Sh) => Explain::silent(),
        Some(ExplainArg::Text) => Explain::to(narrate::text()),
        Some(ExplainArg::Json) => Explain::to(narrate::json()),
    };
    let cidfile = args.create.cidfile()?;
    let fetching = args.create.fetching();
    let mut request = args.create.request()?;
    request.stdin_once = way != Way::Detached;
    let attempt = |request| engine.make(request, &mut explain);
    let made = fetching.make(engine, request, attempt, start_failed)?;
    cidfile.keep(made.id())?;
    let ran = engine
        .launch(made, way, &mut explain)
        .map_err(start_failed)?;
    finish(&ran)
}
