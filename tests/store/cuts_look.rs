//! What a store has after a cut, as it says itself.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use crate::{
    cuts_rig::Disk,
    cuts_story::{Story, World},
    support::{Shed, finish},
};

/// Names of files and a hash of what they hold.
pub(crate) type Files = BTreeMap<String, u64>;

/// What a file of a volume holds.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The files of a volume as they are.
pub(crate) fn files_in(dir: &Path) -> std::io::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, hash(&std::fs::read(entry.path())?));
    }
    Ok(files)
}

/// What the store says after a cut.
pub(crate) fn look(
    disk: &Disk<'_>,
    shed: &Shed,
    story: &Story,
    mark: usize,
) -> Result<World, String> {
    let tell = |line: &str| {
        let done = finish(shed.command(line));
        if done.code == 0 {
            Ok(done.out)
        } else {
            Err(format!(
                "{line}: code {}: {}{}",
                done.code, done.out, done.err
            ))
        }
    };
    let mut world = World::default();
    let rows = tell("images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'")?;
    for (name, id) in rows.lines().filter_map(|line| line.split_once(' ')) {
        world.images.insert(name.to_owned(), id.to_owned());
    }
    world.images.remove("<none>:<none>");
    tell("image verify")?;
    for name in tell("volume ls -q")?.lines() {
        // Whoever uses it finishes what was begun.
        tell(&format!("volume ls-files {name}"))?;
        let files = files_in(&shed.data(name)).map_err(|error| format!("{name}: {error}"))?;
        world.volumes.insert(name.to_owned(), files);
    }
    let rows = tell("ps -a --no-trunc --format '{{.Names}} {{.ID}}'")?;
    for (name, id) in rows.lines().filter_map(|line| line.split_once(' ')) {
        tell(&format!("inspect {name}"))?;
        world.containers.insert(name.to_owned(), id.to_owned());
    }
    for (name, files) in &story.worlds[mark].backups {
        tell(&format!("volume verify {}", disk.file(name)))?;
        world.backups.insert(name.clone(), files.clone());
    }
    Ok(world)
}
