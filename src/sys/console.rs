//! Terminals: a pty made inside a devpts instance, raw mode on ours, window sizes.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use nix::sys::termios::{self, SetArg, Termios};

use super::{At as _, Result, raw};

/// Unlocks a pty whose main side was opened from a `ptmx`, and opens its terminal without a path
/// (CVE-2025-52565: a path below /dev of an image can be a link).
pub fn open_terminal(main: &File) -> Result<OwnedFd> {
    raw::unlock_pty(main.as_fd()).at("ioctl", || "TIOCSPTLCK")?;
    raw::open_pty_peer(main.as_fd()).at("ioctl", || "TIOCGPTPEER")
}

/// Makes `tty` the controlling terminal of our session.
pub fn take_terminal(tty: impl AsFd) -> Result<()> {
    raw::set_controlling_terminal(tty.as_fd()).at("ioctl", || "TIOCSCTTY")
}

/// Whether the descriptor is a terminal.
pub fn is_terminal(fd: impl AsFd) -> bool {
    nix::unistd::isatty(fd).unwrap_or(false)
}

/// Rows and columns of a terminal, in characters.
pub fn window_size(tty: impl AsFd) -> Result<(u16, u16)> {
    let size = raw::window_size(tty.as_fd()).at("ioctl", || "TIOCGWINSZ")?;
    Ok((size.ws_row, size.ws_col))
}

/// Makes a terminal as large as this, in characters.
pub fn set_window_size(tty: impl AsFd, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    raw::set_window_size(tty.as_fd(), &size).at("ioctl", || "TIOCSWINSZ")
}

/// A terminal that does not show what is typed; dropping it gives the old mode back.
#[derive(Debug)]
pub struct HiddenInput {
    _mode: RawMode,
}

impl HiddenInput {
    /// Whole lines are still edited, and their end is shown.
    pub fn begin(tty: impl AsFd) -> Result<Self> {
        let tty = tty.as_fd().try_clone_to_owned().at("dup", String::new)?;
        let before = termios::tcgetattr(&tty).at("tcgetattr", String::new)?;
        let mut wanted = before.clone();
        wanted.local_flags.remove(termios::LocalFlags::ECHO);
        termios::tcsetattr(&tty, SetArg::TCSADRAIN, &wanted).at("tcsetattr", || "-ECHO")?;
        Ok(Self {
            _mode: RawMode { tty, before },
        })
    }
}

/// A terminal in raw mode; dropping it gives the old mode back.
#[derive(Debug)]
pub struct RawMode {
    tty: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Passes every byte through: the container's terminal does the line editing.
    pub fn enter(tty: impl AsFd) -> Result<Self> {
        let tty = tty.as_fd().try_clone_to_owned().at("dup", String::new)?;
        let before = termios::tcgetattr(&tty).at("tcgetattr", String::new)?;
        let mut wanted = before.clone();
        termios::cfmakeraw(&mut wanted);
        termios::tcsetattr(&tty, SetArg::TCSADRAIN, &wanted).at("tcsetattr", || "raw")?;
        Ok(Self { tty, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that has gone.
        termios::tcsetattr(&self.tty, SetArg::TCSADRAIN, &self.before).ok();
    }
}
