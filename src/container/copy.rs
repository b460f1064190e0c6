//! `cp`: between a container's tree and the host's.
//!
//! Two processes and a pipe: one beside the container reads or writes there, we do the other half.
//! What travels is a tar whose top is called `.`; nothing is ever held whole. The decisions are in
//! `copy_rule`, both ends are found by `copy_find`, the way in is `copy_reach`.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{CopyError, CopyRequest, Engine, Error, containers::failed, copy_rule::Typed};
use crate::{
    layer::Remarks,
    sys::{Result as SysResult, RootDir},
};

/// How to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copying {
    /// `-a`: what comes out of a container keeps its owners. What goes in always does.
    pub archive: bool,
    /// `-L`: copies what the source's link leads to.
    pub follow_links: bool,
}

/// A copy that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// Bytes of a plain tar of what was copied.
    pub tar_bytes: u64,
    /// Where it is now, as it is told to users; none for standard output.
    pub destination: Option<String>,
    /// What could not be copied as it is.
    pub remarks: Vec<String>,
}

impl Engine {
    /// Copies between a container and the host. The process must have one thread.
    ///
    /// # Errors
    ///
    /// What was copied before the error stays; a file that is not whole does not.
    pub fn copy(&self, request: &CopyRequest, how: Copying) -> Result<CopyReport, Error> {
        match request {
            CopyRequest::Out {
                container,
                source,
                destination: Some(destination),
            } => self.copy_out((container, source), destination, how),
            CopyRequest::Out {
                container,
                source,
                destination: None,
            } => self.copy_to_stream((container, source), how),
            CopyRequest::In {
                source,
                container,
                destination,
            } => self.copy_in(source.as_deref(), (container, destination), how),
        }
    }
}

/// What the process beside the container says at its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) tar_bytes: u64,
    pub(super) destination: Option<String>,
    pub(super) remarks: Remarks,
}

/// Packs an answer for the pipe.
pub(super) fn tell(done: SysResult<Result<Answer, CopyError>>) -> Vec<u8> {
    let done = done
        .unwrap_or_else(|source| Err(CopyError::system("look into the container's root", &source)));
    serde_json::to_vec(&done).unwrap_or_default()
}

/// Reads one.
pub(super) fn hear(answer: SysResult<Vec<u8>>) -> Result<Answer, CopyError> {
    let died = |source| CopyError::system("copy beside the container", &source);
    let text = answer.map_err(died)?;
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let io = std::io::Error::from(error);
        let source = crate::sys::SysError::from_io("read", "answer of a child", &io);
        Err(died(source))
    })
}

/// The host's tree and the directory that relative paths are relative to.
pub(super) fn host() -> Result<(RootDir, OsString), Error> {
    let here = std::env::current_dir().map_err(|error| {
        failed(
            "find the working directory",
            crate::sys::SysError::from_io("getcwd", "", &error),
        )
    })?;
    let root = RootDir::open(Path::new("/"));
    let root = root.map_err(|source| failed("open root directory", source))?;
    Ok((root, here.into_os_string()))
}

/// A path in a container.
pub(super) fn inside(path: &OsStr) -> Typed {
    Typed::new(OsStr::new("/"), path)
}
