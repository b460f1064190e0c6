//! `cowshed stop` and `cowshed restart`

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
pub(crate) struct StopArgs {
    /// Sent in place of the container's own
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// Seconds until it is killed; -1 waits for ever
    #[arg(
        short,
        long,
        visible_alias = "time",
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    timeout: Option<i32>,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

type Verb = fn(&Engine, &str, Option<i32>, Option<i32>) -> Result<ContainerId, Error>;

pub(crate) fn stop(engine: &Engine, args: &StopArgs) -> Outcome {
    each(engine, args, Engine::stop)
}

pub(crate) fn restart(engine: &Engine, args: &StopArgs) -> Outcome {
    each(engine, args, Engine::restart)
}

fn each(engine: &Engine, args: &StopArgs, verb: Verb) -> Outcome {
    let signal = args.signal.as_deref().map(parse_signal).transpose()?;
    report::each(&args.containers, |name| {
        verb(engine, name, signal, args.timeout)?;
        Ok(output::line(name)?)
    })
}
