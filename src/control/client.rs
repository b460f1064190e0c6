//! `Client`: somebody at the other end of a link, on the supervisor's side.

use std::{
    collections::VecDeque,
    os::fd::{AsFd as _, BorrowedFd},
};

use serde::Serialize;

use super::{
    link::Link,
    protocol::{self, Attach, Reply},
};
use crate::log::Stream;

/// What a client waits to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Nothing,
    Start,
    End,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: u64,
    pub(super) link: Link,
    pub(super) attached: Attach,
    pub(super) awaits: Awaits,
    /// What it has not taken yet.
    queue: VecDeque<Vec<u8>>,
    /// It goes when it has taken everything.
    leaving: bool,
    gone: bool,
}

impl Client {
    pub(super) fn new(id: u64, link: Link) -> Self {
        Self {
            id,
            link,
            attached: Attach::default(),
            awaits: Awaits::Nothing,
            queue: VecDeque::new(),
            leaving: false,
            gone: false,
        }
    }

    /// Whether it is waited for before the program's outputs are read on.
    pub(super) fn is_behind(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone || self.leaving && self.queue.is_empty()
    }

    pub(super) fn wants_writing(&self) -> Option<BorrowedFd<'_>> {
        self.is_behind().then(|| self.link.as_fd())
    }

    pub(super) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let wanted = match stream {
            Stream::Stdout => self.attached.stdout,
            Stream::Stderr => self.attached.stderr,
        };
        if wanted {
            self.send([&protocol::output_tag(stream), bytes]);
        }
    }

    pub(super) fn reply(&mut self, reply: &impl Serialize) {
        self.send([&protocol::message(reply), &[]]);
    }

    /// Says the last thing it is told.
    pub(super) fn dismiss(&mut self, reply: &Reply) {
        self.reply(reply);
        self.leaving = true;
    }

    fn send(&mut self, parts: [&[u8]; 2]) {
        if self.gone || self.leaving {
            return;
        }
        let sent = self.queue.is_empty() && self.try_send(parts);
        if !sent && !self.gone {
            self.queue.push_back(parts.concat());
        }
    }

    fn try_send(&mut self, parts: [&[u8]; 2]) -> bool {
        self.link.try_send(parts).unwrap_or_else(|_| {
            self.gone = true;
            self.queue.clear();
            false
        })
    }

    /// Sends what it takes by now.
    pub(super) fn flush(&mut self) {
        while let Some(packet) = self.queue.pop_front() {
            if !self.try_send([&packet, &[]]) {
                if !self.gone {
                    self.queue.push_front(packet);
                }
                return;
            }
        }
    }

    /// It owns nothing any more: that its link hangs up next is no accident.
    pub(super) fn leave(&mut self) {
        self.attached = Attach::default();
        self.gone = true;
        self.queue.clear();
    }
}
