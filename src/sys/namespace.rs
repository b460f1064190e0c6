//! What a process sets up inside its new namespaces, and a visit to those of another.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::{At as _, Dir, Result, open_handle, process, raw};

/// The mount namespace of another process. It lives as long as this value, whatever becomes of the
/// process.
#[derive(Debug)]
pub struct MountNamespace(OwnedFd);

impl MountNamespace {
    /// That of the process with this number. Whose number it is by now is for the caller to check
    /// afterwards.
    pub fn of(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/ns/mnt");
        let file = File::open(&path).at("open", || path.clone())?;
        Ok(Self(file.into()))
    }

    /// Enters, shows `look` the root of the namespace, and comes back.
    ///
    /// What `look` takes along can be used from outside. To stay inside would mean to trust the
    /// other side's `/proc`. The process must have one thread; after an error it must end.
    pub fn visit<T>(&self, look: impl FnOnce(&Dir) -> Result<T>) -> Result<T> {
        let home = Self::of(nix::unistd::getpid().as_raw())?;
        let (root, here) = (open_handle(Path::new("/"))?, open_handle(Path::new("."))?);
        self.enter()?;
        let seen = Dir::open(Path::new("/")).and_then(|root| look(&root));
        home.enter()?;
        process::enter(&root)?;
        nix::unistd::chroot(".").at("chroot", || ".")?;
        process::enter(&here)?;
        seen
    }

    fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNS).at("setns", || "CLONE_NEWNS")
    }
}

/// Does something in a copy of this process's mount namespace that ends with it, but for what it
/// gives back.
///
/// A thread of its own does it, which has ended when this returns.
///
/// # Errors
///
/// Those of `work`, and those of unshare(2) and clone3(2).
pub fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let apart = || {
        unshare(CloneFlags::CLONE_NEWNS).at("unshare", || "CLONE_NEWNS")?;
        work()
    };
    let done = std::thread::scope(|scope| Ok(super::thread::spawn(scope, apart)?.join()));
    done?.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sets the hostname of this UTS namespace.
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name).at("sethostname", || name)
}

/// A network namespace with its loopback interface up, for another process to enter.
///
/// This process is in it for a moment, so it must have one thread. To make one takes longer than all mounts of a
/// container: its first process makes those meanwhile.
///
/// # Errors
///
/// Some leave the process in the new namespace: it should end.
pub fn new_network() -> Result<OwnedFd> {
    const OURS: &str = "/proc/self/ns/net";
    let open = || File::open(OURS).map(OwnedFd::from).at("open", || OURS);
    let home = open()?;
    unshare(CloneFlags::CLONE_NEWNET).at("unshare", || "CLONE_NEWNET")?;
    let made = loopback_up().and_then(|()| open());
    enter_network(&home)?;
    made
}

/// Enters a network namespace.
pub fn enter_network(network: impl AsFd) -> Result<()> {
    setns(network, CloneFlags::CLONE_NEWNET).at("setns", || "CLONE_NEWNET")
}

/// Brings the loopback interface of this network namespace up; it gets 127.0.0.1 and ::1 by that.
fn loopback_up() -> Result<()> {
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
