//! Packets with descriptors in them.

use std::{
    io::IoSliceMut,
    os::fd::{AsFd, OwnedFd},
};

use super::{At as _, Result, raw};

/// Receives one packet and at most one descriptor with it (unix(7), `SCM_RIGHTS`).
pub fn receive_with_fd(
    socket: impl AsFd,
    parts: &mut [IoSliceMut<'_>],
) -> Result<(usize, Option<OwnedFd>)> {
    raw::receive_with_fd(socket.as_fd(), parts).at("recvmsg", || "SCM_RIGHTS")
}
