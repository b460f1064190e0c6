//! System calls that nix does not wrap, one safe function each.
//!
//! Nothing here decides anything. Callers are the other files of this room.

use std::{
    ffi::CStr,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use libc::{c_int, c_long, c_uint, c_ulong};
use nix::{
    errno::Errno,
    sys::{
        signal::{SigHandler, SigSet, Signal},
        socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg},
    },
};

use super::loop_device::{LoopConfig, LoopInfo};

type Result<T> = nix::Result<T>;

/// `AT_EMPTY_PATH` and the like as the unsigned the mount calls want.
const EMPTY_PATH: c_uint = libc::AT_EMPTY_PATH as c_uint;

const LOOP_GET_STATUS64: c_ulong = 0x4C05;
const LOOP_CONFIGURE: c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: c_ulong = 0x4C82;

fn fd_of(ret: c_long) -> Result<OwnedFd> {
    let raw = RawFd::try_from(Errno::result(ret)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor to us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Takes over a descriptor that a system call of nix has just returned as a number.
pub(super) fn adopt(fd: RawFd) -> Result<OwnedFd> {
    fd_of(c_long::from(fd))
}

pub(super) fn fsopen(fs: &CStr) -> Result<OwnedFd> {
    // SAFETY: `fs` is NUL-terminated and outlives the call; the kernel only reads it.
    fd_of(unsafe { libc::syscall(libc::SYS_fsopen, fs.as_ptr(), libc::FSOPEN_CLOEXEC) })
}

pub(super) fn fsconfig_string(fs: BorrowedFd<'_>, key: &CStr, value: &CStr) -> Result<()> {
    let (fd, command) = (fs.as_raw_fd(), libc::FSCONFIG_SET_STRING);
    // SAFETY: both strings are NUL-terminated and outlive the call; the kernel copies them.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fd,
            command,
            key.as_ptr(),
            value.as_ptr(),
            0,
        )
    };
    Errno::result(ret).map(drop)
}

pub(super) fn fsconfig_flag(fs: BorrowedFd<'_>, key: &CStr) -> Result<()> {
    let (fd, command) = (fs.as_raw_fd(), libc::FSCONFIG_SET_FLAG);
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: `key` is NUL-terminated and outlives the call; a flag takes no value, so NULL is due.
    let ret = unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key.as_ptr(), none, 0) };
    Errno::result(ret).map(drop)
}

pub(super) fn fsconfig_create(fs: BorrowedFd<'_>) -> Result<()> {
    let (fd, command) = (fs.as_raw_fd(), libc::FSCONFIG_CMD_CREATE);
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: the command takes neither key nor value: both must be NULL, and are.
    let ret = unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, none, none, 0) };
    Errno::result(ret).map(drop)
}

pub(super) fn fsmount(fs: BorrowedFd<'_>, attributes: u64) -> Result<OwnedFd> {
    let fd = fs.as_raw_fd();
    // SAFETY: no pointers; the kernel checks the descriptor and the bits.
    fd_of(unsafe { libc::syscall(libc::SYS_fsmount, fd, libc::FSMOUNT_CLOEXEC, attributes) })
}

pub(super) fn move_mount(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let (from, to, empty) = (from.as_raw_fd(), to.as_raw_fd(), c"".as_ptr());
    // SAFETY: both paths are the empty string, which is static; the descriptors are borrowed.
    let ret = unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) };
    Errno::result(ret).map(drop)
}

pub(super) fn open_tree_clone(at: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd> {
    let deep = if recursive {
        libc::AT_RECURSIVE.cast_unsigned()
    } else {
        0
    };
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | EMPTY_PATH | deep;
    let (fd, empty) = (at.as_raw_fd(), c"".as_ptr());
    // SAFETY: the path is the static empty string; the descriptor is borrowed for the call.
    fd_of(unsafe { libc::syscall(libc::SYS_open_tree, fd, empty, flags) })
}

pub(super) fn mount_setattr(
    mount: BorrowedFd<'_>,
    recursive: bool,
    attributes: &libc::mount_attr,
) -> Result<()> {
    let deep = if recursive {
        libc::AT_RECURSIVE.cast_unsigned()
    } else {
        0
    };
    let (fd, empty, flags) = (mount.as_raw_fd(), c"".as_ptr(), EMPTY_PATH | deep);
    let size = size_of::<libc::mount_attr>();
    let attributes = std::ptr::from_ref(attributes);
    // SAFETY: `attributes` points to a live struct of exactly `size` bytes that the kernel reads.
    let ret = unsafe { libc::syscall(libc::SYS_mount_setattr, fd, empty, flags, attributes, size) };
    Errno::result(ret).map(drop)
}

pub(super) fn lsetxattr(path: &CStr, key: &CStr, value: &[u8]) -> Result<()> {
    let (bytes, length) = (value.as_ptr().cast(), value.len());
    // SAFETY: the strings are NUL-terminated, `value` is `length` readable bytes.
    let ret = unsafe { libc::lsetxattr(path.as_ptr(), key.as_ptr(), bytes, length, 0) };
    Errno::result(ret).map(drop)
}

pub(super) fn lremovexattr(path: &CStr, key: &CStr) -> Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    let ret = unsafe { libc::lremovexattr(path.as_ptr(), key.as_ptr()) };
    Errno::result(ret).map(drop)
}

pub(super) fn fsetxattr(fd: BorrowedFd<'_>, key: &CStr, value: &[u8]) -> Result<()> {
    let (bytes, length) = (value.as_ptr().cast(), value.len());
    // SAFETY: `key` is NUL-terminated, `value` is `length` readable bytes.
    let ret = unsafe { libc::fsetxattr(fd.as_raw_fd(), key.as_ptr(), bytes, length, 0) };
    Errno::result(ret).map(drop)
}

pub(super) fn lgetxattr(path: &CStr, key: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (bytes, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` is `length` writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::lgetxattr(path.as_ptr(), key.as_ptr(), bytes, length) };
    Ok(Errno::result(ret)?.unsigned_abs())
}

pub(super) fn llistxattr(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (bytes, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` is `length` writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::llistxattr(path.as_ptr(), bytes, length) };
    Ok(Errno::result(ret)?.unsigned_abs())
}

pub(super) fn fgetxattr(fd: BorrowedFd<'_>, key: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (bytes, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` is `length` writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::fgetxattr(fd.as_raw_fd(), key.as_ptr(), bytes, length) };
    Ok(Errno::result(ret)?.unsigned_abs())
}

pub(super) fn flistxattr(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let (bytes, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `buffer` is `length` writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::flistxattr(fd.as_raw_fd(), bytes, length) };
    Ok(Errno::result(ret)?.unsigned_abs())
}

/// The type and the bytes of a name's handle; a link is not followed.
pub(super) fn name_to_handle(dir: BorrowedFd<'_>, name: &CStr) -> Result<(i32, Vec<u8>)> {
    /// `struct file_handle` with room for the largest one (`MAX_HANDLE_SZ`).
    #[repr(C)]
    struct Room {
        length: c_uint,
        kind: c_int,
        bytes: [u8; 128],
    }
    let mut room = Room {
        length: 128,
        kind: 0,
        bytes: [0; 128],
    };
    let mut mount: c_int = 0;
    // SAFETY: `name` ends with NUL; `room` has the layout of `struct file_handle` followed by the
    // 128 bytes that its length promises; all are live for the call.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            dir.as_raw_fd(),
            name.as_ptr(),
            &raw mut room,
            &raw mut mount,
            0,
        )
    };
    Errno::result(ret)?;
    let length = (room.length as usize).min(room.bytes.len());
    Ok((room.kind, room.bytes[..length].to_vec()))
}

pub(super) fn getrandom(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: `buffer` is that many writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    Ok(Errno::result(ret)?.unsigned_abs())
}

pub(super) fn close_range_cloexec(first: c_uint) -> Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: only marks descriptors close-on-exec: every owner keeps a valid descriptor.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, flags) };
    Errno::result(ret).map(drop)
}

/// Closes everything from `first` to `last`. The caller must never use, nor drop, an owner again.
pub(super) fn close_range(first: c_uint, last: c_uint) -> Result<()> {
    // SAFETY: only called by a process that never returns to the frames that own descriptors.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    Errno::result(ret).map(drop)
}

pub(super) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> Result<()> {
    let (fd, info) = (pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: a NULL siginfo asks the kernel to fill it in as kill(2) does.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, 0) };
    Errno::result(ret).map(drop)
}

/// Collects an ended child without waiting (waitid(2)): its number, `si_code` and `si_status`. nix
/// knows no death by a real-time signal.
pub(super) fn waitid(pidfd: Option<BorrowedFd<'_>>) -> Result<Option<(c_int, c_int, c_int)>> {
    let (kind, id) = match pidfd {
        Some(fd) => (libc::P_PIDFD, fd.as_raw_fd().cast_unsigned()),
        None => (libc::P_ALL, 0),
    };
    // SAFETY: all zeros is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is a siginfo_t of ours, borrowed mutably for the call.
    let ret = unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | libc::WNOHANG) };
    Errno::result(ret)?;
    // SAFETY: waitid(2) fills this field in, and leaves zero where no child has ended.
    let pid = unsafe { info.si_pid() };
    // SAFETY: the same.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then_some((pid, info.si_code, status)))
}

/// The next of these signals, which the caller has blocked (sigwait(3)).
pub(super) fn sigwait(set: &SigSet) -> Result<c_int> {
    let mut signal = 0;
    // SAFETY: `set` is a sigset_t that outlives the call, `signal` a number of ours.
    match unsafe { libc::sigwait(set.as_ref(), &raw mut signal) } {
        0 => Ok(signal),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// kill(2) with a number, real-time signals included.
pub(super) fn kill(pid: c_int, signal: c_int) -> Result<()> {
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Fills `buffer` with records of getdents64(2); 0 at the end.
pub(super) fn getdents64(dir: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let (bytes, length) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `buffer` is `length` writable bytes and borrowed mutably for the call.
    let ret = unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), bytes, length) };
    usize::try_from(Errno::result(ret)?).map_err(|_| Errno::EINVAL)
}

pub(super) fn ficlone(to: BorrowedFd<'_>, from: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: FICLONE takes a descriptor by value and no pointer.
    let ret = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    Errno::result(ret).map(drop)
}

/// The number of a free loop device (loop(4), `LOOP_CTL_GET_FREE`).
pub(super) fn loop_get_free(control: BorrowedFd<'_>) -> Result<c_int> {
    // SAFETY: the request takes no argument.
    let ret = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    Errno::result(ret)
}

/// Gives a free loop device its file (loop(4), `LOOP_CONFIGURE`).
pub(super) fn loop_configure(device: BorrowedFd<'_>, config: &LoopConfig) -> Result<()> {
    let config = std::ptr::from_ref(config);
    // SAFETY: the request reads one loop_config, which is live and laid out as the kernel's.
    let ret = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, config) };
    Errno::result(ret).map(drop)
}

/// What a loop device is set to; ENXIO where it is free (loop(4), `LOOP_GET_STATUS64`).
pub(super) fn loop_status(device: BorrowedFd<'_>) -> Result<LoopInfo> {
    let mut info = LoopInfo::default();
    // SAFETY: the request writes one loop_info64, which is live and laid out as the kernel's.
    let ret = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_GET_STATUS64, &raw mut info) };
    Errno::result(ret).map(|_| info)
}

/// Reads or writes the flags of a network interface (netdevice(7)).
pub(super) fn interface_flags(
    socket: BorrowedFd<'_>,
    request: c_ulong,
    name: &[u8],
    flags: libc::c_short,
) -> Result<libc::c_short> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    for (to, from) in ifr_name
        .iter_mut()
        .zip(name.iter().take(libc::IFNAMSIZ - 1))
    {
        *to = from.cast_signed();
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_flags: flags };
    let mut interface = libc::ifreq { ifr_name, ifr_ifru };
    // SAFETY: SIOC[GS]IFFLAGS read and write one ifreq, which is live and borrowed mutably.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut interface) };
    Errno::result(ret)?;
    // SAFETY: both requests leave `ifru_flags` as the union's current member.
    Ok(unsafe { interface.ifr_ifru.ifru_flags })
}

/// Makes the terminal `tty` the controlling terminal of this session (ioctl_tty(2)).
pub(super) fn set_controlling_terminal(tty: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: TIOCSCTTY takes an integer by value; 0 steals from nobody.
    let ret = unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) };
    Errno::result(ret).map(drop)
}

/// Opens the terminal of a pty's main side without a path (ioctl_tty(2), `TIOCGPTPEER`).
pub(super) fn open_pty_peer(main: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags by value and returns a new descriptor.
    fd_of(c_long::from(unsafe {
        libc::ioctl(main.as_raw_fd(), libc::TIOCGPTPEER, flags)
    }))
}

pub(super) fn unlock_pty(main: BorrowedFd<'_>) -> Result<()> {
    let unlock: c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int, which is live.
    let ret = unsafe { libc::ioctl(main.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) };
    Errno::result(ret).map(drop)
}

pub(super) fn window_size(tty: BorrowedFd<'_>) -> Result<libc::winsize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize, which is live and borrowed mutably.
    let ret = unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    Errno::result(ret).map(|_| size)
}

pub(super) fn set_window_size(tty: BorrowedFd<'_>, size: &libc::winsize) -> Result<()> {
    let size = std::ptr::from_ref(size);
    // SAFETY: TIOCSWINSZ reads one winsize, which is live.
    let ret = unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSWINSZ, size) };
    Errno::result(ret).map(drop)
}

/// Starts writeback of a file's dirty pages without waiting (sync_file_range(2)).
pub(super) fn start_writeback(file: BorrowedFd<'_>, offset: i64, length: i64) -> Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WRITE;
    // SAFETY: no pointers.
    let ret = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, flags) };
    Errno::result(ret).map(drop)
}

/// A descriptor of a process (pidfd_open(2)), close-on-exec.
pub(super) fn pidfd_open(pid: c_int) -> Result<OwnedFd> {
    // SAFETY: numbers only.
    fd_of(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Whether this process has a descriptor of this number.
pub(super) fn is_open(number: RawFd) -> bool {
    // SAFETY: F_GETFD takes a number and changes nothing.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Closes a descriptor that nothing of ours owns, if `is_inherited` says so of it.
pub(super) fn close_inherited(number: RawFd, is_inherited: impl FnOnce(BorrowedFd<'_>) -> bool) {
    // SAFETY: only borrowed for the look; a number that is not open makes fcntl(2) fail with EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    if is_inherited(fd) {
        // SAFETY: everything we open is close-on-exec, so a descriptor without that flag came from
        // our caller and has no owner in this process.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

/// madvise(2) with `MADV_DONTNEED` on a range that the caller knows to be a private mapping of a file,
/// without write access and without a page that was ever written to.
pub(super) fn forget_pages(start: usize, length: usize) -> Result<()> {
    let address = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: such pages are as in the file, so the kernel brings back the same bytes on the next
    // access; no memory that Rust has written to is in the range.
    let ret = unsafe { libc::madvise(address, length, libc::MADV_DONTNEED) };
    Errno::result(ret).map(drop)
}

/// Keeps descriptor types honest at the boundary: anything that has one may be borrowed.
pub(super) fn raw(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

pub(super) fn restore_default_action(signal: Signal) -> Result<()> {
    // SAFETY: SIG_DFL installs no handler, so no code of ours runs in signal context.
    let old = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
    old.map(|_| ())
}

/// Receives one packet and at most one descriptor with it (unix(7), `SCM_RIGHTS`).
pub(super) fn receive_with_fd(
    socket: BorrowedFd<'_>,
    parts: &mut [std::io::IoSliceMut<'_>],
) -> Result<(usize, Option<OwnedFd>)> {
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), parts, Some(&mut space), flags)?;
    let mut received = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            for fd in fds {
                // SAFETY: the kernel has just installed this descriptor for us; nobody else owns
                // it. A second one replaces the first, which is closed.
                received = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    Ok((message.bytes, received))
}
