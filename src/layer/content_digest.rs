//! `ContentDigest`: what a file holds, whatever of it is a hole.
//!
//! Blocks of zeros cost nothing to hold and must cost nothing to digest: a file of one TiB may be
//! one block long. So they are left out and told apart by where they are. Which of them are holes
//! differs from file system to file system and does not count.

use serde::{Deserialize, Serialize};

use crate::ident::{Digest, Hasher};

/// Aligned pieces of this size that hold only zeros are left out.
const BLOCK: usize = 4096;

const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// The digest of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentDigest {
    /// SHA-256 of the file where `zeros` is 0, and `sha256sum` says the same. Otherwise of the
    /// blocks that are not zeros and after them the hexadecimal SHA-256 of the places of those
    /// that are: of each run offset and length, eight bytes each, little end first.
    #[serde(with = "hex")]
    pub sha256: Digest,
    /// Bytes in aligned blocks of 4096 bytes, the last one shorter, that hold only zeros.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zeros: u64,
}

/// As sha256sum(1) writes it.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::ident::Digest;

    /// Writes the digits.
    pub(super) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.hex())
    }

    /// Reads them.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text).map_err(D::Error::custom)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Computes a [`ContentDigest`] piece by piece.
#[derive(Debug, Default)]
pub(super) struct ContentHasher {
    hasher: Hasher,
    /// The beginning of a block.
    carry: Vec<u8>,
    /// Where the next block begins.
    offset: u64,
    zeros: u64,
    /// The run of zeros that is not at its end yet: offset and length.
    run: (u64, u64),
    runs: Option<Hasher>,
}

impl ContentHasher {
    /// The next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        if !self.carry.is_empty() {
            let count = bytes.len().min(BLOCK - self.carry.len());
            self.carry.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.carry.len() < BLOCK {
                return;
            }
            self.flush_carry();
        }
        let whole = bytes.len() - bytes.len() % BLOCK;
        let mut data = 0;
        for start in (0..whole).step_by(BLOCK) {
            if bytes[start..start + BLOCK] == ZEROS {
                self.data(&bytes[data..start]);
                self.zeros(BLOCK as u64);
                data = start + BLOCK;
            }
        }
        self.data(&bytes[data..whole]);
        self.carry.extend_from_slice(&bytes[whole..]);
    }

    /// The next `length` bytes are zeros.
    pub(super) fn hole(&mut self, mut length: u64) {
        if !self.carry.is_empty() {
            let room = BLOCK - self.carry.len();
            let count = usize::try_from(length).map_or(room, |length| length.min(room));
            self.carry.resize(self.carry.len() + count, 0);
            length -= count as u64;
            if self.carry.len() == BLOCK {
                self.flush_carry();
            }
        }
        let rest = length % BLOCK as u64;
        self.zeros(length - rest);
        self.carry
            .resize(self.carry.len() + usize::try_from(rest).unwrap_or(0), 0);
    }

    /// The digest of everything fed.
    pub(super) fn finish(mut self) -> ContentDigest {
        self.flush_carry();
        self.end_run();
        if let Some(runs) = self.runs.take() {
            self.hasher.update(runs.finish().hex().as_bytes());
        }
        ContentDigest {
            sha256: self.hasher.finish(),
            zeros: self.zeros,
        }
    }

    fn flush_carry(&mut self) {
        let carry = std::mem::take(&mut self.carry);
        if carry == ZEROS[..carry.len()] {
            self.zeros(carry.len() as u64);
        } else {
            self.data(&carry);
        }
        self.carry = carry;
        self.carry.clear();
    }

    fn data(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.hasher.update(bytes);
            self.offset += bytes.len() as u64;
        }
    }

    fn zeros(&mut self, length: u64) {
        if length == 0 {
            return;
        }
        if self.run.0 + self.run.1 != self.offset {
            self.end_run();
            self.run.0 = self.offset;
        }
        self.run.1 += length;
        self.zeros += length;
        self.offset += length;
    }

    fn end_run(&mut self) {
        if self.run.1 > 0 {
            let runs = self.runs.get_or_insert_default();
            runs.update(&self.run.0.to_le_bytes());
            runs.update(&self.run.1.to_le_bytes());
            self.run = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(pieces: &[&[u8]]) -> ContentDigest {
        let mut hasher = ContentHasher::default();
        for piece in pieces {
            hasher.feed(piece);
        }
        hasher.finish()
    }

    #[test]
    fn without_zero_blocks_it_is_what_sha256sum_says() {
        let bytes = [7; 10_000];
        let whole = digest(&[&bytes]);
        assert_eq!((whole.sha256, whole.zeros), (Digest::of(&bytes), 0));
        assert_eq!(digest(&[b""]).sha256, Digest::of(b""));
        assert_eq!(digest(&[b"\0a"]).sha256, Digest::of(b"\0a"));
    }

    #[test]
    fn how_the_bytes_are_cut_does_not_matter() {
        let mut bytes = vec![1; 4096 * 3 + 100];
        bytes[4096..8192].fill(0);
        let whole = digest(&[&bytes]);
        assert_eq!(whole.zeros, 4096);
        for at in [1, 511, 4095, 4096, 5000, 8192, 12_300] {
            assert_eq!(digest(&[&bytes[..at], &bytes[at..]]), whole, "{at}");
        }
    }

    #[test]
    fn a_hole_is_as_good_as_zeros_and_its_place_counts() {
        for (before, hole, after) in [(10, 20_000, 10), (4096, 4096, 0), (0, 5000, 1), (1, 1, 1)] {
            let (head, tail) = (vec![1; before], vec![2; after]);
            let mut holed = ContentHasher::default();
            holed.feed(&head);
            holed.hole(hole as u64);
            holed.feed(&tail);
            let zeros = vec![0; hole];
            assert_eq!(holed.finish(), digest(&[&head, &zeros, &tail]), "{hole}");
        }
        let (zeros, ones) = ([0; 4096], [1; 4096]);
        assert_ne!(digest(&[&zeros, &ones]), digest(&[&ones, &zeros]));
        assert_ne!(digest(&[&zeros]), digest(&[&zeros, &zeros]));
    }

    #[test]
    fn a_hole_of_an_exbibyte_takes_no_time() {
        let mut hasher = ContentHasher::default();
        hasher.hole(1 << 60);
        assert_eq!(hasher.finish().zeros, 1 << 60);
    }
}
