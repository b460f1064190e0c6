//! Looking at the host: trees, mounts, processes.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileTypeExt as _,
    path::Path,
    time::{Duration, Instant},
};

/// Writes a file.
pub(crate) fn write_file(path: &Path, content: &[u8]) {
    File::create(path).unwrap().write_all(content).unwrap();
}

/// Writes a text file.
pub(crate) fn write_text(path: &Path, content: &str) {
    write_file(path, content.as_bytes());
}

/// Names and types below a directory, sorted, one a line.
pub(crate) fn tree(dir: &Path) -> String {
    let mut text = String::new();
    collect(dir, dir, &mut text);
    text
}

fn collect(top: &Path, dir: &Path, text: &mut String) {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        let letter = match () {
            () if kind.is_dir() => 'd',
            () if kind.is_symlink() => 'l',
            () if kind.is_fifo() => 'p',
            () if kind.is_char_device() => 'c',
            () if kind.is_socket() => 's',
            () => 'f',
        };
        let name = path.strip_prefix(top).unwrap().display();
        writeln!(text, "{letter} {name}").unwrap();
        if metadata.is_dir() {
            collect(top, &path, text);
        }
    }
}

/// Mount points below a directory, of this thread's namespace.
pub(crate) fn mounts_below(dir: &Path) -> Vec<String> {
    let table = super::read("/proc/thread-self/mountinfo");
    let dir = format!("{}/", dir.display());
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .filter(|point| point.starts_with(&dir))
        .map(str::to_owned)
        .collect()
}

/// Processes that have something of this store mounted, or were told of it.
pub(crate) fn processes_of(store: &Path, container: &str) -> Vec<i32> {
    let told = format!("COWSHED_ROOT={}\0", store.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned() + "\0";
        if environ.contains(&told) || mounts.contains(&format!("containers/{container}/")) {
            found.push(pid);
        }
    }
    found
}

/// Waits at most ten seconds.
#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
