//! Packet sockets: whole messages, in order, with descriptors in them (unix(7), `SOCK_SEQPACKET`).

use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept4,
        bind, connect, listen, recv, sendmsg, socket, socketpair,
    },
};

use super::{At as _, Dir, Result, process::handle_path, raw};

/// As many as may wait to be accepted.
const BACKLOG: i32 = 64;

/// Both ends of a connection.
pub fn packet_pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
        .at("socketpair", || "AF_UNIX, SOCK_SEQPACKET")
}

/// A socket called `name` in `dir` that others connect to; accepting from it never waits.
///
/// Through the descriptor's path, because an address holds 107 bytes and a store may lie deep.
pub fn listen_in(dir: &Dir, name: &str) -> Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
        .at("socket", || "AF_UNIX, SOCK_SEQPACKET")?;
    let address = address(dir, name)?;
    bind(listener.as_raw_fd(), &address).at("bind", || name)?;
    let backlog = Backlog::new(BACKLOG).at("listen", || name)?;
    listen(&listener, backlog).at("listen", || name)?;
    Ok(listener)
}

/// Connects to the socket `name` in `dir`; `None` where nobody listens.
pub fn connect_in(dir: &Dir, name: &str) -> Result<Option<OwnedFd>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let own = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
        .at("socket", || "AF_UNIX, SOCK_SEQPACKET")?;
    match connect(own.as_raw_fd(), &address(dir, name)?) {
        Ok(()) => Ok(Some(own)),
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => Ok(None),
        Err(errno) => Err(errno).at("connect", || name),
    }
}

fn address(dir: &Dir, name: &str) -> Result<UnixAddr> {
    let path = format!("{}/{name}", handle_path(dir));
    UnixAddr::new(path.as_str()).at("socket", || path)
}

/// The next connection, if somebody waits for one.
pub fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>> {
    match accept4(raw::raw(&listener), SockFlag::SOCK_CLOEXEC) {
        Ok(fd) => raw::adopt(fd).map(Some).at("accept4", String::new),
        Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno).at("accept4", String::new),
    }
}

/// Sends one packet, with a descriptor if there is one; waits for room.
pub fn send_packet(socket: impl AsFd, bytes: &[u8], fd: Option<&OwnedFd>) -> Result<()> {
    let raw = fd.map(|fd| [fd.as_raw_fd()]);
    let control: Vec<_> = raw
        .iter()
        .map(|fds| ControlMessage::ScmRights(fds))
        .collect();
    let parts = [IoSlice::new(bytes)];
    sendmsg::<UnixAddr>(
        raw::raw(&socket),
        &parts,
        &control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .map(drop)
    .at("sendmsg", || format!("{} bytes", bytes.len()))
}

/// Sends one packet made of two parts; `false` where there is no room for it now.
pub fn try_send_packet(socket: impl AsFd, parts: [&[u8]; 2]) -> Result<bool> {
    let parts = parts.map(IoSlice::new);
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    match sendmsg::<UnixAddr>(raw::raw(&socket), &parts, &[], flags, None) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => Ok(false),
        Err(errno) => Err(errno).at("sendmsg", String::new),
    }
}

/// The next packet's length, 0 at the end of the connection; `None` where nothing is there yet.
pub fn try_receive_packet(socket: impl AsFd, buffer: &mut [u8]) -> Result<Option<usize>> {
    receive(socket, buffer, MsgFlags::MSG_DONTWAIT)
}

/// The next packet's length, 0 at the end of the connection; waits for it.
pub fn receive_packet(socket: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    loop {
        if let Some(length) = receive(&socket, buffer, MsgFlags::empty())? {
            return Ok(length);
        }
    }
}

fn receive(socket: impl AsFd, buffer: &mut [u8], flags: MsgFlags) -> Result<Option<usize>> {
    match recv(raw::raw(&socket), buffer, flags) {
        Ok(length) => Ok(Some(length)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        // The other side went with something of ours unread. Told once, and before what it said
        // last (unix(7)): that is still there to be read.
        Err(Errno::ECONNRESET) => receive(socket, buffer, flags),
        Err(errno) => Err(errno).at("recv", String::new),
    }
}

/// Receives one packet and at most one descriptor with it (`SCM_RIGHTS`).
pub fn receive_with_fd(
    socket: impl AsFd,
    parts: &mut [IoSliceMut<'_>],
) -> Result<(usize, Option<OwnedFd>)> {
    let received = match raw::receive_with_fd(socket.as_fd(), parts) {
        // See `receive`.
        Err(Errno::ECONNRESET) => raw::receive_with_fd(socket.as_fd(), parts),
        received => received,
    };
    received.at("recvmsg", || "SCM_RIGHTS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_stay_whole_and_in_order() {
        let (one, other) = packet_pair().unwrap();
        let mut buffer = [0; 100];
        assert_eq!(try_receive_packet(&other, &mut buffer).unwrap(), None);
        assert!(try_send_packet(&one, [b"ab", b"c"]).unwrap());
        send_packet(&one, b"d", None).unwrap();
        assert_eq!(receive_packet(&other, &mut buffer).unwrap(), 3);
        assert_eq!(receive_packet(&other, &mut buffer).unwrap(), 1);
        drop(one);
        assert_eq!(receive_packet(&other, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn the_last_words_of_somebody_who_left_something_unread_are_heard() {
        let (one, other) = packet_pair().unwrap();
        let mut buffer = [0; 100];
        send_packet(&other, b"never read", None).unwrap();
        send_packet(&one, b"last", None).unwrap();
        drop(one);
        assert_eq!(receive_packet(&other, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"last");
        assert_eq!(receive_packet(&other, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_socket_deep_in_the_store_is_reached_and_a_dead_one_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let deep = scratch.path().join("d".repeat(120)).join("e".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        let dir = Dir::open(&deep).unwrap();
        assert!(connect_in(&dir, "control").unwrap().is_none());
        let listener = listen_in(&dir, "control").unwrap();
        assert!(accept(&listener).unwrap().is_none());
        let client = connect_in(&dir, "control").unwrap().unwrap();
        let server = accept(&listener).unwrap().unwrap();
        send_packet(&client, b"x", None).unwrap();
        assert_eq!(receive_packet(&server, &mut [0; 8]).unwrap(), 1);
        drop((listener, server));
        assert!(connect_in(&dir, "control").unwrap().is_none());
    }
}
