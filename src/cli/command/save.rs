//! `cowshed save`

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use cowshed::{
    container::{Engine, SaveRequest},
    image::SaveFormat,
    layer::Encoding,
};

use crate::cli::{
    busy::busy,
    report::{Exit, Outcome},
};

/// The form of what is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Tar of an OCI layout, which docker load reads, too
    #[value(alias = "oci-archive")]
    Oci,
    /// Tar as docker save wrote it up to version 24, with plain layers
    DockerArchive,
    /// OCI layout as a directory
    OciDir,
}

/// What the tar is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompressArg {
    /// Nothing
    None,
    /// gzip
    Gzip,
    /// zstd
    Zstd,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// Write to a file in place of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<OsString>,
    /// Form of the archive
    #[arg(long, value_enum, default_value = "oci")]
    format: FormatArg,
    /// Compress the whole tar; what the layers are is not changed
    #[arg(long, value_enum, default_value = "none", value_name = "WITH")]
    compress: CompressArg,
    /// Names or ids; a name without a tag means all its tags
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: SaveArgs) -> Outcome {
    let format = match args.format {
        FormatArg::Oci => SaveFormat::Oci,
        FormatArg::DockerArchive => SaveFormat::DockerArchive,
        FormatArg::OciDir => return directory(engine, &args),
    };
    let request = SaveRequest {
        images: args.images,
        format,
        encoding: match args.compress {
            CompressArg::None => Encoding::None,
            CompressArg::Gzip => Encoding::Gzip,
            CompressArg::Zstd => Encoding::Zstd,
        },
    };
    let _progress = busy("save");
    match &args.output {
        Some(path) => engine.save_to(&request, path)?,
        None if io::stdout().is_terminal() => {
            let message = "cowardly refusing to save to a terminal. Use the -o flag or redirect";
            return Err(Exit::usage(message).or_code(1));
        }
        None => engine.save(&request)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn directory(engine: &Engine, args: &SaveArgs) -> Outcome {
    let Some(path) = &args.output else {
        let what = "--format oci-dir writes a directory: name it with -o";
        return Err(Exit::usage(what).or_code(1));
    };
    if args.compress != CompressArg::None {
        let what = "--compress is for tars, --format oci-dir writes a directory";
        return Err(Exit::usage(what).or_code(1));
    }
    let _progress = busy("save");
    engine.save_layout(&args.images, path)?;
    Ok(ExitCode::SUCCESS)
}
