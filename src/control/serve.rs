//! What the supervisor's loop does for its clients: takes calls, hears requests, answers.

use std::time::{Duration, Instant};

use nix::{
    errno::Errno,
    sys::signal::Signal::{self, SIGKILL},
};

use super::{
    Error, Listener, Reply, Request, StopRequest,
    client::{Awaits, Client},
    link::Heard,
    program::Program,
    protocol::{Packet, packet_room},
    pump::{Keeper, Pump, Token, failed, signal},
};
use crate::{
    log::Stream,
    sys::{SysError, process},
};

impl Pump {
    pub(super) fn serve(
        &mut self,
        token: Token,
        program: Option<&mut Program>,
        keeper: &mut dyn Keeper,
    ) -> Result<(), Error> {
        match token {
            Token::Signal => self.dismiss(program.as_deref(), keeper)?,
            Token::Call => {
                let listener = self.listener.as_ref();
                let accept = match listener.map_or(Ok(None), Listener::accept) {
                    // Not the container's fault: whoever calls waits.
                    Err(error) if is_shortage(&error) => {
                        self.deaf_until = Some(Instant::now() + DEAF);
                        Ok(None)
                    }
                    accept => accept,
                };
                if let Some(link) = accept.map_err(failed("take a call"))? {
                    self.clients.push(Client::new(self.next_client, link));
                    self.next_client += 1;
                }
            }
            Token::Tell(id) => {
                if let Some(client) = self.client(id) {
                    client.flush();
                }
            }
            Token::Hear(id) => self.hear(id, program, keeper)?,
            Token::Keeper => keeper.wake(),
            Token::Program | Token::Output(_) | Token::Input => {}
        }
        self.clients.retain(|client| !client.is_gone());
        Ok(())
    }

    /// SIGTERM to a supervisor ends its container as `stop` does; a policy starts it again when the
    /// machine is back.
    fn dismiss(&mut self, program: Option<&Program>, keeper: &mut dyn Keeper) -> Result<(), Error> {
        while let Some(number) =
            process::read_signal(&self.signals).map_err(failed("read signals"))?
        {
            if number == Signal::SIGHUP as i32 {
                continue;
            }
            self.dismissed = true;
            let request = keeper.farewell();
            let wanted = self.stopping.wanted;
            self.stopping.begin(request, false, Instant::now());
            self.stopping.wanted = wanted;
            if let Some(program) = program {
                signal(program, keeper, request.signal)?;
            }
        }
        Ok(())
    }

    /// Everything that a client has said.
    fn hear(
        &mut self,
        id: u64,
        program: Option<&mut Program>,
        keeper: &mut dyn Keeper,
    ) -> Result<(), Error> {
        let mut packet = std::mem::take(&mut self.packet);
        if packet.is_empty() {
            packet = packet_room();
        }
        let heard = self.hear_all(id, &mut packet, program, keeper);
        self.packet = packet;
        heard
    }

    fn hear_all(
        &mut self,
        id: u64,
        packet: &mut [u8],
        mut program: Option<&mut Program>,
        keeper: &mut dyn Keeper,
    ) -> Result<(), Error> {
        while let Some(client) = self.client(id) {
            let heard = client.link.try_receive(packet, |packet| match packet {
                Packet::Input(bytes) => Said::Input(bytes.to_vec()),
                Packet::Message(request) => Said::Request(request),
                Packet::Output(..) => Said::Nonsense,
            });
            match heard {
                Ok(Heard::Nothing) => break,
                Ok(Heard::Packet(Said::Request(request))) => {
                    self.request(id, request, program.as_deref_mut(), keeper)?;
                }
                Ok(Heard::Packet(Said::Input(bytes))) => match &mut program {
                    Some(program) => {
                        let put = program.input.put(id, &bytes);
                        put.map_err(failed("relay streams"))?;
                    }
                    None => self.early.push((id, bytes)),
                },
                // The end, or somebody who does not speak our language.
                Ok(Heard::End | Heard::Packet(Said::Nonsense)) | Err(_) => {
                    let owned = client.attached.owner;
                    self.part(id, program.as_deref_mut());
                    if owned {
                        self.stopping.begin(KILL, false, Instant::now());
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, id: u64, program: Option<&mut Program>) {
        let once = self.input_once;
        if let Some(client) = self.client(id) {
            let typed = client.attached.stdin;
            client.leave();
            if typed
                && once
                && let Some(program) = program
            {
                program.end_input();
            }
        }
    }

    fn request(
        &mut self,
        id: u64,
        request: Request,
        program: Option<&mut Program>,
        keeper: &mut dyn Keeper,
    ) -> Result<(), Error> {
        let once = self.input_once;
        let now = Instant::now();
        let Some(client) = self.client(id) else {
            return Ok(());
        };
        match (request, program) {
            (Request::Attach(attach), _) => {
                client.attached = attach;
                client.reply(&Reply::Done);
            }
            (Request::Signal(number), Some(program)) => {
                let sent = signal(program, keeper, number);
                self.stopping.wanted |= ends(number, keeper) && sent.is_ok();
                let reply = answer(sent);
                if let Some(client) = self.client(id) {
                    client.reply(&reply);
                }
            }
            // It shall end before it has begun.
            (Request::Signal(number), None) => {
                client.reply(&Reply::Done);
                if ends(number, keeper) {
                    self.last_signal = number;
                    self.stopping.wanted = true;
                }
            }
            (Request::EndOfInput, Some(program)) => {
                if once {
                    program.end_input();
                }
            }
            (Request::NobodyReads(stream), program) => {
                match stream {
                    Stream::Stdout => client.attached.stdout = false,
                    Stream::Stderr => client.attached.stderr = false,
                }
                if client.attached.owner
                    && let Some(program) = program
                {
                    program.output_mut(stream).close();
                }
            }
            (Request::Resize { rows, columns }, program) => {
                self.size = Some((rows, columns));
                program.inspect(|program| program.resize(rows, columns));
            }
            (Request::Stop(stop), program) => {
                client.awaits = Awaits::End;
                self.stopping.begin(stop, false, now);
                first_signal(program, stop, keeper)?;
            }
            (Request::Restart(stop), program) => {
                client.awaits = Awaits::Start;
                self.stopping.begin(stop, true, now);
                first_signal(program, stop, keeper)?;
            }
            (Request::Wait, _) => client.awaits = Awaits::End,
            (Request::Detach, program) => self.part(id, program),
            (Request::EndOfInput, None) => self.early_end |= once,
        }
        Ok(())
    }
}

fn first_signal(
    program: Option<&mut Program>,
    stop: StopRequest,
    keeper: &mut dyn Keeper,
) -> Result<(), Error> {
    match program {
        Some(program) if stop.seconds != Some(0) => signal(program, keeper, stop.signal),
        Some(_) | None => Ok(()),
    }
}

/// Whether somebody who sends this signal wants an end. A reload is none.
fn ends(number: i32, keeper: &dyn Keeper) -> bool {
    ENDING.iter().any(|ending| *ending as i32 == number) || number == keeper.farewell().signal
}

/// No descriptor, or no memory for one.
fn is_shortage(error: &SysError) -> bool {
    let shortage = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ENOBUFS];
    error.errno().is_some_and(|errno| shortage.contains(&errno))
}

/// So long no call is taken after such a failure.
const DEAF: Duration = Duration::from_millis(100);

/// What ends a program that does not care.
const ENDING: [Signal; 4] = [SIGKILL, Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// One packet of a client.
enum Said {
    Input(Vec<u8>),
    Request(Request),
    /// What only a supervisor says.
    Nonsense,
}

/// No patience.
const KILL: StopRequest = StopRequest {
    signal: SIGKILL as i32,
    seconds: Some(0),
};

fn answer(done: Result<(), Error>) -> Reply {
    match done {
        Ok(()) => Reply::Done,
        Err(error) => Reply::Refused {
            why: error.to_string(),
        },
    }
}
