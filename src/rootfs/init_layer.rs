//! The init layer: mount points that every container needs, in a lower dir of their own.

use super::{Error, layers::DIFF};
use crate::{
    mount::system::{STUB_DIRS, STUB_FILES},
    store::{Place, Staging, Store},
    sys::{Dir, Result as SysResult, RootDir},
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

fn fill(init: &Dir) -> SysResult<()> {
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
