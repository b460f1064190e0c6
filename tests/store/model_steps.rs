//! Steps as proptest makes them, and as command lines.

use proptest::prelude::*;

use crate::model_world::{ARCHIVES, CONTAINERS, IMAGES, Step, VOLUMES};

/// Any step; what makes something comes more often than what takes it away.
pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let name = || 0..CONTAINERS.len();
    let image = || 0..IMAGES.len();
    let volume = || 0..VOLUMES.len();
    let yes = any::<bool>;
    prop_oneof![
        3 => (name(), image(), volume(), yes())
            .prop_map(|(name, image, volume, label)| Step::Create { name, image, volume, label }),
        4 => (name(), image(), volume(), yes()).prop_map(|(name, image, volume, anonymous)| {
            Step::RunBackground { name, image, volume, anonymous }
        }),
        3 => (image(), volume(), any::<u32>())
            .prop_map(|(image, volume, mark)| Step::RunOnce { image, volume, mark }),
        2 => name().prop_map(|name| Step::Start { name }),
        2 => name().prop_map(|name| Step::Stop { name }),
        1 => name().prop_map(|name| Step::Kill { name }),
        2 => (name(), yes(), yes())
            .prop_map(|(name, force, volumes)| Step::Remove { name, force, volumes }),
        2 => (name(), name()).prop_map(|(name, to)| Step::Rename { name, to }),
        3 => (volume(), yes()).prop_map(|(volume, label)| Step::VolumeCreate { volume, label }),
        2 => volume().prop_map(|volume| Step::VolumeRemove { volume }),
        2 => (volume(), volume()).prop_map(|(volume, to)| Step::VolumeRename { volume, to }),
        2 => (volume(), volume()).prop_map(|(volume, to)| Step::VolumeCopy { volume, to }),
        1 => volume().prop_map(|volume| Step::Protect { volume }),
        1 => volume().prop_map(|volume| Step::Unprotect { volume }),
        2 => (image(), image()).prop_map(|(image, to)| Step::Tag { image, to }),
        2 => (image(), yes()).prop_map(|(image, force)| Step::RemoveImage { image, force }),
        3 => (name(), image()).prop_map(|(name, image)| Step::Commit { name, image }),
        3 => (0..ARCHIVES).prop_map(|archive| Step::Load { archive }),
        1 => yes().prop_map(|label| Step::ContainerPrune { label }),
        1 => yes().prop_map(|all| Step::ImagePrune { all }),
        1 => yes().prop_map(|label| Step::VolumePrune { label }),
        1 => yes().prop_map(|volumes| Step::SystemPrune { volumes }),
    ]
}

fn option(wanted: bool, text: &'static str) -> &'static str {
    if wanted { text } else { "" }
}

#[expect(clippy::too_many_lines, reason = "a line for each command")]
/// As one types it; `dir` has the archives.
pub(crate) fn line(step: &Step, dir: &str) -> String {
    let (c, v, i) = (
        |at: usize| CONTAINERS[at],
        |at: usize| VOLUMES[at],
        |at: usize| IMAGES[at],
    );
    match *step {
        Step::Create {
            name,
            image,
            volume,
            label,
        } => {
            let label = option(label, "--label k=a");
            let (name, volume, image) = (c(name), v(volume), i(image));
            format!("create --pull=never --name {name} {label} -v {volume}:/v {image} sleep 1000")
        }
        Step::RunBackground {
            name,
            image,
            volume,
            anonymous,
        } => {
            let anonymous = option(anonymous, "-v /anon");
            let (name, volume, image) = (c(name), v(volume), i(image));
            format!(
                "run -d --pull=never --name {name} {anonymous} -v {volume}:/v {image} sleep 1000"
            )
        }
        Step::RunOnce {
            image,
            volume,
            mark,
        } => {
            let (volume, image) = (v(volume), i(image));
            format!("run --rm --pull=never -v {volume}:/v {image} sh -c 'echo {mark} >/v/mark'")
        }
        Step::Start { name } => format!("start {}", c(name)),
        Step::Stop { name } => format!("stop -t 0 {}", c(name)),
        Step::Kill { name } => format!("kill {}", c(name)),
        Step::Remove {
            name,
            force,
            volumes,
        } => {
            format!(
                "rm {} {} {}",
                option(force, "-f"),
                option(volumes, "-v"),
                c(name)
            )
        }
        Step::Rename { name, to } => format!("rename {} {}", c(name), c(to)),
        Step::VolumeCreate { volume, label } => {
            format!(
                "volume create --exist-ok {} {}",
                option(label, "--label k=a"),
                v(volume)
            )
        }
        Step::VolumeRemove { volume } => format!("volume rm {}", v(volume)),
        Step::VolumeRename { volume, to } => format!("volume rename {} {}", v(volume), v(to)),
        Step::VolumeCopy { volume, to } => format!("volume cp {} {}", v(volume), v(to)),
        Step::Protect { volume } => format!("volume protect {}", v(volume)),
        Step::Unprotect { volume } => format!("volume unprotect {}", v(volume)),
        Step::Tag { image, to } => format!("tag {} {}", i(image), i(to)),
        Step::RemoveImage { image, force } => format!("rmi {} {}", option(force, "-f"), i(image)),
        Step::Commit { name, image } => format!("commit {} {}", c(name), i(image)),
        Step::Load { archive } => format!("load -q -i {dir}/archive-{archive}.tar"),
        Step::ContainerPrune { label } => {
            format!("container prune -f {}", option(label, "--filter label=k=a"))
        }
        Step::ImagePrune { all } => format!("image prune -f {}", option(all, "-a")),
        Step::VolumePrune { label } => {
            format!("volume prune -f {}", option(label, "--filter label=k=a"))
        }
        Step::SystemPrune { volumes } => {
            format!("system prune -f {}", option(volumes, "--volumes"))
        }
    }
}
