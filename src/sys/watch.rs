//! `Watch`: wakes whoever polls it when something in a directory changes (inotify(7)).

use std::{
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

use super::{At as _, Dir, Result};

/// Readable after a file of the directory was written, made, renamed or removed.
#[derive(Debug)]
pub struct Watch(Inotify);

impl Watch {
    /// Watches the directory itself, not what is below its subdirectories.
    pub fn on_dir(dir: &Dir) -> Result<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .at("inotify_init1", String::new)?;
        let changes = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        // The directory that we have open, whatever its path means by now.
        let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
        watch
            .add_watch(path.as_str(), changes)
            .at("inotify_add_watch", || path.clone())?;
        Ok(Self(watch))
    }

    /// Forgets what has happened so far: it wakes for what comes now.
    ///
    /// Look at the files after this, not before, and nothing is missed.
    pub fn drain(&self) -> Result<()> {
        let mut events = [0; 4096];
        loop {
            match nix::unistd::read(&self.0, &mut events) {
                Ok(1..) | Err(Errno::EINTR) => {}
                Ok(0) | Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(errno).at("read", || "inotify"),
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of `readable` can be read, the other side of one of `writable` has gone, or the
/// time is over; whether somebody has gone.
pub fn wait(
    readable: &[BorrowedFd<'_>],
    writable: &[BorrowedFd<'_>],
    timeout: Duration,
) -> Result<bool> {
    let mut polled: Vec<_> = readable
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        // POLLERR and POLLHUP are always told.
        .chain(
            writable
                .iter()
                .map(|fd| PollFd::new(*fd, PollFlags::empty())),
        )
        .collect();
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
    match poll(&mut polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno).at("poll", String::new),
    }
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    let has_gone = |fd: &PollFd<'_>| fd.revents().is_some_and(|flags| flags.intersects(gone));
    Ok(polled[readable.len()..].iter().any(has_gone))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, time::Instant};

    use super::*;

    const SOON: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(20);

    fn wakes(watch: &Watch, timeout: Duration) -> bool {
        let begun = Instant::now();
        wait(&[watch.as_fd()], &[], timeout).unwrap();
        begun.elapsed() < timeout
    }

    #[test]
    fn writing_making_renaming_and_removing_wake() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        let watch = Watch::on_dir(&dir).unwrap();
        assert!(!wakes(&watch, SOON));
        let mut file = dir.create_file("a", 0o600).unwrap();
        assert!(wakes(&watch, LONG));
        watch.drain().unwrap();
        assert!(!wakes(&watch, SOON));
        file.write_all(b"x").unwrap();
        assert!(wakes(&watch, LONG));
        watch.drain().unwrap();
        dir.rename("a", &dir, "b").unwrap();
        assert!(wakes(&watch, LONG));
        watch.drain().unwrap();
        dir.remove_file("b").unwrap();
        assert!(wakes(&watch, LONG));
    }

    #[test]
    fn a_reader_that_goes_is_noticed() {
        let (reader, writer) = crate::sys::process::pipe().unwrap();
        assert!(!wait(&[], &[writer.as_fd()], SOON).unwrap());
        drop(reader);
        assert!(wait(&[], &[writer.as_fd()], LONG).unwrap());
    }
}
