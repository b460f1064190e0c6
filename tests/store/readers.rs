//! Whoever only looks does not wait for whoever takes in a large image.

use std::time::{Duration, Instant};

use crate::{
    dice::{say, seed},
    support::{Shed, Tar, finish, write_file},
};

/// A tenth of what a load like this may take, and more than a busy machine needs for a look.
const PATIENCE: Duration = Duration::from_secs(3);

const LOOKS: [&str; 6] = [
    "ps -a",
    "images",
    "volume ls",
    "inspect box",
    "system df",
    "run --rm base true",
];

#[test]
#[ignore = "needs root"]
fn root_readers_do_not_wait_for_a_load() {
    let (long, _seed) = seed("readers");
    let megabytes = if long { 400_usize } else { 40 };
    let shed = Shed::new();
    shed.cowshed("create --name box base true").ok();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_le_bytes()[7]
    })
    .take(1 << 20)
    .collect();
    let mut layer = Tar::new();
    for number in 0..megabytes {
        layer = layer.file(&format!("file-{number}"), 0o644, &noise);
    }
    write_file(&shed.path("large.tar"), &layer.finish());
    let began = Instant::now();
    let mut load = shed.command(&format!("import {} large", shed.show("large.tar")));
    let mut load = load.spawn().unwrap();
    let (mut worst, mut count) = ((Duration::ZERO, ""), 0);
    while load.try_wait().unwrap().is_none() {
        let line = LOOKS[count % LOOKS.len()];
        let look = Instant::now();
        finish(shed.command(line)).ok();
        worst = worst.max((look.elapsed(), line));
        count += 1;
    }
    let took = began.elapsed();
    assert!(load.wait().unwrap().success());
    say(&format!(
        "{megabytes} MiB in {took:?}; of {count} looks the longest: {worst:?}"
    ));
    assert!(worst.0 < PATIENCE, "{worst:?}");
    assert!(count > 0);
    shed.cowshed("rm box").ok();
}
