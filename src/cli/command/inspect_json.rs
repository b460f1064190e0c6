//! Containers and volumes as the JSON of Docker's `inspect`.

use std::path::PathBuf;

use cowshed::{
    container::{
        AttachedMount, Container, ContainerSize, Engine, Error, State, Status, VolumeUse,
        signal_name,
    },
    ident::Timestamp,
    log::LogDriver,
    mount::{Access, Overlay},
    process::Network,
    store::Place,
    volume::{Volume, redacted},
};
use serde_json::{Map, Value, json};

use super::{inspect_health, inspect_host, inspect_mounts};

/// Text to an object of empty objects, as Docker has sets.
fn set(list: &[String]) -> Value {
    if list.is_empty() {
        return Value::Null;
    }
    list.iter()
        .map(|key| (key.clone(), json!({})))
        .collect::<Map<_, _>>()
        .into()
}

fn list_or_null(list: &[String]) -> Value {
    if list.is_empty() {
        Value::Null
    } else {
        json!(list)
    }
}

pub(crate) fn container(
    engine: &Engine,
    container: &Container,
    overlay: &Overlay,
    size: Option<ContainerSize>,
) -> Result<Value, Error> {
    let record = &container.record;
    let (entrypoint, cmd) = record.args.split_at(record.entrypoint_length);
    let mut mounts = Vec::new();
    for attached in record
        .mounts
        .iter()
        .filter(|mount| !mount.request.from_tmpfs_flag)
    {
        mounts.push(inspect_mounts::attached(engine, attached)?);
    }
    let mut value = json!({
        "Id": record.id,
        "Created": record.created,
        "Path": record.args.first(),
        "Args": record.args.get(1..).unwrap_or_default(),
        "State": state(container.status, container.state.as_ref()),
        "Image": record.image_id,
        "LogPath": log_path(engine, container),
        "Name": format!("/{}", record.name),
        "RestartCount": container.state.as_ref().map_or(0, |state| state.restarts),
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": inspect_host::host_config(container),
        "GraphDriver": { "Data": graph_data(overlay), "Name": "overlay2" },
        "Mounts": mounts,
        "Config": {
            "Hostname": record.hostname,
            "User": record.user,
            "AttachStdin": record.interactive,
            "AttachStdout": true,
            "AttachStderr": true,
            "Tty": record.terminal,
            "OpenStdin": record.interactive,
            "StdinOnce": record.stdin_once,
            "Env": record.env,
            "Cmd": list_or_null(cmd),
            "Image": record.image,
            "Volumes": volumes_of(&record.mounts),
            "WorkingDir": record.cwd,
            "Entrypoint": list_or_null(entrypoint),
            "Labels": record.labels,
            "StopSignal": signal_name(record.stop_signal),
            "StopTimeout": record.stop_timeout.map_or(-1, i64::from),
        },
        "NetworkSettings": network_settings(record.network),
    });
    inspect_health::add_check(&mut value["Config"], record.health.as_ref());
    inspect_health::add_health(&mut value["State"], container.health.as_ref());
    if let (Some(size), Some(map)) = (size, value.as_object_mut()) {
        // Before the mounts, as Docker has them.
        let place = map.keys().position(|key| key == "Mounts").unwrap_or(0);
        map.shift_insert(place, "SizeRw".to_owned(), size.written.into());
        map.shift_insert(place + 1, "SizeRootFs".to_owned(), size.root.into());
    }
    Ok(value)
}

/// Empty where nothing is kept; the file is there once something was written.
fn log_path(engine: &Engine, container: &Container) -> String {
    let record = &container.record;
    if record.log.driver == LogDriver::None {
        return String::new();
    }
    let place = engine
        .store()
        .path_in(Place::Containers, record.id.as_str());
    place.join("log").display().to_string()
}

/// Neither network gives a container an address of its own.
fn network_settings(network: Network) -> Value {
    let name = json!(network).as_str().unwrap_or_default().to_owned();
    let nothing = json!({ "Gateway": "", "IPAddress": "", "MacAddress": "" });
    json!({
        "Ports": {},
        "Gateway": "",
        "IPAddress": "",
        "MacAddress": "",
        "Networks": { name: nothing },
    })
}

fn volumes_of(mounts: &[AttachedMount]) -> Value {
    let anonymous = mounts.iter().filter(|mount| mount.anonymous);
    set(&anonymous
        .map(|mount| mount.request.target.display().to_string())
        .collect::<Vec<_>>())
}

fn state(status: Status, state: Option<&State>) -> Value {
    let time = |time: Option<Timestamp>| {
        time.map_or_else(|| Timestamp::ZERO.to_owned(), |time| time.to_string())
    };
    json!({
        "Status": status.word(),
        "Running": status.is_live(),
        "Paused": status == Status::Paused,
        "Restarting": status == Status::Restarting,
        "OOMKilled": state.is_some_and(|state| state.oom_killed),
        "Dead": false,
        "Pid": state.map_or(0, |state| state.pid),
        "ExitCode": state.map_or(0, |state| state.exit_code),
        "Error": state.map_or("", |state| state.error.as_str()),
        "StartedAt": time(state.and_then(|state| state.started)),
        "FinishedAt": time(state.and_then(|state| state.finished)),
    })
}

/// The keys of Docker's overlay2 driver; the first lower is the topmost.
fn graph_data(overlay: &Overlay) -> Value {
    let path = |path: &PathBuf| overlay.base.join(path).display().to_string();
    let lowers: Vec<_> = overlay.lowers.iter().map(path).collect();
    let (upper, work) = overlay.written();
    json!({
        "LowerDir": lowers.join(":"),
        "MergedDir": path(&overlay.merged),
        "UpperDir": path(&upper),
        "WorkDir": path(&work),
    })
}

/// Keys in Docker's order (semantics 41), then those that Docker does not have.
pub(crate) fn volume(volume: &Volume, users: &[VolumeUse], last_used: Option<Timestamp>) -> Value {
    let record = &volume.record;
    let used_by = users.iter().map(|user| {
        json!({
            "Name": user.name,
            "ID": user.id,
            "Destination": user.target,
            "RW": user.access == Access::ReadWrite,
            "State": user.status.word(),
            "Pid": user.pid,
        })
    });
    json!({
        "CreatedAt": record.created.local_seconds(),
        "Driver": record.driver,
        "Labels": record.labels,
        "Mountpoint": volume.mountpoint.display().to_string(),
        "Name": record.name,
        "Options": record.options.as_ref().map(redacted),
        "Scope": "local",
        "Anonymous": record.is_anonymous(),
        "Description": record.description.as_deref().unwrap_or_default(),
        "LastUsedAt": last_used.map(|at| at.local_seconds()),
        "Origin": record.origin.as_ref().map(|origin| json!({
            "Container": origin.container,
            "Destination": origin.target,
        })),
        "Protected": record.protected,
        "Sharing": record.sharing.word(),
        "UsedBy": used_by.collect::<Vec<_>>(),
    })
}
