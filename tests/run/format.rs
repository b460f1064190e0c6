//! `--format`, `--filter` and sizes, as a user types them (rules 43, 60, 68).

use crate::support::{Shed, Tar};

/// Containers in the order of their making: `one` and `two` ended, `bad` never started, `live` runs.
fn several(shed: &Shed) -> crate::support::Started {
    shed.image("child", Tar::new().dir("x", 0o755), &["LABEL from=image"]);
    let dir = shed.dir("dir");
    shed.cowshed("run --name web1 -l k=v -l a.b=x base true")
        .ok();
    shed.cowshed("run --name web2 -l k=w -v vol:/data child sh -c 'exit 3'");
    shed.cowshed("run --name bad base nosuchprogram");
    shed.start(&format!(
        "run --name live --network none -v {dir}:/mnt base sh -c 'echo ready; sleep 100'"
    ))
}

fn end(shed: &Shed, mut live: crate::support::Started) {
    shed.cowshed("rm -f web1 web2 bad live").ok();
    live.wait();
    shed.assert_no_containers();
}

/// Names on one line.
fn chosen(shed: &Shed, flags: &str) -> String {
    let list = shed.cowshed(&format!("ps {flags} --format {{{{.Names}}}}"));
    list.ok().lines().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "needs root"]
fn root_ps_chooses_containers() {
    let shed = Shed::new();
    let live = several(&shed);
    let id = shed.id_of("web1");
    for (flags, wanted) in [
        ("", "live"),
        ("-a", "live bad web2 web1"),
        ("-n 2", "live bad"),
        ("--last 3", "live bad web2"),
        ("-n 0", "live"),
        ("-n -1", "live"),
        ("-l", "live"),
        ("-n 1 -f name=web", "web2"),
        ("-a -f name=web", "web2 web1"),
        ("-a -f name=^web1$", "web1"),
        ("-a -f name=^/web1$", "web1"),
        ("-a -f name=web2|live", "live web2"),
        ("-a -f name=web1 -f name=live", "live web1"),
        ("-a -f name=", "live bad web2 web1"),
        (&format!("-a -f id={}", &id[..5]), "web1"),
        (&format!("-a -f id={}", &id[1..]), ""),
        ("-a -f label=k", "web2 web1"),
        ("-a -f label=k=v", "web1"),
        ("-a -f label=k -f label=a.b", "web1"),
        ("-a -f label!=k", "live bad"),
        ("-a -f label=from=image", "web2"),
        ("-a -f exited=0", "web1"),
        ("-a -f exited=0 -f exited=3", "web2 web1"),
        ("-f exited=3", ""),
        ("-f status=exited", "web2 web1"),
        ("-f status=created -f status=running", "live bad"),
        ("-a -f status=paused", ""),
        ("-a -f health=none -f name=live", "live"),
    ] {
        assert_eq!(chosen(&shed, flags), wanted, "{flags}");
    }
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_ps_chooses_by_relations() {
    let shed = Shed::new();
    let live = several(&shed);
    for (flags, wanted) in [
        ("-a -f ancestor=base", "live bad web2 web1"),
        ("-a -f ancestor=child", "web2"),
        ("-a -f ancestor=nosuch", ""),
        ("-a -f before=bad", "web2 web1"),
        ("-a -f since=web2", "live bad"),
        ("-a -f since=web1 -f before=bad", "web2"),
        ("-f before=live", ""),
        ("-a -f volume=vol", "web2"),
        ("-a -f volume=/data", "web2"),
        ("-a -f volume=/mnt", "live"),
        (&format!("-a -f volume={}", shed.show("dir")), "live"),
        ("-a -f volume=vo", ""),
        ("-a -f network=none -f name=live", "live"),
        ("-a -f network=nosuch", ""),
    ] {
        assert_eq!(chosen(&shed, flags), wanted, "{flags}");
    }
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_ps_refuses_filters_that_mean_nothing() {
    let shed = Shed::new();
    for (filter, message) in [
        ("bogus=1", "Invalid filter 'bogus'"),
        ("status=bogus", "Invalid filter 'status=bogus'"),
        ("health=bad", "Invalid filter 'health=bad'"),
        ("exited=x", "Invalid filter 'exited=x'"),
        ("name=web[", "Invalid filter 'name=web['"),
        ("before=nosuch", "No such container: nosuch"),
    ] {
        let done = shed.cowshed(&format!("ps -a -f {filter}"));
        assert_eq!(done.fails(1, message).out, "");
    }
    shed.cowshed("ps -a -f name").fails(125, "KEY=VALUE");
}

#[test]
#[ignore = "needs root"]
fn root_ps_prints_as_it_is_told() {
    let shed = Shed::new();
    let live = several(&shed);
    let id = shed.id_of("web2");
    let short = &id[..12];
    for (line, wanted) in [
        (
            r"ps --format '{{.Names}}\t{{.State}}' -a",
            "live\trunning\nbad\tcreated\nweb2\texited\nweb1\texited\n".to_owned(),
        ),
        (
            r"ps -l -a -f name=web2 --format 'table {{.Names}}\t{{.ID}}\t{{.Image}}'",
            format!("NAMES     CONTAINER ID   IMAGE\nweb2      {short}   child\n"),
        ),
        (
            r#"ps -a -f name=web1 --format '{{.Label "k"}} {{.Labels}} {{.Label "no"}}|'"#,
            "v a.b=x,k=v |\n".to_owned(),
        ),
        (
            r#"ps -a -f name=web --format 'table {{.Label "com.the-key"}}\t{{.Mounts}}\t{{.LocalVolumes}}'"#,
            "the key   MOUNTS    LOCAL VOLUMES\n          vol       1\n                    0\n"
                .to_owned(),
        ),
        (
            r#"ps -a -f name=web2 --format '{{json .Names}} {{.Command}} {{if eq .State "exited"}}{{upper .Status | printf "%.10s"}}{{end}}'"#,
            "\"web2\" \"sh -c 'exit 3'\" EXITED (3)\n".to_owned(),
        ),
        ("ps -q -f name=web", String::new()),
        (
            "container ls --no-trunc -aq -f name=web2",
            format!("{id}\n"),
        ),
        ("container list -q -f name=x", String::new()),
        (
            "container ps -f name=x --format table",
            "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n".to_owned(),
        ),
        (
            "ps -s -f name=x",
            "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES     SIZE\n"
                .to_owned(),
        ),
        ("ps -f name=x --format json", String::new()),
    ] {
        assert_eq!(shed.cowshed(line).ok(), wanted, "{line}");
    }
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_ps_prints_objects_and_says_what_is_wrong() {
    let shed = Shed::new();
    let live = several(&shed);
    let id = shed.id_of("web2");
    let short = &id[..12];
    let both = shed.cowshed("ps -aq -f name=web2 --format {{.Names}}");
    assert!(both.err.contains("Ignoring custom format"), "{both:?}");
    assert_eq!(both.ok(), format!("{short}\n"));

    let json = shed.cowshed("ps -a --format json -f name=web2").ok();
    assert_eq!(
        json,
        shed.cowshed("ps -a --format '{{json .}}' -f name=web2")
            .ok()
    );
    let row: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(row["ID"], short);
    assert_eq!(row["Labels"], "from=image,k=w");
    let foo = "executing \"\" at <.Foo>: can't evaluate field Foo";
    for line in [
        "ps --format {{.Foo}}",
        "ps -f name=x --format 'table {{.Foo}}'",
    ] {
        let done = shed.cowshed(line).fails(1, foo);
        assert!(done.err.contains("hint: there are: Command, "), "{done:?}");
        assert_eq!(done.out, "");
    }
    shed.cowshed("ps --format {{.ID")
        .fails(1, ":1: unclosed action");
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_rule_68_sizes() {
    let shed = Shed::new();
    let script = "head -c 330 /dev/zero >/file; echo ready; sleep 100";
    let mut live = shed.start(&format!("run --name box -v vol:/v base sh -c '{script}'"));
    let image = shed.inspect("base")["Size"].as_u64().unwrap();
    let sizes = "'{{.SizeRw}} {{.SizeRootFs}}'";
    let wanted = format!("330 {}\n", image + 330);
    assert_eq!(
        shed.cowshed(&format!("inspect -s -f {sizes} box")).ok(),
        wanted
    );
    let done = shed.cowshed(&format!("container inspect -f {sizes} box"));
    assert_eq!(done.ok(), wanted);
    let with: serde_json::Value =
        serde_json::from_str(&shed.cowshed("inspect -s box").ok()).unwrap();
    assert_eq!(with[0]["SizeRw"], 330);
    assert_eq!(shed.inspect("box").get("SizeRw"), None);
    for line in ["ps -s --format {{.Size}}", "ps --format {{.Size}}"] {
        let size = shed.cowshed(line).ok();
        assert!(size.starts_with("330B (virtual "), "{size}");
    }
    let table = shed.cowshed("ps -s").ok();
    assert!(table.contains("box       330B (virtual "), "{table}");
    // Where nobody asks nothing is added up.
    let row = shed.cowshed("ps --format json").ok();
    assert!(row.contains("\"Size\":\"N/A\""), "{row}");
    shed.cowshed("rm -f box").ok();
    live.wait();
}

#[test]
#[ignore = "needs root"]
fn root_sizes_of_what_changes_while_we_look() {
    let shed = Shed::new();
    let script = "head -c 500 /dev/zero >/file; echo ready; \
        while :; do mkdir -p /d/e/f; : >/d/e/f/g; rm -r /d; done";
    let mut live = shed.start(&format!("run --name box base sh -c '{script}'"));
    for _ in 0..30 {
        let size = shed.cowshed("ps --format {{.Size}}").ok();
        assert!(size.starts_with("500B (virtual "), "{size}");
    }
    shed.cowshed("rm -f box").ok();
    live.wait();
}

#[test]
#[ignore = "needs root"]
fn root_inspect_prints_as_it_is_told() {
    let shed = Shed::new();
    let live = several(&shed);
    let id = shed.id_of("live");
    let pid = shed.pid_of("live");
    let (data, dir) = (shed.data("vol").display().to_string(), shed.show("dir"));
    for (line, wanted) in [
        ("inspect -f {{.State.Pid}} live", format!("{pid}\n")),
        (
            "inspect --format '{{.Name}}\\t{{.Id}}' live",
            format!("/live\\t{id}\n"),
        ),
        (
            "inspect -f '{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}' live web2",
            format!("{dir}:/mnt \n{data}:/data \n"),
        ),
        (
            r#"inspect -f '{{index .Config.Labels "a.b"}}|{{.Config.Labels.k}}|{{.Config.Labels.no}}' web1"#,
            "x|v|<no value>\n".to_owned(),
        ),
        (
            "inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}' web2",
            "from=image k=w \n".to_owned(),
        ),
        (
            r#"inspect -f '{{if eq .State.Status "running"}}up{{else}}{{.State.ExitCode}}{{end}}' live web2"#,
            "up\n3\n".to_owned(),
        ),
        (
            r#"inspect -f '{{join .Args ", "}} {{.NetworkSettings.IPAddress}}|' live"#,
            "-c, echo ready; sleep 100 |\n".to_owned(),
        ),
        (
            "inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' live",
            "none\n".to_owned(),
        ),
        (
            "container inspect -f '{{json .State.Running}}' live",
            "true\n".to_owned(),
        ),
        (
            "image inspect -f '{{.RepoTags}} {{.Config.Entrypoint}}' child",
            "[child:latest] []\n".to_owned(),
        ),
        (
            "inspect --type image -f '{{len .RootFS.Layers}}' child",
            "2\n".to_owned(),
        ),
        (
            "volume inspect -f '{{.Mountpoint}} {{.Labels}}' vol",
            format!("{data} map[]\n"),
        ),
        ("inspect -f '{{.Driver}}' vol", "local\n".to_owned()),
    ] {
        assert_eq!(shed.cowshed(line).ok(), wanted, "{line}");
    }
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_inspect_prints_objects_on_a_line() {
    let shed = Shed::new();
    let live = several(&shed);
    let id = shed.id_of("live");
    let json = shed.cowshed("inspect -f json live web1").ok();
    assert_eq!(json.lines().count(), 1);
    let both: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&both[0]["Id"], &both[1]["Name"]),
        (&id.into(), &"/web1".into())
    );
    assert_eq!(
        shed.cowshed("inspect -f '' live").ok(),
        shed.cowshed("inspect live").ok()
    );
    end(&shed, live);
}

#[test]
#[ignore = "needs root"]
fn root_inspect_says_what_is_wrong_with_a_template() {
    let shed = Shed::new();
    shed.cowshed("run --name box base true").ok();
    let text = "template parsing error: template: :1:2: executing \"\" at <.Foo>: \
                map has no entry for key \"Foo\"";
    let done = shed.cowshed("inspect -f {{.Foo}} box").fails(1, text);
    assert_eq!(done.out, "\n");
    shed.cowshed("inspect -f '{{.State.Foo}}' box")
        .fails(1, "hint: there are: Status, Running, ");
    shed.cowshed("inspect -f {{.Id box")
        .fails(64, "template parsing error: template: :1: unclosed action");
    let done = shed.cowshed("inspect -f {{.Name}} none box none2");
    assert!(done.err.contains("No such object: none2"), "{done:?}");
    assert_eq!(done.fails(1, "No such object: none\n").out, "/box\n");
    assert_eq!(
        shed.cowshed("volume inspect -f {{.Name}} none")
            .fails(1, "no such volume")
            .out,
        "\n"
    );
    assert_eq!(
        shed.cowshed("inspect -f json none")
            .fails(1, "No such object")
            .out,
        "[]\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_images_volumes_info_and_version_print_as_they_are_told() {
    let shed = Shed::new();
    shed.cowshed("volume create -d local --label k=v --label a vol")
        .ok();
    let data = shed.data("vol").display().to_string();
    let store = shed.store().display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    for (line, wanted) in [
        (
            "images --format '{{.Repository}}:{{.Tag}}'",
            "base:latest\n".to_owned(),
        ),
        ("image ls -q --format '{{.Tag}}'", "latest\n".to_owned()),
        (
            r"images --format 'table {{.Tag}}\t{{.Repository}}\t{{.SharedSize}}'",
            "TAG       REPOSITORY   SHARED SIZE\nlatest    base         N/A\n".to_owned(),
        ),
        (r#"images --format '{{.Label "k"}}|'"#, "|\n".to_owned()),
        (
            r#"volume ls --format '{{.Name}}: {{.Label "k"}} {{.Labels}}'"#,
            "vol: v a=,k=v\n".to_owned(),
        ),
        (
            r"volume ls --format 'table {{.Name}}\t{{.Mountpoint}}'",
            format!("VOLUME NAME   MOUNTPOINT\nvol           {data}\n"),
        ),
        ("volume ls -q", "vol\n".to_owned()),
        ("volume ls -q --format {{.Driver}}", "local\n".to_owned()),
        (
            "info -f '{{.Driver}} {{.DockerRootDir}} {{.Images}}'",
            format!("overlay2 {store} 1\n"),
        ),
        (
            "info -f '{{json .Plugins}}'",
            "{\"Volume\":[\"local\"]}\n".to_owned(),
        ),
        (
            "version -f '{{.Server.Version}} {{.Client.Version}}'",
            format!("{version} {version}\n"),
        ),
    ] {
        assert_eq!(shed.cowshed(line).ok(), wanted, "{line}");
    }
    let info: serde_json::Value = serde_json::from_str(&shed.cowshed("info -f json").ok()).unwrap();
    assert_eq!(info["CowshedRootDir"], store);
    for command in [
        "images --format",
        "volume ls --format",
        "info -f",
        "version -f",
    ] {
        let done = shed.cowshed(&format!("{command} {{{{.Foo}}}}"));
        assert_eq!(done.fails(1, "<.Foo>").out, "");
    }
    shed.cowshed("info -f {{.Foo").fails(64, "unclosed action");
    shed.cowshed("version -f {{end}}")
        .fails(64, "unexpected {{end}}");
    shed.cowshed("images --format {{.Foo")
        .fails(1, "unclosed action");
}
