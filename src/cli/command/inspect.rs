//! `cowshed inspect`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Engine, Error};
use serde_json::Value;

use super::inspect_json;
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Look only among these
    #[arg(long = "type", value_parser = ["container", "image", "volume"])]
    kind: Option<String>,
    /// Names or ids
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

type Found = Result<Value, Exit>;

pub(crate) fn run(engine: &Engine, args: &InspectArgs) -> Outcome {
    all(&args.names, |name| match args.kind.as_deref() {
        Some("container") => container(engine, name),
        Some("image") => image(engine, name),
        Some("volume") => volume(engine, name),
        Some(_) | None => anything(engine, name),
    })
}

pub(crate) fn containers(engine: &Engine, names: &[String]) -> Outcome {
    all(names, |name| container(engine, name))
}

pub(crate) fn images(engine: &Engine, names: &[String]) -> Outcome {
    all(names, |name| image(engine, name))
}

pub(crate) fn volumes(engine: &Engine, names: &[String]) -> Outcome {
    all(names, |name| volume(engine, name))
}

/// What was found goes out whole, errors follow (semantics 42).
fn all(names: &[String], find: impl Fn(&str) -> Found) -> Outcome {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        match find(name) {
            Ok(value) => found.push(value),
            Err(error) => errors.push(error),
        }
    }
    output::pretty(&found)?;
    if errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for error in errors {
        report::print(&error);
    }
    Err(Exit::said())
}

fn container(engine: &Engine, name: &str) -> Found {
    let container = engine.container(name)?;
    let dirs = engine.overlay_of(&container.record)?;
    Ok(inspect_json::container(engine, &container, &dirs)?)
}

fn image(engine: &Engine, name: &str) -> Found {
    let images = engine.images()?;
    let record = images.resolve(name)?;
    let names = images.names()?;
    let config = images.config(&record)?;
    Ok(inspect_json::image(engine, &record, &config, &names))
}

fn volume(engine: &Engine, name: &str) -> Found {
    Ok(inspect_json::volume(&engine.volumes()?.get(name)?))
}

/// Docker's order: containers, images, volumes.
fn anything(engine: &Engine, name: &str) -> Found {
    match engine.container(name) {
        Ok(_) => return container(engine, name),
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
