//! Paths and volume names as typed: cleaned lexically, as Docker does, without a look at the host.

use std::path::{Component, Path, PathBuf};

use super::Error;

/// The longest name that is also a directory entry everywhere.
const NAME_MAX: usize = 255;

/// An image's `VOLUME` entry as a target: `..` stops at the root, a relative path starts there.
pub fn inside_volume(target: &str) -> Result<PathBuf, Error> {
    not_root(clean(Path::new(target)))
}

/// A mount's target: absolute, and not the root.
pub(super) fn target(text: &str) -> Result<PathBuf, Error> {
    not_root(absolute(text)?)
}

/// A path that must be absolute already.
pub(super) fn absolute(text: &str) -> Result<PathBuf, Error> {
    if text.starts_with('/') {
        Ok(clean(Path::new(text)))
    } else {
        Err(Error::Relative {
            text: text.to_owned(),
        })
    }
}

/// A host path: absolute, or beginning with a dot and then relative to `cwd`; else `None`.
pub(super) fn host(text: &str, cwd: &Path) -> Option<PathBuf> {
    (text.starts_with('/') || text.starts_with('.')).then(|| clean(&cwd.join(text)))
}

/// A path below a volume's root; `None` for the root itself.
pub(super) fn subpath(text: &str) -> Result<Option<PathBuf>, Error> {
    let outside = || Error::Subpath {
        text: text.to_owned(),
    };
    let mut inside = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::ParentDir if inside.pop() => {}
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    Ok(Some(inside).filter(|path| !path.as_os_str().is_empty()))
}

/// Checks a volume's name by the rule of `ident::VolumeName`, which this room may not use.
pub(super) fn volume_name(text: &str) -> Result<String, Error> {
    if text.len() == 1 {
        return Err(Error::VolumeNameShort);
    }
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && text.bytes().all(inner) && text.len() <= NAME_MAX {
        Ok(text.to_owned())
    } else {
        Err(Error::VolumeName {
            text: text.to_owned(),
        })
    }
}

fn not_root(path: PathBuf) -> Result<PathBuf, Error> {
    if path == Path::new("/") {
        Err(Error::TargetIsRoot)
    } else {
        Ok(path)
    }
}

/// `/`, then the path without `.`, `..`, doubled and trailing slashes; `..` stops at the root.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_are_cleaned_lexically() {
        for (text, cleaned) in [
            ("/x/", "/x"),
            ("//a/../b", "/b"),
            ("/../../x", "/x"),
            ("/a/./b//c/.", "/a/b/c"),
            ("/with space/한글,=", "/with space/한글,="),
            ("/...", "/..."),
        ] {
            assert_eq!(target(text), Ok(cleaned.into()), "{text}");
        }
    }

    #[test]
    fn rule_8_targets_are_absolute_and_not_the_root() {
        for text in ["/", "//", "/.", "/a/..", "/../.."] {
            let error = target(text).unwrap_err().to_string();
            assert_eq!(
                error, "invalid specification: destination can't be '/'",
                "{text}"
            );
        }
        let error = target("a/b").unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid mount path: 'a/b' mount path must be absolute"
        );
    }

    #[test]
    fn an_images_volume_stays_inside() {
        for (text, cleaned) in [
            ("/../../x", "/x"),
            ("data", "/data"),
            ("../data/", "/data"),
            ("/var/lib/mysql", "/var/lib/mysql"),
        ] {
            assert_eq!(inside_volume(text), Ok(cleaned.into()), "{text}");
        }
        for text in ["", "/", "..", "/a/.."] {
            assert_eq!(inside_volume(text), Err(Error::TargetIsRoot), "{text}");
        }
    }

    #[test]
    fn rule_30_a_subpath_is_local_and_relative() {
        for (text, inside) in [
            ("a/b", Some("a/b")),
            ("a/../b/", Some("b")),
            ("./a", Some("a")),
            (".", None),
            ("a/..", None),
        ] {
            assert_eq!(subpath(text), Ok(inside.map(PathBuf::from)), "{text}");
        }
        for text in ["/a", "..", "../a", "a/../../b", "/"] {
            let error = subpath(text).unwrap_err().to_string();
            assert_eq!(error, "subpath must be a relative path within the volume");
        }
    }

    proptest! {
        #[test]
        fn clean_paths_stay_clean_and_inside(text in "[./a한 ]{0,12}|\\PC*") {
            if let Ok(path) = inside_volume(&text) {
                let shown = path.to_str().unwrap();
                prop_assert!(shown.starts_with('/') && shown.len() > 1);
                prop_assert!(path.components().all(|part| part != Component::ParentDir));
                prop_assert_eq!(target(shown), Ok(path.clone()));
            }
        }

        #[test]
        fn a_subpath_never_leads_out(text in "[./a]{0,12}") {
            if let Ok(Some(path)) = subpath(&text) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
