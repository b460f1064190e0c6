//! `--sync`: what survives a power cut.

use clap::ValueEnum;
use cowshed::rootfs::Sync;

/// What is on disk when an import is reported as done.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SyncArg {
    /// Everything
    Full,
    /// Nothing is promised: for throw-away stores
    None,
}

impl From<SyncArg> for Sync {
    fn from(arg: SyncArg) -> Self {
        match arg {
            SyncArg::Full => Sync::Full,
            SyncArg::None => Sync::None,
        }
    }
}
