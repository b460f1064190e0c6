//! How a command is attached to a container: flags that several commands share.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use cowshed::{
    container::{Ran, Way},
    control::{Attachment, DetachKeys, Parting},
};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Pass signals on to the program; with =false they end this command only
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true",
        default_missing_value = "true", hide_default_value = true, action = ArgAction::Set)]
    sig_proxy: bool,
    /// Keys that leave the container without ending it
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: String,
}

/// What of ours goes into a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    /// Our input.
    pub(crate) stdin: bool,
    /// What we type, as the program has a terminal.
    pub(crate) terminal: bool,
}

impl AttachArgs {
    pub(crate) fn attachment(&self, wants: Wants) -> Result<Attachment, Exit> {
        let Wants { stdin, terminal } = wants;
        let keys = self.detach_keys.parse::<DetachKeys>();
        Ok(Attachment {
            stdin,
            terminal,
            sig_proxy: self.sig_proxy,
            detach_keys: keys.map_err(|error| Exit::from(error).or_code(125))?,
        })
    }
}

/// Both outputs.
pub(crate) fn way(attachment: Attachment, owner: bool) -> Way {
    Way::Attached {
        attachment,
        outputs: (true, true),
        owner,
    }
}

/// A terminal in the container and input from ours need that to be one.
pub(crate) fn require_terminal(wants: Wants) -> Result<(), Exit> {
    if wants.stdin && wants.terminal && !cowshed::sys::console::is_terminal(std::io::stdin()) {
        return Err(Exit::usage("the input device is not a TTY").or_code(1));
    }
    Ok(())
}

/// What a command that started or joined a program ends with.
pub(crate) fn finish(ran: &Ran) -> Outcome {
    let code = match ran {
        Ran::Ended(code) => *code,
        Ran::Detached(id) => {
            output::line(id.as_str())?;
            0
        }
        Ran::Left(Parting::Keys) => {
            report::line("read escape sequence");
            0
        }
        Ran::Left(Parting::Signal(signal)) => 128 + signal,
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(255)))
}

/// Keeps the exit code that the error of a start has.
pub(crate) fn start_failed(error: cowshed::container::Error) -> Exit {
    let code = u8::try_from(error.exit_code()).unwrap_or(125);
    Exit::from(error).or_code(code)
}
