//! A store on a disk of its own, with things in it that nothing may harm, and how it is looked at
//! after something befell a command.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::{
    kill_operations::Operation,
    support::{
        Done, Shed, Tar, base, mounts_below, processes_of, wait_until, write_file, write_text,
    },
};

/// An ext4 in memory at the store's place, which is put back for each point.
pub(crate) struct Scene {
    pub(crate) shed: Shed,
    /// What must stay, relative to the store.
    kept: Vec<PathBuf>,
    /// What `inspect` says about it.
    told: String,
}

/// What is inspected: an image, a container of it, and the volume that it has.
const KEPT: &str = "inspect base old kept";

/// A program of the host, which must succeed.
#[track_caller]
pub(crate) fn host(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut shed = Shed::empty();
        shed.strict = false;
        let (ram, store, kind) = (shed.dir("ram"), shed.dir("store"), Some("tmpfs"));
        mount(kind, &*ram, kind, MsFlags::empty(), Some("size=600m")).unwrap();
        let image = format!("{ram}/disk");
        let disk = fs::File::create(&image).unwrap();
        disk.set_len(256 << 20).unwrap();
        host("mkfs.ext4", &["-q", "-F", "-m", "0", &image]);
        host("mount", &["-o", "loop", &image, &store]);
        fs::remove_dir(shed.store().join("lost+found")).unwrap();
        let mut scene = Self {
            shed,
            kept: Vec::new(),
            told: String::new(),
        };
        scene.furnish();
        scene
    }

    fn furnish(&mut self) {
        let shed = &self.shed;
        shed.dir("out");
        shed.dir("in/ctx");
        write_file(&shed.path("base.tar"), base());
        shed.cowshed("import --sync=none base.tar base").ok();
        shed.cowshed("volume create kept").ok();
        shed.cowshed(
            "run --name old --label keep -v kept:/data base sh -c 'echo mine >/mine; rm /file; \
             echo data >/data/file; ln /data/file /data/twin'",
        )
        .ok();
        self.kept = kept(&shed.store());
        archives(shed);
        // What the operations are about.
        shed.image("img", layer("older"), &[]);
        shed.image("img", layer("newer"), &[]);
        shed.cowshed("run --name dead -v /anon base sh -c 'echo x >/anon/x; echo dead >/dead'")
            .ok();
        shed.cowshed("volume create spare").ok();
        write_text(&shed.data("spare").join("파일"), "spare\n");
        fs::create_dir(shed.data("spare").join("dir")).unwrap();
        write_text(&shed.data("spare").join("dir/deep"), "deep\n");
        self.told = shed.cowshed(KEPT).ok();
        host(
            "cp",
            &["-a", &shed.show("store"), &shed.show("ram/template")],
        );
    }

    /// As it was in the beginning.
    pub(crate) fn put_back(&self) {
        let shed = &self.shed;
        for place in ["store", "out"] {
            host("find", &[&shed.show(place), "-mindepth", "1", "-delete"]);
        }
        host(
            "cp",
            &["-a", &shed.show("ram/template/."), &shed.show("store")],
        );
    }

    /// What was there before is there unchanged.
    #[track_caller]
    pub(crate) fn assert_kept(&self, what: &str) {
        let (template, store) = (self.shed.path("ram/template"), self.shed.store());
        let mut differences = Vec::new();
        for path in &self.kept {
            compare(&template.join(path), &store.join(path), &mut differences);
        }
        assert!(differences.is_empty(), "{what}: {differences:?}");
        let told = self.shed.cowshed(KEPT);
        assert_eq!(told.out, self.told, "{what}: {told:?}");
    }

    /// `system check` finds nothing, or nothing after it was asked to repair.
    #[track_caller]
    pub(crate) fn assert_consistent(&self, what: &str, how: &str) {
        let checked = self.shed.cowshed(&format!("system check {how}"));
        if checked.code == 0 {
            return;
        }
        let repaired = self.shed.cowshed("system check --repair");
        let again = self.shed.cowshed("system check");
        let texts = [checked, repaired, again].map(|done| done.out + &done.err);
        assert!(
            texts[2].contains("the store is whole"),
            "{what}: {texts:#?}"
        );
    }

    /// What was to be done is done.
    #[track_caller]
    pub(crate) fn assert_done(&self, operation: &Operation, what: &str) {
        for (line, expected) in operation.done {
            let done = self.shed.cowshed(line);
            let fits = expected.is_none_or(|expected| done.out == expected);
            assert!(done.code == 0 && fits, "{what}: {line}: {done:?}");
        }
    }

    /// Everything that must hold after a command that was killed or failed.
    #[track_caller]
    pub(crate) fn assert_survived(&self, operation: &Operation, what: &str) {
        self.assert_consistent(what, "");
        self.assert_kept(what);
        let mut ids = self.containers();
        let mut again = self.shed.cowshed(operation.line);
        let says_done = |again: &Done| {
            let mut messages = operation.already.iter();
            again.code != 0 && messages.any(|message| again.err.contains(message))
        };
        if says_done(&again) && !operation.undo.is_empty() {
            self.shed.cowshed(operation.undo).ok();
            again = self.shed.cowshed(operation.line);
        }
        assert!(
            again.code == 0 || says_done(&again),
            "{what}, once more: {again:?}"
        );
        self.assert_done(operation, &format!("{what}, once more"));
        ids.extend(self.containers());
        self.remove_others(what);
        // Sweeps.
        self.shed.cowshed("volume trash ls").ok();
        self.assert_consistent(what, "--quick");
        self.assert_kept(what);
        let left = self.leftovers(&ids);
        assert!(left.is_empty(), "{what}: {left:#?}");
    }

    /// Every container but those that were there.
    #[track_caller]
    fn remove_others(&self, what: &str) {
        let all = self
            .shed
            .cowshed("ps -a --format '{{.ID}} {{.Names}}'")
            .ok();
        for line in all.lines() {
            let (id, name) = line.split_once(' ').unwrap();
            if name != "old" && name != "dead" {
                let done = self.shed.cowshed(&format!("rm -f -v {id}"));
                assert_eq!(done.code, 0, "{what}: {done:?}");
            }
        }
        wait_until(&format!("no process is left after {what}"), || {
            processes_of(&self.shed.store(), "any").is_empty()
        });
    }

    /// Ids of containers wherever the store has them.
    fn containers(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for place in ["containers", "tmp", "trash"] {
            let names = names_in(&self.shed.store().join(place));
            let names = names.into_iter().filter(|name| name.len() >= 64);
            ids.extend(names.map(|name| name[..64].to_owned()));
        }
        ids
    }

    /// What nobody needs any more and is there.
    fn leftovers(&self, containers: &[String]) -> Vec<String> {
        let store = self.shed.store();
        let mut left = Vec::new();
        let mut in_place = |place: &str, names: Vec<String>| {
            left.extend(names.into_iter().map(|name| format!("{place}/{name}")));
        };
        in_place("tmp", names_in(&store.join("tmp")));
        in_place("merged", names_in(&store.join("merged")));
        in_place("mounted", mounts_below(&store));
        // Whoever removes something has a minute to finish: only the volumes of prune stay longer.
        let mut out = names_in(&self.shed.path("out"));
        out.retain(|name| name.starts_with('.') && !is_told_by_its_name(name));
        in_place("out", out);
        for hierarchy in names_in(Path::new("/sys/fs/cgroup"))
            .iter()
            .chain([&String::new()])
        {
            let place = Path::new("/sys/fs/cgroup").join(hierarchy).join("cowshed");
            let there = containers.iter().filter(|id| place.join(id).exists());
            in_place(hierarchy, there.cloned().collect());
        }
        let (scratch, own) = (self.shed.show(""), self.shed.show("ram/disk"));
        for device in names_in(Path::new("/sys/block")) {
            let backing = format!("/sys/block/{device}/loop/backing_file");
            let backing = fs::read_to_string(backing).unwrap_or_default();
            if backing.starts_with(&scratch) && !backing.starts_with(&own) {
                in_place("loop device", vec![device]);
            }
        }
        left
    }
}

/// What a killed writer of a file on the host leaves: nothing can remove it but its name tells.
fn is_told_by_its_name(name: &str) -> bool {
    name.contains(".cowshed-")
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ids = self.shed.cowshed("ps -aq").out.replace('\n', " ");
            self.shed.cowshed(&format!("rm -f {ids}"));
        }
        for place in ["store", "ram"] {
            umount2(&self.shed.path(place), MntFlags::MNT_DETACH).ok();
        }
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A small layer with every kind of file.
fn layer(content: &str) -> Tar {
    Tar::new()
        .dir("many", 0o755)
        .file("many/파일", 0o640, content.as_bytes())
        .hard_link("many/same", "many/파일")
        .link("many/link", "파일")
        .fifo("many/fifo", 0o600)
        .dir("data", 0o700)
        .file("data/.wh.one", 0o644, b"")
        .file("many/large", 0o644, &vec![b'x'; 300_000])
}

/// What can be taken in, made in another store.
fn archives(shed: &Shed) {
    let other = "--root ram/other";
    write_file(&shed.path("in/l1.tar"), &layer("loaded").finish());
    let second = Tar::new().file("second", 0o600, &vec![7; 200_000]);
    write_file(&shed.path("in/l2.tar"), &second.finish());
    let layers = "--layer base.tar --layer in/l1.tar --layer in/l2.tar";
    for line in [
        &format!("{other} import --sync=none {layers} loaded"),
        &format!("{other} save --compress gzip -o in/oci.tar loaded"),
        &format!("{other} save --format docker-archive -o in/docker.tar loaded"),
        &format!(
            "{other} run -v data:/data loaded sh -c 'echo restored >/data/restored; mkdir /data/d'"
        ),
        &format!("{other} volume backup -q -o in/backup.tar data"),
    ] {
        shed.cowshed(line).ok();
    }
    write_file(&shed.path("in/root.tar"), &layer("imported").finish());
    write_text(&shed.path("in/ctx/x"), "copied\n");
    let text = "FROM base\nCOPY x /x\nRUN echo ran >/ran\nCMD [\"cat\", \"/x\", \"/ran\"]\n";
    write_text(&shed.path("in/ctx/Dockerfile"), text);
}

/// Everything of what is there now that no operation has to do with.
fn kept(store: &Path) -> Vec<PathBuf> {
    let mut kept = vec![
        "volumes/kept/_data".into(),
        "volumes/kept/volume.json".into(),
    ];
    let in_place = |place: &'static str| {
        let names = names_in(&store.join(place)).into_iter();
        names.map(move |name| Path::new(place).join(name))
    };
    kept.extend(in_place("blobs/sha256"));
    // What is noted beside it is for whoever verifies it: we put back copies, which look touched.
    kept.extend(in_place("overlay2").map(|layer| layer.join("diff")));
    for id in names_in(&store.join("containers")) {
        let own = Path::new("containers").join(&id);
        if id != "by-name" {
            kept.extend([own.join("upper"), own.join("config.json")]);
        }
    }
    kept
}

/// Type, owner, permissions, times and content of two trees.
fn compare(was: &Path, is: &Path, differences: &mut Vec<String>) {
    let facts = |path: &Path| {
        let found = fs::symlink_metadata(path).ok()?;
        let kind = found.file_type();
        let size = if kind.is_dir() { 0 } else { found.len() };
        let time = (found.mtime(), found.mtime_nsec());
        let device = if kind.is_char_device() {
            found.rdev()
        } else {
            0
        };
        Some((found.mode(), found.uid(), found.gid(), size, time, device))
    };
    let (before, now) = (facts(was), facts(is));
    let content = |path: &Path| match fs::symlink_metadata(path).unwrap().file_type() {
        kind if kind.is_file() => fs::read(path).unwrap(),
        kind if kind.is_symlink() => {
            let target = fs::read_link(path).unwrap();
            target.into_os_string().into_encoded_bytes()
        }
        kind if kind.is_dir() => names_in(path).join("\n").into_bytes(),
        _ => Vec::new(),
    };
    if before != now {
        differences.push(format!("{}: {before:?}, now {now:?}", is.display()));
    } else if content(was) != content(is) {
        differences.push(format!("{}: another content", is.display()));
    } else if was.is_dir() && !was.is_symlink() {
        for name in names_in(was) {
            compare(&was.join(&name), &is.join(&name), differences);
        }
    }
}
