//! Images made in memory, in every form and with any mistake.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path, process::Command};

use cowshed::ident::Digest;
use serde_json::{Value, json};

use crate::{
    archive::{Archive, header},
    support::create,
};

pub(crate) const OCI: &str = "application/vnd.oci.image.";

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Plain,
    Gzip,
    /// Two members, as parallel compressors write.
    Gzips,
    Zstd,
    /// Two frames with a skippable one before and between.
    Zstds,
    Xz,
    Bzip2,
}

impl Codec {
    pub(crate) const ALL: [Codec; 7] = [
        Codec::Plain,
        Codec::Gzip,
        Codec::Gzips,
        Codec::Zstd,
        Codec::Zstds,
        Codec::Xz,
        Codec::Bzip2,
    ];

    pub(crate) fn media_type(self) -> String {
        let suffix = match self {
            Codec::Plain => "",
            Codec::Gzip | Codec::Gzips => "+gzip",
            Codec::Zstd | Codec::Zstds => "+zstd",
            Codec::Xz => "+xz",
            Codec::Bzip2 => "+bzip2",
        };
        format!("{OCI}layer.v1.tar{suffix}")
    }

    pub(crate) fn pack(self, bytes: &[u8]) -> Vec<u8> {
        let (first, second) = bytes.split_at(bytes.len() / 3);
        match self {
            Codec::Plain => bytes.to_vec(),
            Codec::Gzip => gzip(bytes),
            Codec::Gzips => [gzip(first), gzip(second)].concat(),
            Codec::Zstd => through(&["zstd", "-q", "-c", "-1"], bytes),
            Codec::Zstds => {
                let skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc";
                let [first, second] = [first, second].map(|part| Codec::Zstd.pack(part));
                [skippable, first.as_slice(), skippable, &second].concat()
            }
            Codec::Xz => through(&["xz", "-c", "-0"], bytes),
            Codec::Bzip2 => through(&["bzip2", "-c", "-1"], bytes),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Standard output of a tool for this input.
pub(crate) fn through(tool: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let output = Command::new(tool[0]).args(&tool[1..]).stdin(file).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", tool[0]));
    assert!(output.status.success(), "{tool:?}");
    output.stdout
}

/// A layer's tar and the blob that it is sent as.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) tar: Vec<u8>,
    pub(crate) blob: Vec<u8>,
    pub(crate) media_type: String,
}

impl Layer {
    pub(crate) fn new(tar: Archive, codec: Codec) -> Self {
        let tar = tar.end();
        Self {
            blob: codec.pack(&tar),
            media_type: codec.media_type(),
            tar,
        }
    }

    pub(crate) fn plain(tar: Archive) -> Self {
        Self::new(tar, Codec::Plain)
    }

    pub(crate) fn diff_id(&self) -> String {
        Digest::of(&self.tar).to_string()
    }
}

pub(crate) fn busybox() -> Vec<u8> {
    fs::read("/bin/busybox").expect("tests run busybox-static in containers")
}

/// A shell, as the lowest layer.
pub(crate) fn shell() -> Archive {
    let mut program = header(b'0', "bin/busybox");
    program.set_mode(0o755);
    Archive::new()
        .dir("bin")
        .sized(program, &busybox())
        .symlink("bin/sh", "busybox")
}

fn owned(kind: u8, name: &str, mode: u32, (uid, gid): (u64, u64)) -> tar::Header {
    let mut header = header(kind, name);
    header.set_mode(mode);
    header.set_uid(uid);
    header.set_gid(gid);
    header
}

/// Two layers, of which the upper changes the lower in every simple way.
pub(crate) fn sample(codec: Codec) -> Vec<Layer> {
    let lower = shell()
        .dir("etc")
        .file("etc/motd", "below")
        .dir("old")
        .file("old/gone", "x")
        .file("old/kept", "kept")
        .dir("hidden")
        .file("hidden/below", "x")
        .file("becomes-dir", "x");
    let upper = Archive::new()
        .dir("etc")
        .file("etc/motd", "above all")
        .file("old/.wh.gone", "")
        .dir("hidden")
        .file("hidden/.wh..wh..opq", "")
        .file("hidden/above", "1")
        .dir("becomes-dir")
        .sized(owned(b'0', "suid", 0o4755, (0, 0)), b"s")
        .put(owned(b'5', "home", 0o700, (1000, 50)), b"")
        .sized(owned(b'0', "home/읽기.txt", 0o640, (1000, 50)), b"hangul")
        .hard("home/second", "home/읽기.txt")
        .symlink("link", "home/second");
    vec![Layer::new(lower, codec), Layer::new(upper, codec)]
}

/// What [`sample`] is, stacked.
pub(crate) const SAMPLE_TREE: &[&str] = &[
    "d 755 0:0 - becomes-dir",
    "d 755 0:0 - bin",
    "d 755 0:0 - etc",
    "f 644 0:0 9 etc/motd",
    "d 755 0:0 - hidden",
    "f 644 0:0 1 hidden/above",
    "d 700 1000:50 - home",
    "f 640 1000:50 6 home/second",
    "f 640 1000:50 6 home/읽기.txt",
    "l 777 0:0 home/second link",
    "d 755 0:0 - old",
    "f 644 0:0 4 old/kept",
    "f 4755 0:0 1 suid",
];

/// Files of an image by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// An OCI layout that is being put together.
#[derive(Debug, Default, Clone)]
pub(crate) struct Layout {
    pub(crate) files: Files,
    pub(crate) entries: Vec<Value>,
}

pub(crate) fn blob_name(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap();
    format!("blobs/sha256/{}", digest.trim_start_matches("sha256:"))
}

pub(crate) fn config_of(layers: &[Layer]) -> Value {
    let diff_ids: Vec<_> = layers.iter().map(Layer::diff_id).collect();
    json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
}

impl Layout {
    /// One image called `sample:1`.
    pub(crate) fn of(layers: &[Layer]) -> Self {
        let mut layout = Self::default();
        let entry = layout.image(layers, &config_of(layers));
        layout.entries.push(named(entry, "sample:1"));
        layout
    }

    pub(crate) fn blob(&mut self, bytes: &[u8], media_type: &str) -> Value {
        let digest = Digest::of(bytes).to_string();
        let descriptor = json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
        self.files.insert(blob_name(&descriptor), bytes.to_vec());
        descriptor
    }

    pub(crate) fn document(&mut self, value: &Value, kind: &str) -> Value {
        self.blob(
            value.to_string().as_bytes(),
            &format!("{OCI}{kind}.v1+json"),
        )
    }

    pub(crate) fn manifest(&mut self, layers: &[Layer], config: &Value) -> Value {
        let config = self.document(config, "config");
        let layer = |layer: &Layer| self.blob(&layer.blob, &layer.media_type);
        let layers: Vec<_> = layers.iter().map(layer).collect();
        json!({
            "schemaVersion": 2,
            "mediaType": format!("{OCI}manifest.v1+json"),
            "config": config,
            "layers": layers,
        })
    }

    /// Descriptor of a new manifest.
    pub(crate) fn image(&mut self, layers: &[Layer], config: &Value) -> Value {
        let manifest = self.manifest(layers, config);
        self.document(&manifest, "manifest")
    }

    pub(crate) fn index(&mut self, entries: &[Value]) -> Value {
        self.document(
            &json!({ "schemaVersion": 2, "manifests": entries }),
            "index",
        )
    }

    /// With the two documents on top, where they are not there already.
    pub(crate) fn files(&self) -> Files {
        let mut files = self.files.clone();
        let index = json!({ "schemaVersion": 2, "manifests": self.entries });
        let mut add = |name: &str, bytes: Vec<u8>| {
            files.entry(name.to_owned()).or_insert(bytes);
        };
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        add("index.json", index.to_string().into_bytes());
        files
    }

    pub(crate) fn tar(&self) -> Vec<u8> {
        tar_of(&self.files())
    }
}

pub(crate) fn annotated(mut entry: Value, key: &str, value: &str) -> Value {
    entry["annotations"] = json!({ key: value });
    entry
}

/// With a whole name.
pub(crate) fn named(entry: Value, name: &str) -> Value {
    annotated(entry, "org.opencontainers.image.ref.name", name)
}

pub(crate) fn tar_of(files: &Files) -> Vec<u8> {
    let add =
        |tar: Archive, (name, bytes): (&String, &Vec<u8>)| tar.sized(header(b'0', name), bytes);
    files.iter().fold(Archive::new(), add).end()
}

/// Writes the files as a directory.
pub(crate) fn directory_of(files: &Files, path: &str) {
    for (name, bytes) in files {
        let path = Path::new(path).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        create(&path, bytes);
    }
}

/// An archive as `docker save` wrote it before it knew OCI layouts.
pub(crate) fn docker_archive(images: &[(&[Layer], &[&str])]) -> Files {
    let mut files = Files::new();
    let mut items = Vec::new();
    for (layers, tags) in images {
        let config = config_of(layers).to_string().into_bytes();
        let config_name = format!("{}.json", Digest::of(&config).hex());
        files.insert(config_name.clone(), config);
        let mut names = Vec::new();
        for layer in *layers {
            let name = format!("{}/layer.tar", Digest::of(&layer.blob).hex());
            files.insert(name.clone(), layer.blob.clone());
            names.push(name);
        }
        items.push(json!({ "Config": config_name, "RepoTags": tags, "Layers": names }));
    }
    files.insert("manifest.json".to_owned(), json!(items).to_string().into());
    files
}
