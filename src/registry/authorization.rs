//! `Session`: being let in, with a password or a token, and by whom one may be asked for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use ureq::http::Method;

use super::{
    Credential, Error, Settings,
    challenge::{self, Challenge},
    transport::{Content, Request, Response, Transport},
    url::{Origin, Url, escaped},
};

/// A token is at most some KiB.
const TOKEN_MAX: u64 = 1 << 20;

/// One registry, as one user.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) transport: Arc<Transport>,
    pub(super) settings: Arc<Settings>,
    /// As references name it.
    pub(super) domain: String,
    pub(super) origin: Origin,
    pub(super) credential: Option<Credential>,
    /// `Authorization` by scope.
    known: Mutex<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Session {
    pub(super) fn new(
        (transport, settings): (Arc<Transport>, Arc<Settings>),
        domain: &str,
        origin: Origin,
        credential: Option<Credential>,
    ) -> Self {
        Self {
            transport,
            settings,
            domain: domain.to_owned(),
            origin,
            credential,
            known: Mutex::default(),
        }
    }

    fn known(&self, scope: &str) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(scope).cloned()
    }

    /// Sends a request to the registry, showing what it wants to see.
    pub(super) fn send(&self, request: &Request<'_>, scope: &str) -> Result<Response, Error> {
        let known = self.known(scope);
        let is_own = request.url.origin == self.origin;
        let response = self
            .transport
            .send(request, known.as_deref().filter(|_| is_own))?;
        // Whoever it sent us to is not to be shown anything.
        if response.status != 401 || !is_own || response.url.origin != self.origin {
            return Ok(response);
        }
        let authorization = self.answer(request, &response, scope)?;
        if known.as_ref() == Some(&authorization) {
            return Ok(response);
        }
        let response = self.transport.send(request, Some(&authorization))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(scope.to_owned(), authorization);
        Ok(response)
    }

    /// What to show a registry that wants to see something.
    fn answer(
        &self,
        request: &Request<'_>,
        response: &Response,
        scope: &str,
    ) -> Result<String, Error> {
        let headers = response.headers.get_all("www-authenticate").iter();
        let headers = headers.filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = headers.flat_map(challenge::parse).collect();
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => Some((realm, service.as_deref(), scope.as_deref())),
            Challenge::Basic => None,
        });
        if let Some((realm, service, named)) = bearer {
            let scope = if scope.is_empty() { named } else { Some(scope) };
            return self.token(realm, service, scope);
        }
        if !challenges.contains(&Challenge::Basic) {
            return Err(Error::Nonsense {
                host: self.origin.authority(),
                what: "a challenge".to_owned(),
                why: "it wants neither a password nor a token".to_owned(),
            });
        }
        let basic = self.credential.as_ref().and_then(Credential::basic);
        basic.ok_or_else(|| Error::NoCredential {
            operation: request.shown(),
            host: self.origin.authority(),
        })
    }

    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<String, Error> {
        let nonsense = |what: &str, why: &str| Error::Nonsense {
            host: self.origin.authority(),
            what: what.to_owned(),
            why: why.to_owned(),
        };
        let url = Url::parse(realm)
            .ok_or_else(|| nonsense("the realm of a token", "it is no URL of HTTP"))?;
        if self.origin.secure && !url.origin.secure {
            return Err(Error::Downgrade {
                from: self.origin.to_string(),
                to: url.origin.to_string(),
            });
        }
        let host = url.origin.authority();
        let is_trusted = self.trusts(&url.origin);
        let credential = self.credential.as_ref().filter(|_| is_trusted);
        let response = match credential {
            Some(Credential::Identity { token }) => self.exchange(url, (service, scope), token)?,
            _ => self.ask(url, (service, scope), credential)?,
        };
        let status = response.status;
        match status {
            200..=299 => {}
            400 | 401 | 403 if credential.is_some() => {
                return Err(Error::BadPassword { host, status });
            }
            401 | 403 if !is_trusted => {
                return Err(Error::ForeignRealm {
                    registry: self.domain.clone(),
                    realm: url_host(&response),
                    status,
                });
            }
            401 | 403 => {
                return Err(Error::NoCredential {
                    operation: format!("GET {realm}"),
                    host,
                });
            }
            _ => return Err(response.refusal(format!("GET {realm}"))),
        }
        let text = response.read("a token", TOKEN_MAX)?;
        let bad = |why: &str| Error::Nonsense {
            host: host.clone(),
            what: "a token".to_owned(),
            why: why.to_owned(),
        };
        let answer: TokenAnswer =
            serde_json::from_slice(&text).map_err(|_| bad("it is not the JSON of one"))?;
        let token = answer.token.or(answer.access_token);
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| bad("it is empty"))?;
        // It becomes a header.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("it has characters that no token has"));
        }
        Ok(format!("Bearer {token}"))
    }

    fn ask(
        &self,
        url: Url,
        (service, scope): (Option<&str>, Option<&str>),
        credential: Option<&Credential>,
    ) -> Result<Response, Error> {
        let mut url = url;
        if let Some(service) = service {
            url = url.with("service", service);
        }
        for scope in scope.unwrap_or_default().split_whitespace() {
            url = url.with("scope", scope);
        }
        if let Some(Credential::Password { user, .. }) = credential {
            url = url.with("account", user);
        }
        let basic = credential.and_then(Credential::basic);
        self.transport.send(&Request::get(url), basic.as_deref())
    }

    /// OAuth's way for those who have a token instead of a password.
    fn exchange(
        &self,
        url: Url,
        (service, scope): (Option<&str>, Option<&str>),
        token: &str,
    ) -> Result<Response, Error> {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", "cowshed"),
            ("service", service.unwrap_or_default()),
            ("scope", scope.unwrap_or_default()),
            ("refresh_token", token),
        ];
        let form = pairs.map(|(key, value)| format!("{key}={}", escaped(value)));
        let form = form.join("&");
        let kind = "application/x-www-form-urlencoded".to_owned();
        let request = Request {
            headers: vec![("content-type", kind)],
            content: Content::Bytes(form.as_bytes()),
            ..Request::new(Method::POST, url)
        };
        self.transport.send(&request, None)
    }

    /// Whether a token server may have the password of this registry.
    fn trusts(&self, realm: &Origin) -> bool {
        realm.host == self.origin.host
            || self.settings.trusts_realm(&self.domain, &realm.authority())
            || realm.secure && is_same_site(&realm.host, &self.origin.host)
    }
}

fn url_host(response: &Response) -> String {
    response.url.origin.authority()
}

/// Whether two hosts belong to one owner, as far as their names tell: `auth.docker.io` and
/// `registry-1.docker.io` do. Below a country a site has three parts (`a.co.kr`), if the second is as
/// short as those of registrars.
fn is_same_site(one: &str, other: &str) -> bool {
    let (one, other) = (site(one), site(other));
    one.is_some() && one == other
}

fn site(host: &str) -> Option<&str> {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let labels: Vec<_> = host.split('.').collect();
    let [.., second, top] = labels[..] else {
        return None;
    };
    let parts = if top.len() == 2 && second.len() <= 3 {
        3
    } else {
        2
    };
    if labels.len() < parts {
        return None;
    }
    let length: usize = labels[labels.len() - parts..]
        .iter()
        .map(|label| label.len() + 1)
        .sum();
    Some(&host[host.len() + 1 - length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_told_apart_by_their_names() {
        for (one, other, same) in [
            ("auth.docker.io", "registry-1.docker.io", true),
            ("gitlab.com", "registry.gitlab.com", true),
            ("auth.docker.io", "auth.docker.io.evil.example", false),
            ("evil.io", "docker.io", false),
            ("a.shop.co.kr", "b.shop.co.kr", true),
            ("shop.co.kr", "evil.co.kr", false),
            ("co.kr", "evil.co.kr", false),
            ("localhost", "localhost", false),
            ("10.0.0.1", "11.0.0.1", false),
            ("::1", "::1", false),
        ] {
            assert_eq!(is_same_site(one, other), same, "{one} {other}");
        }
    }
}
