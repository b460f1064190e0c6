//! Registries: images over HTTP, by the distribution-spec, version 2.
//!
//! # Flow
//!
//! A [`Client`] opens a [`Repository`] of a reference: at a mirror or at the registry itself. It reads
//! manifests, which are checked against their digest, and blobs, which a [`Download`] hands on while
//! they come, going on where a connection broke. Its other half sends the same.
//!
//! # Rules
//!
//! - Everything a registry says is a stranger's word: documents are bounded, lengths and digests are
//!   checked, redirects are counted, and each error names the host and the thing it was about.
//! - A password or token goes to the host that it is for. A token server on another site gets none,
//!   unless `registries.json` names it; a redirect to another host takes none along.
//! - TLS with a verified certificate, but for loopback and for what somebody named as insecure.
//! - Nothing here is touched by a command that needs no registry: TLS costs what `run` has no time for.
//!
//! Not here: what an image is (`image`), where blobs go (`store`, `rootfs`), in which order things are
//! asked for (`container`).

mod authorization;
mod certificates;
mod challenge;
mod client;
mod connections;
mod credential_program;
mod credentials;
mod download;
mod login;
mod repository;
mod settings;
mod slots;
mod transport;
mod upload;
mod url;

pub use client::Client;
pub use credentials::{Credential, Credentials, HUB_KEY, Kept};
pub use download::{Download, Failure as DownloadFailure, Heard, Part, Watcher};
pub use login::login;
pub use repository::{Fetched, Repository};
pub use settings::Settings;
pub use slots::Slots;
pub use upload::{Open, Sent};

use std::path::PathBuf;

use crate::{
    error::{ErrorKind, Failure},
    ident::Digest,
    image,
    sys::SysError,
};

/// Why a registry did not do what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer at all.
    #[error("{operation}: {}", reason(cause))]
    Connection {
        /// Method and URL.
        operation: String,
        /// Why.
        cause: Box<ureq::Error>,
    },
    /// An answer that is a refusal.
    #[error("{operation}: {host} answers {status}{}", told(said))]
    Refused {
        /// Method and URL.
        operation: String,
        /// Who.
        host: String,
        /// HTTP's code.
        status: u16,
        /// Code and message of each error that it names.
        said: Vec<(String, String)>,
    },
    /// A busy server that wants to be left alone for longer than we wait.
    #[error("{operation}: {host} answers {status} and asks to wait for {seconds} seconds")]
    Busy {
        /// Method and URL.
        operation: String,
        /// Who.
        host: String,
        /// HTTP's code.
        status: u16,
        /// How long.
        seconds: u64,
    },
    /// Docker's text.
    #[error("manifest for {reference} not found: manifest unknown: {host} has none of this name")]
    ManifestUnknown {
        /// As asked for.
        reference: String,
        /// Who.
        host: String,
    },
    /// Docker's text.
    #[error(
        "pull access denied for {repository}, repository does not exist or may require \
         'cowshed login': {host} denies it{}",
        told(said)
    )]
    Denied {
        /// As asked for.
        repository: String,
        /// Who.
        host: String,
        /// Code and message of each error that it names.
        said: Vec<(String, String)>,
    },
    /// Neither name nor password for who wants one.
    #[error("{operation}: {host} wants a name and a password")]
    NoCredential {
        /// Method and URL.
        operation: String,
        /// Who.
        host: String,
    },
    /// A name and password that are not taken. Docker's words.
    #[error("login attempt to {host} failed with status: {status}: incorrect username or password")]
    BadPassword {
        /// Who.
        host: String,
        /// HTTP's code.
        status: u16,
    },
    /// A token server that is not the registry's own wants a password.
    #[error(
        "registry {registry} sends to the token server {realm}, which is on another site: it was \
         given no password, and no token came back (status {status})"
    )]
    ForeignRealm {
        /// Whose password it is.
        registry: String,
        /// Host of the token server.
        realm: String,
        /// HTTP's code.
        status: u16,
    },
    /// A challenge, token or header that is none.
    #[error("{host} sends {what} that cannot be used: {why}")]
    Nonsense {
        /// Who.
        host: String,
        /// What.
        what: String,
        /// The rule it breaks.
        why: String,
    },
    /// Redirects without an end.
    #[error("{operation}: {host} redirects again and again")]
    RedirectLoop {
        /// Method and URL.
        operation: String,
        /// Who began it.
        host: String,
    },
    /// A redirect that gives TLS up.
    #[error("{from} redirects to {to}, which has no TLS")]
    Downgrade {
        /// URL.
        from: String,
        /// URL.
        to: String,
    },
    /// A page for people instead of a document.
    #[error("{host} sends a web page as {what}: is it a registry?")]
    Html {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// A document larger than any of its kind.
    #[error("{host} sends more than {limit} bytes as {what}")]
    TooLarge {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Our limit.
        limit: u64,
    },
    /// A connection that broke.
    #[error("{host} breaks off in the middle of {what}")]
    Cut {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// Other bytes than were asked for.
    #[error("{host} sends {what} with digest {found}, not {wanted}")]
    Digest {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// As named.
        wanted: Digest,
        /// Computed.
        found: Digest,
    },
    /// More or fewer bytes than the manifest says.
    #[error("{host} has {found} bytes for {what}, its manifest says {wanted}")]
    Length {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// From the manifest.
        wanted: u64,
        /// As promised or sent; a lower bound where it goes on.
        found: u64,
    },
    /// A document that is not what it should be.
    #[error("{host} sends {what} that is no document of an image")]
    Document {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Why.
        source: Box<image::Error>,
    },
    /// No build of the image for this platform. Docker's text.
    #[error("no matching manifest for {platform} in the manifest list entries of {what} at {host}")]
    NoPlatform {
        /// As asked for.
        platform: String,
        /// Which index.
        what: String,
        /// Who.
        host: String,
    },
    /// A settings file that cannot be read or written.
    #[error("read or write {}", path.display())]
    Settings {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: SysError,
    },
    /// A settings file that says what cannot be.
    #[error("parse {}: {why}", path.display())]
    BadSettings {
        /// Which file.
        path: PathBuf,
        /// Where it goes wrong.
        why: String,
    },
    /// A kept password that cannot be read.
    #[error(
        "the password that is kept for {registry} cannot be read: it is no base64 of NAME:PASSWORD"
    )]
    BadCredential {
        /// Which registry.
        registry: String,
    },
    /// The program that keeps passwords failed.
    #[error("{program} {verb}: {why}")]
    CredentialProgram {
        /// Its name.
        program: String,
        /// What it was to do.
        verb: &'static str,
        /// What it said.
        why: String,
    },
    /// A proxy that we cannot go through.
    #[error("{variable} names no proxy of ours")]
    Proxy {
        /// In the environment.
        variable: &'static str,
    },
    /// Not a registry's name.
    #[error("{text:?} is not the name of a registry")]
    Name {
        /// As given.
        text: String,
    },
    /// Something of the store cannot be read or written.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: String,
        /// Why.
        source: SysError,
    },
}

/// Without the library's own words.
fn reason(error: &ureq::Error) -> String {
    if let ureq::Error::Io(error) = error {
        return error.to_string();
    }
    if let ureq::Error::Other(error) = error {
        return error.to_string();
    }
    error.to_string()
}

/// What a registry gave as its reasons, for the end of a line.
fn told(said: &[(String, String)]) -> String {
    let shown = said
        .iter()
        .map(|(code, message)| format!(": {} ({code})", message.trim()));
    shown.collect()
}

impl Error {
    /// Whether another host may do what this one did not.
    pub fn is_of_this_host(&self) -> bool {
        !matches!(
            self,
            Error::Settings { .. } | Error::BadSettings { .. } | Error::System { .. }
        )
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::ManifestUnknown { .. } | Error::NoPlatform { .. } => ErrorKind::NotFound,
            Error::Denied { .. }
            | Error::NoCredential { .. }
            | Error::BadPassword { .. }
            | Error::ForeignRealm { .. } => ErrorKind::Denied,
            Error::Nonsense { .. }
            | Error::RedirectLoop { .. }
            | Error::Downgrade { .. }
            | Error::Html { .. }
            | Error::TooLarge { .. }
            | Error::Digest { .. }
            | Error::Length { .. } => ErrorKind::Corrupt,
            Error::Document { source, .. } => source.kind(),
            Error::BadSettings { .. }
            | Error::BadCredential { .. }
            | Error::Proxy { .. }
            | Error::Name { .. } => ErrorKind::Invalid,
            Error::Connection { .. }
            | Error::Refused { .. }
            | Error::Busy { .. }
            | Error::Cut { .. }
            | Error::CredentialProgram { .. } => ErrorKind::System,
            Error::Settings { source, .. } | Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Denied { .. } | Error::NoCredential { .. } => {
                "cowshed login HOST, or check the name"
            }
            Error::BadPassword { .. } => "cowshed login HOST",
            Error::ForeignRealm {
                registry, realm, ..
            } => {
                return Some(format!(
                    "if it may have the password: {{\"token-realms\": {{\"{registry}\": \
                     [\"{realm}\"]}}}} in /etc/cowshed/registries.json"
                ));
            }
            Error::NoPlatform { .. } => "--platform OS/ARCHITECTURE names another",
            Error::Busy { .. } => "try again later",
            Error::Cut { .. } => "pull it again: more than a MiB of a layer is kept for a day",
            Error::Connection { cause, .. } => return connection_hint(cause),
            Error::BadCredential { .. } => "cowshed login HOST writes it again",
            Error::Proxy { .. } => "it is http://HOST:PORT or https://HOST:PORT",
            Error::Name { .. } => "it is HOST or HOST:PORT, such as localhost:5000",
            Error::Settings { source, .. } | Error::System { source, .. } => {
                return source.hint();
            }
            Error::Document { source, .. } => return source.hint(),
            Error::Refused { .. }
            | Error::ManifestUnknown { .. }
            | Error::Nonsense { .. }
            | Error::RedirectLoop { .. }
            | Error::Downgrade { .. }
            | Error::Html { .. }
            | Error::TooLarge { .. }
            | Error::Digest { .. }
            | Error::Length { .. }
            | Error::BadSettings { .. }
            | Error::CredentialProgram { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn connection_hint(error: &ureq::Error) -> Option<String> {
    let hint = if is_of_tls(error) {
        "a certificate of its own goes to /etc/docker/certs.d/HOST/ca.crt; one without TLS is named \
         under insecure-registries"
    } else if matches!(
        error,
        ureq::Error::Other(_) | ureq::Error::Io(_) | ureq::Error::Timeout(_)
    ) {
        "without a network, cowshed load takes images from files"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// It comes by itself, or as what a read has failed for.
fn is_of_tls(error: &ureq::Error) -> bool {
    if let ureq::Error::Io(error) = error
        && let Some(inner) = error.get_ref()
    {
        return inner.is::<rustls::Error>();
    }
    matches!(error, ureq::Error::Rustls(_))
}
