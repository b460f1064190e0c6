//! What a user asked to have mounted, as values.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Error, IdMap, ImageRequest, OverlayRequest, Propagation, Sharing, TmpfsOptions};

/// Whether the container may write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// `rw`
    #[default]
    #[serde(rename = "rw")]
    ReadWrite,
    /// `ro`
    #[serde(rename = "ro")]
    ReadOnly,
}

/// One mount as asked for; nothing about the host has been looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRequest {
    /// The place in the container: absolute, lexically clean, never `/`.
    pub target: PathBuf,
    /// Whether the container may write there.
    pub access: Access,
    /// What is mounted.
    pub kind: RequestKind,
    /// `.Mounts[].Mode`: the third field of `-v` as typed, empty otherwise.
    pub mode: String,
    /// Came from `--tmpfs`, so it is absent from `.Mounts`.
    pub from_tmpfs_flag: bool,
    /// Came from `--mount`, so it is in `.HostConfig.Mounts` and not in `.HostConfig.Binds`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_mount_flag: bool,
    /// What was asked for and has no effect here, each as it was typed: `z`, `cached`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// A file or directory of the host.
    Bind(BindRequest),
    /// A volume, named or anonymous.
    Volume(VolumeRequest),
    /// A new file system in memory.
    Tmpfs(TmpfsOptions),
    /// Another image's tree, read-only.
    Image(ImageRequest),
    /// Copy-on-write over a host directory or a volume.
    Overlay(OverlayRequest),
}

/// A file or directory of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindRequest {
    /// The host path: absolute, lexically clean.
    pub source: PathBuf,
    /// How mounts made later travel between host and container.
    pub propagation: Propagation,
    /// What happens to mounts below the source.
    pub recursive: BindRecursive,
    /// What to do where the source does not exist.
    pub missing: MissingSource,
    /// Whose files appear as whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idmap: Option<IdMap>,
}

/// `bind-recursive`: what happens to mounts below a bind's source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindRecursive {
    /// They come along, and are read-only where the bind is.
    #[default]
    Enabled,
    /// They stay behind.
    Disabled,
    /// They come along and stay writable below a read-only bind.
    Writable,
    /// They come along and must become read-only, else the mount fails.
    ReadOnly,
}

/// What to do where a bind's source does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingSource {
    /// Make it and its parents as directories, at start: `-v`, `bind-create-src`.
    Create,
    /// Fail: `--mount`, `nocreate`.
    Refuse,
}

/// A volume, named or anonymous.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRequest {
    /// A valid volume name; `None` for an anonymous volume.
    pub name: Option<String>,
    /// Do not fill an empty volume from the image.
    pub no_copy: bool,
    /// The volume must exist.
    pub no_create: bool,
    /// A directory below the volume's root: relative, clean, never leading out.
    pub subpath: Option<PathBuf>,
    /// The driver to create it with; only `local` in this version.
    pub driver: Option<String>,
    /// Driver options to create it with, unchecked.
    pub options: BTreeMap<String, String>,
    /// Labels to create it with.
    pub labels: BTreeMap<String, String>,
    /// Who else may have it mounted; at least as strict as the volume's own.
    #[serde(default, skip_serializing_if = "Sharing::is_shared")]
    pub sharing: Sharing,
    /// Make the subpath's directories where they are missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_subpath: bool,
}

/// Refuses two mounts at one place.
///
/// A `--mount type=tmpfs` and a `--tmpfs` may share a target, as in Docker.
pub fn check_duplicates(requests: &[MountRequest]) -> Result<(), Error> {
    let mut seen: BTreeMap<&Path, Vec<&MountRequest>> = BTreeMap::new();
    for request in requests {
        let earlier = seen.entry(&request.target).or_default();
        if earlier.iter().any(|other| !may_share(request, other)) {
            return Err(Error::Duplicate {
                target: request.target.clone(),
            });
        }
        earlier.push(request);
    }
    Ok(())
}

fn may_share(a: &MountRequest, b: &MountRequest) -> bool {
    let tmpfs = |request: &MountRequest| matches!(request.kind, RequestKind::Tmpfs(_));
    tmpfs(a) && tmpfs(b) && a.from_tmpfs_flag != b.from_tmpfs_flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::{parse_mount_flag, parse_tmpfs_flag, parse_volume_flag};

    fn request(flag: &str, text: &str) -> MountRequest {
        match flag {
            "-v" => parse_volume_flag(text, Path::new("/work")),
            "--mount" => parse_mount_flag(text, Path::new("/work")),
            _ => parse_tmpfs_flag(text),
        }
        .unwrap()
    }

    #[test]
    fn rule_9_two_mounts_on_one_cleaned_target_are_refused() {
        let refused = [
            [("-v", "/a:/x"), ("-v", "vol:/x/")],
            [("-v", "/x"), ("--mount", "type=bind,src=/a,dst=//y/../x")],
            [("-v", "/a:/x"), ("--tmpfs", "/x")],
            [("--mount", "dst=/x"), ("--tmpfs", "/x:size=1m")],
            [("--tmpfs", "/x"), ("--tmpfs", "/x")],
            [
                ("--mount", "type=tmpfs,dst=/x"),
                ("--mount", "type=tmpfs,dst=/x"),
            ],
        ];
        for pair in refused {
            let requests = pair.map(|(flag, text)| request(flag, text));
            let error = check_duplicates(&requests).unwrap_err();
            assert_eq!(error.to_string(), "Duplicate mount point: /x", "{pair:?}");
        }
    }

    #[test]
    fn rule_9_a_tmpfs_mount_and_a_tmpfs_flag_may_share_a_target() {
        let mount = request("--mount", "type=tmpfs,dst=/x");
        let flag = request("--tmpfs", "/x");
        assert_eq!(check_duplicates(&[mount.clone(), flag.clone()]), Ok(()));
        assert_eq!(check_duplicates(&[flag.clone(), mount.clone()]), Ok(()));
        assert!(check_duplicates(&[flag.clone(), mount, flag]).is_err());
    }

    #[test]
    fn different_targets_are_no_duplicates() {
        let requests = ["/a:/x", "/a:/x/y", "/a:/한글", "/xx"].map(|text| request("-v", text));
        assert_eq!(check_duplicates(&requests), Ok(()));
    }

    #[test]
    fn requests_survive_json() {
        for (flag, text) in [
            ("-v", "/a b:/x:ro,rslave,z"),
            ("-v", "my-volume:/데이터:nocopy"),
            (
                "--mount",
                "src=vol,dst=/x,volume-label=a=b,volume-subpath=c/d",
            ),
            (
                "--tmpfs",
                "/t:size=50%,mode=0700,uid=1000,huge=advise,noswap,tmpcopyup",
            ),
            (
                "--mount",
                "type=image,src=a:1,dst=/x,image-subpath=b,ro=false",
            ),
            ("--mount", "type=overlay,src=/a,dst=/x,upper=vol"),
            (
                "--mount",
                "type=bind,src=/a,dst=/x,bind-idmap=match-user:app",
            ),
            ("-v", "vol:/x:O"),
        ] {
            let request = request(flag, text);
            let json = serde_json::to_string(&request).unwrap();
            let back: MountRequest = serde_json::from_str(&json).unwrap();
            assert_eq!(back, request, "{json}");
        }
    }

    #[test]
    fn json_speaks_the_words_of_the_command_line() {
        let json = serde_json::to_value(request("-v", "/a:/x:ro,rslave")).unwrap();
        let expected = serde_json::json!({
            "target": "/x",
            "access": "ro",
            "kind": { "bind": {
                "source": "/a", "propagation": "rslave", "recursive": "enabled", "missing": "create",
            }},
            "mode": "ro,rslave",
            "from_tmpfs_flag": false,
        });
        assert_eq!(json, expected);
    }
}
