//! `HostConfig.Mounts` of Docker's `inspect`: what `--mount` was given.

use cowshed::{
    container::AttachedMount,
    mount::{
        Access, BindRecursive, BindRequest, MissingSource, Propagation, RequestKind, TmpfsOptions,
        TmpfsSize, VolumeRequest,
    },
};
use serde_json::{Map, Value, json};

/// `null` where there is none, as in Docker.
pub(crate) fn mounts(mounts: &[AttachedMount]) -> Value {
    let typed = mounts
        .iter()
        .filter(|mount| mount.request.from_mount_flag && !mount.inherited);
    let list: Vec<_> = typed.map(mount).collect();
    if list.is_empty() {
        Value::Null
    } else {
        json!(list)
    }
}

fn mount(mount: &AttachedMount) -> Value {
    let request = &mount.request;
    let (kind, source, options) = match &request.kind {
        RequestKind::Bind(bind) => (
            "bind",
            bind.source.display().to_string(),
            bind_options(bind),
        ),
        RequestKind::Volume(volume) => {
            let name = volume.name.clone().unwrap_or_default();
            ("volume", name, volume_options(volume))
        }
        RequestKind::Tmpfs(options) => ("tmpfs", String::new(), tmpfs_options(options)),
        RequestKind::Image(image) => {
            let options = image.subpath.as_ref().map(|subpath| {
                (
                    "ImageOptions",
                    json!({ "Subpath": subpath.display().to_string() }),
                )
            });
            ("image", image.image.clone(), options)
        }
        RequestKind::Overlay(overlay) => {
            let options = json!({ "Upper": overlay.upper.to_string() });
            (
                "overlay",
                overlay.lower.to_string(),
                Some(("OverlayOptions", options)),
            )
        }
    };
    let mut value = Map::new();
    value.insert("Type".to_owned(), json!(kind));
    if !source.is_empty() {
        value.insert("Source".to_owned(), json!(source));
    }
    let target = request.target.display().to_string();
    value.insert("Target".to_owned(), json!(target));
    if request.access == Access::ReadOnly {
        value.insert("ReadOnly".to_owned(), json!(true));
    }
    if let Some((key, options)) = options {
        value.insert(key.to_owned(), options);
    }
    value.into()
}

/// The pairs that say something; `None` where none does.
fn said(
    key: &'static str,
    pairs: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Option<(&'static str, Value)> {
    let said = pairs.into_iter();
    let said: Map<_, _> = said
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect();
    (!said.is_empty()).then(|| (key, said.into()))
}

fn bind_options(bind: &BindRequest) -> Option<(&'static str, Value)> {
    let when = |on: bool| on.then_some(Value::Bool(true));
    let propagation = (bind.propagation != Propagation::default()).then(|| json!(bind.propagation));
    said(
        "BindOptions",
        [
            ("Propagation", propagation),
            (
                "NonRecursive",
                when(bind.recursive == BindRecursive::Disabled),
            ),
            (
                "CreateMountpoint",
                when(bind.missing == MissingSource::Create),
            ),
            (
                "ReadOnlyNonRecursive",
                when(bind.recursive == BindRecursive::Writable),
            ),
            (
                "ReadOnlyForceRecursive",
                when(bind.recursive == BindRecursive::ReadOnly),
            ),
            (
                "IDMap",
                bind.idmap.as_ref().map(|map| json!(map.to_string())),
            ),
        ],
    )
}

fn volume_options(volume: &VolumeRequest) -> Option<(&'static str, Value)> {
    let when = |on: bool| on.then_some(Value::Bool(true));
    let driver = (volume.driver.is_some() || !volume.options.is_empty()).then(|| {
        json!({
            "Name": volume.driver.clone().unwrap_or_default(),
            "Options": volume.options,
        })
    });
    let subpath = volume.subpath.as_ref();
    said(
        "VolumeOptions",
        [
            ("NoCopy", when(volume.no_copy)),
            (
                "Labels",
                (!volume.labels.is_empty()).then(|| json!(volume.labels)),
            ),
            (
                "Subpath",
                subpath.map(|path| json!(path.display().to_string())),
            ),
            ("CreateSubpath", when(volume.create_subpath)),
            ("DriverConfig", driver),
        ],
    )
}

/// Docker has bytes, a mode as a number, and everything else as words.
fn tmpfs_options(options: &TmpfsOptions) -> Option<(&'static str, Value)> {
    let size = match options.size {
        Some(TmpfsSize::Bytes(bytes)) => Some(json!(bytes)),
        Some(TmpfsSize::Percent(_)) | None => None,
    };
    let percent = match options.size {
        Some(TmpfsSize::Percent(percent)) => Some(format!("size={percent}%")),
        Some(TmpfsSize::Bytes(_)) | None => None,
    };
    let pair = |key: &str, value: Option<String>| value.map(|value| format!("{key}={value}"));
    let words = [
        options.exec.then(|| "exec".to_owned()),
        options.no_swap.then(|| "noswap".to_owned()),
        options.copy_up.then(|| "tmpcopyup".to_owned()),
        percent,
        pair("uid", options.uid.map(|id| id.to_string())),
        pair("gid", options.gid.map(|id| id.to_string())),
        pair(
            "nr_inodes",
            options.nr_inodes.map(|count| count.to_string()),
        ),
    ];
    let words: Vec<Vec<String>> = words
        .into_iter()
        .flatten()
        .map(|word| word.splitn(2, '=').map(str::to_owned).collect())
        .collect();
    said(
        "TmpfsOptions",
        [
            ("SizeBytes", size),
            ("Mode", options.mode.map(|mode| json!(mode))),
            ("Options", (!words.is_empty()).then(|| json!(words))),
        ],
    )
}
