//! The file system behind a volume with driver options: mounted by the first user, unmounted by the
//! last.
//!
//! Whoever changes or asks what is mounted holds `mount.lock`; a user holds the volume's shared
//! lease beside it. To have the lease alone is to be the only one: then an old mount is a dead
//! user's, and is taken off. A killed user lets go of both, and the next command looks
//! ([`tidy`]).

use std::{
    ops::Deref,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::errno::Errno;

use super::{
    Error, MountError, VolumeRecord,
    environment::{self, Problem, Way},
    local::{DATA, failed},
    mounter,
    options::MountSpec,
    populate,
};
use crate::{
    ident::{VolumeName, parse_duration},
    store::{Lease, Tried, try_lease},
    sys::{
        Dir, Result as SysResult,
        deadline::{self, Late},
        is_read_only,
        lock::Lock,
        mount, mountinfo, open_handle, process,
    },
};

/// Beside the data of a volume that is mounted by its users.
pub(super) const LOCK: &str = "mount.lock";

/// How long a mount, an unmount or a look may take; `COWSHED_MOUNT_TIMEOUT` says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last words to a server may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a command that wants something else waits for an unmount.
const GLANCE: Duration = Duration::from_secs(1);

/// Between two looks at a lock.
const PAUSE: Duration = Duration::from_millis(5);

/// A volume in use. Its lease is given back, and its file system unmounted by the last, on drop.
#[derive(Debug)]
pub struct Hold {
    lease: Lease,
    mounted: Option<Box<Mounted>>,
}

/// What a user found of a file system that is mounted for its users.
#[derive(Debug)]
struct Mounted {
    /// By us, or by an earlier user.
    first: bool,
    spec: MountSpec,
    record: VolumeRecord,
    /// There is nothing in it, and something may be put in.
    wants_filling: bool,
}

impl Deref for Hold {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl Hold {
    pub(super) fn plain(lease: Lease) -> Self {
        let mounted = None;
        Self { lease, mounted }
    }

    /// Its record, where it had to be read.
    pub fn record(&self) -> Option<&VolumeRecord> {
        self.mounted.as_ref().map(|mounted| &mounted.record)
    }

    /// Whether its data is a file system of its own.
    pub fn is_mounted(&self) -> bool {
        self.mounted.is_some()
    }

    /// Whether there is nothing in it, and something may be put in.
    pub fn wants_filling(&self) -> SysResult<bool> {
        match &self.mounted {
            Some(mounted) => Ok(mounted.wants_filling),
            None => populate::is_empty(&self.lease.dir),
        }
    }

    /// What was done to have it, for people: `None` where it is a directory of the store.
    pub fn narrate(&self, name: &VolumeName) -> Option<Vec<String>> {
        let mounted = self.mounted.as_ref()?;
        let place = format!("volumes/{name}/{DATA}");
        Some(if mounted.first {
            super::narrate::calls(&mounted.spec, &place)
        } else {
            vec![format!("{place} is mounted: an earlier user did it")]
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(mounted) = &self.mounted {
            // A server that has gone is not waited for; what is to be written to a disk is.
            let patience = if environment::is_on_device(&mounted.spec.kind) {
                patience()
            } else {
                patience().min(FAREWELL)
            };
            // What cannot be done now the next command does.
            leave(&self.lease, patience).ok();
        }
    }
}

/// Mounts a volume's file system unless somebody has.
pub(super) fn enter(lease: Lease, spec: MountSpec, record: VolumeRecord) -> Result<Hold, Error> {
    let name = &record.name;
    let system = |source| failed("mount", name.as_str(), source);
    let patience = patience();
    let turn = turn(&lease.dir, name, patience)?;
    let alone = lease.lock().try_alone().map_err(system)?;
    let mut there = lease.dir.is_mount_point(DATA).map_err(system)?;
    if alone && there {
        unmount(&lease.dir, patience).map_err(system)?;
        there = false;
    }
    lease.lock().share().map_err(system)?;
    let mut hold = Hold {
        lease,
        mounted: Some(Box::new(Mounted {
            first: !there,
            spec,
            record,
            wants_filling: false,
        })),
    };
    let done = hold.mounted.as_mut().map_or(Ok(()), |mounted| {
        if mounted.first {
            mount_now(&hold.lease.dir, &mounted.spec, patience)?;
        }
        mounted.wants_filling = look(&hold.lease.dir, &mounted.spec, patience)?;
        Ok(())
    });
    drop(turn);
    // A child that hangs has the lock as well.
    done.map_err(|source: MountError| {
        let path = data_path(&hold.lease.dir);
        Error::Mount {
            path: path.unwrap_or_default(),
            source: Box::new(source),
        }
    })?;
    Ok(hold)
}

fn mount_now(dir: &Dir, spec: &MountSpec, patience: Duration) -> Result<(), MountError> {
    let way = environment::way(spec).map_err(MountError::from)?;
    let path = data_path(dir).map_err(|source| MountError::at("/", spec, source))?;
    let failed = |source| MountError::at(&path, spec, source);
    if let Way::Helper { .. } = way {
        let program = mounter::program(spec, &way, &path).map_err(failed)?;
        let ended = deadline::run_program_within(patience, &program).map_err(failed)?;
        let (ended, said) = ended.ok_or_else(|| MountError::silent(spec, patience))?;
        let mounted = dir.is_mount_point(DATA).map_err(failed)?;
        if ended.code() == 0 && mounted {
            return Ok(());
        }
        return Err(MountError::Helper {
            program: program.path.display().to_string(),
            code: ended.code(),
            said: said.trim().replace('\n', "; "),
        });
    }
    let work = || {
        let on = open_handle(&path)?;
        mounter::mount(spec, on.as_fd(), &path).map(|()| Vec::new())
    };
    let done = deadline::run_within((patience, Late::Killed), &[], work).map_err(failed)?;
    done.map(drop)
        .ok_or_else(|| MountError::silent(spec, patience))
}

/// Whether it answers at all; whether it wants filling.
fn look(dir: &Dir, spec: &MountSpec, patience: Duration) -> Result<bool, MountError> {
    let work = || {
        let data = dir.open_dir(DATA)?;
        let wants = !is_read_only(&data)? && populate::wants_filling_mounted(&data)?;
        Ok(vec![u8::from(wants)])
    };
    let answer = deadline::run_within((patience, Late::Killed), &[dir.as_fd()], work);
    let answer = answer.map_err(|source| MountError::at(Path::new(DATA), spec, source))?;
    let answer = answer.ok_or_else(|| MountError::silent(spec, patience))?;
    Ok(answer == [1])
}

/// Gives a lease back; the last one unmounts.
fn leave(lease: &Lease, patience: Duration) -> SysResult<()> {
    let _turn = wait_turn(&lease.dir, patience)?;
    let last = lease.lock().try_alone()? && lease.dir.is_mount_point(DATA)?;
    let left = if last {
        unmount(&lease.dir, patience)
    } else {
        Ok(())
    };
    lease.lock().unlock();
    left
}

/// Takes everything off the data. Done by a child, because the last words to a file system, and what
/// is still to be written, may take as long as they like.
fn unmount(dir: &Dir, patience: Duration) -> SysResult<()> {
    // Opened anew: a child that hangs must not hold on to the lease, which is a lock of `dir`'s.
    let own = dir.reopen()?;
    let path = PathBuf::from(process::handle_path(&own)).join(DATA);
    let work = || {
        while is_mounted(&own)? {
            mount::detach(&path)?;
        }
        Ok(Vec::new())
    };
    // Out of sight it is at once, even if the rest takes longer than we wait.
    deadline::run_within((patience, Late::LeftAlone), &[own.as_fd()], work).map(drop)
}

/// Whoever was killed while he removed the volume has left no data to mount on.
fn is_mounted(dir: &Dir) -> SysResult<bool> {
    match dir.is_mount_point(DATA) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
        found => found,
    }
}

/// Unmounts what killed users left. Costs one look at the table of mounts where there is nothing.
pub(super) fn tidy(volumes: &Dir) -> Result<(), Error> {
    let system = |source| failed("unmount", "left behind", source);
    let top = process::real_path_of(volumes).map_err(system)?;
    for point in mountinfo::points_below(&top).map_err(system)? {
        let Some(name) = name_of(&top, &point) else {
            continue;
        };
        // Nobody is waited for: whoever is at it does it.
        let Ok(dir) = volumes.open_dir(name) else {
            continue;
        };
        let Some(_turn) = try_turn(&dir).map_err(system)? else {
            continue;
        };
        if let Tried::Got(lease) = try_lease(volumes, name)? {
            unmount(&lease.dir, GLANCE).map_err(system)?;
        }
    }
    Ok(())
}

fn name_of<'a>(top: &Path, point: &'a Path) -> Option<&'a str> {
    let volume = point.parent().filter(|_| point.ends_with(DATA))?;
    let name = volume.file_name()?.to_str()?;
    (volume.parent() == Some(top)).then_some(name)
}

/// Before a volume is removed by whoever has it alone: what is behind its mount stays as it is.
/// Nobody changes what is mounted while the answer lives.
pub(super) fn clear(lease: &Lease, name: &VolumeName) -> Result<Option<Turn>, Error> {
    let system = |source| failed("unmount", name.as_str(), source);
    if lease.dir.find(LOCK).map_err(system)?.is_none() {
        return Ok(None);
    }
    let turn = turn(&lease.dir, name, patience())?;
    clear_data(lease).map_err(system)?;
    Ok(Some(turn))
}

/// Unmounts, then removes the directory that it was mounted on: only an empty one goes by that.
fn clear_data(lease: &Lease) -> SysResult<()> {
    unmount(&lease.dir, patience())?;
    match lease.dir.remove_dir(DATA) {
        // Written by somebody past the mount: part of the volume. Or removed before a crash.
        Err(error) if matches!(error.errno(), Some(Errno::ENOTEMPTY | Errno::ENOENT)) => Ok(()),
        removed => removed,
    }
}

/// The right to change what is mounted.
#[derive(Debug)]
pub(super) struct Turn(Lock);

impl Drop for Turn {
    fn drop(&mut self) {
        // A child that hangs has inherited it.
        self.0.unlock();
    }
}

fn try_turn(dir: &Dir) -> SysResult<Option<Turn>> {
    let file = dir.open_or_create_file(LOCK, 0o600)?;
    Ok(Lock::try_exclusive(file)?.map(Turn))
}

/// As long as whoever is at it may take, and no longer.
fn wait_turn(dir: &Dir, patience: Duration) -> SysResult<Option<Turn>> {
    let end = Instant::now() + patience + patience / 2;
    loop {
        let turn = try_turn(dir)?;
        if turn.is_some() || Instant::now() > end {
            return Ok(turn);
        }
        std::thread::sleep(PAUSE);
    }
}

fn turn(dir: &Dir, name: &VolumeName, patience: Duration) -> Result<Turn, Error> {
    let turn = wait_turn(dir, patience);
    let turn = turn.map_err(|source| failed("lock", name.as_str(), source))?;
    turn.ok_or_else(|| Error::Held { name: name.clone() })
}

fn data_path(dir: &Dir) -> SysResult<PathBuf> {
    Ok(process::real_path_of(dir)?.join(DATA))
}

/// Looks at the machine before a volume is made, for a limited time.
pub(super) fn check(spec: &MountSpec) -> Result<(), MountError> {
    let patience = patience();
    let work = || {
        let found = environment::check(spec);
        Ok(serde_json::to_vec(&found.err()).unwrap_or_default())
    };
    let failed = |source| MountError::at(Path::new(DATA), spec, source);
    let answer = deadline::run_within((patience, Late::Killed), &[], work).map_err(failed)?;
    let answer = answer.ok_or_else(|| MountError::silent(spec, patience))?;
    let problem: Option<Problem> = serde_json::from_slice(&answer).unwrap_or_default();
    problem.map_or(Ok(()), |problem| Err(problem.into()))
}

fn patience() -> Duration {
    let text = std::env::var("COWSHED_MOUNT_TIMEOUT").unwrap_or_default();
    let seconds = text.parse().ok().map(Duration::from_secs);
    let duration = || {
        u64::try_from(parse_duration(&text).ok()?)
            .ok()
            .map(Duration::from_nanos)
    };
    let wanted = seconds.or_else(duration);
    wanted
        .filter(|wanted| !wanted.is_zero())
        .unwrap_or(PATIENCE)
}
