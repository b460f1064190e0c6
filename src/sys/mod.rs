//! The only room that talks to the kernel, and the only `unsafe`.
//!
//! One function for one meaning (`bind`, not `mount` with flags). Every path inside an untrusted
//! tree goes through [`RootDir`]; every name inside a directory through [`Dir`]. All descriptors
//! are owned and close-on-exec.
//!
//! Not here: what to mount or spawn and why (`mount`, `process`).

pub mod capability;
pub mod console;
pub mod control;
mod copy;
pub mod deadline;
mod delete;
mod delete_trees;
mod dir;
mod dir_entries;
mod error;
pub mod features;
pub mod fork;
pub mod fs_context;
pub mod handle;
mod hint;
pub mod inode;
pub mod last_words;
mod lines;
pub mod lock;
pub mod loop_device;
pub mod memory;
mod metadata;
pub mod mount;
pub mod mountinfo;
mod name_lookup;
pub mod namespace;
mod new_file;
mod packet;
mod piped;
pub mod process;
pub mod process_table;
mod random;
#[expect(unsafe_code, reason = "system calls that nix does not wrap")]
mod raw;
mod regular;
pub mod rlimit;
mod root_dir;
pub mod sync;
mod tally;
pub mod thread;
mod usage;
pub mod userns;
pub mod watch;
pub mod xattr;

pub use copy::{CopyReport, copy_entry, copy_own_metadata, copy_tree, extents, same_own_metadata};
pub(crate) use delete::gone;
pub use delete::remove_tree;
pub use delete_trees::remove_trees;
pub use dir::{Dir, reopen};
pub use error::{At, Result, SysError};
pub use lines::Lines;
pub use metadata::{FileKind, Metadata, TimeSpec, metadata_at, metadata_of};
pub use name_lookup::addresses_of;
pub use new_file::NewFile;
pub use packet::{
    accept, connect_in, listen_in, packet_pair, receive_packet, receive_with_fd, send_packet,
    try_receive_packet, try_send_packet,
};
pub use piped::{Flow, Piped};
pub use random::random_bytes;
pub use regular::{open_regular, unnamed_file};
pub use root_dir::{Made, RootDir, is_procfs, is_read_only, open_handle};
pub use tally::{Taken, Tally};
pub use usage::{Usage, usage};
