//! `Url`: where a request goes, as parts that can be compared.

use std::{fmt, fmt::Write as _, net::IpAddr};

/// Scheme, host and port: a password for one of them is for no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// `https`, not `http`.
    pub(super) secure: bool,
    /// Lower case; an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of `host[:port]`.
    pub(super) fn new(secure: bool, authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                let port = match rest {
                    "" => None,
                    rest => Some(rest.strip_prefix(':')?),
                };
                (host, port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(word) {
            return None;
        }
        let port = match port {
            None | Some("") => default_port(secure),
            Some(port) => port.parse().ok()?,
        };
        let host = host.to_ascii_lowercase();
        Some(Self { secure, host, port })
    }

    /// Whether the host is this machine by its very name, whatever a name server says.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default_port(self.secure) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// An absolute URL without user and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) origin: Origin,
    /// Path and query, from the first slash.
    pub(super) path: String,
}

impl Url {
    /// Parses what a registry or a file gives; `None` where it is no URL of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        Some(Self {
            origin: Origin::new(secure, authority)?,
            path: absolute(path)?,
        })
    }

    /// A place below an origin.
    pub(super) fn at(origin: &Origin, path: String) -> Self {
        Self {
            origin: origin.clone(),
            path,
        }
    }

    /// Where a `Location` leads, seen from here (RFC 3986, section 5; without dots, which no registry
    /// sends).
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        if location.contains("://") && !location.starts_with('/') {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            let scheme = if self.origin.secure { "https" } else { "http" };
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let own = self.path.split('?').next().unwrap_or_default();
        let path = match location.chars().next() {
            None => return None,
            Some('/') => location.to_owned(),
            Some('?') => format!("{own}{location}"),
            Some(_) => {
                let directory = own.rfind('/').map_or("/", |slash| &own[..=slash]);
                format!("{directory}{location}")
            }
        };
        Some(Self {
            origin: self.origin.clone(),
            path: absolute(&path)?,
        })
    }

    /// With one parameter more.
    #[must_use]
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        self.path.push(sign);
        self.path.push_str(key);
        self.path.push('=');
        self.path.push_str(&escaped(value));
        self
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// A path from its slash, without fragment; only what may stand in a request line.
fn absolute(path: &str) -> Option<String> {
    let path = path.split('#').next().unwrap_or_default();
    let fine = |byte: u8| (0x21..0x7f).contains(&byte);
    if !path.bytes().all(fine) {
        return None;
    }
    Some(match path.chars().next() {
        Some('/') => path.to_owned(),
        _ => format!("/{path}"),
    })
}

/// Text for a parameter's value (RFC 3986, section 2.3).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A String takes every character.
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for (text, shown) in [
            ("https://a.example", "https://a.example/"),
            (
                "HTTPS://A.example:443/v2/?x=1#y",
                "https://a.example/v2/?x=1",
            ),
            ("http://localhost:5000/v2/", "http://localhost:5000/v2/"),
            ("http://[::1]:80?x", "http://[::1]/?x"),
        ] {
            assert_eq!(url(text).to_string(), shown);
        }
        for bad in [
            "",
            "a.example",
            "ftp://a/",
            "https://",
            "https://user:password@a/",
            "https://a:b/",
            "https://a/ b",
            "https://a/\r\nHost: b",
            "https://[a]/",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn locations_lead_on_from_where_one_is() {
        let from = url("https://a:5000/v2/x/blobs/uploads/?old=1");
        for (location, to) in [
            ("/v2/y", "https://a:5000/v2/y"),
            ("z?state=1", "https://a:5000/v2/x/blobs/uploads/z?state=1"),
            ("?only=1", "https://a:5000/v2/x/blobs/uploads/?only=1"),
            ("//b/c", "https://b/c"),
            ("http://b/c", "http://b/c"),
            ("/r?to=http://b/", "https://a:5000/r?to=http://b/"),
        ] {
            assert_eq!(from.join(location).unwrap().to_string(), to);
        }
        assert_eq!(from.join(""), None);
        assert_eq!(from.join("file:///etc/passwd"), None);
    }

    #[test]
    fn parameters_are_escaped() {
        let with = url("https://a/t").with("scope", "repository:a/b:pull");
        let with = with.with("service", "한 &");
        assert_eq!(
            with.path,
            "/t?scope=repository%3Aa%2Fb%3Apull&service=%ED%95%9C%20%26"
        );
    }

    #[test]
    fn loopback_is_told_by_the_name_alone() {
        for (authority, is) in [
            ("localhost", true),
            ("127.8.0.1:5000", true),
            ("[::1]:5000", true),
            ("localhost.example", false),
            ("10.0.0.1", false),
        ] {
            let origin = Origin::new(true, authority).unwrap();
            assert_eq!(origin.is_loopback(), is, "{authority}");
        }
    }
}
