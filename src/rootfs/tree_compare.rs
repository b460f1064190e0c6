//! What a directory tree has otherwise than it should have: everything that a layer can say.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use super::content::{same_content, xattrs};
use crate::{
    layer::PathBytes,
    sys::{Dir, FileKind, Metadata, Result, xattr},
};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Below the tree's top.
    pub path: PathBuf,
    /// In words: `mode is 0644, not 0755`.
    pub what: String,
}

/// Compares a tree with the one that it should be; parents before children, in byte order.
pub(super) fn compare(wanted: &Dir, found: &Dir) -> Result<Vec<Difference>> {
    let mut walk = Walk {
        differences: Vec::new(),
        links: (HashMap::new(), HashMap::new()),
    };
    let top = Path::new("/");
    let (should, is) = (wanted.own_metadata()?, found.own_metadata()?);
    walk.inodes(
        top,
        (wanted, OsStr::new("."), &should),
        (found, OsStr::new("."), &is),
    )?;
    walk.directory(top, wanted, found)?;
    Ok(walk.differences)
}

struct Walk {
    differences: Vec<Difference>,
    /// Inodes with several names, wanted and found, to the first one of them.
    links: (HashMap<u64, PathBuf>, HashMap<u64, PathBuf>),
}

type Thing<'a> = (&'a Dir, &'a OsStr, &'a Metadata);

impl Walk {
    fn say(&mut self, path: &Path, what: impl Into<String>) {
        self.differences.push(Difference {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    fn directory(&mut self, path: &Path, wanted: &Dir, found: &Dir) -> Result<()> {
        let mut names = wanted.entries()?;
        names.extend(found.entries()?);
        names.sort();
        names.dedup();
        for name in names {
            let path = path.join(&name);
            match (wanted.find(&name)?, found.find(&name)?) {
                (Some(should), Some(is)) => {
                    self.entry(&path, (wanted, &name, &should), (found, &name, &is))?;
                }
                (Some(should), None) => self.say(&path, format!("missing: {}", kind(&should))),
                (None, Some(is)) => {
                    self.say(&path, format!("not in the layer: {}", kind(&is)));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, wanted: Thing<'_>, found: Thing<'_>) -> Result<()> {
        let ((dir, name, should), (there, _, is)) = (wanted, found);
        if (should.kind(), should.is_whiteout()) != (is.kind(), is.is_whiteout()) {
            let what = format!("type is {}, not {}", kind(is), kind(should));
            self.say(path, what);
            return Ok(());
        }
        self.inodes(path, wanted, found)?;
        if should.is_dir() {
            return self.directory(path, &dir.open_dir(name)?, &there.open_dir(name)?);
        }
        self.hard_links(path, should, is);
        if should.kind() == FileKind::File && should.size() != is.size() {
            self.say(
                path,
                format!("size is {}, not {}", is.size(), should.size()),
            );
        } else if !same_content(wanted, found)? {
            let what = match should.kind() {
                FileKind::Symlink => format!(
                    "link leads to {:?}, not to {:?}",
                    PathBytes::new(there.read_symlink(name)?.into_vec()),
                    PathBytes::new(dir.read_symlink(name)?.into_vec())
                ),
                FileKind::CharDevice | FileKind::BlockDevice => {
                    let text = |of: &Metadata| {
                        let (major, minor) = of.device_number();
                        format!("{major}:{minor}")
                    };
                    format!("device is {}, not {}", text(is), text(should))
                }
                FileKind::File | FileKind::Directory | FileKind::Fifo | FileKind::Socket => {
                    "content differs".to_owned()
                }
            };
            self.say(path, what);
        }
        Ok(())
    }

    fn inodes(&mut self, path: &Path, wanted: Thing<'_>, found: Thing<'_>) -> Result<()> {
        let (should, is) = (wanted.2, found.2);
        // A link's mode means nothing.
        if should.mode() != is.mode() && should.kind() != FileKind::Symlink {
            self.say(
                path,
                format!("mode is {:04o}, not {:04o}", is.mode(), should.mode()),
            );
        }
        let owner = |of: &Metadata| format!("{}:{}", of.uid(), of.gid());
        if owner(should) != owner(is) {
            self.say(
                path,
                format!("owner is {}, not {}", owner(is), owner(should)),
            );
        }
        // Nobody says when a whiteout was made.
        if should.mtime() != is.mtime() && !should.is_whiteout() {
            self.say(path, format!("time is {}, not {}", time(is), time(should)));
        }
        let opaque = |(dir, name, _): Thing<'_>| xattr::get(dir, name, "trusted.overlay.opaque");
        match (opaque(wanted)?, opaque(found)?) {
            (should, is) if should == is => {}
            (Some(_), _) => self.say(path, "directory is not opaque"),
            (None, _) => self.say(path, "directory is opaque"),
        }
        let (mut should, mut is) = (xattrs(wanted)?, xattrs(found)?);
        should.retain(|pair| {
            is.iter()
                .position(|other| other == pair)
                .map(|at| is.remove(at))
                .is_none()
        });
        for (key, _) in &should {
            let key = String::from_utf8_lossy(key);
            let other = is.iter().any(|(other, _)| *other == *key.as_bytes());
            let state = if other {
                "is another one"
            } else {
                "is missing"
            };
            self.say(path, format!("attribute {key} {state}"));
        }
        for (key, _) in &is {
            if !should.iter().any(|(other, _)| other == key) {
                let key = String::from_utf8_lossy(key);
                self.say(path, format!("attribute {key} is not in the layer"));
            }
        }
        Ok(())
    }

    /// The same names belong together on both sides.
    fn hard_links(&mut self, path: &Path, should: &Metadata, is: &Metadata) {
        let (wanted, found) = &mut self.links;
        let first = |links: &mut HashMap<u64, PathBuf>, of: &Metadata| {
            if of.nlink() < 2 || of.is_whiteout() {
                return path.to_owned();
            }
            links
                .entry(of.ino())
                .or_insert_with(|| path.to_owned())
                .clone()
        };
        let (should, is) = (first(wanted, should), first(found, is));
        if should != is {
            let text = |of: &Path| {
                if of == path {
                    "a file of its own".to_owned()
                } else {
                    format!("another name of {}", of.display())
                }
            };
            let what = format!("is {}, not {}", text(&is), text(&should));
            self.say(path, what);
        }
    }
}

fn kind(of: &Metadata) -> &'static str {
    match of.kind() {
        _ if of.is_whiteout() => "whiteout",
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharDevice => "character device",
        FileKind::BlockDevice => "block device",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

/// RFC 3339 with all nine digits where there is such a time.
fn time(of: &Metadata) -> String {
    let time = of.mtime();
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let known = crate::ident::Timestamp::from_nanosecond(nanoseconds);
    known.map_or_else(
        || format!("{}.{:09}", time.seconds, time.nanoseconds),
        |time| time.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, os::unix::fs::PermissionsExt};

    use super::*;

    fn fill(top: &Path) {
        fs::create_dir_all(top.join("dir/sub")).unwrap();
        let dir = Dir::open(top).unwrap();
        for name in ["file", "other", "라"] {
            dir.create_file(name, 0o644)
                .unwrap()
                .write_all(b"content")
                .unwrap();
        }
        dir.link("file", &dir, "link").unwrap();
        dir.make_symlink("file".as_ref(), "soft").unwrap();
        let time = crate::sys::TimeSpec {
            seconds: 5,
            nanoseconds: 7,
        };
        for name in ["file", "other", "라", "soft", "dir"] {
            dir.set_times(name, time).unwrap();
        }
        dir.open_dir("dir").unwrap().set_times("sub", time).unwrap();
        dir.set_times(".", time).unwrap();
    }

    fn told(change: impl Fn(&Path, &Dir)) -> Vec<String> {
        let scratch = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| scratch.path().join(name));
        for top in [&one, &other] {
            fs::create_dir(top).unwrap();
            fill(top);
        }
        let (wanted, found) = (Dir::open(&one).unwrap(), Dir::open(&other).unwrap());
        change(&other, &found);
        let differences = compare(&wanted, &found).unwrap().into_iter();
        let shown = differences.map(|one| format!("{}: {}", one.path.display(), one.what));
        // Whatever is made or removed changes the directory's time.
        shown.filter(|text| !text.contains(": time is 2")).collect()
    }

    #[test]
    fn equal_trees_are_equal() {
        assert_eq!(told(|_, _| ()), [""; 0]);
    }

    #[test]
    fn each_difference_is_told_by_its_name() {
        let mode = |top: &Path, name: &str, mode| {
            fs::set_permissions(top.join(name), PermissionsExt::from_mode(mode)).unwrap();
        };
        assert_eq!(
            told(|top, _| mode(top, "라", 0o600)),
            ["/라: mode is 0600, not 0644"]
        );
        assert_eq!(
            told(|_, dir| {
                let time = crate::sys::TimeSpec {
                    seconds: 5,
                    nanoseconds: 8,
                };
                dir.set_times("other", time).unwrap();
            }),
            ["/other: time is 1970-01-01T00:00:05.000000008Z, not 1970-01-01T00:00:05.000000007Z"]
        );
        assert_eq!(
            told(|top, _| fs::remove_file(top.join("other")).unwrap()),
            ["/other: missing: file"]
        );
        assert_eq!(
            told(|_, dir| dir.make_dir("new", 0o755).unwrap()),
            ["/new: not in the layer: directory"]
        );
        assert_eq!(
            told(|top, dir| {
                fs::remove_dir(top.join("dir/sub")).unwrap();
                dir.open_dir("dir")
                    .unwrap()
                    .create_file("sub", 0o644)
                    .unwrap();
            }),
            ["/dir/sub: type is file, not directory"]
        );
        assert_eq!(
            told(|_, dir| xattr::set(dir, "file", "user.x", b"1").unwrap()),
            [
                "/file: attribute user.x is not in the layer",
                "/link: attribute user.x is not in the layer"
            ]
        );
    }

    #[test]
    fn a_name_of_another_file_is_found() {
        let told = told(|top, dir| {
            fs::remove_file(top.join("link")).unwrap();
            dir.create_file("link", 0o644)
                .unwrap()
                .write_all(b"CONTENT")
                .unwrap();
            let time = crate::sys::TimeSpec {
                seconds: 5,
                nanoseconds: 7,
            };
            dir.set_times("link", time).unwrap();
        });
        assert_eq!(
            told,
            [
                "/link: is a file of its own, not another name of /file",
                "/link: content differs"
            ]
        );
    }
}
