//! `info`: what is in the store.

use serde_json::Value;

use crate::support::Shed;

#[test]
#[ignore = "needs root"]
fn root_info_counts_frozen_containers_apart_from_those_that_run() {
    let shed = Shed::new();
    shed.cowshed("create base true").ok();
    for name in ["awake", "frozen"] {
        shed.cowshed(&format!("run -d --name {name} base sleep 100"))
            .ok();
    }
    shed.cowshed("pause frozen").ok();
    let said = shed.cowshed("info").ok();
    let counts = "Containers: 3\n Running: 1\n Paused: 1\n Stopped: 1\n";
    assert!(said.starts_with(counts), "{said}");
    let info: Value = serde_json::from_str(&shed.cowshed("info --format json").ok()).unwrap();
    for (key, count) in [
        ("Containers", 3),
        ("ContainersRunning", 1),
        ("ContainersPaused", 1),
        ("ContainersStopped", 1),
    ] {
        assert_eq!(info[key], count, "{key}");
    }
    shed.cowshed("rm -f awake frozen").ok();
}
