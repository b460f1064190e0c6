//! Capability sets (capabilities(7)); the only user of `caps`.

use std::collections::HashSet;

use caps::{CapSet, Capability, errors::CapsError};
use nix::errno::Errno;

use super::{Result, SysError};

/// Docker's default set for a container.
const DEFAULT: [Capability; 14] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FSETID,
    Capability::CAP_FOWNER,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETPCAP,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_KILL,
    Capability::CAP_AUDIT_WRITE,
];

/// What a container's process may still do, as names for people: `CAP_CHOWN`, sorted.
pub fn default_names() -> Vec<String> {
    let mut names: Vec<_> = DEFAULT.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

fn failed(set: &str, error: &CapsError) -> SysError {
    SysError::new("capset", format!("{set}: {error}"), Errno::EPERM)
}

/// Keeps Docker's defaults in the bounding set and drops all others; a capability that we do not
/// have ourselves cannot be given.
pub fn bound_to_default() -> Result<()> {
    for capability in caps::all().into_iter().filter(|one| !DEFAULT.contains(one)) {
        match caps::drop(None, CapSet::Bounding, capability) {
            // EINVAL: newer than this kernel.
            Err(error) if caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) => {
                return Err(failed("bounding", &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Nothing is passed on through execve(2), to whatever user (CVE-2022-24769). Ambient capabilities
/// go with it (capabilities(7)).
pub fn clear_inheritable() -> Result<()> {
    caps::clear(None, CapSet::Inheritable).map_err(|error| failed("inheritable", &error))
}

/// For a process that stays root: effective and permitted become the defaults as far as we have
/// them.
pub fn limit_to_default() -> Result<()> {
    let have = caps::read(None, CapSet::Permitted).map_err(|error| failed("permitted", &error))?;
    let allowed: HashSet<_> = DEFAULT
        .into_iter()
        .filter(|one| have.contains(one))
        .collect();
    caps::set(None, CapSet::Effective, &allowed).map_err(|error| failed("effective", &error))?;
    caps::set(None, CapSet::Permitted, &allowed).map_err(|error| failed("permitted", &error))
}
