//! Which call can fail how, and which failures a command may bear.

use crate::kill_points::Point;

/// A way to fail.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: &'static str,
    /// How a message calls it.
    pub(crate) text: &'static str,
    calls: &'static [&'static [&'static str]],
    /// Whether a disk that fails so goes on failing.
    pub(crate) lasts: bool,
}

/// They take room or write; `openat` where it makes a file.
const WRITING: &[&str] = &[
    "write",
    "pwrite64",
    "copy_file_range",
    "sendfile",
    "fallocate",
    "ftruncate",
    "mkdirat",
    "mknodat",
    "symlinkat",
    "linkat",
    "renameat",
    "renameat2",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "openat",
];

/// They change what is there.
const CHANGING: &[&str] = &["unlinkat", "fchmod", "fchmodat", "fchmodat2", "utimensat"];

const OWNING: &[&str] = &["fchown", "fchownat"];

const SYNCING: &[&str] = &["fsync", "fdatasync", "syncfs"];

pub(crate) const READING: &[&str] = &[
    "read",
    "pread64",
    "getdents64",
    "readlinkat",
    "newfstatat",
    "statx",
];

/// They give a new descriptor; `openat` whatever it opens, `fcntl` where it duplicates one.
const OPENING: &[&str] = &[
    "openat",
    "openat2",
    "fcntl",
    "dup",
    "pipe2",
    "socket",
    "socketpair",
    "accept4",
    "signalfd4",
    "timerfd_create",
    "epoll_create1",
    "eventfd2",
    "inotify_init1",
    "memfd_create",
    "pidfd_open",
    "fsopen",
    "fsmount",
    "open_tree",
];

const MOUNTING: &[&str] = &[
    "fsopen",
    "fsconfig",
    "fsmount",
    "open_tree",
    "move_mount",
    "mount_setattr",
    "mount",
    "pivot_root",
    "umount2",
];

/// They make something of the kernel's.
const MAKING: &[&str] = &["clone3", "mkdirat", "setns", "unshare", "socketpair"];

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        error: "ENOSPC",
        text: "no space left on device",
        calls: &[WRITING, SYNCING, &["move_mount", "clone3"]],
        lasts: true,
    },
    Fault {
        error: "EDQUOT",
        text: "quota",
        calls: &[WRITING, OWNING, SYNCING],
        lasts: false,
    },
    Fault {
        error: "EIO",
        text: "i/o error",
        calls: &[WRITING, CHANGING, OWNING, SYNCING, READING, MOUNTING],
        lasts: true,
    },
    Fault {
        error: "EROFS",
        text: "read-only",
        calls: &[WRITING, CHANGING, OWNING],
        lasts: true,
    },
    Fault {
        error: "EMFILE",
        text: "too many open files",
        calls: &[OPENING],
        lasts: false,
    },
    Fault {
        error: "ENOMEM",
        text: "memory",
        calls: &[MAKING, MOUNTING],
        lasts: false,
    },
];

impl Fault {
    /// Names of all calls that can fail so, as strace(1) wants them.
    pub(crate) fn calls(&self) -> String {
        let names = self.calls.iter().flat_map(|group| group.iter());
        let names: Vec<_> = names.map(|name| format!("?{name}")).collect();
        names.join(",")
    }

    /// Whether this very call can.
    pub(crate) fn befalls(&self, point: &Point) -> bool {
        let any = |part: &str| point.arguments.iter().any(|text| text.contains(part));
        match point.call.as_str() {
            // Any open gives a descriptor, and reads the disk.
            "openat" => ["EMFILE", "EIO"].contains(&self.error) || point.creates(),
            "fcntl" => any("F_DUPFD"),
            // What cannot be said is not said.
            "write" => !point.arguments.iter().all(|text| text.starts_with("2,")),
            _ => true,
        }
    }
}

/// A failure that a command may bear without failing, and why that is right.
#[derive(Debug)]
pub(crate) struct Borne {
    errors: &'static [&'static str],
    calls: &'static [&'static str],
    /// In the command line.
    line: &'static str,
    #[expect(dead_code, reason = "for whoever reads the table")]
    why: &'static str,
}

/// Of calls whose whole point is that they succeed: those that make durable.
const BORNE: &[Borne] = &[
    Borne {
        errors: NO_ROOM,
        calls: &["fsync", "fdatasync"],
        line: "rmi ",
        why: AGAIN,
    },
    Borne {
        errors: NO_ROOM,
        calls: &["fsync", "fdatasync"],
        line: " prune ",
        why: AGAIN,
    },
];

const NO_ROOM: &[&str] = &["ENOSPC", "EDQUOT"];

const AGAIN: &str =
    "names go before records; without room for that they go after them, synced again";

/// Whether a command may succeed all the same, where its result is whole.
pub(crate) fn may_be_borne(fault: &Fault, point: &Point, line: &str) -> bool {
    let call = point.call.as_str();
    !SYNCING.contains(&call)
        || BORNE.iter().any(|borne| {
            borne.errors.contains(&fault.error)
                && borne.calls.contains(&call)
                && line.contains(borne.line)
        })
}
