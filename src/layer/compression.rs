//! `Compression`: telling a blob's format and decoding it, in process.
//!
//! No program is ever run for it (CVE-2014-9357, CVE-2026-41567).

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use super::Limits;

/// How a layer blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// Tells the format by its first bytes (six are enough); what is unknown is not compressed.
    pub fn detect(first_bytes: &[u8]) -> Self {
        match first_bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // Frames, and skippable frames, which may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// A reader of the decoded bytes that ends where `source` ends; anything there that is not of
    /// the format is an error.
    pub fn decoder<'a, R: BufRead + 'a>(self, source: R, limits: &Limits) -> Box<dyn Read + 'a> {
        match self {
            Self::None => Box::new(source),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Self::Zstd => Box::new(ZstdFrames::new(source, limits.window_bytes)),
            Self::Xz => {
                // The decoder's own tables come on top of the dictionary.
                let kib = u32::try_from((limits.window_bytes >> 10) + 1024).unwrap_or(u32::MAX);
                Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, kib))
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        })
    }
}

/// Any number of zstd frames and skippable frames, at least one.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    state: Zstd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Zstd {
    Start,
    InFrame,
    Between,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R, window_bytes: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window_bytes);
        Self {
            source,
            decoder,
            state: Zstd::Start,
        }
    }

    /// Enters or skips the next frame; `false` at the end of the source.
    fn next_frame(&mut self) -> io::Result<bool> {
        if self.state == Zstd::Between && self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => {
                self.state = Zstd::InFrame;
                Ok(true)
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut skipped = (&mut self.source).take(length.into());
                if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.state = Zstd::Between;
                Ok(true)
            }
            Err(error) => Err(invalid(error)),
        }
    }

    fn check_sum(&self) -> io::Result<()> {
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(invalid("wrong checksum of the content"));
        }
        Ok(())
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.state != Zstd::InFrame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                continue;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.decoder.is_finished() {
                self.check_sum()?;
                self.state = Zstd::Between;
                continue;
            }
            let some = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder
                .decode_blocks(&mut self.source, some)
                .map_err(invalid)?;
        }
    }
}
