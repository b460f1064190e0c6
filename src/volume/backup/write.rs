//! Writes an archive, or only the list that it would have.

use std::io;

use super::{BackupError, FILES, FileLine, HEAD, Head, RESERVED, Spool, Tail, spool::Finished};
use crate::{
    layer::{CopyForm, Dialect, Item, Ledger, Remarks, Sink, Subject, TarWriter, pack_tree},
    sys::{Dir, Result as SysResult, SysError},
};

/// A backup that was written.
#[derive(Debug)]
pub struct Written {
    /// What it has.
    pub tail: Tail,
    /// What a user should know about it.
    pub remarks: Remarks,
}

/// Writes the tar of a volume's data in one pass. `spool` is in a directory of ours.
pub fn write(
    data: &Dir,
    head: &Head,
    spool: Spool,
    out: impl Sink,
) -> Result<Written, BackupError> {
    let mut tar = TarWriter::lent(out);
    let text = serde_json::to_vec_pretty(head).map_err(io::Error::from);
    let text = text.map_err(|error| system(SysError::from_io("write", "description", &error)))?;
    tar.file(HEAD.as_bytes(), text.len() as u64, &text[..])
        .map_err(system)?;
    let (mut list, remarks) = pack(data, spool, &mut tar)?;
    let (length, tail) = (list.length(), list.tail());
    let bytes = list.bytes().map_err(system)?;
    tar.file(FILES.as_bytes(), length, bytes).map_err(system)?;
    tar.finish().map_err(system)?;
    Ok(Written { tail, remarks })
}

/// The list of what is in a volume's data now.
pub fn survey(data: &Dir, spool: Spool) -> Result<Finished, BackupError> {
    Ok(pack(data, spool, &mut TarWriter::new(io::sink()))?.0)
}

fn pack(
    data: &Dir,
    spool: Spool,
    tar: &mut TarWriter<impl Sink>,
) -> Result<(Finished, Remarks), BackupError> {
    let form = CopyForm {
        name: b".",
        sparse: true,
        without: &[],
        dialect: Dialect::Backup,
        reserved: RESERVED.as_bytes(),
    };
    let mut ledger = Spooled(spool);
    let remarks = pack_tree(&Subject::Tree(data), form, tar, &mut ledger)?;
    Ok((ledger.0.finish().map_err(system)?, remarks))
}

struct Spooled(Spool);

impl Ledger for Spooled {
    fn item(&mut self, item: Item) -> SysResult<()> {
        self.0.add(&FileLine::from(item))
    }
}

fn system(source: SysError) -> BackupError {
    BackupError::System {
        what: "write backup",
        source,
    }
}
