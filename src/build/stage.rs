//! `State`: the image of a stage as far as it has come.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;

use super::{Error, arguments::Arguments};
use crate::{
    container::KeptImage,
    dockerfile::Expander,
    image::{ImageRecord, RunConfig},
};

/// Docker's default, which a base image without one gets.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the steps of a stage change.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// What the last step made; none while there is nothing.
    pub(super) image: Option<ImageRecord>,
    /// Its hold on that image.
    pub(super) kept: Option<Rc<KeptImage>>,
    /// Of the next image.
    pub(super) config: RunConfig,
    /// A `CMD` stood in this stage: an `ENTRYPOINT` leaves it.
    pub(super) has_command: bool,
    /// Where a `VOLUME` of this stage stands, by its path.
    pub(super) volumes: BTreeMap<String, usize>,
    /// A step was not in the cache: those after it are not looked for.
    pub(super) is_anew: bool,
}

impl State {
    /// A stage on an image, or on nothing; and the `ONBUILD`s of the image, which are for us and not
    /// for those after us.
    pub(super) fn on(
        image: Option<(ImageRecord, RunConfig)>,
        is_anew: bool,
    ) -> (Self, Vec<String>) {
        let (image, mut config) = image.map_or((None, RunConfig::default()), |(image, config)| {
            (Some(image), config)
        });
        let triggers = config.more.remove("OnBuild");
        let triggers = texts(triggers.as_ref());
        let mut env = config.known.env().clone().unwrap_or_default();
        if !env.iter().any(|variable| variable.starts_with("PATH=")) {
            env.push(PATH.to_owned());
            config.known.set_env(Some(env));
        }
        let state = Self {
            image,
            config,
            is_anew,
            ..Self::default()
        };
        (state, triggers)
    }

    /// What runs scripts.
    pub(super) fn shell(&self) -> Vec<String> {
        let shell = texts(self.config.more.get("Shell"));
        if shell.is_empty() {
            return ["/bin/sh", "-c"].map(str::to_owned).to_vec();
        }
        shell
    }

    /// The value of a variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let env = self.config.known.env().as_deref().unwrap_or_default();
        let value = |variable: &String| {
            let (key, value) = variable.split_once('=')?;
            (key == name).then(|| value.to_owned())
        };
        env.iter().find_map(value)
    }

    /// Sets one.
    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        let mut env = self.config.known.env().clone().unwrap_or_default();
        let new = format!("{name}={value}");
        let is_it = |variable: &&mut String| variable.split('=').next() == Some(name);
        match env.iter_mut().find(is_it) {
            Some(old) => *old = new,
            None => env.push(new),
        }
        self.config.known.set_env(Some(env));
    }

    /// Build arguments that the environment does not hide.
    pub(super) fn arguments(&self, arguments: &Arguments) -> BTreeMap<String, String> {
        let mut visible = arguments.visible();
        visible.retain(|name, _| self.variable(name).is_none());
        visible
    }

    /// Replaces variables in the words of one instruction.
    pub(super) fn expand<T>(
        &self,
        arguments: &Arguments,
        escape: char,
        work: impl FnOnce(&Expander<'_>) -> Result<T, String>,
    ) -> Result<T, Error> {
        let visible = self.arguments(arguments);
        let variables = |name: &str| self.variable(name).or_else(|| visible.get(name).cloned());
        let expander = Expander {
            escape,
            variables: &variables,
        };
        work(&expander).map_err(Error::refused)
    }

    /// Where relative paths begin.
    pub(super) fn directory(&self) -> String {
        let own = self.config.known.working_dir().clone().unwrap_or_default();
        crate::dockerfile::clean(&format!("/{own}"))
    }

    /// A path as the image sees it.
    pub(super) fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return crate::dockerfile::clean(path);
        }
        crate::dockerfile::clean(&format!("{}/{path}", self.directory()))
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.map(|list| list.iter().filter_map(text).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::ArgDefinition;

    #[test]
    fn the_environment_hides_arguments() {
        let (mut state, _) = State::on(None, false);
        let mut arguments = Arguments::default();
        for (name, default) in [("A", "arg"), ("B", "arg")] {
            arguments.declare(&ArgDefinition {
                name: name.to_owned(),
                default: Some(default.to_owned()),
            });
        }
        state.set_variable("A", "env");
        let text = state.expand(&arguments, '\\', |words| words.word("$A $B $C"));
        assert_eq!(text.unwrap(), "env arg ");
        assert_eq!(state.arguments(&arguments).len(), 1);
        assert!(state.variable("PATH").is_some());
    }

    #[test]
    fn paths_are_relative_to_the_working_directory() {
        let (mut state, _) = State::on(None, false);
        assert_eq!(state.absolute("x"), "/x");
        state.config.known.set_working_dir(Some("/w".to_owned()));
        for (path, wanted) in [
            ("x/", "/w/x"),
            (".", "/w"),
            ("../..", "/"),
            ("/a/./b", "/a/b"),
        ] {
            assert_eq!(state.absolute(path), wanted, "{path}");
        }
    }

    #[test]
    fn triggers_are_for_the_next_stage_only() {
        let mut config = RunConfig::default();
        config.change("ONBUILD RUN x").unwrap();
        config.change("SHELL [\"x\"]").ok();
        let record: ImageRecord = serde_json::from_value(serde_json::json!({
            "manifest": crate::ident::Digest::of(b"m"), "id": crate::ident::Digest::of(b"i"),
            "layers": [], "imported": "2026-01-01T00:00:00Z"
        }))
        .unwrap();
        let (state, triggers) = State::on(Some((record, config)), true);
        assert_eq!(triggers, ["RUN x"]);
        assert!(state.config.more.is_empty() && state.is_anew);
    }
}
