//! How a volume's file system is mounted, told to people: calls for `--explain`, commands for
//! `--explain=sh`. A password shows in neither.

use super::{
    environment::{self, Way},
    mounter,
    options::{HIDDEN, MountSpec, Secret},
};
use crate::{
    mount::quote,
    sys::mount::{Attributes, Depth},
};

impl MountSpec {
    /// The calls that mount it on `place`, for people.
    pub fn narrate(&self, place: &str) -> Vec<String> {
        calls(self, place)
    }

    /// A command that mounts it on `word`, a word of the shell.
    pub fn script(&self, word: &str) -> String {
        command(self, word)
    }
}

/// The calls that mount it on `place`.
pub(super) fn calls(spec: &MountSpec, place: &str) -> Vec<String> {
    let onto = format!("move_mount(\"{place}\")");
    if let Some(depth) = spec.bind {
        let deep = if depth == Depth::Recursive {
            "|AT_RECURSIVE"
        } else {
            ""
        };
        let tree = format!("open_tree(\"{}\", OPEN_TREE_CLONE{deep})", spec.device);
        let change = (spec.attributes != Attributes::NONE)
            .then(|| format!("mount_setattr({{attr_set={}}})", spec.shown_words()));
        return [tree].into_iter().chain(change).chain([onto]).collect();
    }
    let way = environment::way(spec);
    if let Ok(way @ Way::Helper { .. }) = &way {
        return vec![helper(spec, way, place)];
    }
    let mut calls = vec![format!("fsopen(\"{}\")", spec.kind)];
    let set =
        |key: &str, value: &str| format!("fsconfig(FSCONFIG_SET_STRING, \"{key}\", \"{value}\")");
    calls.push(set("source", &spec.device));
    let flag = |key: &String| format!("fsconfig(FSCONFIG_SET_FLAG, \"{key}\")");
    calls.extend(spec.switches.iter().map(flag));
    calls.extend(spec.data.iter().map(|(key, value)| match value {
        Some(value) => set(key, value),
        None => flag(key),
    }));
    calls.extend(spec.secret.as_ref().map(|secret| match secret {
        Secret::Text { key, .. } => set(key, HIDDEN),
        Secret::File(_) => set("password", HIDDEN),
    }));
    calls.push("fsconfig(FSCONFIG_CMD_CREATE); fsmount()".to_owned());
    calls.push(onto);
    calls
}

fn helper(spec: &MountSpec, way: &Way, place: &str) -> String {
    // For its words alone: a password is read only when it is used.
    let secret = spec.secret.as_ref().map(|_| Secret::Text {
        key: String::new(),
        value: HIDDEN.to_owned(),
    });
    let open = MountSpec {
        secret,
        ..spec.clone()
    };
    let Ok(program) = mounter::program(&open, way, place.as_ref()) else {
        return String::new();
    };
    let args = program
        .args
        .iter()
        .map(|arg| format!("\"{}\"", arg.display()));
    let args = args.collect::<Vec<_>>().join(", ");
    let input = spec
        .secret
        .as_ref()
        .map_or("", |_| "; the password goes to its input");
    format!("execve(\"{}\", [{args}]){input}", program.path.display())
}

/// A command that mounts it on `word`, a word of the shell.
pub(super) fn command(spec: &MountSpec, word: &str) -> String {
    let options = spec.shown_words();
    let options = match &*options {
        "" => String::new(),
        options => format!(" -o {}", quote(options)),
    };
    let kind = match spec.bind {
        Some(_) => String::new(),
        None => format!(" -t {}", spec.kind),
    };
    let note = spec
        .secret
        .as_ref()
        .map_or("", |_| "   # put the password in");
    format!("mount{kind}{options} {} {word}{note}", quote(&spec.device))
}
