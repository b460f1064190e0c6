//! Records of a PAX extended header (pax(1), "pax Extended Header").

use std::collections::BTreeMap;

use super::{number, sparse};
use crate::sys::TimeSpec;

/// What one extended header says about the entry after it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<TimeSpec>,
    /// `SCHILY.xattr.*`, under the attributes' names.
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: sparse::Records,
    /// [`HOLES`]; `None` where it is not a list of numbers.
    pub(super) holes: Option<Vec<u64>>,
}

/// Offset and length of each hole in a file whose bytes are all stored. Ours: other readers take the
/// zeros as they are, and whoever puts the tar together again from what it unpacked gets the same one,
/// which fails with maps of any other kind.
pub(super) const HOLES: &[u8] = b"COWSHED.holes";

/// Reads `length key=value\n` until the end; the last of equal keys wins, an empty value takes the
/// key back.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Pax, &'static str> {
    let mut pax = Pax::default();
    while !bytes.is_empty() {
        let (record, rest) = split_record(bytes)?;
        let equals = record.iter().position(|byte| *byte == b'=');
        let equals = equals.ok_or("PAX record without '='")?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        if key.is_empty() || key.contains(&0) {
            return Err("PAX record with an invalid key");
        }
        pax.set(key, value)?;
        bytes = rest;
    }
    Ok(pax)
}

/// The first record without its length and line end, and what follows.
fn split_record(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let space = bytes.iter().take(21).position(|byte| *byte == b' ');
    let space = space.ok_or("PAX record without a length")?;
    let length = number::decimal(&bytes[..space]).ok_or("PAX record without a length")?;
    let length = usize::try_from(length).map_err(|_| "PAX record with a wrong length")?;
    if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
        return Err("PAX record with a wrong length");
    }
    Ok((&bytes[space + 1..length - 1], &bytes[length..]))
}

impl Pax {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            b"path" => self.path = text(value)?,
            b"linkpath" => self.linkpath = text(value)?,
            b"size" => self.size = count(value, "PAX size is not a number")?,
            b"uid" => self.uid = count(value, "PAX uid is not a number")?,
            b"gid" => self.gid = count(value, "PAX gid is not a number")?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => {
                self.mtime = Some(number::time(value).ok_or("PAX mtime is not a number")?);
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    // An attribute may be empty; GNU tar does not take it back either.
                    self.xattrs.insert(decode_keyword(name), value.to_vec());
                } else if key == HOLES {
                    let numbers = value.split(|byte| *byte == b',');
                    self.holes = numbers.map(number::decimal).collect();
                } else if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.set(name, value)?;
                }
            }
        }
        Ok(())
    }
}

/// An attribute's name as a part of a key, which ends at `=`: as GNU tar writes it.
pub(super) fn encode_keyword(name: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => encoded.extend_from_slice(b"%25"),
            b'=' => encoded.extend_from_slice(b"%3D"),
            byte => encoded.push(*byte),
        }
    }
    encoded
}

fn decode_keyword(mut text: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        let (byte, rest) = match text {
            [b'%', b'2', b'5', rest @ ..] => (b'%', rest),
            [b'%', b'3', b'D', rest @ ..] => (b'=', rest),
            _ => (*first, rest),
        };
        name.push(byte);
        text = rest;
    }
    name
}

fn text(value: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    if value.contains(&0) {
        return Err("PAX path with a NUL byte");
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

pub(super) fn count(value: &[u8], why: &'static str) -> Result<Option<u64>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    number::decimal(value).map(Some).ok_or(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c28_the_last_wins_and_c29_an_empty_value_takes_it_back() {
        let pax = parse(b"9 path=a\n9 path=b\n11 uid=123\n7 uid=\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"b"[..]));
        assert_eq!(pax.uid, None);
    }

    #[test]
    fn values_may_hold_line_ends_and_equal_signs() {
        let pax = parse(b"29 SCHILY.xattr.user.a=1\n=2\0\n").unwrap();
        assert_eq!(pax.xattrs[&b"user.a"[..]], b"1\n=2\0");
    }

    #[test]
    fn an_attributes_name_may_hold_what_ends_a_key() {
        for name in [
            &b"user.a=b"[..],
            b"user.%3D",
            b"user.100%",
            b"user.%",
            b"user.%3",
        ] {
            assert_eq!(decode_keyword(&encode_keyword(name)), name);
            assert!(!encode_keyword(name).contains(&b'='));
        }
        assert_eq!(decode_keyword(b"user.%41"), b"user.%41");
    }

    #[test]
    fn c26_c27_wrong_lengths_are_refused() {
        for bad in [
            &b"99 path=a\n"[..],
            b"8 path=a\n",
            b"path=a\n",
            b"+9 path=a\n",
            b"0 path=a\n",
            b"2 \n",
            b"99999999999999999999999 path=a\n",
            b"7 patha\n",
            b"5 =a\n",
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a24_nul_in_a_path_and_c09_times_that_are_no_numbers_are_refused() {
        assert!(parse(b"11 path=a\0b\n").is_err());
        assert!(parse(b"13 mtime=NaN\n").is_err());
        assert!(parse(b"10 uid=-1\n").is_err());
    }
}
