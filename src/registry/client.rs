//! `Client`: the registries, as this user and this machine know them.

use std::sync::Arc;

use super::{
    Credentials, Error, Repository, Settings,
    authorization::Session,
    settings::{Endpoint, Security},
    transport::{Request, Transport},
    url::{Origin, Url},
};
use crate::ident::Reference;

/// Opens repositories; its connections are kept for the next one.
#[derive(Debug)]
pub struct Client {
    settings: Arc<Settings>,
    credentials: Credentials,
    transport: Arc<Transport>,
}

impl Client {
    /// A client with the settings and the passwords of this machine and user.
    pub fn new() -> Result<Self, Error> {
        Ok(Self::with(Settings::read()?, Credentials::read()?))
    }

    /// A client with these.
    pub fn with(settings: Settings, credentials: Credentials) -> Self {
        let settings = Arc::new(settings);
        Self {
            transport: Arc::new(Transport::new(Arc::clone(&settings))),
            settings,
            credentials,
        }
    }

    /// Where a reference's repository can be read: mirrors first, the registry itself last.
    ///
    /// Each is opened when it comes to it.
    pub fn sources<'c>(
        &'c self,
        reference: &'c Reference,
    ) -> impl Iterator<Item = Result<Repository, Error>> + use<'c> {
        let endpoints = self.settings.endpoints(reference.domain()).into_iter();
        endpoints.map(|endpoint| self.open(reference, &endpoint, "pull"))
    }

    /// How many sources there are; nobody is asked.
    pub fn count_sources(&self, reference: &Reference) -> usize {
        self.settings.endpoints(reference.domain()).len()
    }

    /// Where a reference's repository is written.
    pub fn target(&self, reference: &Reference) -> Result<Repository, Error> {
        let home = self.settings.home(reference.domain());
        self.open(reference, &home, "pull,push")
    }

    fn open(
        &self,
        reference: &Reference,
        endpoint: &Endpoint,
        actions: &str,
    ) -> Result<Repository, Error> {
        let domain = if endpoint.is_mirror {
            &endpoint.authority
        } else {
            reference.domain()
        };
        let credential = self.credentials.find(domain, reference.path())?;
        let session = Session::new(
            (Arc::clone(&self.transport), Arc::clone(&self.settings)),
            domain,
            self.origin(endpoint)?,
            credential,
        );
        Ok(Repository::new(session, reference, actions))
    }

    /// A session with a registry alone, with a credential that is not kept yet.
    pub(super) fn session(
        &self,
        domain: &str,
        credential: super::Credential,
    ) -> Result<Session, Error> {
        let home = self.settings.home(domain);
        Ok(Session::new(
            (Arc::clone(&self.transport), Arc::clone(&self.settings)),
            domain,
            self.origin(&home)?,
            Some(credential),
        ))
    }

    /// Finds out how to speak to a host that need not have TLS.
    fn origin(&self, endpoint: &Endpoint) -> Result<Origin, Error> {
        let authority = &endpoint.authority;
        let origin = |secure| {
            Origin::new(secure, authority).ok_or_else(|| Error::Name {
                text: authority.clone(),
            })
        };
        match endpoint.security {
            Security::Verified => origin(true),
            Security::Plain => origin(false),
            Security::Any => {
                let secure = origin(true)?;
                let url = Url::at(&secure, "/v2/".to_owned());
                match self.transport.ask(&Request::get(url)) {
                    // It speaks no TLS, or does not speak at all: then the next request says so.
                    Err(Error::Connection { .. }) => origin(false),
                    Err(error) => Err(error),
                    Ok(_) => Ok(secure),
                }
            }
        }
    }
}
