//! What a process does to itself and to a child: ids, exec, signals, waiting.

use std::{
    convert::Infallible,
    ffi::CString,
    fs::File,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{Gid, Uid},
};

use super::{At as _, Result, raw};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It returned this code.
    Exited(i32),
    /// This signal killed it.
    Signaled(i32),
}

impl Ended {
    /// The code a shell reports: 128 and the number for a signal.
    pub fn code(self) -> i32 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signaled(signal) => 128 + signal,
        }
    }
}

/// Collects an ended child; `None` while it runs.
pub fn try_wait(pidfd: BorrowedFd<'_>) -> Result<Option<Ended>> {
    let found = raw::waitid(Some(pidfd)).at("waitid", || "P_PIDFD")?;
    Ok(found.map(|(_, code, status)| ended(code, status)))
}

/// Collects any ended child: its number and how it ended; `None` where none has.
pub fn try_wait_any() -> Result<Option<(i32, Ended)>> {
    let found = raw::waitid(None).at("waitid", || "P_ALL")?;
    Ok(found.map(|(pid, code, status)| (pid, ended(code, status))))
}

fn ended(code: i32, status: i32) -> Ended {
    if code == libc::CLD_EXITED {
        Ended::Exited(status)
    } else {
        Ended::Signaled(status)
    }
}

/// Waits for one of these signals, which are blocked; its number, real-time signals included.
pub fn await_signal(set: &SigSet) -> Result<i32> {
    raw::sigwait(set).at("sigwait", String::new)
}

/// Sends a signal by its number to a child that is not collected yet.
pub fn signal_child(pid: i32, signal: i32) -> Result<()> {
    raw::kill(pid, signal).at("kill", || format!("{pid}, {signal}"))
}

/// Collects a child, waiting for its end.
pub fn wait(pidfd: BorrowedFd<'_>) -> Result<Ended> {
    let mut poll = [nix::poll::PollFd::new(pidfd, nix::poll::PollFlags::POLLIN)];
    loop {
        if let Some(ended) = try_wait(pidfd)? {
            return Ok(ended);
        }
        match nix::poll::poll(&mut poll, nix::poll::PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).at("poll", || "pidfd"),
        }
    }
}

/// Waits until a process that is no child of ours has ended; whether it has.
pub fn await_gone(pidfd: BorrowedFd<'_>, patience: std::time::Duration) -> Result<bool> {
    let mut set = [nix::poll::PollFd::new(pidfd, nix::poll::PollFlags::POLLIN)];
    let timeout = nix::poll::PollTimeout::try_from(patience);
    let ready = nix::poll::poll(&mut set, timeout.unwrap_or(nix::poll::PollTimeout::MAX));
    Ok(ready.at("poll", || "pidfd")? > 0)
}

/// Sends a signal to the process a pidfd names; gone already is fine.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    match raw::pidfd_send_signal(pidfd, signal) {
        Err(Errno::ESRCH) => Ok(()),
        sent => sent.at("pidfd_send_signal", || signal.to_string()),
    }
}

/// A descriptor of a process by its number; `None` where there is none. The number may have been
/// given to another: compare [`start_time`] after this.
pub fn open_pidfd(pid: i32) -> Result<Option<OwnedFd>> {
    match raw::pidfd_open(pid) {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => Err(errno).at("pidfd_open", || pid.to_string()),
    }
}

/// Blocks the signals that we forward and lets them be read instead (signalfd(2)).
pub fn catch_signals(signals: &[Signal]) -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in signals {
        set.add(*signal);
    }
    set.thread_block().at("sigprocmask", || "SIG_BLOCK")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .at("signalfd", String::new)
}

/// The next caught signal, if any.
pub fn read_signal(signals: &SignalFd) -> Result<Option<i32>> {
    let info = signals.read_signal().at("read", || "signalfd")?;
    Ok(info.and_then(|info| i32::try_from(info.ssi_signo).ok()))
}

/// Waits for the end of a child, which gets what is caught meanwhile. Not what a terminal sends: it
/// sends that to the child as well.
pub fn wait_forwarding(pidfd: BorrowedFd<'_>, signals: &SignalFd) -> Result<Ended> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        while let Some(info) = signals.read_signal().at("read", || "signalfd")? {
            if info.ssi_code != libc::SI_KERNEL
                && let Ok(signal) = i32::try_from(info.ssi_signo)
            {
                send_signal(pidfd, signal)?;
            }
        }
        if let Some(ended) = try_wait(pidfd)? {
            return Ok(ended);
        }
        let mut set = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(pidfd, PollFlags::POLLIN),
        ];
        match poll(&mut set, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).at("poll", String::new),
        }
    }
}

/// Gives a new program the signal state it expects: nothing blocked, nothing ignored. Rust ignores
/// SIGPIPE at start-up, nohup(1) SIGHUP, and a shell SIGINT and SIGQUIT in the background; what is
/// ignored at its start a shell cannot trap (sh(1p), `trap`).
pub fn reset_signals() -> Result<()> {
    unblock_signals()?;
    for signal in Signal::iterator() {
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            raw::restore_default_action(signal).at("signal", || format!("{signal}, SIG_DFL"))?;
        }
    }
    Ok(())
}

/// Blocks none; what is ignored stays so.
pub fn unblock_signals() -> Result<()> {
    SigSet::empty()
        .thread_set_mask()
        .at("sigprocmask", || "SIG_SETMASK")
}

/// What a terminal sends, or a polite kill, does nothing to this process from now on.
pub fn ignore_endings() -> Result<()> {
    let mut set = SigSet::empty();
    for signal in super::last_words::ENDING {
        set.add(signal);
    }
    set.thread_block().at("sigprocmask", || "SIG_BLOCK")
}

/// This process dies with its parent (prctl(2), `PR_SET_PDEATHSIG`).
pub fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).at("prctl", || "PR_SET_PDEATHSIG, SIGKILL")
}

/// No program that this process executes gets more rights than it has (prctl(2)).
pub fn no_new_privileges() -> Result<()> {
    prctl::set_no_new_privs().at("prctl", || "PR_SET_NO_NEW_PRIVS")
}

/// A session of its own, so that no terminal of ours can be typed into (CVE-2017-5226).
pub fn new_session() -> Result<()> {
    nix::unistd::setsid().map(drop).at("setsid", String::new)
}

/// A process group of its own, in the foreground of its terminal where there is one. SIGTTOU must
/// be blocked.
pub fn lead_terminal() {
    let own = nix::unistd::getpid();
    if nix::unistd::setpgid(own, own).is_ok() {
        nix::unistd::tcsetpgrp(std::io::stdin(), own).ok();
    }
}

/// Becomes this user: supplementary groups first, then group, then user, as rights shrink.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    let list: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
    nix::unistd::setgroups(&list).at("setgroups", || format!("{groups:?}"))?;
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    nix::unistd::setresgid(group, group, group).at("setresgid", || gid.to_string())?;
    nix::unistd::setresuid(user, user, user).at("setresuid", || uid.to_string())
}

/// Nobody may trace or read the memory of this process until it executes a program.
pub fn forbid_core_dump_and_trace() -> Result<()> {
    prctl::set_dumpable(false).at("prctl", || "PR_SET_DUMPABLE, 0")
}

/// Changes the name and the arguments that ps(1) shows.
///
/// The arguments are overwritten through /proc/self/mem, because moving them (prctl(2),
/// `PR_SET_MM`) takes CAP_SYS_RESOURCE.
pub fn rename_self(name: &str) -> Result<()> {
    let c_name = CString::new(name).unwrap_or_default();
    prctl::set_name(&c_name).at("prctl", || "PR_SET_NAME")?;
    let status = std::fs::read_to_string("/proc/self/stat").at("read", || "/proc/self/stat")?;
    // The second field may hold anything; proc_pid_stat(5) counts 48 and 49 from the first.
    let fields = status.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = fields.split_whitespace().skip(45).map(str::parse::<u64>);
    let (Some(Ok(begin)), Some(Ok(end))) = (fields.next(), fields.next()) else {
        return Ok(());
    };
    let mut text = name.as_bytes().to_vec();
    text.resize(usize::try_from(end.saturating_sub(begin)).unwrap_or(0), 0);
    let memory = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/mem");
    let memory = memory.at("open", || "/proc/self/mem")?;
    std::os::unix::fs::FileExt::write_all_at(&memory, &text, begin).at("pwrite", || "arguments")
}

/// Makes standard input, output and error out of these descriptors.
pub fn set_standard_streams(streams: [BorrowedFd<'_>; 3]) -> Result<()> {
    nix::unistd::dup2_stdin(streams[0]).at("dup2", || "0")?;
    nix::unistd::dup2_stdout(streams[1]).at("dup2", || "1")?;
    nix::unistd::dup2_stderr(streams[2]).at("dup2", || "2")
}

/// Marks every descriptor above the standard three close-on-exec, whoever opened it.
pub fn close_others_on_exec() -> Result<()> {
    raw::close_range_cloexec(3).at("close_range", || "3, ~0, CLOSE_RANGE_CLOEXEC")
}

/// Closes every descriptor above the standard three, then does `work` for ever.
pub fn close_others_and(work: impl FnOnce() -> Infallible) -> ! {
    raw::close_range(3, u32::MAX).ok();
    match work() {}
}

/// Closes every descriptor above the standard three but these. For a child that never returns to
/// the frames that own the others.
pub(super) fn close_all_but(kept: &[BorrowedFd<'_>]) -> Result<()> {
    let mut kept: Vec<_> = kept
        .iter()
        .map(|fd| fd.as_raw_fd().unsigned_abs())
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept
        .into_iter()
        .filter(|number| *number > 2)
        .chain([u32::MAX])
    {
        if number > first {
            let close = raw::close_range(first, number - 1);
            close.at("close_range", || format!("{first}, {number}"))?;
        }
        first = number.saturating_add(1);
    }
    Ok(())
}

/// Sets the umask that files of this process are made with.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
}

/// Gives this thread an umask (and working directory) of its own, then allows every mode.
///
/// umask is shared by the threads of a process (clone(2), `CLONE_FS`).
pub fn unmask_this_thread() -> Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).at("unshare", || "CLONE_FS")?;
    set_umask(0);
    Ok(())
}

/// Makes /dev/null of the standard streams, and closes what our caller left open for its own use
/// (it has no close-on-exec flag, or it would not be here): a process that stays behind must not
/// keep anybody's pipe open.
pub fn let_go_of_caller() -> Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.at("open", || "/dev/null")?;
    set_standard_streams([null.as_fd(); 3])?;
    for number in open_descriptors()?.into_iter().filter(|number| *number > 2) {
        raw::close_inherited(number, |fd| {
            let flags = fcntl(fd, FcntlArg::F_GETFD).unwrap_or(libc::FD_CLOEXEC);
            !FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC)
        });
    }
    Ok(())
}

/// The numbers of all descriptors of this process, perhaps of some that are closed by now.
fn open_descriptors() -> Result<Vec<i32>> {
    const ALL: &str = "/proc/self/fd";
    // Since Linux 6.2 the directory's size tells how many there are: mostly the lowest numbers, which can be asked for
    // much faster than procfs lists them.
    let count = nix::sys::stat::stat(ALL).at("stat", || ALL)?.st_size;
    let likely = 0..i32::try_from(count).unwrap_or(0).saturating_mul(2);
    let found: Vec<_> = likely.filter(|number| raw::is_open(*number)).collect();
    if count > 0 && i64::try_from(found.len()) == Ok(count) {
        return Ok(found);
    }
    let listed = std::fs::read_dir(ALL).at("open", || ALL)?;
    let numbers = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.collect())
}

/// Changes into an open directory.
pub fn enter(dir: impl AsFd) -> Result<()> {
    nix::unistd::fchdir(dir).at("fchdir", String::new)
}

/// Leaves a descriptor open in the program that replaces this one (fcntl(2), `FD_CLOEXEC`).
pub fn pass_on(fd: impl AsFd) -> Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))
        .map(drop)
        .at("fcntl", || "F_SETFD")
}

/// Replaces this process (execve(2)); only returns on failure.
pub fn exec(program: &CString, args: &[CString], env: &[CString]) -> Result<Infallible> {
    nix::unistd::execve(program, args, env).at("execve", || program.to_string_lossy().into_owned())
}

/// As many open files as this process may ask for (getrlimit(2), `RLIMIT_NOFILE`); only a wish.
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}

/// A pipe, both ends close-on-exec.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).at("pipe2", || "O_CLOEXEC")
}

/// A path that means this very open file (proc_pid_fd(5)).
pub fn handle_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// The path of an open file for messages, as /proc knows it.
pub fn path_of(fd: impl AsFd) -> String {
    std::fs::read_link(handle_path(fd))
        .map(|path| path.display().to_string())
        .unwrap_or_default()
}

/// The path of an open directory as it is now, without links.
pub fn real_path_of(fd: impl AsFd) -> Result<std::path::PathBuf> {
    let link = handle_path(fd);
    std::fs::read_link(&link).at("readlink", || link.clone())
}

/// Gives a standard stream to the user that will use it, so that `/dev/stdout` can be opened again.
/// A stream that cannot change hands is used as it is.
pub fn give_stream(number: i32, uid: u32, gid: u32) {
    if uid == 0 {
        return;
    }
    let stream = format!("/proc/self/fd/{number}");
    let is_ours = std::fs::read_link(&stream)
        .is_ok_and(|name| is_stream(name.as_os_str().as_encoded_bytes()));
    if is_ours {
        nix::unistd::chown(
            stream.as_str(),
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
        )
        .ok();
    }
}

/// A pipe, or a terminal of the devpts that the process sees by now: its own.
fn is_stream(name: &[u8]) -> bool {
    name.starts_with(b"pipe:") || name.starts_with(b"/dev/pts/")
}

/// Makes reads and writes return at once where they would wait.
pub fn set_nonblocking(fd: impl AsFd) -> Result<()> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFL(flags))
        .map(|_| ())
        .at("fcntl", || "F_SETFL, O_NONBLOCK")
}

/// Effective user id 0.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Kills a process of ours by number; gone already is fine.
pub fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).ok();
}

/// Kills a process group; none of this number is fine.
pub fn kill_group(leader: i32) {
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), Signal::SIGKILL).ok();
}

/// The session that a process is in, by its leader's number; `None` where there is no such process.
pub fn session_of(pid: i32) -> Option<i32> {
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid)));
    session.ok().map(nix::unistd::Pid::as_raw)
}

/// What a descriptor shall be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Ready {
    ToRead,
    ToWrite,
}

/// Waits until a descriptor is ready, or a caught signal comes first: then its number.
pub fn wait_ready(fd: impl AsFd, ready: Ready, signals: &SignalFd) -> Result<Option<i32>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let wanted = match ready {
        Ready::ToRead => PollFlags::POLLIN,
        Ready::ToWrite => PollFlags::POLLOUT,
    };
    let mut set = [
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        PollFd::new(fd.as_fd(), wanted),
    ];
    loop {
        match poll(&mut set, PollTimeout::NONE) {
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).at("poll", String::new),
        }
    }
    read_signal(signals)
}

/// Does `work` under another umask.
pub fn with_umask<T>(mask: u32, work: impl FnOnce() -> T) -> T {
    let mask = nix::sys::stat::Mode::from_bits_truncate(mask);
    let before = nix::sys::stat::umask(mask);
    let done = work();
    nix::sys::stat::umask(before);
    done
}

/// Whether the other end of a socket or pipe is closed.
pub fn is_hung_up(fd: impl AsFd) -> bool {
    let mut set = [nix::poll::PollFd::new(
        fd.as_fd(),
        nix::poll::PollFlags::empty(),
    )];
    let polled = nix::poll::poll(&mut set, nix::poll::PollTimeout::ZERO);
    polled.is_ok_and(|count| count > 0)
}

/// When a process began, in clock ticks since boot (proc_pid_stat(5), field 22): with its number,
/// its identity. `None` where there is no such process, or only a zombie that nobody has reaped.
pub fn start_time(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = status.rsplit_once(')')?;
    if fields.trim_start().starts_with(['Z', 'X']) {
        return None;
    }
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// Bytes of a page of memory.
pub fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let size = size
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok());
    size.unwrap_or(4096)
}

/// Which boot of the machine this is (proc(5), `random/boot_id`).
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_has_no_start_time() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn();
        let child = child.as_mut().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(start_time(pid).is_some());
        child.kill().unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while start_time(pid).is_some() {
            assert!(
                std::time::Instant::now() < end,
                "the zombie counts as alive"
            );
            std::thread::yield_now();
        }
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
        child.wait().unwrap();
    }
}
