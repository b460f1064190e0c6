//! What this machine can mount: file systems of its kernel, helpers, devices.
//!
//! Looking may hang (a device on a dead server), so callers do it in a child with a deadline.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    address,
    options::{MountSpec, Secret},
};
use crate::sys::{At as _, Result as SysResult, SysError, fs_context::FsContext};

/// Something that this machine lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) what: String,
    pub(super) remedy: Option<String>,
}

/// How a file system gets mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A directory of the host, at another place.
    Bind,
    /// By the kernel alone.
    Kernel,
    /// By a program: where it is, and its first arguments, its name included.
    Helper { path: PathBuf, args: Vec<String> },
}

/// Helpers by what they are for, and the packages of Debian that have them.
const PACKAGES: [(&str, &str); 18] = [
    ("sshfs", "sshfs"),
    ("rclone", "rclone"),
    ("glusterfs", "glusterfs-client"),
    ("s3fs", "s3fs"),
    ("ceph", "ceph-fuse"),
    ("davfs", "davfs2"),
    ("curlftpfs", "curlftpfs"),
    ("ntfs-3g", "ntfs-3g"),
    ("bindfs", "bindfs"),
    ("gocryptfs", "gocryptfs"),
    ("encfs", "encfs"),
    ("mergerfs", "mergerfs"),
    ("fuse-overlayfs", "fuse-overlayfs"),
    ("squashfuse", "squashfuse"),
    ("archivemount", "archivemount"),
    ("unionfs", "unionfs-fuse"),
    ("borgfs", "borgbackup-fuse"),
    ("exfat", "exfat-fuse"),
];

/// Where programs of the system are, whatever the caller's PATH.
const DIRS: [&str; 6] = [
    "/sbin",
    "/usr/sbin",
    "/usr/local/sbin",
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
];

/// A first line that is longer is no password.
const SECRET_MAX: u64 = 4096;

/// Finds out how to mount it; looks at nothing but the kernel and at programs.
pub(super) fn way(spec: &MountSpec) -> Result<Way, Problem> {
    if spec.bind.is_some() {
        return Ok(Way::Bind);
    }
    let kind = &*spec.kind;
    let fuse = kind.strip_prefix("fuse.");
    if fuse.is_none() && kind != "fuse" && kernel_has(kind) {
        return Ok(Way::Kernel);
    }
    let name = fuse.unwrap_or(kind);
    let Some(found) = helper(kind, name) else {
        return Err(missing(kind, fuse));
    };
    if fuse.is_some() && !kernel_has("fuse") {
        return Err(Problem {
            what: "this kernel has no file system \"fuse\"".to_owned(),
            remedy: Some("modprobe fuse".to_owned()),
        });
    }
    if spec.secret.is_some() && !takes_secret(name) {
        let what = format!("the helper of {kind} takes a password only where everybody can see it");
        let remedy = format!("see mount.{name}(8) for a file that it reads by itself");
        return Err(Problem {
            what,
            remedy: Some(remedy),
        });
    }
    Ok(found)
}

/// Whether its helper reads a password from its standard input.
pub(super) fn takes_secret(name: &str) -> bool {
    name == "sshfs"
}

/// Asking loads the module, if there is one (fsopen(2)).
fn kernel_has(kind: &str) -> bool {
    FsContext::without_source(kind).is_ok()
}

/// As mount(8) looks for them, and rclone, which is its own helper when it is called so.
fn helper(kind: &str, name: &str) -> Option<Way> {
    for own in [format!("mount.{kind}"), format!("mount.{name}")] {
        if let Some(path) = program(&own) {
            let args = vec![own];
            return Some(Way::Helper { path, args });
        }
    }
    let path = program(name).filter(|_| kind.starts_with("fuse."))?;
    if name == "rclone" {
        let args = vec!["mount.rclone".to_owned()];
        return Some(Way::Helper { path, args });
    }
    let any = ["mount.fuse3", "mount.fuse"];
    let path = any.iter().find_map(|any| program(any))?;
    let args = ["mount.fuse", "-t", kind].map(str::to_owned).to_vec();
    Some(Way::Helper { path, args })
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = DIRS.iter().map(PathBuf::from);
    let mut places = dirs.chain(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    places.find_map(|dir| Some(dir.join(name)).filter(|path| path.is_file()))
}

fn missing(kind: &str, fuse: Option<&str>) -> Problem {
    let package = PACKAGES
        .iter()
        .find(|(name, _)| *name == fuse.unwrap_or(kind));
    if fuse.is_some() || package.is_some() {
        let name = fuse.unwrap_or(kind);
        return Problem {
            what: format!("there is no program mount.{kind}, which mounts {kind}"),
            remedy: Some(match package {
                Some((_, package)) => format!("apt-get install {package}"),
                None => format!("install the program {name}, or mount.{kind}"),
            }),
        };
    }
    let remedy = match kind {
        "nfs" | "nfs4" => {
            "modprobe nfs; Debian has it in: apt-get install linux-image-amd64".into()
        }
        "cifs" | "smb3" => {
            "modprobe cifs; Debian has it in: apt-get install linux-image-amd64".into()
        }
        _ => format!("modprobe {kind}; cat /proc/filesystems lists what this kernel has"),
    };
    Problem {
        what: format!("this kernel has no file system {kind:?}: no such device"),
        remedy: Some(remedy),
    }
}

/// Whether it could be mounted now, as far as that can be known before.
pub(super) fn check(spec: &MountSpec) -> Result<(), Problem> {
    let way = way(spec)?;
    if let Some(Secret::File(path)) = &spec.secret {
        read_secret(path).map_err(|error| Problem {
            what: format!("read password: {error}"),
            remedy: Some("its first line is the password".to_owned()),
        })?;
    }
    match way {
        Way::Bind => check_directory(&spec.device),
        Way::Kernel => {
            check_options(spec)?;
            if is_on_device(&spec.kind) {
                check_device(&spec.device)?;
            }
            address::check(spec)
        }
        Way::Helper { .. } => Ok(()),
    }
}

/// The kernel reads options before it mounts anything. What is not known yet is left out.
fn check_options(spec: &MountSpec) -> Result<(), Problem> {
    let read = || -> SysResult<()> {
        let context = FsContext::without_source(&spec.kind)?;
        for (key, value) in spec.data.iter().filter(|(key, _)| key != "addr") {
            match value {
                Some(value) => context.set(key, value)?,
                None => context.set_flag(key)?,
            }
        }
        Ok(())
    };
    read().map_err(|error| Problem {
        what: format!("{} does not take these options: {error}", spec.kind),
        remedy: None,
    })
}

/// proc_filesystems(5): those without a device say so.
pub(super) fn is_on_device(kind: &str) -> bool {
    let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    list.lines()
        .any(|line| line.strip_prefix('\t') == Some(kind))
}

fn check_directory(path: &str) -> Result<(), Problem> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Problem {
            what: format!("{path} is no directory"),
            remedy: None,
        }),
        Err(error) => Err(Problem {
            what: format!("bind source path does not exist: {path}: {error}"),
            remedy: Some(format!("mkdir -p {}", crate::mount::quote(path))),
        }),
    }
}

fn check_device(path: &str) -> Result<(), Problem> {
    let what = match std::fs::metadata(path) {
        _ if !path.starts_with('/') => format!("device {path}: an absolute path is needed"),
        Ok(found) if found.is_file() || found.file_type().is_block_device() => return Ok(()),
        Ok(_) => format!("device {path} is neither a block device nor a file"),
        Err(error) => format!("device {path}: {error}"),
    };
    let remedy = "lsblk -f lists devices; an image of a file system is as good".to_owned();
    Err(Problem {
        what,
        remedy: Some(remedy),
    })
}

/// The first line of a password file.
pub(super) fn read_secret(path: &Path) -> SysResult<String> {
    let shown = || path.display().to_string();
    let file = File::open(path).at("open", shown)?;
    if !file.metadata().at("fstat", shown)?.is_file() {
        return Err(SysError::new("open", shown(), nix::errno::Errno::EINVAL));
    }
    let mut line = String::new();
    BufReader::new(file.take(SECRET_MAX))
        .read_line(&mut line)
        .at("read", shown)?;
    let secret = line.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        let detail = format!("{}: the first line is empty", path.display());
        return Err(SysError::new("read", detail, nix::errno::Errno::ENODATA));
    }
    Ok(secret.to_owned())
}
