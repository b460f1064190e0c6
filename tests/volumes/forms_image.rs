//! `type=image`: another image's tree, read-only (rule 57).

use crate::support::{Shed, Tar};

/// An image of one layer and one of two, with links that lead out.
fn shed() -> Shed {
    let shed = Shed::new();
    let layer = Tar::new()
        .file("data/.wh.one", 0o644, b"")
        .file("data/added", 0o644, b"added\n")
        .dir("opt", 0o755)
        .link("opt/out", "/etc")
        .link("opt/up", "../../../../../../..")
        .link("opt/loop", "loop")
        .file("opt/한글", 0o644, b"hangul\n");
    shed.image("two", layer, &[]);
    shed
}

#[test]
#[ignore = "needs root"]
fn root_rule_57_an_image_is_mounted_read_only_whatever_is_said() {
    let shed = shed();
    for (image, more, listing) in [
        ("base", "", "fifo\nlink\none\nsame\nsetuid\nsub\n"),
        (
            "two",
            ",readonly=false",
            "added\nfifo\nlink\nsame\nsetuid\nsub\n",
        ),
    ] {
        let flags = format!("--mount type=image,src={image},dst=/i{more}");
        assert_eq!(shed.sh(&flags, "ls /i/data"), listing);
        let done = shed.try_sh(&flags, "touch /i/x; rm /i/plain; mount -o remount,rw /i");
        assert_eq!(
            done.err.matches("ead-only file system").count(),
            2,
            "{done:?}"
        );
    }
    shed.cowshed("run --name box --mount type=image,src=two,dst=/i base true")
        .ok();
    let found = shed.inspect("box");
    let mount = &found["Mounts"][0];
    assert_eq!(
        (&mount["Type"], &mount["RW"]),
        (&"image".into(), &false.into())
    );
    assert_eq!(mount["Name"], "two");
    assert_eq!(found["HostConfig"]["Mounts"][0]["Source"], "two");
    shed.cowshed("run --rm --mount type=image,src=nobody,dst=/i base true")
        .fails(125, "nobody");
}

#[test]
#[ignore = "needs root"]
fn root_need_32_an_image_that_is_mounted_somewhere_is_in_use() {
    let shed = shed();
    shed.cowshed("create --name box --mount type=image,src=two,dst=/i base cat /i/opt/한글")
        .ok();
    shed.cowshed("rmi two")
        .fails(1, "is using its referenced image");
    // Its names may go by force, its layers not.
    shed.cowshed("rmi -f two").ok();
    assert_eq!(shed.cowshed("start -a box").ok(), "hangul\n");
    shed.cowshed("rm box").ok();
    let mut live = shed.start("run --rm --name live --mount type=image,src=base,dst=/i base sh -c 'echo ready; read x </i/data/fifo'");
    // By its name, Docker would only take the name away.
    let id = shed.cowshed("images -q base").ok();
    shed.cowshed(&format!("rmi -f {id}"))
        .fails(1, "image is being used by running container");
    shed.cowshed("kill live").ok();
    live.wait();
}

#[test]
#[ignore = "needs root"]
fn root_need_32_links_of_an_image_stay_inside() {
    let shed = shed();
    let flags =
        |subpath: &str| format!("--mount type=image,src=two,dst=/i,image-subpath={subpath}");
    assert_eq!(shed.sh(&flags("data/sub"), "ls /i"), "two\n");
    assert_eq!(shed.sh(&flags("opt/한글"), "cat /i"), "hangul\n");
    // An absolute link starts at the image's root, and dots stop there.
    assert_eq!(shed.sh(&flags("opt/out"), "grep -c . /i/passwd"), "2\n");
    assert_eq!(shed.sh(&flags("opt/up"), "ls -d /i/opt"), "/i/opt\n");
    shed.try_sh(&flags("opt/loop"), "true")
        .fails(125, "opt/loop");
    shed.try_sh(&flags("opt/none"), "true")
        .fails(125, "opt/none");
    shed.try_sh(&flags("../etc"), "true")
        .fails(125, "subpath must be a relative path");
    // A whiteout shows nothing.
    shed.try_sh(&flags("data/one"), "true")
        .fails(125, "data/one");
    // A file goes on a file, a directory on a directory.
    shed.try_sh("--mount type=image,src=two,dst=/file", "true")
        .fails(125, "/file");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_need_32_several_images_nest_and_are_taken_over_by_volumes_from() {
    let shed = shed();
    let flags = "--mount type=image,src=base,dst=/i --mount type=image,src=two,dst=/i/empty \
        --mount type=image,src=two,dst=/i/empty/opt,image-subpath=data";
    assert_eq!(
        shed.sh(flags, "ls /i/empty/opt; ls -d /i/root"),
        "added\nfifo\nlink\nsame\nsetuid\nsub\n/i/root\n"
    );
    shed.cowshed("create --name other --mount type=image,src=two,dst=/i base true")
        .ok();
    assert_eq!(
        shed.sh("--volumes-from other", "cat /i/data/added"),
        "added\n"
    );
    shed.cowshed("cp other:/i/data/added got").ok();
    assert_eq!(crate::support::read(shed.path("got")), "added\n");
    // A place that the image does not have cannot be made in it.
    let missing = "--mount type=image,src=base,dst=/i --tmpfs /i/none";
    shed.try_sh(missing, "true")
        .fails(125, "ead-only file system");
}

#[test]
#[ignore = "needs root"]
fn root_need_32_an_image_without_layers_is_an_empty_directory() {
    let shed = Shed::new();
    crate::support::write_file(&shed.path("nothing.tar"), &Tar::new().finish());
    shed.cowshed(&format!(
        "import --sync=none {} nothing",
        shed.show("nothing.tar")
    ))
    .ok();
    assert_eq!(
        shed.sh("--mount type=image,src=nothing,dst=/i", "ls -A /i; echo ok"),
        "ok\n"
    );
}
