//! `cowshed exec`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use cowshed::container::{Engine, ExecRequest, Ran, Way};

use super::{
    attach_args::{AttachArgs, Wants, finish, require_terminal, way},
    env_file,
};
use crate::cli::report::{Exit, Outcome};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's exec"
)]
pub(crate) struct ExecArgs {
    /// Run in the background
    #[arg(short, long)]
    detach: bool,
    /// Pass our input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    tty: bool,
    /// Environment variable; without a value it is passed on
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// File of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// User and group, as names of the image or as numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Keep all capabilities
    #[arg(long)]
    privileged: bool,
    #[command(flatten)]
    attached: AttachArgs,
    /// The container, then the program and its arguments
    #[arg(
        required = true,
        num_args = 2..,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_names = ["CONTAINER", "COMMAND [ARG…]"]
    )]
    container_and_command: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: ExecArgs) -> Outcome {
    let wants = Wants {
        stdin: args.interactive && !args.detach,
        terminal: args.tty,
    };
    require_terminal(wants)?;
    let way = if args.detach {
        Way::Detached
    } else {
        way(args.attached.attachment(wants)?, true)
    };
    let mut variables = Vec::new();
    for file in &args.env_file {
        variables.extend(env_file::read(file)?);
    }
    variables.extend(args.env);
    let mut words = args.container_and_command.into_iter();
    let container = words.next().unwrap_or_default();
    if container.starts_with('-') {
        return Err(Exit::usage(format!("unknown flag: {container}")));
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let request = ExecRequest {
        args: words.collect(),
        env: env_file::resolve(variables)?,
        workdir: given(args.workdir),
        user: given(args.user),
        terminal: args.tty,
        interactive: args.interactive,
        privileged: args.privileged,
    };
    match engine.exec(&container, request, way) {
        // Docker prints nothing.
        Ok(Ran::Detached(_)) => Ok(ExitCode::SUCCESS),
        Ok(ran) => finish(&ran),
        Err(error) => Err(exec_failed(error)),
    }
}

/// Docker's `exec` answers 1 where the container is not fit for it, and as `run` where the program
/// does not start.
fn exec_failed(error: cowshed::container::Error) -> Exit {
    use cowshed::container::Error;
    #[expect(clippy::wildcard_enum_match_arm, reason = "as in `run`")]
    let code = match &error {
        Error::Told { exit_code, .. } => u8::try_from(*exit_code).unwrap_or(125),
        Error::NotFound { .. } | Error::State { .. } | Error::Ambiguous { .. } => 1,
        _ => u8::try_from(error.exit_code()).unwrap_or(1),
    };
    Exit::from(error).or_code(code)
}
