//! What a process sets up inside its new namespaces.

use std::os::fd::{AsFd, BorrowedFd};

use nix::{
    sched::{CloneFlags, setns},
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::{At as _, Result, raw};

/// Sets the hostname of this UTS namespace.
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name).at("sethostname", || name)
}

/// Brings the loopback interface of this network namespace up; it gets 127.0.0.1 and ::1 by that.
pub fn loopback_up() -> Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .at("socket", || "AF_INET, SOCK_DGRAM")?;
    let (get, set) = (libc::SIOCGIFFLAGS, libc::SIOCSIFFLAGS);
    let flags =
        raw::interface_flags(socket.as_fd(), get, b"lo", 0).at("ioctl", || "SIOCGIFFLAGS")?;
    #[expect(clippy::cast_possible_truncation, reason = "IFF_UP is 1")]
    let up = flags | libc::IFF_UP as libc::c_short;
    raw::interface_flags(socket.as_fd(), set, b"lo", up).at("ioctl", || "SIOCSIFFLAGS, lo up")?;
    Ok(())
}

/// Our next children are born in the pid namespace of this process, or in this namespace; only
/// our own or one below it can be entered (setns(2)).
pub(super) fn enter_for_children(namespace: impl AsFd) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWPID).at("setns", || "CLONE_NEWPID")
}

/// Enters all namespaces of a process but its pid namespace; `/` and the working directory are
/// its root afterwards.
pub fn enter_all(process: BorrowedFd<'_>) -> Result<()> {
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWCGROUP;
    setns(process, all).at("setns", || "CLONE_NEWNS|NEWUTS|NEWIPC|NEWNET|NEWCGROUP")
}
