//! `save` (rule 71): in every form, read again by ourselves and by skopeo.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Shed, Tar, finish, write_file};

/// A store with two images of one base, one with two names.
fn shed() -> Shed {
    let shed = Shed::new();
    shed.image(
        "one",
        Tar::new().file("1", 0o644, b"one"),
        &["CMD [\"cat\", \"/1\"]"],
    );
    shed.image(
        "two:2",
        Tar::new().file("2", 0o644, b"two"),
        &["CMD [\"cat\", \"/2\"]"],
    );
    shed.cowshed("tag one localhost:5000/a/one:v1").ok();
    shed
}

fn tar_members(path: &Path) -> Vec<String> {
    let mut command = Command::new("tar");
    command.arg("tf").arg(path);
    finish(command).ok().lines().map(str::to_owned).collect()
}

fn member(path: &Path, name: &str) -> Value {
    let mut command = Command::new("tar");
    command.arg("xOf").arg(path).arg(name);
    serde_json::from_str(&finish(command).ok()).unwrap()
}

fn manifest_of(shed: &Shed, image: &str) -> Value {
    shed.inspect(image)["Manifest"].clone()
}

/// Loads into another store; the other shed.
fn loaded(path: &str) -> Shed {
    let other = Shed::empty();
    other.cowshed(&format!("load --sync none -i {path}")).ok();
    other
}

#[test]
#[ignore = "needs root"]
fn root_an_oci_archive_gives_the_same_images_with_the_same_digests() {
    let shed = shed();
    let out = shed.show("out.tar");
    let names = "one localhost:5000/a/one:v1 two:2";
    for extra in ["", "--compress gzip", "--compress zstd", "--format oci"] {
        shed.cowshed(&format!("save {extra} -o {out} {names}")).ok();
        let other = loaded(&out);
        for name in names.split(' ') {
            assert_eq!(
                manifest_of(&other, name),
                manifest_of(&shed, name),
                "{extra}"
            );
        }
        assert_eq!(
            other.cowshed("run --rm localhost:5000/a/one:v1").ok(),
            "one"
        );
        assert_eq!(other.cowshed("run --rm two:2").ok(), "two");
    }
    let again = shed.show("again.tar");
    shed.cowshed(&format!("save --format oci -o {again} {names}"))
        .ok();
    assert!(
        fs::read(&out).unwrap() == fs::read(&again).unwrap(),
        "reproducible"
    );
    let index = member(Path::new(&out), "index.json");
    let annotations = |number: usize| index["manifests"][number]["annotations"].clone();
    assert_eq!(
        annotations(0)["io.containerd.image.name"],
        "docker.io/library/one:latest"
    );
    assert_eq!(
        annotations(1)["io.containerd.image.name"],
        "localhost:5000/a/one:v1"
    );
    assert_eq!(annotations(1)["org.opencontainers.image.ref.name"], "v1");
}

#[test]
#[ignore = "needs root"]
fn root_rule_71_a_docker_archive_is_as_docker_20_writes_it() {
    let shed = shed();
    let out = shed.path("out.tar");
    shed.cowshed(&format!(
        "save --format docker-archive -o {} one two:2 localhost:5000/a/one:v1",
        out.display()
    ))
    .ok();
    let members = tar_members(&out);
    let list = member(&out, "manifest.json");
    for item in list.as_array().unwrap() {
        assert!(members.contains(&item["Config"].as_str().unwrap().to_owned()));
        for layer in item["Layers"].as_array().unwrap() {
            let id = layer.as_str().unwrap().strip_suffix("/layer.tar").unwrap();
            for file in ["VERSION", "json", "layer.tar"] {
                assert!(members.contains(&format!("{id}/{file}")), "{members:?}");
            }
            assert_eq!(member(&out, &format!("{id}/json"))["id"], id);
        }
    }
    let tags = serde_json::json!(["one:latest", "localhost:5000/a/one:v1"]);
    assert_eq!(list[0]["RepoTags"], tags);
    let repositories = member(&out, "repositories");
    let top = list[0]["Layers"].as_array().unwrap().last().unwrap();
    let top = top.as_str().unwrap().strip_suffix("/layer.tar").unwrap();
    assert_eq!(repositories["localhost:5000/a/one"]["v1"], top);
    assert_eq!(repositories["one"]["latest"], top);
    assert_ne!(repositories["two"]["2"], top);
    // The base, which is below both, is there once.
    let layers = members.iter().filter(|name| name.ends_with("layer.tar"));
    assert_eq!(layers.count(), 3);
    let other = loaded(&out.display().to_string());
    assert_eq!(other.inspect("two:2")["Id"], shed.inspect("two:2")["Id"]);
    assert_eq!(other.cowshed("run --rm one").ok(), "one");
    // What came compressed is written plain.
    let gzip = other.show("gzip.tar");
    shed.cowshed(&format!(
        "save --format oci-dir -o {} one",
        shed.show("layout")
    ))
    .ok();
    recompressed(&shed, "layout", "gz");
    let third = loaded(&shed.show("gz"));
    let name = third.cowshed("images -q").ok();
    third
        .cowshed(&format!(
            "save --format docker-archive -o {gzip} {}",
            name.trim()
        ))
        .ok();
    let fourth = loaded(&gzip);
    assert_eq!(fourth.inspect(name.trim())["Id"], shed.inspect("one")["Id"]);
}

/// The layout with gzip layers, by skopeo; the same one where there is no skopeo.
fn recompressed(shed: &Shed, from: &str, to: &str) {
    if !has_skopeo() {
        fs::rename(shed.path(from), shed.path(to)).unwrap();
        return;
    }
    let mut command = Command::new("skopeo");
    command.args([
        "--insecure-policy",
        "copy",
        "-q",
        "--dest-compress-format",
        "gzip",
    ]);
    command.arg(format!("oci:{}", shed.show(from)));
    command.arg(format!("docker-archive:{}.tar:one:latest", shed.show(to)));
    finish(command).ok();
    fs::rename(shed.path(&format!("{to}.tar")), shed.path(to)).unwrap();
}

fn has_skopeo() -> bool {
    let mut command = Command::new("skopeo");
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
#[ignore = "needs root"]
fn root_skopeo_reads_every_form_and_finds_the_same_digest() {
    if !has_skopeo() {
        return;
    }
    let shed = shed();
    let show = |name: &str| shed.show(name);
    shed.cowshed(&format!("save -o {} two:2", show("oci.tar")))
        .ok();
    shed.cowshed(&format!("save --format oci-dir -o {} two:2", show("dir")))
        .ok();
    shed.cowshed(&format!(
        "save --format docker-archive -o {} one two:2",
        show("docker.tar")
    ))
    .ok();
    let inspect = |source: String| -> Value {
        let mut command = Command::new("skopeo");
        command.args(["inspect", &source]);
        serde_json::from_str(&finish(command).ok()).unwrap()
    };
    let digest = manifest_of(&shed, "two:2");
    for source in [
        format!("oci-archive:{}:2", show("oci.tar")),
        format!("oci:{}:2", show("dir")),
    ] {
        assert_eq!(inspect(source)["Digest"], digest);
    }
    for source in ["oci.tar", "docker.tar"] {
        let source = format!("docker-archive:{}:two:2", show(source));
        let layers = inspect(source)["Layers"].as_array().unwrap().len();
        assert_eq!(layers, 2);
    }
    // What skopeo makes of it is the same to us.
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "copy", "-q", "--preserve-digests"]);
    command.arg(format!("oci-archive:{}", show("oci.tar")));
    command.arg(format!("oci:{}:two:2", show("copied")));
    finish(command).ok();
    let other = loaded(&show("copied"));
    let id = other.cowshed("images -q --no-trunc").ok();
    assert_eq!(manifest_of(&other, id.trim()), digest);
}

#[test]
#[ignore = "needs root"]
fn root_a_repository_means_all_its_tags_and_an_id_no_name() {
    let shed = shed();
    shed.cowshed("tag two:2 one:other").ok();
    let out = shed.show("out.tar");
    shed.cowshed(&format!("image save -o {out} one")).ok();
    let other = loaded(&out);
    let names = |shed: &Shed| {
        let text = shed
            .cowshed("images --format {{.Repository}}:{{.Tag}}")
            .ok();
        let mut names: Vec<_> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(names(&other), ["one:latest", "one:other"]);
    let id = shed.inspect("two:2")["Id"].as_str().unwrap()[7..19].to_owned();
    for format in ["oci", "oci-dir", "docker-archive"] {
        let out = shed.show(format);
        shed.cowshed(&format!("save --format {format} -o {out} {id} one:latest"))
            .ok();
        let other = loaded(&out);
        assert_eq!(names(&other), ["<none>:<none>", "one:latest"], "{format}");
        assert_eq!(
            other.cowshed(&format!("run --rm {id}")).ok(),
            "two",
            "{format}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_no_part_of_an_archive_is_ever_under_its_name() {
    let shed = shed();
    let out = shed.file("out.tar", "before");
    let beside = || {
        let all = fs::read_dir(shed.path("")).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("cowshed-save")).count()
    };
    shed.cowshed(&format!("save -o {out} one nosuch"))
        .fails(1, "No such image: nosuch");
    // A damaged blob is found before its last byte is written.
    let image = shed.inspect("one");
    let blob = image["Layers"][1]["Blob"].as_str().unwrap()[7..].to_owned();
    let blob = shed.store().join("blobs/sha256").join(blob);
    let bytes = fs::read(&blob).unwrap();
    let mut damaged = bytes.clone();
    damaged[700] ^= 1;
    write_file(&blob, &damaged);
    for format in ["oci", "docker-archive", "oci-dir"] {
        let out = if format == "oci-dir" {
            shed.show("dir")
        } else {
            out.clone()
        };
        shed.cowshed(&format!("save --format {format} -o {out} one"))
            .fails(1, "is damaged");
    }
    write_file(&blob, &bytes[..600]);
    shed.cowshed(&format!("save -o {out} one"))
        .fails(1, "is damaged");
    fs::remove_file(&blob).unwrap();
    shed.cowshed(&format!("save -o {out} one"))
        .fails(1, "no such file");
    assert_eq!(fs::read_to_string(&out).unwrap(), "before");
    assert!(!shed.path("dir").exists());
    assert_eq!(beside(), 0);
    write_file(&blob, &bytes);
    let full = shed.cowshed("save -o /dev/full one");
    assert_ne!(full.code, 0);
    let dir = shed.dir("taken");
    shed.cowshed(&format!("save -o {dir} one"))
        .fails(1, "cannot write to a directory");
    shed.file("taken/x", "x");
    shed.cowshed(&format!("save --format oci-dir -o {dir} one"))
        .fails(1, "ENOTEMPTY");
    shed.cowshed("save --format oci-dir one")
        .fails(1, "name it with -o");
    shed.cowshed(&format!("save -o {} one", shed.show("no/where.tar")))
        .fails(1, "failed to save image: invalid output path");
}

#[test]
#[ignore = "needs root"]
fn root_standard_output_is_an_archive_and_a_terminal_is_refused() {
    let shed = shed();
    let out = shed.path("out.tar");
    let mut command = shed.command("save one");
    command.stdout(fs::File::create(&out).unwrap());
    assert!(command.status().unwrap().success());
    loaded(&out.display().to_string());
    let mut command = Command::new("script");
    let plain = shed.command("save one");
    let program = plain.get_program().to_str().unwrap();
    command.args(["-qec", &format!("{program} save one"), "/dev/null"]);
    command
        .env("COWSHED_ROOT", shed.store())
        .stdin(Stdio::null());
    let done = finish(command);
    assert_eq!(done.code, 1);
    assert!(
        done.out.contains("cowardly refusing to save to a terminal"),
        "{done:?}"
    );
    // A reader that goes is an error, and a full one, too.
    let mut command = shed.command("save one");
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(finish_with_output(command), Some(1));
}

fn finish_with_output(mut command: Command) -> Option<i32> {
    command.stderr(Stdio::null()).status().unwrap().code()
}

#[test]
#[ignore = "needs root"]
fn root_removals_do_not_wait_for_a_slow_reader() {
    let shed = shed();
    // More than a pipe and the buffers before it take.
    let big = vec![b'x'; 4 << 20];
    shed.image("big", Tar::new().file("big", 0o644, &big), &[]);
    let mut command = shed.command("save big");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut archive = vec![0; 1];
    // The images are found once something comes.
    out.read_exact(&mut archive).unwrap();
    shed.cowshed("rmi two:2").ok();
    shed.cowshed("rmi big").ok();
    assert!(child.try_wait().unwrap().is_none());
    out.read_to_end(&mut archive).unwrap();
    assert!(child.wait().unwrap().success());
    let path = shed.path("big.tar");
    write_file(&path, &archive);
    let blobs = || {
        fs::read_dir(shed.store().join("blobs/sha256"))
            .unwrap()
            .count()
    };
    let left = blobs();
    shed.cowshed("rmi -f one localhost:5000/a/one:v1 base").ok();
    assert!(left > 0 && blobs() == 0, "{left}");
    loaded(&path.display().to_string());
}
