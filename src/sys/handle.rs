//! File handles: what an inode is called on its file system whatever its names are
//! (name_to_handle_at(2)).

use std::{
    ffi::{CString, OsStr},
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
};

use nix::errno::Errno;

use super::{Dir, Result, SysError, dir, raw};

/// A handle, comparable with others of the same file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// What the file system calls this form.
    pub kind: i32,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The handle of a name, links not followed; `None` where the file system has none.
pub fn of(at: &Dir, name: &OsStr) -> Result<Option<Handle>> {
    let failed = |errno| SysError::new("name_to_handle_at", name.display().to_string(), errno);
    let name = dir::one(name)?;
    let c_name = CString::new(name.as_bytes()).map_err(|_| failed(Errno::EINVAL))?;
    match raw::name_to_handle(at.as_fd(), &c_name) {
        Ok((kind, bytes)) => Ok(Some(Handle { kind, bytes })),
        Err(Errno::EOPNOTSUPP | Errno::EOVERFLOW) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_an_inode_have_one_handle() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.create_file("a", 0o600).unwrap();
        dir.create_file("other", 0o600).unwrap();
        dir.link("a", &dir, "b").unwrap();
        let of = |name: &str| of(&dir, name.as_ref()).unwrap();
        assert_eq!(of("a"), of("b"));
        assert!(of("a").is_none() || of("a") != of("other"));
    }
}
