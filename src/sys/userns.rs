//! A user namespace as a value: made for its maps alone, with no process in it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
};

use nix::errno::Errno;

use super::{
    At as _, Result, SysError,
    fork::{self, Namespaces, Side},
    process, raw,
};

/// A user namespace with these maps: the lines of `/proc/PID/uid_map` and `gid_map`
/// (user_namespaces(7)).
///
/// A child is born in a new one, its maps are written from here, and the descriptor keeps the
/// namespace when the child has gone. `/proc` must be that of a pid namespace that knows us.
pub fn with_maps(uids: &str, gids: &str) -> Result<OwnedFd> {
    let (read, write) = process::pipe()?;
    match fork::clone_into(Namespaces::USER)? {
        Side::Child => {
            // The other end closes when the parent is done with us, or dead.
            drop(write);
            File::from(read).read_to_end(&mut Vec::new()).ok();
            fork::exit_now(0)
        }
        Side::Parent { pidfd, .. } => {
            drop(read);
            let made = number_of(&pidfd).and_then(|pid| {
                write_map(&format!("/proc/{pid}/uid_map"), uids)?;
                write_map(&format!("/proc/{pid}/gid_map"), gids)?;
                let path = format!("/proc/{pid}/ns/user");
                let namespace = File::open(&path).at("open", || path.clone())?;
                Ok(OwnedFd::from(namespace))
            });
            drop(write);
            process::wait(pidfd.as_fd())?;
            made
        }
    }
}

/// The child's number as `/proc` here has it, which need not be that of our own pid namespace.
fn number_of(pidfd: &OwnedFd) -> Result<i32> {
    let path = format!("/proc/self/fdinfo/{}", raw::raw(pidfd));
    let text = std::fs::read_to_string(&path).at("read", || path.clone())?;
    let pid = text
        .lines()
        .find_map(|line| line.strip_prefix("Pid:"))
        .and_then(|number| number.trim().parse().ok())
        .filter(|pid| *pid > 0);
    pid.ok_or_else(|| SysError::new("read", path, Errno::ESRCH))
}

/// One write: a map is taken whole or not at all.
fn write_map(path: &str, lines: &str) -> Result<()> {
    let mut file = File::options().write(true).open(path).at("open", || path)?;
    file.write_all(lines.as_bytes()).at("write", || path)
}
