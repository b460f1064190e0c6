//! `cowshed start`

use clap::Args;
use cowshed::container::{Engine, Explain, Ran, Way};

use super::attach_args::{AttachArgs, Wants, finish, require_terminal, way};
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Show its output, and pass signals on
    #[arg(short, long)]
    attach: bool,
    /// Pass our input on, too
    #[arg(short, long)]
    interactive: bool,
    /// Start every container that its restart policy wants back, as after a boot
    #[arg(long, conflicts_with_all = ["attach", "interactive", "containers"])]
    restarting: bool,
    #[command(flatten)]
    attached: AttachArgs,
    /// Names or ids
    #[arg(required_unless_present = "restarting", value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &StartArgs) -> Outcome {
    if args.restarting {
        let names = engine.to_be_revived()?;
        return each(engine, &names);
    }
    if !args.attach && !args.interactive {
        return each(engine, &args.containers);
    }
    let [name] = &args.containers[..] else {
        let what = "you cannot start and attach multiple containers at once";
        return Err(Exit::usage(what).or_code(1));
    };
    let record = engine.container(name)?.record;
    let wants = Wants {
        stdin: args.interactive && record.interactive,
        terminal: record.terminal,
    };
    require_terminal(wants)?;
    let attachment = args.attached.attachment(wants)?;
    let ran = engine.start(name, way(attachment, false), &mut Explain::silent())?;
    finish(&ran)
}

/// Prints each name as it was typed, as Docker does.
fn each(engine: &Engine, names: &[String]) -> Outcome {
    report::each(names, |name| {
        let ran = engine.start(name, Way::Detached, &mut Explain::silent())?;
        debug_assert!(!matches!(ran, Ran::Left(_)), "nobody was attached");
        Ok(output::line(name)?)
    })
}
