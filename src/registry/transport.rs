//! `Transport`: one request to its answer, over redirects and a server's bad moments.

use std::{
    io::{self, Read},
    sync::Arc,
    thread,
    time::Duration,
};

use ureq::{
    Body,
    http::{self, HeaderMap, Method},
};

use super::{Error, Settings, connections::Connections, url::Url};

/// Docker's number.
const REDIRECTS: usize = 10;

/// How often a server that is busy or broken is asked again.
const RETRIES: u32 = 3;

/// The first pause; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest that a request waits for a server that wants to be left alone, in all.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What an error's text is read of.
const ERROR_MAX: u64 = 64 << 10;

/// Bytes that may have to be sent twice.
pub(super) enum Content<'a> {
    None,
    Bytes(&'a [u8]),
    Stream {
        open: &'a dyn Fn() -> io::Result<Box<dyn Read>>,
        size: u64,
    },
}

/// A request before anybody knows how it gets in.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content<'a>,
}

impl Request<'_> {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            content: Content::None,
        }
    }

    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// For messages, in Go's form.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.method, without_query(&self.url))
    }
}

/// A query may hold a secret.
fn without_query(url: &Url) -> String {
    let text = url.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

/// The answer of whoever was last in a chain of redirects.
#[derive(Debug)]
pub(super) struct Response {
    /// Who answered.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How many bytes are promised.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Reads a document whole; `None` where it is larger than the limit.
    pub(super) fn read(self, what: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge {
            host: self.url.origin.authority(),
            what: what.to_owned(),
            limit,
        };
        if self.length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let host = self.url.origin.authority();
        let mut bytes = Vec::new();
        let mut reader = self
            .body
            .into_with_config()
            .limit(u64::MAX)
            .reader()
            .take(limit + 1);
        reader
            .read_to_end(&mut bytes)
            .map_err(|source| Error::Cut {
                host: host.clone(),
                what: what.to_owned(),
                source,
            })?;
        if bytes.len() as u64 > limit {
            let what = what.to_owned();
            return Err(Error::TooLarge { host, what, limit });
        }
        Ok(bytes)
    }

    /// The bytes as they come.
    pub(super) fn stream(self) -> impl Read + Send + use<> {
        self.body.into_with_config().limit(u64::MAX).reader()
    }

    /// An answer that is none we can use.
    pub(super) fn refusal(self, operation: String) -> Error {
        let (status, host) = (self.status, self.url.origin.authority());
        let is_html = self.header("content-type").is_some_and(is_html);
        let text = self.read("error", ERROR_MAX).unwrap_or_default();
        Error::Refused {
            operation,
            host,
            status,
            said: if is_html { Vec::new() } else { said(&text) },
        }
    }
}

pub(super) fn is_html(media_type: &str) -> bool {
    media_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/html")
}

/// Code and message of a registry's errors (distribution-spec, "Error Codes").
fn said(text: &[u8]) -> Vec<(String, String)> {
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let errors = value["errors"].as_array().cloned().unwrap_or_default();
    let field = |error: &serde_json::Value, key: &str| {
        let text = error[key].as_str().unwrap_or_default();
        text.chars().take(300).collect::<String>()
    };
    let pair = |error| (field(error, "code"), field(error, "message"));
    errors.iter().take(3).map(pair).collect()
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    connections: Connections,
}

impl Transport {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            connections: Connections::new(settings),
        }
    }

    /// Sends a request; `authorization` goes to the host that it is for and to no other.
    ///
    /// Asks again where that can do no harm: a server that is busy, and whatever has nothing to send.
    pub(super) fn send(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<Response, Error> {
        let mut pause = PAUSE;
        let mut left = RETRIES;
        let mut patience = PAUSE_MAX;
        loop {
            let sent = self.follow(request, authorization);
            let is_repeatable = matches!(request.content, Content::None | Content::Bytes(_))
                && request.method != Method::POST;
            let wait = match &sent {
                Ok(response) if is_busy(response.status) && is_repeatable => retry_after(response),
                Err(Error::Connection { cause, .. }) if is_repeatable && is_dropped(cause) => None,
                _ => return sent,
            };
            if left == 0 {
                return sent;
            }
            let wait = wait.unwrap_or(pause);
            match (patience.checked_sub(wait), sent) {
                (Some(rest), _) => patience = rest,
                (None, Ok(response)) => {
                    return Err(Error::Busy {
                        operation: request.shown(),
                        host: response.url.origin.authority(),
                        status: response.status,
                        seconds: wait.as_secs(),
                    });
                }
                (None, sent) => return sent,
            }
            left -= 1;
            thread::sleep(wait);
            pause *= 2;
        }
    }

    /// The same, once and without a name: finds out who is there.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<Response, Error> {
        self.follow(request, None)
    }

    fn follow(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<Response, Error> {
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS {
            let own = authorization.filter(|_| url.origin == request.url.origin);
            let response = self.send_once(request, &url, own)?;
            let location = match response.status {
                301 | 302 | 303 | 307 | 308 => response.header("location"),
                _ => return Ok(response),
            };
            let may_follow = matches!(request.content, Content::None);
            let next = location.and_then(|location| url.join(location));
            let Some(next) = next.filter(|_| may_follow) else {
                return Err(response.refusal(request.shown()));
            };
            // What is checked by a digest may come from anywhere, all else not from anybody on the way.
            if url.origin.secure && !next.origin.secure && !url.path.contains("/blobs/") {
                return Err(Error::Downgrade {
                    from: without_query(&url),
                    to: without_query(&next),
                });
            }
            url = next;
        }
        Err(Error::RedirectLoop {
            host: request.url.origin.authority(),
            operation: request.shown(),
        })
    }

    fn send_once(
        &self,
        request: &Request<'_>,
        url: &Url,
        authorization: Option<&str>,
    ) -> Result<Response, Error> {
        let failed = |cause| Error::Connection {
            operation: format!("{} {}", request.method, without_query(url)),
            cause: Box::new(cause),
        };
        let agent = self.connections.to(&url.origin)?;
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(url.to_string());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(value) = authorization {
            builder = builder.header("authorization", value);
        }
        let invalid = |error| failed(ureq::Error::Http(error));
        let response = match request.content {
            Content::None if is_bodyless(&request.method) => {
                agent.run(builder.body(()).map_err(invalid)?)
            }
            Content::None => agent.run(builder.body(&[][..]).map_err(invalid)?),
            Content::Bytes(bytes) => agent.run(builder.body(bytes).map_err(invalid)?),
            Content::Stream { open, size } => {
                let reader = open().map_err(|error| failed(ureq::Error::Io(error)))?;
                let body = ureq::SendBody::from_owned_reader(reader);
                let builder = builder.header("content-length", size.to_string());
                agent.run(builder.body(body).map_err(invalid)?)
            }
        };
        let (parts, body) = response.map_err(failed)?.into_parts();
        Ok(Response {
            url: url.clone(),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }
}

fn is_bodyless(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::DELETE)
}

fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// A connection that broke, not one that never was.
fn is_dropped(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let broken = [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        UnexpectedEof,
    ];
    matches!(error, ureq::Error::Io(error) if broken.contains(&error.kind()))
}

/// In seconds; a date is as good as nothing said.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_errors_are_read_and_bounded() {
        let text = br#"{"errors":[{"code":"DENIED","message":"no","detail":{}},{"code":5}]}"#;
        let wanted = [("DENIED", "no"), ("", "")];
        let wanted = wanted.map(|(code, message)| (code.to_owned(), message.to_owned()));
        assert_eq!(said(text), wanted);
        assert_eq!(said(b"<html>"), []);
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(5000));
        assert_eq!(said(long.as_bytes())[0].1.len(), 300);
    }
}
