//! New content for a volume whose data is a file system of its own: made in it, and swapped entry
//! by entry, because the top of a file system cannot be renamed.
//!
//! ```text
//! _data/.cowshed-restoring    the new content, until it is whole and on the disk
//!       .cowshed-replaced     then the old entries move in here, and the new ones take their places
//! ```
//!
//! Up to the first of these renames nothing has changed; between the first and the last a kill leaves
//! some entries in these two directories, and nothing lost. Who begins again removes both.

use std::ffi::OsString;

use nix::errno::Errno;

use super::{
    Error, OpenVolume,
    local::{DATA, failed},
};
use crate::sys::{Dir, Result as SysResult, copy_own_metadata, is_read_only, remove_tree, sync};

const NEW: &str = ".cowshed-restoring";
const OLD: &str = ".cowshed-replaced";

/// What a file system itself puts there (ext4(5)).
const LOST: &str = "lost+found";

/// The new content; gone unless it takes the place of the old.
#[derive(Debug)]
pub struct Swap<'v> {
    /// To be filled.
    pub content: Dir,
    volume: &'v OpenVolume,
}

impl OpenVolume {
    /// Begins new content for a volume that is mounted and that nobody else uses.
    ///
    /// # Errors
    ///
    /// It is mounted to be read only.
    pub fn begin_swap(&self) -> Result<Swap<'_>, Error> {
        let begin = || -> SysResult<Dir> {
            if is_read_only(&self.data)? {
                return Err(crate::sys::SysError::new("mkdirat", NEW, Errno::EROFS));
            }
            for left in [NEW, OLD] {
                remove_tree(&self.data, left)?;
            }
            self.data.make_dir(NEW, 0o700)?;
            self.data.open_dir(NEW)
        };
        let content = begin().map_err(|source| self.failed(source))?;
        Ok(Swap {
            content,
            volume: self,
        })
    }

    /// Whether it holds nothing of its users'.
    pub fn is_empty(&self) -> Result<bool, Error> {
        let entries = self.data.entries();
        let entries =
            entries.map_err(|source| failed("list", self.record.name.as_str(), source))?;
        let mounted = self.record.options.is_some();
        let ours = |name: &OsString| mounted && (name == LOST || name == NEW);
        Ok(entries.iter().all(ours))
    }

    fn failed(&self, source: crate::sys::SysError) -> Error {
        failed("restore into", self.record.name.as_str(), source)
    }
}

impl Swap<'_> {
    /// Puts it in the place of what is there.
    pub fn replace(self) -> Result<(), Error> {
        let swap = || {
            // To move its entries out touches it.
            let time = self.content.own_metadata()?.mtime();
            swap(&self.volume.data, &self.content)?;
            self.volume.dir().set_times(DATA, time)
        };
        swap().map_err(|source| self.volume.failed(source))
    }
}

impl Drop for Swap<'_> {
    fn drop(&mut self) {
        // What is not all in its place must not be thrown away.
        if matches!(self.volume.data.find(OLD), Ok(None)) {
            remove_tree(&self.volume.data, NEW).ok();
        }
    }
}

fn swap(data: &Dir, content: &Dir) -> SysResult<()> {
    sync::file_system(content)?;
    let own_lost = content.find(LOST)?.is_none();
    data.make_dir(OLD, 0o700)?;
    let old = data.open_dir(OLD)?;
    for name in data.entries()? {
        let stays = name == NEW || name == OLD || name == LOST && own_lost;
        if !stays {
            data.rename(&name, &old, &name)?;
        }
    }
    for name in content.entries()? {
        content.rename(&name, data, &name)?;
    }
    copy_own_metadata(content, data)?;
    sync::file_system(data)?;
    data.remove_dir(NEW)?;
    remove_tree(data, OLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_entries_go_and_the_new_ones_have_their_places() {
        let scratch = tempfile::tempdir().unwrap();
        let data = Dir::open(scratch.path()).unwrap();
        for old in ["both", "gone", LOST] {
            data.make_dir(old, 0o755).unwrap();
        }
        data.make_dir(NEW, 0o700).unwrap();
        let content = data.open_dir(NEW).unwrap();
        content.create_file("both", 0o600).unwrap();
        content.create_file("한글", 0o600).unwrap();
        swap(&data, &content).unwrap();
        assert_eq!(data.sorted_entries().unwrap(), ["both", LOST, "한글"]);
        assert!(!data.metadata("both").unwrap().is_dir());
    }
}
