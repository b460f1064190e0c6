//! A damaged record: lists go on past it, prune leaves it alone, and who names the thing removes it.

use std::{fs, path::Path};

use crate::support::{Done, Shed, write_text};

/// What can happen to a record.
const DAMAGES: [&str; 7] = [
    "truncated",
    "empty",
    "not json",
    "wrong type",
    "newer",
    "directory",
    "gone",
];

fn damage(record: &Path, how: &str) {
    let mut text = crate::support::read(record);
    match how {
        "truncated" => text.truncate(text.len() / 2),
        "empty" => text.clear(),
        "not json" => "what?".clone_into(&mut text),
        "wrong type" => "[1, 2]".clone_into(&mut text),
        "newer" => text = text.replacen('{', "{\"format\": 99,", 1),
        _ => {
            fs::remove_file(record).unwrap();
            if how == "directory" {
                fs::create_dir(record).unwrap();
                write_text(&record.join("file"), "");
            }
            return;
        }
    }
    write_text(record, &text);
}

fn notes(done: &Done) -> usize {
    done.err.matches("cannot be read").count()
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_volume_stands_in_nobodys_way() {
    for how in DAMAGES {
        let shed = Shed::empty();
        for name in ["alpha", "bad", "zeta"] {
            shed.cowshed(&format!("volume create {name}")).ok();
            write_text(&shed.data(name).join("file"), "12345");
        }
        damage(&shed.store().join("volumes/bad/volume.json"), how);

        assert_eq!(shed.volumes(), ["alpha", "bad", "zeta"], "{how}");
        let long = shed.cowshed("volume ls --long");
        assert_eq!((long.code, notes(&long)), (0, 1), "{how}: {long:?}");
        let line = long.out.lines().find(|line| line.starts_with("bad"));
        let line = line.unwrap();
        assert!(line.contains("damaged") && line.contains("5B"), "{line}");
        assert_eq!(long.out.lines().count(), 4, "{how}: {long:?}");
        let json = shed.cowshed("volume ls --format json");
        assert_eq!((json.code, json.out.lines().count()), (0, 3), "{json:?}");
        let silent = shed.cowshed("--no-notes volume ls --long");
        assert_eq!((silent.code, silent.err.as_str()), (0, ""), "{silent:?}");

        let df = shed.cowshed("system df");
        assert_eq!((df.code, notes(&df)), (0, 1), "{how}: {df:?}");
        assert!(df.out.contains("Local Volumes   3 "), "{df:?}");
        shed.cowshed("system df -v").ok();
        shed.cowshed("info").ok();
        shed.cowshed("volume lint").ok();

        let told = shed.cowshed("volume inspect alpha bad");
        let told = told.fails(1, "read volume bad");
        assert!(told.out.contains("\"alpha\""), "{told:?}");
        let hint = "_data is as it was: copy it away, then cowshed volume rm bad";
        assert!(told.err.contains(hint), "{told:?}");
        assert!(!told.err.contains("load"), "{told:?}");
        // Nobody makes another one over it.
        shed.cowshed("volume create bad")
            .fails(1, "read volume bad");
        shed.cowshed("volume create new").ok();
        shed.cowshed("volume rm new").ok();

        let pruned = shed.cowshed("volume prune -f");
        assert_eq!((pruned.code, notes(&pruned)), (0, 1), "{how}: {pruned:?}");
        assert_eq!(shed.volumes(), ["bad"], "{how}");
        assert!(pruned.err.contains("stay: bad"), "{pruned:?}");
        shed.cowshed("volume prune -f --no-trash").ok();
        shed.cowshed("system prune -f --volumes").ok();
        assert!(shed.data("bad").join("file").exists(), "{how}");

        assert_eq!(shed.cowshed("volume rm bad").ok(), "bad\n");
        assert_eq!(shed.volumes(), Vec::<String>::new());
        assert!(!shed.store().join("volumes/bad").exists());
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_volume_in_the_trash_stands_in_nobodys_way() {
    for how in DAMAGES {
        let shed = Shed::empty();
        for name in ["bad", "good"] {
            shed.cowshed(&format!("volume create {name}")).ok();
            write_text(&shed.data(name).join("file"), "12345");
        }
        shed.cowshed("volume prune -f").ok();
        let trash = fs::read_dir(shed.store().join("trash/volumes")).unwrap();
        let trash: Vec<_> = trash.map(|entry| entry.unwrap().path()).collect();
        let bad = trash
            .iter()
            .find(|path| path.display().to_string().ends_with("-bad"));
        damage(&bad.unwrap().join("volume.json"), how);

        let list = shed.cowshed("volume trash ls --format '{{.Name}} {{.Size}}'");
        assert_eq!((list.code, notes(&list)), (0, 1), "{how}: {list:?}");
        let mut lines: Vec<_> = list.out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["bad 5B", "good 5B"], "{how}");
        shed.cowshed("info").ok();
        shed.cowshed("volume trash restore good").ok();
        let refused = shed.cowshed("volume trash restore bad");
        let refused = refused.fails(1, "restore bad: its record cannot be read");
        assert!(refused.err.contains("-bad/_data"), "{refused:?}");
        let emptied = shed.cowshed("volume trash empty -f bad").ok();
        assert_eq!(emptied, "bad\nTotal reclaimed space: 5B\n", "{how}");
        assert_eq!(shed.volumes(), ["good"]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_volume_in_use_is_not_removed() {
    let shed = Shed::new();
    shed.cowshed("volume create -o type=tmpfs -o device=tmpfs disk")
        .ok();
    shed.cowshed("run -d --name one -v data:/d -v disk:/t base sleep 1000")
        .ok();
    for name in ["data", "disk"] {
        damage(
            &shed.store().join(format!("volumes/{name}/volume.json")),
            "empty",
        );
        let long = shed.cowshed("volume ls --long").ok();
        let line = long.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains("one"), "{long}");
        for force in ["", "-f "] {
            shed.cowshed(&format!("volume rm {force}{name}"))
                .fails(1, "volume is in use - [");
        }
    }
    shed.cowshed("run --rm -v data:/d base true")
        .fails(125, "read volume data");
    shed.cowshed("rm -f one").ok();
    shed.cowshed("volume rm data disk").ok();
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_container_stands_in_nobodys_way() {
    for how in DAMAGES {
        let shed = Shed::new();
        shed.cowshed("create --name bad -v data:/d base true").ok();
        shed.cowshed("run -d --name good base sleep 1000").ok();
        let id = shed.id_of("bad");
        let short = &id[..12];
        let record = shed
            .store()
            .join("containers")
            .join(&id)
            .join("config.json");
        damage(&record, how);

        let ps = shed.cowshed("ps -a --format '{{.ID}} {{.Names}} {{.Status}}'");
        assert_eq!((ps.code, notes(&ps)), (0, 1), "{how}: {ps:?}");
        assert!(ps.out.contains(&format!("{short} bad Dead\n")), "{ps:?}");
        assert!(ps.out.contains(" good Up "), "{ps:?}");
        assert_eq!(shed.cowshed("ps -q").ok().lines().count(), 1);
        let dead = shed.cowshed("ps -q --filter status=dead").ok();
        assert_eq!(dead, format!("{short}\n"), "{how}");
        let pruned = shed.cowshed("container prune -f");
        assert_eq!((pruned.code, notes(&pruned)), (0, 1), "{how}: {pruned:?}");
        assert!(pruned.err.contains(&format!("stay: {short}")), "{pruned:?}");
        // What images it needs nobody knows.
        let pruned = shed.cowshed("system prune -f");
        assert_eq!((pruned.code, notes(&pruned)), (1, 1), "{how}: {pruned:?}");
        assert!(pruned.err.contains("hint: "), "{pruned:?}");
        for line in [
            "stats --no-stream",
            "system df",
            "system df -v",
            "info",
            "volume ls --long",
            "volume inspect data",
            "volume users data",
            "exec good true",
            "run --rm base true",
            "run --rm -v /anonymous base true",
            "inspect good",
        ] {
            shed.cowshed(line).ok();
        }
        // It may use anything: nothing goes that cannot come back.
        for line in ["volume rm data", "volume prune -f", "rmi base"] {
            let refused = shed.cowshed(line);
            let refused = refused.fails(1, &format!("read container {id}"));
            assert!(
                refused.err.contains(&format!("cowshed rm {short}")),
                "{how}"
            );
        }
        let told = shed.cowshed("inspect --type container bad");
        told.fails(1, &format!("read container {id}"));
        shed.cowshed("start bad").fails(1, "read container");

        shed.cowshed("rm bad").ok();
        assert_eq!(shed.cowshed("ps -aq").ok().lines().count(), 1);
        shed.cowshed("create --name bad base true").ok();
        shed.cowshed("volume prune -f").ok();
        assert_eq!(shed.volumes(), Vec::<String>::new());
        shed.cowshed("rm -f bad good").ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_container_that_runs_is_removed_by_force_alone() {
    let shed = Shed::new();
    shed.cowshed("run -d --name bad base sleep 1000").ok();
    let id = shed.id_of("bad");
    let pid = shed.pid_of("bad");
    let record = shed
        .store()
        .join("containers")
        .join(&id)
        .join("config.json");
    damage(&record, "empty");
    shed.cowshed("rm bad").fails(1, "is running");
    shed.cowshed("rm -f bad").ok();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_container_whose_state_a_power_cut_took_is_started_again() {
    for how in DAMAGES.into_iter().filter(|how| *how != "gone") {
        let shed = Shed::new();
        shed.cowshed("run --name one base sh -c 'exit 3'");
        let id = shed.id_of("one");
        let state = shed.store().join("containers").join(&id).join("state.json");
        damage(&state, how);
        let ps = shed.cowshed("ps -a --format '{{.Names}} {{.Status}}'").ok();
        assert!(ps.starts_with("one Exited (255) "), "{how}: {ps}");
        if how != "directory" {
            shed.cowshed("start -a one").fails(3, "");
            assert_eq!(shed.inspect("one")["State"]["ExitCode"], 3, "{how}");
        }
        shed.cowshed("rm one").ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_image_stands_in_nobodys_way() {
    for how in DAMAGES.into_iter().filter(|how| *how != "gone") {
        let shed = Shed::new();
        shed.image("other", crate::support::Tar::new(), &[]);
        let digests = shed
            .cowshed("images --digests --format '{{.Repository}} {{.Digest}}'")
            .ok();
        let digest = digests.lines().find_map(|line| line.strip_prefix("other "));
        let hex = digest.unwrap().strip_prefix("sha256:").unwrap();
        damage(&shed.store().join(format!("images/{hex}.json")), how);

        let images = shed.cowshed("images --format '{{.Repository}} {{.ID}}'");
        assert_eq!((images.code, notes(&images)), (0, 1), "{how}: {images:?}");
        let line = format!("other {}", &hex[..12]);
        assert!(images.out.contains(&line), "{how}: {images:?}");
        for line in ["system df", "system df -v", "info", "run --rm base true"] {
            shed.cowshed(line).ok();
        }
        let told = shed.cowshed("run --rm other true");
        let told = told.fails(125, "read image other");
        assert!(
            told.err
                .contains("system check --repair makes its record again; or cowshed rmi other"),
            "{told:?}"
        );
        shed.cowshed(
            if how == "empty" {
                format!("rmi {}", &hex[..12])
            } else {
                "rmi other".to_owned()
            }
            .as_str(),
        )
        .ok();
        let images = shed.cowshed("images --format '{{.Repository}}'");
        assert_eq!((images.out.as_str(), images.err.as_str()), ("base\n", ""));
        shed.cowshed("run --rm base true").ok();
        shed.cowshed("rmi base").ok();
        assert_eq!(
            fs::read_dir(shed.store().join("blobs/sha256"))
                .unwrap()
                .count(),
            0,
            "{how}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_damaged_names_of_images_leave_their_ids() {
    for how in DAMAGES
        .into_iter()
        .filter(|how| !matches!(*how, "gone" | "newer"))
    {
        let shed = Shed::new();
        let id = shed.cowshed("images -q").ok();
        let id = id.trim();
        let names = shed.store().join("images/names.json");
        damage(&names, how);
        let images = shed.cowshed("images --format '{{.Repository}} {{.ID}}'");
        assert_eq!(
            (images.code, images.out.trim()),
            (0, format!("<none> {id}").as_str())
        );
        assert!(images.err.contains("names"), "{images:?}");
        shed.cowshed(&format!("run --rm {id} true")).ok();
        let told = shed.cowshed("run --rm base true");
        let told = told.fails(125, "read the names of images");
        assert!(
            told.err.contains(&format!(
                "system check --repair puts {} aside",
                names.display()
            )),
            "{told:?}"
        );
        shed.cowshed(&format!("rmi {id}")).ok();
        assert_eq!(shed.cowshed("images -q").ok(), "");
    }
}
