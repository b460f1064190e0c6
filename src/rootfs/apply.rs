//! Writes the changes of an upper dir onto the directory below it.
//!
//! Neither side is trusted: both are walked by descriptors, one name at a time, and no link is
//! followed. The upper dir is only read, and doing it again is harmless: after a crash in the
//! middle the same call finishes it.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::Path,
};

use nix::errno::Errno;

use crate::sys::{
    Dir, FileKind, Metadata, Result, SysError, copy_entry, copy_own_metadata, remove_tree, xattr,
};

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applying {
    /// Entries made, replaced or removed.
    pub entries: u64,
    /// What could not be written as it is.
    pub remarks: Vec<String>,
}

/// Deeper than this no sane tree is; each level holds two descriptors, and room on the stack.
const DEPTH_MAX: usize = 256;

/// Applies `upper` to `lower`.
///
/// Files are made whole beside their place, under the name `aside`, and renamed into it: a reader
/// sees the old or the new one. Nobody may use that name; what an earlier call left of it is
/// removed. Device nodes are left out: a container must not put one where the host would open it.
/// With `top` the top directory's owner, mode and xattrs are applied, too.
pub fn apply(upper: &Dir, lower: &Dir, aside: &str, top: bool) -> Result<Applying> {
    let mut walk = Walk {
        aside: OsString::from(aside),
        links: HashMap::new(),
        done: Applying::default(),
    };
    walk.directory((upper, lower), xattr::is_opaque(upper), Path::new("/"), 0)?;
    if top {
        copy_own_metadata(upper, lower)?;
    }
    Ok(walk.done)
}

/// Whether [`apply`] can reach the bottom of a tree: found out before anything is written.
pub fn check_depth(upper: &Dir) -> Result<()> {
    fn walk(dir: &Dir, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        for (name, kind) in dir.typed_entries()? {
            let asked = || dir.metadata(&name).map(|found| found.kind());
            if kind.map_or_else(asked, Ok)? == FileKind::Directory {
                walk(&dir.open_own_dir(&name)?, depth + 1)?;
            }
        }
        Ok(())
    }
    walk(upper, 0)
}

fn too_deep() -> SysError {
    let detail = format!("more than {DEPTH_MAX} directories deep");
    SysError::new("openat", detail, Errno::ELOOP)
}

/// Removes what an [`apply`] that was given up left under the name `aside`.
pub fn forget(upper: &Dir, lower: &Dir, aside: &str) -> Result<()> {
    // No deeper than `apply` went.
    fn walk(upper: &Dir, lower: &Dir, (aside, depth): (&str, usize)) -> Result<()> {
        remove_tree(lower, aside)?;
        for name in upper.entries()? {
            let both = upper.metadata(&name)?.is_dir()
                && lower.find(&name)?.is_some_and(|found| found.is_dir());
            if both && depth < DEPTH_MAX {
                let (here, there) = (upper.open_own_dir(&name)?, lower.open_own_dir(&name)?);
                walk(&here, &there, (aside, depth + 1))?;
            }
        }
        Ok(())
    }
    walk(upper, lower, (aside, 0))
}

struct Walk {
    aside: OsString,
    /// (device, inode) of a file with several names, to where its first copy is.
    links: HashMap<(u64, u64), (Dir, OsString)>,
    done: Applying,
}

impl Walk {
    /// `alone`: nothing of `lower` shows through that `upper` does not have itself.
    fn directory(
        &mut self,
        (upper, lower): (&Dir, &Dir),
        alone: bool,
        path: &Path,
        depth: usize,
    ) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        remove_tree(lower, &self.aside)?;
        if alone {
            for name in lower.entries()? {
                if upper.find(&name)?.is_none() {
                    remove_tree(lower, &name)?;
                    self.done.entries += 1;
                }
            }
        }
        for name in upper.sorted_entries()? {
            let path = path.join(&name);
            let metadata = upper.metadata(&name)?;
            if metadata.is_whiteout() {
                if lower.find(&name)?.is_some() {
                    remove_tree(lower, &name)?;
                    self.done.entries += 1;
                }
            } else if metadata.is_dir() {
                self.subdirectory((upper, lower), &name, alone, (&path, depth))?;
            } else {
                self.leaf((upper, lower), &name, &metadata, &path)?;
            }
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        (upper, lower): (&Dir, &Dir),
        name: &OsStr,
        alone: bool,
        (path, depth): (&Path, usize),
    ) -> Result<()> {
        match lower.find(name)? {
            Some(old) if old.is_dir() => {}
            old => {
                if old.is_some() {
                    lower.remove_file(name)?;
                }
                lower.make_dir(name, 0o700)?;
                self.done.entries += 1;
            }
        }
        let (here, there) = (upper.open_own_dir(name)?, lower.open_own_dir(name)?);
        let alone = alone || xattr::is_opaque(&here);
        self.directory((&here, &there), alone, path, depth + 1)?;
        copy_own_metadata(&here, &there)
    }

    fn leaf(
        &mut self,
        (upper, lower): (&Dir, &Dir),
        name: &OsStr,
        metadata: &Metadata,
        path: &Path,
    ) -> Result<()> {
        if matches!(
            metadata.kind(),
            FileKind::CharDevice | FileKind::BlockDevice
        ) {
            let remark = format!("left out {}: it is a device node", path.display());
            self.done.remarks.push(remark);
            return Ok(());
        }
        let key = (metadata.dev(), metadata.ino());
        match self.links.get(&key) {
            Some((dir, first)) => dir.link(first, lower, &self.aside)?,
            None => copy_entry(upper, name, lower, &self.aside)?,
        }
        if lower.find(name)?.is_some_and(|old| old.is_dir()) {
            remove_tree(lower, name)?;
        }
        lower.rename(&self.aside, lower, name)?;
        if metadata.nlink() > 1 && !self.links.contains_key(&key) {
            let first = (lower.try_clone()?, name.to_owned());
            self.links.insert(key, first);
        }
        self.done.entries += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

    use super::*;

    struct Pair {
        scratch: tempfile::TempDir,
        upper: Dir,
        lower: Dir,
    }

    impl Pair {
        fn new() -> Self {
            let scratch = tempfile::tempdir().unwrap();
            for name in ["upper", "lower"] {
                fs::create_dir(scratch.path().join(name)).unwrap();
            }
            let open = |name| Dir::open(&scratch.path().join(name)).unwrap();
            let (upper, lower) = (open("upper"), open("lower"));
            Self {
                scratch,
                upper,
                lower,
            }
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        }

        fn path(&self, path: &str) -> PathBuf {
            self.scratch.path().join(path)
        }

        fn text(&self, path: &str) -> String {
            fs::read_to_string(self.path(path)).unwrap()
        }

        fn apply(&self) -> Applying {
            apply(&self.upper, &self.lower, ".aside", true).unwrap()
        }
    }

    #[test]
    fn files_are_replaced_and_added_and_the_rest_stays() {
        let pair = Pair::new();
        pair.write("lower/a", "old");
        pair.write("lower/keep/k", "kept");
        pair.write("upper/a", "new");
        pair.write("upper/keep/더한", "added");
        assert_eq!(pair.apply().entries, 2);
        for _ in 0..2 {
            assert_eq!(pair.text("lower/a"), "new");
            assert_eq!(pair.text("lower/keep/k"), "kept");
            assert_eq!(pair.text("lower/keep/더한"), "added");
            pair.apply();
        }
    }

    #[test]
    fn a_link_on_either_side_is_never_followed() {
        let pair = Pair::new();
        pair.write("outside/secret", "secret");
        let outside = pair.path("outside");
        // Below: a directory of the upper meets a link that leads out.
        std::os::unix::fs::symlink(&outside, pair.path("lower/dir")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), pair.path("lower/file")).unwrap();
        pair.write("upper/dir/secret", "changed");
        pair.write("upper/file", "changed");
        std::os::unix::fs::symlink("/etc", pair.path("upper/etc")).unwrap();
        pair.apply();
        assert_eq!(pair.text("outside/secret"), "secret");
        assert_eq!(pair.text("lower/dir/secret"), "changed");
        assert_eq!(pair.text("lower/file"), "changed");
        let link = fs::read_link(pair.path("lower/etc")).unwrap();
        assert_eq!(link, Path::new("/etc"));
    }

    #[test]
    fn a_directory_gives_way_to_a_file_and_a_file_to_a_directory() {
        let pair = Pair::new();
        pair.write("lower/dir/deep/x", "x");
        pair.write("lower/file", "f");
        pair.write("upper/dir", "file");
        pair.write("upper/file/y", "y");
        pair.apply();
        assert_eq!(pair.text("lower/dir"), "file");
        assert_eq!(pair.text("lower/file/y"), "y");
    }

    #[test]
    fn hard_links_stay_together_and_what_a_crash_left_is_cleared() {
        let pair = Pair::new();
        pair.write("upper/a", "twin");
        fs::create_dir(pair.path("upper/sub")).unwrap();
        fs::hard_link(pair.path("upper/a"), pair.path("upper/sub/b")).unwrap();
        pair.write("lower/.aside", "half");
        pair.write("lower/sub/.aside", "half");
        for _ in 0..2 {
            pair.apply();
            let ino = |path: &str| fs::metadata(pair.path(path)).unwrap().ino();
            assert_eq!(ino("lower/a"), ino("lower/sub/b"));
            let names = pair.lower.sorted_entries().unwrap();
            assert_eq!(names, ["a", "sub"]);
            let names = pair.lower.open_dir("sub").unwrap().entries().unwrap();
            assert_eq!(names, ["b"]);
        }
    }

    #[test]
    fn a_tree_without_a_bottom_is_refused() {
        let pair = Pair::new();
        let mut here = pair.upper.try_clone().unwrap();
        for _ in 0..DEPTH_MAX + 2 {
            here.make_dir("d", 0o755).unwrap();
            here = here.open_dir("d").unwrap();
        }
        crate::sys::process::raise_file_limit();
        let error = apply(&pair.upper, &pair.lower, ".aside", true).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ELOOP));
        let error = check_depth(&pair.upper).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ELOOP));
        remove_tree(&pair.upper, "d").unwrap();
        remove_tree(&pair.lower, "d").unwrap();
    }
}
