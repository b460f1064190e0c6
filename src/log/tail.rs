//! The last lines of a file, found from its end.

use std::{fs::File, os::unix::fs::FileExt as _};

use super::batch::MARKER_HEAD;
use crate::sys::{At as _, Result};

const BLOCK: u64 = 64 * 1024;

/// Where the last `wanted` complete lines begin, and how many there are. Lines that tell of losses
/// are no output and do not count.
pub(super) fn begin(file: &File, size: u64, wanted: u64) -> Result<(u64, u64)> {
    let mut block = vec![0; usize::try_from(BLOCK).unwrap_or(0)];
    let (mut end, mut found, mut complete) = (size, 0, None);
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        let length = usize::try_from(end - from).unwrap_or(0);
        let read = file.read_at(&mut block[..length], from);
        let read = read.at("pread", || "tail")?;
        for at in memchr::memrchr_iter(b'\n', &block[..read]) {
            let after = from + at as u64 + 1;
            if complete.is_some() && !is_marker(file, after)? {
                found += 1;
            }
            if found == wanted && complete.is_some() || wanted == 0 {
                return Ok((after, found));
            }
            complete = Some(after);
        }
        end = from;
    }
    if complete.is_some() && !is_marker(file, 0)? {
        found += 1;
    }
    Ok((0, found))
}

fn is_marker(file: &File, at: u64) -> Result<bool> {
    let mut head = [0; MARKER_HEAD.len()];
    let length = file.read_at(&mut head, at).at("pread", || "tail")?;
    Ok(&head[..length] == MARKER_HEAD.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn last(text: &str, wanted: u64) -> (String, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let (at, found) = begin(&file, text.len() as u64, wanted).unwrap();
        (text[usize::try_from(at).unwrap()..].to_owned(), found)
    }

    #[test]
    fn complete_lines_are_counted_from_the_end() {
        let text = "one\ntwo\nthree\n";
        for (wanted, rest, found) in [
            (0, "", 0),
            (1, "three\n", 1),
            (2, "two\nthree\n", 2),
            (3, text, 3),
            (9, text, 3),
        ] {
            assert_eq!(last(text, wanted), (rest.to_owned(), found), "{wanted}");
        }
        assert_eq!(last("one\ntwo\ntor", 1), ("two\ntor".to_owned(), 1));
        assert_eq!(last("torn", 1), ("torn".to_owned(), 0));
        assert_eq!(last("", 1), (String::new(), 0));
        assert_eq!(last("\n\n", 1), ("\n".to_owned(), 1));
    }

    #[test]
    fn markers_do_not_count() {
        let text = "one\n{\"log\":\"\",\"lost\":1}\ntwo\n";
        assert_eq!(last(text, 1).0, "two\n");
        assert_eq!(last(text, 2), (text.to_owned(), 2));
    }

    #[test]
    fn lines_may_be_longer_than_a_block() {
        let long = "x".repeat(150_000);
        let text = format!("one\n{long}\ntwo\n");
        assert_eq!(last(&text, 2), (format!("{long}\ntwo\n"), 2));
    }
}
