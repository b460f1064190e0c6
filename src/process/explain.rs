//! From what a child reported to an error.

use nix::errno::Errno;

use super::{
    Error, InitStep, UserError,
    report::{Report, UserErrorKind},
};
use crate::sys::SysError;

/// The error that a report of a failure tells of.
pub(super) fn explain(steps: &[InitStep], report: Report) -> Error {
    match report {
        Report::Failed {
            step,
            call,
            detail,
            errno,
        } => {
            let errno = Errno::from_raw(errno);
            failed_step(steps, step, errno, SysError::new(call, detail, errno))
        }
        Report::NoUser { error, kind } => Error::User(match kind {
            UserErrorKind::User => UserError::NoUser { name: error },
            UserErrorKind::Group => UserError::NoGroup { name: error },
            UserErrorKind::Range => UserError::Range { text: error },
        }),
        Report::Done { .. } | Report::Note { .. } | Report::Executing | Report::Terminal => {
            Error::Vanished { code: 0 }
        }
    }
}

fn failed_step(steps: &[InitStep], step: usize, errno: Errno, source: SysError) -> Error {
    if let Some(InitStep::Exec { args, .. }) = steps.get(step) {
        let program = args.first().cloned().unwrap_or_default();
        return if errno == Errno::ENOENT {
            Error::ProgramNotFound { program, source }
        } else {
            Error::ProgramNotExecutable { program, source }
        };
    }
    let title = steps
        .get(step)
        .map_or("?", |step| step.narrate().title)
        .to_owned();
    Error::Step {
        number: step + 1,
        total: steps.len(),
        title,
        source,
    }
}
