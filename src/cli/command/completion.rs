//! `cowshed completion`: prints the script that a shell reads when it starts.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use crate::cli::{
    completion::{Shell, script},
    output,
    report::Outcome,
};

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// For bash: source <(cowshed completion bash)
    #[arg(value_enum)]
    shell: ShellArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShellArg {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &CompletionArgs) -> Outcome {
    let shell = match args.shell {
        ShellArg::Bash => Shell::Bash,
        ShellArg::Zsh => Shell::Zsh,
        ShellArg::Fish => Shell::Fish,
    };
    output::bytes(&script(shell, &program())?)?;
    Ok(ExitCode::SUCCESS)
}

/// What the script shall call: this very file where it was called by a path, else whatever `PATH`
/// leads to by then.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from);
    let by_path = called.is_some_and(|called| called.components().count() > 1);
    let own = std::env::current_exe().ok().filter(|_| by_path);
    let own = own.and_then(|path| path.into_os_string().into_string().ok());
    own.unwrap_or_else(|| "cowshed".to_owned())
}
