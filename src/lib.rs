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
//! | `mount` | mounts as values: parse, plan, explain, apply | `ident` `sys` |
//! | `cgroup` | control groups of version 1 and 2: limits, freezing, usage, clean-up | `ident` `sys` |
//! | `store` | the on-disk home: layout, format version, locks, records, blobs | `ident` `sys` |
//! | `layer` | one tar stream to one directory in overlay form, and a directory to a tar | `ident` `sys` |
//! | `image` | from a reference to a verified config and layers: load, import, tag | `ident` `sys` `store` `layer` |
//! | `registry` | images over HTTP: manifests, blobs, tokens, passwords, mirrors | `ident` `sys` `image` |
//! | `rootfs` | the storage driver: stack layers, hand out the union mount, diff, usage | `ident` `sys` `mount` `store` `layer` `image` |
//! | `volume` | named data that outlives containers: the local driver, populate, use, backup | `ident` `sys` `mount` `store` `layer` |
//! | `process` | from a spec to a running, waited-for process in namespaces | `ident` `sys` `mount` `cgroup` |
//! | `log` | a container's output on disk: written, rotated, read, followed | `ident` `sys` |
//! | `event` | the store's journal of what was done | `ident` `sys` `store` |
//! | `control` | the conversation with a running container: its socket, its clients, the supervisor's loop | `sys` `process` `log` |
//! | `dockerfile` | a Dockerfile and a `.dockerignore` as values; nothing acts | – |
//! | `container` | the whole story, in order, with supervision, undo and recovery | `ident` `sys` `mount` `cgroup` `store` `layer` `image` `registry` `rootfs` `volume` `process` `log` `event` `control` |
//! | `check` | the store's invariants: proved, and restored | `ident` `sys` `cgroup` `store` `layer` `image` `rootfs` `volume` `event` `container` |
//! | `build` | a Dockerfile becomes an image, step by step, with a cache | `ident` `sys` `store` `layer` `image` `rootfs` `process` `control` `dockerfile` `container` |

pub mod build;
pub mod cgroup;
pub mod check;
pub mod container;
pub mod control;
pub mod dockerfile;
pub mod error;
pub mod event;
pub mod ident;
pub mod image;
pub mod layer;
pub mod log;
pub mod mount;
pub mod process;
pub mod registry;
pub mod rootfs;
pub mod store;
pub mod sys;
pub mod volume;
