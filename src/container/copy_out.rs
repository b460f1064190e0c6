//! From a container to the host or to standard output.

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
    copy_find::{self, Miss, Target},
    copy_reach::{Extent, Reach, shown},
    copy_rule::{self, Placement, Typed},
    copy_stream::{Signals, Watched},
};
use crate::{
    layer::{
        self, CopyForm, Destination, Dialect, Limits, Owner, Placed, Terms, Unledgered, pack_copy,
    },
    sys::{Flow, Piped, RootDir, SysError, metadata_of, open_handle, process},
};

/// What the process beside the container knows.
struct Outgoing<'a> {
    container: &'a str,
    typed: Typed,
    follow: bool,
    /// Nobody unpacks the tar: its names are the user's.
    is_stream: bool,
}

impl<'a> Outgoing<'a> {
    fn new((container, source): (&'a str, &OsStr), how: Copying, is_stream: bool) -> Self {
        Self {
            container,
            typed: inside(source),
            follow: how.follow_links,
            is_stream,
        }
    }
}

impl Engine {
    pub(super) fn copy_out(
        &self,
        (container, source): (&str, &OsStr),
        destination: &OsStr,
        how: Copying,
    ) -> Result<CopyReport, Error> {
        let (root, here) = host()?;
        let to = Typed::new(&here, destination);
        let target = output(&root, &to)?;
        let id = self.container(container)?.record.id;
        let reach = self.reach(container, Extent::Everything)?;
        let copied = copy_from(&reach, (container, source), (&root, &to, &target), how);
        self.must_be_there((container, &id))?;
        copied
    }

    pub(super) fn copy_to_stream(
        &self,
        (container, source): (&str, &OsStr),
        how: Copying,
    ) -> Result<CopyReport, Error> {
        let id = self.container(container)?.record.id;
        let reach = self.reach(container, Extent::Everything)?;
        let copied = stream_from(&reach, (container, source), how);
        self.must_be_there((container, &id))?;
        copied
    }
}

/// Copies from a container or a volume that is called `container` to a place in another tree.
pub(super) fn copy_from(
    reach: &Reach,
    (container, source): (&str, &OsStr),
    (root, to, target): (&RootDir, &Typed, &Target),
    how: Copying,
) -> Result<CopyReport, Error> {
    let outgoing = Outgoing::new((container, source), how, false);
    let signals = Signals::catch()?;
    let mut piped = start(reach, Extent::Everything, |root, data| {
        send(root, &outgoing, data)
    })?;
    let data = piped.take_data().map(|data| Watched::pipe(data, &signals));
    let owner = if how.archive {
        Owner::Archive
    } else {
        Owner::Maker
    };
    let receive = |data: Watched<'_>| receive(data, &outgoing.typed, (root, to, target), owner);
    let placed = data.transpose()?.map_or(Err(Broken::Pipe(None)), |data| {
        process::with_umask(0, || receive(data))
    });
    if signals.interrupted().is_some() {
        piped.kill();
    }
    let answer = hear(piped.finish());
    if let Some(interrupted) = signals.interrupted() {
        return Err(interrupted.into());
    }
    let placed = match placed {
        Ok(placed) => placed,
        Err(Broken::Own(error)) => return Err(error.into()),
        // The stream broke off: the writer knows why.
        Err(Broken::Pipe(error)) => {
            answer?;
            let ended = || CopyError::system("copy", &SysError::new("read", "pipe", Errno::EPIPE));
            return Err(error.unwrap_or_else(ended).into());
        }
    };
    Ok(CopyReport {
        tar_bytes: placed.tar_bytes,
        destination: Some(to.shown()),
        remarks: answer?.remarks.into_lines(),
    })
}

/// Writes a tar to standard output.
pub(super) fn stream_from(
    reach: &Reach,
    (container, source): (&str, &OsStr),
    how: Copying,
) -> Result<CopyReport, Error> {
    let outgoing = Outgoing::new((container, source), how, true);
    let piped = start(reach, Extent::Everything, |root, data| {
        send(root, &outgoing, data)
    })?;
    let lines = pump(piped, &mut standard_output()?)?;
    Ok(CopyReport {
        tar_bytes: 0,
        destination: None,
        remarks: lines,
    })
}

pub(super) fn start(
    reach: &Reach,
    extent: Extent,
    write: impl FnOnce(&RootDir, File) -> Result<Answer, CopyError>,
) -> Result<Piped, Error> {
    let work = |data: File| Ok(tell(reach.enter(extent, |root| write(root, data))));
    Piped::start(reach.namespaces(), Flow::FromChild, work)
        .map_err(|source| failed("copy from container", source))
}

pub(super) fn standard_output() -> Result<File, Error> {
    let out = io::stdout().as_fd().try_clone_to_owned();
    out.map(File::from).map_err(|error| {
        failed(
            "open standard output",
            SysError::from_io("dup", "1", &error),
        )
    })
}

/// Passes everything on; a reader that has gone is told as such.
pub(super) fn pump(mut piped: Piped, out: &mut File) -> Result<Vec<String>, Error> {
    let copied = piped
        .take_data()
        .map_or(Ok(0), |mut data| io::copy(&mut data, out));
    let answer = hear(piped.finish());
    copied.map_err(|error| {
        failed(
            "write to standard output",
            SysError::from_io("write", "1", &error),
        )
    })?;
    Ok(answer?.remarks.into_lines())
}

/// A place on the host that can be copied to.
pub(super) fn output(root: &RootDir, to: &Typed) -> Result<Target, CopyError> {
    if let Some(parent) = to.clean.parent()
        && let Err(error) = open_handle(parent)
        && error.errno() == Some(Errno::ENOENT)
    {
        let path = parent.display().to_string();
        return Err(CopyError::NoOutputDirectory { path });
    }
    let shown = to.shown();
    match open_handle(Path::new(&typed_path(to))) {
        Err(error) if error.errno() != Some(Errno::ENOENT) => {
            return Err(CopyError::host("stat", Path::new(&shown), &error));
        }
        _ => {}
    }
    let target = copy_find::target(root, to)
        .map_err(|miss| CopyError::host("stat", &miss.path, &miss.source))?;
    if target.is_device {
        return Err(CopyError::OutputDevice { path: shown });
    }
    Ok(target)
}

/// With the slash that makes the kernel insist on a directory.
fn typed_path(to: &Typed) -> std::ffi::OsString {
    let mut path = to.clean.clone().into_os_string();
    if to.asserts_directory {
        path.push("/");
    }
    path
}

const DIRECTORY: u8 = b'd';
const OTHER: u8 = b'f';

/// The half beside the container: one byte that tells what comes, then the tar.
fn send(root: &RootDir, outgoing: &Outgoing<'_>, data: File) -> Result<Answer, CopyError> {
    let Outgoing {
        container, typed, ..
    } = outgoing;
    let found = copy_find::source(root, typed, outgoing.follow)
        .map_err(|miss| not_found(&miss, container))?;
    let place = shown(container, typed.clean.as_os_str());
    if found.node.is_socket() {
        return Err(CopyError::Socket { path: place });
    }
    let mut out = BufWriter::with_capacity(1 << 17, data);
    let broken = |error: io::Error| {
        let source = SysError::from_io("write", "pipe", &error);
        CopyError::system(format!("copy {place}"), &source)
    };
    let name = if outgoing.is_stream {
        stream_name(typed, &found.path, outgoing.follow)
    } else {
        let kind = if found.node.is_directory() {
            DIRECTORY
        } else {
            OTHER
        };
        out.write_all(&[kind]).map_err(broken)?;
        OsStr::new(".")
    };
    let form = CopyForm {
        name: name.as_encoded_bytes(),
        sparse: !outgoing.is_stream,
        without: &kernel_files(root),
        dialect: Dialect::Plain,
        reserved: b"",
    };
    let remarks = pack_copy(&found.node.subject(), form, &mut out)
        .map_err(|error| CopyError::archive(&error, &place))?;
    out.flush().map_err(broken)?;
    Ok(Answer {
        remarks,
        ..Answer::default()
    })
}

/// What only a running container has, and no other engine copies with its root.
fn kernel_files(root: &RootDir) -> Vec<u64> {
    let device = |path: &str| {
        let place = root.locate(Path::new(path)).ok()?;
        Some(metadata_of(place).ok()?.dev())
    };
    let own = device("/");
    ["/proc", "/sys", "/dev"]
        .into_iter()
        .filter_map(device)
        .filter(|found| Some(*found) != own)
        .collect()
}

/// A followed link gives the archive the name of what it leads to.
fn stream_name<'a>(typed: &'a Typed, found: &'a Path, follow: bool) -> &'a OsStr {
    let name = match typed.name() {
        Some(_) if follow && !typed.asserts_directory => found.file_name(),
        name => name,
    };
    name.unwrap_or(OsStr::new("."))
}

fn not_found(miss: &Miss, container: &str) -> CopyError {
    match miss.source.errno() {
        Some(Errno::ENOENT) => CopyError::NotInContainer {
            path: miss.path.display().to_string(),
            container: container.to_owned(),
        },
        _ => CopyError::host("lstat", &miss.path, &miss.source),
    }
}

/// Why we could not receive everything.
enum Broken {
    Pipe(Option<CopyError>),
    Own(CopyError),
}

/// Our half: decides where things go once it is known what comes, and unpacks.
fn receive(
    mut data: Watched<'_>,
    source: &Typed,
    (root, to, target): (&RootDir, &Typed, &Target),
    owner: Owner,
) -> Result<Placed, Broken> {
    let mut kind = [0];
    data.read_exact(&mut kind).map_err(|_| Broken::Pipe(None))?;
    let placement = copy_rule::place(source, kind == [DIRECTORY], to, target.found);
    let (dir, name) = match &placement.map_err(Broken::Own)? {
        Placement::Below(name) => (target.path.as_path(), Some(name.clone())),
        Placement::Content => (target.path.as_path(), None),
        Placement::InPlace if to.asserts_content => (target.path.as_path(), None),
        Placement::InPlace => (target.parent(), Some(target.name().to_owned())),
    };
    let opened = root.open_dir(dir);
    let opened = opened.map_err(|error| Broken::Own(CopyError::host("stat", dir, &error)))?;
    let destination = Destination {
        root: &RootDir::new(opened),
        dir: Path::new(""),
        name: name.as_deref(),
        owner,
        terms: Terms::Copy,
    };
    layer::place(data, &destination, &Limits::own(), &mut Unledgered).map_err(|error| {
        let told = CopyError::archive(&error, &dir.display().to_string());
        let broke_off = matches!(
            error,
            layer::Error::Truncated { .. } | layer::Error::Stream { .. }
        );
        if broke_off {
            Broken::Pipe(Some(told))
        } else {
            Broken::Own(told)
        }
    })
}
