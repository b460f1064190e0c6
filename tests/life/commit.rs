//! `commit` that is killed at any call, or meets a full disk: the store is as before.

use crate::{
    full_disk::{small_store, unmount},
    strace::{self, has_strace},
    support::{Shed, read, write_file},
    traces::{assert_removable, torture},
};

const CHANGING: &str = "mkdirat,renameat,renameat2,unlinkat,symlinkat,linkat,mknodat,flock,clone3,\
    write,pwrite64,fsync,fdatasync,syncfs,ftruncate,fchown,fchmod,utimensat,openat";

fn images(shed: &Shed) -> String {
    shed.cowshed("images --no-trunc -q").ok()
}

/// Every so manieth call of the command, with all its threads counted together.
fn points(shed: &Shed, line: &str, stride: usize) -> Vec<(String, usize)> {
    let to = shed.path("calls");
    let arguments = [
        "-f".to_owned(),
        "-qq".to_owned(),
        format!("-o{}", to.display()),
        "-e".to_owned(),
        format!("trace={CHANGING}"),
    ];
    assert!(strace::traced(shed, line, arguments).success());
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut all = Vec::new();
    for call in read(&to).lines() {
        let call = call.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if let Some((name, _)) = call.split_once('(')
            && CHANGING.split(',').any(|known| known == name)
        {
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            all.push((name.to_owned(), *count));
        }
    }
    let stride = if torture().is_some() { 1 } else { stride };
    all.into_iter().step_by(stride).collect()
}

#[test]
#[ignore = "needs root"]
fn root_commit_killed_at_any_call_leaves_the_images_as_they_were_or_one_more() {
    if !has_strace() {
        return;
    }
    let mut shed = Shed::new();
    shed.strict = false;
    let script =
        "rm -r /data/sub; mkdir -p /new/d; echo x >/new/d/x; ln /new/d/x /new/y; sleep 1000";
    shed.cowshed(&format!("run -d --name box base sh -c '{script}'"))
        .ok();
    shed.cowshed("exec box sh -c 'until test -e /new/y; do sleep 0.01; done'")
        .ok();
    let line = "commit box made";
    let points = points(&shed, line, 9);
    assert!(points.len() >= 10, "{points:?}");
    shed.cowshed("rmi made").ok();
    let before = images(&shed);
    for (call, number) in &points {
        let mut arguments = strace::inject(CHANGING, call, *number).to_vec();
        arguments.push("-f".to_owned());
        strace::traced(&shed, line, arguments);
        let what = format!("{line} at {call} {number}");
        // Nobody stays frozen.
        crate::support::wait_until(&what, || {
            shed.inspect("box")["State"]["Status"] == "running"
        });
        let after = images(&shed);
        if after != before {
            // It was as good as done: whole, or without its name.
            let made: Vec<_> = after.lines().filter(|id| !before.contains(*id)).collect();
            assert_eq!(made.len(), 1, "{what}: {after}");
            let look = "cat /new/y; ls /data";
            let text = shed
                .cowshed(&format!("run --rm {} sh -c '{look}'", made[0]))
                .ok();
            assert_eq!(text, "x\nfifo\nlink\none\nsame\nsetuid\n", "{what}");
            shed.cowshed(&format!("rmi -f {}", made[0])).ok();
        }
        // The next one is not hindered by what was left, and it can be had again.
        shed.cowshed("commit --sync=none box made").ok();
        assert_eq!(
            shed.cowshed("run --rm made cat /new/d/x").ok(),
            "x\n",
            "{what}"
        );
        shed.cowshed("rmi made").ok();
        assert_eq!(images(&shed), before, "{what}");
        assert!(
            shed.path("store/tmp").read_dir().unwrap().next().is_none(),
            "{what}"
        );
    }
    shed.cowshed("rm -f box").ok();
    assert_removable(&shed, line);
    // What killed ones left goes with an image.
    shed.cowshed("rmi base").ok();
    for place in ["blobs/sha256", "images"] {
        let left = shed.store().join(place).read_dir().unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "names.json"), "{left:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_commit_to_a_full_disk_leaves_the_store_as_it_was() {
    let shed = small_store("24m");
    let script = "head -c 6000000 /dev/urandom >/big; mkdir /many; for n in $(seq 200); do \
        echo $n >/many/$n; done";
    shed.cowshed(&format!("run --name box base sh -c '{script}'"))
        .ok();
    let before = shed.listing();
    // Its tar has room, the tree that is unpacked has not; then neither has.
    for size in [4_500_000, 9_000_000] {
        let ballast = shed.path("store/tmp-ballast");
        write_file(&ballast, &vec![0; size]);
        let done = shed.cowshed("commit box made");
        std::fs::remove_file(&ballast).unwrap();
        done.fails(1, "no space left on device");
        assert_eq!(shed.listing(), before);
    }
    shed.cowshed("commit box made").ok();
    assert_eq!(
        shed.cowshed("run --rm made sh -c 'ls /many | wc -l'").ok(),
        "200\n"
    );
    shed.cowshed("rm box").ok();
    assert_removable(&shed, "a full store");
    unmount(&shed);
}
