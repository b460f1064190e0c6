//! `cowshed inspect`, and the `inspect` of containers, images and volumes alone.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Args;
use cowshed::container::{Engine, Error};
use serde_json::Value;

use super::{inspect_image, inspect_json};
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
    template::{Data, Template},
};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Look only among these
    #[arg(long = "type", value_parser = ["container", "image", "volume"])]
    kind: Option<String>,
    #[command(flatten)]
    format: FormatArg,
    #[command(flatten)]
    size: SizeArg,
    /// Names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ContainerInspectArgs {
    #[command(flatten)]
    format: FormatArg,
    #[command(flatten)]
    size: SizeArg,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ImageInspectArgs {
    #[command(flatten)]
    format: FormatArg,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VolumeInspectArgs {
    #[command(flatten)]
    format: FormatArg,
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

#[derive(Debug, Args)]
struct SizeArg {
    /// Add SizeRw and SizeRootFs of containers
    #[arg(short, long)]
    size: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FormatArg {
    /// json, or a Go template: `{{.State.Pid}}`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
}

/// How what was found is shown.
#[derive(Debug)]
pub(crate) enum Show {
    /// Over many lines.
    Default,
    /// On one line.
    Json,
    Template(Template),
}

impl FormatArg {
    /// Docker's exit code for a template that cannot be understood is 64.
    pub(crate) fn show(&self) -> Result<Show, Exit> {
        match self.format.as_deref() {
            None | Some("") => Ok(Show::Default),
            Some("json") => Ok(Show::Json),
            Some(text) => match Template::parse(text) {
                Ok(template) => Ok(Show::Template(
                    template.for_terminal(std::io::stdout().is_terminal()),
                )),
                Err(error) => Err(Exit::from(error).or_code(64)),
            },
        }
    }
}

impl Show {
    /// Prints one object that is no list: a page where nothing else is asked for.
    pub(crate) fn record(&self, value: &Value, page: impl FnOnce() -> String) -> Result<(), Exit> {
        match self {
            Self::Default => output::raw(&page())?,
            Self::Json => output::json(value)?,
            Self::Template(template) => {
                output::raw(&(template.render(Data::Record(value))? + "\n"))?;
            }
        }
        Ok(())
    }

    /// Sizes are added up where somebody wants to know them.
    fn wants_size(&self, asked: &SizeArg) -> bool {
        let wanted =
            |template: &Template| template.mentions("SizeRw") || template.mentions("SizeRootFs");
        asked.size || matches!(self, Self::Template(template) if wanted(template))
    }
}

type Found = Result<Value, Exit>;

pub(crate) fn run(engine: &Engine, args: &InspectArgs) -> Outcome {
    let show = args.format.show()?;
    let size = show.wants_size(&args.size);
    all(&args.names, &show, |name| match args.kind.as_deref() {
        Some("container") => container(engine, name, size),
        Some("image") => image(engine, name),
        Some("volume") => volume(engine, name),
        Some(_) | None => anything(engine, name, size),
    })
}

pub(crate) fn containers(engine: &Engine, args: &ContainerInspectArgs) -> Outcome {
    let show = args.format.show()?;
    let size = show.wants_size(&args.size);
    all(&args.containers, &show, |name| {
        container(engine, name, size)
    })
}

pub(crate) fn images(engine: &Engine, args: &ImageInspectArgs) -> Outcome {
    let show = args.format.show()?;
    all(&args.images, &show, |name| image(engine, name))
}

pub(crate) fn volumes(engine: &Engine, args: &VolumeInspectArgs) -> Outcome {
    let show = args.format.show()?;
    all(&args.names, &show, |name| volume(engine, name))
}

/// What was found goes out whole, errors follow (semantics 42).
fn all(names: &[String], show: &Show, find: impl Fn(&str) -> Found) -> Outcome {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let mut text = String::new();
    for name in names {
        match (find(name), show) {
            (Ok(value), Show::Default | Show::Json) => found.push(value),
            (Ok(value), Show::Template(template)) => match template.render(Data::Object(&value)) {
                Ok(one) => text.extend([&one, "\n"]),
                Err(error) => errors.push(error.into()),
            },
            (Err(error), _) => errors.push(error),
        }
    }
    match show {
        Show::Default => output::pretty(&found)?,
        Show::Json => output::json(&found)?,
        // Docker ends the line that it has not begun.
        Show::Template(_) if text.is_empty() => output::raw("\n")?,
        Show::Template(_) => output::raw(&text)?,
    }
    if errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for error in errors {
        report::print(&error);
    }
    Err(Exit::said())
}

fn container(engine: &Engine, name: &str, size: bool) -> Found {
    let container = engine.container(name)?;
    let dirs = engine.overlay_of(&container.record)?;
    let size = size
        .then(|| engine.size_of(&container.record))
        .transpose()?;
    Ok(inspect_json::container(engine, &container, &dirs, size)?)
}

fn image(engine: &Engine, name: &str) -> Found {
    let images = engine.images()?;
    let record = images.resolve(name)?;
    let forms = images.list()?.into_iter().filter(|one| one.id == record.id);
    let forms: Vec<_> = forms.map(|one| one.manifest).collect();
    let mut names = images.names()?;
    names.retain(|_, manifest| forms.contains(manifest));
    let config = images.config_bytes(&record)?;
    Ok(inspect_image::image(engine, &record, &config, &names)?)
}

fn volume(engine: &Engine, name: &str) -> Found {
    let volumes = engine.volumes()?;
    let volume = volumes.get(name)?;
    let name = &volume.record.name;
    let users = {
        let (mut users, damaged) = engine.known_volume_users()?;
        report::note_damaged_containers(&damaged);
        users.remove(name).unwrap_or_default()
    };
    let last_used = volumes.last_used(name)?;
    Ok(inspect_json::volume(&volume, &users, last_used))
}

/// Docker's order: containers, images, volumes.
fn anything(engine: &Engine, name: &str, size: bool) -> Found {
    match engine.container(name) {
        Ok(_) => return container(engine, name, size),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match engine.images()?.resolve(name) {
        Ok(_) => return image(engine, name),
        Err(cowshed::image::Error::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match engine.volumes()?.get(name) {
        Ok(_) => volume(engine, name),
        Err(cowshed::volume::Error::NotFound { .. }) => {
            Err(Exit::usage(format!("No such object: {name}")).or_code(1))
        }
        Err(error) => Err(error.into()),
    }
}
