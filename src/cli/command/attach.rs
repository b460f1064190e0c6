//! `cowshed attach`

use clap::Args;
use cowshed::container::Engine;

use super::attach_args::{AttachArgs, Wants, finish, require_terminal, way};
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
pub(crate) struct AttachCommandArgs {
    /// Do not pass our input on
    #[arg(long)]
    no_stdin: bool,
    #[command(flatten)]
    attached: AttachArgs,
    /// Name or id
    container: String,
}

pub(crate) fn run(engine: &Engine, args: &AttachCommandArgs) -> Outcome {
    let record = engine.container(&args.container)?.record;
    let wants = Wants {
        stdin: record.interactive && !args.no_stdin,
        terminal: record.terminal,
    };
    require_terminal(wants)?;
    let attachment = args.attached.attachment(wants)?;
    finish(&engine.attach(&args.container, way(attachment, false))?)
}
