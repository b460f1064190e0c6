//! Removal of many trees by several threads.
//!
//! What a file costs is mostly its inode's end, which the kernel does outside of the directory's
//! lock: two threads are nearly twice as fast as one, in one directory, too. Not so on xfs. There the inodes end later, in
//! workers of the kernel's own, and whoever removes waits for those; two threads in the same allocation groups only
//! stand in each other's way. So there a tree is one thread's: twice as fast for two trees, and no slower for one.

use std::{
    collections::VecDeque,
    ffi::OsString,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use nix::errno::Errno;

use super::{
    At as _, Dir, FileKind, Result, SysError,
    delete::{gone, own_dir, present},
    remove_tree, thread,
};

/// Files of one directory that a thread takes at once.
const BATCH: usize = 256;

/// Deeper than this one thread goes on alone, in [`remove_tree`]'s way: descriptors are finite.
const DEPTH_MAX: usize = 64;

/// Removes these names in `parent` and everything below them, with so many threads; nothing there
/// is fine.
///
/// The threads are gone when it returns. Not for a process that forks meanwhile.
///
/// # Errors
///
/// The first one met, as of [`remove_tree`]; what could not be removed stays.
pub fn remove_trees(parent: &Dir, names: Vec<OsString>, threads: usize) -> Result<()> {
    let top = Arc::new(Node {
        dir: parent.try_clone()?,
        above: None,
        left: AtomicUsize::new(names.len()),
        depth: 0,
    });
    let tasks = names
        .into_iter()
        .map(|name| Task::Tree(Arc::clone(&top), name));
    let found = nix::sys::statfs::fstatfs(parent).at("fstatfs", String::new)?;
    let on_xfs = found.filesystem_type() == nix::sys::statfs::XFS_SUPER_MAGIC;
    let work = Work {
        depth_max: if on_xfs { 0 } else { DEPTH_MAX },
        state: Mutex::new(State {
            tasks: tasks.collect(),
            busy: 0,
            failure: None,
        }),
        changed: Condvar::new(),
    };
    drop(top);
    std::thread::scope(|scope| {
        thread::crew(scope, threads.saturating_sub(1), || work.run());
        work.run();
    });
    let state = work.state.into_inner();
    match state.unwrap_or_else(PoisonError::into_inner).failure {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// An open directory that is being emptied.
struct Node {
    dir: Dir,
    /// Its parent, and its name there; `None` stays.
    above: Option<(Arc<Node>, OsString)>,
    /// Subdirectories and batches that are still to be removed, and one while it is being read.
    left: AtomicUsize,
    depth: usize,
}

enum Task {
    /// Something in a directory, a file or a tree.
    Tree(Arc<Node>, OsString),
    /// Files of a directory.
    Files(Arc<Node>, Vec<OsString>),
}

struct State {
    tasks: VecDeque<Task>,
    /// Threads that may yet add tasks.
    busy: usize,
    failure: Option<SysError>,
}

struct Work {
    /// Trees at this depth are not shared.
    depth_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some(task) = self.next() {
            let done = match task {
                Task::Tree(node, name) => self.tree(&node, name),
                Task::Files(node, names) => remove_files(&node, &names),
            };
            let mut state = self.lock();
            state.busy -= 1;
            if let Err(error) = done {
                state.failure.get_or_insert(error);
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The newest first, so that few directories are open at a time; `None` when all is done.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(task) = state.tasks.pop_back() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, task: Task) {
        self.lock().tasks.push_back(task);
        self.changed.notify_one();
    }

    fn tree(&self, parent: &Arc<Node>, name: OsString) -> Result<()> {
        if parent.depth >= self.depth_max {
            remove_tree(&parent.dir, &name)?;
            return leave(parent);
        }
        match parent.dir.remove_file(&name) {
            Ok(()) => return leave(parent),
            Err(error) => match error.errno() {
                Some(Errno::ENOENT) => return leave(parent),
                Some(Errno::EISDIR | Errno::EPERM) => {}
                _ => return Err(error),
            },
        }
        let Some(dir) = own_dir(&parent.dir, &name)? else {
            return leave(parent);
        };
        let node = Arc::new(Node {
            dir,
            above: Some((Arc::clone(parent), name)),
            left: AtomicUsize::new(1),
            depth: parent.depth + 1,
        });
        let mut files = Vec::new();
        for (name, kind) in present(node.dir.typed_entries())?.unwrap_or_default() {
            if kind.is_some_and(|kind| kind != FileKind::Directory) {
                files.push(name);
                if files.len() == BATCH {
                    node.left.fetch_add(1, Ordering::AcqRel);
                    self.add(Task::Files(Arc::clone(&node), std::mem::take(&mut files)));
                }
            } else {
                node.left.fetch_add(1, Ordering::AcqRel);
                self.add(Task::Tree(Arc::clone(&node), name));
            }
        }
        // What is left of them is too little to share; and we are the one that `left` counted.
        remove_files(&node, &files)
    }
}

fn remove_files(node: &Arc<Node>, names: &[OsString]) -> Result<()> {
    for name in names {
        match node.dir.remove_file(name) {
            Ok(()) => {}
            Err(error) if error.errno() == Some(Errno::ENOENT) => {}
            // Another one of the name by now.
            Err(error) if error.errno() == Some(Errno::EISDIR) => {
                remove_tree(&node.dir, name)?;
            }
            Err(error) => return Err(error),
        }
    }
    leave(node)
}

/// Whoever is the last one in a directory removes it, and is then done with something in its parent.
fn leave(node: &Arc<Node>) -> Result<()> {
    let mut here = node;
    while here.left.fetch_sub(1, Ordering::AcqRel) == 1 {
        let Some((parent, name)) = &here.above else {
            return Ok(());
        };
        match gone(parent.dir.remove_dir(name)) {
            // Somebody who had it open has put a file into it.
            Err(error) if error.errno() == Some(Errno::ENOTEMPTY) => {
                remove_tree(&parent.dir, name)?;
            }
            done => done?,
        }
        here = parent;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(dir: &std::path::Path) {
        for sub in ["a/b/c", "large", "empty", "한국어"] {
            std::fs::create_dir_all(dir.join(sub)).unwrap();
        }
        let open = |name: &str| Dir::open(&dir.join(name)).unwrap();
        for number in 0..3 * BATCH + 7 {
            open("large")
                .create_file(format!("f{number}"), 0o600)
                .unwrap();
        }
        open("a").make_symlink("/etc".as_ref(), "etc").unwrap();
        open("a/b").create_file("파일", 0o600).unwrap();
    }

    #[test]
    fn trees_go_whatever_the_number_of_threads() {
        for threads in [0, 1, 2, 5] {
            let scratch = tempfile::tempdir().unwrap();
            let dir = Dir::open(scratch.path()).unwrap();
            for name in ["one", "two"] {
                fill(&scratch.path().join(name));
            }
            dir.create_file("file", 0o600).unwrap();
            dir.create_file("stays", 0o600).unwrap();
            let names = ["one", "two", "file", "absent"].map(OsString::from);
            remove_trees(&dir, names.to_vec(), threads).unwrap();
            assert_eq!(dir.entries().unwrap(), ["stays"], "{threads}");
            remove_trees(&dir, Vec::new(), threads).unwrap();
        }
        assert!(std::path::Path::new("/etc/passwd").exists());
    }

    #[test]
    fn a_deep_tree_is_removed_with_few_descriptors() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.make_dir("top", 0o755).unwrap();
        let mut here = dir.open_dir("top").unwrap();
        for _ in 0..1500 {
            here.create_file("f", 0o600).unwrap();
            here.make_dir("d", 0o755).unwrap();
            here = here.open_dir("d").unwrap();
        }
        remove_trees(&dir, vec!["top".into()], 2).unwrap();
        assert!(dir.entries().unwrap().is_empty());
    }

    #[test]
    fn two_removers_of_one_tree_both_succeed() {
        for _ in 0..20 {
            let scratch = tempfile::tempdir().unwrap();
            fill(&scratch.path().join("one"));
            std::thread::scope(|scope| {
                for threads in [1, 2] {
                    let dir = Dir::open(scratch.path()).unwrap();
                    scope.spawn(move || remove_trees(&dir, vec!["one".into()], threads).unwrap());
                    let dir = Dir::open(scratch.path()).unwrap();
                    scope.spawn(move || remove_tree(&dir, "one").unwrap());
                }
            });
        }
    }

    #[test]
    fn what_is_put_into_a_tree_while_it_goes_goes_along() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        for round in 0..20 {
            fill(&scratch.path().join("one"));
            let open = dir.open_dir("one").unwrap();
            let put = |number| drop(open.create_file(format!("late-{number}"), 0o600));
            std::thread::scope(|scope| {
                scope.spawn(|| (0..20).for_each(put));
                if round % 2 == 0 {
                    remove_tree(&dir, "one").unwrap();
                } else {
                    remove_trees(&dir, vec!["one".into()], 2).unwrap();
                }
            });
            assert!(dir.entries().unwrap().is_empty());
        }
    }

    #[test]
    fn an_error_is_told_and_ends_the_work() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        let error = remove_trees(&dir, vec!["a/b".into()], 2).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EXDEV));
    }
}
