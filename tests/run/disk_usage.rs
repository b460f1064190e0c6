//! `system df`.

use crate::support::Shed;

#[test]
#[ignore = "needs root"]
fn root_rule_72_system_df_has_dockers_rows_columns_and_keys() {
    let shed = Shed::new();
    let table = shed.cowshed("system df").ok();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines[0],
        "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE"
    );
    let kinds = ["Images", "Containers", "Local Volumes", "Build Cache"];
    for (line, kind) in lines[1..].iter().zip(kinds) {
        assert!(line.starts_with(kind), "{table}");
    }
    assert!(lines[1].ends_with("(100%)"), "{table}");
    shed.cowshed(
        "run --name box -v one:/one -v one:/again base sh -c 'echo hello >/f; echo data >/one/f'",
    )
    .ok();
    shed.cowshed("volume create two").ok();
    let rows = shed.cowshed("system df --format json").ok();
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["Active", "Reclaimable", "Size", "TotalCount", "Type"]
    );
    assert_eq!(rows[0]["Reclaimable"], "0B (0%)");
    let short = |row: &serde_json::Value| {
        ["TotalCount", "Active", "Size", "Reclaimable"]
            .map(|key| row[key].as_str().unwrap().to_owned())
    };
    assert_eq!(short(&rows[1]), ["1", "0", "6B", "6B (100%)"]);
    assert_eq!(short(&rows[2]), ["2", "1", "5B", "0B (0%)"]);
    shed.cowshed("rm box").ok();
    let row = shed
        .cowshed("system df --format '{{.Type}}: {{.Reclaimable}}'")
        .ok();
    assert!(row.contains("Local Volumes: 5B (100%)\n"), "{row}");
    shed.cowshed("volume rm one two").ok();
}

#[test]
#[ignore = "needs root"]
fn root_rule_72_the_long_form_tells_links_and_sizes_of_volumes() {
    let shed = Shed::new();
    shed.cowshed("run --name box -v one:/one base sh -c 'echo data >/one/f'")
        .ok();
    let text = shed.cowshed("system df -v").ok();
    for title in [
        "Images space usage:\n\nREPOSITORY   TAG       IMAGE ID",
        "\n\nContainers space usage:\n\nCONTAINER ID   IMAGE     COMMAND",
        "\n\nLocal Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\none           1         5B\n",
        "\nBuild cache usage: 0B\n\nCACHE ID",
    ] {
        assert!(text.contains(title), "{title:?} in {text}");
    }
    let all = shed.cowshed("system df -v --format json").ok();
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["Volumes"][0]["Name"], "one");
    assert_eq!(all["Images"][0]["Containers"], "1");
    assert_eq!(all["Containers"][0]["Names"], "box");
    assert_eq!(all["BuildCache"], serde_json::json!([]));
    shed.cowshed("rm box").ok();
    shed.cowshed("volume rm one").ok();
}

#[test]
#[ignore = "needs root"]
fn root_layers_of_two_images_count_once() {
    let shed = Shed::new();
    shed.cowshed("tag base other").ok();
    let one = shed
        .cowshed("system df --format '{{.TotalCount}} {{.Size}}'")
        .ok();
    shed.image(
        "more",
        crate::support::Tar::new().file("more", 0o644, &[0; 4000]),
        &[],
    );
    let two = shed
        .cowshed("system df --format '{{.TotalCount}} {{.Size}}'")
        .ok();
    assert!(
        one.starts_with("1 ") && two.starts_with("2 "),
        "{one} {two}"
    );
    let shared = shed
        .cowshed("system df -v --format '{{range .Images}}{{.UniqueSize}};{{end}}'")
        .ok();
    assert!(shared.contains("4kB;"), "{shared}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_73_info_tells_of_the_storage_driver_as_docker_does() {
    let shed = Shed::empty();
    let text = shed.cowshed("info").ok();
    let place = text.find("Storage Driver: overlay2\n").unwrap();
    for label in [
        "Backing Filesystem",
        "Supports d_type",
        "Native Overlay Diff",
        "userxattr",
        "metacopy",
    ] {
        let line = text[place..].lines().find_map(|line| {
            let (found, answer) = line.split_once(": ")?;
            (found == format!(" {label}")).then_some(answer)
        });
        let answer = line.unwrap_or_else(|| panic!("{label}: {text}"));
        assert!(
            label == "Backing Filesystem" || ["true", "false"].contains(&answer),
            "{label}: {answer}"
        );
    }
    let status = shed.cowshed("info --format '{{json .DriverStatus}}'").ok();
    assert!(
        status.contains("[\"Supports d_type\",\"true\"]"),
        "{status}"
    );
}
