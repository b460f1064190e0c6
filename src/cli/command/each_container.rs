//! Commands that do one thing to each container they are given, and print its name.

use clap::Args;
use cowshed::{
    container::{Engine, Error, parse_signal},
    ident::ContainerId,
};

use crate::cli::{
    output,
    report::{self, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct NamesArgs {
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// Which signal
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    #[command(flatten)]
    names: NamesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// Name or id
    container: String,
    /// Its new name
    new_name: String,
}

pub(crate) fn kill(engine: &Engine, args: &KillArgs) -> Outcome {
    let signal = parse_signal(&args.signal)?;
    each(&args.names, |name| engine.kill(name, signal))
}

pub(crate) fn pause(engine: &Engine, args: &NamesArgs) -> Outcome {
    each(args, |name| engine.pause(name))
}

pub(crate) fn unpause(engine: &Engine, args: &NamesArgs) -> Outcome {
    each(args, |name| engine.unpause(name))
}

fn each(args: &NamesArgs, work: impl Fn(&str) -> Result<ContainerId, Error>) -> Outcome {
    report::each(&args.containers, |name| {
        work(name)?;
        Ok(output::line(name)?)
    })
}

pub(crate) fn wait(engine: &Engine, args: &NamesArgs) -> Outcome {
    report::each(&args.containers, |name| {
        let code = engine.wait(name)?;
        Ok(output::line(&code.to_string())?)
    })
}

pub(crate) fn rename(engine: &Engine, args: &RenameArgs) -> Outcome {
    engine.rename(&args.container, &args.new_name.parse()?)?;
    Ok(std::process::ExitCode::SUCCESS)
}
