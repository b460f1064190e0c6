//! `export`: a container's root as a tar.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufWriter, Write as _},
};

use super::{
    CopyError, Engine, Error,
    containers::failed,
    copy::{Answer, hear, host},
    copy_find,
    copy_out::{pump, standard_output, start},
    copy_reach::Extent,
    copy_rule::{Found, Typed},
    copy_stream::{Signals, Watched},
};
use crate::{
    layer::{CopyForm, Dialect, Subject, pack_copy},
    sys::{Dir, NewFile, RootDir, SysError},
};

impl Engine {
    /// Writes a container's root as a tar to standard output: without what is mounted there, whose
    /// places are empty directories (semantics 70). Answers what could not be written as it is.
    pub fn export(&self, container: &str) -> Result<Vec<String>, Error> {
        let id = self.container(container)?.record.id;
        let reach = self.reach(container, Extent::Union)?;
        let piped = start(&reach, Extent::Union, export)?;
        let done = pump(piped, &mut standard_output()?);
        self.must_be_there((container, &id))?;
        done
    }

    /// The same into a file, which is replaced when the tar is whole.
    pub fn export_to(&self, container: &str, path: &OsStr) -> Result<Vec<String>, Error> {
        let (root, here) = host()?;
        let to = Typed::new(&here, path);
        let (dir, name) = output_place(&root, &to, "export container")?;
        let id = self.container(container)?.record.id;
        let reach = self.reach(container, Extent::Union)?;
        let signals = Signals::catch()?;
        let mine = |source| failed("write export", source);
        let new = NewFile::begin(dir, &name).map_err(mine)?;
        let mut piped = start(&reach, Extent::Union, export)?;
        let data = piped.take_data().map(|data| Watched::pipe(data, &signals));
        let copied = data
            .transpose()?
            .map_or(Ok(0), |mut data| io::copy(&mut data, &mut new.file()));
        if copied.is_err() {
            piped.kill();
        }
        let answer = hear(piped.finish());
        if let Some(interrupted) = signals.interrupted() {
            return Err(interrupted.into());
        }
        copied.map_err(|error| mine(SysError::from_io("write", to.shown(), &error)))?;
        self.must_be_there((container, &id))?;
        new.publish(true).map_err(mine)?;
        Ok(answer?.remarks.into_lines())
    }
}

/// Where an archive goes; Docker's words.
pub(super) fn output_place(
    root: &RootDir,
    to: &Typed,
    doing: &str,
) -> Result<(Dir, OsString), CopyError> {
    let fails = |what: String| CopyError::Failed {
        what: format!("failed to {doing}: {what}"),
        source: None,
        hint: None,
    };
    let target = copy_find::target(root, to)
        .map_err(|miss| CopyError::host("stat", &miss.path, &miss.source))?;
    if target.found == Found::Directory {
        return Err(fails("cannot write to a directory".to_owned()));
    }
    if target.is_device {
        let path = to.shown();
        return Err(CopyError::OutputDevice { path });
    }
    let dir = root.open_dir(target.parent()).map_err(|source| {
        let error = CopyError::host("stat", target.parent(), &source);
        fails(format!("invalid output path: {error}"))
    })?;
    Ok((dir, target.name().to_owned()))
}

fn export(root: &RootDir, data: File) -> Result<Answer, CopyError> {
    let mut out = BufWriter::with_capacity(1 << 17, data);
    let form = CopyForm {
        name: b"",
        sparse: false,
        without: &[],
        dialect: Dialect::Plain,
        reserved: b"",
    };
    let packed = pack_copy(&Subject::Tree(root.top()), form, &mut out);
    let remarks = packed.map_err(|error| CopyError::archive(&error, "the container"))?;
    out.flush().map_err(|error| {
        let source = SysError::from_io("write", "pipe", &error);
        CopyError::system("export container", &source)
    })?;
    Ok(Answer {
        remarks,
        ..Answer::default()
    })
}
