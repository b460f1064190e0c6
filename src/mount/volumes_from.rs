//! `--volumes-from`: whose mounts to take over.

use serde::{Deserialize, Serialize};

use super::{Access, Error, volume_flag::Mode};

/// The containers whose mounts are taken over, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// Name or id of the other container, as typed.
    pub container: String,
    /// `ro` or `rw` where it was typed; a mount that is read-only there stays so in any case.
    pub access: Option<Access>,
}

/// Parses `CONTAINER[:MODE]`.
pub fn parse_volumes_from(text: &str) -> Result<VolumesFrom, Error> {
    let (container, mode) = text.split_once(':').unwrap_or((text, ""));
    if container.is_empty() {
        return Err(Error::Missing {
            what: "volumes-from specification cannot be an empty string",
        });
    }
    let access = if mode.is_empty() {
        None
    } else {
        let parsed = Mode::parse(mode)?;
        // They keep the propagation and the content that they have.
        if !parsed.is_access_only() {
            return Err(Error::Mode {
                text: mode.to_owned(),
            });
        }
        parsed.access
    };
    Ok(VolumesFrom {
        container: container.to_owned(),
        access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_29_a_container_and_an_access() {
        for (text, container, access) in [
            ("db", "db", None),
            ("db:", "db", None),
            ("db:ro", "db", Some(Access::ReadOnly)),
            ("db:rw,z", "db", Some(Access::ReadWrite)),
            ("db:z", "db", None),
        ] {
            let expected = VolumesFrom {
                container: container.to_owned(),
                access,
            };
            assert_eq!(parse_volumes_from(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rule_29_propagation_and_nocopy_are_refused() {
        for mode in [
            "rshared", "nocopy", "nocreate", "O", "idmap", "ro,rw", "foo", "ro:rw",
        ] {
            let error = parse_volumes_from(&format!("db:{mode}")).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid mode: {mode}"));
        }
        for text in ["", ":ro"] {
            let error = parse_volumes_from(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                "volumes-from specification cannot be an empty string"
            );
        }
    }
}
