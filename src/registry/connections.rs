//! `Connections`: an HTTP client for each host, with its certificates and its proxy.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use ureq::{
    Agent, Proxy, ProxyProtocol,
    config::Config,
    http::Uri,
    tls::{RootCerts, TlsConfig},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::{
    Error, Settings,
    certificates::{self, Certificates},
    settings::Security,
    url::Origin,
};
use crate::sys::addresses_of;

/// For a server to take the connection.
const CONNECT: Duration = Duration::from_secs(15);

/// For the next bytes to come or go; a download then goes on over another connection.
const STALL: Duration = Duration::from_secs(30);

/// More addresses than this are of no use.
const ADDRESSES: usize = 16;

/// Asks the system's resolver, which a static program cannot do by itself.
#[derive(Debug)]
struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = addresses_of(host)
            .map_err(|error| ureq::Error::Other(format!("lookup {}", error.detail()).into()))?;
        let mut found = self.empty();
        for address in addresses.into_iter().take(ADDRESSES) {
            found.push(SocketAddr::new(address, port));
        }
        Ok(found)
    }
}

/// The connections of one client.
#[derive(Debug)]
pub(super) struct Connections {
    settings: Arc<Settings>,
    agents: Mutex<HashMap<Origin, Agent>>,
    system: OnceLock<Certificates>,
}

impl Connections {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            agents: Mutex::default(),
            system: OnceLock::new(),
        }
    }

    /// The client for a host, made with the first request that goes there.
    pub(super) fn to(&self, origin: &Origin) -> Result<Agent, Error> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(origin) {
            return Ok(agent.clone());
        }
        let agent = self.make(origin)?;
        agents.insert(origin.clone(), agent.clone());
        Ok(agent)
    }

    fn make(&self, origin: &Origin) -> Result<Agent, Error> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("cowshed/", env!("CARGO_PKG_VERSION")))
            // A blob that was compressed on the way would not be the blob.
            .accept_encoding("identity")
            .accept("")
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(STALL))
            .timeout_per_write(Some(STALL))
            .max_response_header_size(64 << 10)
            .proxy(proxy(origin)?);
        if origin.secure {
            config = config.tls_config(self.tls(origin)?);
        }
        Ok(Agent::with_parts(
            config.build(),
            DefaultConnector::new(),
            SystemResolver,
        ))
    }

    fn tls(&self, origin: &Origin) -> Result<TlsConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        let authority = origin.authority();
        let own = certificates::of_host(&self.settings.certificate_dirs(&authority))?;
        let tls = tls.client_cert(own.client);
        if self.settings.security(&authority) != Security::Verified {
            let nobody = RootCerts::new_with_certs(&[]);
            return Ok(tls.disable_verification(true).root_certs(nobody).build());
        }
        let system = if let Some(system) = self.system.get() {
            system
        } else {
            let system = certificates::of_system()?;
            self.system.get_or_init(|| system)
        };
        let roots = [own.roots.as_slice(), system].concat();
        Ok(tls.root_certs(RootCerts::new_with_certs(&roots)).build())
    }
}

/// The proxy for a host, as the environment says; never for this machine itself.
fn proxy(origin: &Origin) -> Result<Option<Proxy>, Error> {
    if origin.is_loopback() {
        return Ok(None);
    }
    let own = if origin.secure {
        "HTTPS_PROXY"
    } else {
        "HTTP_PROXY"
    };
    let value = |name: &str| {
        let value = std::env::var(name).or_else(|_| std::env::var(name.to_ascii_lowercase()));
        value.ok().filter(|value| !value.is_empty())
    };
    let Some(url) = value(own).or_else(|| value("ALL_PROXY")) else {
        return Ok(None);
    };
    let except = value("NO_PROXY").unwrap_or_default();
    if is_excepted(&origin.host, origin.port, &except) {
        return Ok(None);
    }
    let proxy = Proxy::new(&url).map_err(|_| Error::Proxy { variable: own })?;
    if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(Error::Proxy { variable: own });
    }
    Ok(Some(proxy))
}

/// Go's rules: `*`, a host with all below it, one below alone (`.example`), a port after either, an
/// address, a network.
fn is_excepted(host: &str, port: u16, except: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.parse().ok();
    except.split(',').map(str::trim).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        if let Some(address) = address {
            let bare = entry.trim_start_matches('[').trim_end_matches(']');
            return bare == host
                || entry == SocketAddr::new(address, port).to_string()
                || super::settings::is_within(address, &entry);
        }
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, port)) => (name.to_owned(), port.parse().ok()),
            None => (entry, Some(port)),
        };
        if name.is_empty() || wanted != Some(port) {
            return false;
        }
        let name = name.trim_start_matches('*');
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(name),
            None => host == name || host.ends_with(&format!(".{name}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_from_the_proxy_are_gos() {
        for (host, port, except, is) in [
            ("a.example", 443, "", false),
            ("a.example", 443, "*", true),
            ("a.example", 443, "b.example, example", true),
            ("a.example", 443, ".example", true),
            ("example", 443, ".example", false),
            ("a.example", 443, "*.example", true),
            ("an-example", 443, "example", false),
            ("a.example", 443, "a.example:5000", false),
            ("a.example", 5000, "a.example:5000", true),
            ("10.1.2.3", 443, "10.0.0.0/8", true),
            ("10.1.2.3", 443, "10.1.2.3", true),
            ("10.1.2.3", 443, "10.1.2.4", false),
            ("fd00::1", 443, "[fd00::1]", true),
        ] {
            assert_eq!(is_excepted(host, port, except), is, "{host} {except}");
        }
    }
}
