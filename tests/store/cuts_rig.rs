//! Power cuts: a disk whose writes are logged, and what it may hold after a cut
//! (`scripts/crash-replay.py`).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::{dice::say, support::Shed};

const MIB: u64 = 1 << 20;

/// A file system, and the smallest disk that it likes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    mebibytes: u64,
}

pub(crate) const EXT4: Kind = Kind {
    name: "ext4",
    mebibytes: 192,
};
pub(crate) const XFS: Kind = Kind {
    name: "xfs",
    mebibytes: 321,
};

/// Whether there is everything that it takes; says so aloud where it is not.
pub(crate) fn has_rig() -> bool {
    for (program, argument) in [
        ("qemu-storage-daemon", "--version"),
        ("python3", "--version"),
        ("mkfs.xfs", "-V"),
        ("mkfs.ext4", "-V"),
    ] {
        let mut command = Command::new(program);
        command.arg(argument).stdout(Stdio::null());
        if !command
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            say(&format!("skipped: no {program}"));
            return false;
        }
    }
    true
}

/// The script while it waits for us, word by word.
struct Talk {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Talk {
    fn begin(arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/crash-replay.py");
        let mut command = Command::new("python3");
        command.arg(script).args(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// `None` at its end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    fn answer(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{text}").unwrap();
    }

    fn end(mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().success()
    }
}

/// The disk, mounted: the shed's store is on it, and a directory for other files.
pub(crate) struct Disk<'s> {
    shed: &'s Shed,
    device: String,
    end: u64,
}

impl<'s> Disk<'s> {
    fn mount(shed: &'s Shed, kind: Kind, device: &str) -> Result<Self, String> {
        let (disk, store) = (
            PathBuf::from(shed.dir("disk")),
            PathBuf::from(shed.dir("store")),
        );
        let flags = MsFlags::MS_NOATIME;
        mount(Some(device), &disk, Some(kind.name), flags, None::<&str>)
            .map_err(|error| format!("mount {}: {error}", kind.name))?;
        std::fs::create_dir_all(disk.join("store")).unwrap();
        std::fs::create_dir_all(disk.join("files")).unwrap();
        let bind = MsFlags::MS_BIND;
        mount(
            Some(&disk.join("store")),
            &store,
            None::<&str>,
            bind,
            None::<&str>,
        )
        .unwrap();
        Ok(Self {
            shed,
            device: device.to_owned(),
            end: kind.mebibytes * MIB,
        })
    }

    /// A file beside the store.
    pub(crate) fn file(&self, name: &str) -> String {
        self.shed.show(&format!("disk/files/{name}"))
    }

    /// Says that something was reported as done.
    pub(crate) fn mark(&self, text: &str) {
        let mut sector = format!("MARK {text}").into_bytes();
        sector.resize(512, 0);
        let mut dd = Command::new("dd");
        dd.arg(format!("of={}", self.device))
            .arg(format!("seek={}", self.end / 512 - 1))
            .args(["bs=512", "count=1", "oflag=direct", "conv=notrunc"]);
        let mut child = dd
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&sector).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        for place in ["store", "disk"] {
            let path = self.shed.path(place);
            let free = (0..200).any(|_| {
                let free = umount2(&path, MntFlags::empty()).is_ok();
                if !free {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                free
            });
            if !free {
                say(&format!("{place} is busy"));
                umount2(&path, MntFlags::MNT_DETACH).ok();
            }
        }
    }
}

/// Logs the writes of `work` on a new disk.
pub(crate) fn record<T>(shed: &Shed, kind: Kind, work: impl FnOnce(&Disk<'_>) -> T) -> T {
    let (log, size) = (shed.show("log"), (kind.mebibytes * MIB).to_string());
    let mut talk = Talk::begin(&["record", &log, &size]);
    let line = talk.line().expect("a device");
    let device = line.strip_prefix("device ").unwrap().to_owned();
    let megabytes = format!("{}m", kind.mebibytes - 1);
    let mut mkfs = match kind.name {
        "xfs" => Command::new("mkfs.xfs"),
        _ => Command::new("mkfs.ext4"),
    };
    if kind.name == "xfs" {
        mkfs.args(["-q", "-K", "-d"])
            .arg(format!("size={megabytes}"));
        mkfs.arg(&device);
    } else {
        mkfs.args(["-q", "-E", "nodiscard", &device])
            .arg(&megabytes);
    }
    crate::support::finish(mkfs).ok();
    let disk = Disk::mount(shed, kind, &device).unwrap();
    let done = work(&disk);
    drop(disk);
    assert!(talk.end(), "the recording failed");
    done
}

/// Cuts the power so often and asks `look` about each disk, with the last mark; the bad ones.
pub(crate) fn cut(
    shed: &Shed,
    kind: Kind,
    (number, start): (usize, u64),
    mut look: impl FnMut(&Disk<'_>, &str) -> Result<(), String>,
) -> (usize, Vec<String>) {
    let (log, number, start) = (shed.show("log"), number.to_string(), start.to_string());
    let words = [
        "check",
        &log,
        "-n",
        &number,
        "-s",
        &start,
        "--torn",
        "--from-mark",
    ];
    let mut talk = Talk::begin(&words);
    let (mut cuts, mut bad) = (0, Vec::new());
    while let Some(line) = talk.line() {
        let mut words = line.splitn(3, ' ').skip(1);
        let (device, mark) = (words.next().unwrap(), words.next().unwrap_or_default());
        let found = Disk::mount(shed, kind, device).and_then(|disk| look(&disk, mark));
        cuts += 1;
        match found {
            Ok(()) => talk.answer("ok"),
            Err(wrong) => {
                let wrong = wrong.replace('\n', " / ");
                talk.answer(&wrong);
                bad.push(format!("after mark {mark:?}: {wrong}"));
            }
        }
    }
    talk.end();
    (cuts, bad)
}
