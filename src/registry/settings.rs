//! `Settings`: mirrors, registries without TLS, certificates and token servers, from files.
//!
//! ```text
//! /etc/docker/daemon.json        registry-mirrors, insecure-registries; all else is Docker's business
//! /etc/cowshed/registries.json   the same two, and mirrors, token-realms, certificates
//! ```
//!
//! Both count. With `COWSHED_REGISTRIES` its file counts alone.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Error,
    url::{Origin, Url},
};
use crate::sys::At as _;

/// Names one file that counts instead of the usual ones.
const VARIABLE: &str = "COWSHED_REGISTRIES";

const FILES: [&str; 2] = ["/etc/docker/daemon.json", "/etc/cowshed/registries.json"];

/// One directory a host in each: `HOST[:PORT]/ca.crt`, `client.cert`, `client.key`.
const CERTIFICATES: [&str; 2] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

/// A larger file is none of these.
const SIZE_MAX: u64 = 1 << 20;

const HUB: &str = "docker.io";
const HUB_HOST: &str = "registry-1.docker.io";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Document {
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
    mirrors: BTreeMap<String, Vec<String>>,
    token_realms: BTreeMap<String, Vec<String>>,
    certificates: Vec<PathBuf>,
}

/// What this machine knows about registries.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    insecure: Vec<String>,
    /// By the domain of references.
    mirrors: BTreeMap<String, Vec<Url>>,
    /// Hosts of token servers that get the password of a registry, by the registry.
    token_realms: BTreeMap<String, Vec<String>>,
    certificates: Vec<PathBuf>,
}

/// How one speaks to a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS, with a certificate that is verified.
    Verified,
    /// TLS with any certificate, or none at all.
    Any,
    /// No TLS: somebody wrote `http://`.
    Plain,
}

/// A host that serves a registry's repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `host[:port]`
    pub(super) authority: String,
    pub(super) security: Security,
    /// A mirror may lack what the registry has.
    pub(super) is_mirror: bool,
}

impl Settings {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A file that is there and cannot be read or parsed.
    pub fn read() -> Result<Self, Error> {
        let mut settings = Self::default();
        match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => settings.add(Path::new(&path), true)?,
            None => {
                for path in FILES {
                    settings.add(Path::new(path), false)?;
                }
            }
        }
        settings
            .certificates
            .extend(CERTIFICATES.map(PathBuf::from));
        Ok(settings)
    }

    fn add(&mut self, path: &Path, must_be: bool) -> Result<(), Error> {
        let what = || path.display().to_string();
        let failed = |source| Error::Settings {
            path: path.to_owned(),
            source,
        };
        let mut text = Vec::new();
        match File::open(path).at("open", what) {
            Ok(file) => file.take(SIZE_MAX).read_to_end(&mut text).at("read", what),
            Err(error) if !must_be && error.errno() == Some(nix::errno::Errno::ENOENT) => {
                return Ok(());
            }
            Err(error) => Err(error),
        }
        .map_err(failed)?;
        self.merge(&text).map_err(|why| Error::BadSettings {
            path: path.to_owned(),
            why,
        })
    }

    /// Takes in a file's text.
    fn merge(&mut self, text: &[u8]) -> Result<(), String> {
        // An empty daemon.json is as good as none.
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let document: Document = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let hub = std::iter::once((HUB.to_owned(), document.registry_mirrors));
        for (domain, mirrors) in hub.chain(document.mirrors) {
            for mirror in mirrors {
                let url = Url::parse(&mirror).filter(|url| url.path == "/");
                let url = url.ok_or_else(|| {
                    format!("invalid mirror {mirror:?}: it is https://HOST[:PORT], or http://")
                })?;
                self.mirrors.entry(domain.clone()).or_default().push(url);
            }
        }
        for entry in document.insecure_registries {
            let bare = entry.split("://").last().unwrap_or_default();
            self.insecure.push(bare.trim_end_matches('/').to_owned());
        }
        self.token_realms.extend(document.token_realms);
        self.certificates.extend(document.certificates);
        Ok(())
    }

    /// Hosts to ask for a registry's repositories, in this order.
    pub(super) fn endpoints(&self, domain: &str) -> Vec<Endpoint> {
        let mirrors = self.mirrors.get(domain).into_iter().flatten();
        let mirrors = mirrors.map(|url| {
            let authority = url.origin.authority();
            let security = if url.origin.secure {
                self.security(&authority)
            } else {
                Security::Plain
            };
            Endpoint {
                authority,
                security,
                is_mirror: true,
            }
        });
        mirrors.chain([self.home(domain)]).collect()
    }

    /// The registry itself.
    pub(super) fn home(&self, domain: &str) -> Endpoint {
        let authority = if domain == HUB { HUB_HOST } else { domain };
        Endpoint {
            authority: authority.to_owned(),
            security: self.security(authority),
            is_mirror: false,
        }
    }

    /// Loopback needs no TLS, as in Docker; but where somebody put a certificate for it, it counts.
    pub(super) fn security(&self, authority: &str) -> Security {
        let origin = Origin::new(true, authority);
        let is_loopback = origin.as_ref().is_some_and(Origin::is_loopback);
        let host = origin.map_or_else(String::new, |origin| origin.host);
        let address: Option<IpAddr> = host.parse().ok();
        let named = |entry: &String| {
            entry == authority
                || *entry == host
                || address.is_some_and(|address| is_within(address, entry))
        };
        let has_certificate = || {
            let dirs = self.certificate_dirs(authority);
            dirs.iter().any(|dir| dir.is_dir())
        };
        if self.insecure.iter().any(named) || is_loopback && !has_certificate() {
            Security::Any
        } else {
            Security::Verified
        }
    }

    /// Where certificates for a host may be.
    pub(super) fn certificate_dirs(&self, authority: &str) -> Vec<PathBuf> {
        let dirs = self.certificates.iter();
        dirs.map(|dir| dir.join(authority)).collect()
    }

    /// Whether the file says that a token server may have the password of a registry.
    pub(super) fn trusts_realm(&self, domain: &str, host: &str) -> bool {
        let hosts = self.token_realms.get(domain);
        hosts.is_some_and(|hosts| hosts.iter().any(|one| one == host))
    }
}

/// Whether an address is in `network/bits`.
pub(super) fn is_within(address: IpAddr, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else {
        return false;
    };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let prefix = |address: u128, width: u32| {
        let rest = width.checked_sub(bits)?;
        Some(address.checked_shr(rest).unwrap_or(0))
    };
    match (address, base) {
        (IpAddr::V4(one), IpAddr::V4(two)) => {
            let [one, two] = [one, two].map(|address| prefix(address.to_bits().into(), 32));
            one.is_some() && one == two
        }
        (IpAddr::V6(one), IpAddr::V6(two)) => {
            let [one, two] = [one, two].map(|address| prefix(address.to_bits(), 128));
            one.is_some() && one == two
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let mut settings = Settings::default();
        settings.merge(text.as_bytes()).unwrap();
        settings
    }

    #[test]
    fn mirrors_come_first_and_the_hub_has_a_name_of_its_own() {
        let text = r#"{"registry-mirrors":["http://mirror.example:5000"],"debug":true,
            "mirrors":{"ghcr.io":["https://near.example"]}}"#;
        let settings = settings(text);
        let shown = |domain: &str| {
            let endpoints = settings.endpoints(domain).into_iter();
            let shown = endpoints.map(|one| (one.authority, one.security, one.is_mirror));
            shown.collect::<Vec<_>>()
        };
        let verified = Security::Verified;
        assert_eq!(
            shown("docker.io"),
            [
                ("mirror.example:5000".to_owned(), Security::Plain, true),
                ("registry-1.docker.io".to_owned(), verified, false),
            ]
        );
        let near = ("near.example".to_owned(), verified, true);
        assert_eq!(shown("ghcr.io")[0], near);
        assert_eq!(shown("quay.io").len(), 1);
    }

    #[test]
    fn loopback_and_named_hosts_need_no_tls() {
        let text =
            r#"{"insecure-registries":["http://a.example:5000/","10.0.0.0/8","fd00::/8","b"]}"#;
        let settings = settings(text);
        for (authority, security) in [
            ("localhost:5000", Security::Any),
            ("127.0.0.1", Security::Any),
            ("[::1]:1", Security::Any),
            ("a.example:5000", Security::Any),
            ("a.example", Security::Verified),
            ("b:1", Security::Any),
            ("10.9.8.7:5000", Security::Any),
            ("11.9.8.7:5000", Security::Verified),
            ("[fd12::1]", Security::Any),
            ("[fe80::1]", Security::Verified),
        ] {
            assert_eq!(settings.security(authority), security, "{authority}");
        }
    }

    #[test]
    fn networks_of_any_width_are_compared() {
        let address = "192.0.2.1".parse().unwrap();
        for (network, is) in [
            ("0.0.0.0/0", true),
            ("192.0.2.1/32", true),
            ("192.0.2.0/31", true),
            ("192.0.2.2/31", false),
            ("192.0.2.1/33", false),
            ("192.0.2.1", false),
            ("::/0", false),
        ] {
            assert_eq!(is_within(address, network), is, "{network}");
        }
    }

    #[test]
    fn bad_files_are_refused_and_empty_ones_are_none() {
        let mut settings = Settings::default();
        assert!(settings.merge(b" \n").is_ok());
        for bad in [
            "[",
            r#"{"registry-mirrors":["mirror.example"]}"#,
            r#"{"registry-mirrors":["https://a/path"]}"#,
            r#"{"insecure-registries":5}"#,
        ] {
            assert!(settings.merge(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
