//! The writing half of the distribution-spec.

use std::{
    io::{self, Read},
    thread,
    time::Duration,
};

use ureq::http::Method;

use super::{
    Error, Repository,
    transport::{Content, Request, Response},
    url::Url,
};
use crate::{ident::Digest, image::BlobRef};

/// Uploads that break are begun anew.
const TRIES: u32 = 4;

/// After the first of them; each later pause is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// Other repositories that are asked for a blob.
const SOURCES: usize = 3;

/// Pieces for who does not take a blob in one.
const PIECE: u64 = 8 << 20;

/// How a blob came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It was there.
    Existed,
    /// Another repository of the same registry had it.
    Mounted(String),
    /// It was sent.
    Uploaded,
}

/// Opens a blob from its start.
pub type Open<'a> = &'a dyn Fn() -> io::Result<Box<dyn Read>>;

impl Repository {
    /// Brings a blob to the registry; `others` are repositories there that may have it.
    pub fn send_blob(
        &self,
        blob: &BlobRef,
        others: &[String],
        open: Open<'_>,
    ) -> Result<Sent, Error> {
        if self.has_blob(blob)? {
            return Ok(Sent::Existed);
        }
        for other in others.iter().take(SOURCES) {
            if self.mount(blob, other)? {
                return Ok(Sent::Mounted(other.clone()));
            }
        }
        let mut left = TRIES;
        let mut pause = PAUSE;
        loop {
            let error = match self.upload(blob, open) {
                Ok(()) => return Ok(Sent::Uploaded),
                Err(error) => error,
            };
            left -= 1;
            let is_passing = matches!(
                error,
                Error::Connection { .. }
                    | Error::Refused {
                        status: 429 | 500..,
                        ..
                    }
            );
            if !is_passing || left == 0 {
                return Err(error);
            }
            thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Whether the registry took the blob from another repository of its own.
    fn mount(&self, blob: &BlobRef, other: &str) -> Result<bool, Error> {
        let url = self.url("blobs/uploads/");
        let url = url
            .with("mount", &blob.digest.to_string())
            .with("from", other);
        let request = Request::new(Method::POST, url);
        let scope = format!("{} repository:{other}:pull", self.scope);
        let response = self.session.send(&request, &scope)?;
        match response.status {
            201 => Ok(true),
            // An upload was begun instead: it is left, and ends by itself.
            202 | 400..=499 => Ok(false),
            _ => Err(self.refused(response, request.shown())),
        }
    }

    fn begin(&self) -> Result<Url, Error> {
        let request = Request::new(Method::POST, self.url("blobs/uploads/"));
        let response = self.send(&request)?;
        if response.status != 202 {
            return Err(self.refused(response, request.shown()));
        }
        self.location(&response)
    }

    fn location(&self, response: &Response) -> Result<Url, Error> {
        let location = response.header("location");
        let url = location.and_then(|location| response.url.join(location));
        let url = url.filter(|url| url.origin.secure || !self.session.origin.secure);
        url.ok_or_else(|| Error::Nonsense {
            host: self.host(),
            what: "the place of an upload".to_owned(),
            why: "it is no URL to send to".to_owned(),
        })
    }

    fn upload(&self, blob: &BlobRef, open: Open<'_>) -> Result<(), Error> {
        let place = self.begin()?;
        let request = Request {
            content: Content::Stream {
                open,
                size: blob.size,
            },
            ..closing(place, blob.digest)
        };
        let response = self.send(&request)?;
        match response.status {
            201 | 204 => self.check_digest(&response, blob.digest),
            // Something on the way takes no body as large as that.
            413 => self.upload_in_pieces(blob, open),
            _ => Err(self.refused(response, request.shown())),
        }
    }

    fn upload_in_pieces(&self, blob: &BlobRef, open: Open<'_>) -> Result<(), Error> {
        let failed = |error: io::Error| Error::System {
            what: format!("send blob {}", blob.digest),
            source: crate::sys::SysError::from_io("read", blob.digest.hex(), &error),
        };
        let mut place = self.begin()?;
        let mut reader = open().map_err(failed)?;
        let mut start = 0;
        loop {
            let mut piece = Vec::new();
            (&mut reader)
                .take(PIECE)
                .read_to_end(&mut piece)
                .map_err(failed)?;
            if piece.is_empty() {
                break;
            }
            let end = start + piece.len() as u64;
            let request = Request {
                headers: vec![
                    ("content-type", OCTETS.to_owned()),
                    ("content-range", format!("{start}-{}", end - 1)),
                ],
                content: Content::Bytes(&piece),
                ..Request::new(Method::PATCH, place.clone())
            };
            let response = self.send(&request)?;
            if !matches!(response.status, 202 | 204) {
                return Err(self.refused(response, request.shown()));
            }
            place = self.location(&response)?;
            start = end;
        }
        let request = Request {
            content: Content::Bytes(b""),
            ..closing(place, blob.digest)
        };
        let response = self.send(&request)?;
        match response.status {
            201 | 204 => self.check_digest(&response, blob.digest),
            _ => Err(self.refused(response, request.shown())),
        }
    }

    /// Names a manifest, whose blobs are all there.
    pub fn put_manifest(
        &self,
        name: &str,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<Digest, Error> {
        let request = Request {
            headers: vec![("content-type", media_type.to_owned())],
            content: Content::Bytes(bytes),
            ..Request::new(Method::PUT, self.url(&format!("manifests/{name}")))
        };
        let response = self.send(&request)?;
        if !matches!(response.status, 200..=204) {
            return Err(self.refused(response, request.shown()));
        }
        let digest = Digest::of(bytes);
        self.check_digest(&response, digest)?;
        Ok(digest)
    }

    /// What the registry has now must be what was sent.
    fn check_digest(&self, response: &Response, wanted: Digest) -> Result<(), Error> {
        let found = response.header("docker-content-digest");
        match found.and_then(|found| found.parse().ok()) {
            Some(found) if found != wanted => Err(Error::Digest {
                host: self.host(),
                what: "what was sent to it".to_owned(),
                wanted,
                found,
            }),
            _ => Ok(()),
        }
    }
}

const OCTETS: &str = "application/octet-stream";

/// The request that ends an upload.
fn closing(place: Url, digest: Digest) -> Request<'static> {
    Request {
        headers: vec![("content-type", OCTETS.to_owned())],
        ..Request::new(Method::PUT, place.with("digest", &digest.to_string()))
    }
}
