//! `save`: images as a file or directory that other engines read.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use super::{
    CopyError, Engine, Error,
    containers::failed,
    copy::host,
    copy_out::standard_output,
    copy_rule::Typed,
    copy_stream::{Signals, Watched},
    export::output_place,
};
use crate::{
    ident::Reference,
    image::{self, Images, SaveFormat, SaveTarget, Saved},
    layer::{self, Encoding, Sink, TarWriter},
    store::{Place, lease_place},
    sys::{
        At as _, Dir, NewFile, Result as SysResult, RootDir, SysError, process, remove_tree, sync,
    },
};

/// What `save` was asked to do.
#[derive(Debug, Clone)]
pub struct SaveRequest {
    /// Names, ids, or a repository for all names in it.
    pub images: Vec<String>,
    /// The form of the archive.
    pub format: SaveFormat,
    /// What the archive is compressed with.
    pub encoding: Encoding,
}

/// Large enough that a call costs less than what it moves.
const BUFFER: usize = 1 << 18;

impl Engine {
    /// Writes an archive of images to standard output.
    pub fn save(&self, request: &SaveRequest) -> Result<(), Error> {
        let signals = Signals::catch()?;
        let out = Watched::shared(standard_output()?, &signals);
        let written = self.write_archive(request, out, &signals);
        written.map_err(|error| or_interrupted(error, &signals))
    }

    /// The same into a file, which is replaced when the archive is whole and on disk.
    pub fn save_to(&self, request: &SaveRequest, path: &OsStr) -> Result<(), Error> {
        let (root, here) = host()?;
        let to = Typed::new(&here, path);
        let (dir, name) = output_place(&root, &to, "save image")?;
        let fails = |source| failed("write archive", source);
        let signals = Signals::catch()?;
        let new = NewFile::begin(dir, &name).map_err(fails)?;
        let written = (|| {
            let own = new.file().try_clone().at("dup", || "").map_err(fails)?;
            self.write_archive(request, Watched::shared(own, &signals), &signals)?;
            new.publish(true).map_err(fails)
        })();
        written.map_err(|error| or_interrupted(error, &signals))
    }

    /// Writes an OCI layout as a directory, which is there when it is whole and on disk; an empty
    /// one may be there already.
    pub fn save_layout(&self, images: &[String], path: &OsStr) -> Result<(), Error> {
        let (root, here) = host()?;
        let to = Typed::new(&here, path);
        let fails = |source| failed(&format!("write OCI layout {}", path.display()), source);
        let (dir, name) = layout_place(&root, &to).map_err(fails)?;
        let signals = Signals::catch()?;
        let fresh = unfinished(&name);
        dir.make_dir(&fresh, 0o755).map_err(fails)?;
        let written = (|| {
            let layout = dir.open_dir(&fresh).map_err(fails)?;
            let mut target = DirTarget {
                root: RootDir::new(layout.try_clone().map_err(fails)?),
                signals: &signals,
            };
            self.with_wanted(images, |store, wanted| {
                Ok(image::save_layout(store, wanted, &mut target)?)
            })?;
            sync::file_system(&layout).map_err(fails)?;
            // Takes the place of an empty directory, and of nothing else (rename(2)).
            let named = dir.rename(&fresh, &dir, &name);
            named.and_then(|()| sync::directory(&dir)).map_err(fails)
        })();
        if written.is_err() {
            remove_tree(&dir, &fresh).ok();
        }
        written.map_err(|error| or_interrupted(error, &signals))
    }

    fn write_archive(
        &self,
        request: &SaveRequest,
        out: impl Write,
        signals: &Signals,
    ) -> Result<(), Error> {
        self.with_wanted(&request.images, |images, wanted| {
            self.write_images((images, wanted), request, out, signals)
        })
    }

    /// Finds images, which stay meanwhile; removals need not wait for a slow reader.
    fn with_wanted(
        &self,
        texts: &[String],
        write: impl FnOnce(&Images<'_>, &[Saved]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        process::raise_file_limit();
        let images = self.images()?;
        let lease = lease_place(self.store(), Place::Layers, false)?;
        let wanted = wanted(&images, texts)?;
        let held = wanted
            .iter()
            .map(|saved| self.held_record(saved.record.clone()));
        let held = held.collect::<Result<Vec<_>, _>>()?;
        drop(lease);
        let written = write(&images, &wanted);
        let released = self.release(held);
        written.and(released)
    }

    fn write_images(
        &self,
        (images, wanted): (&Images<'_>, &[Saved]),
        request: &SaveRequest,
        out: impl Write,
        signals: &Signals,
    ) -> Result<(), Error> {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        if request.encoding == Encoding::None {
            write_tar(images, wanted, request.format, &mut out)?;
        } else {
            let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
            let write = |out: &mut layer::Pieces| write_tar(images, wanted, request.format, out);
            let (made, written) = layer::encode(request.encoding, cores, write, &mut out)
                .map_err(|source| failed("write archive", source))?;
            written.map_err(|error| write_failed(&error))?;
            made?;
        }
        out.flush().map_err(|error| write_failed(&error))?;
        drop(out);
        for saved in wanted {
            let name = saved.names.first().map(Reference::familiar);
            self.tell_image("save", &saved.record.id, name.as_deref());
        }
        match signals.interrupted() {
            Some(interrupted) => Err(interrupted.into()),
            None => Ok(()),
        }
    }
}

/// Each image once, with all names that it was asked for by, in the order of the request.
fn wanted(images: &Images<'_>, texts: &[String]) -> Result<Vec<Saved>, Error> {
    let names = images.names()?;
    let mut wanted: Vec<Saved> = Vec::new();
    for text in texts {
        let parsed = text.parse::<Reference>().ok();
        let is_named = |(name, _): &(&Reference, &_)| match &parsed {
            Some(asked) if is_repository(text) => {
                name.familiar_repository() == asked.familiar_repository()
            }
            Some(asked) => *name == asked,
            None => false,
        };
        let found: Vec<_> = names.iter().filter(is_named).collect();
        if found.is_empty() {
            add(&mut wanted, images.resolve(text)?, None);
        }
        for (name, manifest) in found {
            let record = images.find(*manifest)?;
            let missing = || image::Error::NotFound { name: text.clone() };
            add(&mut wanted, record.ok_or_else(missing)?, Some(name));
        }
    }
    Ok(wanted)
}

fn add(wanted: &mut Vec<Saved>, record: image::ImageRecord, name: Option<&Reference>) {
    let known = wanted
        .iter()
        .position(|saved| saved.record.manifest == record.manifest);
    let number = known.unwrap_or_else(|| {
        let names = Vec::new();
        wanted.push(Saved { record, names });
        wanted.len() - 1
    });
    let names = &mut wanted[number].names;
    names.extend(name.filter(|name| !names.contains(name)).cloned());
}

/// A name without tag and digest means every tag.
fn is_repository(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or(text);
    !last.contains(':') && !text.contains('@')
}

fn write_tar(
    images: &Images<'_>,
    wanted: &[Saved],
    format: SaveFormat,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut target = TarTarget(TarWriter::new(out));
    image::save(images, wanted, format, &mut target)?;
    let ended = target.0.finish();
    ended.map_err(|source| failed("write archive", source))
}

fn write_failed(error: &io::Error) -> Error {
    failed("write archive", SysError::from_io("write", "", error))
}

/// A signal makes the next write fail.
fn or_interrupted(error: Error, signals: &Signals) -> Error {
    signals.interrupted().map_or(error, CopyError::into)
}

/// `.NAME.cowshed-save-PID`: so that what a killed process left is known for what it is.
fn unfinished(name: &OsStr) -> OsString {
    let mut fresh = OsString::from(".");
    // Room for the rest: a name has at most 255 bytes.
    let name = name.as_encoded_bytes();
    let name = &name[..name.len().min(200)];
    fresh.push(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
    fresh.push(format!(".cowshed-save-{}", std::process::id()));
    fresh
}

/// The directory that the layout is made in, and its name there.
fn layout_place(root: &RootDir, to: &Typed) -> SysResult<(Dir, OsString)> {
    let path = to.clean.as_path();
    let refuse = |errno| SysError::new("mkdir", path.display().to_string(), errno);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refuse(nix::errno::Errno::EEXIST));
    };
    let dir = root.open_dir(parent)?;
    match dir.find(name)? {
        None => {}
        // rename(2) would say the same, after all the work.
        Some(found) if found.is_dir() && dir.open_own_dir(name)?.entries()?.is_empty() => {}
        Some(found) if found.is_dir() => return Err(refuse(nix::errno::Errno::ENOTEMPTY)),
        Some(_) => return Err(refuse(nix::errno::Errno::EEXIST)),
    }
    Ok((dir, name.to_owned()))
}

struct TarTarget<S>(TarWriter<S>);

impl<S: Sink> SaveTarget for TarTarget<S> {
    fn directory(&mut self, name: &str) -> SysResult<()> {
        self.0.directory(name.as_bytes())
    }

    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> SysResult<()> {
        self.0.file(name.as_bytes(), size, data)
    }
}

struct DirTarget<'a> {
    root: RootDir,
    signals: &'a Signals,
}

impl SaveTarget for DirTarget<'_> {
    fn directory(&mut self, name: &str) -> SysResult<()> {
        self.root.make_dirs(Path::new(name), 0o755).map(drop)
    }

    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> SysResult<()> {
        let path = Path::new(name);
        let parent = path.parent().unwrap_or(path);
        let (dir, file_name) = (self.root.open_dir(parent)?, path.file_name());
        let file: File = dir.create_file(file_name.unwrap_or_default(), 0o644)?;
        let mut out = BufWriter::with_capacity(BUFFER, Watched::shared(file, self.signals));
        let copied = io::copy(&mut data.take(size), &mut out).at("write", || name)?;
        out.flush().at("write", || name)?;
        if copied < size {
            let short = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(SysError::from_io("read", name, &short));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_the_repository() {
        for text in ["alpine", "localhost:5000/a/b", "a/b"] {
            assert!(is_repository(text), "{text}");
        }
        for text in ["alpine:1", "localhost:5000/a:x", "a@sha256:00"] {
            assert!(!is_repository(text), "{text}");
        }
    }
}
