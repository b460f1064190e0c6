//! `Link`: one end of a conversation; `Listener`: where new ones begin.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Error,
    protocol::{self, Packet, Reply, packet_room},
};
use crate::sys::{self, Dir, SysError};

/// The socket's name in a container's directory.
const NAME: &str = "control";

/// What there was to hear without waiting.
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// Not yet.
    Nothing,
    /// The other side has gone.
    End,
    /// What was made of a packet.
    Packet(T),
}

/// A connected packet socket. It closes by dropping, and a process that dies drops it.
#[derive(Debug)]
pub struct Link(OwnedFd);

fn failed(what: &'static str) -> impl FnOnce(SysError) -> Error {
    move |source| Error::System { what, source }
}

impl Link {
    /// Both ends, for a process and its fork.
    pub fn pair() -> Result<(Self, Self), Error> {
        let (one, other) = sys::packet_pair().map_err(failed("make link"))?;
        Ok((Self(one), Self(other)))
    }

    /// Connects to the supervisor of the container in `dir`; `None` where there is none.
    pub fn connect(dir: &Dir) -> Result<Option<Self>, Error> {
        let socket = sys::connect_in(dir, NAME).map_err(failed("connect to supervisor"))?;
        Ok(socket.map(Self))
    }

    /// Says something; waits for room. Nobody there to hear it is fine: the end is read next.
    pub fn say(&self, message: &impl Serialize) -> Result<(), Error> {
        self.send(&protocol::message(message))
    }

    /// The same with a packet that is ready.
    pub(super) fn send(&self, packet: &[u8]) -> Result<(), Error> {
        match sys::send_packet(&self.0, packet, None) {
            Err(error) if is_gone(&error) => Ok(()),
            sent => sent.map_err(failed("write to control socket")),
        }
    }

    /// What the supervisor says next; `None` when it has gone. Bytes of streams are passed over.
    pub fn hear(&self) -> Result<Option<Reply>, Error> {
        let mut buffer = packet_room();
        loop {
            let length = sys::receive_packet(&self.0, &mut buffer)
                .map_err(failed("read from control socket"))?;
            if length == 0 {
                return Ok(None);
            }
            if let Packet::Message(reply) = protocol::parse(&buffer[..length])? {
                return Ok(Some(reply));
            }
        }
    }

    /// Sends a packet that is ready; `false` where it has to wait.
    pub(super) fn try_send(&self, parts: [&[u8]; 2]) -> Result<bool, SysError> {
        sys::try_send_packet(&self.0, parts)
    }

    /// Calls `work` with the next packet, if there is one.
    pub(super) fn try_receive<M: DeserializeOwned, T>(
        &self,
        buffer: &mut [u8],
        work: impl FnOnce(Packet<'_, M>) -> T,
    ) -> Result<Heard<T>, Error> {
        let length =
            sys::try_receive_packet(&self.0, buffer).map_err(failed("read from control socket"))?;
        match length {
            None => Ok(Heard::Nothing),
            Some(0) => Ok(Heard::End),
            Some(length) => Ok(Heard::Packet(work(protocol::parse(&buffer[..length])?))),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether a failure only means that the other side is not there any more.
fn is_gone(error: &SysError) -> bool {
    matches!(error.errno(), Some(Errno::EPIPE | Errno::ECONNRESET))
}

/// Where a container's supervisor takes calls.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    dir: Dir,
}

impl Listener {
    /// Takes calls in `dir`, in the place of a supervisor that died. The caller holds the lease.
    pub fn open(dir: &Dir) -> Result<Self, Error> {
        let open = || {
            // Opened anew: a duplicate would share its lock.
            let dir = dir.reopen()?;
            let socket = match sys::listen_in(&dir, NAME) {
                Err(error) if error.errno() == Some(Errno::EADDRINUSE) => {
                    dir.remove_file(NAME)?;
                    sys::listen_in(&dir, NAME)?
                }
                socket => socket?,
            };
            Ok(Self { socket, dir })
        };
        open().map_err(failed("make control socket"))
    }

    pub(super) fn accept(&self) -> Result<Option<Link>, SysError> {
        Ok(sys::accept(&self.socket)?.map(Link))
    }

    /// Whoever comes from now on finds nobody; who has come already waits to be taken.
    pub(super) fn hide(&self) {
        // A stale socket is as good as none.
        self.dir.remove_file(NAME).ok();
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
