//! From the words of a `COPY` to the files that it means.

use super::{
    Error,
    listing::{Listing, Source},
    tree::{Located, Tree},
};
use crate::{
    dockerfile::{Glob, clean, is_glob},
    layer::PathBytes,
};

/// Finds and lists the sources of an instruction called `keyword`.
///
/// # Errors
///
/// A source that is not there, or that points out of the tree. Docker's texts.
pub(super) fn list(tree: &Tree<'_>, keyword: &str, words: &[String]) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for word in words {
        let path = clean(word);
        if path == ".." || path.starts_with("../") {
            let what =
                format!("{keyword} failed: forbidden path outside the build context: {word} ()");
            return Err(Error::refused(what).with_hint("copy it into the context first"));
        }
        let path = path.trim_start_matches('/');
        let path = if path.is_empty() { "." } else { path };
        if is_glob(path) {
            add_matches(tree, (keyword, path), &mut listing)?;
            continue;
        }
        let Some(located) = tree.locate(path)? else {
            return Err(missing(keyword, path));
        };
        let name = PathBytes::new(path);
        let source = source(tree, name, &located, &mut listing.remarks)?;
        let Some(source) = source else {
            return Err(Error::refused(format!(
                "{path}: only files, directories, links and fifos are copied"
            )));
        };
        listing.sources.push(source);
    }
    if listing.sources.is_empty() {
        let what = format!("{keyword} failed: no source files were specified");
        return Err(Error::refused(what).with_hint(HINT));
    }
    Ok(listing)
}

const HINT: &str = "sources are relative to the context, the last word of the command line; see \
                    .dockerignore, too";

fn missing(keyword: &str, path: &str) -> Error {
    let what = format!(
        "{keyword} failed: file not found in build context or excluded by .dockerignore: stat \
         {path}: file does not exist"
    );
    Error::refused(what).with_hint(HINT)
}

fn add_matches(
    tree: &Tree<'_>,
    (keyword, pattern): (&str, &str),
    listing: &mut Listing,
) -> Result<(), Error> {
    let glob = Glob::source(pattern);
    let glob = glob.map_err(|why| Error::refused(format!("{keyword} {pattern}: {why}")))?;
    for path in tree.paths()? {
        if !glob.matches(path.as_bytes()) {
            continue;
        }
        // A link is followed as if it had been named.
        let text = path.as_path().to_str().map(str::to_owned);
        let located = match text {
            Some(text) => tree.locate(&text)?,
            None => Some(Located {
                path: path.clone(),
                is_directory: false,
            }),
        };
        if let Some(located) = located
            && let Some(source) = source(tree, path, &located, &mut listing.remarks)?
        {
            listing.sources.push(source);
        }
    }
    Ok(())
}

/// `None` for what is not copied.
fn source(
    tree: &Tree<'_>,
    name: PathBytes,
    located: &Located,
    remarks: &mut Vec<String>,
) -> Result<Option<Source>, Error> {
    let entries = tree.entries(located, remarks)?;
    let is_directory = located.is_directory;
    if entries.is_empty() && !is_directory {
        return Ok(None);
    }
    let path = located.path.clone();
    Ok(Some(Source {
        name,
        path,
        is_directory,
        entries,
    }))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;
    use crate::{dockerfile::Ignore, sys::RootDir};

    struct Scene {
        scratch: tempfile::TempDir,
    }

    impl Scene {
        fn new(files: &[&str]) -> Self {
            let scratch = tempfile::tempdir().unwrap();
            for file in files {
                let path = scratch.path().join("context").join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::File::create(path).unwrap();
            }
            Self { scratch }
        }

        fn context(&self) -> std::path::PathBuf {
            self.scratch.path().join("context")
        }

        fn list(&self, ignore: &str, words: &[&str]) -> Result<Listing, Error> {
            let root = RootDir::open(&self.context()).unwrap();
            let ignore = Ignore::parse(ignore).unwrap();
            let pulse = || Ok(());
            let tree = Tree::context(&root, &ignore, &pulse).unwrap();
            let words: Vec<_> = words.iter().map(ToString::to_string).collect();
            list(&tree, "COPY", &words)
        }

        fn paths(&self, ignore: &str, words: &[&str]) -> Vec<String> {
            let listing = self.list(ignore, words).unwrap();
            let entries = listing.sources.iter().flat_map(|source| &source.entries);
            entries.map(|entry| entry.path.to_string()).collect()
        }

        fn error(&self, words: &[&str]) -> String {
            self.list("", words).unwrap_err().to_string()
        }
    }

    #[test]
    fn files_directories_and_patterns_are_found() {
        let scene = Scene::new(&["a.txt", "b.txt", "dir/c", "dir/sub/d", "한글.txt"]);
        assert_eq!(scene.paths("", &["a.txt"]), ["a.txt"]);
        assert_eq!(
            scene.paths("", &["/dir/"]),
            ["dir/c", "dir/sub", "dir/sub/d"]
        );
        assert_eq!(scene.paths("", &["*.txt"]), ["a.txt", "b.txt", "한글.txt"]);
        assert_eq!(
            scene.paths("", &["d*/c", "./x/../b.txt"]),
            ["dir/c", "b.txt"]
        );
        assert_eq!(scene.paths("", &["."]).len(), 7);
        let listing = scene.list("", &["dir/*"]).unwrap();
        assert_eq!(listing.sources.len(), 2);
        assert_eq!(listing.kind(), "multi");
    }

    #[test]
    fn what_is_ignored_is_not_there_and_what_is_kept_brings_its_parents() {
        let scene = Scene::new(&["a/b/x", "a/b/y", "a/z", "c"]);
        assert_eq!(scene.paths("a\n!a/b/x", &["."]), ["a", "c", "a/b", "a/b/x"]);
        assert_eq!(scene.paths("a\n!a/b/x", &["a"]), ["a/b", "a/b/x"]);
        assert_eq!(scene.paths("a", &["."]), ["c"]);
        assert!(scene.list("c", &["c"]).is_err());
        assert!(scene.list("*", &["c*"]).is_err());
    }

    #[test]
    fn links_never_lead_out_of_the_context() {
        let scene = Scene::new(&["dir/c"]);
        fs::File::create(scene.scratch.path().join("secret")).unwrap();
        let link = |target: &str, name: &str| symlink(target, scene.context().join(name)).unwrap();
        link("../secret", "up");
        link("/etc/passwd", "passwd");
        link("dir", "inside");
        link("/dir", "top");
        let outside = scene.scratch.path().join("secret");
        link(outside.to_str().unwrap(), "absolute");
        for name in ["up", "passwd", "absolute", "secret"] {
            let error = scene.error(&[name]);
            assert!(error.contains("file not found in build context"), "{error}");
        }
        assert_eq!(scene.paths("", &["inside"]), ["dir/c"]);
        assert_eq!(scene.paths("", &["top/c"]), ["dir/c"]);
        assert_eq!(
            scene.error(&["../secret"]),
            "COPY failed: forbidden path outside the build context: ../secret ()"
        );
        assert!(
            scene
                .error(&["dir/../../secret"])
                .contains("forbidden path")
        );
        // Within a directory they are copied as they are.
        assert!(scene.paths("", &["."]).contains(&"up".to_owned()));
    }

    #[test]
    fn an_ignored_file_is_not_reached_through_a_link_either() {
        let scene = Scene::new(&["secret/key"]);
        symlink("secret", scene.context().join("open")).unwrap();
        for word in ["open", "open/key"] {
            assert!(scene.list("secret", &[word]).is_err(), "{word}");
        }
    }

    #[test]
    fn odd_files_and_odd_names_do_no_harm() {
        use std::os::unix::ffi::OsStrExt as _;
        let scene = Scene::new(&["dir/c"]);
        let odd = std::ffi::OsStr::from_bytes(b"dir/\xff\xfe");
        fs::File::create(scene.context().join(odd)).unwrap();
        let socket = scene.context().join("dir/socket");
        let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        let fifo = scene.context().join("dir/fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let listing = scene.list("", &["dir"]).unwrap();
        assert_eq!(listing.count(), 3);
        assert_eq!(
            listing.remarks,
            ["dir/socket: sockets and devices are left out"]
        );
        assert!(scene.error(&["dir/socket"]).contains("only files"));
        assert_eq!(scene.list("", &["dir/*"]).unwrap().sources.len(), 3);
        assert!(Path::new(&scene.context()).exists());
    }

    #[test]
    fn the_same_files_give_the_same_listing_whatever_their_times() {
        let scene = Scene::new(&["a", "d/b"]);
        let before = scene.list("", &["."]).unwrap().to_bytes();
        fs::File::create(scene.context().join("a")).unwrap();
        assert_eq!(scene.list("", &["."]).unwrap().to_bytes(), before);
        fs::remove_file(scene.context().join("a")).unwrap();
        symlink("d", scene.context().join("a")).unwrap();
        assert_ne!(scene.list("", &["."]).unwrap().to_bytes(), before);
    }
}
