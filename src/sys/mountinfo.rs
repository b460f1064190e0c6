//! /proc/PID/mountinfo: parsing (pure) and reading (proc_pid_mountinfo(5)).

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use super::{At as _, Result};

/// One mount of this process's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Path inside the mounted file system that is visible here.
    pub root: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Peer group, where the mount is shared.
    pub shared: Option<u64>,
    /// Whether the mount receives from a peer group.
    pub slave: bool,
    /// File system type.
    pub kind: String,
}

/// Parses the file's text; lines that make no sense are left out.
pub fn parse(text: &[u8]) -> Vec<MountInfo> {
    text.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<MountInfo> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = path(fields.nth(3)?);
    let mount_point = path(fields.next()?);
    let _options = fields.next()?;
    let (mut shared, mut slave) = (None, false);
    for tag in fields.by_ref().take_while(|field| *field != b"-") {
        let tag = std::str::from_utf8(tag).ok()?;
        match tag.split_once(':') {
            Some(("shared", group)) => shared = group.parse().ok(),
            Some(("master", _)) => slave = true,
            _ => {}
        }
    }
    let kind = String::from_utf8_lossy(fields.next()?).into_owned();
    Some(MountInfo {
        root,
        mount_point,
        shared,
        slave,
        kind,
    })
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let code = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The mounts of this process's namespace.
pub fn read() -> Result<Vec<MountInfo>> {
    let file = "/proc/self/mountinfo";
    fs::read(file).at("read", || file).map(|text| parse(&text))
}

/// The mount that holds `path`: the last one at its longest prefix.
pub fn holding<'a>(mounts: &'a [MountInfo], path: &Path) -> Option<&'a MountInfo> {
    let above = |mount: &&MountInfo| path.starts_with(&mount.mount_point);
    let depth = |path: &Path| OsStr::as_bytes(path.as_os_str()).len();
    mounts
        .iter()
        .filter(above)
        .max_by_key(|mount| depth(&mount.mount_point))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
30 21 0:25 / /mnt/with\\040space rw shared:7 master:1 - tmpfs tmpfs rw\n\
31 21 0:26 /sub /mnt rw - ext4 /dev/sdb rw\n";

    #[test]
    fn fields_and_escapes_are_read() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].shared, Some(1));
        assert_eq!(mounts[1].mount_point, Path::new("/mnt/with space"));
        assert!(mounts[1].slave);
        assert_eq!(mounts[2].root, Path::new("/sub"));
        assert_eq!(mounts[2].shared, None);
    }

    #[test]
    fn the_longest_mount_point_holds_a_path() {
        let mounts = parse(TEXT);
        assert_eq!(holding(&mounts, Path::new("/mnt/x")).unwrap().kind, "ext4");
        assert_eq!(
            holding(&mounts, Path::new("/mnt/with space/a"))
                .unwrap()
                .kind,
            "tmpfs"
        );
        assert_eq!(
            holding(&mounts, Path::new("/mntx")).unwrap().mount_point,
            Path::new("/")
        );
    }
}
