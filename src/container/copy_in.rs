//! From the host into a container.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Read as _, Write as _},
    os::fd::AsFd as _,
    path::Path,
};

use nix::errno::Errno;

use super::{
    CopyError, CopyReport, Copying, Engine, Error,
    containers::failed,
    copy::{Answer, hear, host, inside, tell},
    copy_find::{self, Source},
    copy_reach::{Extent, Reach, shown},
    copy_rule::{self, Found, Placement, Typed},
    copy_stream::{Signals, Watched},
};
use crate::{
    layer::{
        self, CopyForm, Destination, Dialect, Limits, Owner, Remarks, Terms, Unledgered, pack_copy,
    },
    sys::{Dir, Flow, Piped, RootDir, is_read_only, process},
};

/// What the process beside the container knows.
struct Incoming<'a> {
    container: &'a str,
    destination: &'a OsStr,
    typed: Typed,
    /// How the source was typed and whether it is a directory; none for a stream.
    source: Option<(Typed, bool)>,
}

impl Engine {
    pub(super) fn copy_in(
        &self,
        source: Option<&OsStr>,
        (container, destination): (&str, &OsStr),
        how: Copying,
    ) -> Result<CopyReport, Error> {
        let found = self.container(container)?;
        if !found.status.is_live() {
            super::unkept::refuse_ephemeral("copy into", &found.record)?;
        }
        let id = found.record.id;
        let reach = || self.reach(container, Extent::Everything);
        let copied = copy_into(reach, source, (container, destination), how);
        self.unless_removed((container, &id), copied)
    }
}

/// Copies into a container or a volume that is called `container`.
pub(super) fn copy_into(
    reach: impl FnOnce() -> Result<Reach, Error>,
    source: Option<&OsStr>,
    (container, destination): (&str, &OsStr),
    how: Copying,
) -> Result<CopyReport, Error> {
    let (root, here) = host()?;
    let source = source
        .map(|source| find(&root, Typed::new(&here, source), how.follow_links))
        .transpose()?;
    let incoming = Incoming {
        container,
        destination,
        typed: inside(destination),
        source: source
            .as_ref()
            .map(|(typed, found)| (typed.clone(), found.node.is_directory())),
    };
    let reach = reach()?;
    let signals = Signals::catch()?;
    let work = |data: File| {
        process::set_umask(0);
        Ok(tell(reach.enter(Extent::Everything, |root| {
            receive(root, &incoming, data)
        })))
    };
    let piped = Piped::start(reach.namespaces(), Flow::ToChild, work);
    let mut piped = piped.map_err(|source| failed("copy into container", source))?;
    let sent = piped
        .take_data()
        .map(|data| send(data, source.as_ref(), &signals))
        .transpose()?;
    let answer = hear(piped.finish());
    if let Some(interrupted) = signals.interrupted() {
        return Err(interrupted.into());
    }
    let remarks = match sent.transpose() {
        Ok(remarks) => remarks.unwrap_or_default(),
        // Nobody reads any more: the reader knows why.
        Err(Broken::Pipe(error)) => return Err(answer.err().unwrap_or(error).into()),
        Err(Broken::Source(error)) => return Err(error.into()),
    };
    let answer = answer?;
    Ok(CopyReport {
        tar_bytes: answer.tar_bytes,
        destination: answer.destination,
        remarks: remarks.into_lines(),
    })
}

fn find(root: &RootDir, typed: Typed, follow: bool) -> Result<(Typed, Source), CopyError> {
    let found = copy_find::source(root, &typed, follow)
        .map_err(|miss| CopyError::host("lstat", &miss.path, &miss.source))?;
    if found.node.is_socket() {
        let path = typed.shown();
        return Err(CopyError::Socket { path });
    }
    Ok((typed, found))
}

/// Why we could not send everything.
enum Broken {
    Pipe(CopyError),
    Source(CopyError),
}

/// Our half: packs the source, or passes standard input on.
fn send(
    data: File,
    source: Option<&(Typed, Source)>,
    signals: &Signals,
) -> Result<Result<Remarks, Broken>, Error> {
    let mut out = BufWriter::with_capacity(1 << 17, Watched::pipe(data, signals)?);
    let Some((typed, found)) = source else {
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let stdin = stdin.map(File::from).map_err(|error| {
            let source = crate::sys::SysError::from_io("dup", "0", &error);
            failed("open standard input", source)
        })?;
        return Ok(pass(Watched::shared(stdin, signals), out.get_mut()));
    };
    let form = CopyForm {
        name: b".",
        sparse: true,
        without: &[],
        dialect: Dialect::Plain,
        reserved: b"",
    };
    let packed = pack_copy(&found.node.subject(), form, &mut out);
    let packed = match packed {
        Ok(remarks) => out.flush().map(|()| remarks).map_err(|e| pipe_broke(&e)),
        Err(error) => {
            let told = CopyError::archive(&error, &typed.shown());
            Err(if is_write(&error) {
                Broken::Pipe(told)
            } else {
                Broken::Source(told)
            })
        }
    };
    // Not to be written when it is dropped.
    drop(out.into_parts());
    Ok(packed)
}

fn is_write(error: &layer::Error) -> bool {
    matches!(error, layer::Error::Pack { source, .. } if source.call() == "write")
}

/// At once, however little there is.
fn pass(mut stdin: Watched<'_>, out: &mut Watched<'_>) -> Result<Remarks, Broken> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => return Ok(Remarks::default()),
            Ok(count) => out
                .write_all(&buffer[..count])
                .map_err(|error| pipe_broke(&error))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let source = crate::sys::SysError::from_io("read", "0", &error);
                let told = CopyError::system("read standard input", &source);
                return Err(Broken::Source(told));
            }
        }
    }
}

fn pipe_broke(error: &io::Error) -> Broken {
    let source = crate::sys::SysError::from_io("write", "pipe", error);
    Broken::Pipe(CopyError::system("copy into container", &source))
}

/// The other half, beside the container.
fn receive(root: &RootDir, incoming: &Incoming<'_>, data: File) -> Result<Answer, CopyError> {
    let Incoming {
        container, typed, ..
    } = incoming;
    let target = copy_find::target(root, typed).map_err(|miss| {
        let what = format!("find {} in container {container}", miss.path.display());
        CopyError::system(what, &miss.source)
    })?;
    let place = shown(container, incoming.destination);
    if target.is_device {
        return Err(CopyError::Device { place });
    }
    let placement = match &incoming.source {
        Some((source, is_directory)) => {
            copy_rule::place(source, *is_directory, typed, target.found)?
        }
        None if target.found == Found::Directory => Placement::Content,
        None => return Err(CopyError::NotDirectory { place }),
    };
    let (dir_path, name) = match &placement {
        Placement::Below(name) => (target.path.as_path(), Some(name.as_os_str())),
        Placement::Content => (target.path.as_path(), None),
        // `new/.` is below `new`, which is not there.
        Placement::InPlace if typed.asserts_content => (target.path.as_path(), None),
        Placement::InPlace => (target.parent(), Some(target.name())),
    };
    let dir = open(root, dir_path, container)?;
    refuse_read_only(root, &dir)?;
    let destination = Destination {
        root,
        dir: dir_path,
        name,
        owner: Owner::Archive,
        terms: Terms::Copy,
    };
    let placed = layer::place(data, &destination, &Limits::own(), &mut Unledgered)
        .map_err(|error| CopyError::archive(&error, &dir_path.display().to_string()))?;
    let told = if target.is_elsewhere {
        shown(container, target.path.as_os_str())
    } else {
        place
    };
    Ok(Answer {
        tar_bytes: placed.tar_bytes,
        destination: Some(told),
        remarks: Remarks::default(),
    })
}

fn open(root: &RootDir, dir: &Path, container: &str) -> Result<Dir, CopyError> {
    root.open_dir(dir).map_err(|error| match error.errno() {
        Some(Errno::ENOENT) => CopyError::NotInContainer {
            path: dir.display().to_string(),
            container: container.to_owned(),
        },
        Some(Errno::ENOTDIR) => CopyError::ExtractionPoint,
        _ => CopyError::system(format!("open {}", dir.display()), &error),
    })
}

/// The kernel would refuse it as well, in other words and after a part was copied.
fn refuse_read_only(root: &RootDir, dir: &Dir) -> Result<(), CopyError> {
    let look = || -> crate::sys::Result<(bool, bool)> {
        let is_root = dir.own_metadata()?.dev() == root.top().own_metadata()?.dev();
        Ok((is_read_only(dir)?, is_root))
    };
    match look() {
        Ok((false, _)) => Ok(()),
        Ok((true, true)) => Err(CopyError::ReadOnlyRoot),
        Ok((true, false)) => Err(CopyError::ReadOnlyMount),
        Err(source) => Err(CopyError::system("look at the destination", &source)),
    }
}
