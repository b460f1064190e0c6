//! `Reference`: `alpine`, `docker.io/library/alpine:3.20`, `localhost:5000/a/b@sha256:…`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Digest, Error};

const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library/";

/// An image reference, normalised as Docker does: `alpine` means
/// `docker.io/library/alpine:latest` (github.com/distribution/reference, grammar).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The repository without tag, as tables show it: `alpine`, `localhost:5000/a/b`.
    pub fn familiar_repository(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return format!("{}/{}", self.domain, self.path);
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The registry's host, with its port where that was given: `docker.io`, `localhost:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository below its registry: `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same repository with this tag and no digest; `None` where it is no tag.
    pub fn with_tag(&self, tag: &str) -> Option<Self> {
        is_tag(tag).then(|| Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same repository with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The tag; `None` only when the reference names a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest after `@`.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The form people type: `alpine:3.20`.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_repository())
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::Reference {
            text: text.to_owned(),
            why,
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| bad("bad digest"))?)),
            None => (text, None),
        };
        let last_part = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last_part..].find(':') {
            Some(colon) => (
                &rest[..last_part + colon],
                Some(&rest[last_part + colon + 1..]),
            ),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(bad(
                "a tag is at most 128 of [A-Za-z0-9_.-] and starts with none of .-",
            ));
        }
        let (domain, path) = split_domain(name);
        if name.len() > 255 {
            return Err(bad("repository name must not be more than 255 characters"));
        }
        if !is_domain(domain) {
            return Err(bad("bad registry host"));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(bad("repository name must be lowercase"));
        }
        if path.is_empty() || !path.split('/').all(is_component) {
            return Err(bad("a repository is lower-case parts joined by /"));
        }
        let official = domain == DEFAULT_DOMAIN && !path.contains('/');
        let path = if official {
            format!("{OFFICIAL}{path}")
        } else {
            path.to_owned()
        };
        let default_tag = digest.is_none().then_some("latest");
        let tag = tag.or(default_tag).map(str::to_owned);
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag,
            digest,
        })
    }
}

/// The part before the first slash is a host when it looks like one.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", path)) => (DEFAULT_DOMAIN, path),
        Some((host, path))
            if host.contains(['.', ':'])
                || host == "localhost"
                || host.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (host, path)
        }
        _ => (DEFAULT_DOMAIN, name),
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_domain(domain: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = domain
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return port && address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let (host, port) = domain.split_once(':').unwrap_or((domain, "0"));
    let label = |label: &str| {
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        edge(label.bytes().next())
            && edge(label.bytes().next_back())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label) && is_port(port)
}

/// `[a-z0-9]+` joined by one `.`, one or two `_`, or any number of `-`.
fn is_component(component: &str) -> bool {
    let alnum = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges = bytes.first().is_some_and(alnum) && bytes.last().is_some_and(alnum);
    let separators = bytes.split(alnum).filter(|separator| !separator.is_empty());
    let mut separators = separators.map(|separator| {
        matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
    });
    edges && separators.all(|good| good)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(format!("{}/{}", self.domain, self.path)))
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_mean_the_official_library() {
        for (typed, full, familiar) in [
            ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("mysql:8.0", "docker.io/library/mysql:8.0", "mysql:8.0"),
            (
                "pure/pure-plugin",
                "docker.io/pure/pure-plugin:latest",
                "pure/pure-plugin:latest",
            ),
            ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
            (
                "localhost:5000/a/b:1",
                "localhost:5000/a/b:1",
                "localhost:5000/a/b:1",
            ),
            (
                "index.docker.io/library/a",
                "docker.io/library/a:latest",
                "a:latest",
            ),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            (
                "a__b--c.d",
                "docker.io/library/a__b--c.d:latest",
                "a__b--c.d:latest",
            ),
        ] {
            let reference: Reference = typed.parse().unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let text = format!("alpine@{}", Digest::of(b""));
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.tag(), None);
        assert_eq!(reference.familiar(), text);
    }

    #[test]
    fn bad_references_are_refused() {
        for text in [
            "",
            "A",
            "a:",
            "a:-x",
            "../x",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "a b",
            "http://a",
            "한글",
            "[::1/a",
            "[1]/a",
            "[::1]5000/a",
        ] {
            assert!(
                matches!(text.parse::<Reference>(), Err(Error::Reference { .. })),
                "{text}"
            );
        }
    }
}
