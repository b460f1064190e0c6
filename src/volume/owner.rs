//! Whom a volume's root belongs to, where its user said so.

use super::{Owner, local::DATA};
use crate::sys::{Dir, Result};

/// Gives the root of the volume in `volume` to its owner; what was not asked for stays.
///
/// Also after it was filled from an image: what the user said stands above what the image says
/// (semantics 27 is about a volume of which nobody said anything).
pub fn apply(volume: &Dir, owner: Owner) -> Result<()> {
    if owner.is_empty() {
        return Ok(());
    }
    let now = volume.metadata(DATA)?;
    let (uid, gid) = (
        owner.uid.unwrap_or_else(|| now.uid()),
        owner.gid.unwrap_or_else(|| now.gid()),
    );
    let mode = owner.mode.unwrap_or_else(|| now.mode());
    if (uid, gid) != (now.uid(), now.gid()) {
        volume.chown(DATA, uid, gid)?;
    }
    // After the owner: chown(2) takes setuid and setgid away.
    volume.chmod(DATA, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let volume = Dir::open(scratch.path()).unwrap();
        volume.make_dir(DATA, 0o755).unwrap();
        apply(&volume, Owner::default()).unwrap();
        assert_eq!(volume.metadata(DATA).unwrap().mode(), 0o755);
        let mode = Some(0o2750);
        let owner = Owner {
            mode,
            ..Owner::default()
        };
        apply(&volume, owner).unwrap();
        let now = volume.metadata(DATA).unwrap();
        assert_eq!(now.mode(), 0o2750);
        assert_eq!(now.uid(), volume.own_metadata().unwrap().uid());
    }
}
