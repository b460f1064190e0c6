//! What one pushes the other pulls, byte for byte.

use serde_json::json;

use crate::{
    making::{
        Codec, Layer, Layout, SAMPLE_TREE, config_of, directory_of, docker_archive, sample, shell,
        tar_of,
    },
    scene::{Registry, Scene, raw, skopeo},
};

/// Puts a layout into a registry by skopeo.
fn push_by_skopeo(scene: &Scene, layout: &Layout, to: &str, more: &[&str]) {
    let dir = scene.home.input(&to.replace(['/', ':'], "-"));
    directory_of(&layout.files(), &dir);
    let (from, to) = (format!("oci:{dir}:sample:1"), format!("docker://{to}"));
    let args = ["copy", "-q", "--dest-tls-verify=false"];
    skopeo(&[&args, more, &[&from, &to]].concat());
}

#[test]
#[ignore = "needs root"]
fn root_what_skopeo_pushes_is_pulled_and_pushed_on_with_the_same_digests() {
    let registry = Registry::start();
    let forms: [(&str, Codec, &[&str]); 4] = [
        ("oci", Codec::Gzip, &[]),
        ("docker", Codec::Gzip, &["--format", "v2s2"]),
        ("zstd", Codec::Zstd, &[]),
        ("plain", Codec::Plain, &[]),
    ];
    for (form, codec, more) in forms {
        let scene = Scene::new();
        let name = registry.name(&format!("from/{form}:1"));
        push_by_skopeo(&scene, &Layout::of(&sample(codec)), &name, more);
        let (digest, document) = raw(&name);
        let out = scene.pull(&name);
        assert!(
            out.contains(&format!("Digest: {digest}\n")),
            "{form}: {out}"
        );
        let status = format!("Status: Downloaded newer image for {name}\n{name}\n");
        assert!(out.ends_with(&status), "{form}: {out}");
        assert_eq!(scene.manifest(&name), digest);
        assert_eq!(document["config"]["digest"], scene.id(&name));
        assert_eq!(scene.home.tree(&name), SAMPLE_TREE, "{form}");

        let again = registry.name(&format!("to/{form}:2"));
        scene.ok(&["tag", &name, &again]);
        let out = scene.ok(&["push", &again]);
        let last = out.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("2: digest: {digest} size: ")),
            "{out}"
        );
        assert_eq!(raw(&again), (digest, document), "{form}");
        // All of it can be fetched by the other side, too.
        let copy = format!("oci:{}:x", scene.home.input("copy"));
        skopeo(&[
            "copy",
            "-q",
            "--src-tls-verify=false",
            &format!("docker://{again}"),
            &copy,
        ]);
        assert_eq!(scene.home.names_in("tmp"), [""; 0]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_what_is_pushed_here_is_pulled_into_an_empty_store() {
    let (registry, scene) = (Registry::start(), Scene::new());
    let path = scene
        .home
        .write("sample.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    scene.home.load(&path);
    let (id, manifest) = (scene.id("sample:1"), scene.manifest("sample:1"));
    let name = registry.name("a/b:latest");
    scene.ok(&["tag", "sample:1", &name]);
    let bare = name.trim_end_matches(":latest");
    let out = scene.ok(&["push", bare]);
    let refers = format!("Using default tag: latest\nThe push refers to repository [{bare}]\n");
    assert!(out.starts_with(&refers), "{out}");
    assert_eq!(out.matches(": Pushed\n").count(), 2, "{out}");
    let out = scene.ok(&["push", &name]);
    assert_eq!(out.matches(": Layer already exists\n").count(), 2, "{out}");
    assert_eq!(scene.ok(&["push", "-q", &name]), format!("{name}\n"));
    assert_eq!(raw(&name).0, manifest);

    scene.forget(&id);
    scene.pull(&name);
    assert_eq!(
        (scene.id(&name), scene.manifest(&name)),
        (id, manifest.clone())
    );
    let out = scene.pull(&name);
    assert_eq!(out.matches(": Already exists\n").count(), 2, "{out}");
    assert!(
        out.contains(&format!("Status: Image is up to date for {name}\n")),
        "{out}"
    );
    assert_eq!(scene.ok(&["pull", "-q", &name]), format!("{name}\n"));
    let digests = &scene.home.inspect(&name)["RepoDigests"];
    assert_eq!(*digests, json!([format!("{bare}@{manifest}")]));
    // With its last name a repository is no source of the image any more.
    scene.ok(&["tag", &name, "elsewhere:1"]);
    scene.ok(&["tag", &name, &format!("{bare}:other")]);
    scene.ok(&["rmi", &name]);
    let digests = || scene.home.inspect("elsewhere:1")["RepoDigests"].clone();
    assert_eq!(digests(), json!([format!("{bare}@{manifest}")]));
    scene.ok(&["rmi", &format!("{bare}:other")]);
    assert_eq!(digests(), json!([]));

    // The journal has Docker's words.
    let events = scene.ok(&["events", "--since", "1h", "--until", "0s"]);
    let attribute = format!("{name} (name={bare})");
    for action in ["push", "pull"] {
        assert!(
            events.contains(&format!(" image {action} {attribute}\n")),
            "{events}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_layers_of_a_docker_archive_are_compressed_on_the_way() {
    let (registry, scene) = (Registry::start(), Scene::new());
    let layers = sample(Codec::Plain);
    let files = docker_archive(&[(&layers, &["sample:1"])]);
    scene
        .home
        .load(&scene.home.write("docker.tar", &tar_of(&files)));
    let id = scene.id("sample:1");
    let name = registry.name("packed:1");
    scene.ok(&["tag", "sample:1", &name]);
    scene.ok(&["push", &name]);
    let (digest, document) = raw(&name);
    assert_eq!(document["config"]["digest"], id.as_str());
    for layer in document["layers"].as_array().unwrap() {
        assert!(
            layer["mediaType"].as_str().unwrap().ends_with("+gzip"),
            "{document}"
        );
    }
    // The same bytes each time: the second push sends nothing.
    let out = scene.ok(&["push", &name]);
    assert_eq!(out.matches(": Layer already exists\n").count(), 2, "{out}");
    assert_eq!(raw(&name).0, digest);
    let copy = format!("oci:{}:x", scene.home.input("copy"));
    skopeo(&[
        "copy",
        "-q",
        "--src-tls-verify=false",
        &format!("docker://{name}"),
        &copy,
    ]);
    scene.forget(&id);
    scene.pull(&name);
    assert_eq!(scene.id(&name), id);
    assert_eq!(scene.home.tree(&name), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_the_build_for_the_platform_is_chosen() {
    let (registry, scene) = (Registry::start(), Scene::new());
    let mut layout = Layout::default();
    let mut entries = Vec::new();
    for architecture in ["arm64", "amd64", "s390x"] {
        let mark = crate::archive::Archive::new().file("architecture", architecture);
        let layers = [
            Layer::new(shell(), Codec::Gzip),
            Layer::new(mark, Codec::Gzip),
        ];
        let mut config = config_of(&layers);
        config["architecture"] = json!(architecture);
        let mut entry = layout.image(&layers, &config);
        entry["platform"] = json!({ "os": "linux", "architecture": architecture });
        entries.push(entry);
    }
    let index = layout.index(&entries);
    layout
        .entries
        .push(crate::making::named(index.clone(), "sample:1"));
    let name = registry.name("many:1");
    push_by_skopeo(&scene, &layout, &name, &["--all"]);
    let (digest, _) = raw(&name);
    assert_eq!(index["digest"], digest.as_str());
    let shown = |image: &str| {
        scene
            .home
            .run(image, &["/bin/busybox", "cat", "/architecture"])
    };

    let out = scene.pull(&name);
    assert!(out.contains(&format!("Digest: {digest}\n")), "{out}");
    let host = std::env::consts::ARCH
        .replace("x86_64", "amd64")
        .replace("aarch64", "arm64");
    assert_eq!(shown(&name), host);
    // Docker shows the index, and takes its digest for a name.
    let by_digest = format!("{}@{digest}", name.trim_end_matches(":1"));
    assert_eq!(scene.home.inspect(&name)["RepoDigests"], json!([by_digest]));
    let told = scene.ok(&["images", "--digests", "--format", "{{.Digest}}"]);
    assert_eq!(told, format!("{digest}\n"));
    assert_eq!(shown(&by_digest), host);
    for platform in ["linux/s390x", "arm64"] {
        scene.ok(&["pull", "--sync", "none", "--platform", platform, &name]);
        assert_eq!(
            scene.home.inspect(&name)["Architecture"],
            platform.rsplit('/').next().unwrap()
        );
    }
    let image = scene.manifest(&name);
    scene.refused(
        &["pull", "--platform", "linux/riscv64", &name],
        &["no matching manifest for linux/riscv64", &registry.host],
    );
    scene.refused(
        &["pull", "--platform", "a/b/c/d", &name],
        &["invalid platform"],
    );
    assert_eq!(scene.manifest(&name), image);
}

#[test]
#[ignore = "needs root"]
fn root_one_manifest_of_another_platform_is_taken_with_a_warning() {
    let (registry, scene) = (Registry::start(), Scene::new());
    // One manifest alone says it in its config: Docker takes it, and warns.
    let single = registry.name("single:1");
    push_by_skopeo(&scene, &Layout::of(&sample(Codec::Gzip)), &single, &[]);
    let done = scene.cowshed(&[
        "pull",
        "--sync",
        "none",
        "--platform",
        "linux/s390x",
        &single,
    ]);
    assert!(
        done.code == Some(0)
            && done
                .err
                .contains("does not match the specified platform: wanted linux/s390x"),
        "{done:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_digests_name_images_too() {
    let (registry, scene) = (Registry::start(), Scene::new());
    let name = registry.name("digested:1");
    push_by_skopeo(&scene, &Layout::of(&sample(Codec::Gzip)), &name, &[]);
    let (digest, _) = raw(&name);
    let bare = name.trim_end_matches(":1");
    let by_digest = format!("{bare}@{digest}");
    let out = scene.pull(&format!("{bare}:1@{digest}"));
    assert!(
        out.contains(&format!("Status: Downloaded newer image for {by_digest}\n")),
        "{out}"
    );
    let rows = scene.ok(&["images", "--format", "{{.Repository}} {{.Tag}}"]);
    assert_eq!(rows, format!("{bare} <none>\n"));
    scene.pull(&name);
    let rows = scene.ok(&["images", "--format", "{{.Repository}} {{.Tag}}"]);
    assert_eq!(rows, format!("{bare} 1\n"));
    let wrong = format!("{bare}@sha256:{}", "0".repeat(64));
    scene.refused(&["pull", &wrong], &["not found", &registry.host]);
    let out = scene.ok(&["rmi", &name]);
    assert!(out.contains(&format!("Untagged: {by_digest}\n")), "{out}");
    assert_eq!(scene.ok(&["images", "-q"]), "");
}

#[test]
#[ignore = "needs root"]
fn root_blobs_of_another_repository_are_mounted_and_all_tags_go_at_once() {
    let (registry, scene) = (Registry::start(), Scene::new());
    let path = scene
        .home
        .write("sample.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    scene.home.load(&path);
    let first = registry.name("first:1");
    scene.ok(&["tag", "sample:1", &first]);
    scene.ok(&["push", &first]);
    let names = ["second:1", "second:2"].map(|rest| registry.name(rest));
    for name in &names {
        scene.ok(&["tag", "sample:1", name]);
    }
    let out = scene.ok(&["push", "-a", &registry.name("second")]);
    assert_eq!(out.matches(": Mounted from first\n").count(), 2, "{out}");
    assert_eq!(out.matches(": digest: ").count(), 2, "{out}");
    scene.forget(&scene.id(&first));
    let out = scene.ok(&["pull", "--sync", "none", "-a", &registry.name("second")]);
    assert!(
        out.ends_with(&format!("{}\n", registry.name("second"))),
        "{out}"
    );
    assert_eq!(scene.manifest(&names[0]), scene.manifest(&names[1]));
    let done = scene.cowshed(&["pull", "-a", &names[0]]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("tag can't be used with --all-tags/-a"),
        "{done:?}"
    );
    let done = scene.cowshed(&["push", &registry.name("absent")]);
    let text = format!(
        "An image does not exist locally with the tag: {}",
        registry.name("absent")
    );
    assert!(done.code == Some(1) && done.err.contains(&text), "{done:?}");
}
