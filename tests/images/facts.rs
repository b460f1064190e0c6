//! Everything that a file system keeps about the paths of a tree, told by other tools than ours.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
    process::Command,
};

/// Facts by path: type, mode, owner, size, mtime in ns, device numbers, links, target, attributes.
pub(crate) type Facts = BTreeMap<String, String>;

pub(crate) fn facts(root: &Path) -> Facts {
    let mut facts = Facts::new();
    let mut links = HashMap::new();
    gather(root, "", &mut facts, &mut links);
    for (path, attributes) in attributes(root) {
        let line = facts.get_mut(&path).unwrap_or_else(|| panic!("{path:?}"));
        *line = format!("{line} {attributes}");
    }
    facts
}

/// Each name of an inode is told by its first one.
type Links = HashMap<(u64, u64), String>;

fn gather(dir: &Path, prefix: &str, facts: &mut Facts, links: &mut Links) {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    for name in names {
        let path = dir.join(&name);
        let shown = format!("{prefix}{}", name.to_str().unwrap());
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let letter = match () {
            () if kind.is_dir() => 'd',
            () if kind.is_symlink() => 'l',
            () if kind.is_fifo() => 'p',
            () if kind.is_char_device() => 'c',
            () if kind.is_block_device() => 'b',
            () if kind.is_socket() => 's',
            () => 'f',
        };
        let mut line = format!(
            "{letter} {:o} {}:{} {}.{:09}",
            metadata.mode() & 0o7777,
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        );
        if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            write!(line, " -> {}", target.display()).unwrap();
        } else if !kind.is_dir() {
            let inode = (metadata.dev(), metadata.ino());
            let first = links.entry(inode).or_insert_with(|| shown.clone());
            let (size, device, count) = (metadata.len(), metadata.rdev(), metadata.nlink());
            write!(
                line,
                " {size} bytes, device {device}, {count} names, first {first}"
            )
            .unwrap();
        }
        facts.insert(shown.clone(), line);
        if kind.is_dir() {
            gather(&path, &format!("{shown}/"), facts, links);
        }
    }
}

/// Extended attributes, the kernel's and overlayfs's own left out.
fn attributes(root: &Path) -> Vec<(String, String)> {
    let mut command = Command::new("getfattr");
    command.args([
        "-R",
        "-h",
        "-P",
        "-d",
        "-e",
        "hex",
        "-m",
        r"^(user\.|security\.capability|system\.posix_acl)",
        ".",
    ]);
    let output = command.current_dir(root).output().expect("package attr");
    let text = String::from_utf8(output.stdout).unwrap();
    let blocks = text
        .split("\n\n")
        .filter_map(|block| block.strip_prefix("# file: "));
    let parse = |block: &str| {
        let (path, rest) = block.split_once('\n')?;
        let mut lines: Vec<_> = rest.lines().collect();
        lines.sort_unstable();
        // The root is no name.
        (path != ".").then(|| (unescape(path), lines.join(" ")))
    };
    blocks.filter_map(parse).collect()
}

/// getfattr(1) writes bytes that are no letters as octal numbers.
fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.trim_start_matches("./").as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'\\' && tail.len() >= 3 {
            let octal = std::str::from_utf8(&tail[..3]).unwrap();
            bytes.push(u8::from_str_radix(octal, 8).unwrap());
            rest = &tail[3..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Tells the first few differences.
#[track_caller]
pub(crate) fn assert_same(ours: &Facts, theirs: &Facts) {
    let mut differences = Vec::new();
    for path in ours.keys().chain(theirs.keys()) {
        let (our, their) = (ours.get(path), theirs.get(path));
        if our != their {
            differences.push(format!("{path}\n  ours   {our:?}\n  theirs {their:?}"));
        }
    }
    differences.dedup();
    let count = differences.len();
    differences.truncate(10);
    assert_eq!(count, 0, "differences:\n{}", differences.join("\n"));
}
