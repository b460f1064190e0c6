//! Puts what a listing names into an image's root. Nothing outside the root is written.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Seek as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{
    destination::{self, Makes},
    listing::{Entry, Kind, Listing, Source},
    tree::{content, is_kept},
};
use crate::{
    layer::{self, Destination, Limits, Owner, PathBytes, Terms, Unledgered, begins_archive},
    sys::{
        Dir, Result as SysResult, RootDir, SysError, copy_entry, open_regular, remove_tree, xattr,
    },
};

/// How much of a file tells whether it is an archive.
const BEGINNING: u64 = 64 << 10;

/// A copy that is decided.
#[derive(Debug)]
pub(super) struct Placing<'a> {
    /// Where the files are.
    pub(super) from: &'a RootDir,
    /// The image's root.
    pub(super) to: &'a RootDir,
    /// Absolute and clean.
    pub(super) destination: &'a Path,
    /// It was written as a directory.
    pub(super) is_directory: bool,
    /// `--chown`
    pub(super) owner: Option<(u32, u32)>,
    /// `--chmod`
    pub(super) mode: Option<u32>,
    /// `ADD`
    pub(super) unpacks: bool,
}

type Done = Result<(), String>;

/// Tells what failed, with its cause.
fn at(path: &impl std::fmt::Display) -> impl Fn(SysError) -> String {
    let path = path.to_string();
    move |error| format!("copy {path}: {error}")
}

impl Placing<'_> {
    /// Copies everything.
    pub(super) fn place(&self, listing: &Listing) -> Done {
        for source in &listing.sources {
            if source.is_directory {
                self.directory(source)?;
            } else if let [entry] = &source.entries[..] {
                self.single(source, entry)?;
            }
        }
        Ok(())
    }

    fn owner_of(&self, entry: &Entry) -> (u32, u32) {
        self.owner.or(entry.owner).unwrap_or((0, 0))
    }

    /// Of what is made on the way.
    fn maker(&self) -> (u32, u32) {
        self.owner.unwrap_or((0, 0))
    }

    fn target(&self, error: &SysError) -> String {
        format!("make {}: {error}", self.destination.display())
    }

    /// What is in a directory goes below the destination.
    fn directory(&self, source: &Source) -> Done {
        let makes = Makes::Last(self.maker());
        let made = destination::directory(self.to, self.destination, makes);
        let (base, _) = made.map_err(|error| self.target(&error))?;
        let base = RootDir::new(base);
        let (mut parents, mut directories) = (None::<Parents>, Vec::new());
        for entry in &source.entries {
            let below = below(&entry.path, &source.path);
            let (parent, name) = below.split();
            if parents.as_ref().is_none_or(|known| known.path != parent) {
                parents = Some(self.parents(&base, entry, parent)?);
            }
            let Some(parents) = &parents else { continue };
            if entry.kind == Kind::Directory {
                make_directory(&parents.to, name).map_err(at(&entry.path))?;
                directories.push((below, entry));
            } else {
                self.leaf(entry, (&parents.from, name), (&parents.to, name))?;
            }
        }
        // Children first: a time would not survive later children.
        for (path, entry) in directories.iter().rev() {
            self.finish_directory(&base, path, entry)
                .map_err(at(&entry.path))?;
        }
        Ok(())
    }

    fn parents(&self, base: &RootDir, entry: &Entry, below: &[u8]) -> Result<Parents, String> {
        let from = PathBytes::new(entry.path.split().0);
        let from = self.from.open_dir_without_links(from.as_path());
        let to = base.open_dir_without_links(Path::new(OsStr::from_bytes(below)));
        Ok(Parents {
            path: below.to_vec(),
            from: from.map_err(at(&entry.path))?,
            to: to.map_err(at(&entry.path))?,
        })
    }

    fn finish_directory(&self, base: &RootDir, path: &PathBytes, entry: &Entry) -> SysResult<()> {
        let from = self.from.open_dir_without_links(entry.path.as_path())?;
        let to = base.open_dir_without_links(path.as_path())?;
        let here = OsStr::new(".");
        let (uid, gid) = self.owner_of(entry);
        to.chown(here, uid, gid)?;
        to.chmod(here, self.mode.unwrap_or(entry.mode))?;
        copy_kept_xattrs((&from, here), (&to, here))?;
        to.set_times(here, from.own_metadata()?.mtime())
    }

    /// One thing that is no directory.
    fn single(&self, source: &Source, entry: &Entry) -> Done {
        let (parent, name) = source.path.split();
        let parent = PathBytes::new(parent);
        let from = self.from.open_dir_without_links(parent.as_path());
        let from = from.map_err(at(&entry.path))?;
        if self.unpacks && matches!(entry.kind, Kind::File { .. }) {
            let file = archive(entry, (&from, name))?;
            if let Some(file) = file {
                return self.unpack(entry, file);
            }
        }
        let into = self.is_directory || destination::is_directory(self.to, self.destination);
        let path = if into {
            self.destination.join(source.name.split().1)
        } else {
            self.destination.to_owned()
        };
        let place = if into {
            // What is called so in it is replaced; a link there is no way out of it.
            let makes = Makes::All(self.maker());
            let made = destination::directory(self.to, self.destination, makes);
            made.map(|(dir, _)| (dir, source.name.split().1.to_owned()))
        } else {
            destination::file(self.to, &path, Makes::All(self.maker()))
        };
        let (to, new) = place.map_err(|error| self.target(&error))?;
        self.leaf(entry, (&from, name), (&to, &new))
    }

    /// Copies one thing and sees to it that it is what was listed.
    fn leaf(&self, entry: &Entry, from: (&Dir, &OsStr), to: (&Dir, &OsStr)) -> Done {
        let (to_dir, new) = to;
        let copy = || -> SysResult<Option<Kind>> {
            match to_dir.find(new)? {
                Some(found) if found.is_dir() => remove_tree(to_dir, new)?,
                Some(_) => to_dir.remove_file(new)?,
                None => {}
            }
            copy_entry(from.0, from.1, to_dir, new)?;
            let (uid, gid) = self.owner_of(entry);
            to_dir.chown(new, uid, gid)?;
            let is_link = matches!(entry.kind, Kind::Symlink { .. });
            if !is_link {
                to_dir.chmod(new, self.mode.unwrap_or(entry.mode))?;
            }
            // A change of the owner takes capabilities away.
            copy_kept_xattrs(from, to)?;
            Ok(match &entry.kind {
                Kind::File { .. } => match open_regular(to_dir, new)? {
                    Some((file, _)) => Some(content(file)?),
                    None => None,
                },
                Kind::Symlink { .. } => Some(Kind::Symlink {
                    target: PathBytes::new(to_dir.read_symlink(new)?.as_bytes()),
                }),
                Kind::Directory | Kind::Fifo => Some(entry.kind.clone()),
            })
        };
        let copied = copy().map_err(at(&entry.path))?;
        if copied.as_ref() == Some(&entry.kind) {
            return Ok(());
        }
        Err(format!("{}: it changed while it was copied", entry.path))
    }

    fn unpack(&self, entry: &Entry, file: File) -> Done {
        let makes = Makes::Last((0, 0));
        let made = destination::directory(self.to, self.destination, makes);
        made.map_err(|error| self.target(&error))?;
        let destination = Destination {
            root: self.to,
            dir: self.destination,
            name: None,
            owner: Owner::Archive,
            terms: Terms::Extract,
        };
        let placed = layer::place(file, &destination, &Limits::default(), &mut Unledgered);
        placed.map(drop).map_err(|error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            format!("unpack {}: {error}{cause}", entry.path)
        })
    }
}

/// The file, if it is an archive.
fn archive(entry: &Entry, from: (&Dir, &OsStr)) -> Result<Option<File>, String> {
    let opened = open_regular(from.0, from.1).map_err(at(&entry.path))?;
    let Some((file, _)) = opened else {
        return Ok(None);
    };
    let mut beginning = Vec::new();
    let read = (&file).take(BEGINNING).read_to_end(&mut beginning);
    read.map_err(|error| format!("read {}: {error}", entry.path))?;
    if !begins_archive(&beginning[..], &Limits::default()) {
        return Ok(None);
    }
    let rewind = |mut file: &File| file.rewind();
    rewind(&file).map_err(|error| format!("read {}: {error}", entry.path))?;
    Ok(Some(file))
}

/// The directories of the last entry.
struct Parents {
    path: Vec<u8>,
    from: Dir,
    to: Dir,
}

fn below(path: &PathBytes, top: &PathBytes) -> PathBytes {
    let below = path.as_path().strip_prefix(top.as_path());
    let below = below.map_or_else(|_| path.as_path().to_owned(), PathBuf::from);
    PathBytes::new(below.as_os_str().as_bytes())
}

/// One that is there stays; anything else of its name, a link too, makes room.
fn make_directory(parent: &Dir, name: &OsStr) -> SysResult<()> {
    match parent.find(name)? {
        Some(found) if found.is_dir() => return Ok(()),
        Some(_) => parent.remove_file(name)?,
        None => {}
    }
    parent.make_dir(name, 0o700)
}

fn copy_kept_xattrs(from: (&Dir, &OsStr), to: (&Dir, &OsStr)) -> SysResult<()> {
    for key in xattr::list(from.0, from.1)? {
        let name = OsStr::from_bytes(&key);
        if is_kept(&key)
            && let Some(value) = xattr::get(from.0, from.1, name)?
        {
            match xattr::set(to.0, to.1, name, &value) {
                Err(error) if error.errno() == Some(nix::errno::Errno::EOPNOTSUPP) => {}
                done => done?,
            }
        }
    }
    Ok(())
}
