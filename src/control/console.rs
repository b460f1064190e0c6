//! `Console`: our own terminal and streams at one end of a link.
//!
//! One thread, one poll(2) loop: what the program writes comes out whole, however slow our reader
//! is; what is typed, and the signals we get, go to the program.

use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::{signal::Signal, signalfd::SignalFd},
};

use super::{
    DetachKeys, Error, Link, Reply, Request, Told,
    link::Heard,
    protocol::{DATA_MAX, Packet, input_tag, packet_room},
    sink::Sink,
    source::is_transient,
    wait::{self, Wanted},
};
use crate::{
    log::Stream,
    sys::{
        At as _, SysError,
        console::{self, RawMode},
        process,
    },
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

/// Those that mean an end.
const ENDING: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// How a command line is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Our input goes in.
    pub stdin: bool,
    /// The program has a terminal.
    pub terminal: bool,
    /// Signals that we get go to the program; otherwise they end us, and the program goes on.
    pub sig_proxy: bool,
    /// On a terminal these keys leave.
    pub detach_keys: DetachKeys,
}

/// How it ended.
#[derive(Debug)]
pub enum Finish {
    /// The program has ended with this code.
    Ended(i32),
    /// The program was not started.
    Failed(Told),
    /// We left and the program goes on; by a signal, or by the keys.
    Left(Parting),
    /// The supervisor is gone, and the program with it.
    Lost,
}

/// Why a console left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The detach keys were typed.
    Keys,
    /// This signal came, which is not passed on.
    Signal(i32),
}

fn failed(what: &'static str) -> impl FnOnce(SysError) -> Error {
    move |source| Error::System { what, source }
}

/// Signals are held from its making on, so that none is lost while the container starts.
#[derive(Debug)]
pub struct Console {
    signals: SignalFd,
}

/// What was found ready.
#[derive(Debug, Clone, Copy)]
enum Token {
    Signal,
    Hear,
    Typed,
    Sink(usize),
}

impl Console {
    /// Begins to hold signals.
    pub fn new() -> Result<Self, Error> {
        let signals = process::catch_signals(&FORWARDED).map_err(failed("catch signals"))?;
        Ok(Self { signals })
    }

    /// A signal that came before there was a container to pass it to, and that means an end.
    pub fn interrupted(&self) -> Result<Option<i32>, Error> {
        let signal = process::read_signal(&self.signals).map_err(failed("read signals"))?;
        Ok(signal.filter(|signal| is_ending(*signal)))
    }

    /// Moves everything until the program has ended, or until we leave.
    pub fn run(self, link: &Link, attachment: Attachment) -> Result<Finish, Error> {
        let stdin = std::io::stdin();
        let raw_mode = attachment.stdin && attachment.terminal && console::is_terminal(&stdin);
        let raw_mode = raw_mode.then(|| RawMode::enter(&stdin)).transpose();
        let raw_mode = raw_mode.map_err(failed("set terminal to raw mode"))?;
        let sink = |fd| Sink::new(fd).map_err(failed("open our output"));
        let typed = attachment.stdin.then(|| duplicate(stdin.as_fd()));
        let talk = Talk {
            sinks: [
                sink(std::io::stdout().as_fd())?,
                sink(std::io::stderr().as_fd())?,
            ],
            typed: typed.transpose().map_err(failed("open our input"))?,
            link,
            signals: self.signals,
            attachment,
            may_type: true,
            buffer: packet_room(),
        };
        if talk.attachment.terminal {
            talk.tell_size()?;
        }
        let finish = talk.run();
        drop(raw_mode);
        finish
    }
}

fn is_ending(signal: i32) -> bool {
    ENDING.iter().any(|ending| *ending as i32 == signal)
}

/// A console at work.
struct Talk<'l> {
    link: &'l Link,
    signals: SignalFd,
    attachment: Attachment,
    /// Standard output and standard error.
    sinks: [Sink; 2],
    /// Our input, until its end.
    typed: Option<File>,
    /// The last piece was taken.
    may_type: bool,
    buffer: Vec<u8>,
}

impl Talk<'_> {
    fn run(mut self) -> Result<Finish, Error> {
        let mut finish = None;
        loop {
            if self.sinks.iter().all(Sink::is_empty)
                && let Some(finish) = finish
            {
                return Ok(finish);
            }
            for token in self.wait(finish.is_some())? {
                let mut left = None;
                match token {
                    Token::Signal => left = self.pass_signals(finish.is_some())?,
                    Token::Hear => finish = self.hear()?,
                    Token::Typed => left = self.type_on()?,
                    Token::Sink(number) => {
                        let write = self.sinks[number].write();
                        write.map_err(failed("relay streams"))?;
                    }
                }
                if let Some(parting) = left {
                    return Ok(finish.unwrap_or(Finish::Left(parting)));
                }
            }
            self.tell_who_has_gone()?;
        }
    }

    fn tell_who_has_gone(&mut self) -> Result<(), Error> {
        for (sink, stream) in self.sinks.iter_mut().zip([Stream::Stdout, Stream::Stderr]) {
            if sink.take_gone() {
                self.link.say(&Request::NobodyReads(stream))?;
            }
        }
        Ok(())
    }

    fn wait(&self, finished: bool) -> Result<Vec<Token>, Error> {
        let read = |fd, token| Wanted {
            fd,
            flags: PollFlags::POLLIN,
            token,
        };
        // Fetch on only when the last piece is delivered: one buffer, whatever comes.
        let room = self.sinks.iter().all(Sink::is_empty) && !finished;
        let typed = self.typed.as_ref().filter(|_| self.may_type && !finished);
        let mut wanted = vec![
            read(Some(self.signals.as_fd()), Token::Signal),
            read(room.then(|| self.link.as_fd()), Token::Hear),
            read(typed.map(File::as_fd), Token::Typed),
        ];
        for (number, sink) in self.sinks.iter().enumerate() {
            wanted.push(Wanted {
                flags: PollFlags::POLLOUT,
                ..read(sink.wanted(), Token::Sink(number))
            });
        }
        wait::for_any(&wanted, None).map_err(failed("wait for something"))
    }

    /// Takes one packet: what it is about is delivered before the next.
    fn hear(&mut self) -> Result<Option<Finish>, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let heard = self.link.try_receive(&mut buffer, |packet| match packet {
            Packet::Output(Stream::Stdout, bytes) => self.sinks[0].put(bytes).map(|()| None),
            Packet::Output(Stream::Stderr, bytes) => self.sinks[1].put(bytes).map(|()| None),
            Packet::Message(reply) => Ok(Some(reply)),
            Packet::Input(_) => Ok(None),
        });
        self.buffer = buffer;
        let reply = match heard? {
            Heard::Nothing => return Ok(None),
            Heard::End => return Ok(Some(Finish::Lost)),
            Heard::Packet(delivered) => delivered.map_err(failed("relay streams"))?,
        };
        Ok(match reply {
            Some(Reply::Ended { code }) => Some(Finish::Ended(code)),
            Some(Reply::Failed(told)) => Some(Finish::Failed(told)),
            Some(Reply::Taken) => {
                self.may_type = true;
                None
            }
            Some(Reply::Started | Reply::Done | Reply::Refused { .. }) | None => None,
        })
    }

    /// Sends a piece of input, or leaves when the keys for that were typed.
    fn type_on(&mut self) -> Result<Option<Parting>, Error> {
        let Some(from) = &mut self.typed else {
            return Ok(None);
        };
        let length = match from.read(&mut self.buffer[..DATA_MAX]) {
            Ok(length) => length,
            Err(error) if is_transient(&error) => return Ok(None),
            // The terminal has gone: as good as its end.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => 0,
            Err(error) => {
                let source = SysError::from_io("read", "standard input", &error);
                return Err(failed("relay streams")(source));
            }
        };
        if length == 0 {
            self.typed = None;
            self.link.say(&Request::EndOfInput)?;
            return Ok(None);
        }
        let typed = &self.buffer[..length];
        if !self.attachment.terminal {
            self.may_type = false;
            self.link.send(&[&input_tag(), typed].concat())?;
            return Ok(None);
        }
        let mut passed = Vec::with_capacity(length + 8);
        let leave = self.attachment.detach_keys.filter(typed, &mut passed);
        // What was held back may make it longer than one packet.
        for piece in passed.chunks(DATA_MAX) {
            self.may_type = false;
            self.link.send(&[&input_tag(), piece].concat())?;
        }
        if !leave {
            return Ok(None);
        }
        self.link.say(&Request::Detach)?;
        Ok(Some(Parting::Keys))
    }

    /// Passes signals on; what to leave with where they are not the program's, or where the
    /// program has ended and somebody does not want the rest of what nobody reads.
    fn pass_signals(&mut self, finished: bool) -> Result<Option<Parting>, Error> {
        while let Some(signal) =
            process::read_signal(&self.signals).map_err(failed("read signals"))?
        {
            if signal == Signal::SIGWINCH as i32 {
                self.tell_size()?;
            } else if finished {
                return Ok(Some(Parting::Signal(signal)));
            } else if self.attachment.sig_proxy {
                self.link.say(&Request::Signal(signal))?;
            } else if is_ending(signal) {
                self.link.say(&Request::Detach)?;
                return Ok(Some(Parting::Signal(signal)));
            }
        }
        Ok(None)
    }

    /// Keeps the container's terminal as large as ours; no terminal, no size.
    fn tell_size(&self) -> Result<(), Error> {
        let ours = console::window_size(std::io::stdout());
        match ours.or_else(|_| console::window_size(std::io::stdin())) {
            Ok((rows, columns)) => self.link.say(&Request::Resize { rows, columns }),
            Err(_) => Ok(()),
        }
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<File, SysError> {
    fd.try_clone_to_owned()
        .map(File::from)
        .at("dup", String::new)
}
