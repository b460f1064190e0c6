//! `SysError`: a failed system call, printed the way strace would print it.

use std::{borrow::Cow, fmt, io};

use nix::errno::Errno;

use super::hint;
use crate::error::{ErrorKind, Failure};

/// The result of a system call.
pub type Result<T> = std::result::Result<T, SysError>;

/// A system call that failed: its name, what it was asked to do, and errno.
///
/// Always the lowest link of an error chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysError(Box<Failed>);

/// Boxed, so that results stay small on the paths where nothing fails.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    call: Cow<'static, str>,
    detail: String,
    cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    Errno(Errno),
    /// Another call, that a reader or writer made for this one.
    Call(SysError),
    /// What the standard library says where there is no errno (early end of a file, bad UTF-8).
    Text(String),
}

impl SysError {
    /// A call that failed with `errno`; `detail` holds its telling arguments.
    pub fn new(
        call: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
        errno: Errno,
    ) -> Self {
        let cause = Cause::Errno(errno);
        Self(Box::new(Failed {
            call: call.into(),
            detail: detail.into(),
            cause,
        }))
    }

    /// A failure of the standard library, which has an errno nearly always.
    pub fn from_io(call: &'static str, detail: impl Into<String>, error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let cause = match (error.raw_os_error(), inner) {
            (Some(code), _) => Cause::Errno(Errno::from_raw(code)),
            (None, Some(inner)) => Cause::Call(Self::clone(inner)),
            (None, None) => Cause::Text(error.to_string()),
        };
        Self(Box::new(Failed {
            call: call.into(),
            detail: detail.into(),
            cause,
        }))
    }

    /// The errno, where the kernel gave one.
    pub fn errno(&self) -> Option<Errno> {
        match &self.0.cause {
            Cause::Errno(errno) => Some(*errno),
            Cause::Call(inner) => inner.errno(),
            Cause::Text(_) => None,
        }
    }

    /// The name of the system call.
    pub fn call(&self) -> &str {
        &self.0.call
    }

    /// Its arguments as printed.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The same failure with more said about it, such as the kernel's own log of a mount.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        if !note.is_empty() {
            self.0.detail = format!("{} [{note}]", self.0.detail);
        }
        self
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): ", self.0.call, self.0.detail)?;
        match &self.0.cause {
            Cause::Errno(errno) => write!(f, "{} ({errno:?})", errno.desc().to_lowercase()),
            Cause::Call(inner) => inner.fmt(f),
            Cause::Text(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for SysError {}

impl Failure for SysError {
    fn kind(&self) -> ErrorKind {
        match self.errno() {
            Some(Errno::ENOENT) => ErrorKind::NotFound,
            Some(Errno::EEXIST) => ErrorKind::AlreadyExists,
            Some(Errno::EBUSY | Errno::ETXTBSY) => ErrorKind::InUse,
            Some(Errno::EACCES | Errno::EPERM) => ErrorKind::Denied,
            Some(Errno::EXDEV | Errno::ELOOP) => ErrorKind::Escape,
            Some(Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::ENODEV) => ErrorKind::Unsupported,
            _ => ErrorKind::System,
        }
    }

    fn hint(&self) -> Option<String> {
        hint::for_call(&self.0.call, &self.0.detail, self.errno()?).map(str::to_owned)
    }
}

/// Puts a failed call's name and arguments to its errno.
pub trait At<T> {
    /// `detail` is only computed on failure.
    fn at<D: Into<String>>(self, call: &'static str, detail: impl FnOnce() -> D) -> Result<T>;
}

impl<T> At<T> for nix::Result<T> {
    fn at<D: Into<String>>(self, call: &'static str, detail: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|errno| SysError::new(call, detail(), errno))
    }
}

impl<T> At<T> for io::Result<T> {
    fn at<D: Into<String>>(self, call: &'static str, detail: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| SysError::from_io(call, detail(), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_strace() {
        let error = SysError::new("mkdirat", "\"upper\"", Errno::ENOSPC);
        assert_eq!(
            error.to_string(),
            "mkdirat(\"upper\"): no space left on device (ENOSPC)"
        );
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.hint().unwrap().contains("df -i"));
    }
}
