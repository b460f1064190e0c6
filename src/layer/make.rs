//! A layer from a tar that is written at this moment: kept and unpacked as it comes.

use std::{fs::File, thread};

use super::{
    Compression, Error, Inlet, Limits, PathBytes, Unpacked, conduit::conduit, draft::On as _,
    unpack,
};
use crate::sys::{At as _, Dir, thread::spawn};

/// Unpacks into the empty directory `target` what `write` writes, and keeps the tar in `copy_to`.
///
/// The directory is what any other [`unpack()`] of the tar gives: it is one. [`super::settle()`]
/// is the caller's part, and so is the disk.
///
/// # Errors
///
/// That of `write` where both sides failed. `target` is left half filled.
pub fn make<T: Send>(
    write: impl FnOnce(&mut Inlet) -> Result<T, Error> + Send,
    target: &Dir,
    limits: &Limits,
    copy_to: &File,
) -> Result<(Unpacked, T), Error> {
    let (mut inlet, outlet) = conduit();
    let (written, unpacked) = thread::scope(|scope| {
        let writer = move || {
            let written = write(&mut inlet);
            let is_refused = inlet.is_refused();
            match written {
                // What is wrong is told by the other side.
                Err(_) if is_refused => Ok(None),
                Err(error) => Err(error),
                Ok(value) => match inlet.finish() {
                    Ok(()) => Ok(Some(value)),
                    Err(_) => Ok(None),
                },
            }
        };
        let writer = spawn(scope, writer).map_err(|source| Error::Blob {
            operation: "write",
            source,
        })?;
        let unpacked = unpack(outlet, Compression::None, target, limits, Some(copy_to));
        let written = writer.join();
        let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((written, unpacked))
    })?;
    let written = written?;
    let unpacked = unpacked?;
    match written {
        Some(value) => Ok((unpacked, value)),
        // Nothing goes away without an error of its own.
        None => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
            .at("write", || "tar")
            .on(&PathBytes::default()),
    }
}
