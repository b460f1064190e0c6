//! `Batch`: lines that are written with one call.

use super::{Stream, base64, escape::escape};
use crate::ident::Timestamp;

/// What the lines of a chunk have in common.
#[derive(Debug)]
pub(super) struct Stamp {
    time: String,
    /// From the end of the text to the end of the time.
    tail: Vec<u8>,
}

impl Stamp {
    pub(super) fn new(stream: Stream, now: Timestamp) -> Self {
        let time = now.fixed();
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let tail = format!("\",\"stream\":\"{name}\",\"time\":\"{time}\"");
        Self {
            time,
            tail: tail.into_bytes(),
        }
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// The first line tells of what was lost before.
    pub marked: bool,
}

#[derive(Debug)]
struct Line {
    end: usize,
    /// Bytes of the container's that it holds.
    payload: usize,
}

impl Batch {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Ends whatever stands without newline before this batch.
    pub(super) fn begin_anew(&mut self) {
        self.text.push(b'\n');
        let end = self.text.len();
        self.lines.push(Line { end, payload: 0 });
    }

    /// A line of output; `number` is its file's, for the first line of a file.
    pub(super) fn push(&mut self, bytes: &[u8], stamp: &Stamp, number: Option<u64>) {
        self.text.extend_from_slice(b"{\"log\":\"");
        let exact = escape(bytes, &mut self.text);
        self.text.extend_from_slice(&stamp.tail);
        if !exact {
            self.text.extend_from_slice(b",\"raw\":\"");
            base64::encode(bytes, &mut self.text);
            self.text.push(b'"');
        }
        self.finish(bytes.len(), number);
    }

    /// A line that says how much was lost before it and why.
    pub(super) fn push_marker(
        &mut self,
        (lost, cause): (u64, &str),
        stamp: &Stamp,
        number: Option<u64>,
    ) {
        let time = &stamp.time;
        let head = format!(
            "{MARKER_HEAD}\"stream\":\"stderr\",\"time\":\"{time}\",\"lost\":{lost},\"cause\":\""
        );
        self.text.extend_from_slice(head.as_bytes());
        escape(cause.as_bytes(), &mut self.text);
        self.text.push(b'"');
        self.finish(0, number);
        self.marked = true;
    }

    fn finish(&mut self, payload: usize, number: Option<u64>) {
        if let Some(number) = number {
            let key = format!(",\"file\":{number}");
            self.text.extend_from_slice(key.as_bytes());
        }
        self.text.extend_from_slice(b"}\n");
        let end = self.text.len();
        self.lines.push(Line { end, payload });
    }

    /// Of so many bytes: how many are whole lines, whether there is one, and how much of the
    /// container's is in the others.
    pub(super) fn split(&self, written: usize) -> (usize, bool, u64) {
        let whole = self.lines.partition_point(|line| line.end <= written);
        let kept = self.lines[..whole].last().map_or(0, |line| line.end);
        let lost: usize = self.lines[whole..].iter().map(|line| line.payload).sum();
        (kept, whole > 0, lost as u64)
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.marked = false;
    }
}

/// How a marker begins, and no other line: output is never empty.
pub(super) const MARKER_HEAD: &str = "{\"log\":\"\",";
