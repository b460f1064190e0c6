//! Every form an image comes in leads to the same tree.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Stdio,
};

use serde_json::json;

use crate::{
    archive::{Archive, header},
    support::{
        Codec, Files, Home, Layer, Layout, SAMPLE_TREE, directory_of, docker_archive, finish,
        sample, tar_of, through,
    },
};

/// The image `sample:1` is listed, inspected and run.
#[track_caller]
fn shows_the_sample(home: &Home, layers: &[Layer]) {
    let list = home.ok(&["images"]);
    let line: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..2], ["sample", "1"], "{list}");
    assert_eq!(list.lines().count(), 2, "{list}");
    let image = home.inspect("sample:1");
    assert!(image["Id"].as_str().unwrap().contains(line[2]));
    let diff_ids: Vec<_> = layers.iter().map(Layer::diff_id).collect();
    assert_eq!(image["RootFS"]["Layers"], json!(diff_ids));
    assert_eq!(image["RepoTags"], json!(["sample:1"]));
    assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
    assert_eq!(
        home.run(
            "sample:1",
            &["/bin/busybox", "cat", "/etc/motd", "/home/second"]
        ),
        "above allhangul"
    );
    assert_eq!(home.names_in("tmp"), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_an_oci_layout_has_layers_of_any_compression() {
    for codec in Codec::ALL {
        let home = Home::new();
        let layers = sample(codec);
        let path = home.write("x.tar", &Layout::of(&layers).tar());
        assert_eq!(home.load(&path), "Loaded image: sample:1\n", "{codec:?}");
        shows_the_sample(&home, &layers);
    }
}

#[test]
#[ignore = "needs root"]
fn root_layers_of_one_image_may_differ_in_compression() {
    for (lower, upper) in [(Codec::Gzip, Codec::Zstds), (Codec::Xz, Codec::Plain)] {
        let home = Home::new();
        let layers = vec![sample(lower).remove(0), sample(upper).remove(1)];
        let path = home.write("x.tar", &Layout::of(&layers).tar());
        home.load(&path);
        shows_the_sample(&home, &layers);
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_oci_layout_may_be_a_directory() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let path = home.input("layout");
    directory_of(&Layout::of(&layers).files(), &path);
    home.ok(&["load", "-i", &path]);
    shows_the_sample(&home, &layers);
}

/// Both forms, as tars of any compression.
fn archives() -> [(&'static str, Vec<u8>, Vec<Layer>); 2] {
    let (zipped, plain) = (sample(Codec::Gzip), sample(Codec::Plain));
    let oci = Layout::of(&zipped).tar();
    let docker = tar_of(&docker_archive(&[(&plain, &["sample:1"])]));
    [("oci", oci, zipped), ("docker", docker, plain)]
}

#[test]
#[ignore = "needs root"]
fn root_the_tar_around_an_image_may_be_compressed() {
    for (_, tar, layers) in archives() {
        for codec in Codec::ALL {
            let home = Home::new();
            let path = home.write("x", &codec.pack(&tar));
            assert_eq!(home.load(&path), "Loaded image: sample:1\n", "{codec:?}");
            shows_the_sample(&home, &layers);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_image_may_come_from_standard_input() {
    for (form, tar, layers) in archives() {
        for codec in [Codec::Plain, Codec::Gzip] {
            let home = Home::new();
            let path = home.write(form, &codec.pack(&tar));
            let mut load = home.command(&["load"]);
            let done = finish(load.stdin(File::open(path).unwrap()));
            assert_eq!(done.out, "Loaded image: sample:1\n", "{done:?}");
            shows_the_sample(&home, &layers);
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_image_may_come_through_a_pipe() {
    for (_, tar, layers) in archives() {
        let home = Home::new();
        let mut load = home.command(&["load", "-i", "-"]);
        load.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = load.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // In odd pieces: a reader must not count on whole blocks.
        for piece in tar.chunks(65_521) {
            pipe.write_all(piece).unwrap();
        }
        drop(pipe);
        assert!(child.wait().unwrap().success());
        shows_the_sample(&home, &layers);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_fifo_by_name_is_read_like_a_pipe() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let fifo = home.input("fifo");
    nix::unistd::mkfifo(fifo.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let child = home.command(&["load", "-i", &fifo]).spawn().unwrap();
    let mut pipe = File::options().write(true).open(&fifo).unwrap();
    pipe.write_all(&Layout::of(&layers).tar()).unwrap();
    drop(pipe);
    assert!(child.wait_with_output().unwrap().status.success());
    shows_the_sample(&home, &layers);
}

#[test]
#[ignore = "needs root"]
fn root_docker_archives_have_links_between_layers_and_old_files() {
    let home = Home::new();
    let layers = sample(Codec::Plain);
    let mut files = docker_archive(&[(&layers, &["sample:1"])]);
    // Old versions wrote equal layers once and linked the others to it.
    let manifest = String::from_utf8(files["manifest.json"].clone()).unwrap();
    let real = format!(
        "{}/layer.tar",
        layers[1].diff_id().trim_start_matches("sha256:")
    );
    let manifest = manifest.replace(&real, "second/layer.tar");
    files.insert("manifest.json".to_owned(), manifest.into_bytes());
    files.insert("repositories".to_owned(), b"not even JSON".to_vec());
    files.insert("second/VERSION".to_owned(), b"1.0".to_vec());
    files.insert("second/json".to_owned(), b"{}".to_vec());
    let add =
        |tar: Archive, (name, bytes): (&String, &Vec<u8>)| tar.sized(header(b'0', name), bytes);
    let tar = files.iter().fold(Archive::new(), add);
    // Links are short in ustar: through a name in between.
    let tar = tar
        .symlink("second/layer.tar", "../third/layer.tar")
        .symlink("third/layer.tar", &format!("../{real}"));
    let path = home.write("x.tar", &tar.end());
    assert_eq!(home.load(&path), "Loaded image: sample:1\n");
    shows_the_sample(&home, &layers);
}

#[test]
#[ignore = "needs root"]
fn root_compressed_layers_of_a_docker_archive_are_taken_by_content() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let path = home.write(
        "x.tar",
        &tar_of(&docker_archive(&[(&layers, &["sample:1"])])),
    );
    home.load(&path);
    shows_the_sample(&home, &layers);
}

#[test]
#[ignore = "needs root"]
fn root_a_docker_archive_with_a_layout_inside_has_the_names_of_its_manifest() {
    let home = Home::new();
    let layers = sample(Codec::Plain);
    let mut layout = Layout::of(&layers);
    layout.entries[0]["annotations"] = json!({});
    let mut files = layout.files();
    let config = crate::support::config_of(&layers).to_string();
    let path_of =
        |bytes: &[u8]| format!("blobs/sha256/{}", cowshed::ident::Digest::of(bytes).hex());
    let manifest = json!([{
        "Config": path_of(config.as_bytes()),
        "RepoTags": ["sample:1"],
        "Layers": layers.iter().map(|layer| path_of(&layer.blob)).collect::<Vec<_>>(),
    }]);
    files.insert("manifest.json".to_owned(), manifest.to_string().into());
    let path = home.write("x.tar", &tar_of(&files));
    assert_eq!(home.load(&path), "Loaded image: sample:1\n");
    shows_the_sample(&home, &layers);
}

#[test]
#[ignore = "needs root"]
fn root_other_tools_write_what_we_load() {
    // skopeo is not everywhere; where it is, its two forms are the most used ones.
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let layout = home.input("layout");
    directory_of(&Layout::of(&layers).files(), &layout);
    let copy = |to: &str| {
        let from = format!("oci:{layout}:sample:1");
        let mut skopeo = std::process::Command::new("skopeo");
        skopeo
            .args(["--insecure-policy", "copy", "-q", &from, to])
            .output()
    };
    let oci = home.input("skopeo");
    let Ok(done) = copy(&format!("oci:{oci}:sample:1")) else {
        writeln!(std::io::stderr(), "skipped: no skopeo").unwrap();
        return;
    };
    assert!(done.status.success(), "{done:?}");
    home.load(&oci);
    shows_the_sample(&home, &layers);
    let home = Home::new();
    let archive = home.input("docker.tar");
    let done = copy(&format!("docker-archive:{archive}:sample:1")).unwrap();
    assert!(done.status.success(), "{done:?}");
    home.load(&archive);
    shows_the_sample(&home, &layers);
}

#[test]
#[ignore = "needs root"]
fn root_gnu_tar_writes_layouts_we_load() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let layout = home.input("layout");
    directory_of(&Layout::of(&layers).files(), &layout);
    for form in ["gnu", "posix", "ustar"] {
        let home = Home::new();
        let format = format!("--format={form}");
        let tar = through(&["tar", "-c", &format, "-C", &layout, "."], b"");
        home.load(&home.write("x.tar", &tar));
        shows_the_sample(&home, &layers);
    }
    fs::remove_dir_all(layout).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_three_layers_stack_up_to_the_written_list() {
    let made = crate::support::fixtures();
    let text = fs::read_to_string("rootfs-fixtures/three-layers/merged.txt").unwrap();
    let ours = |line: &&str| crate::support::is_ours(line.splitn(5, ' ').nth(4).unwrap());
    let wanted: Vec<_> = text.lines().filter(ours).collect();
    for form in ["oci", "oci-zstd.tar", "docker.tar.gz", "docker-oci.tar"] {
        let home = Home::new();
        let path = made.join(format!("images/three-layers.{form}"));
        home.load(path.to_str().unwrap());
        assert_eq!(home.tree("three-layers"), wanted, "{form}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_several_images_of_one_archive_are_all_taken() {
    let home = Home::new();
    let layers = sample(Codec::Plain);
    let files: Files = docker_archive(&[
        (&layers, &["a:1", "b:2"]),
        (&layers[..1], &["c:3"]),
        (&layers[1..], &[]),
    ]);
    let out = home.load(&home.write("x.tar", &tar_of(&files)));
    let lines: Vec<_> = out.lines().collect();
    let named = [
        "Loaded image: a:1",
        "Loaded image: b:2",
        "Loaded image: c:3",
    ];
    assert_eq!(lines[..3], named);
    assert!(lines[3].starts_with("Loaded image ID: sha256:"), "{out}");
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 4);
    assert_eq!(home.tree("b:2"), SAMPLE_TREE);
}
