//! `--no-limits` of what reads archives.

use clap::Args;
use cowshed::layer::Limits;

#[derive(Debug, Args)]
pub(super) struct LimitsArg {
    /// Take archives of more than 8 million entries or 256 GiB, too: trust where it comes from
    #[arg(long)]
    no_limits: bool,
}

impl LimitsArg {
    pub(super) fn limits(&self) -> Limits {
        if self.no_limits {
            Limits::own()
        } else {
            Limits::archive()
        }
    }
}
