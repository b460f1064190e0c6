//! A group that goes when the test ends, however it ends, and processes to put into it.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use cowshed::{
    cgroup::{self, Group, Hierarchies, Hierarchy, Limits},
    sys::mountinfo,
};

/// A group of one's own; what is in it is killed at the end, and nothing of it may stay.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) hierarchies: Hierarchies,
    pub(crate) group: Group,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A name that no other test and no other run has.
pub(crate) fn new_id() -> String {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", std::process::id())
}

/// The machine with all it has, and seen as if version 2 were not mounted.
pub(crate) fn machines() -> Vec<Hierarchies> {
    let mounts = mountinfo::read().unwrap();
    let legacy: Vec<_> = mounts
        .into_iter()
        .filter(|mount| mount.kind == "cgroup")
        .collect();
    let legacy = Hierarchies::new(&legacy, "");
    let mut machines = vec![Hierarchies::detect().unwrap()];
    if legacy.of_controller("freezer").is_some() {
        machines.push(legacy);
    } else {
        skip("there is no version 1 with a freezer here");
    }
    machines
}

/// Says on the terminal, past the capture of a passing test, what was not tested.
pub(crate) fn skip(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").ok();
}

impl Scene {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self::on(Hierarchies::detect().unwrap(), limits)
    }

    pub(crate) fn on(hierarchies: Hierarchies, limits: &Limits) -> Self {
        let group = Group::create(&hierarchies, &new_id(), limits).unwrap();
        Self { hierarchies, group }
    }

    /// Starts a shell that is in the group before it runs `script`.
    pub(crate) fn shell(&self, script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("read go\n{script}")]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        self.group.join_all(child.id().try_into().unwrap()).unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        child
    }

    /// Its directories, by hierarchy.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        directories(&self.hierarchies, self.group.id())
    }
}

/// Where a group of this name is.
pub(crate) fn directories(hierarchies: &Hierarchies, id: &str) -> Vec<PathBuf> {
    let mounted = hierarchies.all().map(|one| match one {
        Hierarchy::Unified => hierarchies.unified().unwrap(),
        Hierarchy::Legacy(number) => &hierarchies.legacy()[number],
    });
    let paths = mounted.map(|mounted| mounted.mount_point.join("cowshed").join(id));
    paths.filter(|path| path.exists()).collect()
}

impl Drop for Scene {
    fn drop(&mut self) {
        let outcome = self.group.kill_all().and_then(|()| self.group.remove());
        let left = self.directories();
        // Others may be at work.
        cgroup::remove_empty_parents(&self.hierarchies).ok();
        if !std::thread::panicking() {
            outcome.unwrap();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

/// Waits for something that must come true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for a child's end without waiting for ever.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("a child ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}
