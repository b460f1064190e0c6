//! Answers to a shell that asks how a command line may go on.
//!
//! The shell's script calls this program with [`ASKED`] in the environment and the words of the
//! command line after `--`. Whatever goes wrong, the answer is nothing: nobody reads messages in the
//! middle of a line.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command};
use clap_complete::{
    engine::ArgValueCompleter,
    env::{Bash, EnvCompleter, Fish, Zsh},
};

use super::{
    completion_names::{Completer, Names},
    output,
};

/// Names the shell that asks.
const ASKED: &str = "COWSHED_COMPLETE";

/// Shells that we have scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn of(name: &OsStr) -> Option<Self> {
        match name.to_str()? {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }

    fn adapter(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
        }
    }
}

/// The script that makes a shell call `program`.
pub(crate) fn script(shell: Shell, program: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let adapter = shell.adapter();
    adapter.write_registration(ASKED, "cowshed", "cowshed", program, &mut text)?;
    Ok(text)
}

/// Answers a shell; whether one has asked.
pub(crate) fn answer(command: impl FnOnce() -> Command, default_root: &str) -> bool {
    let Some(shell) = env::var_os(ASKED).and_then(|name| Shell::of(&name)) else {
        return false;
    };
    let words: Vec<_> = env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let current = index().map_or(words.last(), |index| words.get(index));
    let is_bare = current.is_none_or(|word| word.is_empty());
    let mut command = prepared(command(), &root(&words, default_root), is_bare);
    let mut text = Vec::new();
    let here = env::current_dir().ok();
    let found = shell.adapter();
    let found = found.write_complete(&mut command, words, here.as_deref(), &mut text);
    if found.is_ok() {
        output::bytes(&text).ok();
    }
    true
}

/// Which word is being typed, for shells that say so.
fn index() -> Option<usize> {
    env::var("_CLAP_COMPLETE_INDEX").ok()?.parse().ok()
}

/// The store that the words on the line would work with.
fn root(words: &[OsString], default: &str) -> PathBuf {
    let prefix = "--root=";
    let mut given = None;
    for (place, word) in words.iter().enumerate() {
        match word.to_str() {
            Some("--") => break,
            Some("--root") => given = words.get(place + 1).map(PathBuf::from),
            Some(word) if word.starts_with(prefix) => given = Some(word[prefix.len()..].into()),
            Some(_) | None => {}
        }
    }
    let environment = || env::var_os("COWSHED_ROOT").map(PathBuf::from);
    given.or_else(environment).unwrap_or_else(|| default.into())
}

/// Tells every argument what it may be. Options are offered only to who has begun one, or where
/// there is nothing else.
fn prepared(command: Command, root: &Path, is_bare: bool) -> Command {
    let name = command.get_name().to_owned();
    let mut runs_program = false;
    let of_argument = |arg: Arg| {
        let is_hidden = arg.is_hide_set() || is_bare && !arg.is_positional();
        let names = names_of(&name, &arg);
        let arg = arg.hide(is_hidden);
        let Some(names) = names else {
            return arg;
        };
        let is_split = arg.is_trailing_var_arg_set();
        runs_program |= is_split;
        let arg = if is_split { alone(arg) } else { arg };
        let root = root.to_owned();
        arg.add(ArgValueCompleter::new(Completer { names, root }))
    };
    let mut command = command.mut_args(of_argument);
    if runs_program {
        command = command.arg(program());
    }
    if is_bare {
        command = command.disable_help_flag(true).disable_version_flag(true);
    }
    command.mut_subcommands(|sub| prepared(sub, root, is_bare))
}

/// An argument that holds a program's words, too, without them: the engine does not tell the first
/// word from the others.
fn alone(arg: Arg) -> Arg {
    let arg = arg.trailing_var_arg(false).allow_hyphen_values(false);
    arg.action(ArgAction::Set).num_args(1).value_name("NAME")
}

/// The words of a program, of which we know nothing.
fn program() -> Arg {
    let words = Arg::new("program's words").num_args(0..);
    words.trailing_var_arg(true).allow_hyphen_values(true)
}

/// What an argument of a command names, by what its value is called in the help.
fn names_of(command: &str, arg: &Arg) -> Option<Names> {
    let value = arg.get_value_names()?.first()?.as_str();
    match (command, value) {
        (_, "[SOURCE:]TARGET[:MODE]") => Some(Names::VolumesAndPaths),
        (_, "CONTAINER[:ro|rw]") => Some(Names::Containers),
        _ if !arg.is_positional() => None,
        ("start", "CONTAINER") => Some(Names::Stopped),
        ("unpause", "CONTAINER") => Some(Names::Paused),
        ("attach" | "exec" | "kill" | "pause" | "stop" | "top" | "wait", "CONTAINER") => {
            Some(Names::Running)
        }
        (_, "CONTAINER" | "CONTAINER[:TARGET]|VOLUME") => Some(Names::Containers),
        (_, "IMAGE" | "IMAGE [COMMAND [ARG…]]") | ("tag", "SOURCE") => Some(Names::Images),
        (_, "VOLUME") => Some(Names::Volumes),
        ("inspect", "NAME") => Some(Names::Everything),
        ("cp", "FROM" | "TO") => Some(Names::VolumesAndPaths),
        ("cp", _) => Some(Names::ContainersAndPaths),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_is_completed_is_a_sound_definition() {
        for is_bare in [false, true] {
            prepared(Cli::command(), Path::new("/none"), is_bare).debug_assert();
        }
    }

    fn given(line: &str) -> Option<PathBuf> {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        let root = root(&words, "/none");
        (root != *"/none" && env::var_os("COWSHED_ROOT").is_none()).then_some(root)
    }

    #[test]
    fn the_store_of_the_line_is_asked() {
        assert_eq!(given("cowshed stop x"), None);
        assert_eq!(given("cowshed --root /a stop x"), Some("/a".into()));
        assert_eq!(given("cowshed stop --root=/b x"), Some("/b".into()));
        assert_eq!(given("cowshed stop -- --root=/b"), None);
        assert_eq!(given("cowshed stop --root"), None);
    }
}
