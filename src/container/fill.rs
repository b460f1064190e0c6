//! An empty volume gets what the image has at its place.

use std::path::Path;

use super::{AttachedMount, ContainerRecord, Engine, Error, containers::failed};
use crate::{
    ident::VolumeName,
    rootfs::{self, Snapshot},
    sys::{FileKind, metadata_of},
    volume::{self, Fill, Filled, Hold, VolumeRecord},
};

/// What the filling child answers when there was something to copy.
const COPIED: &[u8] = b"copied";

/// And when the image has something else at the place.
const NOT_A_DIRECTORY: &[u8] = b"not a directory";

impl Engine {
    /// Copies the image's directory into an empty volume (semantics 26 to 28).
    pub(super) fn fill(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
        (mount, known): (&AttachedMount, Option<&VolumeRecord>),
        hold: &Hold,
    ) -> Result<(), Error> {
        let target = mount.request.target.clone();
        let Some(name) = &mount.volume else {
            return Ok(());
        };
        if !rootfs::has_directory(snapshot, &target)? {
            return Ok(());
        }
        let volumes = self.volumes()?;
        let volume = match known {
            Some(known) => known.clone(),
            None => volumes.get(name.as_str())?.record,
        };
        let chain = record
            .chains
            .last()
            .map(ToString::to_string)
            .unwrap_or_default();
        let this = Fill {
            chain,
            target: target.display().to_string(),
        };
        if volume.filled.as_ref() == Some(&this) && !hold.is_mounted() {
            // An empty directory of the same image: copied before.
            return Ok(());
        }
        let copied = copy(snapshot, (name, hold), &target)?;
        if copied == NOT_A_DIRECTORY {
            let target = target.display();
            let note = format!("volume {name} stays empty: {target} of the image is a file");
            return self.note(&note);
        }
        // Only an empty directory needs to be remembered: a volume that was emptied later is filled
        // again (semantics 26).
        if hold.is_mounted() {
            return Ok(());
        }
        if copied != COPIED {
            volumes.edit(name, |record| record.filled = Some(this))?;
        }
        volume::apply_owner(&hold.dir, volume.owner)
            .map_err(|source| failed("set owner of volume", source))
    }
}

fn copy(
    snapshot: &Snapshot,
    (name, hold): (&VolumeName, &Hold),
    target: &Path,
) -> Result<Vec<u8>, Error> {
    let copied = rootfs::with_view(snapshot, |root| {
        crate::sys::process::raise_file_limit();
        // A file or nothing there: nothing to copy (semantics 28, as the newer engine).
        let Ok(handle) = root.locate(target) else {
            return Ok(Vec::new());
        };
        if metadata_of(&handle)?.kind() != FileKind::Directory {
            return Ok(NOT_A_DIRECTORY.to_vec());
        }
        let from = root.open_dir(target)?;
        let filled = if hold.is_mounted() {
            volume::fill_mounted(&hold.dir, name.as_str(), &from)
        } else {
            volume::fill(&hold.dir, name.as_str(), &from)
        };
        match filled {
            Ok(Filled::Copied(report)) if report.entries > 0 => Ok(COPIED.to_vec()),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error.into_system()),
        }
    });
    copied.map_err(|error| {
        if let (rootfs::Error::System { source, .. }, true) = (&error, hold.is_mounted()) {
            // A server that does not let us give files away, mostly.
            let what = format!(
                "fill volume {name} with the image's files; -v {name}:{}:nocopy leaves it as it is",
                target.display()
            );
            return failed(&what, source.clone());
        }
        error.into()
    })
}
