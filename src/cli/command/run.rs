//! `cowshed run`

use std::process::ExitCode;

use cowshed::container::{Engine, Explain};

pub(crate) use super::run_args::RunArgs;
use super::{narrate, run_args::ExplainArg};
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

pub(crate) fn run(engine: &Engine, args: RunArgs) -> Outcome {
    let (dry_run, explain) = (args.dry_run, args.explain);
    let request = args.request()?;
    let typed = request.terminal && request.interactive && !dry_run;
    if typed && !cowshed::sys::console::is_terminal(std::io::stdin()) {
        return Err(Exit::usage("the input device is not a TTY").or_code(1));
    }
    let failed = |error: cowshed::container::Error| {
        let code = u8::try_from(error.exit_code()).unwrap_or(125);
        Exit::from(error).or_code(code)
    };
    if dry_run || explain == Some(ExplainArg::Sh) {
        let plan = engine.dry_run(request).map_err(failed)?;
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
    let ended = engine.run(request, &mut explain).map_err(failed)?;
    Ok(ExitCode::from(u8::try_from(ended.code()).unwrap_or(255)))
}
