//! The words of mount(8) that are not a file system's own.

use crate::sys::mount::{Attributes, Depth, PropagationType};

/// What a word of `o` without a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// An attribute of the mount.
    Set(Attributes),
    /// The same, taken back.
    Clear(Attributes),
    /// A bind.
    Bind(Depth),
    /// How mounts travel.
    Propagation(PropagationType, Depth),
    /// A switch that the kernel knows for every file system.
    Switch,
    /// Says what holds anyway.
    Nothing,
    /// Nothing that a volume can have.
    Refused(&'static str),
    /// The file system's own.
    Data,
}

/// Attributes by their words, as mount(8) has them.
const ATTRIBUTES: [(&str, Attributes); 8] = [
    ("ro", Attributes::READ_ONLY),
    ("nosuid", Attributes::NO_SUID),
    ("nodev", Attributes::NO_DEV),
    ("noexec", Attributes::NO_EXEC),
    ("noatime", Attributes::NO_ATIME),
    ("nodiratime", Attributes::NO_DIR_ATIME),
    ("strictatime", Attributes::STRICT_ATIME),
    ("nosymfollow", Attributes::NO_SYMLINKS),
];

/// Words that take an attribute back.
const CLEARED: [(&str, Attributes); 9] = [
    ("rw", Attributes::READ_ONLY),
    ("suid", Attributes::NO_SUID),
    ("dev", Attributes::NO_DEV),
    ("exec", Attributes::NO_EXEC),
    ("atime", Attributes::NO_ATIME),
    ("relatime", Attributes::ANY_ATIME),
    ("diratime", Attributes::NO_DIR_ATIME),
    ("nostrictatime", Attributes::STRICT_ATIME),
    ("symfollow", Attributes::NO_SYMLINKS),
];

const FSTAB: &str = "that is a word for /etc/fstab, a volume is mounted by its first user";

/// The words that set these attributes.
pub(super) fn names(attributes: Attributes) -> Vec<&'static str> {
    let set = ATTRIBUTES.iter().filter(|(_, one)| attributes.has(*one));
    set.map(|(name, _)| *name).collect()
}

/// What a word means.
pub(super) fn class_of(word: &str) -> Class {
    let find = |table: &[(&str, Attributes)]| {
        let found = table.iter().find(|(name, _)| *name == word);
        found.map(|(_, attribute)| *attribute)
    };
    if let Some(attribute) = find(&ATTRIBUTES) {
        return Class::Set(attribute);
    }
    if let Some(attribute) = find(&CLEARED) {
        return Class::Clear(attribute);
    }
    let depth = if word.starts_with('r') {
        Depth::Recursive
    } else {
        Depth::Top
    };
    match word {
        "bind" => Class::Bind(Depth::Top),
        "rbind" => Class::Bind(Depth::Recursive),
        "private" | "rprivate" => Class::Propagation(PropagationType::Private, depth),
        "slave" | "rslave" => Class::Propagation(PropagationType::Slave, depth),
        // To unmount a tree that is shared with its source would unmount what is below the source.
        "shared" | "rshared" => Class::Refused("use --mount type=bind,bind-propagation=rshared"),
        "unbindable" | "runbindable" => {
            Class::Refused("a container's mount is a bind of the volume")
        }
        "sync" | "async" | "dirsync" | "lazytime" | "nolazytime" | "mand" | "nomand" => {
            Class::Switch
        }
        // A file gets its loop device without being told.
        "defaults" | "loop" | "norelatime" | "silent" => Class::Nothing,
        "remount" | "move" => Class::Refused("a volume is mounted anew by its first user"),
        "auto" | "noauto" | "user" | "users" | "nouser" | "owner" | "group" | "nofail"
        | "_netdev" => Class::Refused(FSTAB),
        _ if word.starts_with("x-") || word.starts_with("X-") => Class::Refused(FSTAB),
        _ => Class::Data,
    }
}
