//! Resource limits of this process (getrlimit(2)), by the names that shells and Docker use.

use nix::{
    errno::Errno,
    sys::resource::{self, Resource},
};

use super::{At as _, Result, SysError};

/// No limit (`RLIM_INFINITY`).
pub const UNLIMITED: u64 = resource::RLIM_INFINITY;

const RESOURCES: [(&str, Resource); 15] = [
    ("core", Resource::RLIMIT_CORE),
    ("cpu", Resource::RLIMIT_CPU),
    ("data", Resource::RLIMIT_DATA),
    ("fsize", Resource::RLIMIT_FSIZE),
    ("locks", Resource::RLIMIT_LOCKS),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE),
    ("nice", Resource::RLIMIT_NICE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("nproc", Resource::RLIMIT_NPROC),
    ("rss", Resource::RLIMIT_RSS),
    ("rtprio", Resource::RLIMIT_RTPRIO),
    ("rttime", Resource::RLIMIT_RTTIME),
    ("sigpending", Resource::RLIMIT_SIGPENDING),
    ("stack", Resource::RLIMIT_STACK),
];

/// The names that [`get`] and [`set`] know.
pub fn names() -> impl Iterator<Item = &'static str> {
    RESOURCES.iter().map(|(name, _)| *name)
}

/// The soft and the hard limit of this process.
pub fn get(name: &str) -> Result<(u64, u64)> {
    resource::getrlimit(resource_of(name)?).at("getrlimit", || name)
}

/// Sets both; raising the hard one takes CAP_SYS_RESOURCE.
pub fn set(name: &str, soft: u64, hard: u64) -> Result<()> {
    resource::setrlimit(resource_of(name)?, soft, hard)
        .at("setrlimit", || format!("{name}, {soft}:{hard}"))
}

fn resource_of(name: &str) -> Result<Resource> {
    let found = RESOURCES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, resource)| *resource)
        .ok_or_else(|| SysError::new("setrlimit", name, Errno::EINVAL))
}
