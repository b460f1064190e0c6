//! The `.wh.` names of a changeset (OCI image-spec layer.md, "Whiteouts").

use std::os::unix::ffi::OsStrExt as _;

use super::PathBytes;

/// What a whiteout's name starts with.
pub(super) const PREFIX: &[u8] = b".wh.";
/// The name that makes its directory opaque.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names of this kind are aufs's own files.
const AUFS: &[u8] = b".wh..wh.";

/// What a path's name means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An ordinary path.
    Plain,
    /// Hides this path of the layers below.
    Whiteout(PathBytes),
    /// Hides everything that the layers below have in this directory.
    Opaque(PathBytes),
    /// Left behind by aufs.
    Ignored,
    /// A name that hides nothing that could exist, or something below a whiteout.
    Bad,
}

/// Reads the name of an entry, or of a hard link's target.
pub(super) fn meaning(path: &PathBytes) -> Meaning {
    let (parent, name) = path.split();
    let above = PathBytes::new(parent);
    let is_aufs = |name: &[u8]| name.starts_with(AUFS);
    if above.components().any(|name| is_aufs(name.as_bytes())) {
        return Meaning::Ignored;
    }
    if above
        .components()
        .any(|name| name.as_bytes().starts_with(PREFIX))
    {
        return Meaning::Bad;
    }
    let name = name.as_bytes();
    if name == OPAQUE {
        return Meaning::Opaque(above);
    }
    if is_aufs(name) {
        return Meaning::Ignored;
    }
    match name.strip_prefix(PREFIX) {
        None => Meaning::Plain,
        Some(b"" | b"." | b"..") => Meaning::Bad,
        Some(hidden) => Meaning::Whiteout(above.join(std::ffi::OsStr::from_bytes(hidden))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let path = |text: &str| PathBytes::new(text.as_bytes());
        let hides = |text: &str| Meaning::Whiteout(path(text));
        assert_eq!(meaning(&path("a/b")), Meaning::Plain);
        assert_eq!(meaning(&path("a/.wh.b")), hides("a/b"));
        assert_eq!(meaning(&path(".wh.b")), hides("b"));
        assert_eq!(meaning(&path(".wh..b")), hides(".b"));
        assert_eq!(meaning(&path("a/.wh..wh..opq")), Meaning::Opaque(path("a")));
        assert_eq!(meaning(&path(".wh..wh..opq")), Meaning::Opaque(path("")));
        for name in [
            ".wh..wh.plnk",
            ".wh..wh.aufs",
            ".wh..wh.plnk/1.2",
            ".wh..wh.other",
        ] {
            assert_eq!(meaning(&path(name)), Meaning::Ignored, "{name}");
        }
        for name in [".wh.", "a/.wh..", "a/.wh...", ".wh.d/x"] {
            assert_eq!(meaning(&path(name)), Meaning::Bad, "{name}");
        }
    }
}
