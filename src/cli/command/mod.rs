//! One file a subcommand: its arguments, whose docs are the help, and what it does with them.

pub(crate) mod container;
pub(crate) mod cp;
pub(crate) mod diff;
mod env_file;
pub(crate) mod export;
pub(crate) mod image;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod inspect;
mod inspect_json;
pub(crate) mod load;
mod narrate;
pub(crate) mod ps;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
mod run_args;
mod sync_arg;
pub(crate) mod tag;
pub(crate) mod version;
pub(crate) mod volume;
mod volume_prune;
