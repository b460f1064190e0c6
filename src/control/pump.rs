//! `Pump`: the supervisor's loop. Moves a program's bytes, serves its clients, waits for its end.
//!
//! One thread, one poll(2), asleep while nothing happens. Output goes to the keeper (the log) and
//! to every client that wants it; while one of them is behind, the program's outputs are not read,
//! so that nothing is lost and nothing piles up.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    poll::PollFlags,
    sys::{
        signal::Signal::{self, SIGKILL},
        signalfd::SignalFd,
    },
};

use super::{
    Attach, Error, Link, Listener, Reply, StopRequest,
    client::{Awaits, Client},
    program::Program,
    protocol::{DATA_MAX, packet_room},
    stop::Stopping,
    wait::{self, Wanted},
};
use crate::{
    log::Stream,
    process::Running,
    sys::{
        SysError, memory,
        process::{self, Ended},
    },
};

/// A program's pipes end with it, unless one was passed to somebody outside: that one is not
/// waited for any longer than this without a byte.
const LINGER: Duration = Duration::from_secs(2);

/// A program that runs this long stays for longer: its supervisor makes itself small.
const SETTLED: Duration = Duration::from_millis(20);

/// Those that call at the last moment, and what they say, are heard in so many looks.
const LAST_ROUNDS: usize = 16;

/// What a machine that goes down, or somebody at a shell, sends to a supervisor.
const ENDING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
];

/// What the loop asks of whoever keeps the container.
pub trait Keeper {
    /// Bytes of the program, before any client gets them.
    fn output(&mut self, stream: Stream, bytes: &[u8]);

    /// Sends a signal to process 1.
    fn signal(&mut self, pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), SysError>;

    /// How the program is asked to end when the supervisor itself is.
    fn farewell(&self) -> StopRequest;

    /// What else is to be watched for reading.
    fn sources(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// When to be woken even if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// One of the sources is ready, or the deadline is there.
    fn wake(&mut self) {}
}

/// How a wait without a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The time is over.
    Elapsed,
    /// Somebody wants no other start.
    Stopped,
    /// Somebody wants it now.
    Restart,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Pump {
    pub(super) listener: Option<Listener>,
    /// No call is taken before: there was no descriptor for one.
    pub(super) deaf_until: Option<Instant>,
    pub(super) signals: SignalFd,
    pub(super) clients: Vec<Client>,
    pub(super) next_client: u64,
    pub(super) stopping: Stopping,
    pub(super) last_signal: i32,
    /// The machine goes down, or somebody sent the supervisor away.
    pub(super) dismissed: bool,
    pub(super) input_once: bool,
    /// Input that came before there was a program to take it: a piece of each client.
    pub(super) early: Vec<(u64, Vec<u8>)>,
    /// And that there will be no more.
    pub(super) early_end: bool,
    /// What the last client's terminal told: the next program's is as large.
    pub(super) size: Option<(u16, u16)>,
    /// Of the program.
    pub(super) buffer: Vec<u8>,
    /// Of a client.
    pub(super) packet: Vec<u8>,
}

/// What was found ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Signal,
    Call,
    Program,
    Output(Stream),
    Input,
    Hear(u64),
    Tell(u64),
    Keeper,
}

impl Token {
    fn is_a_client_s(&self) -> bool {
        matches!(self, Self::Call | Self::Hear(_))
    }
}

pub(super) fn failed(what: &'static str) -> impl FnOnce(SysError) -> Error {
    move |source| Error::System { what, source }
}

impl Pump {
    /// Takes over signals. With `input_once` the program's input ends with its client's.
    pub fn new(input_once: bool) -> Result<Self, Error> {
        let signals = process::catch_signals(&ENDING).map_err(failed("catch signals"))?;
        Ok(Self {
            listener: None,
            deaf_until: None,
            signals,
            clients: Vec::new(),
            next_client: 0,
            stopping: Stopping::default(),
            last_signal: SIGKILL as i32,
            dismissed: false,
            input_once,
            early: Vec::new(),
            early_end: false,
            size: None,
            buffer: Vec::new(),
            packet: Vec::new(),
        })
    }

    /// Takes calls from now on.
    pub fn listen(&mut self, listener: Listener) {
        self.listener = Some(listener);
    }

    /// The client that is there from the beginning; it is told of the start.
    pub fn welcome(&mut self, link: Link, attached: Attach) {
        let mut client = Client::new(self.next_client, link);
        self.next_client += 1;
        client.attached = attached;
        client.awaits = Awaits::Start;
        self.clients.push(client);
    }

    /// Tells whoever waits for it that the program runs.
    pub fn started(&mut self) {
        for client in &mut self.clients {
            if client.awaits == Awaits::Start {
                client.awaits = Awaits::Nothing;
                client.reply(&Reply::Started);
            }
        }
    }

    /// Tells whoever waits for an end, or saw it coming, and lets them go; whoever waits for a
    /// start goes on waiting if there will be one.
    pub fn ended(&mut self, reply: &Reply, starts_again: bool) {
        for client in &mut self.clients {
            match client.awaits {
                Awaits::Start if starts_again => {}
                Awaits::Nothing if !client.attached.any() => {}
                Awaits::Start | Awaits::End | Awaits::Nothing => client.dismiss(reply),
            }
        }
    }

    /// Whether somebody wants a new start at once.
    pub fn wants_restart(&self) -> bool {
        self.stopping.restart && !self.dismissed
    }

    /// Whether somebody wanted the end.
    pub fn is_stopped(&self) -> bool {
        self.stopping.wanted
    }

    /// What came last before there was a program to send it to.
    pub fn last_signal(&self) -> i32 {
        self.last_signal
    }

    /// Whether the supervisor itself was asked to end.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed
    }

    /// Forgets what was wanted of the last run.
    pub fn begin_again(&mut self) {
        self.stopping = Stopping::default();
    }

    /// Takes no more calls, but for those that have been made. Before the lease is given back.
    pub fn hang_up(&mut self, keeper: &mut dyn Keeper) -> Result<(), Error> {
        if let Some(listener) = &self.listener {
            listener.hide();
        }
        for _ in 0..LAST_ROUNDS {
            let ready = self.wait((None, false), keeper, Some(Instant::now()))?;
            let calls = ready.into_iter().filter(Token::is_a_client_s);
            let calls: Vec<_> = calls.collect();
            if calls.is_empty() {
                break;
            }
            for token in calls {
                self.serve(token, None, keeper)?;
            }
        }
        self.listener = None;
        Ok(())
    }

    /// Waits until every client has what it was told.
    pub fn finish(mut self) -> Result<(), Error> {
        self.clients.retain(Client::is_behind);
        while !self.clients.is_empty() {
            let behind = self.clients.iter().map(|client| Wanted {
                fd: client.wants_writing(),
                flags: PollFlags::POLLOUT,
                token: (),
            });
            let behind: Vec<_> = behind.collect();
            wait::for_any(&behind, None).map_err(failed("wait for clients"))?;
            for client in &mut self.clients {
                client.flush();
            }
            self.clients.retain(Client::is_behind);
        }
        Ok(())
    }

    /// Runs until the program has ended and its last byte is out.
    pub fn run(&mut self, running: Running, keeper: &mut dyn Keeper) -> Result<Ended, Error> {
        let mut program = Program::new(running).map_err(failed("relay streams"))?;
        self.put_early(&mut program)?;
        let mut end = None;
        let mut settled = Some(Instant::now() + SETTLED);
        loop {
            self.acknowledge(&mut program);
            let behind = self.clients.iter().any(Client::is_behind);
            if let Some((ended, last_byte)) = &mut end {
                // What waits for a slow reader is no silence.
                if behind {
                    *last_byte = Instant::now();
                }
                if program.is_silent() || last_byte.elapsed() >= LINGER {
                    return Ok(*ended);
                }
            }
            if settled.is_some_and(|at| at <= Instant::now()) {
                settled = None;
                // It is only a courtesy.
                memory::forget_clean_pages().ok();
            }
            let until = end.map(|(_, last_byte)| last_byte + LINGER);
            let until = until.into_iter().chain(settled).min();
            for token in self.wait((Some(&program), end.is_some()), keeper, until)? {
                match token {
                    Token::Output(stream) => {
                        self.pass_on(&mut program, stream, keeper)?;
                        end = end.map(|(ended, _)| (ended, Instant::now()));
                    }
                    Token::Input => program.input.write().map_err(failed("relay streams"))?,
                    Token::Program => end = self.collect(&mut program, keeper)?,
                    Token::Signal
                    | Token::Call
                    | Token::Hear(_)
                    | Token::Tell(_)
                    | Token::Keeper => self.serve(token, Some(&mut program), keeper)?,
                }
            }
            if self.stopping.is_due(Instant::now()) {
                signal(&program, keeper, SIGKILL as i32)?;
            }
        }
    }

    fn put_early(&mut self, program: &mut Program) -> Result<(), Error> {
        if let Some((rows, columns)) = self.size {
            program.resize(rows, columns);
        }
        for (id, bytes) in std::mem::take(&mut self.early) {
            let put = program.input.put(id, &bytes);
            put.map_err(failed("relay streams"))?;
        }
        if std::mem::take(&mut self.early_end) {
            program.end_input();
        }
        Ok(())
    }

    /// Tells clients whose piece of input was taken that the next may come.
    fn acknowledge(&mut self, program: &mut Program) {
        for id in program.input.taken() {
            if let Some(client) = self.client(id) {
                client.reply(&Reply::Taken);
            }
        }
    }

    /// How and when the program ended, if it has.
    fn collect(
        &mut self,
        program: &mut Program,
        keeper: &mut dyn Keeper,
    ) -> Result<Option<(Ended, Instant)>, Error> {
        let ended = process::try_wait(program.pidfd.as_fd());
        let ended = ended.map_err(failed("wait for process 1"))?;
        if ended.is_some() && program.terminal.is_some() {
            self.take_rest(program, keeper);
        }
        Ok(ended.map(|ended| (ended, Instant::now())))
    }

    /// Serves clients while there is no program, at least those that are there already.
    pub fn idle(&mut self, time: Duration, keeper: &mut dyn Keeper) -> Result<Idle, Error> {
        let until = Instant::now() + time;
        loop {
            for token in self.wait((None, false), keeper, Some(until))? {
                self.serve(token, None, keeper)?;
            }
            if self.wants_restart() {
                return Ok(Idle::Restart);
            }
            if self.dismissed || self.stopping.wanted {
                return Ok(Idle::Stopped);
            }
            if Instant::now() >= until {
                return Ok(Idle::Elapsed);
            }
        }
    }

    pub(super) fn client(&mut self, id: u64) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    fn wait(
        &self,
        (program, ended): (Option<&Program>, bool),
        keeper: &dyn Keeper,
        until: Option<Instant>,
    ) -> Result<Vec<Token>, Error> {
        let read = |fd, token| Wanted {
            fd,
            flags: PollFlags::POLLIN,
            token,
        };
        let write = |fd, token| Wanted {
            flags: PollFlags::POLLOUT,
            ..read(fd, token)
        };
        let mut wanted = vec![
            read(Some(self.signals.as_fd()), Token::Signal),
            read(self.hearing().map(Listener::as_fd), Token::Call),
        ];
        for client in &self.clients {
            wanted.push(read(Some(client.link.as_fd()), Token::Hear(client.id)));
            wanted.push(write(client.wants_writing(), Token::Tell(client.id)));
        }
        if let Some(program) = program {
            // Read on only when everybody has the last piece.
            let behind = self.clients.iter().any(Client::is_behind);
            for stream in [Stream::Stdout, Stream::Stderr] {
                let fd = program.output(stream).fd().filter(|_| !behind);
                wanted.push(read(fd, Token::Output(stream)));
            }
            wanted.push(write(program.input.wanted(), Token::Input));
            let pidfd = (!ended).then(|| program.pidfd.as_fd());
            wanted.push(read(pidfd, Token::Program));
        }
        for source in keeper.sources() {
            wanted.push(read(Some(source), Token::Keeper));
        }
        let deadlines = [
            until,
            self.stopping.deadline(),
            keeper.deadline(),
            self.deaf_until.filter(|until| *until > Instant::now()),
        ];
        let until = deadlines.into_iter().flatten().min();
        let mut ready = wait::for_any(&wanted, until).map_err(failed("wait for something"))?;
        if keeper.deadline().is_some_and(|at| at <= Instant::now()) {
            ready.push(Token::Keeper);
        }
        Ok(ready)
    }

    fn hearing(&self) -> Option<&Listener> {
        let deaf = self.deaf_until.is_some_and(|until| until > Instant::now());
        self.listener.as_ref().filter(|_| !deaf)
    }

    fn pass_on(
        &mut self,
        program: &mut Program,
        stream: Stream,
        keeper: &mut dyn Keeper,
    ) -> Result<(), Error> {
        if self.buffer.is_empty() {
            self.buffer = packet_room();
        }
        let length = program
            .output_mut(stream)
            .read(&mut self.buffer[..DATA_MAX])
            .map_err(failed("relay streams"))?;
        if length > 0 {
            self.hand_out(stream, length, keeper);
        }
        Ok(())
    }

    fn take_rest(&mut self, program: &mut Program, keeper: &mut dyn Keeper) {
        let stream = Stream::Stdout;
        if self.buffer.is_empty() {
            self.buffer = packet_room();
        }
        while let Some(length) = program
            .output_mut(stream)
            .read_rest(&mut self.buffer[..DATA_MAX])
        {
            self.hand_out(stream, length, keeper);
        }
    }

    fn hand_out(&mut self, stream: Stream, length: usize, keeper: &mut dyn Keeper) {
        let bytes = &self.buffer[..length];
        keeper.output(stream, bytes);
        for client in &mut self.clients {
            client.output(stream, bytes);
        }
    }
}

/// Through the keeper, who knows what else a signal needs.
pub(super) fn signal(program: &Program, keeper: &mut dyn Keeper, signal: i32) -> Result<(), Error> {
    keeper
        .signal(program.pidfd.as_fd(), signal)
        .map_err(failed("send signal"))
}
