//! A store without room: the program goes on, only its log has a gap.

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::{
    support::{Shed, base, wait_until, write_file},
    traces::assert_removable,
};

/// A store with the image `base` on a disk of this size; [`unmount`] comes last.
pub(crate) fn small_store(size: &str) -> Shed {
    let mut shed = Shed::empty();
    shed.strict = false;
    let (store, kind) = (shed.dir("store"), Some("tmpfs"));
    let size = format!("size={size}");
    mount(kind, &*store, kind, MsFlags::empty(), Some(&*size)).unwrap();
    write_file(&shed.path("base.tar"), base());
    let tar = shed.show("base.tar");
    shed.cowshed(&format!("import --sync=none {tar} base")).ok();
    shed
}

/// Takes the disk away.
pub(crate) fn unmount(shed: &Shed) {
    umount2(&shed.path("store"), MntFlags::MNT_DETACH).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_full_store_does_not_harm_a_program_that_writes_much() {
    let shed = small_store("16m");
    let out = shed.dir("out");
    let ballast = shed.path("store/ballast");
    write_file(&ballast, &vec![0; 1 << 20]);
    shed.cowshed(&format!(
        "run -d --name box -v {out}:/out base sh -c '\
         yes 0123456789 | head -c 24000000; echo done >/out/done; \
         until test -e /out/go; do sleep 0.05; done; echo last; exit 4'"
    ))
    .ok();
    wait_until("everything is said", || shed.path("out/done").exists());
    // And what is still in its pipe is written or lost.
    std::thread::sleep(std::time::Duration::from_secs(1));
    // Room for what tells of the gap.
    std::fs::remove_file(&ballast).unwrap();
    shed.file("out/go", "");
    assert_eq!(shed.cowshed("wait box").ok(), "4\n");
    assert_eq!(crate::support::read(shed.path("out/done")), "done\n");
    let text = shed.cowshed("logs box");
    assert_eq!(text.code, 0, "{}", text.err);
    let first = text.out.lines().next().unwrap();
    assert_eq!(first, "0123456789");
    assert!(text.out.ends_with("last\n"));
    assert!(
        text.err
            .contains("could not be written to the log: no space left"),
        "{}",
        text.err
    );
    assert_eq!(shed.cowshed("rm box").ok(), "box\n");
    // There is room again.
    assert_eq!(shed.cowshed("run --rm base echo again").ok(), "again\n");
    assert_removable(&shed, "a full store");
    unmount(&shed);
}
