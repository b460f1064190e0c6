//! `Lines`: the complete lines of a file that others append to.

use std::{fs::File, ops::Range, os::unix::fs::FileExt as _};

use super::{At as _, Result, metadata_of};

const BLOCK: usize = 64 * 1024;

/// Nobody of ours writes lines near as long; longer ones are passed over.
const LINE_MAX: usize = 1024 * 1024;

/// Lines from some place on. What follows the last newline is left for the next time: its writer may
/// go on, or take it back.
#[derive(Debug)]
pub struct Lines {
    file: File,
    /// Where the next line begins.
    at: u64,
    /// From `at` on.
    buffer: Vec<u8>,
    begin: usize,
    too_long: bool,
    passed_over: u64,
}

impl Lines {
    /// From `at` on, which must be where a line begins.
    pub fn new(file: File, at: u64) -> Self {
        Self {
            file,
            at,
            buffer: Vec::new(),
            begin: 0,
            too_long: false,
            passed_over: 0,
        }
    }

    /// Only what is written from now on; no line may be longer than 64 KiB.
    pub fn at_end(file: File) -> Result<Self> {
        let size = metadata_of(&file)?.size();
        let from = size.saturating_sub(BLOCK as u64);
        let mut tail = vec![0; usize::try_from(size - from).unwrap_or(0)];
        let length = file.read_at(&mut tail, from).at("pread", || "tail")?;
        let last = memchr::memrchr(b'\n', &tail[..length]);
        let at = from + last.map_or(0, |last| last as u64 + 1);
        Ok(Self::new(file, at))
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the next line begins.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// How many lines were too long to be read.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The next line without its newline; `None` where no complete one is there yet.
    ///
    /// A file that somebody emptied is read from its beginning.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>> {
        let line = self.advance()?;
        Ok(line.map(|line| &self.buffer[line]))
    }

    /// Whether something without newline is at the end.
    pub fn has_rest(&self) -> Result<bool> {
        Ok(metadata_of(&self.file)?.size() > self.at)
    }

    fn advance(&mut self) -> Result<Option<Range<usize>>> {
        let mut searched = self.begin;
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                let line = self.begin..searched + length;
                self.at += line.len() as u64 + 1;
                self.begin = line.end + 1;
                if !std::mem::take(&mut self.too_long) {
                    return Ok(Some(line));
                }
                self.passed_over += 1;
                searched = self.begin;
                continue;
            }
            self.buffer.drain(..self.begin);
            self.begin = 0;
            if self.buffer.len() > LINE_MAX {
                self.too_long = true;
                self.at += self.buffer.len() as u64;
                self.buffer.clear();
            }
            searched = self.buffer.len();
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let old = self.buffer.len();
        self.buffer.resize(old + BLOCK, 0);
        let read = self
            .file
            .read_at(&mut self.buffer[old..], self.at + old as u64);
        let length = read.at("pread", || "lines")?;
        if length > 0 {
            self.buffer.truncate(old + length);
            return Ok(true);
        }
        self.buffer.clear();
        if metadata_of(&self.file)?.size() < self.at {
            self.at = 0;
            self.too_long = false;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn drain(lines: &mut Lines) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(String::from_utf8(line.to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn lines_come_when_they_are_complete() {
        let mut file = tempfile::tempfile().unwrap();
        let mut lines = Lines::new(file.try_clone().unwrap(), 0);
        assert_eq!(drain(&mut lines), [""; 0]);
        file.write_all(b"one\n\ntw").unwrap();
        assert_eq!(drain(&mut lines), ["one", ""]);
        assert!(lines.has_rest().unwrap());
        file.write_all(b"o\n").unwrap();
        assert_eq!(drain(&mut lines), ["two"]);
        assert!(!lines.has_rest().unwrap());
    }

    #[test]
    fn what_is_taken_back_is_not_seen() {
        let mut file = tempfile::tempfile().unwrap();
        let mut lines = Lines::new(file.try_clone().unwrap(), 0);
        file.write_all(b"one\nwrong").unwrap();
        assert_eq!(drain(&mut lines), ["one"]);
        file.set_len(4).unwrap();
        file.write_all_at(b"right\n", 4).unwrap();
        assert_eq!(drain(&mut lines), ["right"]);
    }

    #[test]
    fn an_emptied_file_is_read_from_its_beginning() {
        let file = tempfile::tempfile().unwrap();
        let mut lines = Lines::new(file.try_clone().unwrap(), 0);
        file.write_all_at(b"one\ntwo\n", 0).unwrap();
        assert_eq!(drain(&mut lines), ["one", "two"]);
        file.set_len(0).unwrap();
        assert_eq!(drain(&mut lines), [""; 0]);
        file.write_all_at(b"new\n", 0).unwrap();
        assert_eq!(drain(&mut lines), ["new"]);
    }

    #[test]
    fn lines_without_end_do_not_fill_the_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; 5 * LINE_MAX]).unwrap();
        file.write_all(b"\nshort\n").unwrap();
        let mut lines = Lines::new(file, 0);
        assert_eq!(drain(&mut lines), ["short"]);
        assert_eq!(lines.passed_over(), 1);
        assert!(lines.buffer.capacity() < 3 * LINE_MAX);
    }

    #[test]
    fn at_the_end_only_new_lines_come() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"old\nunfinished").unwrap();
        let mut lines = Lines::at_end(file.try_clone().unwrap()).unwrap();
        file.write_all(b" and done\nnew\n").unwrap();
        assert_eq!(drain(&mut lines), ["unfinished and done", "new"]);
    }
}
