//! Any command line at all, of a few names, so that many want the same.

use crate::{dice::Dice, support::Shed};

const IMAGES: [&str; 5] = ["base", "im:1", "im:2", "im:3", "new:1"];
const VOLUMES: [&str; 6] = ["v1", "v2", "v3", "v4", "v5", "v6"];
const CONTAINERS: [&str; 8] = [
    "box-1", "box-2", "box-3", "box-4", "box-5", "box-6", "box-7", "box-8",
];

/// Who writes where.
pub(crate) struct Place<'s> {
    pub(crate) shed: &'s Shed,
    pub(crate) worker: usize,
}

/// A command line that the dice choose.
pub(crate) fn line(dice: &mut Dice, place: &Place<'_>) -> String {
    let (image, volume) = (*dice.pick(&IMAGES), *dice.pick(&VOLUMES));
    let container = *dice.pick(&CONTAINERS);
    match dice.below(100) {
        0..45 => of_containers(dice, place, (container, image, volume)),
        45..62 => of_images(dice, image, (container, place)),
        62..80 => of_volumes(dice, volume, place),
        80..90 => prune(dice),
        _ => look(dice, container, (image, volume)),
    }
}

fn of_containers(
    dice: &mut Dice,
    place: &Place<'_>,
    (name, image, volume): (&str, &str, &str),
) -> String {
    let made = format!("--pull=never --name {name} -v {volume}:/v {image}");
    match dice.below(21) {
        18 => format!(
            "cp {name}:/file {}",
            place.shed.show(&format!("files/file-{}", place.worker))
        ),
        19 => format!("cp {} {name}:/copied", place.shed.show("copied")),
        20 => format!(
            "export -o {} {name}",
            place
                .shed
                .show(&format!("files/export-{}.tar", place.worker))
        ),
        0..2 => format!("create {made} true"),
        2..4 => format!("run -d {made} sh -c 'echo here >>/v/log; exit 3'"),
        4..6 => format!("run -d {made} sh -c 'exec sleep 2'"),
        6..9 => format!(
            "run --rm --pull=never -v {volume}:/v -v /anon {image} sh -c 'echo x >>/v/log; ls /v'"
        ),
        9 => format!("run -d --rm --pull=never -v {volume}:/data {image} sh -c 'exec sleep 1'"),
        10 => format!("start {name}"),
        11 => format!("stop -t 0 {name}"),
        12 => format!("kill {name}"),
        13..15 => format!("rm -f {name}"),
        15 => format!("rm {name}"),
        16 => format!("rename {name} {}", dice.pick(&CONTAINERS)),
        _ => format!("exec {name} true"),
    }
}

fn of_images(dice: &mut Dice, image: &str, (container, place): (&str, &Place<'_>)) -> String {
    let shed = place.shed;
    match dice.below(12) {
        0..3 => format!(
            "load -q -i {}",
            shed.show(&format!("im-{}.tar", 1 + dice.below(3)))
        ),
        3..5 => format!("import {} base", shed.show("base.tar")),
        5..7 => format!("commit {container} {image}"),
        7 => format!("tag {image} {}", dice.pick(&IMAGES)),
        8 => format!("rmi {image}"),
        9 => format!("rmi -f {image}"),
        10 => format!(
            "save -o {} {image}",
            shed.show(&format!("files/save-{}.tar", place.worker))
        ),
        _ => format!("image verify -q {image}"),
    }
}

fn of_volumes(dice: &mut Dice, volume: &str, place: &Place<'_>) -> String {
    let file = place
        .shed
        .show(&format!("files/backup-{}.tar", place.worker));
    match dice.below(18) {
        16 => format!("volume cp {volume} {}", dice.pick(&VOLUMES)),
        17 => format!("volume cp {} {volume}:/copied", place.shed.show("copied")),
        0..4 => format!("volume create {volume}"),
        4..6 => format!("volume rm {volume}"),
        6..9 => format!("volume backup -q -o {file} {volume}"),
        9 => format!("volume restore -q --replace {file} {volume}"),
        10 => format!("volume restore -q {file} {volume}"),
        11 => format!("volume rename {volume} {}", dice.pick(&VOLUMES)),
        12 => format!("volume label {volume} worker={}", place.worker),
        13 => format!("volume protect {volume}"),
        14 => format!("volume unprotect {volume}"),
        _ => format!("volume trash restore {volume}"),
    }
}

fn prune(dice: &mut Dice) -> String {
    let lines = [
        "container prune -f",
        "image prune -f",
        "image prune -a -f",
        "volume prune -f",
        "volume prune -f --no-trash",
        "system prune -f --volumes",
        "system prune -f -a",
        "volume trash empty -f",
    ];
    (*dice.pick(&lines)).to_owned()
}

fn look(dice: &mut Dice, container: &str, (image, volume): (&str, &str)) -> String {
    match dice.below(16) {
        12 => "system check".to_owned(),
        13 => format!("top {container}"),
        14 => "stats --no-stream".to_owned(),
        15 => format!("history {image}"),
        0 => "ps -a -s".to_owned(),
        1 => "ps".to_owned(),
        2 => "images".to_owned(),
        3 => "volume ls -s".to_owned(),
        4..6 => "system df".to_owned(),
        6 => "system df -v".to_owned(),
        7 => format!("inspect {container}"),
        8 => format!("image inspect {image}"),
        9 => format!("volume inspect {volume}"),
        10 => format!("diff {container}"),
        _ => format!("logs {container}"),
    }
}
