//! `cowshed volume protect` and `unprotect`.

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Outcome},
};

#[derive(Debug, Args)]
pub(super) struct ProtectArgs {
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

pub(super) fn protect(engine: &Engine, args: &ProtectArgs, protected: bool) -> Outcome {
    let volumes = engine.volumes()?;
    report::each(&args.names, |name| {
        let record = volumes.get(name)?.record;
        volumes.edit(&record.name, |record| record.protected = protected)?;
        Ok(output::line(name)?)
    })
}
