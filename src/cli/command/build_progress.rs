//! What a build tells, as Docker's classic builder prints it, and why each step was done or not.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
};

use cowshed::{
    build::Progress,
    ident::Digest,
    sys::{Dir, process::set_standard_streams, unnamed_file},
};

use crate::cli::{
    output,
    report::{self, Exit},
};

/// Prints what it is told; a reader that has gone does not end the build.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    failed: Option<io::Error>,
}

impl Narrator {
    pub(super) fn tell(&mut self, progress: &Progress) {
        if let Progress::Note(note) = progress {
            report::note(note);
            return;
        }
        for line in lines(progress) {
            if let Err(error) = output::line(&line) {
                self.failed.get_or_insert(error);
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), Exit> {
        self.failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn lines(progress: &Progress) -> Vec<String> {
    vec![match progress {
        Progress::Step {
            number,
            count,
            text,
        } => format!("Step {number}/{count} : {text}"),
        Progress::Triggers { count } => {
            let word = if *count == 1 { "trigger" } else { "triggers" };
            format!("# Executing {count} build {word}")
        }
        Progress::Cache { hit: true, reason } => {
            let why = format!(" ---> cache hit: {reason}");
            return vec![why, " ---> Using cache".to_owned()];
        }
        Progress::Cache { hit: false, reason } => format!(" ---> cache miss: {reason}"),
        Progress::Running(id) => format!(" ---> Running in {}", id.short()),
        Progress::Removed(id) => format!("Removing intermediate container {}", id.short()),
        Progress::Image(id) => {
            format!(" ---> {}", id.as_ref().map_or(String::new(), Digest::short))
        }
        Progress::Would(what) => format!(" ---> would {what}"),
        Progress::Note(what) | Progress::Warning(what) => format!("[Warning] {what}"),
        Progress::Done(id) => format!("Successfully built {}", id.short()),
        Progress::Tagged(name) => format!("Successfully tagged {}", name.familiar()),
    }]
}

/// `-q`: what is written meanwhile, by commands too, is kept for the case of a failure.
#[derive(Debug)]
pub(super) struct Captured {
    file: File,
    streams: [OwnedFd; 2],
}

impl Captured {
    pub(super) fn begin() -> Result<Self, Exit> {
        let failed = |error: &dyn std::fmt::Display| {
            Exit::usage(format!("keep the output: {error}"))
                .with_hint("TMPDIR names another directory for it; without -q it is not kept")
                .or_code(1)
        };
        let dir = Dir::open(&std::env::temp_dir()).map_err(|error| failed(&error))?;
        let file = unnamed_file(&dir).map_err(|error| failed(&error))?;
        let own = [
            io::stdout().as_fd().try_clone_to_owned(),
            io::stderr().as_fd().try_clone_to_owned(),
        ];
        let [out, err] = own;
        let streams = [out?, err?];
        io::stdout().flush()?;
        let stdin = io::stdin();
        set_standard_streams([stdin.as_fd(), file.as_fd(), file.as_fd()])
            .map_err(|error| failed(&error))?;
        Ok(Self { file, streams })
    }

    /// Gives the streams back, and what was kept if it is wanted.
    pub(super) fn end(mut self, wanted: bool) -> Result<(), Exit> {
        io::stdout().flush()?;
        let stdin = io::stdin();
        let [out, err] = &self.streams;
        let back = set_standard_streams([stdin.as_fd(), out.as_fd(), err.as_fd()]);
        back.map_err(|error| Exit::usage(format!("show the output: {error}")).or_code(1))?;
        if wanted {
            let mut kept = Vec::new();
            self.file.rewind()?;
            self.file.read_to_end(&mut kept)?;
            report::bytes(&kept);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_classic_builder() {
        let step = Progress::Step {
            number: 1,
            count: 5,
            text: "FROM alpine".to_owned(),
        };
        assert_eq!(lines(&step), ["Step 1/5 : FROM alpine"]);
        let id = Digest::of(b"x");
        let short = id.short();
        assert_eq!(
            lines(&Progress::Image(Some(id))),
            [format!(" ---> {short}")]
        );
        assert_eq!(lines(&Progress::Image(None)), [" ---> "]);
        assert_eq!(
            lines(&Progress::Done(id)),
            [format!("Successfully built {short}")]
        );
        let hit = Progress::Cache {
            hit: true,
            reason: "same".to_owned(),
        };
        assert_eq!(lines(&hit), [" ---> cache hit: same", " ---> Using cache"]);
        let tagged = Progress::Tagged("x".parse().unwrap());
        assert_eq!(lines(&tagged), ["Successfully tagged x:latest"]);
    }
}
