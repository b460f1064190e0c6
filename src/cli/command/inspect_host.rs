//! `HostConfig` of Docker's `inspect`: what of the machine a container was given.

use cowshed::{
    cgroup::{DeviceRate, Limits},
    container::{AttachedMount, Container},
    mount::{Access, RequestKind},
    process::Ulimit,
};
use serde_json::{Map, Value, json};

use super::inspect_mounts;

pub(crate) fn host_config(container: &Container) -> Value {
    let record = &container.record;
    let mut value = json!({
        "Binds": binds(&record.mounts),
        "Mounts": inspect_mounts::mounts(&record.mounts),
        "LogConfig": {
            "Type": record.log.driver.to_string(),
            "Config": log_options(&record.log),
        },
        "NetworkMode": record.network,
        "RestartPolicy": {
            "Name": record.restart.name(),
            "MaximumRetryCount": record.restart.retries(),
        },
        "AutoRemove": record.auto_remove,
        "ReadonlyRootfs": record.root == Access::ReadOnly,
        "Tmpfs": tmpfs(&record.mounts),
        "ShmSize": record.shm_bytes,
        "Ulimits": record.ulimits.iter().map(ulimit).collect::<Vec<_>>(),
        "Init": record.reaper,
        "Privileged": false,
        "CapAdd": or_null(&record.security.cap_add),
        "CapDrop": or_null(&record.security.cap_drop),
        "SecurityOpt": or_null(&record.security.options),
    });
    let options: Map<_, _> = record.union.pairs().into_iter().map(pair).collect();
    if !options.is_empty() {
        value["StorageOpt"] = Value::Object(options);
    }
    // Docker has neither.
    if record.union.volatile {
        value["Volatile"] = true.into();
    }
    if let Some(memory) = record.union.ephemeral {
        let size = memory.size.map(|size| size.to_string());
        value["Ephemeral"] = json!({ "Size": size });
    }
    if let (Some(map), Value::Object(limits)) = (value.as_object_mut(), limits(&record.limits)) {
        map.extend(limits);
    }
    value
}

/// Go's empty list.
fn or_null(texts: &[String]) -> Value {
    if texts.is_empty() {
        Value::Null
    } else {
        json!(texts)
    }
}

fn pair((key, value): (&str, &str)) -> (String, Value) {
    (key.to_owned(), value.into())
}

/// What `-v` was given, as far as it names a source.
fn binds(mounts: &[AttachedMount]) -> Value {
    let text = |mount: &AttachedMount| {
        let request = &mount.request;
        if request.from_mount_flag {
            return None;
        }
        let source = match (&request.kind, &mount.volume) {
            (RequestKind::Bind(bind), _) => bind.source.display().to_string(),
            (RequestKind::Overlay(overlay), _) => overlay.lower.to_string(),
            (RequestKind::Volume(_), Some(name)) if !mount.anonymous => name.to_string(),
            (RequestKind::Volume(_) | RequestKind::Tmpfs(_) | RequestKind::Image(_), _) => {
                return None;
            }
        };
        let target = request.target.display();
        let mode = match (request.mode.as_str(), request.access) {
            ("", Access::ReadWrite) => String::new(),
            ("", Access::ReadOnly) => ":ro".to_owned(),
            (mode, _) => format!(":{mode}"),
        };
        Some(format!("{source}:{target}{mode}"))
    };
    let texts: Vec<_> = mounts.iter().filter_map(text).collect();
    if texts.is_empty() {
        Value::Null
    } else {
        json!(texts)
    }
}

/// Those of `--tmpfs`; the others are among the mounts (semantics 50).
fn tmpfs(mounts: &[AttachedMount]) -> Map<String, Value> {
    let option = |mount: &AttachedMount| match &mount.request.kind {
        RequestKind::Tmpfs(options) if mount.request.from_tmpfs_flag => Some((
            mount.request.target.display().to_string(),
            json!(options.to_string()),
        )),
        RequestKind::Tmpfs(_)
        | RequestKind::Bind(_)
        | RequestKind::Volume(_)
        | RequestKind::Image(_)
        | RequestKind::Overlay(_) => None,
    };
    mounts.iter().filter_map(option).collect()
}

fn log_options(options: &cowshed::log::LogOptions) -> Value {
    match options.max_size {
        Some(size) => json!({
            "max-size": size.to_string(),
            "max-file": options.max_file.to_string(),
        }),
        None => json!({}),
    }
}

fn ulimit(limit: &Ulimit) -> Value {
    json!({ "Name": limit.name, "Hard": limit.hard, "Soft": limit.soft })
}

/// Docker's names; 0 is no limit.
fn limits(limits: &Limits) -> Value {
    json!({
        "Memory": limits.memory.unwrap_or(0),
        "MemorySwap": limits.memory_swap.unwrap_or(0),
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "MemorySwappiness": limits.memory_swappiness,
        "OomKillDisable": limits.oom_kill_disable,
        "NanoCpus": limits.cpus.unwrap_or(0),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "CpuPeriod": limits.cpu_period.unwrap_or(0),
        "CpuQuota": limits.cpu_quota.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "CpusetMems": limits.cpuset_mems.clone().unwrap_or_default(),
        "PidsLimit": limits.pids,
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioDeviceReadBps": rates(&limits.device_read_bps),
        "BlkioDeviceWriteBps": rates(&limits.device_write_bps),
        "BlkioDeviceReadIOps": rates(&limits.device_read_iops),
        "BlkioDeviceWriteIOps": rates(&limits.device_write_iops),
    })
}

fn rates(rates: &[DeviceRate]) -> Vec<Value> {
    let rate = |rate: &DeviceRate| json!({ "Path": rate.device, "Rate": rate.rate });
    rates.iter().map(rate).collect()
}
