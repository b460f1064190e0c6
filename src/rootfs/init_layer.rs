//! The init layer: mount points that every container needs, in a lower dir of their own.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{Error, layers::DIFF};
use crate::{
    mount::system::{STUB_DIRS, STUB_FILES},
    store::{Place, Staging, Store},
    sys::{Dir, FileKind, Result as SysResult, RootDir},
};

/// Its directory below `overlay2/`.
pub const INIT: &str = "init";

/// Makes it unless it is there; a store without it is not complete.
pub fn ensure_init(store: &Store) -> Result<(), Error> {
    let layers = store.open_dir(Place::Layers)?;
    let failed = |source| Error::System {
        what: "make init layer".to_owned(),
        source,
    };
    match layers.find(INIT) {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => {}
        Err(source) => return Err(failed(source)),
    }
    let staging = Staging::begin_unnamed(store)?;
    fill(staging.dir()).map_err(failed)?;
    // Somebody else may have been faster: theirs is the same.
    staging.publish(store.open_dir(Place::Layers)?, INIT)?;
    Ok(())
}

/// What the init layer has otherwise than it is made; nothing where all is well.
pub fn init_faults(store: &Store) -> Result<Vec<String>, Error> {
    let failed = |source| Error::System {
        what: "look at init layer".to_owned(),
        source,
    };
    let layers = store.open_dir(Place::Layers)?;
    let diff = match layers.open_dir(INIT).and_then(|init| init.open_dir(DIFF)) {
        Ok(diff) => diff,
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => {
            return Ok(vec!["it is missing".to_owned()]);
        }
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    list(&diff, Path::new(""), &mut found).map_err(failed)?;
    let mut wanted: Vec<_> = STUB_DIRS.map(|dir| (PathBuf::from(dir), true)).to_vec();
    wanted.extend(STUB_FILES.map(|file| (PathBuf::from(file), false)));
    let missing = wanted.iter().filter(|one| !found.contains(one));
    let missing = missing.map(|(path, _)| format!("/{}: missing", path.display()));
    let more = found.iter().filter(|one| !wanted.contains(one));
    let more = more.map(|(path, _)| format!("/{}: not made by us", path.display()));
    Ok(missing.chain(more).collect())
}

/// Paths, and whether each is a directory; a file with content is told by another name.
fn list(dir: &Dir, path: &Path, found: &mut Vec<(PathBuf, bool)>) -> SysResult<()> {
    for name in dir.sorted_entries()? {
        let (own, metadata) = (path.join(&name), dir.metadata(&name)?);
        if metadata.is_dir() {
            found.push((own.clone(), true));
            list(&dir.open_dir(&name)?, &own, found)?;
        } else if metadata.kind() == FileKind::File && metadata.size() == 0 {
            found.push((own, false));
        } else {
            found.push((own, true));
        }
    }
    Ok(())
}

pub(super) fn fill(init: &Dir) -> SysResult<()> {
    init.make_dir(DIFF, 0o755)?;
    let diff = RootDir::new(init.open_dir(DIFF)?);
    for dir in STUB_DIRS {
        diff.make_dirs(dir.as_ref(), 0o755)?;
    }
    for file in STUB_FILES {
        diff.ensure_file(file.as_ref(), 0o644)?;
    }
    Ok(())
}
