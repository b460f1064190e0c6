//! Whom one trusts: the system's certificates, and those that somebody put there for one host.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, parse_pem};

use super::Error;
use crate::sys::{At as _, SysError};

/// Where distributions keep the bundle; the first that is there counts.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Larger than any bundle.
const SIZE_MAX: u64 = 16 << 20;

pub(super) type Certificates = Vec<Certificate<'static>>;

/// What is known for one host.
#[derive(Debug, Default)]
pub(super) struct OfHost {
    pub(super) roots: Certificates,
    pub(super) client: Option<ClientCert>,
}

fn bad(path: &Path, why: &impl ToString) -> Error {
    Error::BadSettings {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let what = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).at("open", what);
    let done = file.and_then(|file| {
        let mut file = file.take(SIZE_MAX);
        file.read_to_end(&mut bytes).at("read", what)
    });
    done.map_err(|source: SysError| Error::Settings {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}

fn certificates(path: &Path) -> Result<Certificates, Error> {
    let bytes = read(path)?;
    let items = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(bad(path, &error))),
    });
    items.collect()
}

/// The system's; none at all where there is no bundle.
pub(super) fn of_system() -> Result<Certificates, Error> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = || BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    match named.or_else(usual) {
        Some(path) => certificates(&path),
        None => Ok(Vec::new()),
    }
}

/// Docker's rule: `*.crt` are roots, `X.cert` and `X.key` are what we show ourselves.
pub(super) fn of_host(dirs: &[PathBuf]) -> Result<OfHost, Error> {
    let mut found = OfHost::default();
    for dir in dirs {
        // One that is not there has none.
        let Ok(entries) = std::fs::read_dir(dir) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("crt") => found.roots.extend(certificates(&path)?),
                Some("cert") => found.client = Some(client(&path)?),
                _ => {}
            }
        }
    }
    Ok(found)
}

fn client(path: &Path) -> Result<ClientCert, Error> {
    let chain = certificates(path)?;
    let key_path = path.with_extension("key");
    let key = PrivateKey::from_pem(&read(&key_path)?).map_err(|error| bad(&key_path, &error))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
