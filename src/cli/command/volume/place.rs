//! `VOLUME:PATH`, or the two as two words.

use std::ffi::{OsStr, OsString};

use clap::Args;

/// A path in a volume.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Name, or VOLUME:PATH
    #[arg(value_name = "VOLUME")]
    volume: String,
    /// In the volume; its top where it is left out
    #[arg(value_name = "PATH")]
    path: Option<OsString>,
}

impl Place {
    /// The volume and the path in it. No name of a volume has a colon.
    pub(super) fn parts(&self) -> (&str, &OsStr) {
        match (&self.path, self.volume.split_once(':')) {
            (Some(path), _) => (&self.volume, path),
            (None, Some((volume, path))) => (volume, OsStr::new(path)),
            (None, None) => (&self.volume, OsStr::new("/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_or_two() {
        let parts = |volume: &str, path: Option<&str>| {
            let place = Place {
                volume: volume.to_owned(),
                path: path.map(OsString::from),
            };
            let (volume, path) = place.parts();
            format!("{volume} {}", path.display())
        };
        assert_eq!(parts("a", None), "a /");
        assert_eq!(parts("a:b/c", None), "a b/c");
        assert_eq!(parts("a", Some("b:c")), "a b:c");
    }
}
