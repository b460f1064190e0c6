//! `overlay diff|apply|discard`: what becomes of the changes in an upper dir.
//!
//! The kernel leaves it undefined what a mounted overlay shows when somebody else writes to its
//! directories (overlayfs.rst, "Changes to underlying filesystems"): nothing is applied or discarded
//! while a container has it mounted, frozen or not.

use std::path::Path;

use nix::errno::Errno;

use super::{
    Container, ContainerRecord, Engine, Error,
    containers::failed,
    overlays::{BASE, Book, Home, OLD, UPPER},
};
use crate::{
    ident::VolumeName,
    mount::{RequestKind, Stored, Upper},
    rootfs::{self, Change},
    store::{Lease, Tried, try_lease},
    sys::{
        Dir, Result as SysResult, lock::Lock, process, random_bytes, remove_tree,
        same_own_metadata, sync,
    },
    volume::Hold,
};

/// What applying did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedOverlay {
    /// Where the changes are now.
    pub lower: String,
    /// Entries made, replaced or removed.
    pub entries: u64,
    /// What could not be written as it is.
    pub remarks: Vec<String>,
}

/// Whose upper dir is meant.
#[derive(Debug)]
struct Found {
    /// The container that was named.
    container: Option<Container>,
    /// Which of its mounts.
    number: usize,
    /// The volume that holds the changes.
    volume: Option<VolumeName>,
}

/// What keeps others from an overlay.
#[derive(Debug, Default)]
struct Claimed {
    container: Option<Lease>,
    upper: Option<Lock>,
    volume: Option<Hold>,
}

impl Engine {
    /// What was changed over a directory, parents before children, as `diff` tells it.
    ///
    /// `text` is `CONTAINER[:TARGET]`, or a volume that takes changes.
    pub fn overlay_diff(&self, text: &str) -> Result<Vec<Change>, Error> {
        let found = self.find_overlay("diff overlay", text)?;
        let home = self.home_of(&found)?;
        let Some(book) = home.book()? else {
            return Ok(Vec::new());
        };
        process::raise_file_limit();
        let lower = self.open_lower_dir(&book.lower)?.alone()?;
        let upper = match home.place.open_dir(UPPER) {
            Ok(upper) => upper,
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(Vec::new()),
            Err(source) => return Err(failed("open overlay", source)),
        };
        rootfs::diff_dirs(&upper, &[&lower.dir]).map_err(|source| failed("diff overlay", source))
    }

    /// Writes the changes onto the directory below and empties the upper dir. After a crash in the
    /// middle the same call finishes it.
    pub fn overlay_apply(&self, text: &str) -> Result<AppliedOverlay, Error> {
        let found = self.find_overlay("apply overlay", text)?;
        let _locks = self.claim(&found, ("apply overlay", text))?;
        let home = self.home_of(&found)?;
        let Some(mut book) = home.book()? else {
            return Err(never_used("apply overlay", text));
        };
        self.refuse_other_overlays(&found, &book.lower, text)?;
        let held = found.container.as_ref().map(|one| &one.record);
        let lower = self.open_lower_to_write(&book.lower, ("overlay apply", held))?;
        let lower = lower.alone()?;
        process::raise_file_limit();
        if let Ok(upper) = home.place.open_dir(UPPER) {
            rootfs::check_depth(&upper).map_err(|source| failed("apply overlay", source))?;
        }
        let begun = book.applying.clone();
        let token = begun.clone().map_or_else(random_text, Ok)?;
        if begun.is_none() {
            book.applying = Some(token.clone());
            self.write_book(&home, &book)?;
        }
        let apply = || -> SysResult<rootfs::Applying> {
            let upper = match home.place.open_dir(UPPER) {
                Ok(upper) => upper,
                // Applied before a crash, or never mounted.
                Err(error) if error.errno() == Some(Errno::ENOENT) => {
                    return Ok(rootfs::Applying::default());
                }
                Err(error) => return Err(error),
            };
            // What the host did to the directory itself since is not undone.
            let top = match home.place.open_dir(BASE) {
                Ok(base) => !same_own_metadata(&base, &upper)?,
                Err(_) => true,
            };
            let done = rootfs::apply(&upper, &lower.dir, &aside(&token), top)?;
            // Only what is on the disk below is taken away above.
            sync::file_system(&lower.dir)?;
            put_away(&home.place)?;
            Ok(done)
        };
        let done = apply().map_err(|source| failed("apply overlay", source))?;
        let shown = book.lower.to_string();
        self.close(&home, book)?;
        Ok(AppliedOverlay {
            lower: shown,
            entries: done.entries,
            remarks: done.remarks,
        })
    }

    /// Empties the upper dir; what is below stays as it is.
    pub fn overlay_discard(&self, text: &str) -> Result<(), Error> {
        let found = self.find_overlay("discard overlay", text)?;
        let _locks = self.claim(&found, ("discard overlay", text))?;
        let home = self.home_of(&found)?;
        let Some(book) = home.book()? else {
            return Ok(());
        };
        process::raise_file_limit();
        if let (Some(token), Ok(upper)) = (&book.applying, home.place.open_dir(UPPER)) {
            let lower = self.open_lower_dir(&book.lower)?.alone()?;
            rootfs::forget(&upper, &lower.dir, &aside(token))
                .map_err(|source| failed("discard overlay", source))?;
        }
        if home.place.find(UPPER).is_ok_and(|upper| upper.is_some()) {
            put_away(&home.place).map_err(|source| failed("discard overlay", source))?;
        }
        self.close(&home, book)
    }

    /// The upper dir is put away: what is left of it goes, and the next start makes a new one.
    fn close(&self, home: &Home, book: Book) -> Result<(), Error> {
        remove_tree(&home.place, OLD).map_err(|source| failed("empty overlay", source))?;
        let applying = None;
        self.write_book(home, &Book { applying, ..book })
    }

    /// What is below somebody else's overlay must not change under it, either.
    fn refuse_other_overlays(
        &self,
        found: &Found,
        lower: &Stored,
        text: &str,
    ) -> Result<(), Error> {
        // It counts as live because we hold it.
        let ours = found.container.as_ref().map(|one| &one.record.id);
        let has = |record: &ContainerRecord| {
            record.mounts.iter().any(|mount| {
                matches!(&mount.request.kind, RequestKind::Overlay(one) if one.lower == *lower)
            })
        };
        let all = self.containers()?;
        let live = |one: &&Container| {
            one.status.is_live() && Some(&one.record.id) != ours && has(&one.record)
        };
        let Some(other) = all.iter().find(live) else {
            return Ok(());
        };
        let name = &other.record.name;
        Err(Error::Overlay {
            operation: "apply overlay",
            object: text.to_owned(),
            why: format!("container {name} has an overlay over {lower} mounted"),
            remedy: Some(format!("cowshed stop {name}")),
        })
    }

    fn home_of(&self, found: &Found) -> Result<Home, Error> {
        match (&found.volume, &found.container) {
            (Some(volume), _) => self.volume_home(volume),
            (None, Some(container)) => self.own_home(&container.record, found.number),
            (None, None) => Err(Error::NotFound {
                name: String::new(),
            }),
        }
    }

    /// Nobody has the overlay mounted, and nobody can mount it while the answer lives.
    fn claim(
        &self,
        found: &Found,
        (operation, text): (&'static str, &str),
    ) -> Result<Claimed, Error> {
        let mut claimed = Claimed::default();
        if let Some(Container { record, status, .. }) = &found.container {
            let refuse = |why: &str, remedy: Option<String>| Error::Overlay {
                operation,
                object: text.to_owned(),
                why: format!("container {} {why}", record.name),
                remedy,
            };
            if status.is_live() {
                let remedy = Some(format!("cowshed stop {}", record.name));
                return Err(refuse("has it mounted", remedy));
            }
            match try_lease(self.containers_dir()?, record.id.as_str())? {
                Tried::Got(lease) => claimed.container = Some(lease),
                Tried::Busy => return Err(refuse("is held by another command", None)),
                Tried::Absent => {
                    let name = record.name.to_string();
                    return Err(Error::NotFound { name });
                }
            }
        }
        if let Some(volume) = &found.volume {
            // In use, and nobody else's: neither removed nor mounted meanwhile.
            claimed.volume = Some(self.volumes()?.attach(volume)?);
            claimed.upper = Some(self.claim_upper(operation, volume)?);
        }
        Ok(claimed)
    }

    fn find_overlay(&self, operation: &'static str, text: &str) -> Result<Found, Error> {
        let (name, target) = match text.split_once(':') {
            Some((name, target)) => (name, Some(Path::new(target))),
            None => (text, None),
        };
        let container = match self.container(name) {
            Err(Error::NotFound { .. }) if target.is_none() => {
                return self.find_upper_volume(operation, name);
            }
            container => container?,
        };
        let (number, volume) = pick(&container.record, (operation, text), target)?;
        Ok(Found {
            container: Some(container),
            number,
            volume,
        })
    }

    fn find_upper_volume(&self, operation: &'static str, name: &str) -> Result<Found, Error> {
        let neither = || Error::NotFound {
            name: name.to_owned(),
        };
        let volume: VolumeName = name.parse().map_err(|_| neither())?;
        if self.volumes()?.find(&volume)?.is_none() {
            return Err(neither());
        }
        if self.volume_home(&volume)?.book()?.is_none() {
            return Err(never_used(operation, name));
        }
        Ok(Found {
            container: None,
            number: 0,
            volume: Some(volume),
        })
    }
}

fn never_used(operation: &'static str, text: &str) -> Error {
    Error::Overlay {
        operation,
        object: text.to_owned(),
        why: "no overlay has had its changes there".to_owned(),
        remedy: Some("mount one: --mount type=overlay,src=…,dst=…,upper=VOLUME".to_owned()),
    }
}

/// The mount that is meant, and the volume with its changes.
fn pick(
    record: &ContainerRecord,
    (operation, text): (&'static str, &str),
    target: Option<&Path>,
) -> Result<(usize, Option<VolumeName>), Error> {
    let refuse = |why: String, remedy: Option<String>| Error::Overlay {
        operation,
        object: text.to_owned(),
        why,
        remedy,
    };
    let mut fitting = Vec::new();
    for (number, mount) in record.mounts.iter().enumerate() {
        if let RequestKind::Overlay(overlay) = &mount.request.kind
            && target.is_none_or(|target| mount.request.target == target)
        {
            fitting.push((number, mount, overlay));
        }
    }
    match fitting.as_slice() {
        [] => {
            let place = target.map_or(String::new(), |target| format!(" on {}", target.display()));
            Err(refuse(
                format!("container {} has no overlay{place}", record.name),
                Some(format!("cowshed inspect {}", record.name)),
            ))
        }
        [(_, _, overlay)] if overlay.upper == Upper::Tmpfs => Err(refuse(
            "its changes are in memory, and go when its program ends".to_owned(),
            Some("upper=discard or upper=VOLUME keeps them longer".to_owned()),
        )),
        [(number, mount, _)] => Ok((*number, mount.upper.clone())),
        [(_, first, _), ..] => {
            let targets = fitting.iter();
            let targets = targets.map(|(_, mount, _)| mount.request.target.display().to_string());
            let targets = targets.collect::<Vec<_>>().join(", ");
            let first = first.request.target.display();
            let verb = operation.split(' ').next().unwrap_or(operation);
            Err(refuse(
                format!("container {} has several: {targets}", record.name),
                Some(format!("cowshed overlay {verb} {}:{first}", record.name)),
            ))
        }
    }
}

/// A name that nobody can have used: it was made up after the changes were.
fn aside(token: &str) -> String {
    format!(".cowshed-apply-{token}")
}

fn random_text() -> Result<String, Error> {
    let random = random_bytes().map_err(|source| failed("apply overlay", source))?;
    let digits = random.iter().take(8).map(|byte| format!("{byte:02x}"));
    Ok(digits.collect())
}

/// In one step: from now on there are no changes.
fn put_away(place: &Dir) -> SysResult<()> {
    remove_tree(place, OLD)?;
    place.rename_new(UPPER, place, OLD)?;
    sync::directory(place)
}
