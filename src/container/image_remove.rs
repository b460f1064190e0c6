//! `rmi`: taking names and images away, and what only they needed (semantics of Docker 20.10).
//!
//! An image is out of sight when its record is; layers and blobs follow in two steps: moved to the
//! trash under the lease, deleted after it. Nobody is waited for who imports: what he holds stays
//! until the next removal.

use std::collections::HashSet;

use super::{Engine, Error, image_mount::MountedView};
use crate::{
    ident::{ChainId, Digest, Reference},
    image::{self, ImageRecord, Names},
    rootfs::Layers,
    store::{Blobs, Graves, Place, Tried, lease_place, try_lease},
};

/// What `rmi` did.
#[derive(Debug, Default, Clone)]
pub struct Untagged {
    /// Names that were taken away.
    pub names: Vec<Reference>,
    /// Image id and chains that were deleted, topmost first.
    pub deleted: Vec<Digest>,
    /// Bytes of the layers among them.
    pub bytes: u64,
    /// Layers that nobody needs any more and another command still reads.
    pub busy: usize,
}

/// All records of one image: a manifest each, the same config.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) id: Digest,
    pub(super) records: Vec<ImageRecord>,
    pub(super) names: Vec<Reference>,
}

impl Family {
    pub(super) fn of(id: Digest, all: &[ImageRecord], names: &Names) -> Self {
        let records: Vec<_> = all.iter().filter(|one| one.id == id).cloned().collect();
        let own = names
            .iter()
            .filter(|(_, to)| records.iter().any(|one| one.manifest == **to));
        Self {
            id,
            names: own.map(|(name, _)| name.clone()).collect(),
            records,
        }
    }

    pub(super) fn manifests(&self) -> Vec<Digest> {
        self.records.iter().map(|record| record.manifest).collect()
    }
}

/// Who needs an image.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// Short id of a container that runs.
    pub(super) running: Option<String>,
    /// Of one that does not.
    pub(super) stopped: Option<String>,
    /// Where it is mounted.
    pub(super) mounted: Option<String>,
    /// A build relies on it.
    pub(super) building: bool,
}

impl Users {
    pub(super) fn nobody(&self) -> bool {
        let by_name = [&self.running, &self.stopped, &self.mounted];
        !self.building && by_name.iter().all(|one| one.is_none())
    }
}

impl Engine {
    /// Takes names of an image away, and the image itself when the last one goes.
    ///
    /// # Errors
    ///
    /// Docker's: an image that a container needs, an id of an image with several names, without
    /// `force`; one that a running container needs, or that is mounted, in any case.
    pub fn remove_image(&self, text: &str, force: bool) -> Result<Untagged, Error> {
        // Nobody who makes a container of it is in between.
        let lease = lease_place(self.store(), Place::Layers, true)?;
        self.tidy_image_mounts()?;
        let images = self.images()?;
        let record = match images.resolve(text) {
            Err(image::Error::Damaged { manifest, .. }) => {
                return self.remove_damaged_image(manifest);
            }
            record => record?,
        };
        // Without names it is named by its id.
        let names = match images.names() {
            Err(image::Error::Names { .. }) => Names::new(),
            names => names?,
        };
        let family = Family::of(record.id, &images.all()?.0, &names);
        let users = self.users_of(&family)?;
        let by_name = text.parse().ok().filter(|name| family.names.contains(name));
        let (going, all) = if let Some(name) = by_name {
            let going = with_digests(name, &family.names);
            let last = going.len() == family.names.len();
            if last {
                refuse_name(text, &family, &users, force)?;
            }
            // A container that runs, or a build, keeps the image without a name.
            (going, last && users.running.is_none() && !users.building)
        } else {
            refuse_id(&family, &users, force)?;
            (family.names.clone(), true)
        };
        if all {
            images.forget(&family.manifests(), &going)?;
        } else {
            images.untag(&going)?;
        }
        for name in &going {
            self.tell_image("untag", &family.id, Some(&name.familiar()));
        }
        let mut untagged = Untagged {
            names: going,
            ..Untagged::default()
        };
        let mut graves = Graves::new(self.store())?;
        if !all {
            self.forget_nameless(&family, &mut graves)?;
            drop(lease);
            graves.empty_quickly()?;
            return Ok(untagged);
        }
        let mut going = vec![family];
        going.extend(self.unless_damaged(self.forget_steps_of(&going[0]))?);
        for family in &going {
            untagged.deleted.push(family.id);
            let buried = self.bury_image(family, &mut untagged, &mut graves);
            self.unless_damaged(buried)?;
        }
        drop(lease);
        for family in &going {
            self.tell_image("delete", &family.id, None);
        }
        graves.empty_quickly()?;
        Ok(untagged)
    }

    /// Of an image that came in several forms and keeps a name, the forms that nobody calls it by go.
    fn forget_nameless(&self, family: &Family, graves: &mut Graves<'_>) -> Result<(), Error> {
        let images = self.images()?;
        let names = images.names()?;
        let is_named = |record: &&ImageRecord| names.values().any(|to| *to == record.manifest);
        let (called, nameless): (Vec<_>, Vec<_>) = family.records.iter().partition(is_named);
        if called.is_empty() || nameless.is_empty() {
            return Ok(());
        }
        let nameless: Vec<_> = nameless.iter().map(|record| record.manifest).collect();
        images.forget(&nameless, &[])?;
        self.unless_damaged(self.bury_orphans(graves))
    }

    pub(super) fn users_of(&self, family: &Family) -> Result<Users, Error> {
        let mut users = Users::default();
        for container in self.containers()? {
            if container.record.uses_image(&family.id) {
                let slot = if container.status.is_live() {
                    &mut users.running
                } else {
                    &mut users.stopped
                };
                slot.get_or_insert(container.record.id.short().to_owned());
            }
        }
        let mounts = self.image_mounts()?;
        let mounted = mounts.iter().find(|view| view.mount.image == family.id);
        users.mounted = mounted.map(MountedView::shown);
        users.building = self.is_built_on(&family.id)?;
        Ok(users)
    }

    /// Moves what nobody needs any more out of sight. The caller holds the layers' exclusive lease,
    /// and no record tells of the image.
    pub(super) fn bury_image(
        &self,
        gone: &Family,
        untagged: &mut Untagged,
        graves: &mut Graves<'_>,
    ) -> Result<(), Error> {
        let needed = self.needed()?;
        let layers = Layers::open(self.store())?;
        for layer in gone
            .records
            .iter()
            .flat_map(|record| record.layers.iter().rev())
        {
            if needed.chains.contains(&layer.chain) || layers.find(layer.chain)?.is_none() {
                continue;
            }
            if layers.bury(layer.chain, graves)? {
                untagged.deleted.push(layer.chain.0);
                untagged.bytes += layer.bytes;
            } else {
                untagged.busy += 1;
            }
        }
        // Its blobs, and what imports left that were killed.
        self.bury_the_rest(&needed, graves)
    }

    /// The same of what no record tells of.
    pub(super) fn bury_orphans(&self, graves: &mut Graves<'_>) -> Result<(), Error> {
        self.bury_the_rest(&self.needed()?, graves)
    }

    fn bury_the_rest(&self, needed: &Needed, graves: &mut Graves<'_>) -> Result<(), Error> {
        let layers = Layers::open(self.store())?;
        let mut blobs_of_busy = HashSet::new();
        for chain in layers.list()? {
            if !needed.chains.contains(&chain) && !layers.bury(chain, graves)? {
                blobs_of_busy.extend(layers.find(chain)?.map(|layer| layer.blob));
            }
        }
        let blobs = Blobs::open(self.store())?;
        for blob in blobs.list()? {
            if !needed.blobs.contains(&blob) && !blobs_of_busy.contains(&blob) {
                blobs.bury(blob, graves)?;
            }
        }
        Ok(())
    }

    /// Removes layers and blobs that no record tells of. The caller holds the layers' exclusive
    /// lease.
    pub(super) fn remove_orphans(&self) -> Result<(), Error> {
        let mut graves = Graves::new(self.store())?;
        self.bury_orphans(&mut graves)?;
        Ok(graves.empty()?)
    }

    /// The same, unless somebody relies on layers at this moment: then the next removal does it.
    pub(super) fn try_remove_orphans(&self) {
        if let Some(layers) = Place::Layers.path().to_str()
            && let Ok(Tried::Got(_lease)) = try_lease(self.store().root(), layers)
        {
            // A last resort: whoever comes to it has another error to tell, or none.
            self.remove_orphans().ok();
        }
    }

    /// Whether an image of this id is in the store; costs one stat(2).
    pub(super) fn has_image(&self, id: &Digest) -> Result<bool, Error> {
        Ok(Blobs::open(self.store())?.size(*id)?.is_some())
    }

    /// Layers and blobs that a record of an image, a container or a mount names.
    fn needed(&self) -> Result<Needed, Error> {
        let images = self.images()?.list()?;
        let (containers, mounts) = (self.containers()?, self.image_mounts()?);
        let of_images = images.iter().flat_map(|image| &image.layers);
        let of_images = of_images.map(|layer| layer.chain);
        let of_containers = containers.iter().flat_map(|one| one.record.all_chains());
        let of_mounts = mounts.iter().flat_map(|view| &view.mount.chains);
        let chains = of_images.chain(of_containers.chain(of_mounts).copied());
        Ok(Needed {
            chains: chains.collect(),
            blobs: images.iter().flat_map(ImageRecord::blobs).collect(),
        })
    }
}

/// What is not garbage.
struct Needed {
    chains: HashSet<ChainId>,
    blobs: HashSet<Digest>,
}

/// A repository's digests go with its last tag.
fn with_digests(name: Reference, own: &[Reference]) -> Vec<Reference> {
    let others = own.iter().filter(|other| **other != name);
    let go_along = name.digest().is_none()
        && others.clone().all(|other| {
            other.digest().is_some() && other.familiar_repository() == name.familiar_repository()
        });
    let others: Vec<_> = others.filter(|_| go_along).cloned().collect();
    [vec![name], others].concat()
}

/// Docker's rule: one tag at most, and digests of the same repository.
fn is_single(own: &[Reference]) -> bool {
    let tagged = own.iter().filter(|name| name.digest().is_none()).count();
    let mut repositories: Vec<_> = own.iter().map(Reference::familiar_repository).collect();
    repositories.dedup();
    own.len() <= 1 || tagged <= 1 && repositories.len() == 1
}

fn in_use(family: &Family, why: String) -> Error {
    Error::ImageInUse {
        image: family.id.short(),
        why,
    }
}

/// Docker's check of the last name.
fn refuse_name(text: &str, family: &Family, users: &Users, force: bool) -> Result<(), Error> {
    if let Some(place) = &users.mounted {
        return Err(in_use(family, format!("image is mounted at {place}")));
    }
    match users.running.as_ref().or(users.stopped.as_ref()) {
        Some(container) if !force => Err(Error::NameInUse {
            name: text.to_owned(),
            container: container.clone(),
            image: family.id.short(),
        }),
        _ => Ok(()),
    }
}

/// Docker's check of an id.
fn refuse_id(family: &Family, users: &Users, force: bool) -> Result<(), Error> {
    if let Some(container) = &users.running {
        let why = format!("image is being used by running container {container}");
        return Err(in_use(family, why));
    }
    if let Some(place) = &users.mounted {
        return Err(in_use(family, format!("image is mounted at {place}")));
    }
    if users.building {
        let why = "image is being used by a running build";
        return Err(in_use(family, why.to_owned()));
    }
    let why = if !is_single(&family.names) {
        "image is referenced in multiple repositories".to_owned()
    } else if let Some(container) = &users.stopped {
        format!("image is being used by stopped container {container}")
    } else {
        return Ok(());
    };
    if force {
        return Ok(());
    }
    Err(Error::MustForce {
        image: family.id.short(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an image with these names, by this one of them or by its id. `who` has an `r` where a container
    /// runs, an `s` where one does not, an `m` where it is mounted,
    /// a `b` where a build relies on it.
    fn verdict(name: Option<&str>, names: &[&str], who: &str, force: bool) -> String {
        let family = Family {
            id: Digest::of(b""),
            records: Vec::new(),
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
        };
        let user = |letter: char| who.contains(letter).then(|| letter.to_string());
        let users = Users {
            running: user('r'),
            stopped: user('s'),
            mounted: user('m'),
            building: who.contains('b'),
        };
        let done = match name {
            Some(name) => refuse_name(name, &family, &users, force),
            None => refuse_id(&family, &users, force),
        };
        let said = done.map_or_else(|error| error.to_string(), |()| "goes".to_owned());
        said.replace("e3b0c44298fc", "ID")
    }

    #[test]
    fn conflicts_of_a_name_are_dockers() {
        let of = |who, force| verdict(Some("a"), &["a"], who, force);
        assert_eq!(of("", false), "goes");
        for who in ["s", "r"] {
            assert_eq!(
                of(who, false),
                format!(
                    "conflict: unable to remove repository reference \"a\" (must force) - container \
                     {who} is using its referenced image ID"
                )
            );
        }
        assert_eq!(of("rs", true), "goes");
        let mounted = "conflict: unable to delete ID (cannot be forced) - image is mounted at m";
        assert_eq!(of("m", true), mounted);
    }

    #[test]
    fn conflicts_of_an_id_are_dockers() {
        let unable = "conflict: unable to delete ID";
        for (names, who, force, wanted) in [
            (&["a"][..], "", false, "goes".to_owned()),
            (&[], "", false, "goes".to_owned()),
            (
                &["a"],
                "rs",
                true,
                format!("{unable} (cannot be forced) - image is being used by running container r"),
            ),
            (
                &["a", "b"],
                "s",
                false,
                format!("{unable} (must be forced) - image is referenced in multiple repositories"),
            ),
            (
                &["a"],
                "s",
                false,
                format!("{unable} (must be forced) - image is being used by stopped container s"),
            ),
            (&["a", "b"], "s", true, "goes".to_owned()),
            (
                &[],
                "b",
                true,
                format!("{unable} (cannot be forced) - image is being used by a running build"),
            ),
        ] {
            assert_eq!(verdict(None, names, who, force), wanted);
        }
    }
}
