//! `RunConfig`: what an image says about its processes, to be changed and written back.

use std::path::Path;

use oci_spec::image::Config;
use serde_json::{Map, Value};

use super::{Error, HealthCheck, apply_change, health_change};

/// The `config` object of a config document. Fields that only other programs know stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunConfig {
    /// The fields of the image-spec.
    pub known: Config,
    /// All others by their names: Docker's `Healthcheck`, `Shell`, `OnBuild`, and strangers'.
    pub more: Map<String, Value>,
}

/// What [`RunConfig::known`] holds.
const KNOWN: [&str; 9] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
];

/// In which order Docker writes the fields that it has.
const ORDER: [&str; 12] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Healthcheck",
    "Volumes",
    "WorkingDir",
    "OnBuild",
    "Labels",
    "StopSignal",
    "Shell",
];

fn parse_failed(source: serde_json::Error) -> Error {
    Error::Parse {
        what: "config".to_owned(),
        source,
    }
}

impl RunConfig {
    /// That of a config document.
    pub fn of_document(bytes: &[u8]) -> Result<Self, Error> {
        let document: Value = serde_json::from_slice(bytes).map_err(parse_failed)?;
        let Some(Value::Object(own)) = document.get("config") else {
            return Ok(Self::default());
        };
        let is_known = |key: &&String| KNOWN.contains(&key.as_str());
        let pick = |wanted: bool| {
            let picked = own.iter().filter(|(key, _)| is_known(key) == wanted);
            picked
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        let known = Value::Object(pick(true));
        Ok(Self {
            known: serde_json::from_value(known).map_err(parse_failed)?,
            more: pick(false),
        })
    }

    /// Applies a Dockerfile instruction, as `commit --change` and `import --change` do.
    pub fn change(&mut self, text: &str) -> Result<(), Error> {
        let word = text.split_whitespace().next().unwrap_or_default();
        if let Some(check) = health_change(text) {
            self.set_health(&check?)?;
            return Ok(());
        }
        if word.eq_ignore_ascii_case("ONBUILD") {
            return self.on_build(text, text.trim()[word.len()..].trim());
        }
        let before = self.known.working_dir().clone().unwrap_or_default();
        apply_change(&mut self.known, text)?;
        if word.eq_ignore_ascii_case("WORKDIR") {
            let now = self.known.working_dir().clone().unwrap_or_default();
            let joined = Path::new("/").join(before).join(now);
            let text = joined.display().to_string();
            self.known.set_working_dir(Some(text));
        }
        Ok(())
    }

    /// All of `changes`, in order. An entrypoint takes the command away that was there before, which
    /// was meant for another one.
    pub fn change_all(&mut self, changes: &[String]) -> Result<(), Error> {
        let word = |text: &String| {
            let word = text.split_whitespace().next().unwrap_or_default();
            word.to_ascii_uppercase()
        };
        let mut has_command = false;
        for change in changes {
            self.change(change)?;
            match word(change).as_str() {
                "CMD" => has_command = true,
                "ENTRYPOINT" if !has_command => drop(self.known.set_cmd(None)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The check of whether its program works.
    pub fn set_health(&mut self, check: &HealthCheck) -> Result<(), Error> {
        let value = serde_json::to_value(check).map_err(parse_failed)?;
        self.more.insert("Healthcheck".to_owned(), value);
        Ok(())
    }

    fn on_build(&mut self, text: &str, trigger: &str) -> Result<(), Error> {
        let bad = |why: &str| Error::Change {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let word = trigger.split_whitespace().next().unwrap_or_default();
        match word.to_ascii_uppercase().as_str() {
            "" => return Err(bad("it needs an argument")),
            "ONBUILD" => {
                return Err(bad("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"));
            }
            "MAINTAINER" | "FROM" => {
                let word = word.to_ascii_uppercase();
                return Err(bad(&format!("{word} isn't allowed as an ONBUILD trigger")));
            }
            _ => {}
        }
        let list = self.more.entry("OnBuild").or_insert(Value::Null);
        if let Value::Array(triggers) = list {
            triggers.push(trigger.into());
        } else {
            *list = Value::Array(vec![trigger.into()]);
        }
        Ok(())
    }

    /// The JSON object, empty fields left out: the same values give the same bytes.
    pub(super) fn to_value(&self) -> Result<Value, Error> {
        let known = serde_json::to_value(&self.known).map_err(parse_failed)?;
        let mut all = self.more.clone();
        if let Value::Object(known) = known {
            all.extend(known.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let mut ordered = Map::new();
        for key in ORDER {
            if let Some(value) = all.remove(key) {
                ordered.insert(key.to_owned(), sorted(value));
            }
        }
        let mut rest: Vec<_> = all.into_iter().collect();
        rest.sort_by(|one, other| one.0.cmp(&other.0));
        ordered.extend(rest);
        Ok(Value::Object(ordered))
    }
}

/// Keys in order: the image-spec's maps come in any.
fn sorted(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    let mut pairs: Vec<_> = map.into_iter().collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    Value::Object(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_only_others_know_stays() {
        let text = br#"{"config":{"Cmd":["x"],"Shell":["/bin/bash"],"Strange":{"b":1,"a":2}}}"#;
        let mut config = RunConfig::of_document(text).unwrap();
        config.change("ENV A=1").unwrap();
        config.change("ONBUILD RUN x").unwrap();
        config.change("onbuild RUN y").unwrap();
        config.change("HEALTHCHECK CMD true").unwrap();
        let value = config.to_value().unwrap();
        assert_eq!(value["Strange"]["a"], 2);
        assert_eq!(value["Shell"][0], "/bin/bash");
        assert_eq!(value["OnBuild"], serde_json::json!(["RUN x", "RUN y"]));
        assert_eq!(value["Healthcheck"]["Test"][1], "true");
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            ["Env", "Cmd", "Healthcheck", "OnBuild", "Shell", "Strange"]
        );
    }

    #[test]
    fn an_entrypoint_takes_an_older_command_away() {
        let text = br#"{"config":{"Cmd":["old"]}}"#;
        let changed = |changes: &[&str]| {
            let mut config = RunConfig::of_document(text).unwrap();
            config.change_all(&texts(changes)).unwrap();
            config.known.cmd().clone()
        };
        assert_eq!(changed(&["ENTRYPOINT [\"e\"]"]), None);
        let both = changed(&["CMD [\"new\"]", "ENTRYPOINT [\"e\"]"]);
        assert_eq!(both, Some(texts(&["new"])));
        assert_eq!(changed(&["USER x"]), Some(texts(&["old"])));
    }

    #[test]
    fn a_relative_directory_is_below_the_one_before() {
        let mut config = RunConfig::default();
        config
            .change_all(&texts(&["WORKDIR /a", "WORKDIR b"]))
            .unwrap();
        assert_eq!(config.known.working_dir().as_deref(), Some("/a/b"));
    }

    #[test]
    fn triggers_of_triggers_are_refused() {
        for text in ["ONBUILD", "ONBUILD ONBUILD RUN x", "ONBUILD FROM x"] {
            assert!(RunConfig::default().change(text).is_err(), "{text}");
        }
    }
}
