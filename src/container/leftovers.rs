//! What killed supervisors have left of their containers, for whoever looks without putting it away.

use std::path::Path;

use nix::errno::Errno;

use super::{
    Container, Engine, Error, ImageMount, State, Status,
    containers::{STATE, failed},
};
use crate::{
    cgroup,
    error::in_a_line,
    ident::ContainerId,
    rootfs::MOUNTED,
    store::{Place, Tried, record, try_lease},
    sys::lock::Lock,
};

/// What there is of a container beside its record, though nobody supervises it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing that may be left"
)]
pub struct Leftovers {
    /// Its state cannot be read.
    pub state_damaged: bool,
    /// Its program runs.
    pub program: bool,
    /// Its control group.
    pub group: bool,
    /// The socket of its supervisor.
    pub socket: bool,
    /// All of it: `--rm`, and it has ended.
    pub is_over: bool,
}

impl Engine {
    /// What is left of a container, at this moment.
    pub fn leftovers_of(&self, container: &Container) -> Result<Leftovers, Error> {
        let (record, id) = (&container.record, container.record.id.as_str());
        let own = match self.containers_dir()?.open_dir(id) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(Leftovers::default()),
            own => own.map_err(|source| failed("open container", source))?,
        };
        let state = record::find::<State>(&own, STATE);
        let state_damaged = state.as_ref().is_err_and(crate::store::Error::is_damage);
        let program = state.ok().flatten().is_some_and(|state| state.is_alive());
        let lock = own
            .reopen()
            .and_then(|own| Lock::try_shared(own.into_fd().into()));
        let lock = lock.map_err(|source| failed("look at lease", source))?;
        if lock.is_none() {
            return Ok(Leftovers::default());
        }
        let groups = cgroup::children(self.hierarchies()?).unwrap_or_default();
        let over = match &container.state {
            Some(state) => state.started.is_some() && container.status == Status::Exited,
            None => !container.status.is_live(),
        };
        let socket = own.find("control");
        Ok(Leftovers {
            state_damaged,
            program,
            group: !program && groups.iter().any(|group| group == id),
            socket: socket
                .map_err(|source| failed("look for socket", source))?
                .is_some(),
            is_over: record.auto_remove && over && !program,
        })
    }

    /// Whether somebody is making a container of this id.
    pub fn is_being_made(&self, id: &ContainerId) -> Result<bool, Error> {
        let tmp = self.store().open_dir(Place::Tmp)?;
        Ok(matches!(try_lease(tmp, id.as_str())?, Tried::Busy))
    }

    /// The records of images' mounts and whether each is still mounted somewhere; and which files
    /// among them cannot be read, and why.
    #[expect(clippy::type_complexity, reason = "two lists")]
    pub fn image_mount_records(
        &self,
    ) -> Result<(Vec<(ImageMount, bool)>, Vec<(String, String)>), Error> {
        let images = self.store().open_dir(Place::Images)?;
        let dir = match images.open_dir(MOUNTED) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                return Ok((Vec::new(), Vec::new()));
            }
            dir => dir.map_err(|source| failed("open mounted images", source))?,
        };
        let names = dir.sorted_entries();
        let names = names.map_err(|source| failed("list mounted images", source))?;
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for name in names.iter().filter_map(|name| name.to_str()) {
            if Path::new(name).extension() != Some("json".as_ref()) {
                continue;
            }
            match record::find::<ImageMount>(&dir, name) {
                Ok(found) => records.extend(found),
                Err(error) if error.is_damage() => {
                    damaged.push((name.to_owned(), in_a_line(&error)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let alive = super::image_mount::live(&records)?;
        let is_alive = |mount: &ImageMount| alive.iter().any(|view| view.mount.id == mount.id);
        let records = records.into_iter().map(|mount| {
            let alive = is_alive(&mount);
            (mount, alive)
        });
        Ok((records.collect(), damaged))
    }
}
