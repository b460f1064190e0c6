//! `cowshed image mount` and `unmount`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

/// Mount an image read-only on a directory of the host, or list what is mounted
#[derive(Debug, Args)]
pub(crate) struct ImageMountArgs {
    /// Name or id
    image: Option<String>,
    /// A directory of the host; one is made below the store where it is left out
    directory: Option<PathBuf>,
}

/// Take images off the directories that they were mounted on
#[derive(Debug, Args)]
pub(crate) struct ImageUnmountArgs {
    /// All of this mount namespace
    #[arg(short, long)]
    all: bool,
    /// Names or ids of images, or directories
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    images: Vec<String>,
}

pub(crate) fn mount(engine: &Engine, args: &ImageMountArgs) -> Outcome {
    let Some(image) = &args.image else {
        return list(engine);
    };
    let place = engine.mount_image(image, args.directory.as_deref())?;
    output::line(&place.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn list(engine: &Engine) -> Outcome {
    let mut rows = Vec::new();
    for view in engine.image_mounts()? {
        let place = match view.here.last() {
            Some(place) => place.display().to_string(),
            None => format!("{} (another mount namespace)", view.mount.target.display()),
        };
        rows.push(vec![
            view.mount.name.clone(),
            view.mount.image.short(),
            place,
        ]);
    }
    output::table(&["IMAGE", "IMAGE ID", "MOUNTED AT"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unmount(engine: &Engine, args: &ImageUnmountArgs) -> Outcome {
    let tell = |places: Vec<PathBuf>| -> Result<(), Exit> {
        for place in places {
            output::line(&place.display().to_string())?;
        }
        Ok(())
    };
    if args.all {
        tell(engine.unmount_images()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    report::each(&args.images, |image| tell(engine.unmount_image(image)?))
}
