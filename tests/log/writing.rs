//! What is written, and where.

use std::{io::Write as _, os::unix::fs::PermissionsExt as _, time::Instant};

use cowshed::{
    ident::Timestamp,
    log::{LogDriver, LogOptions, Stream, Writer},
};
use proptest::prelude::*;

use crate::{Scratch, at, bytes_of, lines_of, numbered, rotated};

const NOW: &str = "2026-01-02T03:04:05.12Z";

#[test]
fn lines_are_dockers_and_the_file_is_made_with_the_first_one() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&LogOptions::default());
    writer.write(Stream::Stdout, b"unfinished", at(NOW));
    assert_eq!(scratch.names(), [""; 0]);
    writer.write(Stream::Stderr, b"\"err\"\n\n", at(NOW));
    writer.write(Stream::Stdout, b" line\n\xff\n", at("2026-01-02T03:04:06Z"));
    writer.flush(at(NOW));
    let time = "2026-01-02T03:04:05.120000000Z";
    let wanted = [
        format!(r#"{{"log":"\"err\"\n","stream":"stderr","time":"{time}"}}"#),
        format!(r#"{{"log":"\n","stream":"stderr","time":"{time}"}}"#),
        r#"{"log":"unfinished line\n","stream":"stdout","time":"2026-01-02T03:04:06.000000000Z"}"#.to_owned(),
        "{\"log\":\"\u{fffd}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:06.000000000Z\",\"raw\":\"/wo=\"}"
            .to_owned(),
    ];
    assert_eq!(scratch.text("log").lines().collect::<Vec<_>>(), wanted);
    let mode = std::fs::metadata(scratch.path().join("log"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777 & !0o640, 0);
}

#[test]
fn long_lines_come_in_pieces_that_do_not_divide_characters() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&LogOptions::default());
    let line = format!("x{}\n", "한".repeat(20_000));
    for chunk in line.as_bytes().chunks(1000) {
        writer.write(Stream::Stdout, chunk, at(NOW));
    }
    writer.write(Stream::Stderr, line.as_bytes(), at(NOW));
    writer.write(Stream::Stdout, &[b'y'; 16 * 1024], at(NOW));
    writer.write(Stream::Stdout, b"\n", at(NOW));
    let entries = scratch.entries();
    assert!(!scratch.text("log").contains("raw"));
    let of = |stream| entries.iter().filter(move |entry| entry.stream == stream);
    let lengths: Vec<_> = of(Stream::Stderr).map(|entry| entry.bytes.len()).collect();
    assert_eq!(lengths, [16384, 16383, 16383, 10852]);
    let lengths: Vec<_> = of(Stream::Stdout).map(|entry| entry.bytes.len()).collect();
    assert_eq!(lengths, [16384, 16383, 16383, 10852, 16384, 1]);
    assert_eq!(bytes_of(&entries, Stream::Stderr), line.as_bytes());
}

#[test]
fn files_are_rotated_between_lines_and_the_oldest_goes() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&rotated(230, 3));
    let text = numbered(40);
    writer.write(Stream::Stdout, text.as_bytes(), at(NOW));
    assert_eq!(scratch.names(), ["log", "log.1", "log.2"]);
    for name in ["log.1", "log.2"] {
        // Docker begins another file once the largest size is reached.
        let lines = scratch.text(name).lines().count();
        assert_eq!(lines, 3, "{name}");
    }
    let entries = scratch.entries();
    let wanted: Vec<_> = text.lines().map(|line| format!("{line}\n")).collect();
    assert_eq!(lines_of(&entries), wanted[40 - entries.len()..]);
}

#[test]
fn with_one_file_it_begins_again_and_readers_keep_the_old_one() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&rotated(1, 1));
    writer.write(Stream::Stdout, b"one\n", at(NOW));
    let old = std::fs::File::open(scratch.path().join("log")).unwrap();
    writer.write(Stream::Stdout, b"two\n", at(NOW));
    assert_eq!(scratch.names(), ["log"]);
    assert_eq!(lines_of(&scratch.entries()), ["two\n"]);
    assert!(std::io::read_to_string(old).unwrap().contains("one"));
}

#[test]
fn a_restart_goes_on_and_cuts_what_kill_9_left() {
    for torn in [&b"{\"log\":\"half a li"[..], b"\0\0\0\0", b""] {
        let scratch = Scratch::new();
        let options = rotated(10_000, 2);
        scratch
            .writer(&options)
            .write(Stream::Stdout, b"one\n", at(NOW));
        let path = scratch.path().join("log");
        let mut file = std::fs::File::options().append(true).open(path).unwrap();
        file.write_all(torn).unwrap();
        scratch
            .writer(&options)
            .write(Stream::Stdout, b"two\n", at(NOW));
        assert_eq!(lines_of(&scratch.entries()), ["one\n", "two\n"]);
    }
}

#[test]
fn a_crash_between_two_renames_loses_nothing() {
    let scratch = Scratch::new();
    let options = rotated(1, 5);
    let mut writer = scratch.writer(&options);
    writer.write(Stream::Stdout, b"1\n2\n3\n", at(NOW));
    drop(writer);
    std::fs::rename(scratch.path().join("log.2"), scratch.path().join("log.3")).unwrap();
    std::fs::rename(scratch.path().join("log"), scratch.path().join("log.1.tmp")).unwrap();
    assert_eq!(lines_of(&scratch.entries()), ["1\n", "2\n"]);
    scratch
        .writer(&options)
        .write(Stream::Stdout, b"4\n5\n", at(NOW));
    assert_eq!(lines_of(&scratch.entries()), ["1\n", "2\n", "4\n", "5\n"]);
}

#[test]
fn a_log_that_cannot_be_made_is_lost_and_told_later() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("log")).unwrap();
    let mut writer = scratch.writer(&rotated(100, 3));
    for _ in 0..5 {
        writer.write(Stream::Stdout, b"into the void\n", at(NOW));
    }
    writer.flush(at(NOW));
    assert_eq!(writer.lost(), 70);
    assert_eq!(scratch.names(), ["log"]);
    std::fs::remove_dir(scratch.path().join("log")).unwrap();
    writer.write(Stream::Stdout, b"kept\n", at(NOW));
    let text = scratch.text("log");
    let marker = r#"{"log":"","stream":"stderr","time":"2026-01-02T03:04:05.120000000Z","lost":70,"cause":"is a directory","file":1}"#;
    let all = scratch.text("log.1") + &text;
    assert_eq!(all.lines().next(), Some(marker));
    assert_eq!(scratch.entries().last().unwrap().bytes, b"kept\n");
}

#[test]
fn with_driver_none_there_is_no_writer() {
    let scratch = Scratch::new();
    assert!(Writer::new(scratch.dir(), &LogOptions::of(LogDriver::None)).is_none());
}

/// Chunks that look like text, like anything, and like little but newlines.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "([a-z \"\\\\한🐄\t]{0,20}\n?){0,6}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(prop_oneof![Just(b'\n'), Just(0xed), Just(b'a')], 0..50),
        (b' '..=255, 0..70_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        (0..20_000_usize).prop_map(|count| "한".repeat(count).into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn what_was_written_is_read(
        chunks in prop::collection::vec((any::<bool>(), chunk(), 0..10_u8), 0..12),
        max_size in prop_oneof![Just(None), (300..100_000_u64).prop_map(Some)],
    ) {
        let scratch = Scratch::new();
        let options = LogOptions { max_size, max_file: 500, ..LogOptions::default() };
        let mut writer = scratch.writer(&options);
        let mut written = [Vec::new(), Vec::new()];
        for (stderr, chunk, restart) in &chunks {
            let stream = if *stderr { Stream::Stderr } else { Stream::Stdout };
            written[usize::from(*stderr)].extend_from_slice(chunk);
            writer.write(stream, chunk, Timestamp::now());
            if *restart == 0 {
                writer.flush(Timestamp::now());
                writer = scratch.writer(&options);
            }
        }
        writer.flush(Timestamp::now());
        prop_assert_eq!(writer.lost(), 0);
        let entries = scratch.entries();
        prop_assert!(entries.iter().all(|entry| entry.lost.is_none() && entry.bytes.len() <= 16384));
        prop_assert!(bytes_of(&entries, Stream::Stdout) == written[0]);
        prop_assert!(bytes_of(&entries, Stream::Stderr) == written[1]);
    }
}

fn user_seconds() -> f64 {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    };
    let user = getrusage(UsageWho::RUSAGE_SELF).unwrap().user_time();
    std::time::Duration::from_micros(user.num_microseconds().unsigned_abs()).as_secs_f64()
}

/// `cargo test --release --test log throughput -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[expect(
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a measurement"
)]
fn throughput() {
    let line = "2026-01-02 03:04:05 INFO  worker-7 handled GET /index.html \"200\" in 12 ms\n";
    let texts = [
        ("lines of 75 bytes", line.repeat(64 * 1024 / line.len())),
        (
            "lines of 500 bytes",
            format!("{}\n", "word ".repeat(100)).repeat(130),
        ),
        (
            "Korean lines",
            format!("{}\n", "한글 ".repeat(20)).repeat(460),
        ),
        ("only newlines", "\n".repeat(64 * 1024)),
    ];
    for (what, chunk) in texts {
        let scratch = Scratch::new();
        let mut writer = scratch.writer(&rotated(64 << 20, 2));
        let (begun, user) = (Instant::now(), user_seconds());
        let mut total = 0;
        while total < 512 << 20 && begun.elapsed().as_secs() < 5 {
            writer.write(Stream::Stdout, chunk.as_bytes(), Timestamp::now());
            total += chunk.len();
        }
        let rate = |seconds: f64| total as f64 / seconds / 1e6;
        let (wall, user) = (
            rate(begun.elapsed().as_secs_f64()),
            rate(user_seconds() - user),
        );
        eprintln!("{what}: {wall:.0} MB/s, {user:.0} MB/s without the kernel");
    }
}
