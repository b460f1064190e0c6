//! Unpacked, settled and mounted by the real overlayfs, a stack of layers shows what the OCI rules
//! say: a model of them in memory agrees with the kernel over generated stacks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "layer/archive.rs"]
#[expect(dead_code, reason = "shared with the corpus, which uses more of it")]
mod archive;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use archive::{Archive, header, tree};
use cowshed::{
    layer::{Compression, Limits, Notes, settle, unpack},
    sys::Dir,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

/// One line of a layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Dir { path: String, mode: u32 },
    File { path: String, data: String },
    Symlink { path: String, target: String },
    Whiteout(String),
    Opaque(String),
}

/// What a path is, in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Dir(u32),
    File(String),
    Symlink(String),
}

type Model = BTreeMap<String, Node>;

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(move |(at, _)| &path[..at])
}

/// The OCI rules: what a layer hides is taken away from the layers below, whatever the order of its
/// lines; then its own lines are laid over the rest, the last of a name winning.
fn apply(below: &Model, lines: &[Line]) -> Model {
    let mut model = below.clone();
    let mut is_own_dir = BTreeSet::new();
    for line in lines {
        let (Line::Dir { path, .. } | Line::File { path, .. } | Line::Symlink { path, .. }) = line
        else {
            continue;
        };
        is_own_dir.extend(ancestors(path).map(str::to_owned));
        if matches!(line, Line::Dir { .. }) {
            is_own_dir.insert(path.clone());
        }
    }
    let remove_below = |model: &mut Model, dir: &str| {
        let prefix = if dir.is_empty() {
            String::new()
        } else {
            format!("{dir}/")
        };
        model.retain(|path, _| path == dir || !path.starts_with(&prefix));
    };
    for line in lines {
        match line {
            Line::Whiteout(path) => {
                remove_below(&mut model, path);
                model.remove(path);
            }
            Line::Opaque(path) => remove_below(&mut model, path),
            Line::Dir { .. } | Line::File { .. } | Line::Symlink { .. } => {}
        }
    }
    for line in lines {
        let (path, node) = match line {
            Line::Dir { path, mode } => (path, Node::Dir(*mode)),
            Line::File { path, data } => (path, Node::File(data.clone())),
            Line::Symlink { path, target } => (path, Node::Symlink(target.clone())),
            Line::Whiteout(_) | Line::Opaque(_) => continue,
        };
        for above in ancestors(path) {
            if !matches!(model.get(above), Some(Node::Dir(_))) {
                model.insert(above.to_owned(), Node::Dir(0o755));
            }
        }
        if !matches!(node, Node::Dir(_)) {
            remove_below(&mut model, path);
        }
        model.insert(path.clone(), node);
    }
    model
}

fn listing(model: &Model) -> String {
    // As a walk goes: a directory's content right after it.
    let mut paths: Vec<_> = model.iter().collect();
    paths.sort_by_key(|(path, _)| path.split('/').map(str::to_owned).collect::<Vec<_>>());
    let lines = paths.into_iter().map(|(path, node)| match node {
        Node::Dir(mode) => format!("d {mode:04o} {path}"),
        Node::File(data) => format!("f 0644 {path} = {data}"),
        Node::Symlink(target) => format!("l {path} -> {target}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn tar(lines: &[Line]) -> Vec<u8> {
    let mark = |path: &str, mark: &dyn Fn(&str) -> String| match path.rsplit_once('/') {
        Some((above, name)) => format!("{above}/{}", mark(name)),
        None => mark(path),
    };
    let add = |tar: Archive, line: &Line| match line {
        Line::Dir { path, mode } => {
            let mut dir = header(b'5', path);
            dir.set_mode(*mode);
            tar.put(dir, b"")
        }
        Line::File { path, data } => tar.file(path, data),
        Line::Symlink { path, target } => tar.symlink(path, target),
        Line::Whiteout(path) => tar.file(&mark(path, &|name| format!(".wh.{name}")), ""),
        Line::Opaque(path) if path.is_empty() => tar.file(".wh..wh..opq", ""),
        Line::Opaque(path) => tar.file(&format!("{path}/.wh..wh..opq"), ""),
    };
    lines.iter().fold(Archive::new(), add).end()
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// Few names, so that layers meet.
    fn path(&mut self) -> String {
        let depth = 1 + self.below(3);
        let parts: Vec<_> = (0..depth).map(|_| ["a", "b", "c"][self.below(3)]).collect();
        parts.join("/")
    }

    /// Lines of one layer: no name is of two types, so that their order may be anything.
    fn layer(&mut self, number: usize) -> Vec<Line> {
        let mut leaves: BTreeSet<String> = BTreeSet::new();
        let mut dirs: BTreeSet<String> = BTreeSet::new();
        let mut lines = Vec::new();
        for _ in 0..=self.below(7) {
            let path = self.path();
            let clashes = ancestors(&path).any(|above| leaves.contains(above));
            let kind = self.below(8);
            if kind < 5 && (clashes || leaves.contains(&path)) || kind == 7 && clashes {
                continue;
            }
            let is_leaf = (2..5).contains(&kind);
            if is_leaf && dirs.contains(&path) || kind == 7 && leaves.contains(&path) {
                continue;
            }
            if kind < 5 {
                dirs.extend(ancestors(&path).map(str::to_owned));
            }
            lines.push(match kind {
                0 | 1
                    if dirs.contains(&path)
                        && lines.iter().any(
                            |line| matches!(line, Line::Dir { path: old, .. } if *old == path),
                        ) =>
                {
                    continue;
                }
                0 | 1 => {
                    dirs.insert(path.clone());
                    Line::Dir {
                        path,
                        mode: [0o700, 0o755, 0o2711][self.below(3)],
                    }
                }
                2 | 3 => {
                    leaves.insert(path.clone());
                    Line::File {
                        data: format!("{number} {path}"),
                        path,
                    }
                }
                4 => {
                    leaves.insert(path.clone());
                    Line::Symlink {
                        path,
                        target: "a/b".to_owned(),
                    }
                }
                5 | 6 => Line::Whiteout(path),
                _ => Line::Opaque(if self.below(6) == 0 {
                    String::new()
                } else {
                    path
                }),
            });
        }
        self.shuffle(&mut lines);
        lines
    }

    fn shuffle(&mut self, lines: &mut [Line]) {
        for at in (1..lines.len()).rev() {
            lines.swap(at, self.below(at + 1));
        }
    }
}

/// A tmpfs in a mount namespace of this thread's own; with it goes the directory it is on.
struct PrivateTmpfs(tempfile::TempDir);

impl PrivateTmpfs {
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).expect("this test needs root");
        let scratch = tempfile::tempdir().unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let flags = MsFlags::empty();
        mount(Some("oracle"), scratch.path(), Some("tmpfs"), flags, none).unwrap();
        Self(scratch)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for PrivateTmpfs {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).ok();
    }
}

fn unpack_at(dir: &Path, lines: &[Line]) -> Notes {
    fs::create_dir_all(dir).unwrap();
    let target = Dir::open(dir).unwrap();
    let blob = tar(lines);
    let limits = Limits::default();
    unpack(&blob[..], Compression::None, &target, &limits, None)
        .unwrap()
        .notes
}

/// Unpacks and settles the stack, lowest first; returns the lower dirs for the mount, topmost first.
fn stack(base: &Path, layers: &[Vec<Line>]) -> Vec<String> {
    let mut lowers: Vec<String> = Vec::new();
    for (number, lines) in layers.iter().enumerate() {
        let dir = base.join(format!("{number}"));
        let notes = unpack_at(&dir, lines);
        let open: Vec<_> = lowers
            .iter()
            .map(|lower| Dir::open(Path::new(lower)).unwrap())
            .collect();
        settle(&Dir::open(&dir).unwrap(), &notes, &open).unwrap();
        if notes.opaque_root {
            lowers.clear();
        }
        lowers.insert(0, dir.to_str().unwrap().to_owned());
    }
    lowers
}

fn mounted(base: &Path, lowers: &[String]) -> String {
    let merged = base.join("merged");
    fs::create_dir_all(base.join("empty")).unwrap();
    fs::create_dir_all(&merged).unwrap();
    // overlayfs wants two lower dirs where there is no upper.
    let options = format!("lowerdir={}:{}/empty", lowers.join(":"), base.display());
    let flags = MsFlags::MS_RDONLY;
    mount(
        Some("overlay"),
        &merged,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )
    .unwrap();
    let shown = tree(&merged);
    umount2(&merged, MntFlags::empty()).unwrap();
    shown
}

#[test]
#[ignore = "needs root"]
fn root_generated_stacks_look_like_the_model_says() {
    let scratch = PrivateTmpfs::new();
    for seed in 0..1500 {
        let mut random = Random(seed);
        let count = 1 + random.below(4);
        let layers: Vec<_> = (0..count).map(|number| random.layer(number)).collect();
        let base = scratch.path().join(seed.to_string());
        fs::create_dir(&base).unwrap();
        let lowers = stack(&base, &layers);
        let model = layers
            .iter()
            .fold(Model::new(), |below, lines| apply(&below, lines));
        assert_eq!(
            mounted(&base, &lowers),
            listing(&model),
            "seed {seed}: {layers:#?}"
        );
        fs::remove_dir_all(&base).unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_order_of_a_layers_entries_does_not_matter() {
    let scratch = PrivateTmpfs::new();
    for seed in 0..200 {
        let mut random = Random(seed + 1_000_000);
        let below = random.layer(0);
        let mut lines = random.layer(1);
        let mut seen = BTreeSet::new();
        for turn in 0..4 {
            let base = scratch.path().join(format!("{seed}-{turn}"));
            random.shuffle(&mut lines);
            let lowers = stack(&base, &[below.clone(), lines.clone()]);
            let times = fs::metadata(&lowers[0]).unwrap().modified().unwrap();
            seen.insert((mounted(&base, &lowers), times));
        }
        assert_eq!(seen.len(), 1, "seed {seed}: {below:#?} {lines:#?}");
    }
}
