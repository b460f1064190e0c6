//! Superblocks made by the new mount API: fsopen(2), fsconfig(2), fsmount(2).
//!
//! No option string, so no option injection and no 4 KiB limit; the kernel's own log explains a
//! refusal.

use std::{
    ffi::CString,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use nix::errno::Errno;

use super::{Result, SysError, mount::Attributes, raw};

/// A file system being configured.
#[derive(Debug)]
pub struct FsContext {
    fd: OwnedFd,
    kind: String,
}

impl FsContext {
    /// Begins a file system of this kind, such as `overlay` or `tmpfs`.
    pub fn open(kind: &str) -> Result<Self> {
        let context = Self::without_source(kind)?;
        // What mount(8) and df(1) show in their first column.
        context.set("source", kind)?;
        Ok(context)
    }

    /// The same without the option `source`: a device, a server, or nothing the kernel cares for.
    pub fn without_source(kind: &str) -> Result<Self> {
        let name = c_string("fsopen", kind.as_bytes())?;
        let fd = raw::fsopen(&name).map_err(|errno| SysError::new("fsopen", kind, errno))?;
        Ok(Self {
            fd,
            kind: kind.to_owned(),
        })
    }

    /// Sets `key=value`.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        self.set_bytes(key, value.as_bytes())
    }

    /// Sets `key=path`, whatever bytes the path holds.
    pub fn set_path(&self, key: &str, path: &Path) -> Result<()> {
        self.set_bytes(key, path.as_os_str().as_bytes())
    }

    /// Sets `key=value` of a value that no message may show.
    pub fn set_secret(&self, key: &str, value: &str) -> Result<()> {
        self.set_shown(key, value.as_bytes(), "********")
    }

    fn set_bytes(&self, key: &str, value: &[u8]) -> Result<()> {
        self.set_shown(key, value, &String::from_utf8_lossy(value))
    }

    fn set_shown(&self, key: &str, value: &[u8], shown: &str) -> Result<()> {
        let c_key = c_string("fsconfig", key.as_bytes())?;
        let c_value = CString::new(value)
            .map_err(|_| SysError::new("fsconfig", format!("{key}={shown}"), Errno::EINVAL))?;
        raw::fsconfig_string(self.fd.as_fd(), &c_key, &c_value).map_err(|errno| {
            let detail = format!("{}: {key}={shown}", self.kind);
            self.failed("fsconfig", detail, errno)
        })
    }

    /// Sets an option without a value.
    pub fn set_flag(&self, key: &str) -> Result<()> {
        let c_key = c_string("fsconfig", key.as_bytes())?;
        raw::fsconfig_flag(self.fd.as_fd(), &c_key)
            .map_err(|errno| self.failed("fsconfig", format!("{}: {key}", self.kind), errno))
    }

    /// Makes the superblock and a detached mount of it.
    pub fn mount(self, attributes: Attributes) -> Result<OwnedFd> {
        let create = format!("{}: create", self.kind);
        raw::fsconfig_create(self.fd.as_fd())
            .map_err(|errno| self.failed("fsconfig", create, errno))?;
        raw::fsmount(self.fd.as_fd(), attributes.bits())
            .map_err(|errno| self.failed("fsmount", self.kind.clone(), errno))
    }

    fn failed(&self, call: &'static str, detail: String, errno: Errno) -> SysError {
        SysError::new(call, detail, errno).with_note(&self.log())
    }

    /// The messages the kernel left in this context (fsopen(2), "e" lines are errors).
    fn log(&self) -> String {
        let mut lines = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = nix::unistd::read(&self.fd, &mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).trim().to_owned());
        }
        lines.join("; ")
    }
}

fn c_string(call: &'static str, bytes: &[u8]) -> Result<CString> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    CString::new(bytes).map_err(|_| SysError::new(call, shown(), Errno::EINVAL))
}
