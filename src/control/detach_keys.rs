//! `DetachKeys`: the keys that leave a container without ending it; pure.

use super::Error;

/// A sequence of keys, `ctrl-p,ctrl-q` unless asked otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    /// How many of them were typed just now; held back until it is clear what they mean.
    typed: usize,
}

impl Default for DetachKeys {
    fn default() -> Self {
        Self {
            keys: vec![16, 17],
            typed: 0,
        }
    }
}

impl std::str::FromStr for DetachKeys {
    type Err = Error;

    /// A list of single letters and `ctrl-x` with x one of `a-z @ [ \ ] ^ _`, separated by commas;
    /// an empty text means the default, as in Docker.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bad = || Error::DetachKeys {
            text: text.to_owned(),
        };
        let keys = text.split(',').map(|key| byte_of(key).ok_or_else(bad));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            typed: 0,
        })
    }
}

fn byte_of(key: &str) -> Option<u8> {
    let (control, letter) = match key.strip_prefix("ctrl-") {
        Some(letter) => (true, letter),
        None => (false, key),
    };
    match (control, letter.as_bytes()) {
        (false, [byte]) if byte.is_ascii() => Some(*byte),
        (true, [byte @ b'a'..=b'z']) => Some(byte - b'a' + 1),
        (true, [byte @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]) => Some(byte - b'@'),
        _ => None,
    }
}

impl DetachKeys {
    /// Passes typed bytes on to `out`, without those that are or may become the sequence; `true`
    /// when it is complete. What was typed after it is dropped.
    pub(super) fn filter(&mut self, typed: &[u8], out: &mut Vec<u8>) -> bool {
        for &byte in typed {
            if byte != self.keys[self.typed] {
                out.extend_from_slice(&self.keys[..self.typed]);
                self.typed = 0;
            }
            if byte != self.keys[self.typed] {
                out.push(byte);
                continue;
            }
            self.typed += 1;
            if self.typed == self.keys.len() {
                self.typed = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys: DetachKeys = keys.parse().unwrap();
        let mut out = Vec::new();
        let found = pieces.iter().any(|piece| keys.filter(piece, &mut out));
        (out, found)
    }

    #[test]
    fn the_sequence_leaves_and_is_not_passed_on() {
        assert_eq!(typed("", &[b"ls\r\x10\x11x"]), (b"ls\r".to_vec(), true));
        assert_eq!(typed("", &[b"\x10", b"\x11"]), (Vec::new(), true));
        assert_eq!(typed("a", &[b"ba"]), (b"b".to_vec(), true));
    }

    #[test]
    fn a_beginning_that_leads_nowhere_is_passed_on() {
        assert_eq!(typed("", &[b"\x10x"]), (b"\x10x".to_vec(), false));
        assert_eq!(typed("", &[b"\x10\x10\x11"]), (b"\x10".to_vec(), true));
        assert_eq!(typed("ctrl-p", &[b"xyz"]), (b"xyz".to_vec(), false));
    }

    #[test]
    fn keys_are_parsed_as_docker_writes_them() {
        for good in ["ctrl-a", "a,b", "ctrl-@", "ctrl-\\,x", "ctrl-[", "ctrl-_"] {
            assert!(good.parse::<DetachKeys>().is_ok(), "{good}");
        }
        for bad in ["ctrl-", "ctrl-A", "shift-a", "ctrl-1", ",", "ab", "한"] {
            let error = bad.parse::<DetachKeys>().unwrap_err().to_string();
            assert_eq!(error, format!("invalid detach keys ({bad}) provided"));
        }
    }
}
