//! Templates as users write them; the wanted texts are what Docker's command line made of them.

mod bounds;
mod idioms;
mod messages;
use serde_json::json;

use super::{Data, Error, Json, Template};

fn container() -> Json {
    json!({
        "Id": "abc",
        "Name": "/c",
        "Created": "2026-01-01T00:00:00Z",
        "Args": ["-c", "echo hi"],
        "State": {"Status": "running", "Running": true, "Pid": 4242, "ExitCode": 0, "Error": ""},
        "HostConfig": {"NetworkMode": "none", "Tmpfs": {"/t": "size=1m"}, "Init": null},
        "GraphDriver": {"Data": {"LowerDir": "/l", "MergedDir": "/m"}, "Name": "overlay2"},
        "Mounts": [
            {"Type": "bind", "Source": "/a", "Destination": "/b", "RW": true},
            {"Type": "volume", "Name": "v", "Source": "/c", "Destination": "/d", "RW": false}
        ],
        "Config": {
            "Env": ["A=1", "B=2"],
            "Cmd": ["-c"],
            "Volumes": null,
            "Entrypoint": null,
            "Labels": {"a.b": "x y", "k": "v", "z": ""}
        },
        "이름": "한국어",
        "Markup": "<a href='x'>&\"</a>"
    })
}

fn render(text: &str) -> Result<String, Error> {
    let container = container();
    Template::parse(text).and_then(|template| template.render(Data::Object(&container)))
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        match render(text) {
            Ok(made) => assert_eq!(made, *wanted, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

/// Texts and what is said, without the words that all messages begin with.
#[track_caller]
fn all_fail(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let error = render(text).expect_err(text).to_string();
        let error = error.strip_prefix("template parsing error: template: :");
        assert_eq!(error, Some(*wanted), "{text}");
    }
}
