//! Bytes as the inside of a JSON text.

/// Appends bytes as JSON; false where they are no UTF-8, and U+FFFD stands for each byte that is none.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if let Ok(text) = std::str::from_utf8(bytes) {
        escape_text(text.as_bytes(), out);
        return true;
    }
    for chunk in bytes.utf8_chunks() {
        escape_text(chunk.valid().as_bytes(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    false
}

fn escape_text(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(plain) = plain_length(text) {
        out.extend_from_slice(&text[..plain]);
        escape_byte(text[plain], out);
        text = &text[plain + 1..];
    }
    out.extend_from_slice(text);
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// How many bytes come before the first that must be escaped; `None` where none must.
fn plain_length(text: &[u8]) -> Option<usize> {
    let mut words = text.chunks_exact(8);
    for (index, word) in words.by_ref().enumerate() {
        let found = special(u64::from_le_bytes(word.try_into().ok()?));
        if found != 0 {
            return Some(index * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let done = text.len() - words.remainder().len();
    let rest = words.remainder().iter();
    let found = rest
        .clone()
        .position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\'));
    found.map(|at| done + at)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of bytes below 0x20, of quotes and of backslashes; true up to the first one.
///
/// A borrow can only spoil bytes above one that was found.
fn special(word: u64) -> u64 {
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let quotes = word ^ (ONES * u64::from(b'"'));
    let backslashes = word ^ (ONES * u64::from(b'\\'));
    (below(word, 0x20) | below(quotes, 1) | below(backslashes, 1)) & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(bytes: &[u8]) -> (String, bool) {
        let mut out = Vec::new();
        let exact = escape(bytes, &mut out);
        (String::from_utf8(out).unwrap(), exact)
    }

    #[test]
    fn a_byte_that_is_no_utf_8_becomes_one_replacement_as_dockers() {
        assert_eq!(
            escaped(b"a\xe2\x82z\xff"),
            ("a\u{fffd}\u{fffd}z\u{fffd}".to_owned(), false)
        );
        assert_eq!(
            escaped("한\u{2028}".as_bytes()),
            ("한\u{2028}".to_owned(), true)
        );
        assert_eq!(
            escaped(b"\"\\\n\r\t\x00\x1b\x7f").0,
            "\\\"\\\\\\n\\r\\t\\u0000\\u001b\u{7f}"
        );
    }

    proptest! {
        #[test]
        fn a_json_parser_gives_the_text_back(text in "[ -~\\x00-\\x1f\"\\\\한€🐄]{0,80}") {
            let (json, exact) = escaped(text.as_bytes());
            prop_assert!(exact);
            let back: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn any_bytes_make_json(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let (json, exact) = escaped(&bytes);
            let back: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            prop_assert_eq!(exact, back.as_bytes() == bytes);
        }
    }
}
