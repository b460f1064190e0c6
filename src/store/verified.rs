//! `VerifiedBlob`: a blob that is read for somebody else, who must not get a wrong byte for a right one.

use std::{
    fs::File,
    io::{self, Read},
};

use super::{Blobs, Error};
use crate::ident::{Digest, Hasher};

/// Reads a blob and computes its digest meanwhile. In place of its last bytes there is an error
/// where the digest is another one, or the blob shorter.
#[derive(Debug)]
pub struct VerifiedBlob {
    file: File,
    hasher: Option<Hasher>,
    digest: Digest,
    left: u64,
}

impl VerifiedBlob {
    /// Opens a blob that has `size` bytes.
    pub fn open(blobs: &Blobs<'_>, digest: Digest, size: u64) -> Result<Self, Error> {
        Ok(Self {
            file: blobs.open_blob(digest)?,
            hasher: Some(Hasher::new()),
            digest,
            left: size,
        })
    }

    fn damaged(&self, why: &str) -> io::Error {
        let what = format!("blob {} is damaged: {why}", self.digest);
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

impl Read for VerifiedBlob {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(out.len());
        let count = self.file.read(&mut out[..most])?;
        if count == 0 && most > 0 {
            return Err(self.damaged("it is too short"));
        }
        self.left -= count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&out[..count]);
        }
        if self.left == 0
            && let Some(hasher) = self.hasher.take()
        {
            let found = hasher.finish();
            if found != self.digest {
                return Err(self.damaged(&format!("its content has digest {found}")));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::store::Store;

    #[test]
    fn damage_is_told_before_the_last_byte() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let blobs = Blobs::open(&store).unwrap();
        let digest = blobs.put(b"some bytes").unwrap();
        let read = |size| {
            let mut out = Vec::new();
            let mut blob = VerifiedBlob::open(&blobs, digest, size).unwrap();
            blob.read_to_end(&mut out).map(|_| out)
        };
        assert_eq!(read(10).unwrap(), b"some bytes");
        assert!(read(9).is_err() && read(11).is_err());
        let path = scratch.path().join("blobs/sha256").join(digest.hex());
        let mut file = File::options().write(true).open(path).unwrap();
        file.write_all(b"S").unwrap();
        assert!(read(10).unwrap_err().to_string().contains("damaged"));
    }
}
