//! What a killed command may leave, and how it is looked for.

use std::{fs, path::Path};

use crate::support::{Shed, mounts_below, processes_of, tree, wait_until};

/// The seed of a whole run; `None` in the short one.
pub(crate) fn torture() -> Option<u64> {
    let seed = std::env::var("COWSHED_TORTURE").ok()?;
    Some(seed.parse().unwrap())
}

/// Control groups of this container, in every hierarchy.
pub(crate) fn groups_of(id: &str) -> Vec<String> {
    let all = fs::read_dir("/sys/fs/cgroup").unwrap();
    let mut places: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    places.push("/sys/fs/cgroup".into());
    let own = places.iter().map(|place| place.join("cowshed").join(id));
    own.filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect()
}

/// Ids of containers wherever the store has them at this moment.
pub(crate) fn ids_in(shed: &Shed) -> Vec<String> {
    let mut ids = Vec::new();
    for place in ["containers", "tmp", "trash"] {
        let Ok(entries) = fs::read_dir(shed.store().join(place)) else {
            continue;
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        ids.extend(
            names
                .filter(|name| name.len() >= 64)
                .map(|name| name[..64].to_owned()),
        );
    }
    ids
}

/// What `ps` and `inspect` say is so.
#[track_caller]
pub(crate) fn assert_truthful(shed: &Shed, what: &str) {
    let ids = shed.cowshed("ps -aq --no-trunc").ok();
    for id in ids.lines() {
        let done = shed.cowshed(&format!("inspect {id}"));
        if done.code != 0 {
            // It went meanwhile, with `--rm`.
            let still = shed.cowshed("ps -aq --no-trunc").ok();
            assert!(!still.contains(id), "{what}: {done:?}");
            continue;
        }
        let list: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let state = &list[0]["State"];
        let (running, pid) = (&state["Running"], state["Pid"].as_i64().unwrap());
        if running == false {
            assert_eq!(pid, 0, "{what}: {state}");
        } else if pid != 0 && !Path::new(&format!("/proc/{pid}")).exists() {
            // It may have ended between the two looks.
            let now = &shed.inspect(id)["State"];
            assert!(
                now["Pid"] != pid || now["Running"] == false,
                "{what}: {now}"
            );
        }
    }
}

/// How many sockets a process holds: a client that is attached is one.
pub(crate) fn sockets_of(pid: i32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = all.filter_map(|one| fs::read_link(one.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Whether a process takes this signal when it likes, and not at once.
pub(crate) fn holds_signal(pid: u32, signal: nix::sys::signal::Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}

/// Removes every container by force; then nothing of any may be anywhere.
#[track_caller]
pub(crate) fn assert_removable(shed: &Shed, what: &str) {
    let mut ids = ids_in(shed);
    for id in shed.cowshed("ps -aq --no-trunc").ok().lines() {
        let done = shed.cowshed(&format!("rm -f -v {id}"));
        assert_eq!(done.code, 0, "{what}: {done:?}");
        ids.push(id.to_owned());
    }
    assert_eq!(shed.cowshed("ps -aq").ok(), "", "{what}");
    wait_until(&format!("no process is left after {what}"), || {
        processes_of(&shed.store(), "any").is_empty()
    });
    // The next commands tidy up.
    shed.cowshed("ps -a").ok();
    for id in ids {
        assert_eq!(groups_of(&id), Vec::<String>::new(), "{what}");
    }
    // A name may stay reserved for nobody until somebody wants it.
    let containers = tree(&shed.store().join("containers"));
    let left = containers
        .lines()
        .filter(|line| !line.starts_with("l by-name/"));
    assert_eq!(left.collect::<Vec<_>>(), ["d by-name"], "{what}");
    assert_eq!(mounts_below(&shed.store()), Vec::<String>::new(), "{what}");
    shed.cowshed("create --name box base true").ok();
    shed.cowshed("rm box").ok();
}

/// The parent of a process.
pub(crate) fn parent_of(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.unwrap().trim().parse().unwrap()
}

/// `kill -9`
pub(crate) fn kill(pid: i32) {
    let signal = nix::sys::signal::Signal::SIGKILL;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Numbers for whoever runs the tests; not kept back by the capture of a passing test.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{text}").ok();
}
