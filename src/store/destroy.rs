//! The end of a store: nothing of it stays, and nothing else goes.
//!
//! The header is marked first, so that nobody comes any more, and removed last, so that the same command
//! finds out what to go on with after it was killed. Nothing is followed: no symbolic link, and no mount
//! point, whatever it shows.

use std::{ffi::OsString, path::Path};

use nix::errno::Errno;

use super::{
    Error, Lease, Place, Store, Tried, claim,
    format::{self, Header},
    try_lease,
};
use crate::sys::{Dir, SysError, mount, mountinfo, process, remove_tree};

/// What is left of a store that was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Razed {
    /// Nothing.
    Nothing,
    /// The empty directory: something is mounted on it.
    MountPoint,
}

/// The right to destroy a store, given back on drop or death.
#[derive(Debug)]
pub struct Doom {
    _turn: Lease,
}

impl Store {
    /// Opens a store to destroy it: one that is half destroyed, or older, too.
    ///
    /// # Errors
    ///
    /// A link, a directory that is not a store or holds something else besides, a newer store, or
    /// nothing at all.
    pub fn open_to_destroy(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        let shown = || path.display().to_string();
        let found = std::fs::symlink_metadata(path)
            .map_err(|error| failed(SysError::from_io("lstat", shown(), &error)))?;
        if found.is_symlink() {
            return Err(failed(SysError::new("open", shown(), Errno::ELOOP)));
        }
        let store = Self::unclaimed(path, Dir::open(path).map_err(failed)?)?;
        let names = store.root().sorted_entries().map_err(failed)?;
        match Header::find(&store)?.map(|header| header.check(&store)) {
            None if !names.is_empty() => return Err(Error::NotAStore { path: store.path() }),
            // Half done, and for us to go on with.
            None | Some(Ok(()) | Err(Error::Doomed { .. })) => {}
            // A newer one may have something elsewhere.
            Some(Err(error)) => return Err(error),
        }
        let strange: Vec<_> = names
            .iter()
            .filter(|name| !Store::is_own_name(name))
            .collect();
        if !strange.is_empty() {
            let names = strange.iter().map(|name| name.display().to_string());
            return Err(Error::Strangers {
                path: store.path(),
                names: names.collect::<Vec<_>>().join(", "),
            });
        }
        Ok(store)
    }

    /// Marks it: from now on no command opens it but another `destroy`, when we are gone.
    pub fn doom(&self) -> Result<Doom, Error> {
        let failed = |source| Error::System {
            what: "mark store".to_owned(),
            source,
        };
        // Nobody else ever locks it; both may have gone already, with the rest.
        for place in [Place::Merged, Place::Tmp] {
            let made = self.root().ensure_dir(place.path(), 0o700);
            made.map_err(failed)?;
        }
        let merged = Place::Merged.path().display().to_string();
        let Tried::Got(turn) = try_lease(self.root(), &merged)? else {
            return Err(Error::DoomedElsewhere { path: self.path() });
        };
        if let Some(header) = Header::find(self)?.filter(|header| !header.is_doomed()) {
            header.doomed().write(self)?;
        }
        Ok(Doom { _turn: turn })
    }

    /// Removes everything, when nobody works with it any more.
    ///
    /// # Errors
    ///
    /// A mount that cannot be taken off, a command that still works with the store.
    pub fn raze(&self, doom: Doom) -> Result<Razed, Error> {
        let _alone = claim::alone(self)?;
        self.unmount_all()?;
        let failed = |source| Error::System {
            what: format!("remove store {}", self.path().display()),
            source,
        };
        let root = self.root();
        let last = Place::Merged.path().as_os_str();
        let names = root.sorted_entries().map_err(failed)?;
        let (late, early): (Vec<OsString>, Vec<OsString>) = names
            .into_iter()
            .filter(|name| name != "lost+found")
            .partition(|name| name == last || name == format::FILE);
        for name in early {
            remove_tree(root, &name).map_err(failed)?;
        }
        // The header after everything that only it tells of.
        for name in late {
            remove_tree(root, &name).map_err(failed)?;
        }
        drop(doom);
        self.remove_root().map_err(failed)
    }

    fn remove_root(&self) -> Result<Razed, SysError> {
        let path = self.path();
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Razed::MountPoint);
        };
        match Dir::open(parent)?.remove_dir(name) {
            Ok(()) => Ok(Razed::Nothing),
            Err(error) if error.errno() == Some(Errno::EBUSY) => Ok(Razed::MountPoint),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(Razed::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Takes off whatever is mounted below the root in this mount namespace, the latest first. What the
    /// mounts show is not touched.
    fn unmount_all(&self) -> Result<(), Error> {
        let failed = |source| Error::System {
            what: format!("unmount what is below {}", self.path().display()),
            source,
        };
        let top = process::real_path_of(self.root()).map_err(failed)?;
        let mut points = mountinfo::points_below(&top).map_err(failed)?;
        points.retain(|point| *point != top);
        for point in points.iter().rev() {
            mount::unmount(point).map_err(failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_goes_and_nobody_opens_it_meanwhile() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("store");
        let used = Store::open(&root).unwrap();
        let store = Store::open_to_destroy(&root).unwrap();
        let doom = store.doom().unwrap();
        assert!(matches!(Store::open(&root), Err(Error::Doomed { .. })));
        let second = Store::open_to_destroy(&root).unwrap().doom();
        assert!(matches!(second, Err(Error::DoomedElsewhere { .. })));
        drop(used);
        assert_eq!(store.raze(doom).unwrap(), Razed::Nothing);
        assert!(!root.exists());
        let gone = Store::open_to_destroy(&root);
        assert!(matches!(gone, Err(Error::Open { .. })));
    }

    #[test]
    fn what_is_no_store_or_holds_more_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("store");
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(root.join("tmp")).unwrap();
        let refused = Store::open_to_destroy(&root);
        assert!(matches!(refused, Err(Error::NotAStore { .. })));
        drop(Store::open(&root).unwrap());
        std::fs::create_dir(root.join("photos")).unwrap();
        let refused = Store::open_to_destroy(&root);
        assert!(matches!(refused, Err(Error::Strangers { names, .. }) if names == "photos"));
        std::os::unix::fs::symlink(&root, scratch.path().join("link")).unwrap();
        let refused = Store::open_to_destroy(&scratch.path().join("link"));
        assert!(matches!(refused, Err(Error::Open { .. })));
        assert!(root.join("photos").exists());
    }

    #[test]
    fn whoever_has_it_open_is_waited_for_in_vain() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("store");
        let used = Store::open(&root).unwrap();
        let store = Store::open_to_destroy(&root).unwrap();
        let doom = store.doom().unwrap();
        assert!(matches!(store.raze(doom), Err(Error::Busy { .. })));
        drop(used);
        // The same again finishes it.
        let store = Store::open_to_destroy(&root).unwrap();
        let doom = store.doom().unwrap();
        assert_eq!(store.raze(doom).unwrap(), Razed::Nothing);
    }
}
