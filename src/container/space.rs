//! What every byte of a store's root is for: the kinds, and which kind a path is.

use std::{collections::HashMap, path::Path};

use crate::{
    ident::{ChainId, ContainerId, Digest},
    rootfs::{INIT, MOUNTED},
    store::{EVENTS, EVENTS_OLD, QUARANTINE},
    sys::Taken,
};

/// What something in the store is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpaceKind {
    /// Unpacked layers of images and containers.
    Layers,
    /// Upper and work dirs, and changes of overlays.
    Containers,
    /// The data of volumes.
    Volumes,
    /// Layers and blobs that only steps of builds have.
    BuildCache,
    /// Manifests, configs and layers as received.
    Blobs,
    /// Output of containers, and the journal.
    Logs,
    /// What was removed and can be had back, or is about to go.
    Trash,
    /// What `system check --repair` has put out of the way.
    Quarantine,
    /// What is being made, or was when its maker died.
    Temporary,
    /// Records, locks, sockets, names, and the directories that hold everything else.
    Records,
    /// Layers and blobs that no image, container or mount names: the next removal takes them.
    Orphans,
    /// Nothing of ours.
    Unknown,
}

impl SpaceKind {
    /// In the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Layers,
        Self::Containers,
        Self::Volumes,
        Self::BuildCache,
        Self::Blobs,
        Self::Logs,
        Self::Trash,
        Self::Quarantine,
        Self::Temporary,
        Self::Records,
        Self::Orphans,
        Self::Unknown,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layers => "Image Layers",
            Self::Containers => "Containers",
            Self::Volumes => "Volumes",
            Self::BuildCache => "Build Cache",
            Self::Blobs => "Image Blobs",
            Self::Logs => "Logs",
            Self::Trash => "Trash",
            Self::Quarantine => "Quarantine",
            Self::Temporary => "Temporary",
            Self::Records => "Records",
            Self::Orphans => "Orphans",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a store's root takes, classified. The sum is what `du -sx --block-size=1` says of it: blocks
/// on disk, an inode once however many names it has, and nothing of other file systems.
#[derive(Debug, Clone, Default)]
pub struct StoreSpace {
    kinds: HashMap<SpaceKind, Taken>,
    /// How many directories have another file system mounted on them: not counted.
    pub mounted: u64,
    /// Records cannot be read, so nobody knows what is an orphan: nothing is called one.
    pub unsure: bool,
}

impl StoreSpace {
    /// What one kind takes.
    pub fn of(&self, kind: SpaceKind) -> Taken {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// What all of it takes.
    pub fn total(&self) -> Taken {
        let mut total = Taken::default();
        for taken in self.kinds.values() {
            total += *taken;
        }
        total
    }

    pub(super) fn add(&mut self, kind: SpaceKind, taken: Taken) {
        *self.kinds.entry(kind).or_default() += taken;
    }
}

/// What a path of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It and everything below it are of this kind.
    Whole(SpaceKind),
    /// It is a directory of records; what is in it is looked at one by one.
    Into,
    /// An unpacked layer.
    Layer(ChainId),
    /// A blob.
    Blob(Digest),
}

/// What a path below the root is, by its names.
pub(super) fn step(path: &[&str]) -> Step {
    use SpaceKind::{
        Containers, Layers, Logs, Quarantine, Records, Temporary, Trash, Unknown,
        Volumes as VolumeData,
    };
    match path {
        ["blobs" | "images" | "overlay2" | "containers" | "volumes" | "tmp" | "trash"]
        | ["blobs", "sha256"] => Step::Into,
        ["store.json" | "merged" | "lost+found"]
        | ["images", MOUNTED]
        | ["containers", "by-name"]
        | ["volumes", ".renaming"] => Step::Whole(Records),
        [file] if [EVENTS, EVENTS_OLD].contains(file) => Step::Whole(Logs),
        ["blobs", "sha256", hex] => Digest::from_hex(hex).map_or(Step::Whole(Unknown), Step::Blob),
        ["images", file] if Path::new(file).extension() == Some("json".as_ref()) => {
            Step::Whole(Records)
        }
        ["overlay2", INIT] => Step::Whole(Layers),
        ["overlay2", hex] => match Digest::from_hex(hex) {
            Ok(digest) => Step::Layer(ChainId(digest)),
            Err(_) => Step::Whole(Unknown),
        },
        ["containers", id] if id.parse::<ContainerId>().is_ok() => Step::Into,
        ["containers", _, file] => Step::Whole(match *file {
            "config.json" | "state.json" | "health.json" | "control" => Records,
            log if is_log(log) => Logs,
            _ => Containers,
        }),
        ["volumes", _] => Step::Into,
        ["volumes", _, file] => Step::Whole(match *file {
            "volume.json" | "last-used" | "users" | "edit.lock" | "fill.lock" | "mount.lock" => {
                Records
            }
            _ => VolumeData,
        }),
        [QUARANTINE] => Step::Whole(Quarantine),
        ["tmp", _] => Step::Whole(Temporary),
        ["trash", _] => Step::Whole(Trash),
        _ => Step::Whole(Unknown),
    }
}

/// `log`, `log.1`, ...
fn is_log(name: &str) -> bool {
    match name.strip_prefix("log") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('.')
            .is_some_and(|number| number.parse::<u32>().is_ok()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_a_store_has_a_kind_and_others_are_unknown() {
        let hex = "a".repeat(64);
        let of = |path: &str| step(&path.split('/').collect::<Vec<_>>());
        for (path, wanted) in [
            ("store.json", Step::Whole(SpaceKind::Records)),
            ("store.json.bak", Step::Whole(SpaceKind::Unknown)),
            ("events.1", Step::Whole(SpaceKind::Logs)),
            ("images/names.json", Step::Whole(SpaceKind::Records)),
            ("images/notes", Step::Whole(SpaceKind::Unknown)),
            ("overlay2/init", Step::Whole(SpaceKind::Layers)),
            ("overlay2/x", Step::Whole(SpaceKind::Unknown)),
            ("blobs/sha512", Step::Whole(SpaceKind::Unknown)),
            ("containers/by-name", Step::Whole(SpaceKind::Records)),
            ("containers/x", Step::Whole(SpaceKind::Unknown)),
            ("volumes/한글", Step::Into),
            ("volumes/v/_data", Step::Whole(SpaceKind::Volumes)),
            ("volumes/v/volume.json", Step::Whole(SpaceKind::Records)),
            ("quarantine", Step::Whole(SpaceKind::Quarantine)),
            ("tmp/x", Step::Whole(SpaceKind::Temporary)),
            ("trash/volumes", Step::Whole(SpaceKind::Trash)),
        ] {
            assert_eq!(of(path), wanted, "{path}");
        }
        let container = |file: &str| of(&format!("containers/{hex}/{file}"));
        assert_eq!(container("log.12"), Step::Whole(SpaceKind::Logs));
        assert_eq!(container("log.old"), Step::Whole(SpaceKind::Containers));
        assert_eq!(container("upper"), Step::Whole(SpaceKind::Containers));
        assert!(matches!(of(&format!("overlay2/{hex}")), Step::Layer(_)));
        assert!(matches!(of(&format!("blobs/sha256/{hex}")), Step::Blob(_)));
    }
}
