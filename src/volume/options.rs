//! Driver options of the local driver as values: what shall be mounted. Nothing is looked at here.
//!
//! The rules and texts are Docker's (semantics 38). An option travels to the kernel as a key and a
//! value of its own, never as part of a list, so none can smuggle in another.

use std::{collections::BTreeMap, path::PathBuf};

use super::option_word::{Class, class_of};
use crate::{
    error::{ErrorKind, Failure},
    ident::{Units, parse_size},
    sys::mount::{Attributes, Depth, PropagationType},
};

/// What stands in place of a secret.
pub(super) const HIDDEN: &str = "********";

const SECRETS: [&str; 4] = ["password", "pass", "password2", "secret"];

/// The option that names a file whose first line is the password.
const SECRET_FILE: &str = "password-file";

/// Driver options that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Docker's text.
    #[error("invalid option: {key:?}")]
    Unknown {
        /// As given.
        key: String,
    },
    /// Docker's text.
    #[error("missing required option: {key:?}")]
    Missing {
        /// Which one.
        key: &'static str,
    },
    /// Docker's text.
    #[error("quota size requested but no quota support")]
    Quota {
        /// Whether there is a file system that could be told its size by itself.
        tmpfs: bool,
    },
    /// Not a size. Docker's text.
    #[error("invalid size: '{text}'")]
    Size {
        /// As given.
        text: String,
    },
    /// A value that cannot be.
    #[error("invalid value for option {key:?}: {why}")]
    Value {
        /// Which option.
        key: &'static str,
        /// The rule.
        why: String,
    },
}

impl Failure for OptionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Quota { .. } => ErrorKind::Unsupported,
            Self::Unknown { .. }
            | Self::Missing { .. }
            | Self::Size { .. }
            | Self::Value { .. } => ErrorKind::Invalid,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unknown { .. } => "options of the local driver: type, device, o",
            Self::Missing { .. } => {
                "cowshed volume create -o type=tmpfs -o device=tmpfs -o o=size=100m NAME"
            }
            Self::Quota { tmpfs: true } => "the size of a tmpfs: -o o=size=100m",
            Self::Quota { tmpfs: false } => {
                "a volume of a fixed size: -o type=ext4 -o device=IMAGE"
            }
            Self::Size { .. } | Self::Value { .. } => return None,
        };
        Some(text.to_owned())
    }
}

/// A password, or where it is read from at the time of the mount.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Text { key: String, value: String },
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text { key, .. } => write!(f, "{key}={HIDDEN}"),
            Self::File(path) => write!(f, "{SECRET_FILE}={}", path.display()),
        }
    }
}

/// A file system to be mounted on a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountSpec {
    /// `type`.
    pub(super) kind: String,
    /// `device`.
    pub(super) device: String,
    /// A bind, of the top mount or of everything below it.
    pub(super) bind: Option<Depth>,
    /// Of the mount.
    pub(super) attributes: Attributes,
    /// How mounts travel, where `o` says so.
    pub(super) propagation: Option<(PropagationType, Depth)>,
    /// Switches of every file system: `ro`, `sync`.
    pub(super) switches: Vec<String>,
    /// What only this file system knows, in its order.
    pub(super) data: Vec<(String, Option<String>)>,
    pub(super) secret: Option<Secret>,
}

impl MountSpec {
    /// Reads driver options; `None` where they ask for no mount.
    pub fn parse(options: &BTreeMap<String, String>) -> Result<Option<Self>, OptionError> {
        check_keys(options)?;
        let (Some(kind), Some(device)) = (options.get("type"), options.get("device")) else {
            return Ok(None);
        };
        check_kind(kind)?;
        check_device(device)?;
        let mut spec = Self {
            kind: kind.clone(),
            device: device.clone(),
            bind: None,
            attributes: Attributes::NONE,
            propagation: None,
            switches: Vec::new(),
            data: Vec::new(),
            secret: None,
        };
        let words = options.get("o").map_or("", String::as_str);
        check_text("o", words)?;
        for word in words.split(',').filter(|word| !word.is_empty()) {
            spec.take(word)?;
        }
        spec.check_bind()?;
        Ok(Some(spec))
    }

    /// Whether the container could not write in any case.
    pub fn is_read_only(&self) -> bool {
        self.attributes.has(Attributes::READ_ONLY)
    }

    fn take(&mut self, word: &str) -> Result<(), OptionError> {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        let refuse = |why: &str| OptionError::Value {
            key: "o",
            why: format!("{key}: {why}"),
        };
        if SECRETS.contains(&key) || key == SECRET_FILE {
            return self.take_secret(key, value.unwrap_or_default());
        }
        if value.is_some() {
            if key.is_empty() {
                return Err(refuse("a value needs a name"));
            }
            if key == "source" {
                return Err(refuse("that is the option device"));
            }
            self.data.push((key.to_owned(), value.map(str::to_owned)));
            return Ok(());
        }
        match class_of(key) {
            Class::Set(attribute) => {
                let atime = Attributes::NO_ATIME.with(Attributes::STRICT_ATIME);
                if atime.has(attribute) {
                    self.attributes = self.attributes.without(Attributes::ANY_ATIME);
                }
                self.attributes = self.attributes.with(attribute);
            }
            Class::Clear(attribute) => self.attributes = self.attributes.without(attribute),
            Class::Bind(depth) => self.bind = Some(depth),
            Class::Propagation(kind, depth) => self.propagation = Some((kind, depth)),
            Class::Switch => self.switches.push(key.to_owned()),
            Class::Nothing => {}
            Class::Refused(why) => return Err(refuse(why)),
            Class::Data => self.data.push((key.to_owned(), None)),
        }
        // Read-only is both the mount and the file system.
        if matches!(key, "ro" | "rw") {
            self.switches
                .retain(|switch| !matches!(&**switch, "ro" | "rw"));
            self.switches.push(key.to_owned());
        }
        Ok(())
    }

    fn take_secret(&mut self, key: &str, value: &str) -> Result<(), OptionError> {
        let refuse = |why: &str| OptionError::Value {
            key: "o",
            why: format!("{key}: {why}"),
        };
        if self.secret.is_some() {
            return Err(refuse("there is a password already"));
        }
        self.secret = Some(if key == SECRET_FILE {
            if !value.starts_with('/') {
                return Err(refuse("an absolute path is needed"));
            }
            Secret::File(PathBuf::from(value))
        } else {
            Secret::Text {
                key: key.to_owned(),
                value: value.to_owned(),
            }
        });
        Ok(())
    }

    fn check_bind(&self) -> Result<(), OptionError> {
        let refuse = |key, why: String| Err(OptionError::Value { key, why });
        if self.bind.is_none() {
            return match &*self.kind {
                "none" | "bind" => {
                    let why = "a directory of the host needs -o o=bind, too".to_owned();
                    refuse("type", why)
                }
                _ => Ok(()),
            };
        }
        if !self.device.starts_with('/') {
            let why = format!("{}: a bind needs an absolute path", self.device);
            return refuse("device", why);
        }
        let unfit = self.data.first().map(|(key, _)| key.clone());
        let unfit = unfit.or_else(|| self.secret.is_some().then(|| "password".to_owned()));
        match unfit {
            Some(key) => refuse("o", format!("{key}: a bind takes no such option")),
            None => Ok(()),
        }
    }

    /// All words of `o` but secrets, in the form that mount(8) and its helpers take.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match self.bind {
            Some(Depth::Top) => words.push("bind".to_owned()),
            Some(Depth::Recursive) => words.push("rbind".to_owned()),
            None => {}
        }
        words.extend(self.switches.iter().cloned());
        let names = super::option_word::names(self.attributes);
        words.extend(
            names
                .into_iter()
                .filter(|name| *name != "ro")
                .map(str::to_owned),
        );
        words.extend(self.data.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        }));
        words
    }

    /// The same with the secret's place marked, for people.
    pub(super) fn shown_words(&self) -> String {
        let mut words = self.words();
        words.extend(self.secret.as_ref().map(|secret| format!("{secret:?}")));
        words.join(",")
    }
}

/// The options as anybody may see them.
pub fn redacted(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let hide = |word: &str| match word.split_once('=') {
        Some((key, _)) if SECRETS.contains(&key) => format!("{key}={HIDDEN}"),
        _ => word.to_owned(),
    };
    let shown = |(key, value): (&String, &String)| {
        let value = match &**key {
            "o" => value.split(',').map(hide).collect::<Vec<_>>().join(","),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    options.iter().map(shown).collect()
}

fn check_keys(options: &BTreeMap<String, String>) -> Result<(), OptionError> {
    let known = ["device", "o", "size", "type"];
    if let Some(key) = options.keys().find(|key| !known.contains(&&***key)) {
        return Err(OptionError::Unknown { key: key.clone() });
    }
    let has = |key: &str| options.get(key).is_some_and(|value| !value.is_empty());
    if let Some(text) = options.get("size") {
        match parse_size(text, Units::Binary) {
            None => return Err(OptionError::Size { text: text.clone() }),
            Some(0) => {}
            Some(_) => {
                let tmpfs = options.get("type").is_some_and(|kind| kind == "tmpfs");
                return Err(OptionError::Quota { tmpfs });
            }
        }
    }
    for (given, needed) in [
        ("type", "device"),
        ("o", "device"),
        ("device", "type"),
        ("o", "type"),
    ] {
        if options.contains_key(given) && !has(needed) {
            return Err(OptionError::Missing { key: needed });
        }
    }
    Ok(())
}

/// Also the end of a helper's name.
fn check_kind(kind: &str) -> Result<(), OptionError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if kind.chars().all(fits) && !kind.starts_with(['.', '-']) {
        return Ok(());
    }
    Err(OptionError::Value {
        key: "type",
        why: format!("{kind:?} is no file system's name"),
    })
}

fn check_device(device: &str) -> Result<(), OptionError> {
    check_text("device", device)?;
    if device.starts_with('-') {
        let why = format!("{device:?} looks like an option");
        return Err(OptionError::Value { key: "device", why });
    }
    Ok(())
}

fn check_text(key: &'static str, text: &str) -> Result<(), OptionError> {
    if text.chars().any(char::is_control) {
        let why = "control characters are not allowed".to_owned();
        return Err(OptionError::Value { key, why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    fn parse(kind: &str, device: &str, o: &str) -> Result<MountSpec, OptionError> {
        let options = options(&[("type", kind), ("device", device), ("o", o)]);
        MountSpec::parse(&options).map(Option::unwrap)
    }

    fn message(pairs: &[(&str, &str)]) -> String {
        MountSpec::parse(&options(pairs)).unwrap_err().to_string()
    }

    #[test]
    fn rule_38_four_options_and_what_they_need() {
        assert_eq!(message(&[("foo", "1")]), "invalid option: \"foo\"");
        let (kind, device, o) = (("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m"));
        assert_eq!(message(&[kind]), "missing required option: \"device\"");
        assert_eq!(message(&[device]), "missing required option: \"type\"");
        assert_eq!(message(&[o]), "missing required option: \"device\"");
        assert_eq!(message(&[o, kind]), "missing required option: \"device\"");
        assert_eq!(message(&[o, device]), "missing required option: \"type\"");
        assert_eq!(
            message(&[("device", ""), kind]),
            "missing required option: \"device\""
        );
        assert_eq!(message(&[("size", "x")]), "invalid size: 'x'");
        let quota = "quota size requested but no quota support";
        assert_eq!(message(&[("size", "1g")]), quota);
        assert_eq!(message(&[("size", "1g"), kind, device]), quota);
        assert_eq!(MountSpec::parse(&options(&[("size", "0")])), Ok(None));
        assert_eq!(MountSpec::parse(&options(&[])), Ok(None));
        assert!(
            MountSpec::parse(&options(&[kind, device]))
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn words_become_attributes_switches_and_data() {
        let spec = parse(
            "ext4",
            "/dev/x",
            "ro,nosuid,noatime,relatime,,sync,data=ordered,acl",
        );
        let spec = spec.unwrap();
        let expected = Attributes::READ_ONLY.with(Attributes::NO_SUID);
        assert_eq!(spec.attributes, expected);
        assert!(spec.is_read_only());
        assert_eq!(spec.switches, ["ro", "sync"]);
        let data = [("data", Some("ordered")), ("acl", None)];
        let data = data.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(spec.data, data);
        assert_eq!(spec.shown_words(), "ro,sync,nosuid,data=ordered,acl");
        assert!(!parse("ext4", "/dev/x", "ro,rw").unwrap().is_read_only());
    }

    #[test]
    fn nothing_smuggles_in_another_option() {
        for (kind, device, o) in [
            ("tmpfs", "a\nb", ""),
            ("tmpfs", "a\0b", ""),
            ("tmpfs", "-oremount", ""),
            ("tmpfs", "tmpfs", "size=1m\n"),
            ("tmpfs", "tmpfs", "size=1m\0,rw"),
            ("tmpfs", "tmpfs", "remount"),
            ("tmpfs", "tmpfs", "move"),
            ("tmpfs", "tmpfs", "=x"),
            ("tmpfs", "tmpfs", "source=/dev/sda"),
            ("nfs", ":/x", "_netdev"),
            ("../../bin/sh", "x", ""),
            ("fuse.../x", "x", ""),
            ("-t", "x", ""),
            ("tmpfs,ro", "x", ""),
            ("none", "/x", "ro"),
            ("none", "x", "bind"),
            ("none", "/x", "bind,size=1m"),
            ("none", "/x", "rbind,rshared"),
            ("cifs", "//a/b", "password=a,password-file=/b"),
            ("cifs", "//a/b", "password-file=relative"),
        ] {
            let spec = parse(kind, device, o);
            assert!(
                matches!(spec, Err(OptionError::Value { .. })),
                "{kind} {device} {o}"
            );
        }
    }

    #[test]
    fn a_bind_is_a_word_whatever_the_type() {
        for (kind, o, depth) in [
            ("none", "bind", Depth::Top),
            ("none", "rbind,ro", Depth::Recursive),
            ("bind", "bind", Depth::Top),
        ] {
            assert_eq!(parse(kind, "/한글 디렉토리", o).unwrap().bind, Some(depth));
        }
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let o = "username=kim,password=s3cret,vers=3.0";
        let spec = parse("cifs", "//a/b", o).unwrap();
        let told = format!("{spec:?} {}", spec.shown_words());
        assert!(!told.contains("s3cret"), "{told}");
        assert!(!spec.words().join(",").contains("password"));
        let shown = redacted(&options(&[("type", "cifs"), ("o", o)]));
        assert_eq!(shown["o"], "username=kim,password=********,vers=3.0");
        assert_eq!(
            redacted(&options(&[("o", "pass=x,ro")]))["o"],
            "pass=********,ro"
        );
        let file = "password-file=/root/p";
        assert_eq!(redacted(&options(&[("o", file)]))["o"], file);
    }
}
