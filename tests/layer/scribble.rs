//! Random changes to a tree, of every kind that a container can make.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileExt as _, PermissionsExt as _, lchown, symlink},
    },
    path::{Path, PathBuf},
};

use cowshed::sys::{Dir, FileKind, xattr};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Few names, so that they meet; among them the awkward ones.
    fn name(&mut self) -> OsString {
        match self.below(14) {
            0 => OsString::from_vec(vec![b'n', 0xff, 0xfe]),
            1 => OsString::from("l".repeat(255)),
            2 => OsString::from("한글 이름"),
            3 => OsString::from("new\nline"),
            4 => OsString::from(format!("m{}", "i".repeat(120))),
            number => OsString::from(["a", "b", "c", "d", "e"][number % 5]),
        }
    }
}

/// A user's ACL beside the mode: version 2, owner, user 1000, group, mask, others.
const ACL: &[u8] = b"\x02\0\0\0\
    \x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\
    \x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";

/// `cap_net_bind_service+ep`, revision 2.
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

pub(crate) struct Scribble<'a> {
    pub(crate) root: &'a Path,
    pub(crate) random: &'a mut Random,
    /// What was done, for a failure's message.
    pub(crate) done: Vec<String>,
    pub(crate) times: i64,
}

impl Scribble<'_> {
    /// Every directory below the root, the root included.
    fn dirs(&self) -> Vec<PathBuf> {
        let mut all = vec![self.root.to_owned()];
        let mut at = 0;
        while let Some(dir) = all.get(at).cloned() {
            let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
            let mut dirs: Vec<_> = entries
                .filter(|entry| entry.file_type().unwrap().is_dir())
                .map(|entry| entry.path())
                .collect();
            dirs.sort();
            all.extend(dirs);
            at += 1;
        }
        all
    }

    fn some_dir(&mut self) -> PathBuf {
        let dirs = self.dirs();
        self.random.pick(&dirs)
    }

    /// A name in some directory that may be there or not.
    fn some_place(&mut self) -> PathBuf {
        let dir = self.some_dir();
        dir.join(self.random.name())
    }

    /// Something that is there.
    fn something(&mut self) -> Option<PathBuf> {
        let dir = self.some_dir();
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(Result::unwrap).collect();
        names.sort_by_key(fs::DirEntry::file_name);
        (!names.is_empty()).then(|| names[self.random.below(names.len())].path())
    }

    /// Does something; what cannot be done is left.
    pub(crate) fn step(&mut self) {
        let number = self.random.below(20);
        let target = self.something();
        let place = self.some_place();
        let what = match (number, target) {
            (0..=2, _) => self.file(&place),
            (3..=4, _) => fs::create_dir(&place).map(|()| "mkdir"),
            (5, _) => symlink(self.random.name(), &place).map(|()| "symlink"),
            (6, _) => self.node(&place),
            (_, None) => return,
            (7..=10, Some(old)) => self.rename(&old, &place),
            (11, Some(old)) => fs::hard_link(&old, &place).map(|()| "link"),
            (12 | 13, Some(old)) if old.is_dir() && !old.is_symlink() => {
                fs::remove_dir_all(&old).map(|()| "rm -r")
            }
            (12 | 13, Some(old)) => fs::remove_file(&old).map(|()| "rm"),
            (14, Some(old)) => self.write(&old),
            (15, Some(old)) => self.mode(&old),
            (16, Some(old)) => {
                let ids = (self.random.below(3), self.random.below(70_000));
                let id = |number| u32::try_from(number).ok();
                lchown(&old, id(ids.0), id(ids.1)).map(|()| "chown")
            }
            (17 | 18, Some(old)) => self.attribute(&old),
            (_, Some(old)) => self.touch(&old),
        };
        if let Ok(what) = what {
            let shown = place.as_os_str().as_bytes().escape_ascii();
            self.done.push(format!("{what} {shown}"));
        }
    }

    fn file(&mut self, place: &Path) -> std::io::Result<&'static str> {
        let mut file = File::create_new(place)?;
        self.fill(&mut file)?;
        self.touch(place)?;
        Ok("create")
    }

    /// Bytes here and there, with holes between them.
    fn fill(&mut self, file: &mut File) -> std::io::Result<()> {
        for _ in 0..self.random.below(4) {
            let letter = u8::try_from(b'a' as usize + self.random.below(26)).unwrap();
            let (offset, length) = (self.random.below(40) * 1024, self.random.below(9000));
            file.write_all_at(&vec![letter; length], offset as u64)?;
        }
        if self.random.below(4) == 0 {
            file.set_len(self.random.below(100_000) as u64)?;
        }
        file.flush()
    }

    fn write(&mut self, old: &Path) -> std::io::Result<&'static str> {
        if !old.symlink_metadata()?.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mut file = File::options().write(true).open(old)?;
        self.fill(&mut file)?;
        Ok("write")
    }

    fn node(&mut self, place: &Path) -> std::io::Result<&'static str> {
        let dir = Dir::open(place.parent().unwrap()).unwrap();
        let name = place.file_name().unwrap();
        let (kind, device) = match self.random.below(3) {
            0 => (FileKind::Fifo, (0, 0)),
            1 => (FileKind::CharDevice, (1, 3)),
            _ => (FileKind::BlockDevice, (7, 300)),
        };
        let made = dir.make_node(name, kind, 0o640, device);
        made.map_err(std::io::Error::other)?;
        self.touch(place)?;
        Ok("mknod")
    }

    fn rename(&mut self, old: &Path, place: &Path) -> std::io::Result<&'static str> {
        let flags = match self.random.below(5) {
            0 => RenameFlags::RENAME_EXCHANGE,
            1 => RenameFlags::RENAME_NOREPLACE,
            _ => RenameFlags::empty(),
        };
        renameat2(AT_FDCWD, old, AT_FDCWD, place, flags)?;
        let shown = old.as_os_str().as_bytes().escape_ascii();
        self.done.push(format!("(from {shown})"));
        Ok("rename")
    }

    fn mode(&mut self, old: &Path) -> std::io::Result<&'static str> {
        if old.is_symlink() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mode = self.random.pick(&[0o755, 0o4755, 0o2711, 0o1777, 0o600, 0]);
        fs::set_permissions(old, fs::Permissions::from_mode(mode))?;
        Ok("chmod")
    }

    fn attribute(&mut self, old: &Path) -> std::io::Result<&'static str> {
        let found = old.symlink_metadata()?;
        let dir = Dir::open(old.parent().unwrap()).unwrap();
        let name = old.file_name().unwrap();
        let many = vec![b'v'; self.random.below(2000)];
        let kinds: [(&str, &[u8]); 4] = [
            ("user.one", b"1\n\0=2"),
            ("user.\u{d55c}=\u{ae00}", &many),
            ("security.capability", CAPABILITY),
            ("system.posix_acl_access", ACL),
        ];
        let (key, value) = kinds[self.random.below(4)];
        if !found.is_file() && key.starts_with("security") {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let set = xattr::set(&dir, name, key, value);
        set.map_err(std::io::Error::other)?;
        Ok("setxattr")
    }

    /// A time that nobody else has.
    fn touch(&mut self, old: &Path) -> std::io::Result<&'static str> {
        self.times += 1;
        let seconds = (self.times * 7_919) % 3_000_000_000 - 1_000_000_000;
        let time = cowshed::sys::TimeSpec {
            seconds,
            nanoseconds: (self.times * 104_729) % 1_000_000_000,
        };
        let dir = Dir::open(old.parent().unwrap()).unwrap();
        let set = dir.set_times(old.file_name().unwrap(), time);
        set.map_err(std::io::Error::other)?;
        Ok("touch")
    }
}
