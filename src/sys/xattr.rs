//! Extended attributes of a name in a directory, links not followed.
//!
//! Through `/proc/self/fd/N/name`, because fsetxattr(2) refuses `O_PATH` descriptors and links and
//! setxattrat(2) is of Linux 6.13. The directory is held open, the name is one component.

use std::{
    ffi::{CString, OsStr},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::ffi::OsStrExt as _,
    },
};

use nix::errno::Errno;

use super::{Dir, Result, SysError, dir, raw};

/// xattr(7): a name is at most 255 bytes, a value 64 KiB.
const VALUE_MAX: usize = 64 * 1024;

fn path(at: &Dir, name: &OsStr) -> Result<CString> {
    let mut bytes = format!("/proc/self/fd/{}", raw::raw(at)).into_bytes();
    if name != "." {
        bytes.push(b'/');
        bytes.extend_from_slice(dir::one(name)?.as_bytes());
    }
    c_string(&bytes)
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    CString::new(bytes).map_err(|_| SysError::new("setxattr", shown(), Errno::EINVAL))
}

fn failed(call: &'static str, name: &OsStr, key: &OsStr, errno: Errno) -> SysError {
    SysError::new(
        call,
        format!("{}, {}", name.display(), key.display()),
        errno,
    )
}

/// Sets an attribute of `name`; `.` is the directory itself.
pub fn set(at: &Dir, name: impl AsRef<OsStr>, key: impl AsRef<OsStr>, value: &[u8]) -> Result<()> {
    let (name, key) = (name.as_ref(), key.as_ref());
    let target = if name == "." {
        with_dot(at)?
    } else {
        path(at, name)?
    };
    raw::lsetxattr(&target, &c_string(key.as_bytes())?, value)
        .map_err(|errno| failed("lsetxattr", name, key, errno))
}

/// Takes an attribute of `name` away; `.` is the directory itself. One that is not set is fine.
pub fn remove(at: &Dir, name: impl AsRef<OsStr>, key: impl AsRef<OsStr>) -> Result<()> {
    let (name, key) = (name.as_ref(), key.as_ref());
    let target = if name == "." {
        with_dot(at)?
    } else {
        path(at, name)?
    };
    match raw::lremovexattr(&target, &c_string(key.as_bytes())?) {
        Ok(()) | Err(Errno::ENODATA) => Ok(()),
        Err(errno) => Err(failed("lremovexattr", name, key, errno)),
    }
}

/// `/proc/self/fd/N/.`: without the dot the link itself would be meant.
fn with_dot(at: &Dir) -> Result<CString> {
    c_string(format!("/proc/self/fd/{}/.", raw::raw(at)).as_bytes())
}

/// Reads an attribute; `None` where it is not set or the file system has none.
pub fn get(at: &Dir, name: impl AsRef<OsStr>, key: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let (name, key) = (name.as_ref(), key.as_ref());
    let target = if name == "." {
        with_dot(at)?
    } else {
        path(at, name)?
    };
    let key_c = c_string(key.as_bytes())?;
    let mut value = vec![0; VALUE_MAX];
    match raw::lgetxattr(&target, &key_c, &mut value) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(failed("lgetxattr", name, key, errno)),
    }
}

/// Names of all attributes, in byte order.
pub fn list(at: &Dir, name: impl AsRef<OsStr>) -> Result<Vec<Vec<u8>>> {
    let name = name.as_ref();
    let target = if name == "." {
        with_dot(at)?
    } else {
        path(at, name)?
    };
    let mut names = vec![0; VALUE_MAX];
    match raw::llistxattr(&target, &mut names) {
        Ok(length) => Ok(split(&names[..length])),
        Err(Errno::EOPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(failed("llistxattr", name, OsStr::new("*"), errno)),
    }
}

fn split(names: &[u8]) -> Vec<Vec<u8>> {
    let texts = names.split(|byte| *byte == 0);
    let mut texts: Vec<_> = texts
        .filter(|text| !text.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    texts.sort();
    texts
}

/// [`list`] of an open file.
pub fn list_open(file: impl AsFd) -> Result<Vec<Vec<u8>>> {
    let mut names = vec![0; VALUE_MAX];
    match raw::flistxattr(file.as_fd(), &mut names) {
        Ok(length) => Ok(split(&names[..length])),
        Err(Errno::EOPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(SysError::new("flistxattr", "", errno)),
    }
}

/// [`get`] of an open file.
pub fn get_open(file: impl AsFd, key: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let key = key.as_ref();
    let mut value = vec![0; VALUE_MAX];
    match raw::fgetxattr(file.as_fd(), &c_string(key.as_bytes())?, &mut value) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(SysError::new("fgetxattr", key.display().to_string(), errno)),
    }
}

/// Whether overlayfs treats this open directory as opaque (overlayfs.rst, "opaque directories").
pub fn is_opaque(directory: impl AsFd) -> bool {
    has_value(directory.as_fd(), c"trusted.overlay.opaque", b"y")
}

fn has_value(fd: BorrowedFd<'_>, key: &std::ffi::CStr, wanted: &[u8]) -> bool {
    let mut value = [0; 8];
    raw::fgetxattr(fd, key, &mut value).is_ok_and(|length| &value[..length] == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_a_file_are_set_read_and_listed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.create_file("f", 0o600).unwrap();
        set(&dir, "f", "user.color", b"red").unwrap();
        assert_eq!(get(&dir, "f", "user.color").unwrap().unwrap(), b"red");
        assert_eq!(get(&dir, "f", "user.none").unwrap(), None);
        assert_eq!(list(&dir, "f").unwrap(), [b"user.color".to_vec()]);
        set(&dir, ".", "user.top", b"1").unwrap();
        assert_eq!(get(&dir, ".", "user.top").unwrap().unwrap(), b"1");
        for _ in 0..2 {
            remove(&dir, ".", "user.top").unwrap();
            assert_eq!(get(&dir, ".", "user.top").unwrap(), None);
        }
    }
}
