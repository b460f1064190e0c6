//! What is said over a control socket: packets as values.
//!
//! A packet is one byte that says what it is, and the rest: bytes of a stream as they are, or one
//! message as JSON. One packet, one thing; none is ever empty.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Error, StopRequest};
use crate::log::Stream;

/// As many bytes of a stream as one packet carries.
pub(super) const DATA_MAX: usize = 64 * 1024;

/// Room for a packet: the most bytes, and the one that says what they are.
///
/// So large that malloc maps it by itself (mallopt(3), `M_MMAP_THRESHOLD`): what is not touched is
/// not there, and a start touches no more than a message.
pub(super) fn packet_room() -> Vec<u8> {
    vec![0; 4 * DATA_MAX]
}

/// Which streams a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each stream, and one more"
)]
pub struct Attach {
    /// It will send input.
    pub stdin: bool,
    /// It takes standard output.
    pub stdout: bool,
    /// It takes standard error.
    pub stderr: bool,
    /// The container belongs to it: if it vanishes without a word, the container ends.
    pub owner: bool,
}

impl Attach {
    /// Whether it is attached at all.
    pub(super) fn any(self) -> bool {
        self.stdin || self.stdout || self.stderr || self.owner
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Streams from now on.
    Attach(Attach),
    /// There will be no more input.
    EndOfInput,
    /// Whoever read this stream has gone.
    NobodyReads(Stream),
    /// The client's terminal has this size.
    Resize {
        /// In characters.
        rows: u16,
        /// In characters.
        columns: u16,
    },
    /// A signal to process 1.
    Signal(i32),
    /// A signal, and SIGKILL after a while; answered by [`Reply::Ended`].
    Stop(StopRequest),
    /// The same, and then a new start; answered by [`Reply::Started`].
    Restart(StopRequest),
    /// Answered by [`Reply::Ended`].
    Wait,
    /// The client leaves and the container goes on.
    Detach,
}

/// What a supervisor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The program runs.
    Started,
    /// The program could not be started.
    Failed(Told),
    /// The program has ended, its record says so, and its lease is free unless it starts again.
    Ended {
        /// As a shell reports it.
        code: i32,
    },
    /// A piece of input is on its way in: the next may come.
    Taken,
    /// The request is carried out.
    Done,
    /// The request cannot be carried out.
    Refused {
        /// Why.
        why: String,
    },
}

/// An error of another process: what it would have printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Operation and object.
    pub message: String,
    /// From the outermost in.
    pub causes: Vec<String>,
    /// What to type next.
    pub hint: Option<String>,
    /// What `run` exits with.
    pub exit_code: i32,
}

/// One packet, as received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a, M> {
    /// Bytes for the program.
    Input(&'a [u8]),
    /// Bytes of the program.
    Output(Stream, &'a [u8]),
    /// Anything else.
    Message(M),
}

const INPUT: u8 = b'i';
const STDOUT: u8 = b'o';
const STDERR: u8 = b'e';
const MESSAGE: u8 = b'j';

/// The first byte of a piece of input.
pub(super) const fn input_tag() -> [u8; 1] {
    [INPUT]
}

/// The first byte of a piece of output.
pub(super) const fn output_tag(stream: Stream) -> [u8; 1] {
    match stream {
        Stream::Stdout => [STDOUT],
        Stream::Stderr => [STDERR],
    }
}

/// A message as a packet.
pub(super) fn message(message: &impl Serialize) -> Vec<u8> {
    let mut packet = vec![MESSAGE];
    serde_json::to_writer(&mut packet, message).expect("these types have no maps with odd keys");
    packet
}

/// The value of a packet.
pub(super) fn parse<M: DeserializeOwned>(packet: &[u8]) -> Result<Packet<'_, M>, Error> {
    match packet.split_first() {
        Some((&INPUT, bytes)) => Ok(Packet::Input(bytes)),
        Some((&STDOUT, bytes)) => Ok(Packet::Output(Stream::Stdout, bytes)),
        Some((&STDERR, bytes)) => Ok(Packet::Output(Stream::Stderr, bytes)),
        Some((&MESSAGE, text)) => serde_json::from_slice(text)
            .map(Packet::Message)
            .map_err(|_| Error::Unknown),
        Some(_) | None => Err(Error::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_come_back_as_they_were() {
        let request = Request::Stop(StopRequest {
            signal: 15,
            seconds: Some(10),
        });
        let packet = message(&request);
        assert_eq!(parse(&packet).unwrap(), Packet::Message(request));
        let bytes = [&output_tag(Stream::Stderr)[..], b"\xff\0j"].concat();
        let wanted = Packet::Output(Stream::Stderr, &b"\xff\0j"[..]);
        assert_eq!(parse::<Reply>(&bytes).unwrap(), wanted);
    }

    #[test]
    fn what_nobody_understands_is_an_error() {
        for bytes in [&b""[..], b"x", b"j", b"j{\"Fly\":1}", b"j\"Started\"x"] {
            assert!(parse::<Reply>(bytes).is_err(), "{bytes:?}");
        }
    }
}
