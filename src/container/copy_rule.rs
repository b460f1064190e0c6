//! What `cp` means: which side is the container, and where things end up. Pure; the rules are
//! Docker's.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

use super::CopyError;

/// One side of a `cp` command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopySide {
    /// `CONTAINER:PATH`
    Container {
        /// Name or id.
        container: String,
        /// As typed; empty means `/`.
        path: OsString,
    },
    /// A path of the host.
    Host(OsString),
    /// `-`
    Stream,
}

impl CopySide {
    /// Reads an argument: a path that begins with `/` or `.` is the host's, whatever colons it has.
    pub fn parse(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':');
        match colon {
            _ if bytes == b"-" => Self::Stream,
            Some(colon) if !bytes.starts_with(b"/") && !bytes.starts_with(b".") && colon > 0 => {
                Self::Container {
                    container: String::from_utf8_lossy(&bytes[..colon]).into_owned(),
                    path: OsString::from_vec(bytes[colon + 1..].to_vec()),
                }
            }
            _ => Self::Host(text.to_owned()),
        }
    }
}

/// A `cp` that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyRequest {
    /// From a container to the host or to standard output.
    Out {
        /// Name or id.
        container: String,
        /// In the container.
        source: OsString,
        /// On the host; none for standard output.
        destination: Option<OsString>,
    },
    /// From the host or standard input into a container.
    In {
        /// On the host; none for standard input.
        source: Option<OsString>,
        /// Name or id.
        container: String,
        /// In the container.
        destination: OsString,
    },
}

impl CopyRequest {
    /// Reads the two arguments.
    pub fn parse(source: &OsStr, destination: &OsStr) -> Result<Self, CopyError> {
        if source.is_empty() {
            return Err(CopyError::Empty {
                side: "source".to_owned(),
            });
        }
        if destination.is_empty() {
            return Err(CopyError::Empty {
                side: "destination".to_owned(),
            });
        }
        match (CopySide::parse(source), CopySide::parse(destination)) {
            (CopySide::Container { .. }, CopySide::Container { .. }) => {
                Err(CopyError::BetweenContainers)
            }
            (CopySide::Container { container, path }, to) => Ok(Self::Out {
                container,
                source: path,
                destination: host(to),
            }),
            (from, CopySide::Container { container, path }) => Ok(Self::In {
                source: host(from),
                container,
                destination: path,
            }),
            (_, _) => Err(CopyError::NoContainer),
        }
    }
}

fn host(side: CopySide) -> Option<OsString> {
    match side {
        CopySide::Host(path) => Some(path),
        CopySide::Stream | CopySide::Container { .. } => None,
    }
}

/// A path as somebody typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    /// Absolute, without `.`, `..` and double slashes.
    pub(super) clean: PathBuf,
    /// Ends with `/` or `/.`: it must be a directory, and a link is followed.
    pub(super) asserts_directory: bool,
    /// Ends with `.`: what is in the directory is meant.
    pub(super) asserts_content: bool,
}

impl Typed {
    /// Takes a path that is relative to `base`.
    pub(super) fn new(base: &OsStr, path: &OsStr) -> Self {
        let mut parts: Vec<&[u8]> = Vec::new();
        let is_absolute = path.as_bytes().starts_with(b"/");
        let base = if is_absolute { OsStr::new("") } else { base };
        for whole in [base, path] {
            for part in whole.as_bytes().split(|byte| *byte == b'/') {
                match part {
                    b"" | b"." => {}
                    b".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
        }
        let mut clean = vec![b'/'];
        clean.extend_from_slice(&parts.join(&b'/'));
        let last = path.as_bytes().rsplit(|byte| *byte == b'/');
        let last_word = last.clone().find(|part| !part.is_empty());
        let asserts_content = path.is_empty() || last_word == Some(b".");
        Self {
            clean: PathBuf::from(OsString::from_vec(clean)),
            asserts_directory: path.as_bytes().ends_with(b"/") || asserts_content,
            asserts_content,
        }
    }

    /// As it is told: clean, with the end that it was typed with.
    pub(super) fn shown(&self) -> String {
        let mut text = self.clean.display().to_string();
        if self.asserts_directory && !text.ends_with('/') {
            text.push('/');
        }
        if self.asserts_content {
            text.push('.');
        }
        text
    }

    /// What a copy is called; none where only the content is meant.
    pub(super) fn name(&self) -> Option<&OsStr> {
        self.clean.file_name().filter(|_| !self.asserts_content)
    }
}

/// What is at the destination, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Directory,
    Other,
}

/// Where a copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placement {
    /// Below the destination, under this name.
    Below(OsString),
    /// What is in the source, below the destination.
    Content,
    /// Into the destination's parent, under the destination's name.
    InPlace,
}

/// Decides where a copy goes.
pub(super) fn place(
    source: &Typed,
    source_is_directory: bool,
    destination: &Typed,
    found: Found,
) -> Result<Placement, CopyError> {
    match (found, source_is_directory) {
        (Found::Directory, _) => Ok(match source.name() {
            Some(name) => Placement::Below(name.to_owned()),
            None => Placement::Content,
        }),
        (Found::Other, true) => Err(CopyError::DirectoryOntoFile),
        (Found::Nothing, false) if destination.asserts_directory => Err(CopyError::NoSuchDirectory),
        (Found::Other, false) | (Found::Nothing, _) => Ok(Placement::InPlace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(text: &str) -> CopySide {
        CopySide::parse(OsStr::new(text))
    }

    #[test]
    fn sides_are_told_apart_by_the_first_colon() {
        let container = |container: &str, path: &str| CopySide::Container {
            container: container.into(),
            path: path.into(),
        };
        let local = |path: &str| CopySide::Host(path.into());
        for (text, wanted) in [
            ("c:/x", container("c", "/x")),
            ("c:", container("c", "")),
            ("c:x:y", container("c", "x:y")),
            ("한글:/자료", container("한글", "/자료")),
            ("x", local("x")),
            ("/a:b", local("/a:b")),
            ("./a:b", local("./a:b")),
            ("../a:b", local("../a:b")),
            (".a:b", local(".a:b")),
            (":x", local(":x")),
            ("-", CopySide::Stream),
            ("./-", local("./-")),
            ("c:-", container("c", "-")),
        ] {
            assert_eq!(side(text), wanted, "{text}");
        }
    }

    #[test]
    fn one_side_is_a_container_and_one_is_not() {
        let parse = |from: &str, to: &str| {
            CopyRequest::parse(OsStr::new(from), OsStr::new(to)).map_err(|error| error.to_string())
        };
        let refused = |from, to, text: &str| assert_eq!(parse(from, to).unwrap_err(), text);
        refused("a:x", "b:y", "copying between containers is not supported");
        refused("x", "y", "must specify at least one container source");
        refused("-", "-", "must specify at least one container source");
        refused("", "c:x", "source can not be empty");
        refused("c:x", "", "destination can not be empty");
        assert!(matches!(
            parse("c:x", "-"),
            Ok(CopyRequest::Out {
                destination: None,
                ..
            })
        ));
        assert!(matches!(
            parse("-", "c:x"),
            Ok(CopyRequest::In { source: None, .. })
        ));
    }

    #[test]
    fn typed_paths_are_cleaned_and_keep_what_their_end_says() {
        for (base, path, clean, directory, content) in [
            ("/w", "x", "/w/x", false, false),
            ("/w", "x/", "/w/x", true, false),
            ("/w", "x/.", "/w/x", true, true),
            ("/w", "x/./", "/w/x", true, true),
            ("/w", ".", "/w", true, true),
            ("/w", "..", "/", false, false),
            ("/w", "/a//b/../c", "/a/c", false, false),
            ("/", "", "/", true, true),
            ("/", "/", "/", true, false),
            ("/", "../../etc", "/etc", false, false),
            ("/", "a/.hidden", "/a/.hidden", false, false),
        ] {
            let typed = Typed::new(OsStr::new(base), OsStr::new(path));
            let wanted = Typed {
                clean: clean.into(),
                asserts_directory: directory,
                asserts_content: content,
            };
            assert_eq!(typed, wanted, "{base} {path}");
        }
    }

    #[test]
    fn the_table_of_sources_and_destinations() {
        let below = |name: &str| Ok(Placement::Below(name.into()));
        let refused = |text: &str| Err(text.to_owned());
        let (content, in_place) = (|| Ok(Placement::Content), || Ok(Placement::InPlace));
        let (nothing, directory, other) = (Found::Nothing, Found::Directory, Found::Other);
        for (from, is_directory, to, found, wanted) in [
            ("/s/f", false, "/d", directory, below("f")),
            ("/s/f", false, "/d/", directory, below("f")),
            ("/s/f", false, "/d/f", other, in_place()),
            ("/s/f", false, "/d/f", nothing, in_place()),
            (
                "/s/f",
                false,
                "/d/n/",
                nothing,
                refused("no such directory"),
            ),
            (
                "/s/f",
                false,
                "/d/n/.",
                nothing,
                refused("no such directory"),
            ),
            ("/s", true, "/d", directory, below("s")),
            ("/s/", true, "/d", directory, below("s")),
            ("/s/.", true, "/d", directory, content()),
            ("/", true, "/d", directory, content()),
            ("/s", true, "/d/n", nothing, in_place()),
            ("/s/.", true, "/d/n", nothing, in_place()),
            ("/s", true, "/d/n/", nothing, in_place()),
            ("/s", true, "/d/f", other, refused("cannot copy directory")),
            (
                "/s/.",
                true,
                "/d/f",
                other,
                refused("cannot copy directory"),
            ),
        ] {
            let typed = |path: &str| Typed::new(OsStr::new("/"), OsStr::new(path));
            let placed = place(&typed(from), is_directory, &typed(to), found);
            assert_eq!(
                placed.map_err(|error| error.to_string()),
                wanted,
                "{from} to {to}, {found:?}"
            );
        }
    }
}
