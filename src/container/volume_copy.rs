//! `volume cp`: into, out of and between volumes, without a container. The rules are those of
//! `cp`; every path of a volume stays in it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
};

use super::{
    CopyError, CopyReport, CopySide, Copying, Engine, Error, Mismatch,
    copy::{host, inside},
    copy_find,
    copy_in::copy_into,
    copy_out::{copy_from, output, stream_from},
    copy_reach::Reach,
    copy_rule::Typed,
};
use crate::{
    ident::VolumeName,
    sys::{RootDir, copy_tree, process, sync},
    volume::{self, Making, NewVolume},
};

/// What those are told who are kept out meanwhile.
const CP: &str = "volume cp";
pub(super) const IMPORT: &str = "volume import";

/// One side of a `volume cp`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    Volume { name: String, path: OsString },
    Host(OsString),
    Stream,
}

/// A `volume cp` that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Request {
    /// A whole volume to a new one.
    Clone(String, String),
    Out(String, OsString, Option<OsString>),
    In(Option<OsString>, String, OsString),
    Between((String, OsString), (String, OsString)),
}

impl Request {
    /// Two words without a colon and without the look of a path are two volumes.
    fn parse(source: &OsStr, destination: &OsStr) -> Result<Self, CopyError> {
        if source.is_empty() || destination.is_empty() {
            let side = if source.is_empty() {
                "source"
            } else {
                "destination"
            };
            let side = side.to_owned();
            return Err(CopyError::Empty { side });
        }
        let name = |side: &Side| {
            match side {
                Side::Host(path) => path
                    .to_str()
                    .filter(|text| text.parse::<VolumeName>().is_ok()),
                Side::Volume { .. } | Side::Stream => None,
            }
            .map(str::to_owned)
        };
        let (from, to) = (Side::of(source), Side::of(destination));
        match (from, to) {
            (Side::Volume { name, path }, Side::Volume { name: to, path: at }) => {
                Ok(Self::Between((name, path), (to, at)))
            }
            (Side::Volume { name, path }, Side::Host(to)) => Ok(Self::Out(name, path, Some(to))),
            (Side::Volume { name, path }, Side::Stream) => Ok(Self::Out(name, path, None)),
            (Side::Host(from), Side::Volume { name, path }) => Ok(Self::In(Some(from), name, path)),
            (Side::Stream, Side::Volume { name, path }) => Ok(Self::In(None, name, path)),
            (from, to) => match (name(&from), name(&to)) {
                (Some(from), Some(to)) => Ok(Self::Clone(from, to)),
                _ => Err(CopyError::NoVolume),
            },
        }
    }
}

impl Side {
    fn of(text: &OsStr) -> Self {
        match CopySide::parse(text) {
            CopySide::Container {
                container: name,
                path,
            } => Self::Volume { name, path },
            CopySide::Host(path) => Self::Host(path),
            CopySide::Stream => Self::Stream,
        }
    }
}

impl Engine {
    /// Copies into, out of or between volumes. The process must have one thread.
    ///
    /// # Errors
    ///
    /// A new volume is not there then; of anything else, what was copied before stays, but no file
    /// that is not whole.
    pub fn copy_volume(
        &self,
        source: &OsStr,
        destination: &OsStr,
        how: Copying,
    ) -> Result<CopyReport, Error> {
        match Request::parse(source, destination)? {
            Request::Clone(from, to) => self.clone_volume(&from, &to),
            Request::Out(name, path, Some(to)) => {
                let (root, here) = host()?;
                let to = Typed::new(&here, &to);
                let target = output(&root, &to)?;
                let reach = self.reach_volume(&name)?;
                let copied = copy_from(&reach, (&name, &path), (&root, &to, &target), how);
                copied.map_err(in_volume)
            }
            Request::Out(name, path, None) => {
                let reach = self.reach_volume(&name)?;
                stream_from(&reach, (&name, &path), how).map_err(in_volume)
            }
            Request::In(from, name, path) => {
                self.copy_into_volume((&name, &path), from.as_deref(), (CP, how))
            }
            Request::Between(from, to) => self.copy_between(&from, &to, how),
        }
    }

    /// Copies something into a volume; durable when it returns.
    fn copy_into_volume(
        &self,
        (name, path): (&str, &OsStr),
        from: Option<&OsStr>,
        (what, how): (&str, Copying),
    ) -> Result<CopyReport, Error> {
        let volume = self.open_to_write(name, what)?;
        let data = volume.data.try_clone();
        let reach = Reach::Volume(Box::new(volume));
        let copied = copy_into(|| Ok(reach), from, (name, path), how);
        let report = copied.map_err(in_volume)?;
        let synced = data.and_then(sync::file_system);
        synced.map_err(|source| super::containers::failed("sync volume", source))?;
        Ok(report)
    }

    fn reach_volume(&self, name: &str) -> Result<Reach, Error> {
        Ok(Reach::Volume(Box::new(self.volumes()?.open_volume(name)?)))
    }

    fn copy_between(
        &self,
        (from, path): &(String, OsString),
        (to, at): &(String, OsString),
        how: Copying,
    ) -> Result<CopyReport, Error> {
        let volume = self.open_to_write(to, CP)?;
        let reach = self.reach_volume(from)?;
        let root = volume.data.try_clone();
        let root = root.map_err(|source| super::containers::failed("open volume", source))?;
        let root = RootDir::new(root);
        let typed = inside(at);
        let target = copy_find::target(&root, &typed)
            .map_err(|miss| CopyError::host("stat", &miss.path, &miss.source))?;
        // Owners mean the same on both sides.
        let how = Copying {
            archive: true,
            ..how
        };
        let copied = copy_from(&reach, (from, path), (&root, &typed, &target), how);
        let report = copied.map_err(in_volume)?;
        volume.sync()?;
        let destination = report.destination.map(|path| format!("{to}:{path}"));
        Ok(CopyReport {
            destination,
            ..report
        })
    }

    /// Copies a whole volume with its labels; data is shared until written to where the file
    /// system can (FICLONE).
    fn clone_volume(&self, from: &str, to: &str) -> Result<CopyReport, Error> {
        let name: VolumeName = to.parse()?;
        let volumes = self.volumes()?;
        if volumes.exists(&name)? {
            return Err(volume::Error::Exists {
                making: Making::Copy,
                name,
            }
            .into());
        }
        let source = volumes.open_volume(from)?;
        let record = &source.record;
        let mut labels = record.labels.clone().unwrap_or_default();
        // It has a name now.
        labels.remove(volume::ANONYMOUS_LABEL);
        // Without driver options: they would mount the same file system over the copy.
        let draft = volumes.draft(NewVolume {
            name: Some(name.clone()),
            labels,
            sharing: Some(record.sharing),
            owner: record.owner,
            description: record.description.clone(),
            ..NewVolume::default()
        })?;
        process::raise_file_limit();
        let copied = process::with_umask(0, || copy_tree(&source.data, &draft.data));
        let what = format!("copy volume {from}");
        let report = copied.map_err(|error| super::containers::failed(&what, error))?;
        draft.sync()?;
        self.publish(&volumes, draft, Making::Copy)?;
        Ok(CopyReport {
            tar_bytes: report.bytes,
            destination: Some(to.to_owned()),
            remarks: record
                .options
                .iter()
                .map(|_| format!("volume {to} is a directory of the store: the driver options of {from} are left out"))
                .collect(),
        })
    }

    /// What is in a directory of the host, into a volume that is made where it is missing.
    pub(super) fn import_directory(&self, source: &OsStr, name: &VolumeName) -> Result<u64, Error> {
        let wanted = NewVolume {
            name: Some(name.clone()),
            ..NewVolume::default()
        };
        self.create_volume(wanted, Mismatch::Accept)?;
        let mut content = source.to_owned();
        content.push(OsStr::from_bytes(b"/."));
        let place = (name.as_str(), OsStr::new("/"));
        let how = (IMPORT, Copying::default());
        Ok(self.copy_into_volume(place, Some(&content), how)?.tar_bytes)
    }
}

/// The same in the words of a volume.
fn in_volume(error: Error) -> Error {
    let Error::Copy(error) = error else {
        return error;
    };
    if let CopyError::NotInContainer { path, container } = error {
        let volume = container;
        return CopyError::NotInVolume { path, volume }.into();
    }
    if error == CopyError::ReadOnlyRoot {
        return CopyError::ReadOnlyMount.into();
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str, destination: &str) -> String {
        let parsed = Request::parse(OsStr::new(source), OsStr::new(destination));
        match parsed {
            Ok(Request::Clone(from, to)) => format!("clone {from} {to}"),
            Ok(Request::Out(name, path, to)) => {
                format!("out {name} {} {to:?}", path.display())
            }
            Ok(Request::In(from, name, path)) => {
                format!("in {from:?} {name} {}", path.display())
            }
            Ok(Request::Between((from, path), (to, at))) => {
                format!("{from} {} to {to} {}", path.display(), at.display())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn colons_tell_volumes_from_paths() {
        assert_eq!(parse("a:/x", "b:y"), "a /x to b y");
        assert_eq!(parse("a:/x", "b"), "out a /x Some(\"b\")");
        assert_eq!(parse("a:", "-"), "out a  None");
        assert_eq!(parse("b", "a:/x"), "in Some(\"b\") a /x");
        assert_eq!(parse("-", "a:/x"), "in None a /x");
        assert_eq!(parse("./a:b", "c:/"), "in Some(\"./a:b\") c /");
        assert_eq!(parse("old", "new"), "clone old new");
        for (source, destination) in [("./old", "new"), ("-", "new"), ("old", "/new")] {
            assert_eq!(parse(source, destination), "one side must be VOLUME:PATH");
        }
    }
}
