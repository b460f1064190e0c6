//! What a start reads: each record once, and no source more often than it is checked and mounted.

use crate::{
    strace::{has_strace, traced},
    support::Shed,
};

/// Lines of a start's opening and locking calls.
fn calls(shed: &Shed, line: &str) -> Vec<String> {
    let to = shed.show("calls");
    let arguments = [
        "-f",
        "-qq",
        "-o",
        &to,
        "-e",
        "trace=openat,openat2,open_tree,flock",
    ];
    assert!(traced(shed, line, arguments).success(), "{line}");
    let text = crate::support::read(&to);
    text.lines().map(str::to_owned).collect()
}

fn count(calls: &[String], what: &str) -> usize {
    calls.iter().filter(|call| call.contains(what)).count()
}

#[test]
#[ignore = "needs root"]
fn root_a_start_reads_a_volumes_record_once_and_claims_it_once() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let source = shed.dir("source");
    shed.cowshed("volume create vol").ok();
    shed.cowshed("volume create -o type=tmpfs -o device=tmpfs disk")
        .ok();
    let claims = |volume: &str| {
        // A claim opens the volume's directory; its mount opens the path.
        format!("\"{volume}\", O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY)")
    };
    for (volume, flags) in [
        ("vol", "vol:/x"),
        ("disk", "disk:/x"),
        ("vol", "vol:/x:nocopy"),
    ] {
        let line = format!("run --rm -v {flags} -v {source}:/y base true");
        let calls = calls(&shed, &line);
        let record = count(&calls, &format!("{volume}/volume.json"));
        assert_eq!(record, 1, "{line}");
        assert_eq!(count(&calls, &claims(volume)), 1, "{line}");
        let opened = count(&calls, &format!("\"{source}\""));
        assert!(opened <= 2, "{line}: {opened}");
    }
    // One that is empty is filled, which is remembered in its record.
    shed.cowshed("volume create empty").ok();
    let line = "run --rm -v empty:/bin base true";
    let calls = calls(&shed, line);
    assert_eq!(count(&calls, "empty/volume.json"), 1);
}
