//! Where one thing about volumes meets another: each was wrong once.

use crate::support::{Shed, read, write_text};

const TMPFS: &str = "volume create -o type=tmpfs -o device=tmpfs vol";

#[test]
#[ignore = "needs root"]
fn root_a_copy_of_a_volume_with_options_is_a_plain_one_and_keeps_what_was_said_of_it() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    // Without a user there is nothing in it; with one there is.
    let mut user = shed
        .start("run --rm --name box -v vol:/x base sh -c 'echo kept >/x/f; echo ready; sleep 100'");
    let done = shed.cowshed("volume cp vol copy");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("driver options of vol are left out"));
    assert_eq!(
        shed.cowshed("volume inspect -f '{{.Options}}' copy").ok(),
        "map[]\n"
    );
    shed.cowshed("rm -f box").ok();
    user.wait();
    assert_eq!(shed.sh("-v copy:/x", "cat /x/f"), "kept\n");

    shed.cowshed("volume create --sharing exclusive --description what vol2")
        .ok();
    shed.cowshed("volume cp vol2 copy2").ok();
    shed.cowshed("volume backup vol2 -o b.tar").ok();
    shed.cowshed("volume restore b.tar copy3").ok();
    for name in ["copy2", "copy3"] {
        let said = shed.cowshed(&format!(
            "volume inspect -f '{{{{.Sharing}}}} {{{{.Description}}}}' {name}"
        ));
        assert_eq!(said.ok(), "exclusive what\n", "{name}");
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_changes_over_a_volume_follow_it_to_another_name() {
    let shed = Shed::new();
    shed.cowshed("volume create old").ok();
    write_text(&shed.data("old").join("f"), "before\n");
    let overlay = "--mount type=overlay,src=old,dst=/s,upper=";
    for upper in ["discard", "changes"] {
        shed.cowshed(&format!(
            "run --name on-{upper} {overlay}{upper} base sh -c 'echo {upper} >/s/f'"
        ))
        .ok();
    }
    // Nobody names this one any more.
    shed.cowshed("rm on-changes").ok();
    shed.cowshed("volume rename old new").ok();
    assert_eq!(shed.cowshed("overlay diff on-discard").ok(), "C /f\n");
    shed.cowshed("start -a on-discard").ok();
    shed.cowshed("overlay apply on-discard").ok();
    assert_eq!(read(shed.data("new").join("f")), "discard\n");
    shed.cowshed("overlay apply changes").ok();
    assert_eq!(read(shed.data("new").join("f")), "changes\n");
    shed.cowshed("rm on-discard").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_nothing_is_applied_below_the_overlay_of_a_container_that_runs() {
    let shed = Shed::new();
    shed.cowshed("volume create low").ok();
    let overlay = "--mount type=overlay,src=low,dst=/s,upper=";
    shed.cowshed(&format!("run --rm {overlay}changes base touch /s/new"))
        .ok();
    let mut user = shed.start(&format!(
        "run --rm --name box {overlay}tmpfs base sh -c 'echo ready; sleep 100'"
    ));
    let refused = shed.cowshed("overlay apply changes");
    let refused = refused.fails(1, "container box has an overlay over low mounted");
    assert!(refused.err.contains("cowshed stop box"), "{}", refused.err);
    assert!(!shed.data("low").join("new").exists());
    shed.cowshed("rm -f box").ok();
    user.wait();
    shed.cowshed("overlay apply changes").ok();
    assert!(shed.data("low").join("new").exists());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_volume_whose_removal_was_killed_half_way_is_removed_by_the_next() {
    let shed = Shed::empty();
    shed.cowshed(TMPFS).ok();
    std::fs::remove_dir(shed.data("vol")).unwrap();
    assert_eq!(shed.cowshed("volume rm vol").ok(), "vol\n");
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_a_container_that_cannot_be_made_leaves_no_anonymous_volume() {
    let shed = Shed::new();
    let flags = "-v /cache --mount src=n,dst=/n,volume-opt=type=nosuchfs,volume-opt=device=x";
    for verb in ["create", "run --rm"] {
        let done = shed.cowshed(&format!("{verb} {flags} base true"));
        assert_ne!(done.code, 0, "{done:?}");
        assert_eq!(shed.volumes(), Vec::<String>::new(), "{verb}");
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_an_image_s_files_of_which_some_were_moved_in_come_whole_at_the_next_use() {
    let shed = Shed::new();
    let image = shed.path("disk");
    std::fs::File::create(&image)
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    let made = std::process::Command::new("mkfs.ext4")
        .arg("-q")
        .arg(&image)
        .status();
    assert!(made.unwrap().success());
    let line = format!(
        "volume create -o type=ext4 -o device={} disk",
        image.display()
    );
    shed.cowshed(&line).ok();
    // As a filling leaves it that was killed after its first entry: the rest is still aside.
    let script = "rmdir /x/lost+found; mkdir /x/.cowshed-filled; echo late >/x/.cowshed-filled/late; \
                  echo early >/x/early";
    shed.sh("-v disk:/x:nocopy", script);
    assert_eq!(shed.sh("-v disk:/data", "ls -A /data"), "early\nlate\n");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_job_of_the_host_counts_as_a_use() {
    let shed = Shed::empty();
    shed.cowshed("volume create vol").ok();
    let used = || shed.cowshed("volume inspect -f '{{.LastUsedAt}}' vol").ok();
    assert_eq!(used(), "<nil>\n");
    shed.cowshed("volume lock-run vol true").ok();
    assert_ne!(used(), "<nil>\n");
}
