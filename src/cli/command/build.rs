//! `cowshed build`

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args, ValueEnum};
use cowshed::{
    build::{self, BuildRequest, Built, ContextFrom, DockerfileFrom},
    container::Engine,
    ident::Reference,
    process::Network,
};

use super::{
    build_progress::{Captured, Narrator},
    missing_image::{Fetching, PullArg},
    sync_arg::SyncArg,
};
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

/// Which network the commands of `RUN` see.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum NetworkArg {
    /// Loopback only
    #[value(alias = "default")]
    None,
    /// The host's
    Host,
}

/// How progress is shown; there is one way.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProgressArg {
    /// The same
    Auto,
    /// Lines
    Plain,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's build"
)]
pub(crate) struct BuildArgs {
    /// What the image shall be called
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    tag: Vec<String>,
    /// The Dockerfile, - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Value of an ARG; without one it is taken from the environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Label of the image
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Stop after this stage
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Do every step anew
    #[arg(long)]
    no_cache: bool,
    /// Fetch the images that stages begin with even where they are here
    #[arg(long)]
    pull: bool,
    /// Print the image's id only, and everything after a failure
    #[arg(short, long)]
    quiet: bool,
    /// Write the image's id to this file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Say for each step what it would do, and do nothing
    #[arg(long, conflicts_with = "iidfile")]
    dry_run: bool,
    /// Which network the commands of RUN see
    #[arg(long, value_enum, default_value = "none")]
    network: NetworkArg,
    /// What is on disk when a step is reported as done
    #[arg(long, value_enum, default_value = "full")]
    sync: SyncArg,
    /// Remove containers of steps; they always are
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_value = "true",
        default_missing_value = "true", action = ArgAction::Set)]
    rm: bool,
    /// The same after a failure
    #[arg(long, hide = true)]
    force_rm: bool,
    /// How progress is shown; there is one way
    #[arg(long, value_enum, hide = true, default_value = "auto")]
    progress: ProgressArg,
    /// The context, a directory; - for a tar or a Dockerfile on standard input
    #[arg(value_name = "PATH|-")]
    path: PathBuf,
}

impl BuildArgs {
    fn request(&self) -> Result<BuildRequest, Exit> {
        let names = self.tag.iter().map(|name| name.parse::<Reference>());
        let names = names.collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|error| Exit::from(error).or_code(125))?;
        if names.iter().any(|name| name.digest().is_some()) {
            // Docker's text.
            let what = "build tag cannot contain a digest";
            return Err(Exit::usage(what).or_code(1));
        }
        let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
        let dockerfile = match &self.file {
            None => DockerfileFrom::Context,
            Some(path) if is_stdin(path) => DockerfileFrom::Stdin,
            Some(path) => DockerfileFrom::File(path.clone()),
        };
        Ok(BuildRequest {
            context: if is_stdin(&self.path) {
                ContextFrom::Stdin
            } else {
                ContextFrom::Directory(self.path.clone())
            },
            dockerfile,
            names,
            arguments: self.build_arg.iter().map(|text| argument(text)).collect(),
            labels: self.label.iter().map(|text| label(text)).collect(),
            target: self.target.clone().filter(|target| !target.is_empty()),
            no_cache: self.no_cache,
            pull: self.pull,
            dry_run: self.dry_run,
            network: match self.network {
                NetworkArg::None => Network::None,
                NetworkArg::Host => Network::Host,
            },
            epoch: std::env::var("SOURCE_DATE_EPOCH").ok(),
            durability: self.sync.into(),
        })
    }
}

/// Without a value it is the caller's own.
fn argument(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), std::env::var(text).ok()),
    }
}

fn label(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.to_owned(), value.to_owned())
}

pub(crate) fn run(engine: &Engine, args: &BuildArgs) -> Outcome {
    let request = args.request()?;
    let captured = args.quiet.then(Captured::begin).transpose()?;
    let mut narrator = Narrator::default();
    let mut fetch = |name: &str, platform: Option<&str>| {
        let platform = platform.map(str::to_owned);
        let (when, quiet) = (PullArg::Always, args.quiet);
        let fetching = Fetching {
            when,
            quiet,
            platform,
        };
        fetching.fetch_untold(engine, name)
    };
    let mut tell = |progress| narrator.tell(&progress);
    let built = build::build(engine, &request, &mut fetch, &mut tell);
    if let Some(captured) = captured {
        captured.end(built.is_err())?;
    }
    let Built { id } = built.map_err(|error| {
        let code = u8::try_from(error.exit_code()).unwrap_or(1);
        Exit::from(error).or_code(code)
    })?;
    narrator.finish()?;
    let Some(id) = id else {
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(path) = &args.iidfile {
        write_id(path, &id.to_string())?;
    }
    if args.quiet {
        output::line(&id.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Without an end of line, as Docker does.
fn write_id(path: &PathBuf, id: &str) -> Result<(), Exit> {
    let write = || std::fs::File::create(path)?.write_all(id.as_bytes());
    write().map_err(|error| {
        let what = format!("write {}: {error}", path.display());
        Exit::usage(what).or_code(1)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn arguments_and_labels_may_lack_a_value() {
        let given = [argument("A=b=c"), argument("COWSHED_NOTHING_SUCH")];
        let given: BTreeMap<_, _> = given.into();
        assert_eq!(given["A"].as_deref(), Some("b=c"));
        assert_eq!(given["COWSHED_NOTHING_SUCH"], None);
        assert_eq!(label("k"), ("k".to_owned(), String::new()));
    }
}
