//! A union of directories that nobody can write to, mounted nowhere.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;

use super::{
    apply_forms::{finish_union, link_to},
    overlay::{OPTIONS, may_lack_append},
};
use crate::sys::{
    Dir, Result, SysError,
    fs_context::FsContext,
    metadata_of,
    mount::{self, Attributes, Depth, PropagationType},
    namespace, process,
};

/// The union, the first directory topmost, two of them at least. It is mounted nowhere and ends with
/// the descriptor, unless it is attached; tables of mounts show `source` for it. Set-user-id programs
/// and devices in it have no power.
pub fn read_only_union(lowers: &[BorrowedFd<'_>], source: &str) -> Result<OwnedFd> {
    let attributes = Attributes::READ_ONLY
        .with(Attributes::NO_DEV)
        .with(Attributes::NO_SUID);
    let by_fs_context = || {
        let overlay = FsContext::without_source("overlay")?;
        overlay.set("source", source)?;
        finish_union(overlay, lowers, None, attributes)
    };
    match by_fs_context() {
        Err(error) if may_lack_append(&error) => {
            // What the new calls say is the better message, with the kernel's own reason.
            by_options(lowers, source, attributes).map_err(|_| error)
        }
        union => union,
    }
}

/// mount(2) needs a place: one of the directories, in a mount namespace that nobody else sees.
///
/// kernel(6.8): remove when Debian 12's 6.1 is out of support.
fn by_options(lowers: &[BorrowedFd<'_>], source: &str, attributes: Attributes) -> Result<OwnedFd> {
    namespace::apart(|| {
        mount::set_namespace_propagation(PropagationType::Private)?;
        // Overlayfs takes only what is in the namespace that it is mounted in.
        let own = lowers.iter().map(|lower| open_again(*lower));
        let own = own.collect::<Result<Vec<_>>>()?;
        let links: Vec<_> = own.iter().map(|dir| link_to(dir.as_fd())).collect();
        let mut options = format!("lowerdir={}", links.join(":"));
        for (key, value) in OPTIONS {
            options.extend([",", key, "=", value]);
        }
        let place = process::real_path_of(&own[0])?;
        mount::overlay_by_options(source, &place, &options)?;
        let union = mount::clone_tree(Dir::open(&place)?, Depth::Top)?;
        mount::change_attributes(&union, Depth::Top, attributes, Attributes::NONE)?;
        Ok(union)
    })
}

/// The same directory by its path in this namespace.
fn open_again(dir: BorrowedFd<'_>) -> Result<Dir> {
    let path = process::real_path_of(dir)?;
    let again = Dir::open(Path::new(&path))?;
    let identity = |found: &crate::sys::Metadata| (found.dev(), found.ino());
    if identity(&metadata_of(&again)?) == identity(&metadata_of(dir)?) {
        Ok(again)
    } else {
        let shown = path.display().to_string();
        Err(SysError::new("open", shown, Errno::ESTALE))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn root_both_ways_make_the_same_union() {
        let scratch = tempfile::tempdir().unwrap();
        let make = |name: &str, file: &str| {
            let dir = scratch.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            let dir = Dir::open(&dir).unwrap();
            for file in ["both", file] {
                let mut file = dir.create_file(file, 0o644).unwrap();
                file.write_all(name.as_bytes()).unwrap();
            }
            dir
        };
        let dirs = [make("upper", "a"), make("lower", "b")];
        let lowers: Vec<_> = dirs.iter().map(|dir| dir.as_fd()).collect();
        let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let attributes = Attributes::READ_ONLY;
        let new = read_only_union(&lowers, "new").unwrap();
        let old = by_options(&lowers, "old", attributes).unwrap();
        for union in [new, old] {
            let path = std::path::PathBuf::from(link_to(union.as_fd()));
            let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
            assert_eq!(
                (read("both"), read("b")),
                ("upper".to_owned(), "lower".to_owned())
            );
            let error = std::fs::File::create(path.join("a")).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::EROFS as i32));
        }
        let after = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(after, before);
    }
}
