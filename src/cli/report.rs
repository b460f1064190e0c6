//! Errors and exit codes: the only place that writes to standard error.

use std::{
    ffi::OsString,
    io::Write as _,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use cowshed::{
    container::{self, DamagedContainer},
    error::Failure,
    sys::SysError,
};

use super::text::printable;

/// What a command ends with: an exit code, or an error.
pub(crate) type Outcome = Result<ExitCode, Exit>;

/// An error and the code it ends the program with.
#[derive(Debug)]
pub(crate) struct Exit {
    failure: Problem,
    code: u8,
}

#[derive(Debug)]
enum Problem {
    Failure(Box<dyn Failure>),
    Text {
        message: String,
        hint: Option<String>,
    },
    /// Everything was said already.
    Said,
}

impl Exit {
    /// A rule of the command line that was broken.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        let failure = Problem::Text {
            message: message.into(),
            hint: None,
        };
        Self { failure, code: 125 }
    }

    /// The same, saying what to type next.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        match self.failure {
            Problem::Text { message, .. } => Self {
                failure: Problem::Text {
                    message,
                    hint: Some(hint.to_owned()),
                },
                ..self
            },
            Problem::Failure(_) | Problem::Said => self,
        }
    }

    pub(crate) fn not_root() -> Self {
        let message = "open store: only root can stack and mount layers".to_owned();
        let hint = Some("run it with sudo".to_owned());
        Self {
            failure: Problem::Text { message, hint },
            code: 1,
        }
    }

    /// Errors were reported one by one.
    pub(crate) fn said() -> Self {
        Self {
            failure: Problem::Said,
            code: 1,
        }
    }

    /// The same with another exit code.
    pub(crate) fn or_code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

macro_rules! from_failures {
    ($($error:ty),+) => {
        $(impl From<$error> for Exit {
            fn from(error: $error) -> Self {
                Self { failure: Problem::Failure(Box::new(error)), code: 1 }
            }
        })+
    };
}

from_failures!(
    cowshed::build::Error,
    cowshed::cgroup::Error,
    cowshed::check::Error,
    cowshed::control::Error,
    cowshed::event::Error,
    cowshed::ident::Error,
    cowshed::image::Error,
    cowshed::log::Error,
    cowshed::mount::Error,
    cowshed::process::SecurityError,
    cowshed::registry::Error,
    cowshed::volume::Error,
    super::template::Error
);

impl From<container::Error> for Exit {
    /// 128 and the number of the signal that stopped the command (semantics 65).
    fn from(error: container::Error) -> Self {
        let code = error.interrupted_by().map_or(1, |signal| 128 + signal);
        Self {
            failure: Problem::Failure(Box::new(error)),
            code: u8::try_from(code).unwrap_or(1),
        }
    }
}

impl From<std::io::Error> for Exit {
    /// Writing to standard output failed; a reader that has gone is no error of ours.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self {
                failure: Problem::Said,
                code: 0,
            };
        }
        let source = SysError::from_io("write", "standard output", &error);
        let (message, hint) = (source.to_string(), source.hint());
        Self {
            failure: Problem::Text { message, hint },
            code: 1,
        }
    }
}

/// Reports an error, if it is one, and gives the exit code.
pub(crate) fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(exit) => {
            exit.print();
            ExitCode::from(exit.code)
        }
    }
}

/// Reports an error that was kept.
pub(crate) fn print(exit: &Exit) {
    exit.print();
}

/// Does something for each name, going on after an error (semantics 36).
pub(crate) fn each(names: &[String], mut work: impl FnMut(&str) -> Result<(), Exit>) -> Outcome {
    let mut failed = false;
    for name in names {
        if let Err(exit) = work(name) {
            exit.print();
            failed = true;
        }
    }
    if failed {
        Err(Exit::said())
    } else {
        Ok(ExitCode::SUCCESS)
    }
}

/// `--no-notes`
static SILENT: AtomicBool = AtomicBool::new(false);

/// Notes that wait for whoever tells them in a form of its own.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// No note is told from now on.
pub(crate) fn silence_notes() {
    SILENT.store(true, Ordering::Relaxed);
}

/// From now on notes wait for [`take_notes`]: lines of JSON must not be mixed with others.
pub(crate) fn hold_notes() {
    if let Ok(mut held) = HELD.lock() {
        *held = Some(Vec::new());
    }
}

/// The notes since the last time.
pub(crate) fn take_notes() -> Vec<String> {
    let held = HELD.lock();
    held.ok()
        .and_then(|mut held| held.as_mut().map(std::mem::take))
        .unwrap_or_default()
}

/// Whether a switch in the environment is on: set, and to neither 0, false nor nothing.
pub(crate) fn is_on(value: Option<OsString>) -> bool {
    value.is_some_and(|value| !matches!(value.to_str(), Some("" | "0" | "false")))
}

/// What was made, ignored or left out without being asked for by name.
pub(crate) fn note(text: &str) {
    if SILENT.load(Ordering::Relaxed) {
        return;
    }
    if let Ok(mut held) = HELD.lock()
        && let Some(held) = held.as_mut()
    {
        held.push(text.to_owned());
        return;
    }
    line(&format!("cowshed: note: {text}"));
}

/// What a user must know about something that went through.
pub(crate) fn remarks(remarks: &[String]) {
    for remark in remarks {
        note(remark);
    }
}

/// One note of everything in a list whose record cannot be read, and what removes it.
pub(crate) fn note_damaged<'d>(
    what: &str,
    remedy: &str,
    damaged: impl Iterator<Item = (&'d str, &'d str)>,
) {
    let told: Vec<_> = damaged
        .map(|(name, why)| format!("{name} ({why})"))
        .collect();
    if !told.is_empty() {
        note(&format!(
            "{what} whose records cannot be read: {}; {remedy} removes one",
            told.join(", ")
        ));
    }
}

/// The same of containers.
pub(crate) fn note_damaged_containers(damaged: &[DamagedContainer]) {
    let told = damaged.iter();
    let told = told.map(|one| (one.id.short(), one.why.as_str()));
    note_damaged("containers", "cowshed rm", told);
}

/// A line for whoever watches, such as `--explain`.
pub(crate) fn line(text: &str) {
    writeln!(std::io::stderr(), "{}", printable(text)).ok();
}

/// A container's own bytes, as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    std::io::stderr().write_all(bytes).ok();
}

impl Exit {
    fn print(&self) {
        let mut lines = Vec::new();
        let hint = match &self.failure {
            Problem::Said => return,
            Problem::Text { message, hint } => {
                lines.push(format!("cowshed: error: {message}"));
                hint.clone()
            }
            Problem::Failure(failure) => {
                lines.push(format!("cowshed: error: {failure}"));
                let mut cause = failure.source();
                while let Some(error) = cause {
                    lines.push(format!("caused by: {error}"));
                    cause = error.source();
                }
                failure.hint()
            }
        };
        lines.extend(hint.map(|hint| format!("hint: {hint}")));
        // Nothing can be done where standard error is closed.
        writeln!(
            std::io::stderr(),
            "{}",
            lines
                .iter()
                .map(|line| printable(line))
                .collect::<Vec<_>>()
                .join("\n")
        )
        .ok();
    }
}
