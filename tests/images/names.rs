//! Names: tag, what `images` lists, what `inspect` tells.

use serde_json::{Value, json};

use crate::{
    archive::Archive,
    support::{Codec, Home, Layer, Layout, config_of, named, sample},
};

fn home() -> Home {
    let home = Home::new();
    home.load(&home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar()));
    home
}

/// The columns of each line.
fn table(text: &str) -> Vec<Vec<String>> {
    let columns = |line: &str| {
        let cells = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    text.lines().map(columns).collect()
}

/// An image with one small layer, called `name`.
fn another(home: &Home, name: &str) {
    let layers = [Layer::plain(Archive::new().file("file", name))];
    let mut layout = Layout::default();
    let entry = layout.image(&layers, &config_of(&layers));
    layout.entries.push(named(entry, name));
    home.load(&home.write("another.tar", &layout.tar()));
}

#[test]
#[ignore = "needs root"]
fn root_a_tag_is_a_name_of_the_same_image() {
    let home = home();
    let id = home.inspect("sample:1")["Id"].as_str().unwrap().to_owned();
    let (whole, short, prefix) = (id.as_str(), &id[7..19], &id[7..11]);
    for (number, source) in ["sample:1", whole, short, prefix].iter().enumerate() {
        assert_eq!(home.ok(&["tag", source, &format!("tag:{number}")]), "");
    }
    home.ok(&[
        "image",
        "tag",
        "docker.io/library/sample:1",
        "reg.example:5000/a/b",
    ]);
    for name in [
        "tag:0",
        "tag:3",
        "reg.example:5000/a/b:latest",
        "index.docker.io/library/tag:2",
    ] {
        assert_eq!(home.inspect(name)["Id"], id);
    }
    let tags = json!([
        "sample:1",
        "tag:0",
        "tag:1",
        "tag:2",
        "tag:3",
        "reg.example:5000/a/b:latest"
    ]);
    assert_eq!(home.inspect("tag:1")["RepoTags"], tags);
    assert_eq!(home.layers().len(), 2);
}

#[test]
#[ignore = "needs root"]
fn root_tags_that_are_none_are_refused() {
    let home = home();
    for name in ["UPPER", "a:b:c", "", "x y", "a@sha256:12", "-x:1"] {
        let done = home.cowshed(&["tag", "--", "sample:1", name]);
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert!(done.err.contains("invalid reference format"), "{done:?}");
    }
    home.refused(&["tag", "absent", "new"], &["No such image: absent"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_name_that_moves_leaves_its_image_without() {
    let home = home();
    let old = home.inspect("sample:1")["Id"].clone();
    let layers = sample(Codec::Gzip);
    let layout = Layout::of(&layers[..1]);
    let out = home.load(&home.write("y.tar", &layout.tar()));
    let said = "The image sample:1 already exists, it now has no name\nLoaded image: sample:1\n";
    assert_eq!(out, said);
    assert_ne!(home.inspect("sample:1")["Id"], old);
    let dangling = home.inspect(old.as_str().unwrap());
    assert_eq!(dangling["RepoTags"], json!([]));
    let list = table(&home.ok(&["images"]));
    assert!(
        list.iter().any(|line| line[..2] == ["<none>", "<none>"]),
        "{list:?}"
    );
    // Gone without its shared layer.
    home.ok(&["rmi", old.as_str().unwrap()]);
    assert_eq!(home.layers().len(), 1);
    home.run("sample:1", &["/bin/sh", "-c", "exit 0"]);
}

#[test]
#[ignore = "needs root"]
fn root_images_lists_as_docker_does() {
    let home = home();
    another(&home, "reg.example/deep/er:v1");
    home.ok(&["tag", "sample:1", "sample:2"]);
    let id = home.inspect("sample:1")["Id"].as_str().unwrap().to_owned();
    let list = table(&home.ok(&["images"]));
    assert_eq!(
        list[0],
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    );
    assert_eq!(list.len(), 4);
    let line = list.iter().find(|line| line[0] == "sample").unwrap();
    assert_eq!(line[1..3], ["1", &id[7..19]]);
    assert!(line[3].ends_with(" years ago"), "{line:?}");
    assert_eq!(line[4], "1.98MB");
    assert_eq!(home.ok(&["image", "ls"]), home.ok(&["images"]));

    let quiet = home.ok(&["images", "-q"]);
    // One for each name, as Docker.
    assert_eq!(quiet.lines().count(), 3, "{quiet}");
    let whole = home.ok(&["images", "-q", "--no-trunc"]);
    assert!(whole.lines().any(|line| line == id), "{whole}");
    let whole = home.ok(&["images", "--no-trunc"]);
    assert!(whole.contains(&id));
    let digests = table(&home.ok(&["images", "--digests"]));
    assert_eq!(digests[0][2], "DIGEST");
    let manifest = home.inspect("sample:1")["Manifest"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        digests.iter().any(|line| line[2] == manifest),
        "{digests:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_images_are_listed_by_repository() {
    let home = home();
    another(&home, "other:1");
    home.ok(&["tag", "sample:1", "sample:2"]);
    home.ok(&["tag", "sample:1", "reg.example/sample:3"]);
    let names = |wanted: &str| {
        let list = table(&home.ok(&["images", wanted]));
        list[1..]
            .iter()
            .map(|line| format!("{}:{}", line[0], line[1]))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("sample"), ["sample:1", "sample:2"]);
    assert_eq!(names("sample:2"), ["sample:2"]);
    assert_eq!(names("reg.example/sample"), ["reg.example/sample:3"]);
    assert_eq!(names("docker.io/library/sample"), ["sample:1", "sample:2"]);
    assert_eq!(names("absent"), [""; 0]);
    assert_eq!(home.ok(&["images", "-q", "absent"]), "");
}

#[test]
#[ignore = "needs root"]
fn root_images_are_listed_as_json() {
    let home = home();
    home.ok(&["tag", "sample:1", "sample:2"]);
    let text = home.ok(&["images", "--format", "json"]);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    let keys: Vec<_> = lines[0].as_object().unwrap().keys().collect();
    let wanted = [
        "Containers",
        "CreatedAt",
        "CreatedSince",
        "Digest",
        "ID",
        "Repository",
        "SharedSize",
        "Size",
        "Tag",
        "UniqueSize",
        "VirtualSize",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(
        (&lines[0]["Repository"], &lines[0]["Tag"]),
        (&json!("sample"), &json!("1"))
    );
    let whole = home.ok(&["images", "--format", "json", "--no-trunc"]);
    assert!(
        whole.contains(home.inspect("sample:1")["Id"].as_str().unwrap()),
        "{whole}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_an_empty_store_lists_nothing() {
    let home = Home::new();
    let header = home.ok(&["images"]);
    assert_eq!(
        table(&header),
        [["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]]
    );
    assert_eq!(home.ok(&["images", "-q"]), "");
    assert_eq!(home.ok(&["images", "--format", "json"]), "");
}

#[test]
#[ignore = "needs root"]
fn root_inspect_has_dockers_keys() {
    let home = home();
    let image = home.inspect("sample:1");
    for key in [
        "Id",
        "RepoTags",
        "RepoDigests",
        "Parent",
        "Comment",
        "Created",
        "Config",
        "Architecture",
        "Os",
        "Size",
        "VirtualSize",
        "GraphDriver",
        "RootFS",
        "Metadata",
    ] {
        assert!(image.get(key).is_some(), "{key}");
    }
    for key in [
        "Hostname",
        "User",
        "Tty",
        "Env",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Entrypoint",
        "Labels",
    ] {
        assert!(image["Config"].get(key).is_some(), "{key}");
    }
    assert_eq!(image["Created"], "2023-11-14T22:13:20Z");
    assert_eq!(image["Config"]["Cmd"], json!(["/bin/sh"]));
    let data = &image["GraphDriver"]["Data"];
    for key in ["MergedDir", "WorkDir"] {
        assert!(data[key].is_string(), "{key}");
    }
    for (key, file) in [("UpperDir", "etc/motd"), ("LowerDir", "bin/busybox")] {
        let path = std::path::Path::new(data[key].as_str().unwrap());
        assert!(path.join(file).exists(), "{key}");
    }
    // Directly, and with others.
    let text = home.ok(&["inspect", "--type", "image", "sample:1", "sample:1"]);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!([image, image])
    );
}

#[test]
#[ignore = "needs root"]
fn root_unknown_images_are_told_in_dockers_words() {
    let home = home();
    for args in [
        &["image", "inspect", "absent"][..],
        &["rmi", "absent"],
        &["image", "rm", "absent"],
        &["tag", "absent", "x"],
    ] {
        home.refused(args, &["cowshed: error: No such image: absent"]);
    }
    let done = home.cowshed(&["run", "--pull", "never", "absent", "x"]);
    assert_eq!(done.code, Some(125));
    assert!(done.err.contains("No such image: absent"), "{done:?}");
    // What was found still comes, and the code tells of the rest.
    let done = home.cowshed(&["image", "inspect", "absent", "sample:1"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        serde_json::from_str::<Value>(&done.out)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Names are whole: neither a missing tag nor a piece of a name will do.
    for name in ["sample", "sample:12", "ample:1", "zzz"] {
        home.refused(&["image", "inspect", name], &["No such image: "]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_ids_are_prefixes_and_may_be_ambiguous() {
    let home = home();
    for number in 0..20 {
        another(&home, &format!("many:{number}"));
    }
    let ids = home.ok(&["images", "-q", "--no-trunc"]);
    let first: Vec<_> = ids.lines().map(|id| &id[7..8]).collect();
    let twice = first
        .iter()
        .find(|one| first.iter().filter(|other| other == one).count() > 1);
    let twice = twice.expect("21 ids, 16 digits");
    home.refused(&["image", "inspect", twice], &["ambiguous"]);
    for id in ids.lines() {
        assert_eq!(home.inspect(&id[7..])["Id"], id);
        assert_eq!(home.inspect(&id[..27])["Id"], id);
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_same_image_in_two_forms_is_one_image() {
    let home = home();
    let id = home.inspect("sample:1")["Id"].clone();
    let layers = sample(Codec::Plain);
    let archive = crate::support::docker_archive(&[(&layers, &["other:2"])]);
    home.load(&home.write("docker.tar", &crate::support::tar_of(&archive)));
    assert_eq!(home.inspect("other:2")["Id"], id);
    assert_eq!(
        home.inspect("other:2")["RepoTags"],
        json!(["other:2", "sample:1"])
    );
    let ids = home.ok(&["images", "-q"]);
    assert_eq!(ids.lines().next(), ids.lines().nth(1));
    assert_eq!(ids.lines().count(), 2);
    assert_eq!(home.layers().len(), 2);
    home.ok(&["rmi", "sample:1"]);
    home.run("other:2", &["/bin/sh", "-c", "exit 0"]);
    home.ok(&["rmi", "other:2"]);
    assert_eq!(home.layers(), [""; 0]);
    assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_the_same_image_in_another_form_takes_the_name_over_and_says_nothing() {
    let home = Home::new();
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Gzip] {
        let path = home.write("x.tar", &Layout::of(&sample(codec)).tar());
        assert_eq!(home.load(&path), "Loaded image: sample:1\n");
        assert_eq!(home.ok(&["images", "-aq"]).lines().count(), 1);
        // The old form's record is gone, so that its blobs can go.
        let records = home.names_in("images");
        let records = records.iter().filter(|name| name.len() == 69);
        assert_eq!(records.count(), 1);
    }
    home.ok(&["image", "prune", "-f"]);
    // Manifest, config, two layers.
    assert_eq!(home.names_in("blobs/sha256").len(), 4);
    home.ok(&["image", "verify"]);
}
