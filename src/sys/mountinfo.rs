//! /proc/PID/mountinfo: parsing (pure) and reading (proc_pid_mountinfo(5)).

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use super::{At as _, Result};

/// One mount of this process's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Number of the mount.
    pub id: u64,
    /// Number of the mount that it is mounted on.
    pub parent: u64,
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
    /// What it was made of, in the words of whoever mounted it.
    pub source: String,
    /// Whether the mount is read-only here.
    pub read_only: bool,
    /// Options of the file system itself, separated by commas.
    pub super_options: String,
}

/// Parses the file's text; lines that make no sense are left out.
pub fn parse(text: &[u8]) -> Vec<MountInfo> {
    text.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<MountInfo> {
    let mut fields = line.split(|byte| *byte == b' ');
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
    let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
    let root = path(fields.nth(1)?);
    let mount_point = path(fields.next()?);
    let read_only = is_read_only(fields.next()?);
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
    let source = path(fields.next().unwrap_or_default());
    let super_options = fields.next().unwrap_or_default();
    Some(MountInfo {
        id,
        parent,
        root,
        mount_point,
        shared,
        slave,
        kind,
        source: source.to_string_lossy().into_owned(),
        read_only: read_only || is_read_only(super_options),
        super_options: String::from_utf8_lossy(super_options).into_owned(),
    })
}

fn is_read_only(options: &[u8]) -> bool {
    options
        .split(|byte| *byte == b',')
        .any(|option| option == b"ro")
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

/// Where something is mounted below a directory, in this process's namespace; one that is mounted
/// over is named for each. Nothing of the mounts is looked at.
pub fn points_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let file = "/proc/self/mountinfo";
    let text = fs::read(file).at("read", || file)?;
    let lines = text.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let below = points.map(path).filter(|point| point.starts_with(dir));
    Ok(below.collect())
}

/// The mounts of this process's namespace.
pub fn read() -> Result<Vec<MountInfo>> {
    let file = "/proc/self/mountinfo";
    fs::read(file).at("read", || file).map(|text| parse(&text))
}

/// The mounts of every mount namespace that a process is in; each namespace once.
pub fn read_all() -> Result<Vec<MountInfo>> {
    let failed = || "/proc".to_owned();
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for entry in fs::read_dir("/proc").at("open", failed)?.flatten() {
        let name = entry.file_name();
        if !name.as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // Whoever ends while we look has nothing to tell.
        let Ok(namespace) = fs::read_link(entry.path().join("ns/mnt")) else {
            continue;
        };
        if !seen.insert(namespace) {
            continue;
        }
        if let Ok(text) = fs::read(entry.path().join("mountinfo")) {
            all.extend(parse(&text));
        }
    }
    Ok(all)
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

/// Whether a mount is what is found at its mount point: nothing was mounted over it later.
pub fn is_visible(mounts: &[MountInfo], mount: &MountInfo) -> bool {
    // What is mounted between the mount and its ancestor `above` does not matter: the child on the
    // way down, `below`, comes first.
    let hidden_on = |above: &MountInfo, below: Option<&MountInfo>| {
        mounts.iter().any(|other| {
            other.parent == above.id
                && other.id != above.id
                && mount.mount_point.starts_with(&other.mount_point)
                && below.is_none_or(|below| {
                    other.id != below.id && !other.mount_point.starts_with(&below.mount_point)
                })
        })
    };
    let (mut at, mut below) = (Some(mount), None);
    // As many steps as there are mounts: a text with a loop in it ends, too.
    for _ in 0..=mounts.len() {
        let Some(above) = at else { return true };
        if hidden_on(above, below) {
            return false;
        }
        at = mounts
            .iter()
            .find(|other| other.id == above.parent && other.id != above.id);
        below = Some(above);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_below_a_later_one_is_not_visible() {
        let over = |more: &str| {
            let text = format!(
                "21 27 0:20 / /sys rw - sysfs sysfs rw\n27 1 8:1 / / rw - ext4 /dev/sda ro\n\
                 31 21 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                 32 31 0:29 / /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu\n{more}"
            );
            let mounts = parse(text.as_bytes());
            (is_visible(&mounts, &mounts[3]), mounts)
        };
        let (visible, mounts) = over("");
        assert!(visible && mounts[1].read_only && mounts[3].read_only && !mounts[2].read_only);
        assert_eq!(mounts[3].super_options, "rw,cpu");
        for (more, visible) in [
            (
                "40 31 0:30 / /sys/fs/cgroup/cpuset rw - tmpfs tmpfs rw\n",
                true,
            ),
            (
                "40 32 0:30 / /sys/fs/cgroup/cpu rw - tmpfs tmpfs rw\n",
                false,
            ),
            ("40 31 0:30 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", false),
            ("40 27 0:30 / /sys/fs rw - tmpfs tmpfs rw\n", true),
            ("40 21 0:30 / /sys/fs rw - tmpfs tmpfs rw\n", false),
            ("27 27 0:30 / / rw - tmpfs tmpfs rw\n", true),
        ] {
            assert_eq!(over(more).0, visible, "{more}");
        }
    }

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
