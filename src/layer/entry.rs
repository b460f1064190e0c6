//! `LayerEntry`: a frame that was understood and checked.
//!
//! Pure. Everything hostile that can be told from one header dies here.

use serde::{Deserialize, Serialize};
use tar::Header;

use super::{
    Error, Limits, PathBytes,
    frame::Frame,
    number,
    path::Fault,
    sparse::SparseMap,
    whiteout::{self, Meaning},
};
use crate::sys::{FileKind, TimeSpec};

/// Owner, mode, time and extended attributes of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntryMetadata {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since the epoch and nanoseconds.
    pub mtime: (i64, i64),
    /// Names and values of the attributes that are kept, in order of the names.
    pub xattrs: Vec<(PathBytes, Vec<u8>)>,
}

impl EntryMetadata {
    pub(super) fn time(&self) -> TimeSpec {
        TimeSpec {
            seconds: self.mtime.0,
            nanoseconds: self.mtime.1,
        }
    }

    /// What it costs to remember this.
    pub(super) fn weight(&self) -> u64 {
        let bytes = self
            .xattrs
            .iter()
            .map(|(name, value)| name.as_bytes().len() + value.len());
        bytes.sum::<usize>() as u64 + size_of::<Self>() as u64
    }
}

/// One change that a layer makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LayerEntry {
    /// What is made or hidden; the root is empty.
    pub(super) path: PathBytes,
    pub(super) change: Change,
    pub(super) metadata: EntryMetadata,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Directory,
    File {
        size: u64,
        sparse: Option<SparseMap>,
    },
    Symlink(Vec<u8>),
    HardLink(PathBytes),
    Node {
        kind: FileKind,
        device: (u64, u64),
    },
    /// Hides the path of the layers below.
    Whiteout,
    /// Hides what the layers below have in the directory.
    Opaque,
    /// Nothing to do.
    Skipped,
}

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A changeset: some names hide others.
    Layer,
    /// Just files: every name is a name, and the top may be anything.
    Plain,
    /// Files with all that belongs to them: what only root can read, too.
    Backup,
}

/// Understands one frame.
pub(super) fn read(frame: &Frame, limits: &Limits, dialect: Dialect) -> Result<LayerEntry, Error> {
    let reader = Reader {
        frame,
        limits,
        dialect,
        name: PathBytes::new(frame.name.clone()),
    };
    let path = reader.path(&frame.name)?;
    let (path, change) = match reader.meaning(&path) {
        Meaning::Bad => return Err(reader.malformed("invalid whiteout")),
        Meaning::Ignored => (path, Change::Skipped),
        Meaning::Opaque(directory) => (directory, Change::Opaque),
        Meaning::Whiteout(hidden) => (hidden, Change::Whiteout),
        Meaning::Plain => {
            let change = reader.change()?;
            (path, change)
        }
    };
    let is_layer = dialect == Dialect::Layer;
    if is_layer && path.is_root() && !matches!(change, Change::Directory | Change::Opaque) {
        return Err(reader.malformed("the layer's root can only be a directory"));
    }
    let metadata = match change {
        Change::Whiteout | Change::Opaque | Change::Skipped => EntryMetadata::default(),
        Change::Directory
        | Change::File { .. }
        | Change::Symlink(_)
        | Change::HardLink(_)
        | Change::Node { .. } => reader.metadata()?,
    };
    Ok(LayerEntry {
        path,
        change,
        metadata,
    })
}

struct Reader<'a> {
    frame: &'a Frame,
    limits: &'a Limits,
    dialect: Dialect,
    name: PathBytes,
}

impl Reader<'_> {
    fn meaning(&self, path: &PathBytes) -> Meaning {
        match self.dialect {
            Dialect::Layer => whiteout::meaning(path),
            Dialect::Plain | Dialect::Backup => Meaning::Plain,
        }
    }

    fn path(&self, raw: &[u8]) -> Result<PathBytes, Error> {
        PathBytes::parse(raw, self.limits).map_err(|fault| {
            let entry = self.name.clone();
            let limit = |what, limit: usize| Error::Limit {
                entry: entry.clone(),
                what,
                limit: limit as u64,
            };
            match fault {
                Fault::Escape => Error::Escape { entry },
                Fault::Empty => self.malformed("empty name"),
                Fault::Nul => self.malformed("NUL byte in a name"),
                Fault::Name => limit("bytes of a name", self.limits.name_bytes),
                Fault::Path => limit("bytes of a path", self.limits.path_bytes),
                Fault::Depth => limit("directories deep", self.limits.depth),
            }
        })
    }

    fn change(&self) -> Result<Change, Error> {
        let frame = self.frame;
        // Of the file's bytes, which are all here, some need no room.
        let full = || {
            let holes = frame.pax.holes.as_deref()?;
            SparseMap::full(frame.size, holes)
        };
        let file = || Change::File {
            size: frame.sparse.as_ref().map_or(frame.size, |map| map.size),
            sparse: frame.sparse.clone().or_else(full),
        };
        Ok(match frame.flag {
            // v7 had no type for directories.
            b'0' | 0 if frame.name.ends_with(b"/") && frame.size == 0 => Change::Directory,
            b'0' | 0 | b'7' | b'S' if frame.name.ends_with(b"/") => {
                return Err(self.malformed("a file's name ends with a slash"));
            }
            b'0' | 0 | b'7' | b'S' => file(),
            b'1' => Change::HardLink(self.link_target()?),
            b'2' => Change::Symlink(self.symlink_target()?),
            b'3' => self.device(FileKind::CharDevice)?,
            b'4' => self.device(FileKind::BlockDevice)?,
            b'5' | b'D' => Change::Directory,
            b'6' => Change::Node {
                kind: FileKind::Fifo,
                device: (0, 0),
            },
            flag => {
                let kind = format!("'{}'", flag.escape_ascii());
                return Err(Error::Unsupported {
                    entry: self.name.clone(),
                    kind,
                });
            }
        })
    }

    fn link_target(&self) -> Result<PathBytes, Error> {
        let target = self.path(&self.frame.link)?;
        if target.is_root() {
            return Err(self.malformed("hard link to the layer's root"));
        }
        if self.meaning(&target) != Meaning::Plain {
            return Err(self.malformed("hard link to a whiteout"));
        }
        Ok(target)
    }

    fn symlink_target(&self) -> Result<Vec<u8>, Error> {
        let target = &self.frame.link;
        if target.is_empty() || target.contains(&0) {
            return Err(self.malformed("symbolic link to nothing"));
        }
        Ok(target.clone())
    }

    fn device(&self, kind: FileKind) -> Result<Change, Error> {
        let header = &self.frame.header;
        let fields = if let Some(ustar) = header.as_ustar() {
            (&ustar.dev_major, &ustar.dev_minor)
        } else if let Some(gnu) = header.as_gnu() {
            (&gnu.dev_major, &gnu.dev_minor)
        } else {
            return Err(self.malformed("device without a number"));
        };
        // The kernel keeps 12 and 20 bits (mknod(2)); more would silently be another device.
        let part = |field: &[u8], bits: u32| {
            let number = number::field(field).and_then(|number| u64::try_from(number).ok());
            number
                .filter(|number| *number < 1 << bits)
                .ok_or_else(|| self.malformed("device number out of range"))
        };
        let device = (part(fields.0, 12)?, part(fields.1, 20)?);
        // overlayfs would take it for a whiteout anyway.
        let is_layer = self.dialect == Dialect::Layer;
        if is_layer && kind == FileKind::CharDevice && device == (0, 0) {
            return Ok(Change::Whiteout);
        }
        Ok(Change::Node { kind, device })
    }

    fn metadata(&self) -> Result<EntryMetadata, Error> {
        let (frame, old) = (self.frame, self.frame.header.as_old());
        let mode =
            number::field(&old.mode).ok_or_else(|| self.malformed("mode is not a number"))?;
        let mtime = match frame.pax.mtime {
            Some(time) => (time.seconds, time.nanoseconds),
            None => (self.header_time(&frame.header)?, 0),
        };
        Ok(EntryMetadata {
            mode: u32::try_from(mode & 0o7777).unwrap_or(0),
            uid: self.id(frame.pax.uid, &old.uid)?,
            gid: self.id(frame.pax.gid, &old.gid)?,
            mtime,
            xattrs: self.xattrs()?,
        })
    }

    fn header_time(&self, header: &Header) -> Result<i64, Error> {
        let time = number::field(&header.as_old().mtime);
        let time = time.ok_or_else(|| self.malformed("mtime is not a number"))?;
        let clamped = time.clamp(i64::MIN.into(), i64::MAX.into());
        Ok(i64::try_from(clamped).unwrap_or(0))
    }

    /// A user or group id; 2^32-1 means "leave as it is" to chown(2) and nothing else.
    fn id(&self, pax: Option<u64>, field: &[u8]) -> Result<u32, Error> {
        let id = match pax {
            Some(id) => Some(i128::from(id)),
            None => number::field(field),
        };
        let id = id.and_then(|id| u32::try_from(id).ok());
        id.filter(|id| *id != u32::MAX)
            .ok_or_else(|| self.malformed("user or group id out of range"))
    }

    fn xattrs(&self) -> Result<Vec<(PathBytes, Vec<u8>)>, Error> {
        let mut kept = Vec::new();
        for (name, value) in &self.frame.pax.xattrs {
            if !is_kept(name, self.dialect) {
                continue;
            }
            if value.len() > self.limits.xattr_bytes || name.len() > 255 {
                let what = "bytes of an extended attribute";
                let limit = self.limits.xattr_bytes as u64;
                return Err(Error::Limit {
                    entry: self.name.clone(),
                    what,
                    limit,
                });
            }
            kept.push((PathBytes::new(name.clone()), value.clone()));
        }
        Ok(kept)
    }

    fn malformed(&self, why: &'static str) -> Error {
        Error::Malformed {
            entry: self.name.clone(),
            why: why.into(),
        }
    }
}

/// Whether an attribute of this name may come from a stranger and go into a tree.
///
/// Not the host's labels (`security.selinux`, `security.ima`), and never what overlayfs obeys:
/// `trusted.overlay.redirect` shows files from elsewhere, `.opaque` hides the layers below. What
/// begins with `user.overlay.` is only obeyed in a layer.
pub(super) fn is_kept(name: &[u8], dialect: Dialect) -> bool {
    match name {
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => true,
        _ if name.starts_with(b"user.overlay.") => dialect != Dialect::Layer,
        _ if name.starts_with(b"trusted.overlay.") => false,
        _ if name.starts_with(b"trusted.") => dialect == Dialect::Backup && name.len() > 8,
        _ => name.starts_with(b"user.") && name.len() > 5,
    }
}
