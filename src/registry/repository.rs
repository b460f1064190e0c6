//! `Repository`: the reading half of the distribution-spec.

use ureq::http::Method;

use super::{
    Error,
    authorization::Session,
    transport::{Request, Response, is_html},
    url::Url,
};
use crate::{
    ident::{Digest, Reference},
    image::{
        BlobRef, Build, DOCUMENT_TYPES, Document, MANIFEST_MAX, Platform, choose, own_media_type,
    },
};

/// Of the tags' list, in bytes of all its pages and in pages.
const TAGS_MAX: u64 = 8 << 20;
const PAGES_MAX: usize = 1000;

/// How deep indexes may lie in each other.
const DEPTH_MAX: usize = 4;

/// One repository at one host.
#[derive(Debug)]
pub struct Repository {
    pub(super) session: Session,
    pub(super) reference: Reference,
    /// What tokens are asked for.
    pub(super) scope: String,
}

/// A document and what it is.
#[derive(Debug)]
pub struct Fetched {
    /// As sent.
    pub bytes: Vec<u8>,
    /// Of those bytes.
    pub digest: Digest,
    /// What kind it is.
    pub media_type: String,
    /// Parsed and checked.
    pub document: Document,
}

impl Repository {
    pub(super) fn new(session: Session, reference: &Reference, actions: &str) -> Self {
        Self {
            scope: format!("repository:{}:{actions}", reference.path()),
            session,
            reference: reference.clone(),
        }
    }

    /// The host that is asked.
    pub fn host(&self) -> String {
        self.session.origin.authority()
    }

    pub(super) fn url(&self, rest: &str) -> Url {
        let path = format!("/v2/{}/{rest}", self.reference.path());
        Url::at(&self.session.origin, path)
    }

    pub(super) fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        self.session.send(request, &self.scope)
    }

    /// A refusal in Docker's words where it has some.
    pub(super) fn refused(&self, response: Response, operation: String) -> Error {
        let error = response.refusal(operation);
        if let Error::Refused {
            status: 401 | 403,
            host,
            said,
            ..
        } = error
        {
            let repository = self.reference.familiar_repository();
            return Error::Denied {
                repository,
                host,
                said,
            };
        }
        error
    }

    /// The manifest or index of a tag or digest.
    pub fn manifest(&self, reference: &Reference) -> Result<Fetched, Error> {
        let name = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        };
        let what = format!("the manifest of {}", reference.familiar());
        self.document(&name, &what, reference.digest(), None)
    }

    /// A document that an index names.
    fn nested(&self, blob: &BlobRef) -> Result<Fetched, Error> {
        let name = blob.digest.to_string();
        let what = format!("manifest {name}");
        let fetched = self.document(&name, &what, Some(blob.digest), Some(&blob.media_type))?;
        if fetched.bytes.len() as u64 != blob.size {
            return Err(Error::Length {
                host: self.host(),
                what,
                wanted: blob.size,
                found: fetched.bytes.len() as u64,
            });
        }
        Ok(fetched)
    }

    /// The image for a platform that a document leads to.
    pub fn image(&self, fetched: Fetched, platform: &Platform) -> Result<Fetched, Error> {
        let mut fetched = fetched;
        for _ in 0..=DEPTH_MAX {
            let Document::Index(builds) = &fetched.document else {
                return Ok(fetched);
            };
            let chosen: Option<&Build> = choose(builds, platform);
            let chosen = chosen.ok_or_else(|| Error::NoPlatform {
                platform: platform.to_string(),
                what: self.reference.familiar(),
                host: self.host(),
            })?;
            fetched = self.nested(&chosen.document)?;
        }
        Err(Error::Nonsense {
            host: self.host(),
            what: format!("an index for {}", self.reference.familiar()),
            why: format!("more than {DEPTH_MAX} indexes lie in each other"),
        })
    }

    fn document(
        &self,
        name: &str,
        what: &str,
        digest: Option<Digest>,
        media_type: Option<&str>,
    ) -> Result<Fetched, Error> {
        let mut request = Request::get(self.url(&format!("manifests/{name}")));
        request.headers.push(("accept", DOCUMENT_TYPES.join(", ")));
        let response = self.send(&request)?;
        match response.status {
            200 => {}
            404 => {
                return Err(Error::ManifestUnknown {
                    reference: self.reference.familiar(),
                    host: self.host(),
                });
            }
            _ => return Err(self.refused(response, request.shown())),
        }
        let header = |name: &str| response.header(name).map(str::to_owned);
        let (said_type, said_digest) = (header("content-type"), header("docker-content-digest"));
        let bytes = response.read(what, MANIFEST_MAX)?;
        let found = Digest::of(&bytes);
        let said_digest = said_digest.and_then(|text| text.parse().ok());
        if let Some(wanted) = digest.or(said_digest).filter(|wanted| *wanted != found) {
            // A page in place of the document is the better thing to be told.
            self.refuse_page(what, said_type.as_deref(), &bytes)?;
            return Err(Error::Digest {
                host: self.host(),
                what: what.to_owned(),
                wanted,
                found,
            });
        }
        let media_type = match media_type {
            Some(media_type) => media_type.to_owned(),
            None => self.media_type(what, said_type.as_deref(), &bytes)?,
        };
        let document = Document::parse(what, &bytes, &media_type);
        Ok(Fetched {
            document: document.map_err(|source| self.bad_document(what, source))?,
            bytes,
            digest: found,
            media_type,
        })
    }

    fn bad_document(&self, what: &str, source: crate::image::Error) -> Error {
        Error::Document {
            host: self.host(),
            what: what.to_owned(),
            source: Box::new(source),
        }
    }

    /// The header's word where it is one of ours, the document's own where it is none.
    fn media_type(&self, what: &str, said: Option<&str>, bytes: &[u8]) -> Result<String, Error> {
        let bare = said.and_then(|said| said.split(';').next());
        let bare = bare.unwrap_or_default().trim().to_ascii_lowercase();
        if DOCUMENT_TYPES.contains(&bare.as_str()) {
            return Ok(bare);
        }
        own_media_type(what, bytes).map_err(|source| match self.refuse_page(what, said, bytes) {
            Err(page) => page,
            Ok(()) => self.bad_document(what, source),
        })
    }

    fn refuse_page(&self, what: &str, said: Option<&str>, bytes: &[u8]) -> Result<(), Error> {
        if said.is_some_and(is_html) || bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Error::Html {
                host: self.host(),
                what: what.to_owned(),
            });
        }
        Ok(())
    }

    /// A small blob, whole and verified.
    pub fn read_blob(&self, blob: &BlobRef, what: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let host = self.host();
        let what = format!("{what} {}", blob.digest);
        if blob.size > limit {
            return Err(Error::TooLarge { host, what, limit });
        }
        let request = Request::get(self.url(&format!("blobs/{}", blob.digest)));
        let response = self.send(&request)?;
        if response.status != 200 {
            return Err(self.refused(response, request.shown()));
        }
        self.check_length(&what, &response, blob.size)?;
        let bytes = response.read(&what, limit)?;
        let found = bytes.len() as u64;
        if found != blob.size {
            let wanted = blob.size;
            return Err(Error::Length {
                host,
                what,
                wanted,
                found,
            });
        }
        let found = Digest::of(&bytes);
        if found != blob.digest {
            let wanted = blob.digest;
            return Err(Error::Digest {
                host,
                what,
                wanted,
                found,
            });
        }
        Ok(bytes)
    }

    /// What is promised must be what is wanted, before any of it is read.
    pub(super) fn check_length(
        &self,
        what: &str,
        response: &Response,
        wanted: u64,
    ) -> Result<(), Error> {
        match response.length() {
            Some(found) if found != wanted => Err(Error::Length {
                host: self.host(),
                what: what.to_owned(),
                wanted,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a blob is there.
    pub fn has_blob(&self, blob: &BlobRef) -> Result<bool, Error> {
        let request = Request::new(Method::HEAD, self.url(&format!("blobs/{}", blob.digest)));
        let response = self.send(&request)?;
        match response.status {
            200 => Ok(response.length().is_none_or(|length| length == blob.size)),
            // Some say so to whoever may only write.
            404 | 401 | 403 => Ok(false),
            _ => Err(self.refused(response, request.shown())),
        }
    }

    /// Every tag.
    pub fn tags(&self) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::new();
        let mut left = TAGS_MAX;
        let mut url = self.url("tags/list").with("n", "1000");
        for _ in 0..PAGES_MAX {
            let request = Request::get(url.clone());
            let response = self.send(&request)?;
            if response.status != 200 {
                return Err(self.refused(response, request.shown()));
            }
            let next = response.header("link").and_then(next_page);
            let next = next.and_then(|next| url.join(&next));
            let what = format!("the tags of {}", self.reference.familiar_repository());
            let text = response.read(&what, left).map_err(|mut error| {
                if let Error::TooLarge { limit, .. } = &mut error {
                    *limit = TAGS_MAX;
                }
                error
            })?;
            left -= text.len() as u64;
            let page: Page = serde_json::from_slice(&text).map_err(|error| Error::Nonsense {
                host: self.host(),
                what: what.clone(),
                why: error.to_string(),
            })?;
            tags.extend(page.tags.unwrap_or_default());
            // Elsewhere there are no tags of this repository.
            match next.filter(|next| next.origin == self.session.origin && *next != url) {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        Ok(tags)
    }
}

/// The target of `<...>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_in_the_link() {
        let link = r#"</v2/a/tags/list?n=1&last=b>; rel="next""#;
        assert_eq!(next_page(link).unwrap(), "/v2/a/tags/list?n=1&last=b");
        assert_eq!(next_page("nonsense"), None);
        assert_eq!(next_page("</x>; rel=\"prev\""), None);
    }
}
