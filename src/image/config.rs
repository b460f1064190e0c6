//! `ImageConfig`: the part of an image's config that a container needs.

use std::collections::BTreeMap;

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::{Error, HealthCheck};
use crate::ident::DiffId;

/// What an image says about the processes that run on it (OCI image-spec config.md).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Lowest first.
    pub diff_ids: Vec<DiffId>,
    /// As Go calls it.
    pub architecture: String,
    /// Mostly `linux`.
    pub os: String,
    /// RFC 3339, as given.
    pub created: Option<String>,
    /// `user[:group]`; empty means root.
    pub user: String,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Put before the command.
    pub entrypoint: Vec<String>,
    /// The default command.
    pub cmd: Vec<String>,
    /// Empty means `/`.
    pub working_dir: String,
    /// Targets of anonymous volumes, sorted.
    pub volumes: Vec<String>,
    /// `80/tcp`, sorted.
    pub exposed_ports: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// A name or a number.
    pub stop_signal: Option<String>,
    /// How to find out whether its program works.
    pub health: Option<HealthCheck>,
    /// What runs scripts, health checks' among them; empty means `/bin/sh -c`.
    pub shell: Vec<String>,
    /// One line a layer, or for an instruction without one.
    pub history: Vec<History>,
}

/// How a layer came to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339.
    pub created: Option<String>,
    /// The instruction.
    pub created_by: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// An instruction that made no layer.
    pub empty_layer: bool,
}

/// Docker's own fields, which the OCI's config does not have.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct More {
    healthcheck: Option<HealthCheck>,
    shell: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct WithMore {
    config: Option<More>,
}

impl ImageConfig {
    /// Parses a config document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let what = || "config".to_owned();
        let config: ImageConfiguration =
            serde_json::from_slice(bytes).map_err(|source| Error::Parse {
                what: what(),
                source,
            })?;
        let more = serde_json::from_slice::<WithMore>(bytes).map_err(|source| Error::Parse {
            what: what(),
            source,
        })?;
        let more = more.config.unwrap_or_default();
        if config.rootfs().typ() != "layers" {
            let why = format!("rootfs type {:?} is not \"layers\"", config.rootfs().typ());
            return Err(Error::Malformed { what: what(), why });
        }
        let diff_ids = config.rootfs().diff_ids().iter();
        let diff_ids = diff_ids
            .map(|text| text.parse().map(DiffId))
            .collect::<Result<_, crate::ident::Error>>()
            .map_err(|error| Error::Malformed {
                what: what(),
                why: error.to_string(),
            })?;
        let run = config.config().clone().unwrap_or_default();
        let sorted = |list: &Option<Vec<String>>| {
            let mut list = list.clone().unwrap_or_default();
            list.sort();
            list
        };
        let labels = run.labels().clone().unwrap_or_default();
        Ok(Self {
            diff_ids,
            architecture: config.architecture().to_string(),
            os: config.os().to_string(),
            created: config.created().clone(),
            user: run.user().clone().unwrap_or_default(),
            env: run.env().clone().unwrap_or_default(),
            entrypoint: run.entrypoint().clone().unwrap_or_default(),
            cmd: run.cmd().clone().unwrap_or_default(),
            working_dir: run.working_dir().clone().unwrap_or_default(),
            volumes: sorted(run.volumes()),
            exposed_ports: sorted(run.exposed_ports()),
            labels: labels.into_iter().collect(),
            stop_signal: run.stop_signal().clone(),
            health: more.healthcheck,
            shell: more.shell.unwrap_or_default(),
            history: history(&config),
        })
    }
}

fn history(config: &ImageConfiguration) -> Vec<History> {
    let entries = config.history().clone().unwrap_or_default();
    let entry = |entry: &oci_spec::image::History| History {
        created: entry.created().clone(),
        created_by: entry.created_by().clone(),
        comment: entry.comment().clone(),
        empty_layer: entry.empty_layer().unwrap_or(false),
    };
    entries.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_missing_fields_are_empty() {
        let text = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
            "config":{"Env":null,"Cmd":null,"Volumes":{"/b":{},"/a":{}},"ExposedPorts":null}}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.volumes, ["/a", "/b"]);
        assert!(config.env.is_empty() && config.cmd.is_empty());
    }

    #[test]
    fn dockers_own_fields_are_read_beside() {
        let text = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
            "config":{"Shell":["/bin/bash","-c"],"Healthcheck":{"Test":["CMD-SHELL","x"],
            "Interval":2000000}}}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        let health = config.health.unwrap();
        assert_eq!((health.test[1].as_str(), health.interval), ("x", 2_000_000));
        assert_eq!(config.shell, ["/bin/bash", "-c"]);
    }

    #[test]
    fn another_rootfs_type_is_refused() {
        let text =
            r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"evil","diff_ids":[]}}"#;
        assert!(matches!(
            ImageConfig::parse(text.as_bytes()),
            Err(Error::Malformed { .. })
        ));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            ImageConfig::parse(deep.as_bytes()),
            Err(Error::Parse { .. })
        ));
    }
}
