//! Control groups: limits, freezing, usage and clean-up of a container's processes.
//!
//! ```text
//! Hierarchies::detect(), detect_for(limits)      what this machine has: version 1, 2 or both
//! Limits ──settings()──> Setting …               which value goes into which file, in order
//! Group::create(hierarchies, id, limits)         /cowshed/<id> in as few hierarchies as will do
//!   join · freeze · thaw · kill_all · usage · update · remove
//! ```
//!
//! A container without limits is in one hierarchy only: making a group and joining it is a good part
//! of what a start costs.
//!
//! Not here: which container is running (`container`), limits of a single process (`process`).

mod device;
mod flag;
mod freeze;
mod group;
mod hierarchies;
mod kill;
mod limits;
mod machine;
mod place;
mod process_usage;
mod processes;
mod removal;
mod setting;
mod usage;

pub use device::{Device, DeviceRate};
pub use flag::{
    parse_count, parse_cpus, parse_integer, parse_memory, parse_memory_swap, parse_swappiness,
    parse_weight,
};
pub use group::Group;
pub use hierarchies::{Hierarchies, Hierarchy, Mounted};
pub use limits::Limits;
pub use machine::Machine;
pub use removal::{children, remove_empty_parents};
pub use setting::{Setting, settings};
pub use usage::Usage;

use nix::errno::Errno;

use crate::{
    error::{ErrorKind, Failure},
    sys::SysError,
};

/// What went wrong with a group or a limit; where Docker has a text, it is Docker's.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// Not a number of bytes.
    #[error("invalid size: '{text}'")]
    Size { text: String },
    /// Not a number of CPUs.
    #[error("failed to parse {text} as a rational number")]
    Cpus { text: String },
    /// More digits than billionths of a CPU.
    #[error("value is too precise")]
    TooPrecise,
    /// Not a whole number, said as Go says it.
    #[error("strconv.{call}: parsing {text:?}: {why}")]
    Integer {
        text: String,
        call: &'static str,
        why: &'static str,
    },
    /// A device without a rate.
    #[error("bad format: {text}")]
    DeviceFormat { text: String },
    /// Neither a path below /dev nor a number.
    #[error("bad format for device path: {text}")]
    DevicePath { text: String },
    /// A device with something that is no rate.
    #[error(
        "invalid rate for device: {text}. The correct format is <device-path>:{format}. Number must \
         be a positive integer{}",
        unit(format)
    )]
    Rate { text: String, format: &'static str },
    /// Limits that contradict each other or the machine.
    #[error("{text}")]
    Rule { text: String },
    /// The device cannot be looked up.
    #[error("look up device {path}")]
    Device { path: String, source: SysError },
    /// The path names something else.
    #[error("{path} is not a block device")]
    NotBlockDevice { path: String },
    /// This machine has no way to set the limit.
    #[error("{flag} cannot be set on this machine: {missing}")]
    Unsupported { flag: &'static str, missing: String },
    /// The kernel refused the value.
    #[error("set {flag}: {value:?} in {file}")]
    Refused {
        flag: &'static str,
        file: &'static str,
        value: String,
        source: SysError,
    },
    /// Not a name that a group can have.
    #[error("invalid name of a control group: {id:?}")]
    Id { id: String },
    /// The group is there already.
    #[error("control group {id} exists already")]
    Exists { id: String },
    /// The group is in no hierarchy.
    #[error("no control group {id}")]
    NotFound { id: String },
    /// Processes are still in it.
    #[error("remove control group {id}: it is in use by processes {processes:?}")]
    InUse { id: String, processes: Vec<i32> },
    /// The kernel did not get there in time.
    #[error("{what} control group {id}: not done after {seconds} seconds")]
    Late {
        what: &'static str,
        id: String,
        seconds: u64,
    },
    /// Another system call failed.
    #[error("{what}")]
    System { what: String, source: SysError },
}

fn unit(format: &str) -> &'static str {
    if format.contains("unit") {
        ". Unit is optional and can be kb, mb, or gb"
    } else {
        ""
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Size { .. }
            | Error::Cpus { .. }
            | Error::TooPrecise
            | Error::Integer { .. }
            | Error::DeviceFormat { .. }
            | Error::DevicePath { .. }
            | Error::Rate { .. }
            | Error::Rule { .. }
            | Error::NotBlockDevice { .. }
            | Error::Id { .. } => ErrorKind::Invalid,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::Exists { .. } => ErrorKind::AlreadyExists,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::InUse { .. } => ErrorKind::InUse,
            Error::Late { .. } => ErrorKind::System,
            Error::Device { source, .. }
            | Error::Refused { source, .. }
            | Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Size { .. } => "a number and b, k, m or g, such as 512m",
            Error::Cpus { .. } | Error::TooPrecise => "a number such as 1.5",
            Error::Device { .. } | Error::NotBlockDevice { .. } => "lsblk shows the disks",
            Error::Unsupported { .. } => {
                "start it without the flag, or enable the controller: see /proc/cgroups and \
                 cgroup.controllers"
            }
            Error::Exists { .. } => "it was left by a container that was killed: remove the group",
            Error::Late { .. } => "a process waits for a disk or a network: ps -eo pid,stat,wchan",
            Error::Refused { source, .. } if source.errno() == Some(Errno::ENODEV) => {
                "limits are for whole disks, not for partitions"
            }
            Error::Refused { source, .. } if source.errno() == Some(Errno::EBUSY) => {
                "the container uses more than that at this moment"
            }
            Error::System { source, .. } if source.errno() == Some(Errno::EBUSY) => {
                "processes in the group above keep the controller from being passed on: move them \
                 into a group of their own"
            }
            Error::Refused { source, .. } | Error::System { source, .. } => return source.hint(),
            Error::Integer { .. }
            | Error::DeviceFormat { .. }
            | Error::DevicePath { .. }
            | Error::Rate { .. }
            | Error::Rule { .. }
            | Error::Id { .. }
            | Error::NotFound { .. }
            | Error::InUse { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
