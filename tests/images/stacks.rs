//! Which layers of an image are seen, and that each of them is there.

use std::fs;

use serde_json::{Value, json};

use crate::{
    archive::Archive,
    support::{Home, Layer, Layout, config_of, create, named, shell},
};

/// Four layers, of which the second hides the first.
fn hiding(home: &Home) {
    let layers = [
        Layer::plain(Archive::new().file("below", "1")),
        Layer::plain(shell().file(".wh..wh..opq", "").file("kept", "2")),
        Layer::plain(Archive::new().file("middle", "3")),
        Layer::plain(Archive::new().file("top", "4")),
    ];
    let mut layout = Layout::default();
    let entry = layout.image(&layers, &config_of(&layers));
    layout.entries.push(named(entry, "hiding:1"));
    home.load(&home.write("hiding.tar", &layout.tar()));
}

/// The directory of each layer, lowest first, with its record.
fn records(home: &Home) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    let mut left: Vec<_> = home
        .layers()
        .into_iter()
        .map(|name| {
            let path = home.store().join("overlay2").join(&name).join("layer.json");
            let record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            (name, record)
        })
        .collect();
    while !left.is_empty() {
        let above = found
            .last()
            .map_or(Value::Null, |(_, one)| one["chain"].clone());
        let next = left.iter().position(|(_, one)| one["parent"] == above);
        found.push(left.remove(next.unwrap()));
    }
    found
}

fn write(home: &Home, name: &str, record: &Value) {
    let path = home.store().join("overlay2").join(name).join("layer.json");
    create(&path, &serde_json::to_vec_pretty(record).unwrap());
}

#[test]
#[ignore = "needs root"]
fn root_an_opaque_root_hides_the_same_layers_by_records_old_and_new() {
    let home = Home::new();
    hiding(&home);
    let records = records(&home);
    let seen: Vec<_> = records.iter().map(|(_, one)| one["seen"].clone()).collect();
    assert_eq!(seen, [1, 1, 2, 3]);
    let run = || home.cowshed(&["run", "--rm", "hiding:1", "/bin/busybox", "ls", "/"]);
    assert!(!run().out.contains("below"));
    // As stores were before: one record after another is asked.
    for first in (0..records.len()).rev() {
        for (name, record) in &records[first..] {
            let mut old = record.clone();
            old.as_object_mut().unwrap().remove("seen");
            write(&home, name, &old);
        }
        let shown = run().out;
        for name in ["kept", "middle", "top"] {
            assert!(shown.contains(name), "{first}: {shown}");
        }
        assert!(!shown.contains("below"), "{first}: {shown}");
    }
    home.ok(&["image", "verify", "hiding:1"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_record_that_hides_other_layers_is_told_by_verify() {
    let home = Home::new();
    hiding(&home);
    let (name, mut record) = records(&home).remove(2);
    record["seen"] = json!(3);
    write(&home, &name, &record);
    let done = home.cowshed(&["image", "verify", "hiding:1"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("hides other layers"), "{done:?}");
}

#[test]
#[ignore = "needs root"]
fn root_each_layer_that_is_missing_is_named_before_anything_is_made() {
    let home = Home::new();
    hiding(&home);
    for (name, _) in &records(&home)[1..] {
        let (there, away) = (
            home.store().join("overlay2").join(name),
            home.store().join("away"),
        );
        fs::rename(&there, &away).unwrap();
        for command in ["create", "run"] {
            let done = home.cowshed(&[command, "hiding:1", "/bin/sh"]);
            assert_eq!(
                done.code,
                Some(if command == "run" { 125 } else { 1 }),
                "{done:?}"
            );
            assert!(
                done.err.contains(&format!("find layer sha256:{name}")),
                "{done:?}"
            );
        }
        fs::rename(&away, &there).unwrap();
    }
    assert_eq!(home.ok(&["ps", "-aq"]), "");
}
