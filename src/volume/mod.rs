//! Named data that outlives containers: the local driver.
//!
//! A volume is a directory with `_data` and `volume.json`, born in `tmp/` and renamed into place; what
//! prune takes moves to `trash/volumes/` for a week.
//!
//! ```text
//! volumes/<name>/_data         the data, and all that a container sees of it
//!                volume.json   the record
//!                last-used     an empty file, whose time tells
//!                driver        a link that names the driver, where that is not the local one
//! ```
//!
//! Whoever has it mounted holds a shared lease on it (see `store`). One with driver options has a
//! file system mounted on `_data` while it is in use (`mounting`).
//!
//! Not here: which containers use a volume (`container` reads their records).

mod address;
pub mod backup;
mod damaged;
mod difference;
mod edit;
mod environment;
mod error;
mod listing;
mod local;
mod mount_error;
mod mounter;
mod mounting;
mod naming;
mod narrate;
mod open;
mod option_word;
mod options;
mod owner;
mod populate;
mod record;
mod renaming;
mod sharing;
mod swap;
mod trash;
mod unfinished;

pub use damaged::{DamagedVolume, Looked};
pub use difference::{Difference, differences};
pub use edit::{last_used, touch};
pub use error::{Error, Making};
pub use local::{Created, NewVolume, Volume, Volumes};
pub use mount_error::MountError;
pub use mounting::Hold;
pub use naming::{Convention, Naming, check as check_name};
pub use open::{Draft, OpenVolume};
pub use options::{MountSpec, OptionError, redacted};
pub use owner::apply as apply_owner;
pub use populate::{Filled, fill, fill_mounted, finish, is_empty};
pub use record::{ANONYMOUS_LABEL, Fill, Origin, Owner, VolumeRecord};
pub use renaming::{RENAMING, Renaming};
pub use sharing::{Admission, Admitted, admit};
pub use swap::Swap;
pub use trash::{KEEP_SECONDS, Trashed};
pub use unfinished::Unfinished;
