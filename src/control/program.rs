//! `Program`: the streams of a running process, on the supervisor's side.

use std::{
    fs::File,
    os::fd::{AsFd as _, OwnedFd},
};

use super::{input::Input, source::Source};
use crate::{
    log::Stream,
    process::Running,
    sys::{At as _, Result, console, process},
};

/// Everything of a [`Running`] process that the loop works with.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) pidfd: OwnedFd,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) input: Input,
    stdout: Source,
    stderr: Source,
}

impl Program {
    pub(super) fn new(running: Running) -> Result<Self> {
        let terminal = running.terminal;
        let main = || {
            let main = terminal.as_ref().map(OwnedFd::try_clone);
            main.transpose().at("dup", || "terminal")
        };
        let (stdin, stdout) = (main()?.or(running.stdin), main()?.or(running.stdout));
        if let Some(stdin) = &stdin {
            // A terminal's two descriptors are one open file: reading never waits either.
            process::set_nonblocking(stdin)?;
        }
        Ok(Self {
            pidfd: running.pidfd,
            input: Input::new(stdin.map(File::from)),
            stdout: Source::new(stdout.map(File::from)),
            stderr: Source::new(running.stderr.map(File::from)),
            terminal,
        })
    }

    pub(super) fn output(&self, stream: Stream) -> &Source {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    pub(super) fn output_mut(&mut self, stream: Stream) -> &mut Source {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Whether every output has come to its end.
    pub(super) fn is_silent(&self) -> bool {
        self.stdout.is_done() && self.stderr.is_done()
    }

    /// A terminal has no end of input but the one that is typed.
    pub(super) fn end_input(&mut self) {
        if self.terminal.is_none() {
            self.input.end();
        }
    }

    /// No terminal, no size.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        if let Some(main) = &self.terminal {
            console::set_window_size(main.as_fd(), rows, columns).ok();
        }
    }
}
