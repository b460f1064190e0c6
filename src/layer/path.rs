//! `PathBytes`: a path inside a layer, as bytes, without a leading slash; printed escaped.

use std::{borrow::Borrow, ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _, path::Path};

use serde::{Deserialize, Serialize};

use super::Limits;

/// A path below a layer's root: components joined by single slashes, none of them `.` or `..`.
///
/// Names are bytes. Printed and stored as text in which everything unprintable, everything that is
/// not UTF-8 and the backslash itself is escaped (`\x1b`, `\\`), so that no name can play with a
/// terminal and none is lost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PathBytes(Vec<u8>);

/// Why a name of a tar is no path of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Empty,
    Nul,
    Escape,
    Name,
    Path,
    Depth,
}

impl PathBytes {
    /// Takes a path that is already in the form described above.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Splits a name of a tar lexically: leading slashes, empty components and `.` are dropped,
    /// `..` takes back the component before it.
    pub(super) fn parse(raw: &[u8], limits: &Limits) -> Result<Self, Fault> {
        if raw.is_empty() {
            return Err(Fault::Empty);
        }
        if raw.contains(&0) {
            return Err(Fault::Nul);
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in raw.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop().ok_or(Fault::Escape)?),
                part if part.len() > limits.name_bytes + super::whiteout::PREFIX.len() => {
                    return Err(Fault::Name);
                }
                part => parts.push(part),
            }
        }
        if parts.len() > limits.depth {
            return Err(Fault::Depth);
        }
        let path = parts.join(&b'/');
        if path.len() > limits.path_bytes {
            return Err(Fault::Path);
        }
        Ok(Self(path))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the standard library's path.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether this is the layer's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of the directory and the last component; both empty for the root.
    pub fn split(&self) -> (&[u8], &OsStr) {
        let (parent, name) = match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&self.0[..0], &self.0[..]),
        };
        (parent, OsStr::from_bytes(name))
    }

    /// The components, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &OsStr> {
        let parts = self.0.split(|byte| *byte == b'/');
        parts.filter(|part| !part.is_empty()).map(OsStr::from_bytes)
    }

    /// Every directory above, nearest first, the root included; none for the root itself.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        let slashes = self.0.iter().enumerate().rev();
        let above = slashes
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| &self.0[..at]);
        above.chain((!self.0.is_empty()).then_some(&self.0[..0]))
    }

    /// The path of `name` in this directory.
    #[must_use]
    pub fn join(&self, name: &OsStr) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        Self(path)
    }
}

impl Borrow<[u8]> for PathBytes {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0, f)
    }
}

impl fmt::Debug for PathBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn escape(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == '\\' {
                out.write_str("\\\\")?;
            } else if letter == '"' || letter == '\'' || letter.escape_debug().len() == 1 {
                out.write_char(letter)?;
            } else {
                let mut utf8 = [0; 4];
                hex(letter.encode_utf8(&mut utf8).as_bytes(), out)?;
            }
        }
        hex(chunk.invalid(), out)?;
    }
    Ok(())
}

fn hex(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(out, "\\x{byte:02x}"))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match rest {
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            _ => return None,
        }
    }
    Some(bytes)
}

impl Serialize for PathBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PathBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = unescape(&text);
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an escaped path")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[u8]) -> Result<String, Fault> {
        PathBytes::parse(raw, &Limits::default()).map(|path| path.to_string())
    }

    #[test]
    fn names_are_split_lexically_and_never_leave_the_root() {
        assert_eq!(parse(b"/a//./b/").unwrap(), "a/b");
        assert_eq!(parse(b"a/../b").unwrap(), "b");
        assert_eq!(parse(b"./").unwrap(), "");
        assert_eq!(parse(b"../x"), Err(Fault::Escape));
        assert_eq!(parse(b"a/../../x"), Err(Fault::Escape));
        assert_eq!(parse(b""), Err(Fault::Empty));
        assert_eq!(parse(b"a\0b"), Err(Fault::Nul));
        assert_eq!(parse(&[b'x'; 300]), Err(Fault::Name));
        assert_eq!(parse("d/".repeat(1500).as_bytes()).unwrap().len(), 2999);
        assert_eq!(parse("d/".repeat(3000).as_bytes()), Err(Fault::Depth));
    }

    #[test]
    fn text_form_loses_nothing_and_hides_nothing() {
        for bytes in [&b"a\xff\n\x1b[0m\\x41"[..], "\u{202e}é".as_bytes(), b""] {
            let path = PathBytes::new(bytes);
            let text = serde_json::to_string(&path).unwrap();
            assert_eq!(serde_json::from_str::<PathBytes>(&text).unwrap(), path);
            assert!(!path.to_string().contains(['\n', '\x1b', '\u{202e}']));
        }
        assert_eq!(PathBytes::new(*b"a\n").to_string(), "a\\x0a");
    }

    #[test]
    fn ancestors_end_with_the_root() {
        let path = PathBytes::new(*b"a/b/c");
        let above: Vec<_> = path.ancestors().collect();
        assert_eq!(above, [&b"a/b"[..], b"a", b""]);
        assert_eq!(PathBytes::default().ancestors().count(), 0);
    }
}
