//! What a container moved: which whiteout is the old name of which path.

use std::collections::HashSet;

use super::explain::{CopyOnWrite, Gone, Walk, split};
use crate::sys::{Result as SysResult, handle};

impl Walk<'_> {
    /// A directory that the layers below have under another name is hidden at the old one alone.
    pub(super) fn show_again(&mut self) {
        let moved = self.all.iter().filter(|one| one.copied + one.written == 0);
        let moved: HashSet<_> = moved.filter_map(|one| one.from.clone()).collect();
        for one in &mut self.all {
            if one.kind == CopyOnWrite::Whiteout && moved.contains(&one.path) {
                one.hidden = 0;
            }
        }
    }

    /// The kernel remembers what a file was copied up from; a file that is hidden by a whiteout and
    /// has that very handle was moved away.
    pub(super) fn find_renamed(&mut self) -> SysResult<()> {
        if self.strangers.is_empty() {
            return Ok(());
        }
        let handle = |gone: &Gone| handle::of(&gone.leaf.dir, &gone.name);
        let handles = self
            .gone
            .iter()
            .map(handle)
            .collect::<SysResult<Vec<_>>>()?;
        for stranger in &self.strangers {
            for (gone, handle) in self.gone.iter().zip(&handles) {
                let is_origin = |handle| is_origin(&stranger.origin, handle);
                if !handle.as_ref().is_some_and(is_origin) {
                    continue;
                }
                let one = &mut self.all[stranger.number];
                let old = (&gone.leaf.dir, &*gone.name, &gone.leaf.metadata);
                let new = (&stranger.dir, &*stranger.name, &stranger.metadata);
                (one.copied, one.written) = split(old, new, one.written)?;
                one.kind = CopyOnWrite::Renamed;
                one.from = Some(gone.path.clone());
            }
        }
        Ok(())
    }
}

/// Whether the value of overlayfs's origin attribute holds this handle: version, magic, length,
/// flags and type, a byte each, 16 bytes of the file system's UUID, the handle (`struct ovl_fb`).
fn is_origin(origin: &[u8], handle: &handle::Handle) -> bool {
    let [0, 0xfb, _, _, kind, rest @ ..] = origin else {
        return false;
    };
    i32::from(*kind) == handle.kind && rest.get(16..) == Some(&handle.bytes[..])
}
