//! Capability sets (capabilities(7)); the only user of `caps`.

use std::collections::HashSet;

use caps::{CapSet, Capability, errors::CapsError};
use nix::errno::Errno;

use super::{Result, SysError};

/// Some of the kernel's capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Not one.
    pub const NONE: Self = Self(0);

    /// Every one, known or not.
    pub const ALL: Self = Self(u64::MAX);

    /// Docker's default set for a container.
    pub const DEFAULT: Self = Self(
        bit(Capability::CAP_CHOWN)
            | bit(Capability::CAP_DAC_OVERRIDE)
            | bit(Capability::CAP_FSETID)
            | bit(Capability::CAP_FOWNER)
            | bit(Capability::CAP_MKNOD)
            | bit(Capability::CAP_NET_RAW)
            | bit(Capability::CAP_SETGID)
            | bit(Capability::CAP_SETUID)
            | bit(Capability::CAP_SETFCAP)
            | bit(Capability::CAP_SETPCAP)
            | bit(Capability::CAP_NET_BIND_SERVICE)
            | bit(Capability::CAP_SYS_CHROOT)
            | bit(Capability::CAP_KILL)
            | bit(Capability::CAP_AUDIT_WRITE),
    );

    /// The one of this name: `CAP_CHOWN`.
    pub fn named(name: &str) -> Option<Self> {
        let capability: Capability = name.parse().ok()?;
        Some(Self(bit(capability)))
    }

    /// These and those.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but for those.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Names for people, sorted: `CAP_CHOWN`.
    pub fn names(self) -> Vec<String> {
        let own = caps::all().into_iter().filter(|one| self.has(*one));
        let mut names: Vec<_> = own.map(|one| one.to_string()).collect();
        names.sort();
        names
    }

    fn has(self, one: Capability) -> bool {
        self.0 & bit(one) != 0
    }
}

const fn bit(capability: Capability) -> u64 {
    1 << capability as u8
}

fn failed(set: &str, error: &CapsError) -> SysError {
    SysError::new("capset", format!("{set}: {error}"), Errno::EPERM)
}

/// Keeps these in the bounding set and drops all others; a capability that we do not have ourselves
/// cannot be given.
pub fn bound_to(kept: Capabilities) -> Result<()> {
    for capability in caps::all().into_iter().filter(|one| !kept.has(*one)) {
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

/// For a process that stays root: effective and permitted become these as far as we have them.
pub fn limit_to(kept: Capabilities) -> Result<()> {
    let have = caps::read(None, CapSet::Permitted).map_err(|error| failed("permitted", &error))?;
    let allowed: HashSet<_> = have.into_iter().filter(|one| kept.has(*one)).collect();
    caps::set(None, CapSet::Effective, &allowed).map_err(|error| failed("effective", &error))?;
    caps::set(None, CapSet::Permitted, &allowed).map_err(|error| failed("permitted", &error))
}
