//! What of a container's union is switched on that is off by default, for lack of trust in marks.

use serde::{Deserialize, Serialize};

use super::{Error, TmpfsSize};

/// Marks that the kernel may leave in a container's upper dir in place of copies.
///
/// They are for that one mount, whose layers cannot bring any (marks are dropped when a layer is
/// unpacked): whoever reads the upper dir believes them only where they are switched on here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnionOptions {
    /// A directory of the image is renamed by a mark; without it rename(2) says `EXDEV`, and mv(1)
    /// copies.
    pub redirect_dir: bool,
    /// A file whose owner, mode or times change is not copied until it is written to.
    pub metacopy: bool,
    /// Nothing of the changes is ever synced: a crash of the machine may leave anything of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
    /// Changes go to memory, and with the end of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<Ephemeral>,
}

/// An upper dir on a tmpfs, mounted in the container's own namespace: nobody outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ephemeral {
    /// The most it may hold; half of the memory where nothing is said (tmpfs(5)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<TmpfsSize>,
}

const REDIRECT_DIR: &str = "overlay.redirect_dir";
const METACOPY: &str = "overlay.metacopy";

impl UnionOptions {
    /// Whether everything is as always.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Parses `--storage-opt`: `overlay.redirect_dir=on`, `overlay.metacopy=on`.
    ///
    /// `metacopy` needs `redirect_dir` (kernel, overlayfs.rst) and switches it on.
    pub fn parse(texts: &[String]) -> Result<Self, Error> {
        let (mut redirect, mut metacopy) = (None, None);
        for text in texts {
            let bad = || Error::StorageOption { text: text.clone() };
            let (key, value) = text.split_once('=').ok_or_else(bad)?;
            let is_on = match value {
                "on" | "true" | "1" => true,
                "off" | "false" | "0" => false,
                _ => return Err(bad()),
            };
            match key {
                REDIRECT_DIR => redirect = Some(is_on),
                METACOPY => metacopy = Some(is_on),
                _ => return Err(bad()),
            }
        }
        let metacopy = metacopy.unwrap_or(false);
        if metacopy && redirect == Some(false) {
            return Err(Error::MetacopyAlone);
        }
        Ok(Self {
            redirect_dir: redirect.unwrap_or(metacopy),
            metacopy,
            ..Self::default()
        })
    }

    /// What is on, as it is typed.
    pub fn pairs(&self) -> Vec<(&'static str, &'static str)> {
        let all = [(REDIRECT_DIR, self.redirect_dir), (METACOPY, self.metacopy)];
        let on = all.into_iter().filter(|(_, is_on)| *is_on);
        on.map(|(key, _)| (key, "on")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<UnionOptions, Error> {
        UnionOptions::parse(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn metacopy_brings_redirects_with_it() {
        let both = parse(&["overlay.metacopy=on"]).unwrap();
        assert!(both.redirect_dir && both.metacopy);
        let one = parse(&["overlay.redirect_dir=on"]).unwrap();
        assert!(one.redirect_dir && !one.metacopy);
        assert_eq!(one.pairs(), [("overlay.redirect_dir", "on")]);
        assert!(parse(&["overlay.metacopy=on", "overlay.redirect_dir=off"]).is_err());
        assert!(parse(&["overlay.metacopy=off"]).unwrap().is_default());
    }

    #[test]
    fn other_options_are_refused() {
        for text in [
            "size=1g",
            "overlay.index=on",
            "overlay.metacopy",
            "overlay.metacopy=yes",
            "",
        ] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
    }
}
