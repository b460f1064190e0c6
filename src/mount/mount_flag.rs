//! `--mount type=…,src=…,dst=…`: one CSV record of keys and values.

use std::{collections::BTreeMap, path::Path};

use super::{
    Access, BindRecursive, BindRequest, Error, IdMap, MissingSource, MountRequest, Propagation,
    RequestKind, TmpfsOptions, Upper, VolumeRequest, csv,
    form_keys::{self, ImageKeys},
    path,
};

/// Keys that may stand without a value.
const SWITCHES: [&str; 15] = [
    "readonly",
    "ro",
    "volume-nocopy",
    "volume-nocreate",
    "nocreate",
    "bind-create-src",
    "bind-nonrecursive",
    "tmpfs-exec",
    "tmpfs-noswap",
    "noswap",
    "tmpfs-copyup",
    "tmpcopyup",
    "volume-subpath-create",
    "bind-idmap",
    "idmap",
];

/// Keys that are known from elsewhere and not in this version.
const UNSUPPORTED: [&str; 2] = ["tmpfs-options", "u"];

/// Parses `--mount`; a source that begins with a dot is relative to `cwd`.
///
/// Of a key that is given twice the later value counts, as in Docker.
pub fn parse_mount_flag(text: &str, cwd: &Path) -> Result<MountRequest, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Missing {
            what: "value is empty",
        });
    }
    let mut keys = Keys::default();
    for field in csv::fields(text)? {
        keys.take(&field)?;
    }
    keys.finish(cwd)
}

/// What the fields said so far.
#[derive(Debug, Default)]
struct Keys {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    /// `None` where nothing was said.
    access: Option<Access>,
    no_create: bool,
    bind: Option<BindKeys>,
    volume: Option<VolumeRequest>,
    tmpfs: Option<TmpfsOptions>,
    image: Option<ImageKeys>,
    upper: Option<Upper>,
    ignored: Vec<String>,
}

#[derive(Debug, Default)]
struct BindKeys {
    propagation: Option<Propagation>,
    recursive: BindRecursive,
    create_source: bool,
    idmap: Option<IdMap>,
}

impl Keys {
    fn take(&mut self, field: &str) -> Result<(), Error> {
        let (key, value) = split(field)?;
        if UNSUPPORTED.contains(&key.as_str()) {
            return Err(Error::Unsupported {
                what: format!("key '{key}' of --mount"),
            });
        }
        if value.is_none() && !SWITCHES.contains(&key.as_str()) {
            return Err(Error::NotKeyValue {
                field: field.to_owned(),
            });
        }
        let known = match key.split_once('-') {
            Some(("bind", _)) => self.take_bind(&key, value)?,
            Some(("volume", _)) => self.take_volume(&key, value)?,
            Some(("tmpfs", _)) => self.take_tmpfs(&key, value)?,
            Some(("image", _)) => {
                let image = self.image.get_or_insert_default();
                image.take(&key, value.unwrap_or_default())
            }
            _ => self.take_common(&key, value)?,
        };
        if known {
            Ok(())
        } else {
            let field = field.to_owned();
            Err(Error::UnknownKey { key, field })
        }
    }

    fn take_common(&mut self, key: &str, value: Option<&str>) -> Result<bool, Error> {
        let text = value.unwrap_or_default();
        match key {
            "type" => self.kind = Some(text.to_lowercase()),
            "source" | "src" => self.source = Some(text.to_owned()),
            "target" | "dst" | "destination" => self.target = Some(text.to_owned()),
            "readonly" | "ro" => self.access = Some(access(boolean(key, value)?)),
            "nocreate" => self.no_create = boolean(key, value)?,
            // Docker Desktop's, without effect here.
            "consistency" => self.ignored.push(format!("{key}={text}")),
            "upper" => self.upper = Some(form_keys::upper(text)?),
            "idmap" => return self.take_bind("bind-idmap", value),
            "noswap" | "tmpcopyup" => return self.take_tmpfs(key, value),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_bind(&mut self, key: &str, value: Option<&str>) -> Result<bool, Error> {
        let bind = self.bind.get_or_insert_default();
        let text = value.unwrap_or_default();
        match key {
            "bind-propagation" => bind.propagation = Some(text.to_lowercase().parse()?),
            "bind-recursive" => bind.recursive = recursive(key, text)?,
            "bind-create-src" => bind.create_source = boolean(key, value)?,
            "bind-idmap" => bind.idmap = Some(value.unwrap_or("match-user").parse()?),
            "bind-nonrecursive" => return Err(Error::NonRecursive),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_volume(&mut self, key: &str, value: Option<&str>) -> Result<bool, Error> {
        let volume = self.volume.get_or_insert_default();
        let text = value.unwrap_or_default();
        match key {
            "volume-nocopy" => volume.no_copy = boolean(key, value)?,
            "volume-nocreate" => volume.no_create = boolean(key, value)?,
            // Checked and cleaned when it is known whether the volume has a name.
            "volume-subpath" => volume.subpath = Some(text.into()),
            "volume-subpath-create" => volume.create_subpath = boolean(key, value)?,
            "volume-label" => insert(&mut volume.labels, key, text)?,
            "volume-sharing" => volume.sharing = text.parse()?,
            "volume-opt" => insert(&mut volume.options, key, text)?,
            "volume-driver" if text == "local" => volume.driver = Some(text.to_owned()),
            "volume-driver" => {
                return Err(Error::Unsupported {
                    what: format!("volume-driver '{text}'"),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_tmpfs(&mut self, key: &str, value: Option<&str>) -> Result<bool, Error> {
        let tmpfs = self.tmpfs.get_or_insert_default();
        let name = match key {
            "tmpfs-exec" => {
                tmpfs.exec = boolean(key, value)?;
                return Ok(true);
            }
            "tmpfs-noswap" | "noswap" => {
                tmpfs.no_swap = boolean(key, value)?;
                return Ok(true);
            }
            "tmpfs-copyup" | "tmpcopyup" => {
                tmpfs.copy_up = boolean(key, value)?;
                return Ok(true);
            }
            "tmpfs-size" => "size",
            "tmpfs-mode" => "mode",
            "tmpfs-uid" => "uid",
            "tmpfs-gid" => "gid",
            "tmpfs-inodes" => "nr_inodes",
            _ => return Ok(false),
        };
        tmpfs.set_value(name, key, value.unwrap_or_default())
    }

    fn finish(mut self, cwd: &Path) -> Result<MountRequest, Error> {
        let kind = self.kind.take().unwrap_or_else(|| "volume".to_owned());
        let target = self.target.take().ok_or(Error::Missing {
            what: "target is required",
        })?;
        if matches!(kind.as_str(), "cluster" | "npipe") {
            return Err(Error::Unsupported {
                what: format!("mount type '{kind}'"),
            });
        }
        self.check_families(&kind)?;
        let target = path::target(&target)?;
        let mut access = self.access.unwrap_or_default();
        let mut ignored = std::mem::take(&mut self.ignored);
        let kind = match kind.as_str() {
            "bind" => RequestKind::Bind(self.into_bind(cwd)?),
            "volume" => RequestKind::Volume(self.into_volume()?),
            "tmpfs" => RequestKind::Tmpfs(self.into_tmpfs()?),
            "image" => {
                if self.access == Some(Access::ReadWrite) {
                    ignored.push("readonly=false".to_owned());
                }
                access = Access::ReadOnly;
                let image = self.image.unwrap_or_default();
                RequestKind::Image(image.finish(self.source)?)
            }
            "overlay" => {
                let where_to = (self.upper, self.no_create);
                let source = self.source.as_deref();
                RequestKind::Overlay(form_keys::overlay(source, where_to, cwd)?)
            }
            _ => return Err(Error::MountType { kind }),
        };
        Ok(MountRequest {
            target,
            access,
            kind,
            mode: String::new(),
            from_tmpfs_flag: false,
            from_mount_flag: true,
            ignored,
        })
    }

    fn check_families(&self, kind: &str) -> Result<(), Error> {
        for (family, given, fits) in [
            ("volume-*", self.volume.is_some(), kind == "volume"),
            ("bind-*", self.bind.is_some(), kind == "bind"),
            ("tmpfs-*", self.tmpfs.is_some(), kind == "tmpfs"),
            ("image-*", self.image.is_some(), kind == "image"),
            ("upper", self.upper.is_some(), kind == "overlay"),
            (
                "nocreate",
                self.no_create,
                kind != "tmpfs" && kind != "image",
            ),
        ] {
            if given && !fits {
                let kind = kind.to_owned();
                return Err(Error::Mixed { family, kind });
            }
        }
        Ok(())
    }

    fn into_bind(self, cwd: &Path) -> Result<BindRequest, Error> {
        let keys = self.bind.unwrap_or_default();
        let explicit_rprivate = keys.propagation == Some(Propagation::RPrivate);
        let read_only = self.access == Some(Access::ReadOnly);
        let (option, strict) = match keys.recursive {
            BindRecursive::Enabled | BindRecursive::Disabled => ("", false),
            BindRecursive::Writable => ("bind-recursive=writable", false),
            BindRecursive::ReadOnly => ("bind-recursive=readonly", true),
        };
        if !option.is_empty() && !read_only {
            let other = "readonly";
            return Err(Error::Requires { option, other });
        }
        if strict && !explicit_rprivate {
            let other = "bind-propagation=rprivate";
            return Err(Error::Requires { option, other });
        }
        if keys.create_source && self.no_create {
            let (option, other) = ("nocreate", "bind-create-src");
            return Err(Error::Contradiction { option, other });
        }
        let source = self.source.ok_or(Error::Missing {
            what: "field Source must not be empty",
        })?;
        Ok(BindRequest {
            source: path::host(&source, cwd).map_or_else(|| path::absolute(&source), Ok)?,
            propagation: keys.propagation.unwrap_or_default(),
            recursive: keys.recursive,
            missing: if keys.create_source {
                MissingSource::Create
            } else {
                MissingSource::Refuse
            },
            idmap: keys.idmap,
        })
    }

    fn into_volume(self) -> Result<VolumeRequest, Error> {
        let mut volume = self.volume.unwrap_or_default();
        volume.no_create |= self.no_create;
        volume.name = self.source.as_deref().map(path::volume_name).transpose()?;
        if volume.name.is_none() && volume.subpath.is_some() {
            return Err(Error::SubpathAnonymous);
        }
        if volume.name.is_none() && volume.no_create {
            let (option, other) = ("nocreate", "source");
            return Err(Error::Requires { option, other });
        }
        if let Some(typed) = volume.subpath.take() {
            volume.subpath = path::subpath(&typed.to_string_lossy())?;
        }
        form_keys::created_subpath(volume.create_subpath, volume.subpath.as_ref())?;
        Ok(volume)
    }

    fn into_tmpfs(self) -> Result<TmpfsOptions, Error> {
        if self.source.is_some() {
            return Err(Error::ExtraField { field: "Source" });
        }
        let mut options = self.tmpfs.unwrap_or_default();
        options.access = self.access.unwrap_or_default();
        Ok(options)
    }
}

/// A field's key in lower case and its value, neither with space around it.
fn split(field: &str) -> Result<(String, Option<&str>), Error> {
    let (key, value) = match field.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (field, None),
    };
    let owned = |text: &str| text.to_owned();
    if key.trim() != key {
        let (key, field) = (owned(key.trim()), owned(field));
        return Err(Error::KeySpace { key, field });
    }
    match value {
        Some(value) if value.trim().is_empty() => Err(Error::ValueEmpty { key: owned(key) }),
        Some(value) if value.trim() != value => {
            let (key, field) = (owned(key), owned(field));
            Err(Error::ValueSpace { key, field })
        }
        _ => Ok((key.to_lowercase(), value)),
    }
}

fn boolean(key: &str, value: Option<&str>) -> Result<bool, Error> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Error::Boolean {
            key: key.to_owned(),
            value: other.to_owned(),
        }),
    }
}

fn access(read_only: bool) -> Access {
    if read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

fn recursive(key: &str, text: &str) -> Result<BindRecursive, Error> {
    match text {
        "enabled" => Ok(BindRecursive::Enabled),
        "disabled" => Ok(BindRecursive::Disabled),
        "writable" => Ok(BindRecursive::Writable),
        "readonly" => Ok(BindRecursive::ReadOnly),
        _ => Err(Error::Value {
            key: key.to_owned(),
            value: text.to_owned(),
            expected: "\"enabled\", \"disabled\", \"writable\", or \"readonly\"",
        }),
    }
}

fn insert(map: &mut BTreeMap<String, String>, key: &str, pair: &str) -> Result<(), Error> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    if name.is_empty() {
        return Err(Error::Value {
            key: key.to_owned(),
            value: pair.to_owned(),
            expected: "NAME or NAME=VALUE",
        });
    }
    map.insert(name.to_owned(), value.to_owned());
    Ok(())
}

#[cfg(test)]
#[path = "mount_flag_tests.rs"]
pub(super) mod tests;
