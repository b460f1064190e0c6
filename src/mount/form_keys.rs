//! What `--mount` says of `type=image` and `type=overlay`.

use std::path::{Path, PathBuf};

use super::{Error, ImageRequest, MissingSource, OverlayRequest, Stored, Upper, path};

/// Keys of `type=image`.
#[derive(Debug, Default)]
pub(super) struct ImageKeys {
    subpath: Option<String>,
}

impl ImageKeys {
    /// `false` where there is no such key.
    pub(super) fn take(&mut self, key: &str, text: &str) -> bool {
        if key != "image-subpath" {
            return false;
        }
        self.subpath = Some(text.to_owned());
        true
    }

    pub(super) fn finish(self, source: Option<String>) -> Result<ImageRequest, Error> {
        let subpath = self.subpath.as_deref().map(path::subpath).transpose()?;
        Ok(ImageRequest {
            image: source.ok_or(Error::Missing {
                what: "field Source must not be empty",
            })?,
            subpath: subpath.flatten(),
        })
    }
}

/// `upper=`
pub(super) fn upper(text: &str) -> Result<Upper, Error> {
    match text {
        "discard" => Ok(Upper::Discard),
        "tmpfs" => Ok(Upper::Tmpfs),
        name => path::volume_name(name).map(Upper::Volume),
    }
}

/// A path or the name of a volume, as `-v` tells them apart.
pub(super) fn stored(source: &str, cwd: &Path) -> Result<Stored, Error> {
    match path::host(source, cwd) {
        Some(path) => Ok(Stored::Path(path)),
        None => path::volume_name(source).map(Stored::Volume),
    }
}

/// `type=overlay`. A path must be there, as for `type=bind`; a volume is made, as for
/// `type=volume`.
pub(super) fn overlay(
    source: Option<&str>,
    (upper, no_create): (Option<Upper>, bool),
    cwd: &Path,
) -> Result<OverlayRequest, Error> {
    let source = source.ok_or(Error::Missing {
        what: "field Source must not be empty",
    })?;
    let lower = stored(source, cwd)?;
    let upper = upper.unwrap_or_default();
    refuse_itself(&lower, &upper)?;
    let missing = match &lower {
        Stored::Volume(_) if !no_create => MissingSource::Create,
        Stored::Path(_) | Stored::Volume(_) => MissingSource::Refuse,
    };
    Ok(OverlayRequest {
        lower,
        upper,
        missing,
    })
}

fn refuse_itself(lower: &Stored, upper: &Upper) -> Result<(), Error> {
    match (lower, upper) {
        (Stored::Volume(lower), Upper::Volume(upper)) if lower == upper => {
            Err(Error::Contradiction {
                option: "upper",
                other: "src",
            })
        }
        (Stored::Path(_) | Stored::Volume(_), _) => Ok(()),
    }
}

/// A subpath that `make` is about, which then must be given.
pub(super) fn created_subpath(make: bool, subpath: Option<&PathBuf>) -> Result<(), Error> {
    if make && subpath.is_none() {
        let (option, other) = ("volume-subpath-create", "volume-subpath");
        return Err(Error::Requires { option, other });
    }
    Ok(())
}

#[cfg(test)]
#[path = "form_keys_tests.rs"]
mod tests;
