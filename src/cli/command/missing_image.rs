//! What `run` and `create` do about an image that is not here: they have it fetched.
//!
//! By another process: this one is going to fork a container and keeps no threads and no memory for
//! what is over by then.

use std::{
    os::{fd::AsFd as _, unix::process::ExitStatusExt as _},
    process::{Child, Command, Stdio},
};

use clap::ValueEnum;
use cowshed::{
    build::Unfetched,
    container::{Engine, Error, RunRequest},
    ident::Reference,
    image::{self, Platform},
};

use crate::cli::report::{self, Exit};

/// When an image is fetched from its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullArg {
    /// Each time
    Always,
    /// When it is not here
    Missing,
    /// Never: it must be here
    Never,
}

/// What `run` and `create` were told about fetching.
#[derive(Debug, Clone)]
pub(crate) struct Fetching {
    pub(crate) when: PullArg,
    pub(crate) quiet: bool,
    pub(crate) platform: Option<String>,
}

impl Fetching {
    /// Makes something of a request's image, fetching that where it is wanted.
    pub(crate) fn make<T>(
        &self,
        engine: &Engine,
        request: RunRequest,
        mut attempt: impl FnMut(RunRequest) -> Result<T, Error>,
        failed: impl Fn(Error) -> Exit,
    ) -> Result<T, Exit> {
        let image = request.image.clone();
        if self.when == PullArg::Always {
            self.fetch(engine, &image)?;
            return attempt(request).map_err(failed);
        }
        if !self.is_of_platform(engine, &image)? {
            self.fetch_missing(engine, &image)?;
            return attempt(request).map_err(failed);
        }
        match attempt(request.clone()) {
            Err(Error::Image(image::Error::NotFound { name }))
                if name == image && self.may_fetch(&image) =>
            {
                self.fetch_missing(engine, &image)?;
                attempt(request).map_err(failed)
            }
            done => done.map_err(failed),
        }
    }

    /// Whole ids are nobody's names.
    fn may_fetch(&self, image: &str) -> bool {
        let is_id = image.len() == 64 && image.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.when == PullArg::Missing && !is_id && image.parse::<Reference>().is_ok()
    }

    /// An image that is here, but for another platform than the one that is wanted, does not count.
    fn is_of_platform(&self, engine: &Engine, image: &str) -> Result<bool, Exit> {
        let Some(platform) = &self.platform else {
            return Ok(true);
        };
        let platform: Platform = platform.parse().map_err(Exit::from)?;
        let images = engine.images()?;
        let Ok(record) = images.resolve(image) else {
            return Ok(true);
        };
        let config = images.config(&record)?;
        let own = Platform::of_image(&config);
        let fits = platform.is_met_by(&own);
        if !fits && !self.may_fetch(image) {
            let what = format!(
                "image with reference {image} was found but its platform ({own}) does not match the \
                 specified platform ({platform})"
            );
            return Err(Exit::usage(what));
        }
        Ok(fits)
    }

    fn fetch_missing(&self, engine: &Engine, image: &str) -> Result<(), Exit> {
        if !self.quiet {
            let name = image.parse::<Reference>();
            let name = name.map_or_else(|_| image.to_owned(), |name| name.familiar());
            report::line(&format!("Unable to find image '{name}' locally"));
        }
        self.fetch(engine, image)
    }

    pub(crate) fn fetch(&self, engine: &Engine, image: &str) -> Result<(), Exit> {
        match self.pull(engine, image)?.status() {
            Ok(status) if status.success() => Ok(()),
            // It has said why, or somebody has stopped it.
            Ok(status) => {
                let by_signal = status.signal().map(|signal| 128 + signal);
                let code = by_signal.and_then(|code| u8::try_from(code).ok());
                Err(Exit::said().or_code(code.unwrap_or(125)))
            }
            Err(error) => Err(Exit::usage(format!("start a pull: {error}"))),
        }
    }

    /// The same for somebody who tells the error in a place of its own.
    pub(crate) fn fetch_untold(&self, engine: &Engine, image: &str) -> Result<(), Unfetched> {
        let not_started = |error: std::io::Error| Unfetched {
            cause: format!("start a pull: {error}"),
            hint: None,
        };
        let pull = self.pull(engine, image).map_err(not_started)?;
        let done = { pull }.stderr(Stdio::piped()).spawn();
        let done = done.and_then(Child::wait_with_output);
        let done = done.map_err(not_started)?;
        let said = String::from_utf8_lossy(&done.stderr);
        let (remarks, error) = said.split_at(said.find(ERROR).unwrap_or(said.len()));
        for remark in remarks.lines() {
            report::line(remark);
        }
        if done.status.success() {
            return Ok(());
        }
        Err(unfetched(error, &done.status.to_string()))
    }

    /// Standard output is the container's, and so not the pull's.
    fn pull(&self, engine: &Engine, image: &str) -> std::io::Result<Command> {
        let mut pull = Command::new("/proc/self/exe");
        pull.arg("--root").arg(engine.store().path());
        pull.args(["pull", "--in-passing"]);
        if self.quiet {
            pull.arg("--quiet");
        }
        if let Some(platform) = &self.platform {
            pull.args(["--platform", platform]);
        }
        let stderr = std::io::stderr().as_fd().try_clone_to_owned()?;
        pull.arg("--")
            .arg(image)
            .stdin(Stdio::null())
            .stdout(stderr);
        Ok(pull)
    }
}

/// How an error begins.
const ERROR: &str = "cowshed: error: ";

/// An error as it was told to a user.
fn unfetched(told: &str, status: &str) -> Unfetched {
    let (mut causes, mut hint) = (Vec::new(), None);
    for line in told.lines() {
        let line = line.strip_prefix(ERROR).unwrap_or(line);
        match line.strip_prefix("hint: ") {
            Some(text) => hint = Some(text.to_owned()),
            None => causes.push(line.strip_prefix("caused by: ").unwrap_or(line)),
        }
    }
    let cause = if causes.is_empty() {
        status.to_owned()
    } else {
        causes.join(": ")
    };
    Unfetched { cause, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_was_told_is_read_again() {
        let told = "cowshed: error: pull a\ncaused by: b\ncaused by: c\nhint: d\n";
        let read = unfetched(told, "");
        assert_eq!(read.cause, "pull a: b: c");
        assert_eq!(read.hint.as_deref(), Some("d"));
        assert_eq!(unfetched("", "signal: 9").cause, "signal: 9");
    }
}
