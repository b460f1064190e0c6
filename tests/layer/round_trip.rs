//! What overlayfs left in an upper dir, as a layer on the same layers, shows the same tree: seen by
//! the kernel before, seen by the kernel after, every attribute of every path.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use cowshed::{
    layer::{
        Changes, Compression, Limits, Marks, directory_metadata, pack_changes, settle, unpack,
    },
    sys::{Dir, TimeSpec},
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use crate::{
    scribble::{Random, Scribble},
    whole_tree::whole_tree,
};

/// A tmpfs in a mount namespace of this thread's own.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).expect("this test needs root");
        let scratch = tempfile::tempdir().unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(
            Some("ground"),
            scratch.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            none,
        )
        .unwrap();
        for dir in ["merged", "empty"] {
            fs::create_dir(scratch.path().join(dir)).unwrap();
        }
        Self(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.0.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path.ends_with("merged") && !path.ends_with("empty") {
                fs::remove_dir_all(path).unwrap();
            }
        }
    }

    fn mounted<T>(&self, options: &str, look: impl FnOnce(&Path) -> T) -> T {
        let merged = self.path("merged");
        let overlay = Some("overlay");
        mount(overlay, &merged, overlay, MsFlags::empty(), Some(options)).unwrap();
        let seen = look(&merged);
        umount2(&merged, MntFlags::empty()).unwrap();
        seen
    }

    /// What a stack shows, topmost first; marks are not believed.
    fn view(&self, lowers: &[PathBuf]) -> Vec<String> {
        let empty = self.path("empty");
        let options = format!(
            "lowerdir={}:{},redirect_dir=nofollow,metacopy=off",
            joined(lowers),
            empty.display()
        );
        self.mounted(&options, whole_tree)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).ok();
    }
}

fn joined(lowers: &[PathBuf]) -> String {
    let texts: Vec<_> = lowers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    texts.join(":")
}

/// How a union is mounted, and which marks that makes.
const MOUNTS: [(&str, Marks); 3] = [
    (
        "redirect_dir=nofollow,metacopy=off",
        Marks {
            redirect: false,
            metacopy: false,
        },
    ),
    (
        "redirect_dir=on,metacopy=off",
        Marks {
            redirect: true,
            metacopy: false,
        },
    ),
    (
        "redirect_dir=on,metacopy=on",
        Marks {
            redirect: true,
            metacopy: true,
        },
    ),
];

/// An upper dir as the runtime makes it: its root looks like the one below.
fn make_upper(at: &Path, below: &Path) {
    fs::create_dir(at).unwrap();
    let found = fs::metadata(below).unwrap();
    chown(at, Some(found.uid()), Some(found.gid())).unwrap();
    fs::set_permissions(at, found.permissions()).unwrap();
    let time = TimeSpec {
        seconds: found.mtime(),
        nanoseconds: found.mtime_nsec(),
    };
    Dir::open(at).unwrap().set_times(".", time).unwrap();
}

/// The upper dir as a layer in `to`; whether all names of an inode stayed together.
fn commit(upper: &Path, lowers: &[PathBuf], marks: Marks, to: &Path) -> bool {
    let open = |path: &PathBuf| Dir::open(path).unwrap();
    let (upper, lowers): (_, Vec<_>) =
        (Dir::open(upper).unwrap(), lowers.iter().map(open).collect());
    let root = lowers.first().map(|top| directory_metadata(top).unwrap());
    let changes = Changes {
        upper: &upper,
        lowers: &lowers,
        root,
        marks,
        latest: None,
        baked: &[],
    };
    let mut tar = Vec::new();
    let remarks = pack_changes(&changes, &mut tar).unwrap();
    let lines = remarks.into_lines();
    // No layer can name a file of another one. Only a renamed directory's files have names elsewhere.
    let split = |line: &String| line.contains("no longer the same file") || line.contains(" more");
    assert!(lines.iter().all(split), "{lines:?}");
    assert!(lines.is_empty() || marks.redirect, "{lines:?}");
    fs::create_dir(to).unwrap();
    let target = Dir::open(to).unwrap();
    let limits = Limits::default();
    let unpacked = unpack(&tar[..], Compression::None, &target, &limits, None).unwrap();
    settle(&target, &unpacked.notes, &lowers).unwrap();
    lines.is_empty()
}

fn rounds() -> u64 {
    let given = std::env::var("COWSHED_ROUND_TRIPS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(60)
}

#[test]
#[ignore = "needs root"]
fn root_any_upper_dir_as_a_layer_shows_the_same_tree() {
    let ground = Ground::new();
    let mut redirected = 0;
    for seed in 0..rounds() {
        let mut random = Random(seed * 1_000_003 + 17);
        let mut lowers: Vec<PathBuf> = Vec::new();
        for number in 0..4 {
            let name = |what: &str| ground.path(&format!("{what}{number}"));
            let (upper, work, layer) = (name("upper"), name("work"), name("layer"));
            let (text, marks) = MOUNTS[random.below(3)];
            let below = lowers.first().cloned().unwrap_or(ground.path("empty"));
            make_upper(&upper, &below);
            fs::create_dir(&work).unwrap();
            let stack = if lowers.is_empty() {
                vec![below]
            } else {
                lowers.clone()
            };
            let options = format!(
                "lowerdir={},upperdir={},workdir={},index=off,xino=off,{text}",
                joined(&stack),
                upper.display(),
                work.display()
            );
            let (before, done) = ground.mounted(&options, |root| {
                let mut scribble = Scribble {
                    root,
                    random: &mut random,
                    done: Vec::new(),
                    times: i64::from(number) * 1000,
                };
                for _ in 0..25 {
                    scribble.step();
                }
                let done = scribble.done;
                (whole_tree(root), done)
            });
            let linked = commit(&upper, &lowers, marks, &layer);
            redirected += usize::from(marks.redirect && has_mark(&upper));
            lowers.insert(0, layer);
            let (before, after) = if linked {
                (before, ground.view(&lowers))
            } else {
                (without_twins(&before), without_twins(&ground.view(&lowers)))
            };
            // Nothing on nothing is no layer, not even one with a root.
            let is_nothing = lowers.len() == 1 && before.len() == 1;
            assert!(
                before == after || is_nothing,
                "seed {seed}, layer {number}, {text}\n{}\nbefore:\n{}\nafter:\n{}",
                done.join("\n"),
                only(&before, &after),
                only(&after, &before)
            );
        }
        ground.clear();
    }
    // The translation was needed.
    assert!(redirected > 0);
}

fn without_twins(lines: &[String]) -> Vec<String> {
    let strip = |line: &String| match line.rsplit_once(" = ") {
        Some((line, _)) => line.to_owned(),
        None => line.clone(),
    };
    lines.iter().map(strip).collect()
}

/// What the one has that the other has not.
fn only(one: &[String], other: &[String]) -> String {
    let lines = one.iter().filter(|line| !other.contains(line)).cloned();
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether some directory was renamed by a mark.
fn has_mark(dir: &Path) -> bool {
    let open = Dir::open(dir).unwrap();
    let marked = |name: &std::ffi::OsStr| {
        let found = cowshed::sys::xattr::get(&open, name, "trusted.overlay.redirect");
        found.unwrap().is_some()
    };
    let mut entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.any(|entry| {
        marked(&entry.file_name()) || entry.file_type().unwrap().is_dir() && has_mark(&entry.path())
    })
}
