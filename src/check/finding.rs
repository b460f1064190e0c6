//! `Finding`: something that is not as it must be, as a value: what, and what would mend it.

use std::{fmt, path::PathBuf};

use crate::{
    ident::{ChainId, ContainerId, ContainerName, Digest, Reference, VolumeName},
    store::Place,
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Worth to know, and no fault.
    Note,
    /// What somebody who was killed has left: in nobody's way.
    Leftover,
    /// Something cannot be used, or gives wrong bytes.
    Damage,
}

impl Weight {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Weight::Note => "note",
            Weight::Leftover => "leftover",
            Weight::Damage => "damage",
        }
    }
}

/// What would mend it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Nothing has to be done.
    Nothing,
    /// Write store.json anew.
    Header,
    /// Make a top-level directory.
    MakePlace(Place),
    /// Take rights of others away; relative to the store.
    Protect(PathBuf, u32),
    /// Unpack a layer again from its blob.
    Unpack(ChainId),
    /// Make the init layer again.
    Init,
    /// Move a blob away that is not what its name says, so that the next `load` or `pull` brings it.
    PutBlobAside(Digest),
    /// Make a blob again from the tree.
    PackBlob(Digest, ChainId),
    /// Take a name away that means an image that is not here.
    ForgetName(Reference, Digest),
    /// Make an image's record again from its manifest, or put it away; where the record is.
    ImageRecord(Digest, PathBuf),
    /// Make a manifest again that was made up here.
    MakeManifest(Digest),
    /// Move something out of the way, and keep it; relative to the store.
    Quarantine(PathBuf),
    /// Finish what a killed command began, and end what it left running or mounted.
    Tidy,
    /// Empty `tmp/` and `trash/` of what dead commands left.
    Sweep,
    /// Make the work dir of a container's union.
    MakeWork(ContainerId),
    /// Write that a container has ended.
    Settle(ContainerId),
    /// Remove what a dead supervisor left in a container's directory.
    Unlink(ContainerId, &'static str),
    /// Move a container away, its changes with it.
    PutContainerAside(ContainerId),
    /// Reserve a container's name.
    Claim(ContainerName, ContainerId),
    /// Give a container's name free.
    Release(ContainerName, ContainerId),
    /// Make an empty directory where a volume's data was.
    MakeData(VolumeName),
    /// Write a plain record for a volume.
    VolumeRecord(VolumeName),
    /// Move a volume away, its data with it.
    PutVolumeAside(VolumeName),
    /// End what a killed command began with a volume.
    FinishVolume(VolumeName),
    /// Forget the record of an image's mount.
    ForgetMount(String),
    /// Unmount it.
    Unmount(PathBuf),
    /// Write the journal again without what cannot be read, and keep the old one in quarantine.
    MendJournal(&'static str),
    /// End what is in a control group, and remove it.
    RemoveGroup(String),
    /// Only somebody who knows what it is can.
    Type(String),
}

impl Remedy {
    /// What stands on what: lower ones are done first.
    pub(super) fn order(&self) -> u8 {
        match self {
            Remedy::MakePlace(_) => 0,
            Remedy::Header | Remedy::Protect(..) => 1,
            // Names of volumes change, and what runs ends.
            Remedy::Tidy => 2,
            Remedy::ImageRecord(..) | Remedy::MakeManifest(_) => 3,
            Remedy::PutBlobAside(_) | Remedy::PackBlob(..) => 4,
            Remedy::Unpack(_) | Remedy::Init => 5,
            _ => 6,
        }
    }

    /// Whether nothing is lost by it, and what it makes is known to be right.
    pub fn is_proved(&self) -> bool {
        !matches!(
            self,
            Remedy::Type(_)
                | Remedy::Nothing
                | Remedy::Quarantine(_)
                | Remedy::PutBlobAside(_)
                | Remedy::PutContainerAside(_)
                | Remedy::PutVolumeAside(_)
                | Remedy::VolumeRecord(_)
                | Remedy::MakeData(_)
        )
    }

    /// Whether `--repair` does something about it.
    pub fn is_automatic(&self) -> bool {
        !matches!(self, Remedy::Type(_) | Remedy::Nothing)
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Remedy::Nothing => "nothing",
            Remedy::Header => "write it again",
            Remedy::MakePlace(_) | Remedy::Init | Remedy::MakeManifest(_) => "make it again",
            Remedy::Protect(_, mode) => return write!(f, "set its mode to {mode:04o}"),
            Remedy::Unpack(_) => "unpack it again from its blob",
            Remedy::PutBlobAside(_) => {
                "put it into quarantine: the next load or pull of the image brings it"
            }
            Remedy::PackBlob(..) => "make it again from the unpacked layer",
            Remedy::ForgetName(..) => "take the name away",
            Remedy::ImageRecord(..) => "make its record again from its manifest",
            Remedy::Sweep | Remedy::Unlink(..) => "remove it",
            Remedy::Quarantine(_) => "put it into quarantine",
            Remedy::Tidy => "finish or undo what was begun",
            Remedy::MakeWork(_) => "make it again, empty",
            Remedy::Settle(_) => "write that the container has ended",
            Remedy::PutContainerAside(_) => "put the container into quarantine, with its changes",
            Remedy::Claim(..) => "reserve the name again",
            Remedy::Release(..) => "give the name free",
            Remedy::MakeData(_) => "make an empty one: what was in it is gone",
            Remedy::VolumeRecord(_) => {
                "write a plain one, without labels, and keep the old one in quarantine"
            }
            Remedy::PutVolumeAside(_) => "put the volume into quarantine, with its data",
            Remedy::FinishVolume(_) => "finish it",
            Remedy::ForgetMount(_) => "forget it",
            Remedy::Unmount(_) => "unmount it",
            Remedy::MendJournal(_) => "write it again without them",
            Remedy::RemoveGroup(_) => "end what is in it, and remove it",
            Remedy::Type(text) => text,
        };
        f.write_str(text)
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// Which invariant does not hold.
    pub invariant: &'static str,
    /// What it is about, as a user calls it.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
    /// More of it, a line each.
    pub details: Vec<String>,
    /// How bad it is.
    pub weight: Weight,
    /// What would mend it.
    pub remedy: Remedy,
}

impl Finding {
    /// Of something that cannot be used.
    pub(super) fn damage(
        object: impl Into<String>,
        what: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self {
            invariant: "",
            object: object.into(),
            what: what.into(),
            details: Vec::new(),
            weight: Weight::Damage,
            remedy,
        }
    }

    /// Of what somebody who was killed has left.
    pub(super) fn leftover(
        object: impl Into<String>,
        what: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self {
            weight: Weight::Leftover,
            ..Self::damage(object, what, remedy)
        }
    }

    /// Of what is worth to know.
    pub(super) fn note(object: impl Into<String>, what: impl Into<String>, type_it: &str) -> Self {
        let remedy = match type_it {
            "" => Remedy::Nothing,
            text => Remedy::Type(text.to_owned()),
        };
        Self {
            weight: Weight::Note,
            ..Self::damage(object, what, remedy)
        }
    }

    /// Whether the store is not whole because of it.
    pub fn is_fault(&self) -> bool {
        self.weight > Weight::Note
    }
}
