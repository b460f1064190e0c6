//! Everything that can be told about a tree, line by line.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::Path,
};

use cowshed::{
    ident::Digest,
    sys::{Dir, extents, xattr},
};

/// One line for every name below `root`, which is included: type, mode, owner, time, size, holes,
/// content, target, device, attributes, and of which earlier name it is another one.
pub(crate) fn whole_tree(root: &Path) -> Vec<String> {
    let mut walk = Walk {
        lines: Vec::new(),
        inodes: BTreeMap::new(),
    };
    let line = walk.describe(root, ".", &root.join("."));
    walk.lines.push(line);
    walk.below(root, "");
    walk.lines
}

struct Walk {
    lines: Vec<String>,
    /// The first name of each inode.
    inodes: BTreeMap<(u64, u64), String>,
}

impl Walk {
    fn below(&mut self, dir: &Path, prefix: &str) {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let path = dir.join(&name);
            let shown = format!("{prefix}{}", name.as_bytes().escape_ascii());
            let line = self.describe(dir, &shown, &path);
            self.lines.push(line);
            if path.symlink_metadata().unwrap().is_dir() {
                self.below(&path, &format!("{shown}/"));
            }
        }
    }

    fn describe(&mut self, dir: &Path, shown: &str, path: &Path) -> String {
        let found = path.symlink_metadata().unwrap();
        let kind = found.file_type();
        let what = if kind.is_dir() {
            "d".to_owned()
        } else if kind.is_symlink() {
            let target = fs::read_link(path).unwrap();
            format!("l -> {}", target.as_os_str().as_bytes().escape_ascii())
        } else if kind.is_file() {
            content(path, found.len())
        } else if kind.is_fifo() {
            "p".to_owned()
        } else {
            let letter = if kind.is_char_device() { "c" } else { "b" };
            format!("{letter} {:x}", found.rdev())
        };
        let twin = if kind.is_dir() {
            None
        } else {
            let first = self.inodes.get(&(found.dev(), found.ino())).cloned();
            if first.is_none() {
                self.inodes
                    .insert((found.dev(), found.ino()), shown.to_owned());
            }
            first
        };
        format!(
            "{shown}: {what} {:04o} {}:{} {}.{:09}{}{}",
            found.mode() & 0o7777,
            found.uid(),
            found.gid(),
            found.mtime(),
            found.mtime_nsec(),
            attributes(dir, path),
            twin.map(|first| format!(" = {first}")).unwrap_or_default()
        )
    }
}

fn content(path: &Path, size: u64) -> String {
    let parts = extents(&File::open(path).unwrap(), size).unwrap();
    let bytes = fs::read(path).unwrap();
    format!("f {size} {} {parts:?}", Digest::of(&bytes).short())
}

fn attributes(dir: &Path, path: &Path) -> String {
    let name = if path.ends_with(".") || path == dir {
        OsStr::new(".")
    } else {
        path.file_name().unwrap()
    };
    let name = if path.parent() == Some(dir) {
        path.file_name().unwrap()
    } else {
        name
    };
    let dir = Dir::open(dir).unwrap();
    let mut all = String::new();
    for key in xattr::list(&dir, name).unwrap() {
        if key.starts_with(b"trusted.overlay.") {
            continue;
        }
        let value = xattr::get(&dir, name, OsStr::from_bytes(&key)).unwrap();
        let value = value.unwrap_or_default();
        all.extend([
            " ".to_owned(),
            key.escape_ascii().to_string(),
            "=".to_owned(),
            value.escape_ascii().to_string(),
        ]);
    }
    all
}
