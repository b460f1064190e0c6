//! Tar framing: from a byte stream to headers with their extensions, and to file data.
//!
//! ustar, GNU and PAX. Where readers of tar disagree about a size the archive is refused or the PAX
//! size wins and belongs to the next *file* entry (CVE-2025-62518, GHSA-3cv2-h65g-fgmm).

use std::io::BufRead;

use tar::{GnuExtSparseHeader, Header};

use super::{
    Error, Limits, PathBytes, number,
    pax::{self, Pax},
    sparse::{Form, LeadingMap, SparseMap},
};

const BLOCK: usize = 512;

/// One entry as the archive gives it; its data follows in [`Frames`].
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: Header,
    /// The type flag.
    pub(super) flag: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) pax: Pax,
    /// Bytes of data that follow, the map of a sparse file not counted.
    pub(super) size: u64,
    pub(super) sparse: Option<SparseMap>,
}

/// Reads an archive entry by entry.
#[derive(Debug)]
pub(super) struct Frames<'a, R> {
    input: R,
    limits: &'a Limits,
    /// Bytes of the archive that were read.
    offset: u64,
    /// Of the current entry: data not read yet, and the filling up to a whole block after it.
    left: u64,
    padding: u64,
    /// The current entry, for messages.
    current: PathBytes,
}

/// What was said about the next entry.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<'a, R: BufRead> Frames<'a, R> {
    pub(super) fn new(input: R, limits: &'a Limits) -> Self {
        Self {
            input,
            limits,
            offset: 0,
            left: 0,
            padding: 0,
            current: PathBytes::default(),
        }
    }

    /// Bytes of the archive that were read: where the current entry's data begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next entry; what is left of the current one is skipped. `None` at the archive's end.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Error> {
        self.skip_rest()?;
        let mut ahead = Ahead::default();
        loop {
            self.current = PathBytes::new(format!("header at byte {}", self.offset));
            let Some(header) = self.header()? else {
                return match ahead {
                    Ahead {
                        name: None,
                        link: None,
                        pax: None,
                    } => Ok(None),
                    Ahead { .. } => Err(self.malformed("extended header without an entry")),
                };
            };
            let size = self.header_size(&header)?;
            match header.entry_type().as_byte() {
                b'L' => ahead.name = Some(self.long_text(size)?),
                b'K' => ahead.link = Some(self.long_text(size)?),
                b'x' => {
                    let records = self.extension(size)?;
                    ahead.pax = Some(pax::parse(&records).map_err(|why| self.malformed(why))?);
                }
                b'g' => self.skip(size)?,
                b'V' => {
                    ahead = Ahead::default();
                    self.skip(size)?;
                }
                _ => return self.entry(header, ahead, size).map(Some),
            }
        }
    }

    /// The next bytes of the current entry's data; empty at its end.
    pub(super) fn data(&mut self) -> Result<&[u8], Error> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = self
            .input
            .fill_buf()
            .map_err(|source| Error::Stream { source })?;
        if bytes.is_empty() {
            return Err(Error::Truncated {
                entry: self.current.clone(),
            });
        }
        Ok(&bytes[..bytes.len().min(most)])
    }

    /// Marks bytes given by [`Frames::data`] as read.
    pub(super) fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.left -= count as u64;
        self.offset += count as u64;
    }

    fn entry(&mut self, header: Header, ahead: Ahead, size: u64) -> Result<Frame, Error> {
        let flag = header.entry_type().as_byte();
        let pax = ahead.pax.unwrap_or_default();
        if ahead.name.is_some() && pax.path.is_some()
            || ahead.link.is_some() && pax.linkpath.is_some()
        {
            return Err(self.malformed("a GNU and a PAX name for one entry"));
        }
        let in_pax = pax.sparse.name.clone().or_else(|| pax.path.clone());
        let name = in_pax.or(ahead.name);
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let header_link = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
        let link = pax.linkpath.clone().or(ahead.link).or_else(header_link);
        self.current = PathBytes::new(name.clone());
        let size = match flag {
            // Links, devices and directories have no data, whatever the header's size says.
            b'1'..=b'6' if pax.size.is_some_and(|size| size != 0) => {
                return Err(self.malformed("PAX size of an entry without data"));
            }
            b'1'..=b'6' => 0,
            _ => pax.size.unwrap_or(size),
        };
        if i64::try_from(size).is_err() {
            return Err(self.malformed("size out of range"));
        }
        let mut frame = Frame {
            header,
            flag,
            name,
            link: link.unwrap_or_default(),
            pax,
            size,
            sparse: None,
        };
        self.sparse(&mut frame)?;
        Ok(frame)
    }

    /// Reads the sparse map, if any, and sets up the reading of the data after it.
    fn sparse(&mut self, frame: &mut Frame) -> Result<(), Error> {
        let map = if frame.flag == b'S' {
            Some(self.old_map(&frame.header)?)
        } else {
            match frame.pax.sparse.form().map_err(|why| self.malformed(why))? {
                Form::Plain => None,
                Form::Records(map) => Some(map),
                Form::Leading(size) => {
                    self.begin(frame.size);
                    let map = self.leading_map(size)?;
                    frame.size = self.left;
                    Some(map)
                }
            }
        };
        if self.left == 0 {
            self.begin(frame.size);
        }
        let Some(map) = map else {
            return Ok(());
        };
        if !matches!(frame.flag, b'0' | 0 | b'7' | b'S') {
            return Err(self.malformed("sparse map of an entry without data"));
        }
        map.check(frame.size).map_err(|why| self.malformed(why))?;
        frame.sparse = Some(map);
        Ok(())
    }

    fn old_map(&mut self, header: &Header) -> Result<SparseMap, Error> {
        let Some(gnu) = header.as_gnu() else {
            return Err(self.malformed("sparse file without a GNU header"));
        };
        let size = number::field(&gnu.realsize).and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| self.malformed("size is not a number"))?;
        let mut map = SparseMap {
            size,
            parts: Vec::new(),
            is_full: false,
        };
        map.add_old(&gnu.sparse)
            .map_err(|why| self.malformed(why))?;
        let mut more = gnu.isextended[0] != 0;
        let mut read = 0;
        while more {
            read += BLOCK as u64;
            self.within(read, self.limits.pax_bytes, "bytes of a sparse map")?;
            let mut block = GnuExtSparseHeader::new();
            *block.as_mut_bytes() = self.block()?.ok_or_else(|| self.truncated())?;
            map.add_old(block.sparse())
                .map_err(|why| self.malformed(why))?;
            more = block.isextended[0] != 0;
        }
        Ok(map)
    }

    fn leading_map(&mut self, size: u64) -> Result<SparseMap, Error> {
        let mut map = LeadingMap::default();
        let mut read = 0;
        loop {
            if self.left < BLOCK as u64 {
                return Err(self.malformed("sparse map that does not fit the data"));
            }
            read += BLOCK as u64;
            self.within(read, self.limits.pax_bytes, "bytes of a sparse map")?;
            let block = self.block()?.ok_or_else(|| self.truncated())?;
            self.left -= BLOCK as u64;
            if map.feed(&block).map_err(|why| self.malformed(why))? {
                return Ok(map.finish(size));
            }
        }
    }

    /// The next header; `None` at the end marker or at the end of the stream.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block == [0; BLOCK] {
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => {
                    Err(self.malformed("a zero block between entries"))
                }
                _ => Ok(None),
            };
        }
        let mut header = Header::new_old();
        *header.as_mut_bytes() = block;
        let stored = number::field(&header.as_old().cksum);
        // Some old writers summed signed bytes.
        let sums = [
            checksum(&block, i128::from),
            checksum(&block, |byte| byte.cast_signed().into()),
        ];
        if !sums.iter().any(|sum| stored == Some(*sum)) {
            return Err(self.malformed("wrong header checksum: damaged, or not a tar"));
        }
        Ok(Some(header))
    }

    fn header_size(&self, header: &Header) -> Result<u64, Error> {
        let size = number::field(&header.as_old().size);
        let size = size.ok_or_else(|| self.malformed("size is not a number"))?;
        let fits = i64::try_from(size)
            .ok()
            .and_then(|size| u64::try_from(size).ok());
        fits.ok_or_else(|| self.malformed("size out of range"))
    }

    /// One block; `None` where the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = self
                .input
                .fill_buf()
                .map_err(|source| Error::Stream { source })?;
            if bytes.is_empty() {
                return if filled == 0 {
                    Ok(None)
                } else {
                    Err(self.truncated())
                };
            }
            let count = bytes.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.input.consume(count);
            filled += count;
        }
        self.offset += BLOCK as u64;
        Ok(Some(block))
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    fn skip(&mut self, size: u64) -> Result<(), Error> {
        self.begin(size);
        self.skip_rest()
    }

    fn skip_rest(&mut self) -> Result<(), Error> {
        self.left += std::mem::take(&mut self.padding);
        loop {
            let count = self.data()?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }

    /// The data of an extended header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        self.within(size, self.limits.pax_bytes, "bytes of an extended header")?;
        self.begin(size);
        // Grows with what really comes, not with what the header promises.
        let mut bytes = Vec::new();
        loop {
            let part = self.data()?;
            let count = part.len();
            if count == 0 {
                break;
            }
            bytes.extend_from_slice(part);
            self.consume(count);
        }
        self.skip_rest()?;
        Ok(bytes)
    }

    fn long_text(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        let mut text = self.extension(size)?;
        if let Some(end) = text.iter().position(|byte| *byte == 0) {
            text.truncate(end);
        }
        Ok(text)
    }

    fn within(&self, value: u64, limit: u64, what: &'static str) -> Result<(), Error> {
        if value <= limit {
            return Ok(());
        }
        Err(Error::Limit {
            entry: self.current.clone(),
            what,
            limit,
        })
    }

    fn malformed(&self, why: &'static str) -> Error {
        Error::Malformed {
            entry: self.current.clone(),
            why: why.into(),
        }
    }

    fn truncated(&self) -> Error {
        Error::Truncated {
            entry: self.current.clone(),
        }
    }
}

/// The sum of a header's bytes, its checksum field taken for spaces.
fn checksum(block: &[u8; BLOCK], value: impl Fn(u8) -> i128) -> i128 {
    let field = 148..156;
    let bytes = block.iter().enumerate();
    bytes
        .map(|(at, byte)| {
            if field.contains(&at) {
                32
            } else {
                value(*byte)
            }
        })
        .sum()
}
