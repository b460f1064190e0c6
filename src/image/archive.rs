//! The tar around an image: made seekable and plain, and indexed.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    os::fd::AsFd as _,
};

use super::Error;
use crate::{
    layer::{self, Compression, Limits},
    sys::{At as _, Result as SysResult},
};

/// A member of the tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Offset and size of a file's bytes.
    File(u64, u64),
    /// A link to another member, as old docker-archives have for equal layers.
    Link(String),
}

/// The same tar, seekable and not compressed; where it is not, in a spool file.
pub(super) fn plain_tar(
    mut file: File,
    seekable: bool,
    shown: &str,
    spool: impl FnOnce() -> Result<File, Error>,
) -> Result<File, Error> {
    let failed = |source| Error::Open {
        what: shown.to_owned(),
        source,
    };
    let mut head = Vec::new();
    let mut first = (&mut file).take(512);
    first
        .read_to_end(&mut head)
        .at("read", || shown)
        .map_err(failed)?;
    if head.is_empty() {
        return Err(Error::Malformed {
            what: shown.to_owned(),
            why: "it is empty".to_owned(),
        });
    }
    let compression = Compression::detect(&head);
    if seekable && compression == Compression::None {
        file.seek(SeekFrom::Start(0))
            .at("lseek", || shown)
            .map_err(failed)?;
        return Ok(file);
    }
    let mut plain = spool()?;
    let whole = std::io::Cursor::new(head).chain(file);
    layer::decompress(whole, compression, &Limits::default(), &mut plain).map_err(|source| {
        Error::Tar {
            what: shown.to_owned(),
            source,
        }
    })?;
    plain
        .seek(SeekFrom::Start(0))
        .at("lseek", || shown)
        .map_err(failed)?;
    Ok(plain)
}

/// Lists the members without reading their bytes.
pub(super) fn index(file: &File, shown: &str) -> Result<HashMap<String, Found>, Error> {
    let members = layer::members(file, &Limits::default()).map_err(|source| Error::Tar {
        what: shown.to_owned(),
        source,
    })?;
    let mut found = HashMap::new();
    for member in members {
        let Ok(name) = String::from_utf8(member.path) else {
            continue;
        };
        let what = match member.link {
            Some(target) => Found::Link(String::from_utf8_lossy(&target).into_owned()),
            None => Found::File(member.offset, member.size),
        };
        found.insert(clean(&name), what);
    }
    Ok(found)
}

/// Follows links between members, a few.
pub(super) fn resolve(members: &HashMap<String, Found>, name: &str) -> Option<(u64, u64)> {
    let mut name = clean(name);
    for _ in 0..8 {
        match members.get(&name)? {
            Found::File(offset, size) => return Some((*offset, *size)),
            Found::Link(target) => {
                let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                name = clean(&format!("{parent}/{target}"));
            }
        }
    }
    None
}

/// Without `.`, `..` and doubled slashes; never above the top.
fn clean(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A second open file with a position of its own.
pub(super) fn reopen(file: &File) -> SysResult<File> {
    crate::sys::reopen(file.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_between_members_are_followed_inside() {
        let members = HashMap::from([
            ("a/layer.tar".to_owned(), Found::File(512, 7)),
            (
                "b/layer.tar".to_owned(),
                Found::Link("../a/layer.tar".to_owned()),
            ),
            (
                "c".to_owned(),
                Found::Link("../../../a/layer.tar".to_owned()),
            ),
            ("loop".to_owned(), Found::Link("loop".to_owned())),
        ]);
        assert_eq!(resolve(&members, "b/layer.tar"), Some((512, 7)));
        assert_eq!(resolve(&members, "./c"), Some((512, 7)));
        assert_eq!(resolve(&members, "loop"), None);
        assert_eq!(resolve(&members, "none"), None);
    }
}
