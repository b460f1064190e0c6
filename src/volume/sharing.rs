//! Who has a volume mounted together with whom, decided by locks on its `users` file.
//!
//! Byte 0 is shared by all users, or one user's alone; byte 1 is shared by those that write. A user
//! that dies lets go, and nobody is ever counted.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use super::{Error, local::failed};
use crate::{
    mount::{Access, Sharing},
    sys::{At as _, Dir, lock},
};

const FILE: &str = "users";
const USERS: u64 = 0;
const WRITERS: u64 = 1;

/// Somebody's place among the users of a volume, until it is dropped.
#[derive(Debug)]
pub struct Admission {
    file: File,
    /// Somebody else writes, too, and so do we.
    pub beside_writers: bool,
}

/// What [`admit`] found.
#[derive(Debug)]
pub enum Admitted {
    /// In.
    Yes(Admission),
    /// Somebody is in who stands nobody beside him, or we are the one and somebody is in. What he
    /// said of himself; empty for a container.
    No {
        /// Process and command, as [`Admission::describe`] left it.
        holder: String,
    },
}

/// Lets somebody in who is going to mount the volume in `volume`, unless that is against somebody's
/// wish. Does not wait.
pub fn admit(
    volume: &Dir,
    name: &str,
    (sharing, access): (Sharing, Access),
) -> Result<Admitted, Error> {
    let admit = || {
        let mut file = volume.open_or_create_file(FILE, 0o600)?;
        let alone = sharing.is_alone(access);
        if !lock::try_range(&file, USERS, alone)? {
            let mut holder = String::new();
            // Only to be told.
            file.read_to_string(&mut holder).ok();
            return Ok(Admitted::No { holder });
        }
        let mut beside_writers = false;
        if access == Access::ReadWrite {
            // Ours first: of two that come at once, one sees the other.
            lock::try_range(&file, WRITERS, false)?;
            beside_writers = lock::is_range_shared(&file, WRITERS)?;
        }
        Ok(Admitted::Yes(Admission {
            file,
            beside_writers,
        }))
    };
    admit().map_err(|source| failed("lock", name, source))
}

impl Admission {
    /// Says who we are to those that we keep out.
    pub fn describe(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        let written = write().at("write", || FILE);
        written.map_err(|source| failed("lock", name, source))
    }

    /// The locked file, for a program that holds it on.
    pub fn file(&self) -> &File {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> (tempfile::TempDir, Dir) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        (scratch, dir)
    }

    fn try_admit(dir: &Dir, sharing: Sharing, access: Access) -> Option<Admission> {
        match admit(dir, "v", (sharing, access)).unwrap() {
            Admitted::Yes(admission) => Some(admission),
            Admitted::No { .. } => None,
        }
    }

    const READ: Access = Access::ReadOnly;
    const WRITE: Access = Access::ReadWrite;

    #[test]
    fn exclusive_is_alone_whoever_came_first() {
        let (_scratch, dir) = volume();
        let first = try_admit(&dir, Sharing::Exclusive, READ).unwrap();
        for sharing in [Sharing::Shared, Sharing::Readers, Sharing::Exclusive] {
            assert!(try_admit(&dir, sharing, READ).is_none());
        }
        drop(first);
        let shared = try_admit(&dir, Sharing::Shared, WRITE).unwrap();
        assert!(try_admit(&dir, Sharing::Exclusive, READ).is_none());
        drop(shared);
        assert!(try_admit(&dir, Sharing::Exclusive, READ).is_some());
    }

    #[test]
    fn readers_are_many_and_a_writer_is_one() {
        let (_scratch, dir) = volume();
        let readers = [(); 3].map(|()| try_admit(&dir, Sharing::Readers, READ).unwrap());
        assert!(try_admit(&dir, Sharing::Readers, WRITE).is_none());
        drop(readers);
        let _writer = try_admit(&dir, Sharing::Readers, WRITE).unwrap();
        assert!(try_admit(&dir, Sharing::Readers, READ).is_none());
    }

    #[test]
    fn a_second_writer_is_told_and_a_reader_is_not() {
        let (_scratch, dir) = volume();
        let admit = |access| try_admit(&dir, Sharing::Shared, access).unwrap();
        let reader = admit(READ);
        let first = admit(WRITE);
        assert!(!reader.beside_writers && !first.beside_writers);
        assert!(admit(WRITE).beside_writers && !admit(READ).beside_writers);
    }

    #[test]
    fn whoever_keeps_others_out_is_named() {
        let (_scratch, dir) = volume();
        let mut first = try_admit(&dir, Sharing::Exclusive, WRITE).unwrap();
        for text in ["process 4711 (a long command)", "process 1 (true)"] {
            first.describe("v", text).unwrap();
            let second = admit(&dir, "v", (Sharing::Shared, READ)).unwrap();
            assert!(matches!(second, Admitted::No { holder } if holder == text));
        }
    }
}
