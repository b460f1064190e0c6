//! `NextImage`: the config document of an image that is one step from another. Pure.

use serde_json::{Map, Value, json};

use super::{Error, RunConfig, manifest::host_architecture};
use crate::ident::{DiffId, Timestamp};

/// What a step makes of an image.
#[derive(Debug, Clone)]
pub struct NextImage {
    /// Its run configuration, whole.
    pub config: RunConfig,
    /// The layer on top; `None` where only the configuration changes.
    pub layer: Option<DiffId>,
    /// When; also in the history.
    pub created: Timestamp,
    /// The instruction, for the history.
    pub created_by: String,
    /// Who; where nobody is named it stays who it was.
    pub author: Option<String>,
    /// Free text, for the history.
    pub comment: Option<String>,
}

/// Of the step before: what is not true of the next image.
const STALE: [&str; 5] = [
    "id",
    "parent",
    "container",
    "container_config",
    "docker_version",
];

impl NextImage {
    /// The config document; `parent` is that of the image below, none for one that begins here.
    ///
    /// # Errors
    ///
    /// A parent that is no config document.
    pub fn document(&self, parent: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let mut document = match parent {
            Some(bytes) => read(bytes)?,
            None => begin(),
        };
        for key in STALE {
            document.shift_remove(key);
        }
        let created = Value::from(self.created.to_string());
        document.insert("created".to_owned(), created.clone());
        if let Some(author) = &self.author {
            document.insert("author".to_owned(), author.as_str().into());
        }
        document.insert("config".to_owned(), self.config.to_value()?);
        let mut entry = Map::new();
        entry.insert("created".to_owned(), created);
        let texts = [
            ("created_by", Some(&self.created_by)),
            ("author", self.author.as_ref()),
            ("comment", self.comment.as_ref()),
        ];
        for (key, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                entry.insert(key.to_owned(), text.as_str().into());
            }
        }
        if self.layer.is_none() {
            entry.insert("empty_layer".to_owned(), true.into());
        }
        push(&mut document, &["history"], Value::Object(entry))?;
        if let Some(layer) = self.layer {
            let layer = layer.to_string().into();
            push(&mut document, &["rootfs", "diff_ids"], layer)?;
        }
        serde_json::to_vec(&document).map_err(parse_failed)
    }
}

fn parse_failed(source: serde_json::Error) -> Error {
    Error::Parse {
        what: "config".to_owned(),
        source,
    }
}

fn read(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let mut document: Map<_, _> = serde_json::from_slice(bytes).map_err(parse_failed)?;
    fill_history(&mut document);
    Ok(document)
}

/// A history that says less than there are layers cannot be added to: what it does not tell of
/// would be taken for the new layer's.
fn fill_history(document: &mut Map<String, Value>) {
    let layers = document
        .get("rootfs")
        .and_then(|rootfs| rootfs.get("diff_ids"));
    let layers = layers.and_then(Value::as_array).map_or(0, Vec::len);
    let history = document.get("history").and_then(Value::as_array);
    let is_told = |entry: &&Value| entry.get("empty_layer") != Some(&Value::Bool(true));
    let told = history.map_or(0, |history| history.iter().filter(is_told).count());
    let mut entries = history.cloned().unwrap_or_default();
    for _ in told..layers {
        entries.push(json!({}));
    }
    document.insert("history".to_owned(), Value::Array(entries));
}

fn begin() -> Map<String, Value> {
    let fields = [
        ("architecture", json!(host_architecture())),
        ("os", json!("linux")),
        ("config", json!({})),
        ("rootfs", json!({"type": "layers", "diff_ids": []})),
        ("history", json!([])),
    ];
    let pair = |(key, value): (&str, Value)| (key.to_owned(), value);
    fields.into_iter().map(pair).collect()
}

/// Adds to a list of the document.
fn push(document: &mut Map<String, Value>, way: &[&str], item: Value) -> Result<(), Error> {
    let (first, rest) = (way[0], &way[1..]);
    let start = document.get_mut(first);
    let place = rest
        .iter()
        .fold(start, |at, key| at.and_then(|at| at.get_mut(*key)));
    let Some(Value::Array(list)) = place else {
        return Err(Error::Malformed {
            what: "config".to_owned(),
            why: format!("{} is not a list", way.join(".")),
        });
    };
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ident::Digest, image::ImageConfig};

    fn next(layer: Option<&[u8]>) -> NextImage {
        NextImage {
            config: RunConfig::default(),
            layer: layer.map(|bytes| DiffId(Digest::of(bytes))),
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            created_by: "RUN x".to_owned(),
            author: None,
            comment: Some("why".to_owned()),
        }
    }

    #[test]
    fn layers_and_history_grow_together() {
        let first = next(Some(b"1")).document(None).unwrap();
        let second = next(None).document(Some(&first)).unwrap();
        let third = next(Some(b"3")).document(Some(&second)).unwrap();
        let config = ImageConfig::parse(&third).unwrap();
        let ids = [b"1", b"3"].map(|bytes| DiffId(Digest::of(bytes)));
        assert_eq!(config.diff_ids, ids);
        let empty: Vec<_> = config.history.iter().map(|one| one.empty_layer).collect();
        assert_eq!(empty, [false, true, false]);
        assert_eq!(config.history[2].comment.as_deref(), Some("why"));
        let again = next(Some(b"3")).document(Some(&second)).unwrap();
        assert_eq!(again, third);
    }

    #[test]
    fn what_is_true_of_the_parent_stays_and_the_rest_goes() {
        let parent = br#"{"architecture":"arm64","os":"linux","variant":"v8","author":"a",
            "container":"c","container_config":{},"docker_version":"20",
            "rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#;
        let bytes = next(Some(b"1")).document(Some(parent)).unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document["variant"], "v8");
        assert_eq!(document["author"], "a");
        for gone in ["container", "container_config", "docker_version"] {
            assert!(document.get(gone).is_none(), "{gone}");
        }
        // One for the layer that nothing was told of.
        assert_eq!(document["history"].as_array().unwrap().len(), 2);
        let config = ImageConfig::parse(&bytes).unwrap();
        assert_eq!(config.history[1].created_by.as_deref(), Some("RUN x"));
    }

    #[test]
    fn a_parent_that_is_no_config_is_an_error() {
        for bad in [
            &b"[]"[..],
            b"{\"rootfs\":1}",
            b"{\"rootfs\":{\"diff_ids\":{}}}",
        ] {
            assert!(next(Some(b"1")).document(Some(bad)).is_err());
        }
    }
}
