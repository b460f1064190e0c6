//! What a build is asked for, and what it tells meanwhile.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    ident::{ContainerId, Digest, Reference},
    process::Network,
    rootfs::Sync,
};

/// Where the files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextFrom {
    /// A directory.
    Directory(PathBuf),
    /// A tar on standard input, or only a Dockerfile.
    Stdin,
}

/// Where the Dockerfile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerfileFrom {
    /// `Dockerfile` in the context.
    Context,
    /// A file; of the context where that came as a tar.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Everything `build` takes.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The last word.
    pub context: ContextFrom,
    /// `-f`
    pub dockerfile: DockerfileFrom,
    /// `-t`
    pub names: Vec<Reference>,
    /// `--build-arg`; without a value where the caller's environment has none.
    pub arguments: BTreeMap<String, Option<String>>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
    /// `--target`
    pub target: Option<String>,
    /// `--no-cache`
    pub no_cache: bool,
    /// `--pull`: images that stages begin with are fetched even where they are here.
    pub pull: bool,
    /// `--dry-run`: nothing is made, and all is told that can be known before.
    pub dry_run: bool,
    /// `--network`, of `RUN`
    pub network: Network,
    /// `SOURCE_DATE_EPOCH` of the environment.
    pub epoch: Option<String>,
    /// What is on disk when a step is reported as done.
    pub durability: Sync,
}

/// Has an image fetched, by its name and for a platform.
pub type Fetch<'a> = dyn FnMut(&str, Option<&str>) -> Result<(), Unfetched> + 'a;

/// Why an image could not be fetched, as another process told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfetched {
    /// Operation, object and causes.
    pub cause: String,
    /// What to type next.
    pub hint: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Built {
    /// The image; none in a dry run that did not find it.
    pub id: Option<Digest>,
}

/// What a build tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// An instruction begins.
    Step {
        /// From 1.
        number: usize,
        /// Of how many.
        count: usize,
        /// As written, on one line.
        text: String,
    },
    /// `ONBUILD`s of the base image follow.
    Triggers {
        /// How many.
        count: usize,
    },
    /// What the cache has, and why.
    Cache {
        /// It has the step.
        hit: bool,
        /// One line.
        reason: String,
    },
    /// A command begins in a container.
    Running(ContainerId),
    /// That container is gone.
    Removed(ContainerId),
    /// The step made this image, or found it; none is the empty one.
    Image(Option<Digest>),
    /// A dry run: what the step would do.
    Would(String),
    /// What the user must know.
    Note(String),
    /// What is allowed and hardly meant.
    Warning(String),
    /// All went well.
    Done(Digest),
    /// The image has this name now.
    Tagged(Reference),
}
