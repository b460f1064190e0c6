//! `ARG` and `--build-arg`: which variables there are beside the environment.

use std::collections::{BTreeMap, BTreeSet};

use crate::dockerfile::ArgDefinition;

/// Usable without `ARG`, and then neither in the history nor in the cache, as in Docker.
const PROXIES: [&str; 5] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Where reproducible builds say which time it is.
pub(super) const EPOCH: &str = "SOURCE_DATE_EPOCH";

fn is_proxy(name: &str) -> bool {
    let is_one_case = name == name.to_ascii_uppercase() || name == name.to_ascii_lowercase();
    is_one_case && PROXIES.contains(&name.to_ascii_uppercase().as_str())
}

/// What was given and what was declared so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    given: BTreeMap<String, Option<String>>,
    used: BTreeSet<String>,
    /// Declared before the first `FROM`.
    globals: BTreeMap<String, Option<String>>,
    /// Declared in this stage.
    declared: BTreeMap<String, Option<String>>,
}

impl Arguments {
    pub(super) fn new(given: BTreeMap<String, Option<String>>) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    /// An `ARG` before the first `FROM`; its default has been expanded.
    pub(super) fn declare_global(&mut self, definition: &ArgDefinition) {
        let value = self.value(definition);
        self.globals.insert(definition.name.clone(), value);
    }

    /// What `FROM` sees.
    pub(super) fn global(&self, name: &str) -> Option<String> {
        self.globals.get(name).cloned().flatten()
    }

    /// Every stage declares its own.
    pub(super) fn begin_stage(&mut self) {
        self.declared.clear();
    }

    /// An `ARG` of a stage; without a default it is what it was before the first `FROM`.
    pub(super) fn declare(&mut self, definition: &ArgDefinition) {
        let value = self.value(definition);
        let value = value.or_else(|| self.global(&definition.name));
        self.declared.insert(definition.name.clone(), value);
    }

    fn value(&mut self, definition: &ArgDefinition) -> Option<String> {
        match self.given.get(&definition.name) {
            Some(value) => {
                self.used.insert(definition.name.clone());
                value.clone().or_else(|| definition.default.clone())
            }
            None => definition.default.clone(),
        }
    }

    /// What instructions and commands see of them, the environment set aside.
    pub(super) fn visible(&self) -> BTreeMap<String, String> {
        let given = self.given.iter().filter(|(name, _)| is_proxy(name));
        let pair = |(name, value): (&String, &Option<String>)| Some((name.clone(), value.clone()?));
        given.chain(&self.declared).filter_map(pair).collect()
    }

    /// Whether history and cache know of it.
    pub(super) fn is_told(&self, name: &str) -> bool {
        self.declared.contains_key(name) || !is_proxy(name)
    }

    /// Those that were given and that nothing asked for.
    pub(super) fn unused(&self) -> Vec<String> {
        let is_unused =
            |name: &&String| !self.used.contains(*name) && !is_proxy(name) && *name != EPOCH;
        self.given.keys().filter(is_unused).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, default: Option<&str>) -> ArgDefinition {
        ArgDefinition {
            name: name.to_owned(),
            default: default.map(str::to_owned),
        }
    }

    fn given(pairs: &[(&str, Option<&str>)]) -> Arguments {
        let owned =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        Arguments::new(pairs.iter().map(owned).collect())
    }

    #[test]
    fn what_was_given_wins_over_defaults_and_globals() {
        let mut arguments = given(&[("A", Some("given")), ("N", None)]);
        arguments.declare_global(&definition("A", Some("x")));
        arguments.declare_global(&definition("G", Some("global")));
        for (name, default) in [("A", None), ("G", None), ("N", Some("d")), ("U", None)] {
            arguments.declare(&definition(name, default));
        }
        let visible = arguments.visible();
        assert_eq!(visible["A"], "given");
        assert_eq!(visible["G"], "global");
        assert_eq!(visible["N"], "d");
        assert!(!visible.contains_key("U"));
        arguments.begin_stage();
        assert!(arguments.visible().is_empty());
    }

    #[test]
    fn proxies_need_no_declaration_and_are_told_only_with_one() {
        let mut arguments = given(&[("http_proxy", Some("p")), ("Http_Proxy", Some("q"))]);
        assert_eq!(arguments.visible().len(), 1);
        assert!(!arguments.is_told("http_proxy"));
        arguments.declare(&definition("http_proxy", None));
        assert!(arguments.is_told("http_proxy"));
        assert_eq!(arguments.unused(), ["Http_Proxy"]);
    }

    #[test]
    fn what_nothing_asked_for_is_found() {
        let mut arguments = given(&[("A", Some("1")), ("B", None), (EPOCH, Some("0"))]);
        arguments.declare(&definition("A", None));
        assert_eq!(arguments.unused(), ["B"]);
    }
}
