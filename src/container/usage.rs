//! What a container takes on disk.

use nix::errno::Errno;

use super::{ContainerRecord, Engine, Error, containers::failed};
use crate::{
    rootfs::Layers,
    sys::{Dir, usage},
};

/// What a container takes on disk, in bytes as Docker counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerSize {
    /// What it wrote.
    pub written: u64,
    /// Its whole root: the image's layers and what it wrote.
    pub root: u64,
}

impl Engine {
    /// Adds up the upper dir and what the layers say of themselves. A container that is gone by now
    /// wrote nothing.
    pub fn size_of(&self, record: &ContainerRecord) -> Result<ContainerSize, Error> {
        let overlay = self.overlay_of(record)?;
        let upper = overlay.base.join(&overlay.upper);
        let written = match Dir::open(&upper).and_then(|dir| usage(&dir)) {
            Ok(usage) => usage.bytes,
            Err(error) if error.errno() == Some(Errno::ENOENT) => 0,
            Err(source) => return Err(failed("add up upper dir", source)),
        };
        let layers = Layers::open(self.store())?;
        let mut root = written;
        for chain in &record.chains {
            root += layers.get(*chain)?.bytes;
        }
        Ok(ContainerSize { written, root })
    }
}
