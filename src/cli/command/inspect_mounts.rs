//! `Mounts` and `HostConfig.Mounts` of Docker's `inspect`: what is mounted, and what `--mount` was
//! given.

use cowshed::{
    container::{AttachedMount, Engine, Error},
    ident::VolumeName,
    mount::{
        Access, BindRecursive, BindRequest, MissingSource, Propagation, RequestKind, TmpfsOptions,
        TmpfsSize, VolumeRequest,
    },
};
use serde_json::{Map, Value, json};

/// One of `Mounts`, with the keys of its type (semantics 50).
pub(crate) fn attached(engine: &Engine, attached: &AttachedMount) -> Result<Value, Error> {
    let request = &attached.request;
    let data = |name: &VolumeName| -> Result<Value, Error> {
        let mountpoint = engine.volumes()?.mountpoint(name);
        Ok(json!(mountpoint.display().to_string()))
    };
    let volume = attached.volume.as_ref();
    let of_volume = volume.map(data).transpose()?;
    let name = volume.map(|name| json!(name));
    let (kind, name, source) = match &request.kind {
        RequestKind::Bind(bind) => ("bind", None, json!(bind.source.display().to_string())),
        RequestKind::Tmpfs(_) => ("tmpfs", None, json!("")),
        RequestKind::Volume(_) => (
            "volume",
            Some(name.unwrap_or_default()),
            of_volume.unwrap_or_else(|| json!("")),
        ),
        RequestKind::Image(image) => {
            let id = attached.image.as_ref().map(|image| image.id);
            ("image", Some(json!(image.image)), json!(id))
        }
        RequestKind::Overlay(overlay) => {
            let lower = of_volume.unwrap_or_else(|| json!(overlay.lower.to_string()));
            ("overlay", name, lower)
        }
    };
    let propagation = match &request.kind {
        RequestKind::Bind(bind) => json!(bind.propagation),
        RequestKind::Volume(_)
        | RequestKind::Tmpfs(_)
        | RequestKind::Image(_)
        | RequestKind::Overlay(_) => json!(""),
    };
    let upper = match &request.kind {
        RequestKind::Overlay(overlay) => Some(json!(overlay.upper.to_string())),
        RequestKind::Bind(_)
        | RequestKind::Volume(_)
        | RequestKind::Tmpfs(_)
        | RequestKind::Image(_) => None,
    };
    let driver = matches!(request.kind, RequestKind::Volume(_)).then(|| json!("local"));
    let pairs = [
        ("Type", Some(json!(kind))),
        ("Name", name),
        ("Source", Some(source)),
        (
            "Destination",
            Some(json!(request.target.display().to_string())),
        ),
        ("Driver", driver),
        ("Mode", Some(json!(request.mode))),
        ("RW", Some(json!(request.access == Access::ReadWrite))),
        ("Propagation", Some(propagation)),
        ("Upper", upper),
    ];
    let said = pairs.into_iter();
    let said = said.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(said.collect::<Map<_, _>>().into())
}

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
