//! What a repair does to containers, and to layers that containers stand on: alone, or not at all.

use std::{path::PathBuf, time::Duration};

use super::{
    ContainerRecord, Engine, Error, State,
    containers::{CONFIG, STATE, failed},
    keeper,
};
use crate::{
    cgroup,
    ident::{ChainId, ContainerId, ContainerName, Digest, VolumeName},
    store::{Lease, Place, Tried, lease_place, put_aside, record, try_lease},
    sys::{Dir, process},
    volume::{Looked, Volumes},
};

/// A lister holds a container for microseconds: 200 ms in all.
const RETRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// What came of a claim on something that others may use.
#[derive(Debug)]
pub enum Alone<T> {
    /// Nobody used it, and this was done.
    Done(T),
    /// Somebody uses it: who, and what to do about it.
    Used(String),
}

impl Engine {
    /// Does `work` while nobody uses a layer and nobody can begin to: no container runs on it or is
    /// started, no image with it is mounted or built on, no command reads it.
    pub fn with_layer_alone<T>(
        &self,
        chain: ChainId,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Alone<T>, Error> {
        process::raise_file_limit();
        let _lease = lease_place(self.store(), Place::Layers, true)?;
        let (held, used) =
            self.hold_containers(|record| record.all_chains().any(|own| *own == chain))?;
        if let Some(used) = used {
            return Ok(Alone::Used(used));
        }
        for view in self.image_mounts()? {
            if view.mount.chains.contains(&chain) {
                let place = view.shown();
                return Ok(Alone::Used(format!(
                    "an image is mounted at {place}: cowshed image unmount it first"
                )));
            }
        }
        for record in self.images()?.all()?.0 {
            if record.layers.iter().any(|layer| layer.chain == chain)
                && self.is_built_on(&record.id)?
            {
                return Ok(Alone::Used("a build uses it: wait for its end".to_owned()));
            }
        }
        let layers = self.store().open_dir(Place::Layers)?;
        let own = try_lease(layers, &chain.0.hex());
        // What is no directory is nobody's.
        if matches!(own, Ok(Tried::Busy)) {
            return Ok(Alone::Used(
                "another command reads it: wait for its end".to_owned(),
            ));
        }
        let done = work()?;
        drop(held);
        Ok(Alone::Done(done))
    }

    /// The same of all layers: no container runs.
    pub fn with_no_container<T>(
        &self,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Alone<T>, Error> {
        process::raise_file_limit();
        let _lease = lease_place(self.store(), Place::Layers, true)?;
        let (held, used) = self.hold_containers(|_| true)?;
        if let Some(used) = used {
            return Ok(Alone::Used(used));
        }
        let done = work()?;
        drop(held);
        Ok(Alone::Done(done))
    }

    /// Holds containers, so that none is started; or says which one runs. One that cannot be read may
    /// stand on anything.
    fn hold_containers(
        &self,
        of: impl Fn(&ContainerRecord) -> bool,
    ) -> Result<(Vec<Lease>, Option<String>), Error> {
        let (all, damaged) = self.all_containers()?;
        let mut held = Vec::new();
        let ours = all.into_iter().filter(|one| of(&one.record));
        let ours = ours.map(|one| {
            (
                one.record.id.clone(),
                one.record.name.to_string(),
                one.status,
            )
        });
        for (id, name, status) in ours.collect::<Vec<_>>() {
            match self.claim_container(&id)? {
                Tried::Got(lease) if !status.is_live() => held.push(lease),
                Tried::Absent => {}
                Tried::Got(_) | Tried::Busy => {
                    let used = format!(
                        "container {name} runs on it: cowshed stop {name}, and repair again"
                    );
                    return Ok((held, Some(used)));
                }
            }
        }
        for one in damaged {
            if let Tried::Busy = self.claim_container(&one.id)? {
                let id = one.id.short();
                let used = format!(
                    "container {id} runs, and its record cannot be read: cowshed rm -f {id}"
                );
                return Ok((held, Some(used)));
            }
        }
        Ok((held, None))
    }

    fn claim_container(&self, id: &ContainerId) -> Result<Tried, Error> {
        let dir = self.containers_dir()?;
        for _ in 1..RETRIES {
            match try_lease(dir, id.as_str())? {
                Tried::Busy => std::thread::sleep(PAUSE),
                tried @ (Tried::Got(_) | Tried::Absent) => return Ok(tried),
            }
        }
        Ok(try_lease(dir, id.as_str())?)
    }

    /// Does `work` in the directory of a container that does not run. It is gone: nothing is done.
    fn with_container<T: Default>(
        &self,
        id: &ContainerId,
        work: impl FnOnce(&Dir) -> Result<T, Error>,
    ) -> Result<Alone<T>, Error> {
        Ok(match self.claim_container(id)? {
            Tried::Got(lease) => Alone::Done(work(&lease.dir)?),
            Tried::Absent => Alone::Done(T::default()),
            Tried::Busy => Alone::Used(format!(
                "it runs: cowshed stop {}, and repair again",
                id.short()
            )),
        })
    }

    /// Makes the work directory of a container's union.
    pub fn mend_work(&self, id: &ContainerId) -> Result<Alone<()>, Error> {
        self.with_container(id, |dir| {
            let made = dir.ensure_dir("work", 0o700);
            made.map_err(|source| failed("make work directory", source))
        })
    }

    /// Writes that a container has ended whose state says nothing.
    pub fn settle_state(&self, id: &ContainerId) -> Result<Alone<()>, Error> {
        self.with_container(id, |dir| {
            let record: Option<ContainerRecord> = record::find(dir, CONFIG)?;
            let is_damaged =
                record::find::<State>(dir, STATE).is_err_and(|error| error.is_damage());
            match record.filter(|_| is_damaged) {
                Some(record) => self.write_state(dir, &State::lost(&record)),
                None => Ok(()),
            }
        })
    }

    /// Removes a file that a dead supervisor has left in a container's directory.
    pub fn unlink_leftover(&self, id: &ContainerId, name: &str) -> Result<Alone<()>, Error> {
        self.with_container(id, |dir| {
            crate::sys::gone(dir.remove_file(name))
                .map_err(|source| failed("remove leftover", source))
        })
    }

    /// Puts a container into quarantine, and gives its name free; answers where it is.
    pub fn put_container_aside(
        &self,
        id: &ContainerId,
        why: &str,
    ) -> Result<Alone<PathBuf>, Error> {
        self.with_container(id, |own| {
            let path = Place::Containers.path().join(id.as_str());
            let record = record::find::<ContainerRecord>(own, CONFIG);
            let has_upper = own.find("upper").is_ok_and(|found| found.is_some());
            if has_upper && matches!(record, Ok(Some(_))) {
                // It could not be read a moment ago, and can be now.
                return Ok(path);
            }
            keeper::clear(self.hierarchies()?, id.as_str())?;
            let now = put_aside(self.store(), &path, why)?;
            if let Some(name) = self.name_of(id) {
                self.release_name(&name, id)?;
            }
            Ok(now)
        })
    }

    /// Reserves the name that a container has, unless another one has it.
    pub fn reserve_name(&self, name: &ContainerName, id: &ContainerId) -> Result<(), Error> {
        match self.claim_name(name, id) {
            Err(Error::NameTaken { holder, .. }) if holder == id.as_str() => Ok(()),
            done => done,
        }
    }

    /// Gives a name free that no container is called by.
    pub fn release_stray_name(&self, name: &ContainerName, id: &ContainerId) -> Result<(), Error> {
        let own = self.containers_dir()?.open_dir(id.as_str());
        let record: Option<ContainerRecord> = match own {
            Ok(own) => record::find(&own, CONFIG)?,
            Err(_) => None,
        };
        if record.is_some_and(|record| record.name == *name) || self.is_being_made(id)? {
            return Ok(());
        }
        self.release_name(name, id)
    }

    /// Forgets the records of images' mounts that are no more.
    pub fn forget_image_mounts(&self) -> Result<(), Error> {
        let _lease = lease_place(self.store(), Place::Layers, true)?;
        self.tidy_image_mounts()
    }

    /// Ends what is in the control group of a container that is gone, and removes it.
    pub fn clear_stray_group(&self, id: &ContainerId) -> Result<(), Error> {
        if self
            .containers_dir()?
            .find(id.as_str())
            .is_ok_and(|found| found.is_none())
        {
            keeper::clear(self.hierarchies()?, id.as_str())
                .map_err(|error: cgroup::Error| error.into())
        } else {
            Ok(())
        }
    }

    /// Does `work` with a volume that nobody uses.
    pub fn with_volume_alone<T>(
        &self,
        name: &VolumeName,
        work: impl FnOnce(&Volumes<'_>, &Dir) -> Result<T, Error>,
    ) -> Result<Alone<T>, Error> {
        let volumes = self.volumes()?;
        Ok(match volumes.try_claim(name)? {
            Tried::Got(lease) => Alone::Done(work(&volumes, &lease.dir)?),
            Tried::Absent => Alone::Used("it is gone".to_owned()),
            Tried::Busy => {
                Alone::Used("somebody uses it: stop the containers that have it mounted".to_owned())
            }
        })
    }

    /// Puts a volume that nobody uses into quarantine; answers where it is.
    pub fn put_volume_aside(&self, name: &VolumeName, why: &str) -> Result<Alone<PathBuf>, Error> {
        self.with_volume_alone(name, |volumes, _| {
            // Whose record can be read by now is no case for it.
            if let Some(Looked::Whole(_)) = volumes.look(name)? {
                return Ok(Place::Volumes.path().join(name.as_str()));
            }
            volumes.tidy()?;
            Ok(put_aside(
                self.store(),
                &Place::Volumes.path().join(name.as_str()),
                why,
            )?)
        })
    }

    /// Puts a damaged blob that nobody reads into quarantine; answers where it is.
    pub fn put_blob_aside(&self, digest: Digest, why: &str) -> Result<Alone<PathBuf>, Error> {
        let images = self.images()?;
        let blobs = images.blobs();
        let path = Place::Blobs.path().join(digest.hex());
        let now = || -> Result<Option<(u64, u64)>, Error> {
            let found = blobs.dir().find(digest.hex());
            let found = found.map_err(|source| failed("look up blob", source))?;
            Ok(found.map(|found| (found.dev(), found.ino())))
        };
        let seen = now()?;
        // A load may have brought it again since it was found damaged. Read before anybody waits for us.
        if seen.is_some() && blobs.is_whole(digest).is_ok_and(|whole| whole) {
            return Ok(Alone::Done(path));
        }
        let _lease = lease_place(self.store(), Place::Layers, true)?;
        if seen.is_none() || now()? != seen {
            return Ok(Alone::Used("it is gone".to_owned()));
        }
        Ok(match blobs.try_hold_alone(digest)? {
            None => Alone::Used("another command reads it: wait for its end".to_owned()),
            Some(_lock) => Alone::Done(put_aside(self.store(), &path, why)?),
        })
    }
}
