//! What a command line asks of a container's log.

use nix::errno::Errno;

use super::{ContainerRecord, Engine, Error, containers::failed};
use crate::{log::LogDriver, sys::Dir};

impl Engine {
    /// The directory that holds a container's log, to read it there or to write it.
    ///
    /// # Errors
    ///
    /// A container whose output is not kept, or that is being removed.
    pub fn log_dir(&self, record: &ContainerRecord) -> Result<Dir, Error> {
        if record.log.driver == LogDriver::None {
            return Err(Error::NoLog);
        }
        match self.containers_dir()?.open_dir(record.id.as_str()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Err(Error::NotFound {
                name: record.id.to_string(),
            }),
            opened => opened.map_err(|source| failed("open container", source)),
        }
    }
}
