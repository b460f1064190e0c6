//! Mounts one file system on a volume's data. Runs in a child: any of these calls may hang.

use std::{fs::File, os::fd::BorrowedFd, path::Path};

use nix::errno::Errno;

use super::{
    address,
    environment::{self, Way},
    options::{MountSpec, Secret},
};
use crate::sys::{
    At as _, Result as SysResult, SysError,
    deadline::Program,
    fs_context::FsContext,
    loop_device::{self, LoopDevice},
    mount::{self, Attributes, Depth, PropagationType},
    open_handle,
};

/// Mounts a bind or a file system of the kernel on an open, empty directory.
pub(super) fn mount(spec: &MountSpec, on: BorrowedFd<'_>, shown: &Path) -> SysResult<()> {
    let made = match spec.bind {
        Some(depth) => bind(spec, depth)?,
        None => return mount_new(spec, on, shown),
    };
    mount::attach(made, on, shown)
}

/// Whatever the source is shared with: what happens to this copy stays here, or unmounting it would
/// unmount what is below its source.
fn bind(spec: &MountSpec, depth: Depth) -> SysResult<std::os::fd::OwnedFd> {
    let source = open_handle(Path::new(&spec.device))?;
    let copy = mount::clone_tree(source, depth)?;
    let (kind, _) = spec
        .propagation
        .unwrap_or((PropagationType::Private, depth));
    mount::change_propagation(&copy, Depth::Recursive, kind)?;
    if spec.attributes != Attributes::NONE {
        mount::change_attributes(&copy, depth, spec.attributes, Attributes::NONE)?;
    }
    Ok(copy)
}

fn mount_new(spec: &MountSpec, on: BorrowedFd<'_>, shown: &Path) -> SysResult<()> {
    let context = FsContext::without_source(&spec.kind)?;
    // Kept until it is mounted: then the mount keeps it.
    let device = loop_of(spec)?;
    match &device {
        Some(device) => context.set_path("source", &device.path)?,
        None => context.set("source", &spec.device)?,
    }
    for switch in &spec.switches {
        context.set_flag(switch)?;
    }
    for (key, value) in address::resolved(spec)? {
        match value {
            Some(value) => context.set(&key, &value)?,
            None => context.set_flag(&key)?,
        }
    }
    if let Some(secret) = &spec.secret {
        let (key, value) = secret_of(secret, &spec.kind)?;
        context.set_secret(&key, &value)?;
    }
    let made = context.mount(spec.attributes)?;
    if let Some((kind, depth)) = spec.propagation {
        mount::change_propagation(&made, depth, kind)?;
    }
    mount::attach(made, on, shown)
}

/// A regular file becomes a block device.
fn loop_of(spec: &MountSpec) -> SysResult<Option<LoopDevice>> {
    let path = &spec.device;
    if !environment::is_on_device(&spec.kind) {
        return Ok(None);
    }
    let looked = std::fs::metadata(path).at("stat", || path.clone())?;
    if !looked.is_file() {
        return Ok(None);
    }
    let read_only = spec.is_read_only();
    let file = File::options().read(true).write(!read_only).open(path);
    let file = file.at("open", || path.clone())?;
    loop_device::attach(&file, path, read_only).map(Some)
}

fn secret_of(secret: &Secret, kind: &str) -> SysResult<(String, String)> {
    match secret {
        Secret::Text { key, value } => Ok((key.clone(), value.clone())),
        Secret::File(path) => {
            let key = if kind == "ceph" { "secret" } else { "password" };
            Ok((key.to_owned(), environment::read_secret(path)?))
        }
    }
}

/// The helper's command line, as mount(8) would make it. A password goes through its input.
pub(super) fn program(spec: &MountSpec, way: &Way, on: &Path) -> SysResult<Program> {
    let Way::Helper { path, args } = way else {
        return Err(SysError::new("execve", "no helper", Errno::ENOENT));
    };
    let mut words = spec.words();
    let mut input = Vec::new();
    if let Some(secret) = &spec.secret {
        let name = spec.kind.strip_prefix("fuse.").unwrap_or(&spec.kind);
        if !environment::takes_secret(name) {
            let detail = format!("{}: a password in its arguments", path.display());
            return Err(SysError::new("execve", detail, Errno::EPERM));
        }
        words.push("password_stdin".to_owned());
        let (_, value) = secret_of(secret, &spec.kind)?;
        input = format!("{value}\n").into_bytes();
    }
    let name = args.first().cloned().unwrap_or_default();
    let mut all = vec![
        name.into(),
        spec.device.clone().into(),
        on.as_os_str().to_owned(),
    ];
    all.extend(args.iter().skip(1).map(Into::into));
    if !words.is_empty() {
        all.extend(["-o".into(), words.join(",").into()]);
    }
    Ok(Program {
        path: path.clone(),
        args: all,
        input,
    })
}
