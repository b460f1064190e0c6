//! Layers as tar archives in memory, and the one that every image here begins with.

use std::sync::OnceLock;

use tar::{Builder, EntryType, Header};

/// An archive; entries in the order in which they are added.
pub(crate) struct Tar {
    builder: Builder<Vec<u8>>,
    owner: (u64, u64),
}

const TIME: u64 = 1_600_000_000;

impl Tar {
    pub(crate) fn new() -> Self {
        let builder = Builder::new(Vec::new());
        let owner = (0, 0);
        Self { builder, owner }
    }

    /// Of everything that follows.
    pub(crate) fn owner(mut self, uid: u64, gid: u64) -> Self {
        self.owner = (uid, gid);
        self
    }

    fn entry(mut self, kind: EntryType, path: &str, mode: u32, link: &str) -> Self {
        let header = &mut self.header(kind, mode, 0);
        if link.is_empty() {
            self.builder.append_data(header, path, &[][..]).unwrap();
        } else {
            self.builder.append_link(header, path, link).unwrap();
        }
        self
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        header.set_mtime(TIME);
        header.set_size(size);
        header
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        self.entry(EntryType::Directory, path, mode, "")
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, 0o777, target)
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, 0o644, target)
    }

    pub(crate) fn fifo(self, path: &str, mode: u32) -> Self {
        self.entry(EntryType::Fifo, path, mode, "")
    }

    pub(crate) fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        let size = u64::try_from(content.len()).unwrap();
        let header = &mut self.header(EntryType::Regular, mode, size);
        self.builder.append_data(header, path, content).unwrap();
        self
    }

    /// An empty file under a name that no builder would write.
    pub(crate) fn named(mut self, name: &str) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.builder.append(&header, std::io::empty()).unwrap();
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }
}

const PROGRAMS: &str = "awk cat chmod chown cp cut date dd df echo env false find grep head \
    hostname id ifconfig ip kill ln ls md5sum mkdir mkfifo mknod mount mv od pidof printf ps pwd \
    readlink rm sed seq sh sleep sort stat stty sync tail tee test touch tr true tty umount uname \
    wc yes";

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n";
const GROUP: &[u8] = b"root:x:0:\napp:x:1001:\nwheel:x:10:app\n";

/// A busybox with a few things to look at:
///
/// - `/data` of app's, with every type of file; `/empty`, which is empty and of app's as well
/// - `/file`, a file; `/var/run`, a link to `/run`
pub(crate) fn base() -> &'static [u8] {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    BASE.get_or_init(|| {
        let busybox = std::fs::read("/bin/busybox");
        let busybox = busybox.expect("/bin/busybox is missing: apt-get install busybox-static");
        let interpreter = busybox.windows(8).any(|part| part == b"/ld-linu");
        assert!(
            !interpreter,
            "/bin/busybox is not static: apt-get install busybox-static"
        );
        let mut tar = Tar::new().dir("bin", 0o755);
        tar = tar.file("bin/busybox", 0o755, &busybox);
        for program in PROGRAMS.split_whitespace() {
            tar = tar.link(&format!("bin/{program}"), "busybox");
        }
        tar.dir("etc", 0o755)
            .file("etc/passwd", 0o644, PASSWD)
            .file("etc/group", 0o644, GROUP)
            .dir("root", 0o700)
            .dir("run", 0o755)
            .dir("tmp", 0o1777)
            .dir("var", 0o755)
            .link("var/run", "/run")
            .dir("home", 0o755)
            .file("file", 0o644, b"a file\n")
            .file("plain", 0o644, b"not a program\n")
            .owner(1000, 1001)
            .dir("home/app", 0o750)
            .dir("data", 0o751)
            .file("data/one", 0o640, b"one\n")
            .hard_link("data/same", "data/one")
            .link("data/link", "one")
            .fifo("data/fifo", 0o600)
            .file("data/setuid", 0o4755, b"#!/bin/sh\n")
            .dir("data/sub", 0o700)
            .file("data/sub/two", 0o600, b"two\n")
            .dir("empty", 0o750)
            .finish()
    })
}
