//! The one fork: clone3(2) into new namespaces.

#![expect(
    unsafe_code,
    reason = "clone3 returns twice, which no safe interface can express"
)]

use std::{
    fs::File,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use nix::errno::Errno;

use super::{At as _, Result, SysError};

/// Which namespaces a child gets of its own (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Namespaces(u64);

impl Namespaces {
    /// None.
    pub const NONE: Self = Self(0);
    /// Mounts.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS as u64);
    /// Process ids: the child is 1 in it.
    pub const PID: Self = Self(libc::CLONE_NEWPID as u64);
    /// Host name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS as u64);
    /// System V IPC and POSIX message queues.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC as u64);
    /// The root of the cgroup view.
    pub const CGROUP: Self = Self(libc::CLONE_NEWCGROUP as u64);
    /// Users and groups.
    pub const USER: Self = Self(libc::CLONE_NEWUSER as u64);

    /// The names of clone(2), in a fixed order.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::MOUNT, "CLONE_NEWNS"),
        (Self::PID, "CLONE_NEWPID"),
        (Self::UTS, "CLONE_NEWUTS"),
        (Self::IPC, "CLONE_NEWIPC"),
        (Self::CGROUP, "CLONE_NEWCGROUP"),
        (Self::USER, "CLONE_NEWUSER"),
    ];

    /// Both sets.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether all of `other` are in.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags as clone(2) names them.
    pub fn names(self) -> Vec<&'static str> {
        let chosen = Self::NAMES.iter().filter(|(flag, _)| self.has(*flag));
        chosen.map(|(_, name)| *name).collect()
    }
}

/// clone3(2); the constant of libc does not fit its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the fork we are on.
#[derive(Debug)]
pub enum Side {
    /// In the new process.
    Child,
    /// In the old one, with the child's process id here and a descriptor of it.
    Parent {
        /// As seen in our pid namespace.
        pid: i32,
        /// Names the child without a race (pidfd_open(2)).
        pidfd: OwnedFd,
    },
}

/// Forks into new namespaces. The child must end in exec or [`exit_now`].
///
/// # Panics
///
/// Where the process has a second thread: its locks would stay locked in the child.
pub fn clone_into(namespaces: Namespaces) -> Result<Side> {
    clone_in(namespaces, None)
}

/// [`clone_into`] that makes the child a member of a cgroup v2 from its first instruction on
/// (`CLONE_INTO_CGROUP`).
pub fn clone_in(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    assert_single_threaded();
    let mut pidfd: libc::c_int = -1;
    let mut flags = namespaces.0 | u64::from(libc::CLONE_PIDFD.unsigned_abs());
    let mut group = 0;
    if let Some(cgroup) = cgroup {
        flags |= CLONE_INTO_CGROUP;
        group = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    let arguments = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd).addr() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.unsigned_abs().into(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group,
    };
    let (address, size) = (
        std::ptr::from_ref(&arguments),
        size_of::<libc::clone_args>(),
    );
    // SAFETY: no stack is given, so the child runs on a copy of ours like after fork(2); the
    // process has one thread (asserted), so no lock of the allocator or of stdio is held by
    // another in the copy. `arguments` and `pidfd` live across the call.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, address, size) };
    match Errno::result(ret) {
        Ok(0) => Ok(Side::Child),
        Ok(pid) => {
            // SAFETY: CLONE_PIDFD stored a new descriptor here that nobody else knows.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent {
                pid: i32::try_from(pid).unwrap_or(-1),
                pidfd,
            })
        }
        Err(errno) => Err(SysError::new("clone3", namespaces.names().join("|"), errno)),
    }
}

/// Forks into the pid namespace of the process that `beside` names, and nothing else of it: the
/// child enters the rest itself. Our own later children are in ours again.
pub fn clone_beside(beside: BorrowedFd<'_>, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    let own = File::open("/proc/self/ns/pid").at("open", || "/proc/self/ns/pid")?;
    super::namespace::enter_for_children(beside)?;
    let side = clone_in(Namespaces::NONE, cgroup);
    if !matches!(side, Ok(Side::Child)) {
        super::namespace::enter_for_children(&own)?;
    }
    side
}

/// Runs `work` in a child with namespaces of its own and returns what it returns.
///
/// For what needs mounts for a moment: they go with the child, whatever happens.
pub fn run_in(namespaces: Namespaces, work: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let (read, write) = super::process::pipe()?;
    match clone_into(namespaces)? {
        Side::Child => {
            drop(read);
            // Our work is nothing without the one who asked for it.
            let done = super::process::die_with_parent().and_then(|()| work());
            let code = i32::from(done.is_err());
            let mut write = File::from(write);
            let text = match done {
                Ok(bytes) => bytes,
                Err(error) => pack(&error),
            };
            let sent = std::io::Write::write_all(&mut write, &text);
            exit_now(if sent.is_ok() { code } else { 2 })
        }
        Side::Parent { pidfd, .. } => {
            drop(write);
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut File::from(read), &mut text)
                .at("read", || "answer of a child")?;
            match super::process::wait(std::os::fd::AsFd::as_fd(&pidfd))?.code() {
                0 => Ok(text),
                _ => Err(unpack(&text)),
            }
        }
    }
}

/// An error as lines: call, errno, detail.
pub(super) fn pack(error: &SysError) -> Vec<u8> {
    let errno = error.errno().unwrap_or(Errno::EIO) as i32;
    format!("{}\n{errno}\n{}", error.call(), error.detail()).into_bytes()
}

pub(super) fn unpack(text: &[u8]) -> SysError {
    let text = String::from_utf8_lossy(text).into_owned();
    let mut lines = text.splitn(3, '\n');
    let call = lines
        .next()
        .filter(|call| !call.is_empty())
        .unwrap_or("clone3")
        .to_owned();
    let errno = lines
        .next()
        .and_then(|code| code.parse().ok())
        .unwrap_or(libc::EIO);
    SysError::new(
        call,
        lines.next().unwrap_or_default(),
        Errno::from_raw(errno),
    )
}

/// Ends the process at once, without destructors or exit handlers: those are the parent's.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// A directory's link count is 2 and one for each subdirectory: one thread makes 3.
fn assert_single_threaded() {
    // Known without a look into procfs, for most.
    #[cfg(target_env = "gnu")]
    if never_had_threads() {
        return;
    }
    let tasks = nix::sys::stat::stat("/proc/self/task");
    assert!(
        tasks.is_ok_and(|tasks| tasks.st_nlink == 3),
        "a process that forks has one thread"
    );
}

/// What the C library knows; it is not asked what became of threads that there were.
#[cfg(target_env = "gnu")]
fn never_had_threads() -> bool {
    unsafe extern "C" {
        /// glibc's sys/single_threaded.h
        static __libc_single_threaded: libc::c_char;
    }
    // SAFETY: a byte that lives as long as the process. Only this thread could change it, by starting another one: where it
    // is not 0, there is no other.
    unsafe { __libc_single_threaded != 0 }
}
