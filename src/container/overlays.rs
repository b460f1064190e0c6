//! The upper dirs of overlays over directories and volumes: where they are and who may use them.
//!
//! ```text
//! containers/<id>/overlays/<n>/{upper,work,overlay.json}      goes with the container
//! volumes/<name>/_data/{upper,work}, overlay.json beside      stays
//! ```
//!
//! `overlay.json` says over what the changes were made: applied to anything else they would make
//! no sense. A lock says who uses an upper dir: the kernel does not forbid two.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{ContainerRecord, Engine, Error, containers::failed};
use crate::{
    ident::VolumeName,
    mount::{OverlayRequest, OverlayTree, RequestKind, Stored, Upper},
    store::{Durability, Place, record},
    sys::{
        Dir, Result as SysResult, RootDir, copy_own_metadata,
        lock::Lock,
        metadata_of,
        mount::{Depth, clone_tree},
        open_handle, remove_tree,
    },
    volume::{Admission, Hold, Renaming},
};

const OVERLAYS: &str = "overlays";
const BOOK: &str = "overlay.json";
const LOCK: &str = "overlay.lock";
const DATA: &str = "_data";

/// An upper dir being made: it is renamed when it looks like its lower.
const FRESH: &str = "upper.new";

/// An empty directory that looks as the lower did when the upper dir was made: whether a container
/// changed the top directory itself shows beside it.
pub(super) const BASE: &str = "upper.base";

/// An upper dir whose changes are applied or discarded, being removed.
pub(super) const OLD: &str = "upper.old";

pub(super) const UPPER: &str = OverlayTree::UPPER;

/// What is known about an upper dir.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    /// What it is over.
    pub(super) lower: Stored,
    /// Its changes are being applied, under a name that holds this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) applying: Option<String>,
}

/// An upper dir that we may use.
#[derive(Debug)]
pub(super) struct Home {
    /// Holds `overlay.json`; no container can reach it.
    pub(super) books: Dir,
    /// Holds `upper` and `work`.
    pub(super) place: Dir,
    /// Of the container or volume.
    pub(super) name: String,
    /// The same with what it is, for messages.
    pub(super) shown: String,
    /// Of a volume.
    _hold: Option<Hold>,
}

/// The directory below an overlay.
#[derive(Debug)]
pub(super) struct Lower {
    pub(super) dir: Dir,
    /// Of a volume.
    hold: Option<Hold>,
    /// Among the users of a volume, where it is written to.
    admission: Option<Admission>,
}

impl Lower {
    /// Without what is mounted on it: as the overlay sees it.
    pub(super) fn alone(self) -> Result<Self, Error> {
        let tree = clone_tree(&self.dir, Depth::Top);
        let alone = tree.and_then(|tree| RootDir::new(Dir::from_fd(tree)).open_dir(Path::new("/")));
        Ok(Self {
            dir: alone.map_err(|source| failed("open lower directory", source))?,
            ..self
        })
    }
}

impl Home {
    pub(super) fn book(&self) -> Result<Option<Book>, Error> {
        Ok(record::find(&self.books, BOOK)?)
    }
}

impl Engine {
    /// Where an overlay has its upper dir; `None` is memory.
    pub(super) fn overlay_place(
        &self,
        record: &ContainerRecord,
        number: usize,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(mount) = record.mounts.get(number) else {
            return Ok(None);
        };
        let RequestKind::Overlay(overlay) = &mount.request.kind else {
            return Ok(None);
        };
        Ok(match &overlay.upper {
            Upper::Tmpfs => None,
            Upper::Discard => {
                let own = self.store().path_in(Place::Containers, record.id.as_str());
                Some(own.join(OVERLAYS).join(number.to_string()))
            }
            Upper::Volume(name) => Some(self.volumes()?.mountpoint(&name.parse()?)),
        })
    }

    /// The home of an overlay with an upper dir in its container.
    pub(super) fn own_home(&self, record: &ContainerRecord, number: usize) -> Result<Home, Error> {
        let containers = self.containers_dir()?;
        let open = || -> SysResult<Dir> {
            let own = containers.open_dir(record.id.as_str())?;
            own.ensure_dir(OVERLAYS, 0o700)?;
            let all = own.open_dir(OVERLAYS)?;
            let name = number.to_string();
            all.ensure_dir(&name, 0o700)?;
            all.open_dir(&name)
        };
        let place = open().map_err(|source| failed("open overlay", source))?;
        let books = place.try_clone();
        Ok(Home {
            books: books.map_err(|source| failed("open overlay", source))?,
            place,
            name: record.name.to_string(),
            shown: format!("container {}", record.name),
            _hold: None,
        })
    }

    /// The home of an overlay with an upper dir in a volume.
    pub(super) fn volume_home(&self, name: &VolumeName) -> Result<Home, Error> {
        let hold = self.volumes()?.attach(name)?;
        let opened =
            |opened: SysResult<Dir>| opened.map_err(|source| failed("open overlay", source));
        Ok(Home {
            place: opened(hold.dir.open_dir(DATA))?,
            books: opened(hold.dir.try_clone())?,
            name: name.to_string(),
            shown: format!("volume {name}"),
            _hold: Some(hold),
        })
    }

    /// Claims the upper dir in a volume for as long as the answer lives. The caller holds the
    /// volume.
    pub(super) fn claim_upper(
        &self,
        operation: &'static str,
        name: &VolumeName,
    ) -> Result<Lock, Error> {
        let missing = || crate::volume::Error::NotFound {
            name: name.to_string(),
        };
        let lease = self.volumes()?.lease(name)?.ok_or_else(missing)?;
        let file = lease.dir.open_or_create_file(LOCK, 0o600);
        let lock = file.and_then(Lock::try_exclusive);
        let lock = lock.map_err(|source| failed("lock overlay", source))?;
        let busy = || Error::Overlay {
            operation,
            object: format!("with changes in volume {name}"),
            why: "another container that runs, or another command, has its changes there"
                .to_owned(),
            remedy: Some("give each container an upper volume of its own".to_owned()),
        };
        lock.ok_or_else(busy)
    }

    /// Makes what the overlays of a container need; the answer holds their upper dirs, and the
    /// caller their volumes.
    pub(super) fn prepare_overlays(&self, record: &ContainerRecord) -> Result<Vec<Lock>, Error> {
        let mut locks = Vec::new();
        for (number, mount) in record.mounts.iter().enumerate() {
            let RequestKind::Overlay(overlay) = &mount.request.kind else {
                continue;
            };
            let home = match (&overlay.upper, &mount.upper) {
                (Upper::Volume(_), Some(name)) => {
                    locks.push(self.claim_upper("mount overlay", name)?);
                    let home = self.volume_home(name)?;
                    refuse_other_data(&home)?;
                    home
                }
                (Upper::Discard, _) => self.own_home(record, number)?,
                (Upper::Volume(_), None) | (Upper::Tmpfs, _) => continue,
            };
            self.prepare(&home, overlay)?;
        }
        Ok(locks)
    }

    fn prepare(&self, home: &Home, overlay: &OverlayRequest) -> Result<(), Error> {
        let refuse = |why: String, remedy: String| Error::Overlay {
            operation: "mount overlay",
            object: format!("over {}", overlay.lower),
            why,
            remedy: Some(remedy),
        };
        let name = &home.name;
        let book = home.book()?;
        if let Some(book) = &book {
            if book.applying.is_some() {
                let why = format!("the changes in {} are being applied", home.shown);
                return Err(refuse(why, format!("cowshed overlay apply {name}")));
            }
            if book.lower != overlay.lower && has_changes(&home.place) {
                let why = format!("{} holds changes to {}", home.shown, book.lower);
                return Err(refuse(why, format!("cowshed overlay discard {name}")));
            }
        }
        let lower = self.open_lower_dir(&overlay.lower)?;
        let wanted = Book {
            lower: overlay.lower.clone(),
            applying: None,
        };
        if book.as_ref() != Some(&wanted) {
            self.write_book(home, &wanted)?;
        }
        make_upper(&home.place, &lower.dir).map_err(|source| failed("prepare overlay", source))
    }

    /// A volume has another name: what was changed over it goes on to be changed over it.
    pub(super) fn rename_lower_in(&self, books: &Dir, renaming: &Renaming) -> Result<(), Error> {
        let Some(mut book) = record::find::<Book>(books, BOOK)? else {
            return Ok(());
        };
        if book.lower != Stored::Volume(renaming.from.to_string()) {
            return Ok(());
        }
        book.lower = Stored::Volume(renaming.to.to_string());
        let synced = Durability::Synced;
        Ok(record::replace(self.store(), books, BOOK, &book, synced)?)
    }

    /// The same for the overlays of a container that have their upper dirs in it.
    pub(super) fn rename_lower_of(
        &self,
        own: &Dir,
        record: &ContainerRecord,
        renaming: &Renaming,
    ) -> Result<(), Error> {
        for number in 0..record.mounts.len() {
            let place = own
                .open_dir(OVERLAYS)
                .and_then(|all| all.open_dir(number.to_string()));
            match place {
                Ok(place) => self.rename_lower_in(&place, renaming)?,
                Err(error) if error.errno() == Some(Errno::ENOENT) => {}
                Err(source) => return Err(failed("open overlay", source)),
            }
        }
        Ok(())
    }

    pub(super) fn write_book(&self, home: &Home, book: &Book) -> Result<(), Error> {
        let synced = Durability::Synced;
        Ok(record::replace(
            self.store(),
            &home.books,
            BOOK,
            book,
            synced,
        )?)
    }

    /// The directory below an overlay. A volume's data is never a link.
    pub(super) fn open_lower_dir(&self, lower: &Stored) -> Result<Lower, Error> {
        let (opened, hold) = match lower {
            Stored::Path(path) => (Dir::open(path), None),
            Stored::Volume(name) => {
                let hold = self.volumes()?.attach(&name.parse()?)?;
                (hold.dir.open_dir(DATA), Some(hold))
            }
        };
        Ok(Lower {
            dir: opened.map_err(|source| failed("open lower directory", source))?,
            hold,
            admission: None,
        })
    }

    /// The same to write to it, as another user of the volume would.
    pub(super) fn open_lower_to_write(
        &self,
        lower: &Stored,
        (what, held): (&str, Option<&ContainerRecord>),
    ) -> Result<Lower, Error> {
        let mut opened = self.open_lower_dir(lower)?;
        if let (Stored::Volume(name), Some(hold)) = (lower, &opened.hold) {
            let record = self.volumes()?.get(name)?.record;
            let of = (&record.name, record.sharing);
            opened.admission = Some(self.admit_command(of, &hold.dir, (what, held))?);
        }
        Ok(opened)
    }
}

/// Whether there is anything in the upper dir of a place.
pub(super) fn has_changes(place: &Dir) -> bool {
    let entries = place.open_dir(UPPER).and_then(|upper| upper.entries());
    entries.is_ok_and(|entries| !entries.is_empty())
}

/// An upper dir in a volume has the volume for itself.
fn refuse_other_data(home: &Home) -> Result<(), Error> {
    let names = home.place.entries();
    let names = names.map_err(|source| failed("list overlay", source))?;
    let ours = [UPPER, OverlayTree::WORK, BASE, FRESH, OLD, "lost+found"];
    match names
        .iter()
        .find(|name| !ours.iter().any(|our| *name == our))
    {
        None => Ok(()),
        Some(other) => Err(Error::Overlay {
            operation: "mount overlay",
            object: format!("with changes in {}", home.shown),
            why: format!("it has data of its own, such as {}", other.display()),
            remedy: Some("name an empty volume, or one that does not exist".to_owned()),
        }),
    }
}

/// The union's root is the upper dir's: it looks like the lower's.
fn make_upper(place: &Dir, lower: &Dir) -> SysResult<()> {
    remove_tree(place, OLD)?;
    match place.open_dir(UPPER) {
        Ok(_) => {}
        Err(error) if error.errno() == Some(Errno::ENOENT) => {
            for name in [BASE, FRESH] {
                remove_tree(place, name)?;
                place.make_dir(name, 0o755)?;
                copy_own_metadata(lower, &place.open_dir(name)?)?;
            }
            place.rename_new(FRESH, place, UPPER)?;
        }
        // A link or file that somebody put there.
        Err(error) => return Err(error),
    }
    place.ensure_dir(OverlayTree::WORK, 0o700)
}

/// What is to be overlaid is a directory, where it is there at all.
pub(super) fn check_lowers(container: &ContainerRecord) -> Result<(), Error> {
    for mount in &container.mounts {
        let RequestKind::Overlay(overlay) = &mount.request.kind else {
            continue;
        };
        let Stored::Path(path) = &overlay.lower else {
            continue;
        };
        let found = open_handle(path).and_then(metadata_of);
        if found.is_ok_and(|found| !found.is_dir()) {
            let path = path.clone();
            return Err(Error::NoLowerDirectory { path });
        }
    }
    Ok(())
}
