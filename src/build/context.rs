//! `Context`: the files that a build may copy, its Dockerfile and its `.dockerignore`.

use std::{
    ffi::OsString,
    fs::File,
    io::{Cursor, Read},
    path::Path,
};

use nix::errno::Errno;

use super::{BuildRequest, ContextFrom, DockerfileFrom, Error, error::failed};
use crate::{
    dockerfile::Ignore,
    layer::{self, Destination, Limits, Owner, Terms, Unledgered, begins_archive},
    store::{Staging, Store},
    sys::{At as _, Dir, FileKind, RootDir, SysError, metadata_of, process},
};

/// No Dockerfile comes near.
const TEXT_MAX: u64 = 4 << 20;

/// How much of standard input tells whether it is an archive.
const BEGINNING: u64 = 64 << 10;

const DOCKERFILE: &str = "Dockerfile";

/// An open context.
#[derive(Debug)]
pub(super) struct Context<'s> {
    pub(super) root: RootDir,
    pub(super) ignore: Ignore,
    /// What the Dockerfile is called in messages.
    pub(super) file: String,
    pub(super) text: String,
    /// Holds what came as a tar.
    _staging: Option<Staging<'s>>,
}

impl<'s> Context<'s> {
    pub(super) fn open(store: &'s Store, request: &BuildRequest) -> Result<Self, Error> {
        match &request.context {
            ContextFrom::Directory(path) => {
                let root = RootDir::new(open_directory(path)?);
                let (file, text) = dockerfile(&root, path, &request.dockerfile)?;
                let ignore = ignore(&root, &request.dockerfile)?;
                Ok(Self {
                    root,
                    ignore,
                    file,
                    text,
                    _staging: None,
                })
            }
            ContextFrom::Stdin if request.dockerfile == DockerfileFrom::Stdin => {
                let what =
                    "invalid argument: can't use stdin for both build context and dockerfile";
                Err(Error::refused(what))
            }
            ContextFrom::Stdin => Self::of_stream(store, &request.dockerfile),
        }
    }

    /// A tar, or a Dockerfile without a context.
    fn of_stream(store: &'s Store, from: &DockerfileFrom) -> Result<Self, Error> {
        let mut stdin = std::io::stdin().lock();
        let mut beginning = Vec::new();
        let read = stdin.by_ref().take(BEGINNING).read_to_end(&mut beginning);
        read.at("read", || "0")
            .map_err(failed("read standard input"))?;
        let staging = Staging::begin_unnamed(store)?;
        let made = staging.dir().make_dir("context", 0o755);
        let dir = made.and_then(|()| staging.dir().open_dir("context"));
        let root = RootDir::new(dir.map_err(failed("make a scratch directory"))?);
        let is_archive = begins_archive(&beginning[..], &Limits::default());
        let whole = Cursor::new(beginning).chain(stdin);
        if !is_archive {
            let text = text(DOCKERFILE, whole)?;
            return Ok(Self {
                root,
                ignore: Ignore::default(),
                file: DOCKERFILE.to_owned(),
                text,
                _staging: Some(staging),
            });
        }
        unpack(&root, whole)?;
        let inside = match from {
            DockerfileFrom::File(path) => path.as_path(),
            DockerfileFrom::Context | DockerfileFrom::Stdin => Path::new(DOCKERFILE),
        };
        let file = inside.display().to_string();
        let Some(found) = find(&root, inside)? else {
            let what = format!("Cannot locate specified Dockerfile: {file}");
            return Err(Error::refused(what).with_hint("it must be in the tar; see -f"));
        };
        let text = text(&file, found)?;
        let ignore = ignore(&root, &DockerfileFrom::Context)?;
        Ok(Self {
            root,
            ignore,
            file,
            text,
            _staging: Some(staging),
        })
    }
}

fn open_directory(path: &Path) -> Result<Dir, Error> {
    let shown = path.display();
    let is_remote = path.to_str().is_some_and(|text| {
        text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/")
    });
    Dir::open(path).map_err(|source| match source.errno() {
        Some(Errno::ENOENT) if is_remote => {
            let what = format!("unable to prepare context: {shown} is not on this machine");
            Error::refused(what)
                .with_hint("fetch it first; a context is a directory, or - for a tar")
        }
        Some(Errno::ENOENT) => Error::refused(format!(
            "unable to prepare context: path {:?} not found",
            path.display().to_string()
        )),
        Some(Errno::ENOTDIR) => Error::refused(format!(
            "unable to prepare context: context must be a directory: {shown}"
        )),
        _ => failed("unable to prepare context")(source),
    })
}

fn unpack(root: &RootDir, tar: impl Read) -> Result<(), Error> {
    let destination = Destination {
        root,
        dir: Path::new("/"),
        name: None,
        owner: Owner::Archive,
        terms: Terms::Copy,
    };
    let place = || layer::place(tar, &destination, &Limits::default(), &mut Unledgered);
    let placed = process::with_umask(0, place);
    placed.map(drop).map_err(|source| Error::Archive {
        what: "the context".to_owned(),
        source,
    })
}

/// Opens a file of a context; fifos, devices and the like are nothing to read.
fn find(root: &RootDir, path: &Path) -> Result<Option<File>, Error> {
    let what = || format!("open {} of the context", path.display());
    let file = match root.open_file(path) {
        Ok(file) => file,
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(what())(error)),
    };
    let kind = metadata_of(&file).map_err(failed(what()))?.kind();
    if kind != FileKind::File {
        return Err(Error::refused(format!("{}: it is no file", what())));
    }
    Ok(Some(file))
}

fn dockerfile(
    root: &RootDir,
    place: &Path,
    from: &DockerfileFrom,
) -> Result<(String, String), Error> {
    let own = |name: &str| -> Result<_, Error> { find(root, Path::new(name)) };
    match from {
        DockerfileFrom::Stdin => Ok((
            DOCKERFILE.to_owned(),
            text(DOCKERFILE, std::io::stdin().lock())?,
        )),
        DockerfileFrom::File(path) => {
            let file = path.display().to_string();
            let opened = File::open(path).at("open", || file.clone());
            let opened = opened.map_err(failed(format!("open Dockerfile {file}")))?;
            Ok((file.clone(), text(&file, opened)?))
        }
        DockerfileFrom::Context => {
            for name in [DOCKERFILE, "dockerfile"] {
                if let Some(file) = own(name)? {
                    return Ok((name.to_owned(), text(name, file)?));
                }
            }
            let what = format!(
                "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat {}: \
                 no such file or directory",
                place.join(DOCKERFILE).display()
            );
            Err(Error::refused(what).with_hint("-f names another one"))
        }
    }
}

/// A text, refused by the line that is none.
fn text(file: &str, from: impl Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = from.take(TEXT_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| SysError::from_io("read", file, &error))
        .map_err(failed(format!("read {file}")))?;
    if bytes.len() as u64 > TEXT_MAX {
        let what = format!("{file} is larger than {TEXT_MAX} bytes");
        return Err(Error::refused(what));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        Error::refused(format!("{file}:{line}: this is not UTF-8 text"))
    })
}

/// The rules beside the Dockerfile, or those of the context.
fn ignore(root: &RootDir, from: &DockerfileFrom) -> Result<Ignore, Error> {
    let beside = match from {
        DockerfileFrom::File(path) => {
            let mut name = OsString::from(path);
            name.push(".dockerignore");
            match File::open(&name) {
                Ok(file) => Some((name.display().to_string(), file)),
                Err(_) => None,
            }
        }
        DockerfileFrom::Context => {
            let name = "Dockerfile.dockerignore";
            find(root, Path::new(name))?.map(|file| (name.to_owned(), file))
        }
        DockerfileFrom::Stdin => None,
    };
    let common = || -> Result<_, Error> {
        let name = ".dockerignore";
        Ok(find(root, Path::new(name))?.map(|file| (name.to_owned(), file)))
    };
    let Some((name, file)) = (match beside {
        Some(found) => Some(found),
        None => common()?,
    }) else {
        return Ok(Ignore::default());
    };
    let text = text(&name, file)?;
    Ignore::parse(&text).map_err(|(line, why)| {
        Error::refused(format!("error checking context: {name}:{line}: {why}"))
    })
}
