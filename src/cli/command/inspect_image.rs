//! Images as the JSON of Docker's `inspect`: its keys in its order, then those that Docker does not
//! have.

use cowshed::{
    container::Engine,
    ident::Reference,
    image::{Error, ImageRecord, LayerRef, Names},
    rootfs::Layers,
    store::Place,
};
use serde_json::{Map, Value, json};

/// `config` is the config document as it came, `names` are the image's own.
pub(crate) fn image(
    engine: &Engine,
    record: &ImageRecord,
    config: &[u8],
    names: &Names,
) -> Result<Value, Error> {
    let config: Value = serde_json::from_slice(config).map_err(|source| Error::Parse {
        what: "config".to_owned(),
        source,
    })?;
    let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    let tags = names.keys().filter(|name| name.digest().is_none());
    let tags: Vec<_> = tags.map(Reference::familiar).collect();
    let digests: Vec<_> = record.sources.iter().map(Reference::familiar).collect();
    let parent = record.step.as_ref().and_then(|step| step.parent);
    let last = config["history"].as_array().and_then(|lines| lines.last());
    let comment = last
        .and_then(|line| line["comment"].as_str())
        .unwrap_or_default();
    let mut value = json!({
        "Id": record.id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": parent.map(|id| id.to_string()).unwrap_or_default(),
        "Comment": comment,
        "Created": config["created"],
        "Container": text("container"),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Config": run_config(&config["config"]),
        "Architecture": text("architecture"),
    });
    let more = json!({
        "Os": text("os"),
        "Size": record.bytes(),
        "VirtualSize": record.bytes(),
        "GraphDriver": { "Data": graph_data(engine, record), "Name": "overlay2" },
        "RootFS": {
            "Type": "layers",
            "Layers": record.layers.iter().map(|layer| layer.diff_id).collect::<Vec<_>>(),
        },
        "Metadata": { "LastTagTime": record.imported },
        "Manifest": record.manifest,
        "Layers": record.layers.iter().map(layer).collect::<Vec<_>>(),
    });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), more) {
        // Of ARM and others, and only of those.
        if let Some(variant) = config["variant"].as_str().filter(|text| !text.is_empty()) {
            all.insert("Variant".to_owned(), variant.into());
        }
        all.extend(more);
        if config["container_config"].is_object() {
            let before = all
                .keys()
                .position(|key| key == "DockerVersion")
                .unwrap_or(0);
            let own = run_config(&config["container_config"]);
            all.shift_insert(before, "ContainerConfig".to_owned(), own);
        }
    }
    Ok(value)
}

/// Docker's keys, in its order, with what a config that lacks them means; then whatever else the
/// config says.
fn run_config(config: &Value) -> Value {
    let usual = json!({
        "Hostname": "",
        "Domainname": "",
        "User": "",
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "ExposedPorts": null,
        "Tty": false,
        "OpenStdin": false,
        "StdinOnce": false,
        "Env": null,
        "Cmd": null,
        "Healthcheck": null,
        "ArgsEscaped": null,
        "Image": "",
        "Volumes": null,
        "WorkingDir": "",
        "Entrypoint": null,
        "OnBuild": null,
        "Labels": null,
        "StopSignal": null,
        "StopTimeout": null,
        "Shell": null,
    });
    let Value::Object(mut all) = usual else {
        return Value::Null;
    };
    if let Some(own) = config.as_object() {
        for (key, value) in own {
            if !value.is_null() {
                all.insert(key.clone(), value.clone());
            }
        }
    }
    // Docker leaves these out where there is nothing to say.
    for key in [
        "ExposedPorts",
        "Healthcheck",
        "ArgsEscaped",
        "StopSignal",
        "StopTimeout",
        "Shell",
    ] {
        if all.get(key).is_some_and(Value::is_null) {
            all.shift_remove(key);
        }
    }
    Value::Object(all)
}

/// The keys of Docker's overlay2 driver (semantics 59): the topmost layer is the upper dir.
fn graph_data(engine: &Engine, record: &ImageRecord) -> Map<String, Value> {
    let root = engine.store().path();
    let diff = |layer: &LayerRef| {
        root.join(Layers::relative(layer.chain))
            .display()
            .to_string()
    };
    let mut data = Map::new();
    let Some((top, below)) = record.layers.split_last() else {
        return data;
    };
    if !below.is_empty() {
        let lowers: Vec<_> = below.iter().rev().map(diff).collect();
        data.insert("LowerDir".to_owned(), lowers.join(":").into());
    }
    let beside = |name: &str| {
        let layer = engine.store().path_in(Place::Layers, &top.chain.0.hex());
        Value::from(layer.join(name).display().to_string())
    };
    data.insert("MergedDir".to_owned(), beside("merged"));
    data.insert("UpperDir".to_owned(), diff(top).into());
    data.insert("WorkDir".to_owned(), beside("work"));
    data
}

/// What Docker does not tell: where each layer came from and what its directory is called.
fn layer(layer: &LayerRef) -> Value {
    json!({
        "ChainID": layer.chain,
        "DiffID": layer.diff_id,
        "Blob": layer.blob.digest,
        "BlobSize": layer.blob.size,
        "MediaType": layer.blob.media_type,
        "Size": layer.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_has_dockers_keys_and_keeps_its_own() {
        let config =
            run_config(&json!({"Env": ["A=b"], "Cmd": null, "Foo": {"b": 1}, "StopSignal": "9"}));
        let keys: Vec<_> = config
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            [
                "Hostname",
                "Domainname",
                "User",
                "AttachStdin",
                "AttachStdout",
                "AttachStderr",
                "Tty",
                "OpenStdin",
                "StdinOnce",
                "Env",
                "Cmd",
                "Image",
                "Volumes",
                "WorkingDir",
                "Entrypoint",
                "OnBuild",
                "Labels",
                "StopSignal",
                "Foo",
            ]
        );
        assert_eq!(config["Env"], json!(["A=b"]));
        assert_eq!(run_config(&Value::Null)["WorkingDir"], "");
    }
}
