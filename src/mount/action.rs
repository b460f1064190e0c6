//! `Action`: one step of a plan; what it is called and why it is done.
//!
//! The list that is narrated is the list that is applied.

use std::path::Path;

use super::{
    Access, Bind, BindKind, Furniture, ImageTree, Mount, MountPlan, Overlay, OverlayTree, ReadOnly,
    Source, system,
};
use crate::sys::mount::Depth;

/// One step of mounting a container's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Takes hold of every source on the host while the host's mounts are still as they were.
    HoldSources(Vec<Mount>),
    /// Stops mounts from travelling to the host.
    Isolate,
    /// Writes the small files that no layer has.
    Furnish(Vec<Furniture>),
    /// The union.
    Overlay(Overlay),
    /// One mount on top.
    Mount(Mount),
    /// Device nodes and links in `/dev`.
    Devices,
    /// Hides and write-protects kernel files.
    Mask,
    /// `--read-only`.
    ReadOnlyRoot,
    /// The union becomes `/` and the host's tree is gone.
    Pivot,
}

/// What a step is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narration {
    /// One word.
    pub title: &'static str,
    /// The system calls, as strace would show them.
    pub calls: Vec<String>,
    /// Why it is done, in one sentence.
    pub why: &'static str,
}

impl MountPlan {
    /// The steps in the order in which they are applied.
    pub fn actions(&self) -> Vec<Action> {
        let held = self.held();
        let mut actions = Vec::with_capacity(self.mounts.len() + 8);
        if !held.is_empty() {
            actions.push(Action::HoldSources(held));
        }
        actions.push(Action::Isolate);
        actions.push(Action::Furnish(self.furniture.clone()));
        actions.push(Action::Overlay(self.overlay.clone()));
        actions.extend(self.mounts.iter().cloned().map(Action::Mount));
        if self.owns_dev() {
            actions.push(Action::Devices);
        }
        actions.push(Action::Mask);
        if self.root == Access::ReadOnly {
            actions.push(Action::ReadOnlyRoot);
        }
        actions.push(Action::Pivot);
        actions
    }
}

impl Action {
    /// What this step is, for people.
    pub fn narrate(&self) -> Narration {
        let (title, why) = self.title_and_why();
        Narration {
            title,
            calls: self.calls(),
            why,
        }
    }

    fn title_and_why(&self) -> (&'static str, &'static str) {
        match self {
            Action::HoldSources(_) => (
                "sources",
                "each source is opened once and held: a path swapped later changes nothing",
            ),
            Action::Isolate => ("private", "our mounts must not leak to the host"),
            Action::Furnish(_) => (
                "furniture",
                "hosts, hostname and resolv.conf belong to no layer",
            ),
            Action::Overlay(_) => (
                "overlay",
                "the layers become one tree; every change goes to the upper dir",
            ),
            Action::Mount(mount) => mount_title_and_why(mount),
            Action::Devices => (
                "devices",
                "a handful of harmless devices instead of the host's",
            ),
            Action::Mask => ("mask", "kernel files that tell about the host or change it"),
            Action::ReadOnlyRoot => (
                "read-only",
                "--read-only: only volumes and tmpfs take writes",
            ),
            Action::Pivot => (
                "pivot",
                "the union becomes / and the host's tree is unreachable",
            ),
        }
    }

    fn calls(&self) -> Vec<String> {
        match self {
            Action::HoldSources(held) => held.iter().map(hold).collect(),
            Action::Isolate => {
                vec!["mount(\"none\", \"/\", NULL, MS_REC|MS_SLAVE, NULL)".to_owned()]
            }
            Action::Furnish(files) => furnish(files),
            Action::Overlay(overlay) => union(overlay),
            Action::Mount(mount) => attach(mount),
            Action::Devices => devices(),
            Action::Mask => mask(),
            Action::ReadOnlyRoot => {
                vec!["mount_setattr(root, AT_EMPTY_PATH, {attr_set=RDONLY})".to_owned()]
            }
            Action::Pivot => vec![
                "fchdir(root)".to_owned(),
                "pivot_root(\".\", \".\")".to_owned(),
                "umount2(\".\", MNT_DETACH)".to_owned(),
            ],
        }
    }
}

fn mount_title_and_why(mount: &Mount) -> (&'static str, &'static str) {
    match &mount.source {
        Source::Proc => ("proc", "shows the processes of the new pid namespace only"),
        Source::Sysfs => (
            "sysfs",
            "read-only: kernel objects, of the new network namespace",
        ),
        Source::Cgroup => (
            "cgroup",
            "read-only view of the container's own control group",
        ),
        Source::Devpts => (
            "devpts",
            "terminals of its own: the host's cannot be opened",
        ),
        Source::Mqueue => ("mqueue", "message queues of the new ipc namespace"),
        Source::Tmpfs(_) => ("tmpfs", "lives in memory and goes with the container"),
        Source::Furniture { .. } => ("file", "written by us, mounted over the image's"),
        Source::Bind(bind) => match bind.kind {
            BindKind::Volume => ("volume", "data that outlives the container"),
            BindKind::Host => ("bind", "a path of the host, seen from both sides"),
        },
        Source::Image(_) => ("image", "another image's layers as one tree, read-only"),
        Source::Overlay(_) => (
            "overlay",
            "changes go to an upper dir of their own; what is below stays as it is",
        ),
    }
}

fn hold(mount: &Mount) -> String {
    match &mount.source {
        Source::Bind(bind) => hold_bind(bind),
        Source::Overlay(tree) => format!("open(\"{}\", O_DIRECTORY)", tree.lower.display()),
        Source::Proc
        | Source::Sysfs
        | Source::Cgroup
        | Source::Devpts
        | Source::Mqueue
        | Source::Tmpfs(_)
        | Source::Image(_)
        | Source::Furniture { .. } => String::new(),
    }
}

fn hold_bind(bind: &Bind) -> String {
    let deep = if bind.depth == Depth::Recursive {
        "|AT_RECURSIVE"
    } else {
        ""
    };
    let make = if bind.create_subpath {
        "mkdirat(…); "
    } else {
        ""
    };
    let inside = bind.subpath.as_ref().map_or(String::new(), |subpath| {
        format!(
            "{make}openat2(\"{}\", RESOLVE_IN_ROOT); ",
            subpath.display()
        )
    });
    format!(
        "{inside}open_tree(\"{}\", OPEN_TREE_CLONE{deep})",
        bind.source.display()
    )
}

fn furnish(files: &[Furniture]) -> Vec<String> {
    let mut calls = vec!["fsopen(\"tmpfs\"); fsmount; move_mount(merged)".to_owned()];
    calls.extend(files.iter().map(|file| {
        format!(
            "openat(\"{}\", O_CREAT); write({} bytes)",
            file.name,
            file.content.len()
        )
    }));
    calls
}

fn union(overlay: &Overlay) -> Vec<String> {
    let (upper, work) = overlay.written();
    let mut calls = Vec::new();
    if let Some(memory) = overlay.options.ephemeral {
        let size = memory
            .size
            .map(|size| format!("; fsconfig(SET_STRING, \"size\", \"{size}\")"));
        calls.push(format!(
            "fsopen(\"tmpfs\"){}; fsmount(); move_mount(\"{}\"); mkdir upper, work",
            size.unwrap_or_default(),
            overlay.work.display()
        ));
    }
    calls.push("fsopen(\"overlay\", FSOPEN_CLOEXEC)".to_owned());
    let set = |key: &str, value: &Path| set_option(key, &value.display().to_string());
    calls.extend(overlay.lowers.iter().map(|lower| set("lowerdir+", lower)));
    calls.push(set("upperdir", &upper));
    calls.push(set("workdir", &work));
    calls.extend(
        overlay
            .pairs()
            .iter()
            .map(|(key, value)| set(key, Path::new(value))),
    );
    if overlay.volatile {
        calls.push("fsconfig(FSCONFIG_SET_FLAG, \"volatile\")".to_owned());
    }
    calls.push("fsconfig(FSCONFIG_CMD_CREATE); fsmount()".to_owned());
    calls.push(format!("move_mount(\"{}\")", overlay.merged.display()));
    calls
}

fn attach(mount: &Mount) -> Vec<String> {
    let target = mount.target.display();
    let onto = format!("move_mount(\"{target}\")");
    let fs = |kind: &str, options: &str| {
        let set = if options.is_empty() {
            String::new()
        } else {
            format!("; {options}")
        };
        vec![format!("fsopen(\"{kind}\"){set}; fsmount()"), onto.clone()]
    };
    match &mount.source {
        Source::Proc => fs("proc", ""),
        Source::Sysfs => fs("sysfs", ""),
        Source::Cgroup => fs("cgroup2", ""),
        Source::Devpts => fs("devpts", "newinstance, ptmxmode=0666, mode=0620, gid=5"),
        Source::Mqueue => fs("mqueue", ""),
        Source::Tmpfs(options) => {
            let pairs = options.data();
            let shown: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let mut shown = shown.join(", ");
            for word in options.switches() {
                shown.extend([", ", word]);
            }
            let mut calls = fs("tmpfs", &shown);
            if let Some(propagation) = options.propagation {
                let (kind, _) = propagation.to_kernel();
                calls.insert(1, format!("mount_setattr({{propagation={kind:?}}})"));
            }
            if options.copy_up {
                calls.insert(1, format!("copy everything in \"{target}\" of the image"));
            }
            calls
        }
        Source::Image(image) => image_calls(image).into_iter().chain([onto]).collect(),
        Source::Overlay(tree) => overlay_calls(tree).into_iter().chain([onto]).collect(),
        Source::Furniture { name, .. } => {
            vec![format!("open_tree(\"{name}\", OPEN_TREE_CLONE)"), onto]
        }
        Source::Bind(bind) => change(bind).into_iter().chain([onto]).collect(),
    }
}

fn image_calls(image: &ImageTree) -> Vec<String> {
    let mut calls = vec!["fsopen(\"overlay\", FSOPEN_CLOEXEC)".to_owned()];
    let lowers = image.lowers.iter();
    calls.extend(lowers.map(|lower| set_option("lowerdir+", &lower.display().to_string())));
    if image.lowers.len() < 2 {
        // An overlay without an upper has two lowers at least.
        calls.push(set_option("lowerdir+", "empty-dir"));
    }
    calls.push("fsconfig(FSCONFIG_CMD_CREATE); fsmount(RDONLY|NODEV)".to_owned());
    calls.extend(image.subpath.as_ref().map(|subpath| {
        let subpath = subpath.display();
        format!("openat2(\"{subpath}\", RESOLVE_IN_ROOT); open_tree(OPEN_TREE_CLONE)")
    }));
    calls
}

fn overlay_calls(tree: &OverlayTree) -> Vec<String> {
    let mut calls = Vec::new();
    let place = tree.place.as_ref();
    let place = place.map_or_else(|| "tmpfs".to_owned(), |place| place.display().to_string());
    if tree.place.is_none() {
        calls.push("fsopen(\"tmpfs\"); fsmount(); mkdirat(\"upper\", \"work\")".to_owned());
    }
    calls.push("fsopen(\"overlay\", FSOPEN_CLOEXEC)".to_owned());
    calls.push(set_option("lowerdir+", &tree.lower.display().to_string()));
    calls.push(set_option("upperdir", &format!("{place}/upper")));
    calls.push(set_option("workdir", &format!("{place}/work")));
    let read_only = if tree.access == Access::ReadOnly {
        "RDONLY|"
    } else {
        ""
    };
    calls.push(format!(
        "fsconfig(FSCONFIG_CMD_CREATE); fsmount({read_only}NODEV)"
    ));
    calls
}

fn set_option(key: &str, value: &str) -> String {
    format!("fsconfig(FSCONFIG_SET_STRING, \"{key}\", \"{value}\")")
}

fn change(bind: &Bind) -> Vec<String> {
    let deep = "AT_RECURSIVE";
    let mut calls = Vec::new();
    if let Some(user) = &bind.idmap {
        let user = if user.is_empty() { "root" } else { user };
        calls.push(format!(
            "clone3(CLONE_NEWUSER); write(uid_map, gid_map): owner of \"{}\" appears as {user}",
            bind.source.display()
        ));
        calls.push("mount_setattr({attr_set=IDMAP, userns_fd})".to_owned());
    }
    match bind.read_only {
        ReadOnly::No => {}
        ReadOnly::Top => calls.push("mount_setattr({attr_set=RDONLY})".to_owned()),
        ReadOnly::Recursive => calls.push(format!("mount_setattr({deep}, {{attr_set=RDONLY}})")),
    }
    let (kind, _) = bind.propagation.to_kernel();
    calls.push(format!("mount_setattr({{propagation={kind:?}}})"));
    calls
}

fn devices() -> Vec<String> {
    let nodes = system::DEVICES.iter().map(|(name, major, minor)| {
        format!("mknodat(\"/dev/{name}\", S_IFCHR|0666, makedev({major}, {minor}))")
    });
    let links = system::LINKS
        .iter()
        .map(|(name, target)| format!("symlinkat(\"{target}\", \"/dev/{name}\")"));
    nodes.chain(links).collect()
}

fn mask() -> Vec<String> {
    let hide = system::MASKED
        .iter()
        .map(|(path, _)| format!("move_mount(empty, \"{path}\")"));
    let protect = system::READ_ONLY.iter().map(|path| {
        format!("open_tree(\"{path}\"); mount_setattr(RDONLY); move_mount(\"{path}\")")
    });
    hide.chain(protect).collect()
}
