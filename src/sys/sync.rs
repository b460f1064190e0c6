//! Making things durable: syncfs(2), fdatasync(2), early writeback.

use std::os::fd::AsFd;

use super::{At as _, Dir, Result, raw};

/// Everything written to the file system that holds `fd` is on disk.
pub fn file_system(fd: impl AsFd) -> Result<()> {
    nix::unistd::syncfs(fd).at("syncfs", String::new)
}

/// The file's data, and what is needed to find it, is on disk.
pub fn data(file: impl AsFd) -> Result<()> {
    nix::unistd::fdatasync(file).at("fdatasync", String::new)
}

/// The names in the directory are on disk.
pub fn directory(dir: &Dir) -> Result<()> {
    nix::unistd::fsync(dir).at("fsync", || "directory")
}

/// Starts to write a file's dirty pages, so that the sync at the end is short. Only a hint:
/// a file system that cannot do it is not an error.
pub fn start_writeback(file: impl AsFd, offset: u64, length: u64) {
    let (offset, length) = (i64::try_from(offset), i64::try_from(length));
    if let (Ok(offset), Ok(length)) = (offset, length) {
        raw::start_writeback(file.as_fd(), offset, length).ok();
    }
}
