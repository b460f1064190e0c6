//! `history`, `images --filter` and `--tree`, `image ls-files`, `cat` and `diff`.

use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};

use crate::{
    archive::Archive,
    support::{Codec, Home, Layer, Layout, config_of, finish, named, sample, shell},
};

fn home() -> Home {
    let home = Home::new();
    home.load(&home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar()));
    home
}

/// Loads an image of these layers with more in its config.
fn load(home: &Home, name: &str, layers: &[Layer], change: impl Fn(&mut Value)) {
    let mut config = config_of(layers);
    change(&mut config);
    let mut layout = Layout::default();
    let entry = layout.image(layers, &config);
    layout.entries.push(named(entry, name));
    home.load(&home.write(
        &format!("{}.tar", name.replace([':', '/'], "-")),
        &layout.tar(),
    ));
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// An image `h:1` with a history of three lines, and its id.
fn with_history() -> (Home, String) {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let long = "/bin/sh -c echo \t한국어 and more than forty-five columns of it, surely";
    load(&home, "h:1", &layers, |config| {
        config["history"] = json!([
            {"created": "2023-01-02T03:04:05Z", "created_by": "ADD file", "comment": "first"},
            {"created": "2023-01-02T03:04:06Z", "created_by": "ENV a=b", "empty_layer": true},
            {"created": "2023-01-02T03:04:07Z", "created_by": long},
        ]);
    });
    let id = home.inspect("h:1")["Id"].as_str().unwrap().to_owned();
    (home, id)
}

#[test]
#[ignore = "needs root"]
fn root_history_is_dockers() {
    let (home, id) = with_history();
    let table = home.ok(&["history", "h:1"]);
    let table = lines(&table);
    assert!(
        table[0].starts_with("IMAGE          CREATED       CREATED BY"),
        "{}",
        table[0]
    );
    assert_eq!(table.len(), 4);
    assert!(
        table[1].starts_with(&id[7..19]) && table[1].contains("years ago"),
        "{}",
        table[1]
    );
    assert!(table[1].contains("/bin/sh -c echo  한국어 and more than") && table[1].contains('…'));
    for (line, size) in [(table[2], "   0B "), (table[3], "   1.98MB ")] {
        assert!(
            line.starts_with("<missing>      ") && line.contains(size),
            "{line}"
        );
    }
    assert!(table[3].ends_with("first"), "{}", table[3]);
    home.refused(&["history", "absent"], &["No such image: absent"]);
}

#[test]
#[ignore = "needs root"]
fn root_history_has_dockers_forms() {
    let (home, id) = with_history();
    assert_eq!(
        home.ok(&["image", "history", "h:1"]),
        home.ok(&["history", "h:1"])
    );
    assert_eq!(
        home.ok(&["history", "-q", "--no-trunc", "h:1"]),
        format!("{id}\n<missing>\n<missing>\n")
    );
    let exact = home.ok(&["history", "--human=false", "--no-trunc", "h:1"]);
    assert!(
        exact.contains("CREATED AT") && exact.contains("2023-01-02T03:04:06Z"),
        "{exact}"
    );
    assert!(exact.contains("it, surely"), "{exact}");
    assert_eq!(
        home.ok(&[
            "history",
            "--format",
            "{{.CreatedBy}}|{{.Size}}|{{.Comment}}",
            "h:1"
        ])
        .lines()
        .last()
        .unwrap(),
        "ADD file|1.98MB|first"
    );
    let json = home.ok(&["history", "--format", "json", "h:1"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let keys: Vec<_> = first
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "Comment",
            "CreatedAt",
            "CreatedBy",
            "CreatedSince",
            "ID",
            "Size"
        ]
    );
}

#[test]
#[ignore = "needs root"]
fn root_images_are_filtered() {
    let home = home();
    let layers = sample(Codec::Gzip);
    load(&home, "labelled:1", &layers, |config| {
        config["created"] = "2024-05-01T00:00:00Z".into();
        config["config"]["Labels"] = json!({"tier": "web", "empty": ""});
    });
    load(&home, "reg.example/a/b:2", &layers, |config| {
        config["created"] = "2025-05-01T00:00:00Z".into();
    });
    // Takes its name away: the first one has none any more.
    load(&home, "sample:1", &layers[..1], |config| {
        config["created"] = "2022-05-01T00:00:00Z".into();
    });
    let names = |filters: &[&str]| {
        let mut args = vec!["images", "--format", "{{.Repository}}:{{.Tag}}"];
        for filter in filters {
            args.extend(["--filter", filter]);
        }
        let mut names: Vec<_> = lines(&home.ok(&args))
            .into_iter()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let (labelled, other, none) = ("labelled:1", "reg.example/a/b:2", "<none>:<none>");
    let all = [none, labelled, other, "sample:1"];
    for (filters, wanted) in [
        (&[][..], &all[..]),
        (&["dangling=true"], &[none]),
        (&["dangling=false"], &all[1..]),
        (&["label=tier"], &[labelled]),
        (&["label=tier=web", "label=empty="], &[labelled]),
        (&["label=tier=db"], &[]),
        (&["before=labelled:1"], &[none, "sample:1"]),
        (&["since=labelled:1"], &[other]),
        (
            &["since=sample:1", "before=reg.example/a/b:2"],
            &[none, labelled],
        ),
        (&["until=2023-01-01T00:00:00Z"], &["sample:1"]),
        (&["reference=*"], &[labelled, "sample:1"]),
        (
            &["reference=reg.example/*/b", "reference=sam*:?"],
            &[other, "sample:1"],
        ),
        (&["reference=*/*/*:1"], &[]),
    ] {
        assert_eq!(names(filters), wanted, "{filters:?}");
    }
    assert_eq!(lines(&home.ok(&["images", "-q", "lab*"])).len(), 1);
    assert_eq!(home.ok(&["images", "-q", "nothing*"]), "");
    for (filter, said) in [
        ("bogus=1", "Invalid filter 'bogus'"),
        ("dangling=maybe", "Invalid filter 'dangling=[maybe]'"),
        ("before=absent", "No such image: absent"),
        ("reference=[", "syntax error in pattern"),
    ] {
        home.refused(&["images", "--filter", filter], &[said]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_tree_shows_what_is_shared() {
    let home = home();
    let mut layers = sample(Codec::Gzip);
    layers.push(Layer::plain(Archive::new().file("more", "12345")));
    load(&home, "more:1", &layers, |_| ());
    let tree = home.ok(&["image", "ls", "--tree"]);
    let tree = lines(&tree);
    assert_eq!(tree.len(), 5, "{tree:?}");
    assert!(tree[0].ends_with("1.98MB  shared by 2 images"), "{tree:?}");
    assert!(tree[1].starts_with("└─ ") && tree[1].ends_with("  shared by 2 images"));
    assert!(tree[2].starts_with("   ├─ sample:1 ("), "{tree:?}");
    assert!(tree[2].ends_with("= 0B unique + 1.98MB shared"), "{tree:?}");
    assert!(
        tree[3].starts_with("   └─ ") && tree[3].ends_with("  5B"),
        "{tree:?}"
    );
    assert!(tree[4].starts_with("      └─ more:1 ("), "{tree:?}");
    assert!(tree[4].ends_with("= 5B unique + 1.98MB shared"), "{tree:?}");
    assert_eq!(Home::new().ok(&["images", "--tree"]), "");
}

/// An image `odd:1` with links that would like to lead out of it.
fn with_links() -> Home {
    let home = Home::new();
    let mut layers = sample(Codec::Gzip);
    let odd = Archive::new()
        .symlink("abs", "/etc")
        .symlink("up", "../../../../../../etc")
        .symlink("loop", "loop")
        .file("etc/passwd", "image's own");
    layers.push(Layer::plain(odd));
    load(&home, "odd:1", &layers, |_| ());
    home
}

#[test]
#[ignore = "needs root"]
fn root_files_come_with_their_layer() {
    let home = with_links();
    let long = home.ok(&["image", "ls-files", "-l", "odd:1"]);
    let layer_of = |name: &str| {
        let line = long
            .lines()
            .find(|line| line.ends_with(&format!(" {name}")));
        line.unwrap_or_else(|| panic!("{name} in {long}"))
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert!(long.starts_with("LAYER     MODE         LINKS"), "{long}");
    for (name, layer) in [
        ("bin", "1"),
        ("becomes-dir", "2"),
        ("suid", "2"),
        ("old", "2"),
        ("etc", "3"),
    ] {
        assert_eq!(layer_of(name), layer, "{name}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_links_stay_in_their_image() {
    let home = with_links();
    assert_eq!(
        home.ok(&["image", "ls-files", "odd:1", "hidden"]),
        "above\n"
    );
    assert_eq!(home.ok(&["image", "ls-files", "odd:1", "/old"]), "kept\n");
    let format = [
        "image",
        "ls-files",
        "--format",
        "{{.Layer}} {{.Name}} {{.Target}}",
        "odd:1",
    ];
    let of = |path: &str| home.ok(&[&format[..], &[path]].concat());
    assert_eq!(of("etc/"), "2 motd \n3 passwd \n");
    assert_eq!(of("/abs"), "3 /abs /etc\n");
    for way in ["abs/", "up/", "abs/.", "/abs/../abs/"] {
        assert_eq!(of(way), "2 motd \n3 passwd \n", "{way}");
    }
    assert_eq!(of("abs/passwd"), "3 abs/passwd \n");
    for way in ["etc/passwd", "/abs/passwd", "up/passwd"] {
        assert_eq!(
            home.ok(&["image", "cat", "odd:1", way]),
            "image's own",
            "{way}"
        );
    }
    assert_eq!(
        home.ok(&["image", "cat", "odd:1", "home/읽기.txt"]),
        "hangul"
    );
    for (args, said) in [
        (
            &["image", "cat", "odd:1", "etc"][..],
            "/etc in image odd:1 is no regular file",
        ),
        (
            &["image", "cat", "odd:1", "hidden/below"],
            "no /hidden/below in image odd:1",
        ),
        (&["image", "cat", "odd:1", "loop"], "loop"),
        (
            &["image", "ls-files", "odd:1", "absent/x"],
            "no /absent/x in image odd:1",
        ),
        (
            &["image", "ls-files", "absent:1"],
            "No such image: absent:1",
        ),
    ] {
        home.refused(args, &[said]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_names_may_be_any_bytes() {
    let home = home();
    let odd = Archive::new()
        .pax(&[("path", b"odd/\xff\n")])
        .file("x", "odd")
        .pax(&[("path", b"odd/\x1b[0m")])
        .file("x", "escape");
    let layers = [&sample(Codec::Gzip)[..], &[Layer::plain(odd)]].concat();
    load(&home, "odd:1", &layers, |_| ());
    let mut command = home.command(&["image", "cat", "odd:1"]);
    command.arg(std::ffi::OsStr::from_bytes(b"odd/\xff\n"));
    assert_eq!(finish(&mut command).out, "odd");
    let list = home.ok(&["image", "ls-files", "-l", "odd:1", "odd"]);
    assert!(!list.contains('\x1b') && list.contains("[0m"), "{list:?}");
    let diff = home.ok(&["image", "diff", "sample:1", "odd:1"]);
    assert!(
        diff.contains("/odd/\\xff\\x0a ") && diff.contains("/odd/\\x1b[0m "),
        "{diff:?}"
    );
    // One of them is damaged.
    let chain = home.inspect("odd:1")["Layers"][2]["ChainID"]
        .as_str()
        .unwrap()
        .to_owned();
    let tree = home
        .store()
        .join("overlay2")
        .join(&chain[7..])
        .join("diff/odd");
    std::fs::remove_file(tree.join(std::ffi::OsStr::from_bytes(b"\xff\n"))).unwrap();
    let done = home.cowshed(&["image", "verify", "odd:1"]);
    assert!(
        done.out
            .contains("layer 3: /odd/\\xff\\x0a: missing: file\n"),
        "{done:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_image_diff_tells_what_the_second_one_has_otherwise() {
    let home = home();
    let layers = sample(Codec::Gzip);
    let more = Layer::plain(
        Archive::new()
            .file("etc/motd", "above alk")
            .file("old/.wh.kept", "")
            .file("새/파일", "12345")
            .file(".wh.hidden", ""),
    );
    load(&home, "more:1", &[&layers[..], &[more]].concat(), |_| ());
    let diff = |args: &[&str]| {
        let format = [
            "image",
            "diff",
            "--format",
            "{{.Kind}} {{.Before}} {{.After}} {{.Path}} {{.What}}",
        ];
        home.ok(&[&format[..], args].concat())
    };
    assert_eq!(
        diff(&["sample:1", "more:1"]),
        "C 9 9 /etc/motd content\nD 1 0 /hidden \nD 4 0 /old/kept \nA 0 0 /새 \nA 0 5 /새/파일 \n"
    );
    assert_eq!(
        diff(&["more:1", "sample:1"]),
        "C 9 9 /etc/motd content\nA 0 0 /hidden \nA 0 1 /hidden/above \nA 0 4 /old/kept \nD 5 0 /새 \n"
    );
    let table = home.ok(&["image", "diff", "sample:1", "more:1"]);
    let sum = table.lines().last().unwrap();
    assert_eq!(sum, "2 added (5B), 1 changed (9B to 9B), 2 deleted (5B)");
    // Nothing is shared, and the trees are the same all the same: by content, not by layers.
    let one = shell()
        .dir("etc")
        .file("etc/motd", "x")
        .hard("etc/same", "etc/motd");
    let other = shell()
        .dir("etc")
        .file("etc/same", "x")
        .hard("etc/motd", "etc/same");
    load(&home, "one:1", &[Layer::plain(one)], |_| ());
    load(
        &home,
        "other:1",
        &[Layer::plain(Archive::new().dir("etc")), Layer::plain(other)],
        |_| (),
    );
    assert_eq!(diff(&["one:1", "other:1"]), "");
    let sum = home.ok(&["image", "diff", "one:1", "one:1"]);
    assert_eq!(sum, "0 added (0B), 0 changed (0B to 0B), 0 deleted (0B)\n");
    home.refused(
        &["image", "diff", "one:1", "absent"],
        &["No such image: absent"],
    );
}
