//! `Credentials`: names and passwords of registries, where Docker and Podman keep them.
//!
//! ```text
//! $DOCKER_CONFIG/config.json, ~/.docker/config.json      read and written: auths, credHelpers, credsStore
//! $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json,
//! ~/.config/containers/auth.json                         read, for what the first does not have
//! ```

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{Error, credential_program};
use crate::sys::{At as _, SysError};

/// What Docker calls its own registry there.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A larger file is none of these.
const SIZE_MAX: u64 = 4 << 20;

/// What one shows to be let in.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// Whose.
        user: String,
        /// Secret.
        password: String,
    },
    /// A token that a token server gives others for.
    Identity {
        /// Secret.
        token: String,
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(********)",
            Self::Identity { .. } => "Identity(********)",
        })
    }
}

impl Credential {
    /// The value of an `Authorization` header.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Identity { .. } => None,
            Self::Password { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {pair}"))
            }
        }
    }
}

/// Where a credential went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Readable, into this file.
    Plain(PathBuf),
    /// Into a program that keeps it.
    Program,
}

/// The files of one user.
#[derive(Debug)]
pub struct Credentials {
    /// Docker's file.
    path: PathBuf,
    docker: Value,
    /// Podman's; the first that knows a registry counts.
    others: Vec<Value>,
}

/// The name a registry has in the files.
fn key_of(domain: &str) -> &str {
    match domain {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB_KEY,
        domain => domain,
    }
}

impl Credentials {
    /// Reads the files of this user; those that are not there hold nothing.
    pub fn read() -> Result<Self, Error> {
        let variable = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("/root"));
        let docker = variable("DOCKER_CONFIG").unwrap_or_else(|| home.join(".docker"));
        let path = docker.join("config.json");
        let named = variable("REGISTRY_AUTH_FILE");
        let runtime = variable("XDG_RUNTIME_DIR");
        let runtime = runtime.map(|dir| dir.join("containers/auth.json"));
        let own = Some(home.join(".config/containers/auth.json"));
        // A directory of one's own for Docker's file is one's own choice of files.
        let others: Vec<_> = if named.is_none() && std::env::var_os("DOCKER_CONFIG").is_some() {
            Vec::new()
        } else {
            [named, runtime, own].into_iter().flatten().collect()
        };
        let read = others.iter().map(|path| read(path));
        Ok(Self {
            docker: read_or_null(&path)?,
            others: read
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect(),
            path,
        })
    }

    /// What to show a registry for one of its repositories.
    pub fn find(&self, domain: &str, repository: &str) -> Result<Option<Credential>, Error> {
        let key = key_of(domain);
        if let Some(program) = self.program(key) {
            return credential_program::get(&program, key);
        }
        for file in std::iter::once(&self.docker).chain(&self.others) {
            if let Some(found) = in_file(file, domain, repository)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Keeps one.
    pub fn store(&mut self, domain: &str, credential: &Credential) -> Result<Kept, Error> {
        let key = key_of(domain);
        if let Some(program) = self.program(key) {
            credential_program::store(&program, key, credential)?;
            self.note_kept_by_program(key)?;
            return Ok(Kept::Program);
        }
        let entry = match credential {
            Credential::Password { user, password } => {
                json!({ "auth": BASE64_STANDARD.encode(format!("{user}:{password}")) })
            }
            Credential::Identity { token } => json!({ "identitytoken": token }),
        };
        self.auths().insert(key.to_owned(), entry);
        self.write()?;
        Ok(Kept::Plain(self.path.clone()))
    }

    /// A password of before must not stay readable.
    fn note_kept_by_program(&mut self, key: &str) -> Result<(), Error> {
        self.auths().insert(key.to_owned(), json!({}));
        self.write()
    }

    /// Forgets one; whether there was one.
    pub fn erase(&mut self, domain: &str) -> Result<bool, Error> {
        let key = key_of(domain);
        let listed = self.auths().remove(key).is_some();
        let program = self.program(key);
        let kept = program
            .as_deref()
            .map(|program| credential_program::get(program, key))
            .transpose()?;
        if let Some(program) = program.filter(|_| listed || matches!(kept, Some(Some(_)))) {
            credential_program::erase(&program, key)?;
            self.write()?;
            return Ok(true);
        }
        if listed {
            self.write()?;
        }
        Ok(listed)
    }

    /// The program that keeps a registry's.
    fn program(&self, key: &str) -> Option<String> {
        let own = self.docker["credHelpers"][key].as_str();
        let program = own.or_else(|| self.docker["credsStore"].as_str());
        program
            .filter(|program| !program.is_empty())
            .map(str::to_owned)
    }

    fn auths(&mut self) -> &mut Map<String, Value> {
        let whole = as_object(&mut self.docker);
        as_object(whole.entry("auths").or_insert_with(|| json!({})))
    }

    /// Replaces Docker's file, whose other fields stay; nobody else can read it.
    fn write(&self) -> Result<(), Error> {
        let failed = |source| Error::Settings {
            path: self.path.clone(),
            source,
        };
        let io = |call: &'static str| {
            move |error: std::io::Error| {
                failed(SysError::from_io(
                    call,
                    self.path.display().to_string(),
                    &error,
                ))
            }
        };
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, tabs);
        serde::Serialize::serialize(&self.docker, &mut serializer).map_err(|error| {
            Error::BadSettings {
                path: self.path.clone(),
                why: error.to_string(),
            }
        })?;
        // Whoever linked it elsewhere wants it there.
        let path = self.path.read_link().map_or_else(
            |_| self.path.clone(),
            |target| self.path.with_file_name("").join(target),
        );
        if let Some(dir) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(dir).map_err(io("mkdir"))?;
        }
        let unfinished = path.with_extension(format!("json.{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mode = path
            .metadata()
            .map_or(0o600, |old| old.permissions().mode() & 0o777);
        let put = || {
            let mut file = options.open(&unfinished)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(&text)?;
            file.sync_data()?;
            fs::rename(&unfinished, &path)
        };
        put().map_err(|error| {
            fs::remove_file(&unfinished).ok();
            io("write")(error)
        })
    }
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made one above")
}

fn read(path: &Path) -> Result<Option<Value>, Error> {
    let what = || path.display().to_string();
    let mut text = Vec::new();
    let done = File::open(path)
        .at("open", what)
        .and_then(|file| file.take(SIZE_MAX).read_to_end(&mut text).at("read", what));
    match done {
        Err(error)
            if matches!(
                error.errno(),
                Some(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR)
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(Error::Settings {
            path: path.to_owned(),
            source,
        }),
        Ok(_) if text.trim_ascii().is_empty() => Ok(None),
        Ok(_) => serde_json::from_slice(&text).map(Some).map_err(|error| {
            let why = error.to_string();
            let path = path.to_owned();
            Error::BadSettings { path, why }
        }),
    }
}

fn read_or_null(path: &Path) -> Result<Value, Error> {
    Ok(read(path)?.unwrap_or_default())
}

/// Docker's keys are hosts, or URLs of old; Podman's may name a repository, and the longest that fits
/// counts.
fn in_file(file: &Value, domain: &str, repository: &str) -> Result<Option<Credential>, Error> {
    let Some(auths) = file["auths"].as_object() else {
        return Ok(None);
    };
    let whole = format!("{domain}/{repository}");
    let fits = |key: &str| {
        let bare = bare(key);
        let is_hub = domain == "docker.io"
            && matches!(
                bare,
                "index.docker.io" | "docker.io" | "registry-1.docker.io"
            );
        is_hub
            || bare == domain
            || whole == bare
            || whole
                .strip_prefix(bare)
                .is_some_and(|rest| rest.starts_with('/') && bare.contains('/'))
    };
    let fitting = auths.iter().filter(|(key, _)| fits(key));
    let best = fitting.max_by_key(|(key, _)| bare(key).matches('/').count());
    best.map_or(Ok(None), |(key, entry)| entry_of(key, entry))
}

/// `a.example` of `https://a.example/v1/`.
fn bare(key: &str) -> &str {
    let (is_url, rest) = match key.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, key),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let is_old = rest.ends_with("/v1/") || rest.ends_with("/v1") || rest.ends_with("/v2/");
    if is_url || is_old {
        host
    } else {
        rest.trim_end_matches('/')
    }
}

fn entry_of(key: &str, entry: &Value) -> Result<Option<Credential>, Error> {
    let text = |field: &str| entry[field].as_str().filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        let token = token.to_owned();
        return Ok(Some(Credential::Identity { token }));
    }
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        let (user, password) = (user.to_owned(), password.to_owned());
        return Ok(Some(Credential::Password { user, password }));
    }
    let Some(auth) = text("auth") else {
        return Ok(None);
    };
    let bad = || Error::BadCredential {
        registry: key.to_owned(),
    };
    let pair = BASE64_STANDARD.decode(auth.trim()).map_err(|_| bad())?;
    let pair = String::from_utf8(pair).map_err(|_| bad())?;
    let (user, password) = pair.split_once(':').ok_or_else(bad)?;
    Ok(Some(Credential::Password {
        user: user.to_owned(),
        password: password.trim_matches('\0').to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Credential {
        let (user, password) = (user.to_owned(), password.to_owned());
        Credential::Password { user, password }
    }

    #[test]
    fn a_registry_is_found_under_each_of_its_keys() {
        let auth = BASE64_STANDARD.encode("me:a:b 한");
        for (key, domain, is) in [
            ("https://index.docker.io/v1/", "docker.io", true),
            ("docker.io", "docker.io", true),
            ("a.example:5000", "a.example:5000", true),
            ("https://a.example/v1/", "a.example", true),
            ("a.example", "a.example:5000", false),
            ("a.example/team", "a.example", true),
            ("a.example/other", "a.example", false),
            ("a.example/te", "a.example", false),
            ("a.exam", "a.example", false),
        ] {
            let file = json!({ "auths": { key: { "auth": auth } } });
            let found = in_file(&file, domain, "team/app").unwrap();
            let wanted = is.then(|| password("me", "a:b 한"));
            assert_eq!(found, wanted, "{key} {domain}");
        }
    }

    #[test]
    fn the_longest_key_wins() {
        let entry = |user: &str| json!({ "username": user, "password": "x" });
        let file = json!({ "auths": { "a.example": entry("all"), "a.example/team": entry("team"),
            "a.example/team/app": entry("app") } });
        for (repository, user) in [("x", "all"), ("team/b", "team"), ("team/app", "app")] {
            let found = in_file(&file, "a.example", repository).unwrap();
            assert_eq!(found, Some(password(user, "x")));
        }
    }

    #[test]
    fn damaged_entries_are_told_and_empty_ones_are_none() {
        let find = |entry: Value| in_file(&json!({ "auths": { "a": entry } }), "a", "x");
        assert!(find(json!({ "auth": "%%" })).is_err());
        assert!(find(json!({ "auth": BASE64_STANDARD.encode("no colon") })).is_err());
        assert_eq!(find(json!({})).unwrap(), None);
        let token = Credential::Identity {
            token: "t".to_owned(),
        };
        assert_eq!(find(json!({ "identitytoken": "t" })).unwrap(), Some(token));
    }

    #[test]
    fn a_readable_password_goes_when_a_program_keeps_it() {
        let scratch = tempfile::tempdir().unwrap();
        let auth = json!({ "auth": "bWU6b2xk" });
        let mut credentials = Credentials {
            path: scratch.path().join("config.json"),
            docker: json!({ "auths": { "a.example": auth, "b.example": auth } }),
            others: Vec::new(),
        };
        credentials.note_kept_by_program("a.example").unwrap();
        let written = read(&credentials.path).unwrap().unwrap();
        assert_eq!(
            written["auths"],
            json!({ "a.example": {}, "b.example": auth })
        );
    }

    #[test]
    fn a_secret_is_not_printed() {
        let shown = format!("{:?}", password("me", "secret"));
        assert!(!shown.contains("secret"));
    }
}
