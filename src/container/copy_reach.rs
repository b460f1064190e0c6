//! Reaching a container's tree: of one that runs through its mount namespace, of any other by
//! mounting it for a moment. A volume's is there already.

use std::{ffi::OsStr, time::Duration};

use super::{
    ContainerRecord, CopyError, Engine, Error, State, Status, attach::Attached, containers::failed,
    create_volumes::Leases, stopped::Stopped,
};
use crate::{
    mount::{Action, MountPlan, Source, Stage},
    sys::{
        Result as SysResult, RootDir,
        fork::Namespaces,
        mount::{Depth, clone_tree},
        namespace::MountNamespace,
    },
    volume::OpenVolume,
};

/// How much of the tree is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// With volumes and binds.
    Everything,
    /// Only the union; what is mounted on it is an empty directory.
    Union,
}

/// A way into a container's tree. While it exists the container is not removed, and one that does
/// not run is not started.
#[derive(Debug)]
pub(super) enum Reach {
    Running(MountNamespace),
    Still {
        plan: Box<MountPlan>,
        /// The container's own, and that of our kind: two unions never write to one upper dir.
        _stopped: Stopped,
        _volumes: Attached,
    },
    /// A volume without a container.
    Volume(Box<OpenVolume>),
}

/// 2 s in all: a start and an end take less.
const RETRIES: usize = 1000;

impl Engine {
    /// Finds a way into a container.
    pub(super) fn reach(&self, text: &str, extent: Extent) -> Result<Reach, Error> {
        for _ in 0..RETRIES {
            let container = self.container(text)?;
            let reach = if has_process(container.status) {
                let state = container.state.filter(State::is_alive);
                let namespace = state.and_then(|state| {
                    let namespace = MountNamespace::of(state.pid).ok()?;
                    // Still the same process: the namespace is its own.
                    state.is_alive().then_some(namespace)
                });
                namespace.map(Reach::Running)
            } else {
                self.reach_still(&container.record, extent)?
            };
            if let Some(reach) = reach {
                return Ok(reach);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let container = text.to_owned();
        Err(CopyError::Unsettled { container }.into())
    }

    /// `None` where it has been started meanwhile.
    fn reach_still(
        &self,
        record: &ContainerRecord,
        extent: Extent,
    ) -> Result<Option<Reach>, Error> {
        let Some(stopped) = self.keep_stopped(record)? else {
            return Ok(None);
        };
        let snapshot = self.snapshot(record)?;
        if record.union.volatile {
            // The kernel refuses the upper dir otherwise; what became of it the next start tells.
            let own = self.containers_dir()?.open_dir(record.id.as_str());
            snapshot.renew(&own.map_err(|source| failed("open container", source))?)?;
        }
        let volumes = if extent == Extent::Everything {
            self.make_sources(record)?;
            self.attach_volumes(record, &snapshot, Leases::new())?
        } else {
            Attached::default()
        };
        let (mut plan, _) = self.plan(record, &snapshot)?;
        plan.overlay.volatile = false;
        Ok(Some(Reach::Still {
            plan: Box::new(plan),
            _stopped: stopped,
            _volumes: volumes,
        }))
    }
}

impl Reach {
    /// What the process that goes there needs of its own.
    pub(super) fn namespaces(&self) -> Namespaces {
        match self {
            Self::Running(_) | Self::Volume(_) => Namespaces::NONE,
            Self::Still { .. } => Namespaces::MOUNT,
        }
    }

    /// Goes there; for a process that does nothing else any more.
    pub(super) fn enter<T>(
        &self,
        extent: Extent,
        work: impl FnOnce(&RootDir) -> T,
    ) -> SysResult<T> {
        match self {
            Self::Running(namespace) => {
                let root = namespace.visit(|root| match extent {
                    Extent::Everything => root.try_clone(),
                    // A copy of the one mount, without those on top of it.
                    Extent::Union => clone_tree(root, Depth::Top).map(crate::sys::Dir::from_fd),
                })?;
                Ok(work(&RootDir::new(root)))
            }
            Self::Still { plan, .. } => {
                let mut stage =
                    Stage::new(plan.overlay.merged_path()).with_users(crate::process::find_ids);
                for action in plan.actions().iter().filter(|one| is_wanted(one, extent)) {
                    stage.apply(action)?;
                }
                Ok(work(stage.root()?))
            }
            Self::Volume(volume) => Ok(work(&RootDir::new(volume.data.try_clone()?))),
        }
    }
}

/// What of a plan is there without a process.
fn is_wanted(action: &Action, extent: Extent) -> bool {
    match action {
        Action::Isolate | Action::Furnish(_) | Action::Overlay(_) => true,
        Action::HoldSources(_) | Action::ReadOnlyRoot => extent == Extent::Everything,
        Action::Mount(mount) => {
            let stays = matches!(
                mount.source,
                Source::Bind(_) | Source::Image(_) | Source::Overlay(_) | Source::Furniture { .. }
            );
            extent == Extent::Everything && stays
        }
        Action::Devices | Action::Mask | Action::Pivot => false,
    }
}

/// What a container is called in messages.
pub(super) fn shown(container: &str, path: &OsStr) -> String {
    format!("{container}:{}", path.display())
}

/// Whether there is a process whose mounts can be entered; a frozen one is as good.
fn has_process(status: Status) -> bool {
    match status {
        Status::Running | Status::Paused => true,
        Status::Created | Status::Restarting | Status::Exited => false,
    }
}
