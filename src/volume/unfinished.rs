//! What of a volume is not there, or was begun and not ended, for whoever looks without mending it.

use nix::errno::Errno;

use super::{
    Error,
    local::{DATA, Volumes, failed},
    mounting, populate,
};
use crate::{ident::VolumeName, sys::Metadata};

/// What a volume's directory says beside its record.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// There is no directory for its data.
    pub data_missing: bool,
    /// Something is mounted on it while it is in use.
    pub mounts: bool,
    /// Somebody was killed while he filled it.
    pub filling: bool,
}

impl Volumes<'_> {
    /// Looks into a volume's directory; `None` where there is none.
    pub fn unfinished(&self, name: &VolumeName) -> Result<Option<Unfinished>, Error> {
        let of = |source| failed("look into", name.as_str(), source);
        let dir = match self.dir.open_dir(name.as_str()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
            dir => dir.map_err(of)?,
        };
        let data = dir.find(DATA).map_err(of)?;
        Ok(Some(Unfinished {
            data_missing: !data.as_ref().is_some_and(Metadata::is_dir),
            mounts: dir.find(mounting::LOCK).map_err(of)?.is_some(),
            filling: populate::is_left(&dir).map_err(of)?,
        }))
    }
}
