//! `cowshed image …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{
    build, history, image_diff, image_look, image_mount, image_prune, image_verify, images, import,
    inspect, load, pull, push, rmi, save, tag,
};
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Make an image of a Dockerfile
    Build(Box<build::BuildArgs>),
    /// List images
    #[command(alias = "list")]
    Ls(images::ImagesArgs),
    /// Show everything about images as JSON
    Inspect(inspect::ImageInspectArgs),
    /// Take in images from an OCI layout or a docker-archive
    Load(load::LoadArgs),
    /// Make an image of a root file system: a tar or a directory
    Import(import::ImportArgs),
    /// Fetch images from a registry
    Pull(pull::PullArgs),
    /// Send images to a registry
    Push(push::PushArgs),
    /// Give an image another name
    Tag(tag::TagArgs),
    /// Remove images
    #[command(alias = "remove")]
    Rm(rmi::RmiArgs),
    /// Remove images that nobody uses
    Prune(image_prune::ImagePruneArgs),
    /// Show the layers of an image and how they came to be
    History(history::HistoryArgs),
    Diff(image_diff::ImageDiffArgs),
    Cat(image_look::ImageCatArgs),
    LsFiles(image_look::ImageLsFilesArgs),
    Mount(image_mount::ImageMountArgs),
    #[command(alias = "umount")]
    Unmount(image_mount::ImageUnmountArgs),
    Verify(image_verify::ImageVerifyArgs),
    /// Write images as an archive that other engines read
    Save(save::SaveArgs),
}

pub(crate) fn run(engine: &Engine, args: ImageArgs) -> Outcome {
    match args.command {
        ImageCommand::Build(args) => build::run(engine, &args),
        ImageCommand::Ls(args) => images::run(engine, &args),
        ImageCommand::Inspect(args) => inspect::images(engine, &args),
        ImageCommand::Load(args) => load::run(engine, &args),
        ImageCommand::Import(args) => import::run(engine, args),
        ImageCommand::Pull(args) => pull::run(engine, &args),
        ImageCommand::Push(args) => push::run(engine, &args),
        ImageCommand::Tag(args) => tag::run(engine, &args),
        ImageCommand::Rm(args) => rmi::run(engine, &args),
        ImageCommand::Prune(args) => image_prune::run(engine, &args),
        ImageCommand::History(args) => history::run(engine, &args),
        ImageCommand::Diff(args) => image_diff::run(engine, &args),
        ImageCommand::Cat(args) => image_look::cat(engine, &args),
        ImageCommand::LsFiles(args) => image_look::ls_files(engine, &args),
        ImageCommand::Mount(args) => image_mount::mount(engine, &args),
        ImageCommand::Unmount(args) => image_mount::unmount(engine, &args),
        ImageCommand::Verify(args) => image_verify::run(engine, &args),
        ImageCommand::Save(args) => save::run(engine, args),
    }
}
