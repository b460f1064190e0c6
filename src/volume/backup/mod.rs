//! A volume as one file, and back.
//!
//! # The archive
//!
//! A PAX tar that every tar(1) reads, compressed or not. Its first member, `.cowshed-backup/volume.json`,
//! says what volume it is of ([`Head`]); then come the volume's own files, named as they are below
//! its top; its last member, `.cowshed-backup/files.jsonl`, has a line of JSON for each of them
//! ([`FileLine`]) in the order of the archive, and a last line that counts them ([`Tail`]). It is
//! the last because digests are known only after reading, and everything is read once. `tar xf`
//! gives the data and the directory `.cowshed-backup`, which is this format's own: a volume's entry
//! of that name is left out, aloud.
//!
//! # Trust
//!
//! The list finds damage, not malice: who can write the archive can write the list. So reading is
//! as careful as with any stranger's tar (see `layer`), and stricter: each name once, after its
//! directory, through no link.
//!
//! Not here: who may use the volume meanwhile, and where archives are (`container`).

mod compare;
mod error;
mod line;
mod read;
mod spool;
mod write;

pub use compare::{Difference, compare};
pub use error::BackupError;
pub use line::{FileLine, FileType, Head, Tail};
pub use read::{Checked, check, restore};
pub use spool::Spool;
pub use write::{Written, survey, write};

/// The directory at the archive's top that is not the volume's.
pub const RESERVED: &str = ".cowshed-backup";

/// The first member.
pub(super) const HEAD: &str = ".cowshed-backup/volume.json";

/// The last member.
pub(super) const FILES: &str = ".cowshed-backup/files.jsonl";

/// The format that this version writes and reads.
pub(super) const FORMAT: u32 = 1;
