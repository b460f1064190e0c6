//! `Bundle`: named bytes of an image somebody gave us, in a directory or in a tar.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{Error, Offered, archive, both, docker_archive, oci_layout};
use crate::{
    ident::Digest,
    sys::{At as _, FileKind, RootDir, SysError, metadata_of},
};

/// An opened image source.
#[derive(Debug)]
pub struct Bundle {
    /// For messages.
    shown: String,
    /// Names its images get where only a tag is given.
    stem: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(RootDir),
    Tar {
        file: File,
        members: HashMap<String, archive::Found>,
    },
}

/// Where a member's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the bundle.
    pub name: String,
    /// Bytes.
    pub size: u64,
    offset: u64,
}

impl Bundle {
    /// Opens a directory or a seekable, uncompressed tar.
    ///
    /// What comes through a pipe or is compressed is written to `spool` first.
    pub fn open(path: &Path, spool: impl FnOnce() -> Result<File, Error>) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let failed = |source| Error::Open {
            what: path.display().to_string(),
            source,
        };
        let file = File::open(path)
            .at("open", || shown.clone())
            .map_err(failed)?;
        let metadata = metadata_of(&file).map_err(failed)?;
        let stem = stem(path);
        if metadata.is_dir() {
            let place = Place::Directory(RootDir::open(path).map_err(failed)?);
            return Ok(Self { shown, stem, place });
        }
        let seekable = metadata.kind() == FileKind::File;
        Self::from_file(file, seekable, (shown, stem), spool)
    }

    /// Reads a tar from a stream.
    pub fn from_stream(
        stream: File,
        spool: impl FnOnce() -> Result<File, Error>,
    ) -> Result<Self, Error> {
        Self::from_file(
            stream,
            false,
            ("standard input".to_owned(), "image".to_owned()),
            spool,
        )
    }

    fn from_file(
        file: File,
        seekable: bool,
        (shown, stem): (String, String),
        spool: impl FnOnce() -> Result<File, Error>,
    ) -> Result<Self, Error> {
        let file = archive::plain_tar(file, seekable, &shown, spool)?;
        let members = archive::index(&file, &shown)?;
        Ok(Self {
            shown,
            stem,
            place: Place::Tar { file, members },
        })
    }

    /// For messages.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A name for images that bring only a tag.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// Every image in it, checked as far as possible without reading layers.
    pub fn offered(&self) -> Result<Vec<Offered>, Error> {
        let has_listing = self.find("manifest.json")?.is_some();
        let has_layout = self.find("index.json")?.is_some() || self.find("oci-layout")?.is_some();
        if has_listing && has_layout {
            both::offered(self)
        } else if has_listing {
            docker_archive::offered(self)
        } else if has_layout {
            oci_layout::offered(self)
        } else {
            Err(Error::NotAnImage {
                what: self.shown.clone(),
            })
        }
    }

    /// Finds a member; links inside the bundle are followed.
    pub(super) fn find(&self, name: &str) -> Result<Option<Member>, Error> {
        let failed = |source| Error::Open {
            what: name.to_owned(),
            source,
        };
        match &self.place {
            Place::Directory(root) => match root.open_file(Path::new(name)) {
                Ok(file) => {
                    let metadata = metadata_of(&file).map_err(failed)?;
                    let is_file = metadata.kind() == FileKind::File;
                    let member = Member {
                        name: name.to_owned(),
                        size: metadata.size(),
                        offset: 0,
                    };
                    Ok(is_file.then_some(member))
                }
                Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => Ok(None),
                Err(error) => Err(failed(error)),
            },
            Place::Tar { members, .. } => {
                let found = archive::resolve(members, name);
                let member = |(offset, size)| Member {
                    name: name.to_owned(),
                    size,
                    offset,
                };
                Ok(found.map(member))
            }
        }
    }

    /// A member that must be there.
    pub(super) fn get(&self, name: &str) -> Result<Member, Error> {
        self.find(name)?.ok_or_else(|| Error::Missing {
            member: name.to_owned(),
        })
    }

    /// Reads a small document.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let member = self.get(name)?;
        if member.size > limit {
            return Err(Error::TooLarge {
                what: name.to_owned(),
                limit,
            });
        }
        let mut bytes = Vec::new();
        self.open_member(&member)?
            .read_to_end(&mut bytes)
            .at("read", || name)
            .map_err(|source| Error::Open {
                what: name.to_owned(),
                source,
            })?;
        Ok(bytes)
    }

    /// Reads a small document and verifies it.
    pub(super) fn read_blob(
        &self,
        digest: Digest,
        size: u64,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let name = blob_path(digest);
        let bytes = self.read(&name, limit)?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(Error::Digest {
                what: name,
                wanted: digest,
                found,
            });
        }
        check_size(&name, size, bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Opens a member for reading from its start.
    pub fn open_member(&self, member: &Member) -> Result<impl Read + Send + use<>, Error> {
        let failed = |source: SysError| Error::Open {
            what: member.name.clone(),
            source,
        };
        let mut file = match &self.place {
            Place::Directory(root) => root.open_file(Path::new(&member.name)).map_err(failed)?,
            Place::Tar { file, .. } => archive::reopen(file).map_err(failed)?,
        };
        file.seek(SeekFrom::Start(member.offset))
            .at("lseek", || member.name.clone())
            .map_err(failed)?;
        Ok(file.take(member.size))
    }
}

/// A blob's place in an OCI layout.
pub(super) fn blob_path(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A descriptor's size must be the blob's (image-spec descriptor.md, "size").
pub(super) fn check_size(what: &str, wanted: u64, found: u64) -> Result<(), Error> {
    if wanted == found {
        return Ok(());
    }
    let why = format!("it has {found} bytes, its descriptor says {wanted}");
    Err(Error::Malformed {
        what: what.to_owned(),
        why,
    })
}

/// `three-layers` of `/x/three-layers.oci.tar.gz`, fit for a reference.
fn stem(path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    let name = full
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase());
    let name = name.unwrap_or_default();
    let name = name.split(".tar").next().unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "image".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_fit_for_references() {
        for (path, wanted) in [
            ("/x/three-layers.tar.gz", "three-layers"),
            ("/x/Alpine_3.20.tar", "alpine-3-20"),
            ("/x/한글", "image"),
            ("alpine", "alpine"),
        ] {
            assert_eq!(stem(Path::new(path)), wanted);
        }
    }
}
