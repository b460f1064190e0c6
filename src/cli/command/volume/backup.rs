//! `cowshed volume backup`.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    os::unix::ffi::OsStrExt as _,
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use cowshed::{
    container::{BackupOutput, Engine, Quiesce},
    layer::Encoding,
};

use crate::cli::{
    busy::busy,
    output,
    report::{self, Exit, Outcome},
    text,
};

/// Write a volume to a file: a tar with a list of all files and their digests
///
/// Every tar(1) reads it; besides the files it holds the directory .cowshed-backup with the
/// volume's labels and options and the list. Owners, modes, times, extended attributes, ACLs, holes
/// and hard links are kept; sockets are left out. The file has its name only when it is whole.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// File, or - for standard output; VOLUME-DATE-TIME.tar.zst in the working directory where it
    /// is left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<OsString>,
    /// Where it is left out, what the file's name ends with tells: .gz, .tgz, .tar, else zstd
    #[arg(long, value_enum)]
    compress: Option<Compress>,
    /// Freeze the containers that use the volume while it is read
    #[arg(long, conflicts_with = "stop")]
    freeze: bool,
    /// Stop them before and start them afterwards
    #[arg(long)]
    stop: bool,
    /// Only errors and what could not be kept
    #[arg(short, long)]
    quiet: bool,
    /// Name
    volume: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Compress {
    Zstd,
    Gzip,
    None,
}

pub(super) fn backup(engine: &Engine, args: BackupArgs) -> Outcome {
    let encoding = encoding(&args);
    let hold = match (args.freeze, args.stop) {
        (true, _) => Quiesce::Freeze,
        (false, true) => Quiesce::Stop,
        (false, false) => Quiesce::No,
    };
    let to = match args.output {
        Some(path) if path == "-" && io::stdout().is_terminal() => {
            let error = Exit::usage("refused to write a backup to a terminal").or_code(1);
            return Err(error.with_hint("-o FILE, or | to a program"));
        }
        Some(path) if path == "-" => BackupOutput::Stream,
        Some(path) => BackupOutput::File(path),
        None => BackupOutput::Named,
    };
    let progress = busy("volume backup");
    let done = engine.back_up_volume(&args.volume, &to, encoding, hold)?;
    drop(progress);
    report::remarks(&done.remarks);
    if done.tail.changed > 0 {
        let what = format!(
            "{} files changed while they were read: --freeze or --stop keeps them still",
            done.tail.changed
        );
        report::remarks(&[what]);
    }
    if let Some(file) = done.file {
        output::line(&file)?;
    }
    if !args.quiet {
        let meanwhile = match hold {
            _ if done.held.is_empty() => String::new(),
            Quiesce::Stop => format!(", {} stopped meanwhile", done.held.join(", ")),
            Quiesce::Freeze | Quiesce::No => format!(", {} frozen meanwhile", done.held.join(", ")),
        };
        report::line(&format!(
            "{}: {} entries, {} in {}{meanwhile}",
            args.volume,
            done.tail.entries,
            text::size(done.tail.bytes, 4),
            text::size(done.bytes, 4),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn encoding(args: &BackupArgs) -> Encoding {
    match args.compress {
        Some(Compress::Zstd) => Encoding::Zstd,
        Some(Compress::Gzip) => Encoding::Gzip,
        Some(Compress::None) => Encoding::None,
        None => args
            .output
            .as_ref()
            .map_or(Encoding::Zstd, |path| by_name(path.as_bytes())),
    }
}

fn by_name(path: &[u8]) -> Encoding {
    if path.ends_with(b".gz") || path.ends_with(b".tgz") {
        Encoding::Gzip
    } else if path.ends_with(b".tar") {
        Encoding::None
    } else {
        Encoding::Zstd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_compression() {
        assert_eq!(by_name(b"a.tar.gz"), Encoding::Gzip);
        assert_eq!(by_name(b"a.tgz"), Encoding::Gzip);
        assert_eq!(by_name(b"a.tar"), Encoding::None);
        for name in [&b"a.tar.zst"[..], b"a", b"-"] {
            assert_eq!(by_name(name), Encoding::Zstd);
        }
    }
}
