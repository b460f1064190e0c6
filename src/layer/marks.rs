//! Attributes of what is packed: those that go with it, and overlayfs's own marks.
//!
//! A mark is a message of overlayfs to itself: `redirect` says under which name the layers below
//! have a directory, `metacopy` that they have the file's bytes. The kernel lets no container set
//! them, and no layer brings them (they are dropped when it is unpacked): in an upper dir whose mount
//! makes them they are the kernel's own work, anywhere else somebody put them there.

use std::{ffi::OsStr, fs::File, os::unix::ffi::OsStrExt as _};

use super::{
    Error, PathBytes,
    entry::{Dialect, is_kept},
};
use crate::sys::{Dir, Result as SysResult, xattr};

const REDIRECT: &[u8] = b"trusted.overlay.redirect";
const METACOPY: &[u8] = b"trusted.overlay.metacopy";

/// Which of overlayfs's marks were made by the mount that an upper dir belongs to, and mean what
/// they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// `redirect_dir=on`: renamed directories.
    pub redirect: bool,
    /// `metacopy=on`: files of which only the metadata was copied up.
    pub metacopy: bool,
}

/// What listxattr(2) tells of one inode.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// Those that a layer carries.
    pub(super) kept: Vec<(PathBytes, Vec<u8>)>,
    redirect: Option<Vec<u8>>,
    metacopy: bool,
}

/// Where the layers below have something, as a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// From the top.
    Path(PathBytes),
    /// In the same directory.
    Name(PathBytes),
}

/// What the kernel has marked something in an upper dir with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marked {
    /// Under which name the layers below have it, if under another one.
    pub elsewhere: Option<Elsewhere>,
    /// The layers below have its bytes.
    pub is_metacopy: bool,
}

impl Marked {
    /// Of `name` in `dir`; what the mount does not make, or the kernel does not write, means nothing.
    pub fn read(dir: &Dir, name: &OsStr, marks: Marks) -> SysResult<Self> {
        let get = |key| xattr::get(dir, name, OsStr::from_bytes(key));
        let redirect = if marks.redirect { get(REDIRECT)? } else { None };
        Ok(Self {
            elsewhere: redirect.and_then(|text| parse(&text)),
            is_metacopy: marks.metacopy && get(METACOPY)?.is_some(),
        })
    }
}

impl Attributes {
    pub(super) fn of(dir: &Dir, name: &OsStr) -> SysResult<Self> {
        Self::read(xattr::list(dir, name)?, |key| xattr::get(dir, name, key))
    }

    pub(super) fn of_file(file: &File) -> SysResult<Self> {
        Self::read(xattr::list_open(file)?, |key| xattr::get_open(file, key))
    }

    fn read(
        keys: Vec<Vec<u8>>,
        get: impl Fn(&OsStr) -> SysResult<Option<Vec<u8>>>,
    ) -> SysResult<Self> {
        let mut all = Self::default();
        for key in keys {
            let value = || get(OsStr::from_bytes(&key));
            if key == REDIRECT {
                all.redirect = value()?;
            } else if key == METACOPY {
                all.metacopy = true;
            } else if is_kept(&key, Dialect::Layer)
                && let Some(value) = value()?
            {
                all.kept.push((PathBytes::new(key), value));
            }
        }
        Ok(all)
    }

    /// Under which name the layers below have this, if under another one.
    ///
    /// # Errors
    ///
    /// A mark that cannot be the kernel's: not one of these, or not of the form that it writes.
    pub(super) fn redirect(
        &self,
        marks: Marks,
        path: &PathBytes,
    ) -> Result<Option<Elsewhere>, Error> {
        let Some(text) = &self.redirect else {
            return Ok(None);
        };
        let foreign = || foreign(path, REDIRECT);
        if !marks.redirect {
            return Err(foreign());
        }
        parse(text).map(Some).ok_or_else(foreign)
    }

    /// Whether the layers below have its bytes.
    ///
    /// # Errors
    ///
    /// The mark where the mount makes none.
    pub(super) fn is_metacopy(&self, marks: Marks, path: &PathBytes) -> Result<bool, Error> {
        if self.metacopy && !marks.metacopy {
            return Err(foreign(path, METACOPY));
        }
        Ok(self.metacopy)
    }
}

fn foreign(path: &PathBytes, mark: &'static [u8]) -> Error {
    Error::ForeignMark {
        path: path.clone(),
        mark: std::str::from_utf8(mark).unwrap_or_default(),
    }
}

/// `/a/b` or `name` (overlayfs's `ovl_check_redirect`), never a way up.
fn parse(text: &[u8]) -> Option<Elsewhere> {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    match text.strip_prefix(b"/") {
        Some(path) => path
            .split(|byte| *byte == b'/')
            .all(is_name)
            .then(|| Elsewhere::Path(PathBytes::new(path))),
        None => {
            (is_name(text) && !text.contains(&b'/')).then(|| Elsewhere::Name(PathBytes::new(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_names_or_paths_and_never_lead_up() {
        let path = |text: &str| PathBytes::new(text.as_bytes());
        assert_eq!(parse(b"old"), Some(Elsewhere::Name(path("old"))));
        assert_eq!(parse(b"/a/b"), Some(Elsewhere::Path(path("a/b"))));
        for bad in [
            "", "/", "..", ".", "a/b", "/a//b", "/a/../b", "/../b", "//a", "/a/", "a\0",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_mark_that_the_mount_does_not_make_is_refused() {
        let planted = Attributes {
            kept: Vec::new(),
            redirect: Some(b"/etc".to_vec()),
            metacopy: true,
        };
        let path = PathBytes::new(*b"x");
        let on = Marks {
            redirect: true,
            metacopy: true,
        };
        assert!(planted.redirect(Marks::default(), &path).is_err());
        assert!(planted.is_metacopy(Marks::default(), &path).is_err());
        assert!(planted.redirect(on, &path).unwrap().is_some());
        assert!(planted.is_metacopy(on, &path).unwrap());
        assert!(Attributes::default().redirect(on, &path).unwrap().is_none());
    }
}
