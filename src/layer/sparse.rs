//! Sparse files in their four tar forms: old GNU, and GNU.sparse 0.0, 0.1 and 1.0 in PAX records.

use tar::GnuSparseHeader;

use super::{number, pax};

/// Where the stored bytes of a file belong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SparseMap {
    /// The file's logical size.
    pub(super) size: u64,
    /// Offset and length of each stored part, ascending.
    pub(super) parts: Vec<(u64, u64)>,
    /// What is between the parts is stored, too, and is zeros.
    pub(super) is_full: bool,
}

impl SparseMap {
    /// Parts in order, inside the file, and as many bytes as are `stored`.
    pub(super) fn check(&self, stored: u64) -> Result<(), &'static str> {
        let (mut end, mut sum) = (0_u64, 0_u64);
        for (offset, length) in &self.parts {
            if *offset < end {
                return Err("sparse map with overlapping parts");
            }
            end = offset
                .checked_add(*length)
                .ok_or("sparse map with a part past the end")?;
            sum = sum
                .checked_add(*length)
                .ok_or("sparse map with a part past the end")?;
        }
        if end > self.size || i64::try_from(self.size).is_err() {
            return Err("sparse map with a part past the end");
        }
        if sum != stored {
            return Err("sparse map that does not fit the data");
        }
        Ok(())
    }

    /// The map of a file that is stored whole. `None` where the holes are not in order inside it: they
    /// are only told so that the file takes as little room as where it comes from.
    pub(super) fn full(size: u64, holes: &[u64]) -> Option<Self> {
        let (mut parts, mut end) = (Vec::new(), 0_u64);
        for hole in holes.chunks(2) {
            let [offset, length] = *hole else { return None };
            parts.push((end, offset.checked_sub(end)?));
            end = offset.checked_add(length)?;
        }
        parts.push((end, size.checked_sub(end)?));
        Some(Self {
            size,
            parts,
            is_full: true,
        })
    }

    /// Adds the parts of an old GNU header or extension block; they end at the first empty one.
    pub(super) fn add_old(&mut self, headers: &[GnuSparseHeader]) -> Result<(), &'static str> {
        for header in headers.iter().filter(|header| header.offset[0] != 0) {
            let value = |bytes| number::field(bytes).and_then(|value| u64::try_from(value).ok());
            let offset = value(&header.offset).ok_or("sparse map that is not of numbers")?;
            let length = value(&header.numbytes).ok_or("sparse map that is not of numbers")?;
            self.parts.push((offset, length));
        }
        Ok(())
    }
}

/// How the records say that a file is sparse.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all.
    Plain,
    /// The map was in the records (0.0 and 0.1).
    Records(SparseMap),
    /// The map stands before the data (1.0); this is the logical size.
    Leading(u64),
}

/// The `GNU.sparse.*` records.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Records {
    pub(super) name: Option<Vec<u8>>,
    major: Option<u64>,
    minor: Option<u64>,
    size: Option<u64>,
    parts: Vec<u64>,
    count: Option<u64>,
}

impl Records {
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let bad = "sparse record that is not a number";
        let part = || number::decimal(value).ok_or(bad);
        match key {
            b"name" if value.contains(&0) => return Err("PAX path with a NUL byte"),
            b"name" => self.name = (!value.is_empty()).then(|| value.to_vec()),
            b"major" => self.major = pax::count(value, bad)?,
            b"minor" => self.minor = pax::count(value, bad)?,
            b"size" | b"realsize" => self.size = pax::count(value, bad)?,
            b"numblocks" => self.count = pax::count(value, bad)?,
            b"offset" if self.parts.len().is_multiple_of(2) => self.parts.push(part()?),
            b"numbytes" if !self.parts.len().is_multiple_of(2) => self.parts.push(part()?),
            b"offset" | b"numbytes" => return Err("sparse records out of order"),
            b"map" => {
                let numbers = value.split(|byte| *byte == b',').map(number::decimal);
                self.parts = numbers.collect::<Option<_>>().ok_or(bad)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn form(&self) -> Result<Form, &'static str> {
        match (self.major, self.minor) {
            (Some(1), Some(0)) => {
                let size = self.size.ok_or("sparse file without a size")?;
                return Ok(Form::Leading(size));
            }
            (None | Some(0), None | Some(0 | 1)) => {}
            _ => return Err("sparse file of an unknown version"),
        }
        if self.parts.is_empty() && self.count.is_none_or(|count| count != 0) {
            return Ok(Form::Plain);
        }
        let size = self.size.ok_or("sparse file without a size")?;
        if !self.parts.len().is_multiple_of(2)
            || self
                .count
                .is_some_and(|count| count != self.parts.len() as u64 / 2)
        {
            return Err("sparse map with a wrong number of parts");
        }
        let parts = self.parts.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        Ok(Form::Records(SparseMap {
            size,
            parts: parts.collect(),
            is_full: false,
        }))
    }
}

/// The leading map of version 1.0, filled up to a block.
pub(super) fn leading_text(parts: &[(u64, u64)]) -> Vec<u8> {
    let mut map = format!("{}\n", parts.len()).into_bytes();
    for (offset, length) in parts {
        map.extend_from_slice(format!("{offset}\n{length}\n").as_bytes());
    }
    map.resize(map.len().next_multiple_of(512), 0);
    map
}

/// Reads the leading map of version 1.0 line by line; the parts are counted by the first.
#[derive(Debug, Default)]
pub(super) struct LeadingMap {
    line: Vec<u8>,
    count: Option<u64>,
    numbers: Vec<u64>,
}

impl LeadingMap {
    /// Takes one block; `true` once the map is complete.
    pub(super) fn feed(&mut self, block: &[u8]) -> Result<bool, &'static str> {
        for byte in block {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > 20 {
                    return Err("sparse map that is not of numbers");
                }
                continue;
            }
            let number = number::decimal(&self.line).ok_or("sparse map that is not of numbers")?;
            self.line.clear();
            match self.count {
                None => self.count = Some(number),
                Some(_) => self.numbers.push(number),
            }
            if self.is_complete() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_complete(&self) -> bool {
        let wanted = self.count.and_then(|count| count.checked_mul(2));
        wanted == Some(self.numbers.len() as u64)
    }

    pub(super) fn finish(self, size: u64) -> SparseMap {
        let parts = self.numbers.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        SparseMap {
            size,
            parts: parts.collect(),
            is_full: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(size: u64, parts: &[(u64, u64)]) -> SparseMap {
        SparseMap {
            size,
            parts: parts.to_vec(),
            is_full: false,
        }
    }

    #[test]
    fn holes_of_a_whole_file_are_a_hint() {
        let parts = |holes: &[u64]| SparseMap::full(10, holes).map(|map| map.parts);
        assert_eq!(parts(&[0, 4]).unwrap(), [(0, 0), (4, 6)]);
        assert_eq!(parts(&[2, 3, 7, 3]).unwrap(), [(0, 2), (5, 2), (10, 0)]);
        for bad in [&[1][..], &[5, 6], &[5, 2, 4, 1], &[u64::MAX, 2], &[11, 0]] {
            assert_eq!(parts(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn maps_must_be_in_order_inside_and_complete() {
        map(10, &[(0, 2), (5, 5)]).check(7).unwrap();
        map(10, &[(10, 0)]).check(0).unwrap();
        assert!(map(10, &[(0, 6), (5, 1)]).check(7).is_err());
        assert!(map(10, &[(5, 6)]).check(6).is_err());
        assert!(map(10, &[(u64::MAX, 2)]).check(2).is_err());
        assert!(map(10, &[(0, 2)]).check(3).is_err());
        assert!(map(1 << 63, &[]).check(0).is_err());
    }

    #[test]
    fn records_of_0_0_and_0_1_give_the_same_map() {
        let mut old = Records::default();
        for (key, value) in [
            ("size", "9"),
            ("numblocks", "1"),
            ("offset", "3"),
            ("numbytes", "4"),
        ] {
            old.set(key.as_bytes(), value.as_bytes()).unwrap();
        }
        let mut new = Records::default();
        new.set(b"size", b"9").unwrap();
        new.set(b"map", b"3,4").unwrap();
        assert_eq!(old.form().unwrap(), Form::Records(map(9, &[(3, 4)])));
        assert_eq!(new.form().unwrap(), old.form().unwrap());
        assert!(old.set(b"numbytes", b"4").is_err());
    }

    #[test]
    fn c16_a_leading_map_may_be_split_anywhere() {
        let mut leading = LeadingMap::default();
        assert!(!leading.feed(b"1\n1").unwrap());
        assert!(leading.feed(b"0\n5\n\0\0").unwrap());
        assert_eq!(leading.finish(20), map(20, &[(10, 5)]));
        assert!(LeadingMap::default().feed(b"x\n").is_err());
        assert!(LeadingMap::default().feed(&[b'1'; 30]).is_err());
    }
}
