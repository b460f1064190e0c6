//! `volume backup`: a volume as a file, its containers standing still meanwhile if that is wanted.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
};

use super::{
    CopyError, Engine, Error, Quiesce,
    containers::failed,
    copy_stream::{Signals, Watched},
    volume_output::Output,
};
use crate::{
    ident::Timestamp,
    layer::{Encoding, encode},
    store::Place,
    sys::SysError,
    volume::{
        self,
        backup::{self, BackupError, Head, Spool, Tail},
    },
};

/// As many as the machine of a bench; more threads than the reader can feed are of no use.
const WORKERS: usize = 2;

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupOutput {
    /// A file named after the volume and the moment, in the working directory.
    Named,
    /// A file, which is replaced.
    File(OsString),
    /// Standard output.
    Stream,
}

/// A backup that went through.
#[derive(Debug)]
pub struct BackupReport {
    /// The file; none for standard output.
    pub file: Option<String>,
    /// What is in it.
    pub tail: Tail,
    /// Bytes of the archive.
    pub bytes: u64,
    /// The containers that stood still.
    pub held: Vec<String>,
    /// What a user should know.
    pub remarks: Vec<String>,
}

impl Engine {
    /// Writes a backup of a volume. The process must have one thread.
    ///
    /// # Errors
    ///
    /// Nothing is under the file's name then, and every container goes on.
    pub fn back_up_volume(
        &self,
        name: &str,
        output: &BackupOutput,
        encoding: Encoding,
        hold: Quiesce,
    ) -> Result<BackupReport, Error> {
        let volumes = self.volumes()?;
        let volume = volumes.open_volume(name)?;
        let mut output = match output {
            BackupOutput::Stream => Output::stream()?,
            BackupOutput::File(path) => Output::file(path, true)?,
            BackupOutput::Named => {
                let path = default_name(volume.record.name.as_str(), encoding);
                Output::file(OsStr::new(&path), false)?
            }
        };
        let signals = Signals::catch()?;
        let still = self.quiesce_users(&volume.record.name, hold)?;
        let head = Head::of(&volume.record);
        let spool = self.spool()?;
        let (file, shown) = match &mut output {
            Output::Stream(file) => (file.try_clone(), "standard output"),
            Output::File(fresh) => (fresh.file().try_clone(), fresh.shown()),
        };
        let dup = |error| failed("write backup", SysError::from_io("dup", "", &error));
        let mut out = Counted {
            out: Watched::shared(file.map_err(dup)?, &signals),
            bytes: 0,
        };
        let data = &volume.data;
        let produce = |pieces: &mut _| backup::write(data, &head, spool, pieces);
        let done = encode(encoding, WORKERS, produce, &mut out);
        let bytes = out.bytes;
        let names = still.names().to_vec();
        let released = still.release();
        if let Some(interrupted) = signals.interrupted() {
            return Err(interrupted.into());
        }
        let (written, sent) = done.map_err(|source| failed("write backup", source))?;
        sent.map_err(|error| {
            let source = SysError::from_io("write", shown, &error);
            failed("write backup", source)
        })?;
        let written = written.map_err(|error| told(error, &format!("volume {name}")))?;
        released?;
        let file = match output {
            Output::Stream(_) => None,
            Output::File(fresh) => Some(fresh.publish()?),
        };
        Ok(BackupReport {
            file,
            tail: written.tail,
            bytes,
            held: names,
            remarks: written.remarks.into_lines(),
        })
    }

    /// Lines on the store's disk.
    pub(super) fn spool(&self) -> Result<Spool, Error> {
        let spool = Spool::new(self.store().open_dir(Place::Tmp)?);
        spool.map_err(|source| failed("keep list of files", source))
    }
}

/// An error of a backup in the words of a copy: no archive of ours is a layer to its user.
pub(super) fn told(error: BackupError, place: &str) -> Error {
    if let BackupError::Archive(error) = &error {
        return CopyError::archive(error, place).into();
    }
    volume::Error::from(error).into()
}

/// `data-20260102-030405.tar.zst`, in local time.
fn default_name(volume: &str, encoding: Encoding) -> String {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let now = Timestamp::now().local_seconds();
    let digits = digits(&now);
    let (day, time) = digits.split_at(digits.len().min(8));
    let time = &time[..time.len().min(6)];
    let ending = match encoding {
        Encoding::None => "tar",
        Encoding::Gzip => "tar.gz",
        Encoding::Zstd => "tar.zst",
    };
    format!("{volume}-{day}-{time}.{ending}")
}

/// Counts what passes.
struct Counted<'a> {
    out: Watched<'a>,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An archive that a user has named, or standard input.
pub(super) fn open_archive(path: &OsStr) -> Result<File, Error> {
    if path == "-" {
        let stdin = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
        return stdin.map(File::from).map_err(|error| {
            let source = SysError::from_io("dup", "0", &error);
            failed("open standard input", source)
        });
    }
    File::open(path).map_err(|error| {
        let source = SysError::from_io("open", path.display().to_string(), &error);
        failed("open archive", source)
    })
}
