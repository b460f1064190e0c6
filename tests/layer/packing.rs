//! A directory to a tar and back.

use cowshed::layer::{Changes, Marks, pack, pack_changes};

use crate::{
    Ground,
    archive::{Archive, header, tree},
};

#[test]
fn a_packed_tree_comes_back_the_same() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let attribute: [(&str, &[u8]); 2] = [("SCHILY.xattr.user.a", b"1\n2"), ("mtime", b"-3.25")];
    let mut closed = header(b'5', "closed/");
    closed.set_mode(0o1711);
    let tar = Archive::new()
        .pax(&[("path", long.as_bytes())])
        .file("x", "long")
        .pax(&attribute)
        .file("attribute", "1")
        .hard("hard", "attribute")
        .symlink("link", "/nowhere")
        .put(closed, b"")
        .file("closed/f", "2");
    let first = Ground::new();
    first.unpack(&tar.end()).unwrap();
    let mut packed = Vec::new();
    pack(&first.dir(), &mut packed).unwrap();
    let second = Ground::new();
    let unpacked = second.unpack(&packed).unwrap();
    assert_eq!(tree(&second.layer()), tree(&first.layer()));
    assert!(unpacked.notes.implied.is_empty());
    let mut again = Vec::new();
    pack(&second.dir(), &mut again).unwrap();
    assert!(packed == again, "packing is deterministic");
}

#[test]
#[ignore = "needs root"]
fn root_an_upper_dir_becomes_a_changeset() {
    let upper = Ground::new();
    let dir = upper.dir();
    dir.make_dir("d", 0o755).unwrap();
    cowshed::sys::xattr::set(&dir, "d", "trusted.overlay.opaque", b"y").unwrap();
    let whiteout = cowshed::sys::FileKind::CharDevice;
    dir.make_node("gone", whiteout, 0, (0, 0)).unwrap();
    let mut packed = Vec::new();
    let changes = Changes {
        upper: &dir,
        lowers: &[],
        root: None,
        marks: Marks::default(),
        latest: None,
        baked: &[],
    };
    pack_changes(&changes, &mut packed).unwrap();
    let ground = Ground::new();
    let notes = ground.unpack(&packed).unwrap().notes;
    assert_eq!(tree(&ground.layer()), "d 0755 d");
    assert_eq!(
        format!("{:?} {:?}", notes.whiteouts, notes.opaques),
        r#"["gone"] ["d"]"#
    );
}
