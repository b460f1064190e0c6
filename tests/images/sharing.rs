//! Layers that images share, loads that repeat, loads at the same time.

use std::{
    os::unix::fs::MetadataExt as _,
    process::{Child, Stdio},
    time::Instant,
};

use crate::{
    archive::Archive,
    support::{Codec, Home, Layer, Layout, SAMPLE_TREE, config_of, named, sample, shell},
};

/// `sample:N` for each list of layers.
fn images(home: &Home, file: &str, stacks: &[&[Layer]]) -> String {
    let mut layout = Layout::default();
    for (number, layers) in stacks.iter().enumerate() {
        let entry = layout.image(layers, &config_of(layers));
        layout
            .entries
            .push(named(entry, &format!("sample:{}", number + 1)));
    }
    home.write(file, &layout.tar())
}

/// Everything about every path: nobody touched it.
fn identity(home: &Home) -> Vec<(String, u64, i64, i64)> {
    let of = |line: String| {
        let name = line.splitn(3, ' ').last().unwrap().to_owned();
        let path = home.store().join(
            name.rsplit_once("nlink ")
                .map_or(name.as_str(), |(_, rest)| rest.split_once(' ').unwrap().1),
        );
        let metadata = path.symlink_metadata().unwrap();
        (
            name,
            metadata.ino(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        )
    };
    let all = home.shape().into_iter().map(of);
    // Staging comes and goes there.
    all.filter(|(name, ..)| name != "tmp").collect()
}

#[test]
#[ignore = "needs root"]
fn root_images_with_a_common_base_have_it_once() {
    let home = Home::new();
    let base = Layer::new(shell(), Codec::Gzip);
    let one = [base.clone(), Layer::plain(Archive::new().file("one", "1"))];
    let two = [base.clone(), Layer::plain(Archive::new().file("two", "2"))];
    home.load(&images(&home, "x.tar", &[&one, &two]));
    assert_eq!(home.layers().len(), 3);
    // Two manifests, two configs, three layers.
    assert_eq!(home.names_in("blobs/sha256").len(), 7);
    // The same layer on another one is another stack.
    let three = [one[1].clone(), base];
    home.load(&images(&home, "y.tar", &[&one, &two, &three]));
    assert_eq!(home.layers().len(), 5);
    assert_eq!(home.names_in("blobs/sha256").len(), 9);
    assert_eq!(home.run("sample:3", &["/bin/busybox", "cat", "/one"]), "1");
}

#[test]
#[ignore = "needs root"]
fn root_a_layer_is_the_same_however_it_was_compressed() {
    let home = Home::new();
    for codec in Codec::ALL {
        let layers = sample(codec);
        home.load(&images(&home, "x.tar", &[&layers]));
        assert_eq!(home.layers().len(), 2, "{codec:?}");
    }
    assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_loading_again_changes_nothing() {
    let home = Home::new();
    let path = images(&home, "x.tar", &[&sample(Codec::Gzip)]);
    let first = home.load(&path);
    let before = identity(&home);
    assert_eq!(home.load(&path), first);
    assert_eq!(identity(&home), before);
}

#[test]
#[ignore = "needs root"]
fn root_loading_again_is_fast() {
    let home = Home::new();
    let big = vec![b'x'; 64 << 20];
    let big = Archive::new().sized(crate::archive::header(b'0', "big"), &big);
    let path = images(
        &home,
        "x.tar",
        &[&[Layer::new(shell(), Codec::Gzip), Layer::plain(big)]],
    );
    let timed = || {
        let start = Instant::now();
        home.load(&path);
        start.elapsed()
    };
    let (first, second) = (timed(), timed());
    assert!(second < first / 3, "{first:?}, then {second:?}");
}

fn start(home: &Home, args: &[&str]) -> Child {
    let mut command = home.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_four_loads_at_once_do_what_one_does() {
    let alone = Home::new();
    alone.load(&images(&alone, "x.tar", &[&sample(Codec::Gzip)]));
    for _ in 0..5 {
        let home = Home::new();
        let path = images(&home, "x.tar", &[&sample(Codec::Gzip)]);
        let children: Vec<_> = (0..4)
            .map(|_| start(&home, &["load", "--sync", "none", "-i", &path]))
            .collect();
        for child in children {
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
        let record = |line: &String| line.contains(".json");
        let shape = |home: &Home| {
            home.shape()
                .into_iter()
                .filter(|line| !record(line))
                .collect::<Vec<_>>()
        };
        assert_eq!(shape(&home), shape(&alone));
        assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
    }
}

#[test]
#[ignore = "needs root"]
fn root_four_loads_of_different_images_at_once_lose_no_name() {
    let home = Home::new();
    let base = Layer::new(shell(), Codec::Gzip);
    let path = |number: usize| {
        let own = Archive::new().file("own", &number.to_string());
        let layers = [base.clone(), Layer::plain(own)];
        let mut layout = Layout::default();
        let entry = layout.image(&layers, &config_of(&layers));
        layout.entries.push(named(entry, &format!("own:{number}")));
        home.write(&format!("{number}.tar"), &layout.tar())
    };
    let children: Vec<_> = (0..4)
        .map(|number| start(&home, &["load", "-i", &path(number)]))
        .collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(home.layers().len(), 5);
    for number in 0..4 {
        let name = format!("own:{number}");
        assert_eq!(
            home.run(&name, &["/bin/busybox", "cat", "/own"]),
            number.to_string()
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_loads_and_removals_at_the_same_time_leave_a_whole_image_or_none() {
    let home = Home::new();
    let path = images(&home, "x.tar", &[&sample(Codec::Gzip)]);
    home.load(&path);
    for round in 0..15 {
        let load = start(&home, &["load", "--sync", "none", "-i", &path]);
        let remove = start(&home, &["rmi", "sample:1"]);
        let (load, remove) = (
            load.wait_with_output().unwrap(),
            remove.wait_with_output().unwrap(),
        );
        assert!(load.status.success(), "{round}: {load:?}");
        let said = String::from_utf8_lossy(&remove.stderr).into_owned();
        assert!(
            remove.status.success() || said.contains("No such image"),
            "{said}"
        );
        if home.ok(&["images", "-q"]).is_empty() {
            assert_eq!(home.layers(), [""; 0]);
            assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
        } else {
            assert_eq!(home.tree("sample:1"), SAMPLE_TREE, "{round}");
            assert_eq!(home.names_in("blobs/sha256").len(), 4);
        }
        assert_eq!(home.names_in("tmp"), [""; 0]);
        assert_eq!(home.names_in("trash"), [""; 0]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_load_that_fails_beside_one_that_works_takes_nothing_from_it() {
    for _ in 0..5 {
        let home = Home::new();
        let good = images(&home, "good.tar", &[&sample(Codec::Gzip)]);
        let mut layers = sample(Codec::Gzip);
        layers[1] = Layer::plain(Archive::new().hard("x", "not-there"));
        let bad = images(&home, "bad.tar", &[&layers]);
        let bad = start(&home, &["load", "-i", &bad]);
        let good = start(&home, &["load", "-i", &good]);
        assert!(!bad.wait_with_output().unwrap().status.success());
        assert!(good.wait_with_output().unwrap().status.success());
        assert_eq!(home.layers().len(), 2);
        assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
    }
}

#[test]
#[ignore = "needs root"]
fn root_what_a_killed_load_left_goes_with_the_next_one() {
    let home = Home::new();
    let big = vec![b'x'; 48 << 20];
    let big = Archive::new().sized(crate::archive::header(b'0', "big"), &big);
    let path = images(
        &home,
        "x.tar",
        &[&[
            Layer::new(shell(), Codec::Gzip),
            Layer::new(big, Codec::Gzip),
        ]],
    );
    home.ok(&["images"]);
    let mut interrupted = 0;
    for delay in [5, 15, 30, 60, 90, 400] {
        let mut child = start(&home, &["load", "-i", &path]);
        std::thread::sleep(std::time::Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        interrupted += usize::from(!home.names_in("tmp").is_empty());
    }
    assert!(interrupted > 0, "every load was faster than the kill");
    home.load(&images(&home, "y.tar", &[&sample(Codec::Gzip)]));
    assert_eq!(home.names_in("tmp"), [""; 0]);
    // A load that was done before it was killed left an image: whole, and without a name now.
    let images = home.ok(&["images", "-q", "--no-trunc"]);
    for image in images.lines() {
        home.ok(&["rmi", image]);
    }
    assert_eq!(home.layers(), [""; 0]);
    assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
}
