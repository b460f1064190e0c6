//! From findings to a store that is whole again: each remedy once, and another look.
//!
//! Every remedy is a step that is whole or not done: killed in between, the next repair goes on.

use std::{collections::HashSet, path::Path};

use super::{Deed, Effect, Error, Examination, Examined, Finding, Remedy, Watcher, mend_layers};
use crate::{
    container::{Alone, Engine},
    error::{Failure as _, in_a_line},
    event::Journal,
    store::{self, Place, keep_copy, put_aside},
    sys::{self, Dir, SysError},
};

/// One remedy brings to light what another one mends: a blob that is put aside is missing then.
const ROUNDS: usize = 5;

impl Examination {
    /// Mends what can be mended, and looks again; `tell` hears of each deed. What could not be mended
    /// is among the findings of the answer.
    ///
    /// # Errors
    ///
    /// It could not be found out whether the store is whole. A remedy that fails is told, and the
    /// others are tried all the same.
    pub fn repair(
        &self,
        watcher: Watcher<'_>,
        tell: &mut dyn FnMut(&Deed),
    ) -> Result<Examined, Error> {
        let mut tried = HashSet::new();
        let mut examined = self.prove(watcher)?;
        let mut took = examined.took;
        for _ in 0..ROUNDS {
            let findings = std::mem::take(&mut examined.findings);
            let (mut todo, rest): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| {
                let wanted = finding.is_fault() && finding.remedy.is_automatic();
                wanted && !tried.contains(&finding.remedy)
            });
            if todo.is_empty() {
                examined.findings = rest;
                break;
            }
            todo.sort_by_key(|finding| finding.remedy.order());
            mend_layers::sort(&self.engine, &mut todo)?;
            for finding in todo {
                if tried.insert(finding.remedy.clone()) {
                    let outcome = self.mend(&finding);
                    tell(&Deed { finding, outcome });
                }
            }
            examined = self.prove(watcher)?;
            took += examined.took;
        }
        examined.took = took;
        Ok(examined)
    }

    fn mend(&self, finding: &Finding) -> Effect {
        match mend(&self.engine, finding) {
            Ok(outcome) => outcome,
            Err(error) => Effect::Failed {
                why: in_a_line(&error),
                hint: error.hint(),
            },
        }
    }
}

fn mend(engine: &Engine, finding: &Finding) -> Result<Effect, Error> {
    let (store, why) = (engine.store(), finding.what.as_str());
    let done = |()| Effect::Mended;
    match &finding.remedy {
        Remedy::Nothing | Remedy::Type(_) => Ok(Effect::Refused("nothing is known".to_owned())),
        Remedy::Header => Ok(store.write_header().map(done)?),
        Remedy::MakePlace(place) => Ok(make_place(store.root(), *place).map(done)?),
        Remedy::Protect(path, mode) => Ok(protect(store.root(), path, *mode).map(done)?),
        Remedy::Quarantine(path) => Ok(Effect::Aside(put_aside(store, path, why)?)),
        Remedy::Tidy => Ok(engine.tidy().map(done)?),
        Remedy::Sweep => Ok(store::sweep(store).map(done)?),
        Remedy::Unmount(point) => Ok(sys::mount::detach(point).map(done)?),
        Remedy::MendJournal(name) => mend_journal(engine, name, why),
        Remedy::Unpack(_)
        | Remedy::Init
        | Remedy::PutBlobAside(_)
        | Remedy::PackBlob(..)
        | Remedy::ForgetName(..)
        | Remedy::ImageRecord(..)
        | Remedy::MakeManifest(_) => mend_layers::mend(engine, &finding.remedy, why),
        Remedy::MakeWork(_)
        | Remedy::Settle(_)
        | Remedy::Unlink(..)
        | Remedy::PutContainerAside(_)
        | Remedy::Claim(..)
        | Remedy::Release(..)
        | Remedy::ForgetMount(_)
        | Remedy::RemoveGroup(_) => mend_container(engine, &finding.remedy, why),
        Remedy::MakeData(_)
        | Remedy::VolumeRecord(_)
        | Remedy::PutVolumeAside(_)
        | Remedy::FinishVolume(_) => mend_volume(engine, &finding.remedy, why),
    }
}

fn mend_container(engine: &Engine, remedy: &Remedy, why: &str) -> Result<Effect, Error> {
    let done = |()| Effect::Mended;
    Ok(match remedy {
        Remedy::MakeWork(id) => engine.mend_work(id)?.into(),
        Remedy::Settle(id) => engine.settle_state(id)?.into(),
        Remedy::Unlink(id, name) => engine.unlink_leftover(id, name)?.into(),
        Remedy::PutContainerAside(id) => match engine.put_container_aside(id, why)? {
            Alone::Done(now) => Effect::Aside(now),
            Alone::Used(who) => Effect::Refused(who),
        },
        Remedy::Claim(name, id) => engine.reserve_name(name, id).map(done)?,
        Remedy::Release(name, id) => engine.release_stray_name(name, id).map(done)?,
        Remedy::ForgetMount(_) => engine.forget_image_mounts().map(done)?,
        Remedy::RemoveGroup(id) => match id.parse() {
            Ok(id) => engine.clear_stray_group(&id).map(done)?,
            Err(_) => Effect::Refused("it is not a container's".to_owned()),
        },
        _ => Effect::Refused("it is not a container's".to_owned()),
    })
}

fn mend_volume(engine: &Engine, remedy: &Remedy, why: &str) -> Result<Effect, Error> {
    Ok(match remedy {
        Remedy::MakeData(name) => {
            let make = |volumes: &crate::volume::Volumes<'_>, _: &Dir| Ok(volumes.make_data(name)?);
            engine.with_volume_alone(name, make)?.into()
        }
        Remedy::VolumeRecord(name) => {
            let path = Place::Volumes
                .path()
                .join(name.as_str())
                .join("volume.json");
            let write = |volumes: &crate::volume::Volumes<'_>, own: &Dir| {
                let kept = match own.find("volume.json") {
                    Ok(Some(found)) if !found.is_dir() => {
                        Some(keep_copy(engine.store(), &path, why)?)
                    }
                    Ok(Some(_)) => Some(put_aside(engine.store(), &path, why)?),
                    _ => None,
                };
                volumes.write_plain_record(name)?;
                Ok(kept)
            };
            match engine.with_volume_alone(name, write)? {
                Alone::Done(Some(kept)) => Effect::Kept(kept),
                Alone::Done(None) => Effect::Mended,
                Alone::Used(who) => Effect::Refused(who),
            }
        }
        Remedy::PutVolumeAside(name) => match engine.put_volume_aside(name, why)? {
            Alone::Done(now) => Effect::Aside(now),
            Alone::Used(who) => Effect::Refused(who),
        },
        Remedy::FinishVolume(name) => {
            let finish =
                |volumes: &crate::volume::Volumes<'_>, _: &Dir| Ok(volumes.finish_left(name)?);
            engine.with_volume_alone(name, finish)?.into()
        }
        _ => Effect::Refused("it is not a volume's".to_owned()),
    })
}

impl From<Alone<()>> for Effect {
    fn from(alone: Alone<()>) -> Self {
        match alone {
            Alone::Done(()) => Effect::Mended,
            Alone::Used(who) => Effect::Refused(who),
        }
    }
}

fn make_place(root: &Dir, place: Place) -> Result<(), SysError> {
    let mut here = root.try_clone()?;
    for part in place.path() {
        here.ensure_dir(part, 0o700)?;
        here = here.open_dir(part)?;
    }
    Ok(())
}

fn protect(root: &Dir, path: &Path, mode: u32) -> Result<(), SysError> {
    let Some(name) = path.file_name() else {
        return root.chmod(".", mode);
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    let parent = parent
        .iter()
        .try_fold(root.try_clone()?, |dir, part| dir.open_dir(part))?;
    parent.chmod(name, mode)
}

fn mend_journal(engine: &Engine, name: &'static str, why: &str) -> Result<Effect, Error> {
    let kept = keep_copy(engine.store(), Path::new(name), why)?;
    if Journal::of(engine.store())?.mend(engine.store(), name)? {
        return Ok(Effect::Kept(kept));
    }
    Ok(Effect::Refused(
        "others write to it: repair again".to_owned(),
    ))
}
