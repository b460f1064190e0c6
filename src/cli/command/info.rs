//! `cowshed info`

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Engine, Info},
    sys::features::Cgroups,
};

use super::inspect::FormatArg;
use crate::cli::{report::Outcome, text};

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(engine: &Engine, args: &InfoArgs) -> Outcome {
    let show = args.format.show()?;
    let info = engine.info()?;
    show.record(&object(&info), || page(&info))?;
    Ok(ExitCode::SUCCESS)
}

fn cgroup_version(cgroups: Cgroups) -> &'static str {
    match cgroups {
        Cgroups::Unified => "2",
        Cgroups::Legacy => "1",
        Cgroups::Absent => "none",
    }
}

/// What the kernel can do, as label and answer.
fn abilities(info: &Info) -> [(&'static str, String); 10] {
    let features = &info.features;
    let yes = |ability: bool| ability.to_string();
    [
        ("Backing Filesystem", features.backing.clone()),
        ("Supports d_type", yes(features.typed_entries)),
        ("Overlay", yes(features.overlay)),
        ("Lowerdir Append", yes(features.lowerdir_append)),
        ("userxattr", yes(features.userxattr)),
        ("metacopy", yes(features.metacopy)),
        ("volatile", yes(features.volatile)),
        ("Idmapped Mounts", yes(features.idmap)),
        ("Reflink", yes(features.reflink)),
        ("Native Overlay Diff", yes(true)),
    ]
}

fn page(info: &Info) -> String {
    let mut lines = vec![
        format!("Containers: {}", info.running + info.paused + info.stopped),
        format!(" Running: {}", info.running),
        format!(" Paused: {}", info.paused),
        format!(" Stopped: {}", info.stopped),
        format!("Images: {}", info.images),
        format!("Volumes: {}", info.volumes),
        // Docker has no such line: only where there is something to tell.
        format!(" In Trash: {}", info.trashed_volumes),
        format!("Server Version: {}", env!("CARGO_PKG_VERSION")),
        format!("Storage Driver: {}", info.driver),
    ];
    if info.trashed_volumes == 0 {
        lines.retain(|line| !line.starts_with(" In Trash"));
    }
    lines.extend(abilities(info).map(|(label, answer)| format!(" {label}: {answer}")));
    lines.extend([
        format!("Cgroup Version: {}", cgroup_version(info.features.cgroups)),
        "Plugins:".to_owned(),
        " Volume: local".to_owned(),
        format!("Kernel Version: {}", info.kernel),
        format!("Operating System: {}", info.operating_system),
        "OSType: linux".to_owned(),
        format!("Architecture: {}", info.architecture),
        format!("CPUs: {}", info.cpus),
        format!("Total Memory: {}", text::size(info.memory, 4)),
        format!("Name: {}", info.name),
        format!("Cowshed Root Dir: {}", info.root),
    ]);
    lines.join("\n") + "\n"
}

fn object(info: &Info) -> serde_json::Value {
    let status: Vec<_> = abilities(info)
        .iter()
        .map(|(label, answer)| [(*label).to_owned(), answer.clone()])
        .collect();
    serde_json::json!({
        "Containers": info.running + info.paused + info.stopped,
        "ContainersRunning": info.running,
        "ContainersPaused": info.paused,
        "ContainersStopped": info.stopped,
        "Images": info.images,
        "Volumes": info.volumes,
        "VolumesInTrash": info.trashed_volumes,
        "Driver": info.driver,
        "DriverStatus": status,
        "CgroupVersion": cgroup_version(info.features.cgroups),
        "KernelVersion": info.kernel,
        "OperatingSystem": info.operating_system,
        "OSType": "linux",
        "Architecture": info.architecture,
        "NCPU": info.cpus,
        "MemTotal": info.memory,
        "Name": info.name,
        "CowshedRootDir": info.root,
        // Scripts ask for it by this name.
        "DockerRootDir": info.root,
        "Plugins": { "Volume": ["local"] },
        "ServerVersion": env!("CARGO_PKG_VERSION"),
    })
}
