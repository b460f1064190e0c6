//! Flags of Docker's `run` and `create` that scripts pass and that change little or nothing here.

use std::path::PathBuf;

use clap::Args;

use super::{
    env_file,
    missing_image::{Fetching, PullArg},
};
use crate::cli::report::Exit;

#[derive(Debug, Args)]
pub(crate) struct AcceptedArgs {
    /// When to fetch the image from its registry
    #[arg(long, value_enum, value_name = "WHEN", default_value = "missing")]
    pull: PullArg,
    /// Tell nothing about fetching
    #[arg(short, long)]
    quiet: bool,
    /// Fetch the image for another platform than this machine's
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// File of labels, one a line
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// Accepted: nothing keeps programs from each other's ports
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    expose: Vec<String>,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
}

impl AcceptedArgs {
    /// Refuses what cannot be had.
    pub(crate) fn check(&self) -> Result<(), Exit> {
        match self.expose.iter().find(|port| !is_exposable(port)) {
            Some(port) => Err(Exit::usage(format!(
                "invalid range format for --expose: {port}"
            ))),
            None => Ok(()),
        }
    }

    /// What to do about an image that is not here.
    pub(crate) fn fetching(&self) -> Fetching {
        Fetching {
            when: self.pull,
            quiet: self.quiet,
            platform: self.platform.clone(),
        }
    }

    /// `KEY[=VALUE]` from files; flags come after them.
    pub(crate) fn labels(&self) -> Result<Vec<String>, Exit> {
        let read = self.label_file.iter().map(|file| env_file::read(file));
        Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

/// `PORT[-PORT][/PROTOCOL]`
fn is_exposable(text: &str) -> bool {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let range = (first.parse::<u16>(), last.parse::<u16>());
    matches!(range, (Ok(first), Ok(last)) if first <= last)
        && matches!(
            protocol.to_ascii_lowercase().as_str(),
            "tcp" | "udp" | "sctp"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_or_ranges() {
        for fine in ["80", "80/udp", "8000-8010", "8000-8010/TCP"] {
            assert!(is_exposable(fine), "{fine}");
        }
        for bad in ["", "http", "80/x", "90-80", "70000", "80-", "80:80"] {
            assert!(!is_exposable(bad), "{bad}");
        }
    }
}
