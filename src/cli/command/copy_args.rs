//! What `cp` and `volume cp` take and tell alike.

use std::io::{self, IsTerminal as _};

use clap::Args;
use cowshed::container::{CopyReport, Copying};

use crate::cli::{report, text};

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Keep the owners of what comes out; what goes in always keeps them
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link at the end of the source leads to
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing at the end; nothing is said either where output is no terminal
    #[arg(short, long)]
    quiet: bool,
}

impl CopyArgs {
    pub(crate) fn how(&self) -> Copying {
        Copying {
            archive: self.archive,
            follow_links: self.follow_link,
        }
    }

    /// What was left out, and to a terminal what was copied.
    pub(crate) fn tell(&self, done: CopyReport) {
        report::remarks(&done.remarks);
        let is_told = !self.quiet && io::stdout().is_terminal();
        if let Some(destination) = done.destination.filter(|_| is_told) {
            let size = text::size(done.tar_bytes, 3);
            report::line(&format!("Successfully copied {size} to {destination}"));
        }
    }
}
