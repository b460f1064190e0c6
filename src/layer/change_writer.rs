//! What of an upper dir becomes one entry of a changeset.

use std::{collections::HashMap, ffi::OsStr, fs::File, io::Write, os::unix::ffi::OsStrExt as _};

use tar::EntryType;

use super::{
    Error, PathBytes, Remarks, TarWriter,
    draft::{Draft, On as _},
    file_parts::FileParts,
    marks::Attributes,
    tar_writer::Buffered,
    whiteout,
};
use crate::sys::{At as _, Dir, FileKind, Metadata, TimeSpec, metadata_of, open_regular};

/// A name in an open directory, and what it is called in the layer.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) dir: &'a Dir,
    pub(super) name: &'a OsStr,
    pub(super) path: &'a PathBytes,
}

/// Who is told of changes: each is one entry of a layer.
pub(super) trait ChangeSink {
    /// The path of the layers below is hidden.
    fn whiteout(&mut self, path: &PathBytes) -> Result<(), Error>;

    /// What the layers below have in the directory is hidden.
    fn opaque(&mut self, path: &PathBytes) -> Result<(), Error>;

    /// A directory, without what is in it.
    fn directory(
        &mut self,
        path: &PathBytes,
        found: &Metadata,
        attributes: &Attributes,
    ) -> Result<(), Error>;

    /// A file. Its bytes are those of `data` where that is another one.
    fn file(&mut self, subject: Subject<'_>, data: Option<&File>) -> Result<(), Error>;

    /// Anything that is neither a directory nor a file.
    fn node(&mut self, subject: Subject<'_>, found: &Metadata) -> Result<(), Error>;

    /// Something is not as it is in the tree.
    fn remark(&mut self, line: String);
}

/// The names of an inode.
struct Names {
    first: PathBytes,
    /// How many there are that have not been written.
    missing: u64,
}

pub(super) struct ChangeWriter<W: Write> {
    out: TarWriter<Buffered<W>>,
    /// Inodes that have several names.
    links: HashMap<(u64, u64), Names>,
    /// Later times become this one.
    latest: Option<TimeSpec>,
    remarks: Remarks,
}

impl<W: Write> ChangeWriter<W> {
    pub(super) fn new(out: W, latest: Option<TimeSpec>) -> Self {
        Self {
            out: TarWriter::new(out),
            links: HashMap::new(),
            latest,
            remarks: Remarks::default(),
        }
    }

    pub(super) fn finish(mut self) -> Result<Remarks, Error> {
        self.out.finish().on(&PathBytes::default())?;
        // Only a directory that overlayfs renamed has files of the layers below in it: some of their
        // names may be elsewhere, where nothing changed.
        let split = self.links.into_values().filter(|names| names.missing > 0);
        let mut split: Vec<_> = split.map(|names| names.first).collect();
        split.sort();
        for path in split {
            let line = format!("{path}: is no longer the same file as its other names below");
            self.remarks.add(line);
        }
        Ok(self.remarks)
    }

    /// An empty file whose name is the message.
    fn mark(&mut self, parent: &PathBytes, name: &[u8]) -> Result<(), Error> {
        let path = parent.join(OsStr::from_bytes(name));
        let mut draft = Draft::new(EntryType::Regular, path.as_bytes());
        draft.metadata(0o600, (0, 0), TimeSpec::default());
        self.out.header(&draft).on(parent)
    }

    /// Writes a hard link where this inode was written before under another name.
    fn linked(&mut self, found: &Metadata, path: &PathBytes) -> Result<bool, Error> {
        let known = self.links.get_mut(&(found.dev(), found.ino()));
        let Some(names) = known.filter(|_| found.nlink() > 1) else {
            return Ok(false);
        };
        names.missing = names.missing.saturating_sub(1);
        let first = names.first.clone();
        let mut draft = self.draft(EntryType::Link, path.as_bytes(), found);
        draft.link(first.as_bytes());
        self.out.header(&draft).on(path)?;
        Ok(true)
    }

    fn remember(&mut self, found: &Metadata, path: &PathBytes) {
        if found.nlink() > 1 {
            let names = Names {
                first: path.clone(),
                missing: found.nlink() - 1,
            };
            self.links.insert((found.dev(), found.ino()), names);
        }
    }

    fn draft(&self, kind: EntryType, text: &[u8], found: &Metadata) -> Draft {
        let mut draft = Draft::new(kind, text);
        let time = found.mtime();
        let time = self.latest.map_or(time, |latest| time.min(latest));
        draft.metadata(found.mode(), (found.uid(), found.gid()), time);
        draft
    }
}

impl<W: Write> ChangeSink for ChangeWriter<W> {
    fn whiteout(&mut self, path: &PathBytes) -> Result<(), Error> {
        let (parent, name) = path.split();
        let hidden = [whiteout::PREFIX, name.as_bytes()].concat();
        self.mark(&PathBytes::new(parent), &hidden)
    }

    fn opaque(&mut self, path: &PathBytes) -> Result<(), Error> {
        self.mark(path, whiteout::OPAQUE)
    }

    fn directory(
        &mut self,
        path: &PathBytes,
        found: &Metadata,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let name = if path.is_root() {
            b"."
        } else {
            path.as_bytes()
        };
        let text = [name, b"/"].concat();
        let mut draft = self.draft(EntryType::Directory, &text, found);
        draft.xattrs(&attributes.kept);
        self.out.header(&draft).on(path)
    }

    fn file(&mut self, subject: Subject<'_>, data: Option<&File>) -> Result<(), Error> {
        let Subject { dir, name, path } = subject;
        let Some((file, found)) = open_regular(dir, name).on(path)? else {
            self.remarks
                .add(format!("{path}: replaced while it was copied"));
            return Ok(());
        };
        if self.linked(&found, path)? {
            return Ok(());
        }
        let attributes = Attributes::of_file(&file).on(path)?;
        let mut draft = self.draft(EntryType::Regular, path.as_bytes(), &found);
        draft.xattrs(&attributes.kept);
        let size = found.size();
        let mut parts = FileParts::exact(data.unwrap_or(&file), size).on(path)?;
        if parts.has_holes() {
            draft.sparse(path.as_bytes(), size);
        }
        if let Some(holes) = parts.holes() {
            draft.holes(holes);
        }
        let stored = parts.stored();
        draft.header.set_size(stored);
        self.out.member(&draft, stored, &mut parts).on(path)?;
        self.remember(&found, path);
        let (filled, now) = (parts.end(), metadata_of(&file).on(path)?);
        if filled > 0 {
            let line = format!("{path}: shrank while it was copied, {filled} bytes are zeros");
            self.remarks.add(line);
        } else if now.size() > size {
            let line = format!("{path}: grew while it was copied, cut off at {size} bytes");
            self.remarks.add(line);
        } else if now.mtime() != found.mtime() {
            self.remarks
                .add(format!("{path}: changed while it was copied"));
        }
        Ok(())
    }

    fn node(&mut self, subject: Subject<'_>, found: &Metadata) -> Result<(), Error> {
        let Subject { dir, name, path } = subject;
        let kind = match found.kind() {
            FileKind::File | FileKind::Directory => return Ok(()),
            FileKind::Socket => {
                self.remarks.add(format!("{path}: sockets are left out"));
                return Ok(());
            }
            FileKind::Symlink => EntryType::Symlink,
            FileKind::CharDevice => EntryType::Char,
            FileKind::BlockDevice => EntryType::Block,
            FileKind::Fifo => EntryType::Fifo,
        };
        if self.linked(found, path)? {
            return Ok(());
        }
        let mut draft = self.draft(kind, path.as_bytes(), found);
        draft.xattrs(&Attributes::of(dir, name).on(path)?.kept);
        match found.kind() {
            FileKind::Symlink => draft.link(dir.read_symlink(name).on(path)?.as_bytes()),
            FileKind::CharDevice | FileKind::BlockDevice => {
                let device = draft.device(found.rdev());
                device.at("write", || "device number").on(path)?;
            }
            FileKind::File | FileKind::Directory | FileKind::Fifo | FileKind::Socket => {}
        }
        self.out.header(&draft).on(path)?;
        self.remember(found, path);
        Ok(())
    }

    fn remark(&mut self, line: String) {
        self.remarks.add(line);
    }
}
