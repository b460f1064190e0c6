//! Containers and sources for the tests of `cp`.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
};

use crate::support::{Shed, Started};

/// A container in some state; killed and removed at the end.
pub(crate) struct Boxed {
    pub(crate) shed: Shed,
    live: Option<Started>,
}

impl Boxed {
    pub(crate) fn running(flags: &str) -> Self {
        let shed = Shed::new();
        let live = shed.start(&format!(
            "run --name box {flags} base sh -c 'echo ready; sleep 1000'"
        ));
        let live = Some(live);
        Self { shed, live }
    }

    pub(crate) fn stopped(flags: &str) -> Self {
        let shed = Shed::new();
        shed.cowshed(&format!("run --name box {flags} base true"))
            .ok();
        Self { shed, live: None }
    }

    /// One that was made and never ran.
    pub(crate) fn created(flags: &str) -> Self {
        let shed = Shed::new();
        shed.cowshed(&format!("run --name box {flags} base nosuchprogram"))
            .fails(127, "");
        assert_eq!(shed.inspect("box")["State"]["Status"], "created");
        Self { shed, live: None }
    }

    pub(crate) fn in_each_state(flags: &str) -> [Self; 3] {
        [
            Self::running(flags),
            Self::stopped(flags),
            Self::created(flags),
        ]
    }

    #[track_caller]
    pub(crate) fn cp(&self, from: &str, to: &str) -> crate::support::Done {
        self.shed.cowshed(&format!("cp {from} {to}"))
    }

    /// What is at a path of the container: mode, owner and name of each entry.
    #[track_caller]
    pub(crate) fn list(&self, path: &str) -> String {
        let mut command = self.shed.command("cp");
        command.arg(format!("box:{path}")).arg("-");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        listing(&output.stdout)
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        let removed = self.shed.cowshed("rm -f box");
        if let Some(mut live) = self.live.take()
            && removed.code == 0
        {
            live.wait();
        }
    }
}

/// A line for each entry of a tar, sorted by name.
pub(crate) fn listing(tar: &[u8]) -> String {
    let mut lines = Vec::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let name = entry.path_bytes().escape_ascii().to_string();
        let mut line = format!(
            "{name} {:o} {}:{}",
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap()
        );
        if let Some(link) = entry.link_name_bytes() {
            write!(line, " -> {}", link.escape_ascii()).unwrap();
        } else if header.entry_type().is_file() {
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            write!(line, " = {}", content.escape_ascii()).unwrap();
        }
        lines.push(line);
    }
    lines.sort();
    lines.join("\n")
}

/// `src` with a file of 7:8 and a directory, `file`, links to both, and `dangling`.
pub(crate) fn sources(shed: &Shed) {
    shed.dir("src/sub");
    shed.file("src/x", "x");
    shed.file("src/sub/y", "y");
    shed.file("file", "f");
    chown(shed.path("src/x"), Some(7), Some(8)).unwrap();
    chown(shed.path("src"), Some(7), Some(8)).unwrap();
    fs::set_permissions(shed.path("src/x"), fs::Permissions::from_mode(0o4750)).unwrap();
    for (to, name) in [("file", "lfile"), ("src", "lsrc"), ("nothing", "dangling")] {
        symlink(to, shed.path(name)).unwrap();
    }
}

pub(crate) fn tree_of_src(name: &str) -> String {
    format!("{name}/ 755 7:8\n{name}/sub/ 755 0:0\n{name}/sub/y 644 0:0 = y\n{name}/x 4750 7:8 = x")
}
