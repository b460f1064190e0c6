//! `Relay`: moves a container's bytes and signals, and waits for its end.
//!
//! One thread, one poll(2) loop. Output is written as it comes, whole, however slow the reader is;
//! input waits in one buffer until the container takes it, so neither side can block the other.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{signal::Signal, signalfd::SignalFd},
};

use super::{
    Error, Running,
    output::{EIO, Output, is_transient},
};
use crate::sys::{
    At as _, SysError,
    console::{self, RawMode},
    process::{self, Ended},
};

/// What the process group of a terminal, or a supervisor above us, sends.
const FORWARDED: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
    Signal::SIGWINCH,
];

const BUFFER: usize = 64 * 1024;

/// Signals are held from its making on, so that none is lost while the container starts.
#[derive(Debug)]
pub struct Relay {
    signals: SignalFd,
    buffer: Vec<u8>,
    /// Input that the container has not taken yet.
    pending: Vec<u8>,
}

/// Our standard input on its way in.
struct Input {
    from: Option<File>,
    to: Option<File>,
}

fn failed(what: &'static str) -> impl FnOnce(SysError) -> Error {
    move |source| Error::System { what, source }
}

impl Relay {
    /// Begins to hold signals.
    pub fn new() -> Result<Self, Error> {
        let signals = process::catch_signals(&FORWARDED).map_err(failed("catch signals"))?;
        Ok(Self {
            signals,
            buffer: vec![0; BUFFER],
            pending: Vec::new(),
        })
    }

    /// A signal that came before there was a container to pass it to, and that means an end.
    pub fn interrupted(&self) -> Result<Option<i32>, Error> {
        let end = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
        ];
        let signal = process::read_signal(&self.signals).map_err(failed("read signals"))?;
        Ok(signal.filter(|signal| end.iter().any(|end| *end as i32 == *signal)))
    }

    /// Moves everything between the container and our standard streams until it has ended and
    /// its last byte is out. Our standard input goes in only with `-i`.
    pub fn run(mut self, running: Running, interactive: bool) -> Result<Ended, Error> {
        self.run_streams(running, interactive)
            .map_err(failed("relay streams"))
    }

    fn run_streams(&mut self, running: Running, interactive: bool) -> Result<Ended, SysError> {
        let Running {
            pidfd,
            stdin,
            stdout,
            stderr,
            terminal,
            ..
        } = running;
        let stdin_fd = std::io::stdin();
        let raw_mode = interactive && terminal.is_some() && console::is_terminal(stdin_fd.as_fd());
        let raw_mode = raw_mode
            .then(|| RawMode::enter(stdin_fd.as_fd()))
            .transpose()?;
        resize(terminal.as_ref());
        let to_container = match &terminal {
            Some(main) => Some(main.try_clone().at("dup", || "terminal")?),
            None => stdin,
        };
        if let Some(to) = &to_container {
            process::set_nonblocking(to)?;
        }
        let mut input = Input {
            from: if interactive {
                Some(duplicate(stdin_fd.as_fd())?)
            } else {
                None
            },
            to: to_container.map(File::from),
        };
        let main_out = terminal
            .as_ref()
            .map(|main| main.try_clone().at("dup", || "terminal"));
        let stdout = main_out.transpose()?.or(stdout).map(File::from);
        let mut outputs = [
            Output::new(stdout, std::io::stdout().as_fd())?,
            Output::new(stderr.map(File::from), std::io::stderr().as_fd())?,
        ];
        let ended = self.pump(&pidfd, terminal.as_ref(), &mut input, &mut outputs);
        drop(raw_mode);
        ended
    }

    fn pump(
        &mut self,
        pidfd: &OwnedFd,
        terminal: Option<&OwnedFd>,
        input: &mut Input,
        outputs: &mut [Output; 2],
    ) -> Result<Ended, SysError> {
        let mut ended = None;
        loop {
            if let Some(ended) = ended
                && outputs.iter().all(Output::is_done)
            {
                return Ok(ended);
            }
            let ready = self.wait(ended.is_none().then_some(pidfd), input, outputs)?;
            if ready.signal {
                self.forward(pidfd, terminal)?;
                // Whoever stops us does not want the rest of what nobody reads.
                if let Some(ended) = ended {
                    return Ok(ended);
                }
            }
            for (output, (readable, writable)) in outputs.iter_mut().zip(ready.outputs) {
                if readable {
                    output.read(&mut self.buffer)?;
                }
                if writable {
                    output.write()?;
                }
            }
            if ready.input_from {
                self.read_input(input)?;
            }
            if ready.input_to {
                self.write_input(input)?;
            }
            if ready.ended {
                ended = process::try_wait(pidfd.as_fd())?;
                // A terminal has no end of file while its main side lives.
                if ended.is_some() && terminal.is_some() {
                    outputs[0].finish_terminal(&mut self.buffer);
                }
            }
        }
    }

    fn wait(
        &self,
        pidfd: Option<&OwnedFd>,
        input: &Input,
        outputs: &[Output; 2],
    ) -> Result<Ready, SysError> {
        let (readable, writable) = (PollFlags::POLLIN, PollFlags::POLLOUT);
        let [(out_from, out_to), (err_from, err_to)] = outputs.each_ref().map(Output::wanted);
        // Read on only when the last piece is delivered: one buffer, whatever comes.
        let room = self.pending.is_empty();
        let from = input.from.as_ref().filter(|_| room).map(File::as_fd);
        let to = input.to.as_ref().filter(|_| !room).map(File::as_fd);
        let wanted = [
            (Some(self.signals.as_fd()), readable),
            (out_from, readable),
            (out_to, writable),
            (err_from, readable),
            (err_to, writable),
            (from, readable),
            (to, writable),
            (pidfd.map(OwnedFd::as_fd), readable),
        ];
        let present = wanted
            .iter()
            .filter_map(|(fd, flags)| Some(PollFd::new((*fd)?, *flags)));
        let mut set: Vec<_> = present.collect();
        match poll(&mut set, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(errno).at("poll", String::new),
        }
        let mut results = set.iter().map(|fd| fd.any().unwrap_or(false));
        let mut fired = wanted
            .iter()
            .map(|(fd, _)| fd.is_some() && results.next() == Some(true));
        let mut next = || fired.next() == Some(true);
        Ok(Ready {
            signal: next(),
            outputs: [(next(), next()), (next(), next())],
            input_from: next(),
            input_to: next(),
            ended: next(),
        })
    }

    fn forward(&mut self, pidfd: &OwnedFd, terminal: Option<&OwnedFd>) -> Result<(), SysError> {
        while let Some(signal) = process::read_signal(&self.signals)? {
            if signal == Signal::SIGWINCH as i32 {
                resize(terminal);
            } else {
                process::send_signal(pidfd.as_fd(), signal)?;
            }
        }
        Ok(())
    }

    fn read_input(&mut self, input: &mut Input) -> Result<(), SysError> {
        let Some(from) = &mut input.from else {
            return Ok(());
        };
        let length = match from.read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if is_transient(&error) => return Ok(()),
            // The terminal has gone: as good as its end.
            Err(error) if error.raw_os_error() == Some(EIO) => 0,
            Err(error) => return Err(SysError::from_io("read", "standard input", &error)),
        };
        if length == 0 {
            *input = Input {
                from: None,
                to: None,
            };
            return Ok(());
        }
        self.pending.extend_from_slice(&self.buffer[..length]);
        self.write_input(input)
    }

    fn write_input(&mut self, input: &mut Input) -> Result<(), SysError> {
        let Some(to) = &mut input.to else {
            return Ok(());
        };
        match to.write(&self.pending) {
            Ok(length) => {
                self.pending.drain(..length);
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                // The container reads no more.
                self.pending.clear();
                *input = Input {
                    from: None,
                    to: None,
                };
                Ok(())
            }
            Err(error) => Err(SysError::from_io(
                "write",
                "container's standard input",
                &error,
            )),
        }
    }
}

/// What poll found.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each descriptor of the poll set"
)]
struct Ready {
    signal: bool,
    /// To read, to write.
    outputs: [(bool, bool); 2],
    input_from: bool,
    input_to: bool,
    ended: bool,
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<File, SysError> {
    fd.try_clone_to_owned()
        .map(File::from)
        .at("dup", String::new)
}

/// Keeps the container's terminal as large as ours; no terminal, no size.
fn resize(terminal: Option<&OwnedFd>) {
    if let Some(main) = terminal {
        console::copy_window_size(std::io::stdout().as_fd(), main)
            .or_else(|_| console::copy_window_size(std::io::stdin().as_fd(), main))
            .ok();
    }
}
