//! What is told about mounts: whatever Docker would make, ignore or leave out without a word.

use std::path::Path;

use nix::errno::Errno;

use super::{
    AttachedMount, ContainerRecord, Engine, Error, ImageVolumes, attach, containers::failed,
};
use crate::{
    ident::VolumeName,
    mount::{RequestKind, Stored, VolumesFrom},
    sys::{mountinfo, open_handle},
};

/// A `VOLUME` of the image that no mount covers.
pub(super) fn image_volume(
    target: &Path,
    wanted: ImageVolumes,
    mounts: &[AttachedMount],
) -> String {
    let shown = target.display();
    let around = mounts
        .iter()
        .map(|mount| &mount.request.target)
        .filter(|outer| target.starts_with(outer))
        .max_by_key(|outer| outer.as_os_str().len());
    let inside = around.map_or(String::new(), |outer| {
        format!(", inside the mount on {}", outer.display())
    });
    match wanted {
        ImageVolumes::Anonymous => format!(
            "VOLUME {shown} of the image gets an anonymous volume{inside}: name one with \
             -v NAME:{shown}"
        ),
        ImageVolumes::Ignore => format!("VOLUME {shown} of the image is ignored{inside}"),
        ImageVolumes::Tmpfs => {
            format!("VOLUME {shown} of the image is in memory{inside}: it goes with the container")
        }
    }
}

/// A mount that `--volumes-from` does not take over.
pub(super) fn left_out(mount: &AttachedMount, from: &VolumesFrom) -> String {
    let what = match mount.request.kind {
        RequestKind::Overlay(_) => "overlay",
        RequestKind::Tmpfs(_)
        | RequestKind::Bind(_)
        | RequestKind::Volume(_)
        | RequestKind::Image(_) => "tmpfs",
    };
    let target = mount.request.target.display();
    format!(
        "{what} {target} of container {} is not taken over: it is that container's own",
        from.container
    )
}

pub(super) fn new_volume(name: &VolumeName) -> String {
    format!("created new volume {name}")
}

pub(super) fn new_directory(path: &Path) -> String {
    format!("created host directory {}", path.display())
}

impl Engine {
    /// What is known about a container's mounts before anything is made.
    pub(super) fn mount_notes(&self, record: &ContainerRecord) -> Result<Vec<String>, Error> {
        let mut notes = Vec::new();
        for mount in &record.mounts {
            let target = mount.request.target.display();
            for word in &mount.request.ignored {
                notes.push(format!("{target}: {}", without_effect(word)));
            }
            notes.extend(self.kept_volume(mount)?);
            notes.extend(single_file(mount));
            notes.extend(below_lower(mount)?);
        }
        notes.extend(hidden(record));
        Ok(notes)
    }

    /// Tells notes, or fails with all of them and with those about what would be made.
    pub(super) fn tell_notes(
        &self,
        record: &ContainerRecord,
        notes: &[String],
    ) -> Result<(), Error> {
        if !self.is_strict() {
            return notes.iter().try_for_each(|note| self.note(note));
        }
        let mut all = notes.to_vec();
        for path in attach::missing_sources(record)? {
            all.push(new_directory(path).replacen("created", "would create", 1));
        }
        let volumes = self.volumes()?;
        for mount in record.mounts.iter().filter(|mount| !mount.anonymous) {
            for name in mount.volumes() {
                if !volumes.exists(name)? {
                    all.push(new_volume(name).replacen("created", "would create", 1));
                }
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        Err(Error::StrictMounts { notes: all })
    }

    /// A volume that is there stays as it is, whatever the mount says (semantics 51).
    fn kept_volume(&self, mount: &AttachedMount) -> Result<Option<String>, Error> {
        let (RequestKind::Volume(wanted), Some(name)) = (&mount.request.kind, &mount.volume) else {
            return Ok(None);
        };
        let asked = !wanted.labels.is_empty() || !wanted.options.is_empty();
        if !asked && wanted.driver.is_none() {
            return Ok(None);
        }
        let Some(volume) = self.volumes()?.find(name)? else {
            return Ok(None);
        };
        let record = volume.record;
        let differs =
            |wanted: &std::collections::BTreeMap<String, String>,
             has: &Option<std::collections::BTreeMap<String, String>>| {
                let of = |key| has.as_ref().and_then(|has| has.get(key));
                wanted.iter().any(|(key, value)| of(key) != Some(value))
            };
        let parts = [
            ("labels", differs(&wanted.labels, &record.labels)),
            ("options", differs(&wanted.options, &record.options)),
            (
                "driver",
                wanted
                    .driver
                    .as_ref()
                    .is_some_and(|driver| *driver != record.driver),
            ),
        ];
        let ignored: Vec<_> = parts
            .iter()
            .filter(|(_, differs)| *differs)
            .map(|(part, _)| *part)
            .collect();
        Ok((!ignored.is_empty()).then(|| {
            let parts = ignored.join(" and ");
            format!("volume {name} exists: the {parts} of this mount are ignored")
        }))
    }
}

fn without_effect(word: &str) -> String {
    match word {
        "z" | "Z" => format!("'{word}' has no effect: no SELinux label is set"),
        "mand" => format!("'{word}' has no effect: Linux has no mandatory locks since 5.15"),
        "readonly=false" => format!("'{word}' has no effect: an image is mounted read-only"),
        _ => format!("'{word}' has no effect: container and host see the same files at once"),
    }
}

/// Editors save by renaming, and a mount stays with the old file (semantics 23).
fn single_file(mount: &AttachedMount) -> Option<String> {
    let RequestKind::Bind(bind) = &mount.request.kind else {
        return None;
    };
    // One look, links followed.
    let plain = std::fs::metadata(&bind.source).is_ok_and(|found| found.is_file());
    plain.then(|| {
        format!(
            "{} is a single file: the container keeps this one when an editor puts a new one in \
             its place; mount the directory to see changes",
            bind.source.display()
        )
    })
}

/// An overlay shows one file system; what is mounted below its lower is not in it.
fn below_lower(mount: &AttachedMount) -> Result<Option<String>, Error> {
    let RequestKind::Overlay(overlay) = &mount.request.kind else {
        return Ok(None);
    };
    let Stored::Path(lower) = &overlay.lower else {
        return Ok(None);
    };
    let real = match open_handle(lower) {
        Ok(handle) => crate::sys::process::path_of(&handle),
        Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
        Err(source) => return Err(failed("open lower directory", source)),
    };
    let mounts = mountinfo::read().map_err(|source| failed("read mounts", source))?;
    let below = |place: &&mountinfo::MountInfo| {
        place.mount_point.starts_with(&real) && place.mount_point != Path::new(&real)
    };
    let place = |place: &mountinfo::MountInfo| place.mount_point.display().to_string();
    let places: Vec<_> = mounts.iter().filter(below).map(place).collect();
    Ok(not_in_overlay(&places))
}

/// Three at most by name: below the host's root there are dozens.
fn not_in_overlay(places: &[String]) -> Option<String> {
    const NAMED: usize = 3;
    let named = places.get(..places.len().min(NAMED))?.join(", ");
    let more = match places.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!places.is_empty())
        .then(|| format!("what is mounted on {named}{more} is left out of the overlay"))
}

/// A `--tmpfs` and a `--mount type=tmpfs` may share a target; one hides the other (semantics 9).
fn hidden(record: &ContainerRecord) -> Option<String> {
    let mounts = &record.mounts;
    let twice = mounts.iter().enumerate().find(|(number, mount)| {
        let earlier = &mounts[..*number];
        let target = &mount.request.target;
        earlier.iter().any(|other| other.request.target == *target)
    });
    twice.map(|(_, mount)| {
        let target = mount.request.target.display();
        format!("{target} has two tmpfs: --tmpfs hides the one of --mount")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_mounts_below_an_overlay_are_one_line() {
        let places = |count: usize| (0..count).map(|at| format!("/{at}")).collect::<Vec<_>>();
        assert_eq!(not_in_overlay(&places(0)), None);
        let told = |count| not_in_overlay(&places(count)).unwrap();
        assert_eq!(told(1), "what is mounted on /0 is left out of the overlay");
        assert!(told(3).contains("/0, /1, /2 is"));
        assert!(told(9).contains("/0, /1, /2 and 6 more is"));
    }

    #[test]
    fn every_word_without_effect_has_its_reason() {
        for (word, reason) in [
            ("Z", "SELinux"),
            ("readonly=false", "read-only"),
            ("cached", "at once"),
            ("mand", "mandatory"),
        ] {
            let told = without_effect(word);
            assert!(
                told.starts_with(&format!("'{word}' has no effect")),
                "{told}"
            );
            assert!(told.contains(reason), "{told}");
        }
    }
}
