//! `--cidfile`: a container's id in a file, written whole or not at all.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::PathBuf,
};

use cowshed::ident::ContainerId;

use crate::cli::report::Exit;

/// A new file that gets an id; it goes again where there is none in the end.
#[derive(Debug)]
pub(crate) struct CidFile(Option<(PathBuf, File)>);

impl CidFile {
    /// Makes the file at once, so that of two commands with one file the second fails.
    pub(crate) fn new(path: Option<PathBuf>) -> Result<Self, Exit> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        match File::create_new(&path) {
            Ok(file) => Ok(Self(Some((path, file)))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Exit::usage(format!(
                "container ID file found, make sure the other container isn't running or delete {}",
                path.display()
            ))),
            Err(error) => Err(Exit::usage(format!(
                "failed to create the container ID file: {}: {error}",
                path.display()
            ))),
        }
    }

    /// Writes the id and keeps the file.
    pub(crate) fn keep(mut self, id: &ContainerId) -> Result<(), Exit> {
        let Some((path, mut file)) = self.0.take() else {
            return Ok(());
        };
        file.write_all(id.as_str().as_bytes()).map_err(|error| {
            std::fs::remove_file(&path).ok();
            Exit::usage(format!("write {}: {error}", path.display()))
        })
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0 {
            std::fs::remove_file(path).ok();
        }
    }
}
