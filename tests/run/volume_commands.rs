//! `volume create|rm|inspect|ls|prune` (rules 35-46).

use std::io::Write as _;

use crate::support::{Done, Shed, finish};

#[test]
#[ignore = "needs root"]
fn root_rule_35_a_volume_of_a_stopped_container_is_in_use() {
    let shed = Shed::new();
    shed.cowshed("run --name box -v vol:/v base true").ok();
    let message = format!("remove vol: volume is in use - [{}]", shed.id_of("box"));
    shed.cowshed("volume rm vol").fails(1, &message);
    shed.cowshed("volume rm -f vol").fails(1, &message);
    shed.cowshed("rm box").ok();
    // Created only.
    shed.cowshed("run --name bad -v vol:/v base nosuchprogram")
        .fails(127, "");
    shed.cowshed("volume rm vol").fails(1, "volume is in use");
    shed.cowshed("rm bad").ok();
    let mut live = shed.start("run --rm --name live -v vol:/v base sh -c 'echo ready; sleep 100'");
    shed.cowshed("volume rm vol").fails(1, "volume is in use");
    shed.cowshed("rm -f live").ok();
    assert_eq!(live.wait().1, Some(137));
    assert_eq!(shed.cowshed("volume rm vol").ok(), "vol\n");
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_rule_36_rm_goes_on_after_a_missing_one() {
    let shed = Shed::empty();
    assert_eq!(shed.cowshed("volume rm -f missing").ok(), "missing\n");
    shed.cowshed("volume rm missing")
        .fails(1, "get missing: no such volume");
    shed.cowshed("volume create one").ok();
    shed.cowshed("volume create two").ok();
    let done = shed
        .cowshed("volume rm one missing two")
        .fails(1, "no such volume");
    assert_eq!(done.out, "one\ntwo\n");
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_rule_37_create_prints_the_name() {
    let shed = Shed::empty();
    let name = shed.cowshed("volume create").ok();
    assert!(
        name.len() == 65 && name.trim().bytes().all(|b| b.is_ascii_hexdigit()),
        "{name}"
    );
    assert_eq!(
        shed.cowshed("volume create --label a=1 mine").ok(),
        "mine\n"
    );
    for same in ["mine", "--label a=1 mine", "-d local mine"] {
        assert_eq!(
            shed.cowshed(&format!("volume create {same}")).ok(),
            "mine\n"
        );
    }
    // Docker drops the difference.
    shed.cowshed("volume create --label a=2 mine")
        .fails(1, "create mine: a volume of this name exists and differs");
    assert_eq!(
        shed.cowshed("volume create --exist-ok --label a=2 mine")
            .ok(),
        "mine\n"
    );
    assert_eq!(
        shed.inspect("mine")["Labels"],
        serde_json::json!({"a": "1"})
    );
    shed.cowshed("volume create -d X other").fails(
        1,
        "error looking up volume plugin X: plugin \"X\" not found",
    );
    shed.cowshed("volume create not/valid")
        .fails(1, "includes invalid characters");
    let help = shed.cowshed("volume");
    assert_eq!(help.code, 0, "{help:?}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_41_and_rule_42_inspect_prints_an_array_and_then_fails_for_the_missing() {
    let shed = Shed::empty();
    shed.cowshed("volume create vol").ok();
    let text = shed.cowshed("volume inspect vol").ok();
    let created = text
        .lines()
        .find(|line| line.contains("CreatedAt"))
        .unwrap();
    let mountpoint = shed.data("vol");
    assert_eq!(
        text,
        format!(
            "[\n    {{\n{created}\n        \"Driver\": \"local\",\n        \"Labels\": null,\n        \
             \"Mountpoint\": \"{}\",\n        \"Name\": \"vol\",\n        \"Options\": null,\n        \
             \"Scope\": \"local\",\n        \"Anonymous\": false,\n        \"Description\": \"\",\n        \
             \"LastUsedAt\": null,\n        \"Origin\": null,\n        \"Protected\": false,\n        \
             \"Sharing\": \"shared\",\n        \"UsedBy\": []\n    }}\n]\n",
            mountpoint.display()
        )
    );
    let done = shed
        .cowshed("volume inspect missing")
        .fails(1, "get missing: no such volume");
    assert_eq!(done.out, "[]\n");
    let done = shed
        .cowshed("volume inspect missing vol")
        .fails(1, "no such volume");
    assert_eq!(done.out, text);
}

#[test]
#[ignore = "needs root"]
fn root_rule_43_ls() {
    let shed = Shed::new();
    assert_eq!(shed.cowshed("volume ls").ok(), "DRIVER    VOLUME NAME\n");
    for name in ["zeta", "alpha", "beta"] {
        shed.cowshed(&format!(
            "volume create --label {name} --label k=v --label n={name} {name}"
        ))
        .ok();
    }
    assert_eq!(
        shed.cowshed("volume ls").ok(),
        "DRIVER    VOLUME NAME\nlocal     alpha\nlocal     beta\nlocal     zeta\n"
    );
    shed.cowshed("run --name box -v alpha:/a base true").ok();
    for (filter, wanted) in [
        ("-f name=et", "beta\nzeta\n"),
        ("-f name=al -f name=ze", "alpha\nzeta\n"),
        ("-f label=zeta", "zeta\n"),
        ("-f label=k", "alpha\nbeta\nzeta\n"),
        ("-f label=k=w", ""),
        ("-f label=k=v -f name=b", "beta\n"),
        ("-f dangling=true", "beta\nzeta\n"),
        ("-f dangling=false", "alpha\n"),
        ("-f driver=local", "alpha\nbeta\nzeta\n"),
        ("-f driver=other", ""),
    ] {
        assert_eq!(
            shed.cowshed(&format!("volume ls -q {filter}")).ok(),
            wanted,
            "{filter}"
        );
    }
    shed.cowshed("volume ls -f bogus=1")
        .fails(1, "Invalid filter 'bogus'");
    let json = shed.cowshed("volume ls --format json -f name=zeta").ok();
    assert_eq!(
        json,
        format!(
            "{{\"Availability\":\"N/A\",\"Driver\":\"local\",\"Group\":\"N/A\",\
             \"Labels\":\"k=v,n=zeta,zeta=\",\"Links\":\"N/A\",\"Mountpoint\":\"{}\",\
             \"Name\":\"zeta\",\"Scope\":\"local\",\"Size\":\"N/A\",\"Status\":\"N/A\"}}\n",
            shed.data("zeta").display()
        )
    );
}

fn answer(shed: &Shed, line: &str, answer: &str) -> Done {
    let mut command = shed.command(line);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(answer.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    command.stdin(file);
    finish(command)
}

#[test]
#[ignore = "needs root"]
fn root_rules_44_46_prune_lists_asks_and_removes_what_nobody_uses() {
    let shed = Shed::new();
    let make = || {
        shed.cowshed("volume create loose").ok();
        shed.cowshed("run --name anon -v /anon base true").ok();
        shed.cowshed("rm anon").ok();
    };
    shed.cowshed("run --name box -v used:/u base true").ok();
    make();
    let no = answer(&shed, "volume prune", "n\n").ok();
    assert!(no.starts_with("WARNING! This will remove"), "{no}");
    assert!(no.contains("loose"), "{no}");
    assert!(
        no.ends_with("Are you sure you want to continue? [y/N] "),
        "{no}"
    );
    answer(&shed, "volume prune", "").ok();
    assert_eq!(shed.volumes().len(), 3);
    let dry = shed.cowshed("volume prune --dry-run").ok();
    assert!(dry.contains("loose") && !dry.contains("used"), "{dry}");
    assert_eq!(shed.volumes().len(), 3);

    let anonymous = shed.cowshed("volume prune -f --anonymous").ok();
    assert_eq!(anonymous.lines().count(), 4, "{anonymous}");
    assert_eq!(shed.volumes(), ["loose", "used"]);
    let done = answer(&shed, "volume prune", "y\n").ok();
    let end = "[y/N] Deleted Volumes:\nloose\n\nTotal reclaimed space: 0B\n";
    assert!(done.ends_with(end), "{done}");
    assert_eq!(shed.volumes(), ["used"]);
    assert_eq!(
        shed.cowshed("volume prune -f").ok(),
        "Total reclaimed space: 0B\n"
    );
    make();
    shed.cowshed("volume prune -f --all").ok();
    assert_eq!(shed.volumes(), ["used"]);
}

#[test]
#[ignore = "needs root"]
fn root_rule_48_prune_filters() {
    let shed = Shed::new();
    for (name, label) in [
        ("one", "--label a=1"),
        ("two", "--label a=2 --label b"),
        ("three", ""),
    ] {
        shed.cowshed(&format!("volume create {label} {name}")).ok();
    }
    let pruned = |filter: &str| {
        let list = shed
            .cowshed(&format!("volume prune --dry-run {filter}"))
            .ok();
        let names = list
            .lines()
            .skip(1)
            .map(|line| line.split(' ').next().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(pruned("--filter label=a"), "one two");
    assert_eq!(pruned("--filter label=a=1"), "one");
    assert_eq!(pruned("--filter label!=a"), "three");
    assert_eq!(pruned("--filter label=a --filter label!=b"), "one");
    shed.cowshed("volume prune -f --filter label=b").ok();
    assert_eq!(shed.volumes(), ["one", "three"]);
}
