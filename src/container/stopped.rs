//! A container that does not run, kept as it is while somebody reads it or writes to it.

use super::{ContainerRecord, Engine, Error, containers::failed};
use crate::sys::lock::Lock;

/// Nobody starts the container, removes it or writes to it without starting it as long as this
/// lives.
#[derive(Debug)]
pub(super) struct Stopped {
    _locks: [Lock; 2],
}

impl Engine {
    /// `None` where it runs, or has been started meanwhile.
    pub(super) fn keep_stopped(&self, record: &ContainerRecord) -> Result<Option<Stopped>, Error> {
        let kept = self.try_keep(record);
        self.unless_removed((record.name.as_str(), &record.id), kept)
    }

    fn try_keep(&self, record: &ContainerRecord) -> Result<Option<Stopped>, Error> {
        let in_dir = |source| failed("lock container", source);
        let own = self.containers_dir()?.open_dir(record.id.as_str());
        let own = own.map_err(in_dir)?;
        let work = own.open_dir("work").map_err(in_dir)?;
        // Whoever starts or removes it has it alone.
        let Some(lock) = Lock::try_shared(own.into_fd().into()).map_err(in_dir)? else {
            return Ok(None);
        };
        if self.container(record.id.as_str())?.status.is_live() {
            return Ok(None);
        }
        // Against others who write to it without starting it.
        let work = Lock::exclusive(work.into_fd().into()).map_err(in_dir)?;
        Ok(Some(Stopped {
            _locks: [lock, work],
        }))
    }
}
