//! `volume ls-files`, `cat` and `du`: looking into a volume without a container.
//!
//! Whatever its containers have put there, every path stays in the volume, and nothing but regular
//! files is ever opened.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    CopyError, Engine, Error, FileEntry,
    containers::failed,
    copy::inside,
    copy_find,
    look::{self, entry},
};
use crate::{
    layer::Subject,
    sys::{self, Dir, RootDir},
    volume::OpenVolume,
};

/// What a file or a directory with all below it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// Its path below the volume's top; `.` for the top.
    pub path: PathBuf,
    /// Bytes of its blocks on disk, each hard-linked inode once.
    pub allocated: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
}

impl Engine {
    /// What a directory of a volume has, by name, or one file.
    pub fn volume_files(&self, name: &str, path: &OsStr) -> Result<Vec<FileEntry>, Error> {
        let volume = self.volumes()?.open_volume(name)?;
        let found = find(&volume, path)?;
        let list = || -> sys::Result<Vec<FileEntry>> {
            match found.node.subject() {
                Subject::Name(parent, one) => {
                    let entry = entry(parent, one)?;
                    let name = path.to_owned();
                    Ok(entry
                        .map(|entry| FileEntry { name, ..entry })
                        .into_iter()
                        .collect())
                }
                Subject::Tree(dir) => {
                    let names = dir.sorted_entries()?;
                    let entries = names.iter().map(|name| entry(dir, name));
                    entries.filter_map(Result::transpose).collect()
                }
            }
        };
        list().map_err(|source| failed(&format!("list volume {name}"), source))
    }

    /// Opens a regular file of a volume; links are followed inside it. The volume stays open with
    /// the answer's first part.
    pub fn open_volume_file(&self, name: &str, path: &OsStr) -> Result<(OpenVolume, File), Error> {
        let volume = self.volumes()?.open_volume(name)?;
        let root = root(&volume).map_err(|source| failed("open volume", source))?;
        let file = look::open_file(&root, path, &format!("volume {name}"), |path| {
            let volume = name.to_owned();
            CopyError::NotInVolume { path, volume }
        })?;
        Ok((volume, file))
    }

    /// What everything below a path takes, children before their directory.
    pub fn volume_use(&self, name: &str, path: &OsStr) -> Result<Vec<FileUse>, Error> {
        let volume = self.volumes()?.open_volume(name)?;
        let found = find(&volume, path)?;
        let shown = inside(path).clean;
        let shown = shown.strip_prefix("/").unwrap_or(&shown);
        let measured = match found.node.subject() {
            Subject::Name(parent, one) => parent.metadata(one).map(|metadata| {
                vec![FileUse {
                    path: shown.to_owned(),
                    allocated: metadata.allocated(),
                    is_directory: false,
                }]
            }),
            Subject::Tree(dir) => measure(dir, shown),
        };
        measured.map_err(|source| failed(&format!("measure volume {name}"), source))
    }
}

fn root(volume: &OpenVolume) -> sys::Result<RootDir> {
    volume.data.try_clone().map(RootDir::new)
}

fn find(volume: &OpenVolume, path: &OsStr) -> Result<copy_find::Source, Error> {
    let root = root(volume).map_err(|source| failed("open volume", source))?;
    let typed = inside(path);
    copy_find::source(&root, &typed, false).map_err(|miss| {
        if copy_find::is_absent(&miss.source) {
            let volume = volume.record.name.to_string();
            let path = typed.shown();
            return CopyError::NotInVolume { path, volume }.into();
        }
        failed(&format!("find {}", miss.path.display()), miss.source)
    })
}

/// Walks by paths, not by open directories: a tree may be deeper than descriptors are many.
fn measure(top: &Dir, shown: &Path) -> sys::Result<Vec<FileUse>> {
    let root = RootDir::new(top.try_clone()?);
    let mut walked = Walked {
        own: BTreeMap::new(),
        seen: HashSet::new(),
        files: Vec::new(),
    };
    let metadata = top.own_metadata()?;
    walked.own.insert(PathBuf::new(), metadata.allocated());
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        match root.open_dir_without_links(&path) {
            Err(error) if is_gone(error.errno()) => {}
            dir => walked.directory(&dir?, &path, metadata.dev(), &mut pending)?,
        }
    }
    Ok(walked.finish(shown))
}

fn is_gone(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
}

struct Walked {
    /// What each directory takes with the files in it.
    own: BTreeMap<PathBuf, u64>,
    seen: HashSet<u64>,
    files: Vec<(PathBuf, u64)>,
}

impl Walked {
    fn directory(
        &mut self,
        dir: &Dir,
        path: &Path,
        device: u64,
        pending: &mut Vec<PathBuf>,
    ) -> sys::Result<()> {
        for name in dir.entries()? {
            let Some(found) = dir.find(&name)? else {
                continue;
            };
            if found.is_dir() {
                // Not into what somebody has mounted there.
                if found.dev() == device {
                    self.own.insert(path.join(&name), found.allocated());
                    pending.push(path.join(&name));
                }
                continue;
            }
            if found.nlink() > 1 && !self.seen.insert(found.ino()) {
                continue;
            }
            *self.own.entry(path.to_owned()).or_default() += found.allocated();
            self.files.push((path.join(&name), found.allocated()));
        }
        Ok(())
    }

    /// Sums from the leaves up; a directory comes after all below it.
    fn finish(self, shown: &Path) -> Vec<FileUse> {
        let mut total = self.own;
        let deepest: Vec<_> = total.keys().cloned().collect();
        let mut all = Vec::new();
        for path in deepest.into_iter().rev() {
            let sum = total.get(&path).copied().unwrap_or(0);
            if let Some(parent) = path.parent().and_then(|parent| total.get_mut(parent)) {
                *parent += sum;
            }
            all.push((path, sum, true));
        }
        all.extend(self.files.into_iter().map(|(path, sum)| (path, sum, false)));
        // What is below sorts after its directory by components; turned round, before it.
        all.sort_by(|one, other| other.0.cmp(&one.0));
        let told = |(path, allocated, is_directory): (PathBuf, u64, bool)| {
            let is_top = path.as_os_str().is_empty();
            let path = if is_top {
                shown.to_owned()
            } else {
                shown.join(path)
            };
            let is_root = path.as_os_str().is_empty();
            FileUse {
                path: if is_root { PathBuf::from(".") } else { path },
                allocated,
                is_directory,
            }
        };
        all.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn sums_go_up_and_hard_links_count_once() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(scratch.path().join("a/b")).unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        let below = dir.open_dir("a").unwrap().open_dir("b").unwrap();
        let mut file = below.create_file("f", 0o600).unwrap();
        file.write_all(&[1; 8192]).unwrap();
        file.sync_all().unwrap();
        below.link("f", &dir, "g").unwrap();
        dir.make_symlink(OsStr::new("/"), "out").unwrap();
        let uses = measure(&dir, Path::new("")).unwrap();
        let of = |path: &str| uses.iter().find(|one| one.path == Path::new(path));
        let sum = |path: &str| of(path).unwrap().allocated;
        assert!(of("a/b/f").is_some() != of("g").is_some());
        assert!(sum(".") >= sum("a") && sum("a") >= sum("a/b"));
        assert!(sum(".") < 1 << 20);
        assert_eq!(uses.last().unwrap().path, Path::new("."));
        let names: Vec<_> = uses
            .iter()
            .map(|one| one.path.display().to_string())
            .collect();
        let at = |name: &str| names.iter().position(|one| one == name);
        assert!(at("a/b") < at("a"), "{names:?}");
    }
}
