//! Work that may hang, such as a look at a dead server's files: done by a child, for so long.
//!
//! A child that hangs in the kernel beyond the reach of SIGKILL is left behind; it ends when the
//! kernel lets it go, and whoever reaps it then is not us.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::PathBuf,
    time::Duration,
};

use nix::{errno::Errno, sys::memfd};

use super::{
    At as _, Result, SysError,
    fork::{self, Namespaces, Side},
    process::{self, Ended},
};

/// How much of what a program says is kept, in bytes.
const SAID_MAX: u64 = 4096;

/// After SIGKILL.
const LAST_PATIENCE: Duration = Duration::from_millis(200);

/// What becomes of a child that has not answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// It is killed, and dies with us.
    Killed,
    /// It goes on alone: half of its work would be worse than none.
    LeftAlone,
}

/// Runs `work` in a child; `None` where it has not answered in time.
///
/// The child has the descriptors of `kept` and no other: one that hangs for ever must not keep a
/// lock of ours, or the end of a pipe. `work` may own none. The calling process must have one
/// thread. An answer must fit into a pipe: 64 KiB.
pub fn run_within(
    (patience, late): (Duration, Late),
    kept: &[BorrowedFd<'_>],
    work: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    let (read, write) = process::pipe()?;
    match fork::clone_into(Namespaces::NONE)? {
        Side::Child => {
            drop(read);
            let kept = [kept, &[write.as_fd()]].concat();
            let done = process::close_all_but(&kept)
                .and_then(|()| begin_child(late))
                .and_then(|()| work());
            let code = i32::from(done.is_err());
            let text = done.unwrap_or_else(|error| fork::pack(&error));
            let sent = File::from(write).write_all(&text);
            fork::exit_now(if sent.is_ok() { code } else { 2 })
        }
        Side::Parent { pid, pidfd } => {
            drop(write);
            let pid = (late == Late::Killed).then_some(pid);
            let Some(ended) = await_end(pid, &pidfd, patience)? else {
                return Ok(None);
            };
            let mut text = Vec::new();
            let answer = File::from(read).read_to_end(&mut text);
            answer.at("read", || "answer of a child")?;
            match ended.code() {
                0 => Ok(Some(text)),
                _ => Err(fork::unpack(&text)),
            }
        }
    }
}

/// A program to run for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// All of them: the first is the name it is called by.
    pub args: Vec<OsString>,
    /// What it reads.
    pub input: Vec<u8>,
}

/// How a program ended, and the beginning of what it said on both its outputs.
pub type Said = (Ended, String);

/// Runs a program; `None` where it has not ended in time, and is killed then with all that it has
/// started in its session. A daemon that it leaves behind lives on.
pub fn run_program_within(patience: Duration, program: &Program) -> Result<Option<Said>> {
    let flags = memfd::MFdFlags::MFD_CLOEXEC;
    let memory = |name: &'static str| {
        let made = memfd::memfd_create(name, flags);
        made.map(File::from).at("memfd_create", || name)
    };
    let (mut input, mut output) = (memory("input")?, memory("output")?);
    input
        .write_all(&program.input)
        .and_then(|()| input.rewind())
        .at("write", || "input of a program")?;
    match fork::clone_into(Namespaces::NONE)? {
        Side::Child => {
            let code = match begin(program, [&input, &output]) {
                Err(error) if error.errno() == Some(Errno::ENOENT) => 127,
                _ => 126,
            };
            fork::exit_now(code)
        }
        Side::Parent { pid, pidfd } => {
            let Some(ended) = await_end(Some(pid), &pidfd, patience)? else {
                return Ok(None);
            };
            let mut said = Vec::new();
            output
                .rewind()
                .and_then(|()| output.take(SAID_MAX).read_to_end(&mut said))
                .at("read", || "output of a program")?;
            Ok(Some((ended, String::from_utf8_lossy(&said).into_owned())))
        }
    }
}

fn begin(program: &Program, [input, output]: [&File; 2]) -> Result<std::convert::Infallible> {
    begin_child(Late::Killed)?;
    process::reset_signals()?;
    process::set_standard_streams([input.as_fd(), output.as_fd(), output.as_fd()])?;
    process::close_others_on_exec()?;
    let c_string = |text: &[u8]| {
        CString::new(text).map_err(|_| SysError::new("execve", "a text with NUL", Errno::EINVAL))
    };
    let path = c_string(program.path.as_os_str().as_bytes())?;
    let args = program.args.iter().map(|arg| c_string(arg.as_bytes()));
    let env = std::env::vars_os().map(|(key, value)| {
        let pair = [key.into_vec(), b"=".to_vec(), value.into_vec()].concat();
        c_string(&pair)
    });
    let (args, env) = (
        args.collect::<Result<Vec<_>>>()?,
        env.collect::<Result<_>>(),
    );
    process::exec(&path, &args, &env.unwrap_or_else(|_| Vec::new()))
}

/// A session of its own, to be killed as a whole; nothing without the one who asked for it.
fn begin_child(late: Late) -> Result<()> {
    process::new_session()?;
    match late {
        Late::Killed => process::die_with_parent(),
        Late::LeftAlone => Ok(()),
    }
}

/// `pid` is killed when it is late.
fn await_end(pid: Option<i32>, pidfd: &OwnedFd, patience: Duration) -> Result<Option<Ended>> {
    if process::await_gone(pidfd.as_fd(), patience)? {
        return process::wait(pidfd.as_fd()).map(Some);
    }
    let Some(pid) = pid else { return Ok(None) };
    process::kill_group(pid);
    // Only so as to leave no zombie: a child stuck in the kernel is not waited for.
    if process::await_gone(pidfd.as_fd(), LAST_PATIENCE)? {
        process::wait(pidfd.as_fd())?;
    }
    Ok(None)
}
