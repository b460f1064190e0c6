//! What the store holds, for a shell that completes a name: quick, quiet, and nothing is made.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use cowshed::container::{Container, Engine, Status};

/// What a word may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Containers,
    Running,
    Paused,
    Stopped,
    Images,
    Volumes,
    Everything,
    /// `CONTAINER:PATH` or a path.
    ContainersAndPaths,
    /// `VOLUME:PATH` or a path.
    VolumesAndPaths,
}

/// Completes an argument.
pub(crate) struct Completer {
    pub(crate) names: Names,
    /// The store.
    pub(crate) root: PathBuf,
}

impl ValueCompleter for Completer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let typed = current.to_str().unwrap_or("\0");
        let mut names = found(self.names, &self.root).unwrap_or_default();
        names.retain(|name| name.starts_with(typed));
        names.sort();
        names.dedup();
        let mut all: Vec<_> = names.into_iter().map(CompletionCandidate::new).collect();
        if matches!(
            self.names,
            Names::ContainersAndPaths | Names::VolumesAndPaths
        ) {
            all.extend(PathCompleter::any().complete(current));
        }
        all
    }
}

/// `None` where there is no store that we may read.
fn found(names: Names, root: &Path) -> Option<Vec<String>> {
    // Opening would make one.
    if !root.join("store.json").exists() || !cowshed::sys::process::is_root() {
        return None;
    }
    let engine = Engine::open(root).ok()?;
    Some(match names {
        Names::Containers => containers(&engine, |_| true)?,
        Names::Running => containers(&engine, |one| one.status.is_live())?,
        Names::Paused => containers(&engine, |one| one.status == Status::Paused)?,
        Names::Stopped => containers(&engine, |one| !one.status.is_live())?,
        Names::Images => images(&engine)?,
        Names::Volumes => volumes(&engine)?,
        Names::Everything => {
            let containers = containers(&engine, |_| true)?;
            let rest = [images(&engine)?, volumes(&engine)?].concat();
            [containers, rest].concat()
        }
        Names::ContainersAndPaths => followed_by_path(containers(&engine, |_| true)?),
        Names::VolumesAndPaths => followed_by_path(volumes(&engine)?),
    })
}

fn followed_by_path(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name + ":").collect()
}

fn containers(engine: &Engine, wanted: impl Fn(&Container) -> bool) -> Option<Vec<String>> {
    let all = engine.all_containers().ok()?.0;
    let chosen = all.into_iter().filter(wanted);
    Some(chosen.map(|one| one.record.name.to_string()).collect())
}

/// Without the tag that is meant anyway: bash begins a new word at a colon.
fn images(engine: &Engine) -> Option<Vec<String>> {
    let names = engine.images().ok()?.names().ok()?;
    let short = |name: String| match name.strip_suffix(":latest") {
        Some(short) => short.to_owned(),
        None => name,
    };
    Some(names.keys().map(|name| short(name.familiar())).collect())
}

fn volumes(engine: &Engine) -> Option<Vec<String>> {
    let names = engine.volumes().ok()?.names().ok()?;
    Some(names.iter().map(ToString::to_string).collect())
}
