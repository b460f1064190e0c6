//! `cowshed image …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{images, import, inspect, load, rmi, save, tag};
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// List images
    #[command(alias = "list")]
    Ls(images::ImagesArgs),
    /// Show everything about images as JSON
    Inspect(inspect::ImageInspectArgs),
    /// Take in images from an OCI layout or a docker-archive
    Load(load::LoadArgs),
    /// Make an image of a root file system: a tar or a directory
    Import(import::ImportArgs),
    /// Give an image another name
    Tag(tag::TagArgs),
    /// Remove images
    #[command(alias = "remove")]
    Rm(rmi::RmiArgs),
    /// Write images as an archive that other engines read
    Save(save::SaveArgs),
}

pub(crate) fn run(engine: &Engine, args: ImageArgs) -> Outcome {
    match args.command {
        ImageCommand::Ls(args) => images::run(engine, &args),
        ImageCommand::Inspect(args) => inspect::images(engine, &args),
        ImageCommand::Load(args) => load::run(engine, &args),
        ImageCommand::Import(args) => import::run(engine, args),
        ImageCommand::Tag(args) => tag::run(engine, &args),
        ImageCommand::Rm(args) => rmi::run(engine, &args),
        ImageCommand::Save(args) => save::run(engine, args),
    }
}
