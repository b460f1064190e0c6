//! A child at work beside us, with a pipe between the two: bytes flow one way, an answer comes back.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
};

use nix::sys::signal::Signal;

use super::{
    At as _, Result,
    fork::{self, Namespaces, Side},
    process,
};

/// Which way the bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The child writes.
    FromChild,
    /// The child reads.
    ToChild,
}

/// A running child.
#[derive(Debug)]
pub struct Piped {
    data: Option<File>,
    answer: File,
    pidfd: OwnedFd,
}

impl Piped {
    /// Runs `work` in a child with namespaces of its own and gives it its end of the pipe. The
    /// child dies with us.
    ///
    /// The calling process must have one thread.
    pub fn start(
        namespaces: Namespaces,
        flow: Flow,
        work: impl FnOnce(File) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let (data_read, data_write) = process::pipe()?;
        let (answer_read, answer_write) = process::pipe()?;
        let (ours, childs) = match flow {
            Flow::FromChild => (data_read, data_write),
            Flow::ToChild => (data_write, data_read),
        };
        match fork::clone_into(namespaces)? {
            Side::Child => {
                // Or the end of the bytes would never be seen.
                drop((ours, answer_read));
                let done = process::die_with_parent().and_then(|()| work(File::from(childs)));
                let code = i32::from(done.is_err());
                let text = done.unwrap_or_else(|error| fork::pack(&error));
                let sent = File::from(answer_write).write_all(&text);
                fork::exit_now(if sent.is_ok() { code } else { 2 })
            }
            Side::Parent { pidfd, .. } => Ok(Self {
                data: Some(File::from(ours)),
                answer: File::from(answer_read),
                pidfd,
            }),
        }
    }

    /// Our end of the pipe, once. Dropping it says that no more is sent or wanted.
    pub fn take_data(&mut self) -> Option<File> {
        self.data.take()
    }

    /// Ends the child now.
    pub fn kill(&self) {
        // Gone already is fine, and nothing else can be wrong with our own child.
        process::send_signal(self.pidfd.as_fd(), Signal::SIGKILL as i32).ok();
    }

    /// Waits for the child's answer.
    ///
    /// # Errors
    ///
    /// The child's own, or EIO where it died without a word.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        drop(self.data.take());
        let mut text = Vec::new();
        self.answer
            .read_to_end(&mut text)
            .at("read", || "answer of a child")?;
        match process::wait(self.pidfd.as_fd())?.code() {
            0 => Ok(text),
            _ => Err(fork::unpack(&text)),
        }
    }
}
