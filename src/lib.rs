//! `cowshed`: a container storage runtime you can see through.
//!
//! # The story in five arrows
//!
//! ```text
//! image    = images.resolve(reference)                 a config and a list of layers
//! snapshot = rootfs.prepare(image, container)          layers become lower dirs, plus one upper
//! attached = volumes.attach(requests, container)       volumes, binds and tmpfs become mounts
//! plan     = MountPlan::new(snapshot, attached)        a pure value: ordered, checked, printable
//! process::spawn(plan, spec)                           apply it in new namespaces, pivot, exec
//! ```
//!
//! Each arrow passes a value that can be printed; only the last one acts.
//!
//! # Rooms
//!
//! A room may use only the rooms named for it; `tests/architecture.rs` reads this table.
//!
//! | room | job | may use |
//! |---|---|---|
//! | `ident` | newtypes that name things: digests, references, container and volume names | – |
//! | `sys` | the only room that talks to the kernel; the only `unsafe`; untrusted paths | – |
//! | `mount` | mounts as values: parse, plan, explain, apply | `sys` |
//! | `cgroup` | control groups of version 1 and 2: limits, freezing, usage, clean-up | `sys` |
//! | `store` | the on-disk home: layout, format version, locks, records, blobs | `ident` `sys` |
//! | `layer` | one tar stream to one directory in overlay form, and a directory to a tar | `ident` `sys` |
//! | `image` | from a reference to a verified config and layers: load, import, tag | `ident` `sys` `store` `layer` |
//! | `rootfs` | the storage driver: stack layers, hand out the union mount, diff, usage | `ident` `sys` `mount` `store` `layer` `image` |
//! | `volume` | named data that outlives containers: the local driver, populate, use | `ident` `sys` `mount` `store` |
//! | `process` | from a spec to a running, waited-for process in namespaces | `ident` `sys` `mount` |
//! | `container` | the whole story, in order, with supervision, undo and recovery | `ident` `sys` `mount` `cgroup` `store` `layer` `image` `rootfs` `volume` `process` |

pub mod cgroup;
pub mod container;
pub mod error;
pub mod ident;
pub mod image;
pub mod layer;
pub mod mount;
pub mod process;
pub mod rootfs;
pub mod store;
pub mod sys;
pub mod volume;
