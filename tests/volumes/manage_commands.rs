//! `volume create|ls|inspect|rename|label|describe|protect|users|history|lint`.

use std::os::unix::fs::MetadataExt as _;

use crate::support::{Shed, Tar};

/// Names that no volume has, and what is said about them.
const BAD: [(&str, &str); 9] = [
    ("a/b", "includes invalid characters for a local volume name"),
    (
        "../a",
        "includes invalid characters for a local volume name",
    ),
    ("..", "includes invalid characters for a local volume name"),
    (
        "/etc",
        "includes invalid characters for a local volume name",
    ),
    (
        ".hidden",
        "includes invalid characters for a local volume name",
    ),
    (
        "볼륨",
        "includes invalid characters for a local volume name",
    ),
    ("a b", "includes invalid characters for a local volume name"),
    (
        "bell\u{7}",
        "includes invalid characters for a local volume name",
    ),
    ("x", "volume name is too short"),
];

fn says(shed: &Shed, words: &[&str], code: i32, message: &str) {
    let mut command = shed.command("volume");
    command.args(words);
    crate::support::finish(command).fails(code, message);
}

#[test]
#[ignore = "needs root"]
fn root_rule_4_bad_names_are_refused_everywhere_and_touch_nothing() {
    let shed = Shed::empty();
    shed.cowshed("volume create good").ok();
    let before = shed.listing();
    for (name, why) in BAD {
        says(&shed, &["create", name], 1, why);
        says(&shed, &["rename", "good", name], 1, why);
        let missing = "no such volume";
        for verb in ["rm", "inspect", "users", "history", "protect"] {
            says(&shed, &[verb, name], 1, missing);
        }
        says(&shed, &["label", name, "a=1"], 1, missing);
        says(&shed, &["describe", name, "text"], 1, missing);
        says(
            &shed,
            &["trash", "restore", name],
            1,
            "no such volume in the trash",
        );
    }
    assert_eq!(shed.listing(), before);
}

#[test]
#[ignore = "needs root"]
fn root_rule_37_a_difference_is_shown_in_two_columns() {
    let shed = Shed::empty();
    shed.cowshed("volume create --label tier=db --uid 1000 --description mine data")
        .ok();
    let done = shed
        .cowshed("volume create --label tier=web --label new=1 --uid 0 --mode 0700 data")
        .fails(1, "create data: a volume of this name exists and differs");
    assert_eq!(done.out, "");
    for line in [
        "FIELD        WANTED    EXISTING",
        "label new    1         -",
        "label tier   web       db",
        "uid          0         1000",
        "mode         0700      0755",
    ] {
        assert!(done.err.lines().any(|one| one == line), "{line}: {done:?}");
    }
    shed.cowshed("volume create data").ok();
    shed.cowshed("volume create --label tier=db --uid 1000 data")
        .ok();
    shed.cowshed("volume create --exist-ok --label tier=web data")
        .ok();
    let labels = shed.inspect("data")["Labels"].clone();
    assert_eq!(labels, serde_json::json!({"tier": "db"}));
}

#[test]
#[ignore = "needs root"]
fn root_an_owner_stands_above_the_image() {
    let shed = Shed::new();
    let layer = Tar::new().dir("data", 0o700).file("data/seed", 0o644, b"1");
    shed.image("seeded", layer, &[]);
    shed.cowshed("volume create --uid 1000 --gid 2000 --mode 2750 data")
        .ok();
    let owner = || {
        let root = std::fs::metadata(shed.data("data")).unwrap();
        (root.uid(), root.gid(), root.mode() & 0o7777)
    };
    assert_eq!(owner(), (1000, 2000, 0o2750));
    shed.cowshed("run --rm -v data:/data seeded true").ok();
    assert!(shed.data("data").join("seed").exists());
    assert_eq!(owner(), (1000, 2000, 0o2750));
    shed.cowshed("run --rm -u 1000:2000 -v data:/data seeded touch /data/mine")
        .ok();
    // Nothing said: the image's, as in Docker.
    shed.cowshed("run --rm -v plain:/data seeded true").ok();
    let plain = std::fs::metadata(shed.data("plain")).unwrap();
    assert_eq!((plain.uid(), plain.mode() & 0o7777), (0, 0o700));
    shed.cowshed("volume create --mode 9 bad")
        .fails(125, "octal");
}

/// `big`, `small`, which is used, and an anonymous one.
fn volumes_of_three_kinds() -> Shed {
    let shed = Shed::new();
    shed.cowshed("volume create --description 상점 big").ok();
    shed.cowshed("volume create small").ok();
    shed.file("store/volumes/big/_data/file", &"x".repeat(5000));
    shed.cowshed("run --name box -v small:/a -v /anon base true")
        .ok();
    shed
}

#[test]
#[ignore = "needs root"]
fn root_ls_tells_kind_size_users_and_last_use() {
    let shed = volumes_of_three_kinds();
    let table = shed.cowshed("volume ls --long").ok();
    let line = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split("   ")
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
            .join("|")
    };
    let head = line("VOLUME NAME");
    assert_eq!(
        head,
        "VOLUME NAME|KIND|SIZE|USED BY|CREATED|LAST USED|NOTES"
    );
    assert!(line("big").starts_with("big|named|5kB|"), "{table}");
    assert!(line("big").ends_with("|never|상점"), "{table}");
    assert!(line("small").starts_with("small|named|0B|box|"), "{table}");
    assert!(line("small").ends_with(" ago"), "{table}");
    let json = shed.cowshed("volume ls -s --format json -f name=big").ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["SizeBytes"], 5000);
    assert_eq!(json["Kind"], "named");
    assert_eq!(json["Protected"], false);
    assert_eq!(json["LastUsedAt"], "");
    // Ours where they are asked for, Docker's placeholder where they are not.
    let line = shed
        .cowshed("volume ls -f name=small --format '{{.Name}} {{.UsedBy}} {{.Kind}}'")
        .ok();
    assert_eq!(line, "small box named\n");
    let line = shed
        .cowshed("volume ls -f name=small --format '{{.Size}} {{.Links}}'")
        .ok();
    assert_eq!(line, "N/A N/A\n");
    shed.cowshed("volume ls -f size=4k").fails(1, "size>10M");
}

#[test]
#[ignore = "needs root"]
fn root_ls_filters_and_sorts_by_kind_size_and_age() {
    let shed = volumes_of_three_kinds();
    let names = |flags: &str| {
        let names = shed.cowshed(&format!("volume ls -q {flags}")).ok();
        let names = names.lines().map(|name| match name.len() {
            64 => "anon",
            _ => name,
        });
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    for (flags, wanted) in [
        ("-f anonymous=true", "anon"),
        ("-f anonymous=false", "big small"),
        ("-f size>4k", "big"),
        ("-f size<4k -f anonymous=0", "small"),
        ("-f unused-since=0s", "anon big small"),
        ("-f unused-since=30d", ""),
        ("-f until=1h", ""),
        ("-f since=1h -f anonymous=0", "big small"),
        ("--sort size -f anonymous=0", "big small"),
        ("--sort size -f anonymous=0 --reverse", "small big"),
        ("--sort created -f anonymous=0", "small big"),
        ("--sort used -f anonymous=0", "small big"),
    ] {
        let found = names(flags);
        let mut sorted: Vec<_> = found.split(' ').collect();
        if !flags.contains("sort") {
            sorted.sort_unstable();
        }
        assert_eq!(sorted.join(" "), wanted, "{flags}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_inspect_and_users_name_who_uses_a_volume() {
    let shed = Shed::new();
    shed.cowshed("create --name still -v vol:/still:ro base true")
        .ok();
    assert!(shed.inspect("vol")["LastUsedAt"].is_null());
    let mut live =
        shed.start("run --rm --name live -v vol:/live base sh -c 'echo ready; sleep 100'");
    let pid = shed.pid_of("live");
    let found = shed.inspect("vol");
    assert!(found["LastUsedAt"].is_string(), "{found}");
    assert_eq!(found["Origin"]["Destination"], "/still");
    let users = found["UsedBy"].as_array().unwrap();
    assert_eq!(users.len(), 2);
    let of = |name: &str| users.iter().find(|user| user["Name"] == name).unwrap();
    assert_eq!(of("live")["RW"], true);
    assert_eq!(of("live")["State"], "running");
    assert_eq!(of("still")["RW"], false);
    assert_eq!(of("still")["ID"], shed.id_of("still"));
    let lines = shed
        .cowshed("volume users --format '{{.Name}} {{.State}} {{.Pid}} {{.Destination}} {{.Access}}' vol")
        .ok();
    assert_eq!(
        lines,
        format!("live running {pid} /live rw\nstill created - /still ro\n")
    );
    shed.cowshed("rm -f live").ok();
    live.wait();
    shed.cowshed("rm still").ok();
    let none = shed.cowshed("volume users vol").ok();
    assert_eq!(none.lines().count(), 1, "{none}");
}

#[test]
#[ignore = "needs root"]
fn root_rename_takes_stopped_containers_along() {
    let shed = Shed::new();
    shed.cowshed("run --name box -v old:/data base sh -c 'echo 1 >>/data/n; cat /data/n'")
        .ok();
    shed.cowshed("volume create taken").ok();
    shed.cowshed("volume rename old taken")
        .fails(1, "rename to taken: a volume of this name exists");
    shed.cowshed("volume rename old old")
        .fails(1, "same name as its current name");
    shed.cowshed("volume rename missing new")
        .fails(1, "get missing: no such volume");
    assert_eq!(shed.cowshed("volume rename old new").ok(), "");
    assert_eq!(shed.volumes(), ["new", "taken"]);
    assert_eq!(shed.cowshed("start -a box").ok(), "1\n1\n");
    assert_eq!(shed.volumes(), ["new", "taken"]);
    let mounts = shed.inspect("box")["Mounts"][0].clone();
    assert_eq!(mounts["Name"], "new");
    shed.cowshed("volume rm new").fails(1, "volume is in use");
    let record = crate::support::read(shed.store().join("volumes/new/volume.json"));
    assert!(record.contains("\"new\""), "{record}");
    // Back again: nothing is left of either.
    shed.cowshed("volume rename new old").ok();
    assert_eq!(shed.cowshed("start -a box").ok(), "1\n1\n1\n");
    assert!(!shed.store().join("volumes/.renaming").exists());
}

#[test]
#[ignore = "needs root"]
fn root_a_mounted_volume_keeps_its_name() {
    let shed = Shed::new();
    let mut live = shed.start("run --rm --name live -v vol:/v base sh -c 'echo ready; sleep 100'");
    let done = shed
        .cowshed("volume rename vol new")
        .fails(1, "rename vol: volume is mounted - [live]");
    assert!(done.err.contains("hint: cowshed stop live"), "{done:?}");
    shed.cowshed("rm -f live").ok();
    live.wait();
    shed.cowshed("volume rename vol new").ok();
    assert_eq!(shed.volumes(), ["new"]);
}

#[test]
#[ignore = "needs root"]
fn root_labels_and_descriptions_change() {
    let shed = Shed::new();
    shed.cowshed("volume create --label a=1 --label b=2 vol")
        .ok();
    assert_eq!(shed.cowshed("volume label vol").ok(), "a=1\nb=2\n");
    assert_eq!(shed.cowshed("volume label vol c=3 a- b=x").ok(), "vol\n");
    assert_eq!(shed.cowshed("volume label vol").ok(), "b=x\nc=3\n");
    assert_eq!(shed.cowshed("volume ls -q -f label=c=3").ok(), "vol\n");
    shed.cowshed("volume label vol b- c-").ok();
    assert!(shed.inspect("vol")["Labels"].is_null());
    shed.cowshed("volume label vol =x")
        .fails(1, "invalid label");
    shed.cowshed("volume describe vol '상점의 데이터'").ok();
    assert_eq!(shed.cowshed("volume describe vol").ok(), "상점의 데이터\n");
    shed.cowshed("volume describe vol ''").ok();
    assert_eq!(shed.cowshed("volume describe vol").ok(), "");
    says(&shed, &["describe", "vol", "two\nlines"], 1, "one line");
    // An anonymous volume that its user wants to keep.
    shed.cowshed("run --name anon -v /anon base true").ok();
    shed.cowshed("rm anon").ok();
    let name = shed.cowshed("volume ls -q -f anonymous=1").ok();
    let name = name.trim();
    shed.cowshed(&format!("volume label {name} com.docker.volume.anonymous-"))
        .ok();
    assert_eq!(shed.cowshed("volume ls -q -f anonymous=1").ok(), "");
    shed.cowshed("volume label vol com.docker.volume.anonymous=")
        .fails(1, "not anonymous");
}

#[test]
#[ignore = "needs root"]
fn root_a_protected_volume_stays() {
    let shed = Shed::new();
    shed.cowshed("volume create vol").ok();
    assert_eq!(shed.cowshed("volume protect vol").ok(), "vol\n");
    let done = shed
        .cowshed("volume rm -f vol")
        .fails(1, "remove vol: volume is protected");
    assert!(
        done.err.contains("cowshed volume unprotect vol"),
        "{done:?}"
    );
    let pruned = shed.cowshed("volume prune -f");
    assert!(
        pruned.err.contains("protected volumes stay: vol"),
        "{pruned:?}"
    );
    assert_eq!(shed.volumes(), ["vol"]);
    assert!(shed.cowshed("volume ls -s").ok().contains("protected"));
    // An anonymous one, too, with its container.
    shed.cowshed("create --name box -v /anon base true").ok();
    let anonymous = shed.cowshed("volume ls -q -f anonymous=1").ok();
    shed.cowshed(&format!("volume protect {}", anonymous.trim()))
        .ok();
    shed.cowshed("rm -v box").ok();
    assert_eq!(shed.cowshed("volume ls -q -f anonymous=1").ok(), anonymous);
    shed.cowshed("volume unprotect vol").ok();
    shed.cowshed("volume rm vol").ok();
}

#[test]
#[ignore = "needs root"]
fn root_history_follows_a_volume_through_its_names() {
    let shed = Shed::new();
    shed.cowshed("run --name one -v old:/data base true").ok();
    shed.cowshed("volume rename old new").ok();
    shed.cowshed("run --rm --name two -v new:/x:ro base true")
        .ok();
    shed.cowshed("rm one").ok();
    shed.cowshed("volume prune -f").ok();
    shed.cowshed("volume trash restore new").ok();
    shed.cowshed("volume rm new").ok();
    let format = "'{{.Action}}|{{.By}}|{{.Destination}}|{{.Access}}'";
    let told = |name: &str| {
        let line = format!("volume history --format {format} {name}");
        shed.cowshed(&line).ok()
    };
    assert_eq!(
        told("new"),
        "create|a command||\n\
         mount|one|/data|could write\n\
         unmount|one||\n\
         rename from old|a command||\n\
         mount|two|/x|could only read\n\
         unmount|two||\n\
         destroy|a command||\n\
         restore|a command||\n\
         destroy|a command||\n"
    );
    assert_eq!(
        told("old"),
        "create|a command||\nmount|one|/data|could write\nunmount|one||\nrename to new|a command||\n"
    );
    shed.cowshed("volume history never")
        .fails(1, "no such volume");
    // Of a volume that is there its record knows who made it.
    shed.cowshed("run --name three -v fresh:/data base true")
        .ok();
    assert!(
        told("fresh").starts_with("create|three|/data|\n"),
        "{}",
        told("fresh")
    );
}

#[test]
#[ignore = "needs root"]
fn root_lint_knows_two_conventions() {
    let shed = Shed::new();
    for name in [
        "prod-mysql-data",
        "dev-postgres-data",
        "myapp-prod-db",
        "data",
    ] {
        shed.cowshed(&format!("volume create {name}")).ok();
    }
    shed.cowshed("run --name anon -v /anon base true").ok();
    let table = shed.cowshed("volume lint").ok();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(
        table.contains("environment prod, service mysql, use data"),
        "{table}"
    );
    assert!(
        table.contains("project myapp, environment prod, use db"),
        "{table}"
    );
    assert!(table.contains("has one part of three"), "{table}");
    let strict = shed.cowshed("volume lint --strict --quiet --format '{{.Name}}'");
    assert_eq!((strict.code, strict.out.as_str()), (1, "data\n"));
    shed.cowshed("volume lint --strict prod-mysql-data").ok();
    shed.cowshed("volume lint --strict blue-mysql-data")
        .fails(1, "");
    shed.cowshed("volume lint --strict --env blue blue-mysql-data")
        .ok();
}
