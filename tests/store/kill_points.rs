//! Points at which something can befall a command: a system call, and the how manieth of its name.
//!
//! strace(1) counts for each thread alone, so a point is met by whichever thread comes there first.

use std::{
    collections::BTreeMap,
    fmt,
    process::{Command, Stdio},
};

use crate::{
    kill_scene::Scene,
    support::{Done, finish, read},
};

/// Calls that change something outside the process, or that another process sees.
pub(crate) const WRITING: &str = "?write,?writev,?pwrite64,?pwritev,?copy_file_range,?sendfile,\
    ?splice,?ftruncate,?fallocate,?mkdir,?mkdirat,?mknodat,?symlinkat,?linkat,?rename,?renameat,\
    ?renameat2,?unlink,?unlinkat,?chmod,?fchmod,?fchmodat,?fchmodat2,?fchown,?fchownat,?utimensat,\
    ?setxattr,?lsetxattr,?fsetxattr,?removexattr,?lremovexattr,?fremovexattr,?fsync,?fdatasync,\
    ?syncfs,?ioctl,?flock,?openat,?mount,?umount2,?fsopen,?fsconfig,?fsmount,?move_mount,\
    ?open_tree,?mount_setattr,?pivot_root,?clone3,?setsid,?setns,?socketpair,?bind,?listen,\
    ?connect,?accept4,?sendmsg,?sendto,?recvmsg,?waitid,?shutdown,?pidfd_send_signal";

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) call: String,
    /// Begins with 1.
    pub(crate) number: usize,
    /// As recorded, of every thread that came there.
    pub(crate) arguments: Vec<String>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call, self.number)?;
        let first: String = self
            .arguments
            .iter()
            .flat_map(|text| text.chars())
            .collect();
        write!(f, " ({first:.90})")
    }
}

impl Point {
    /// Whether any thread's call makes a file: `openat` does both.
    pub(crate) fn creates(&self) -> bool {
        self.arguments.iter().any(|text| text.contains("O_CREAT"))
    }
}

/// What befalls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blow {
    /// `kill -9` of whichever process comes there.
    Kill,
    /// The call fails so.
    Fail(&'static str),
    /// And all of its name after it, too.
    FailFromThenOn(&'static str),
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blow::Kill => write!(f, "killed at"),
            Blow::Fail(error) => write!(f, "{error} at"),
            Blow::FailFromThenOn(error) => write!(f, "{error} from then on at"),
        }
    }
}

/// The command line below strace; what strace wrote down is in the file `calls`.
fn traced(scene: &Scene, line: &str, arguments: &[String]) -> Done {
    let plain = scene.shed.command(line);
    let mut command = Command::new("timeout");
    // What waits for ever is a failure as well.
    command.args(["--foreground", "-s", "KILL", "60", "strace"]);
    // A container's own program is no business of ours.
    command.args(["-f", "-b", "execve", "-s", "60", "-o"]);
    command.arg(scene.shed.path("calls")).args(arguments);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env("COWSHED_ROOT", scene.shed.store());
    command
        .current_dir(scene.shed.path(""))
        .stdin(Stdio::null());
    finish(command)
}

/// All points of a command line that succeeds, calls of these names only.
pub(crate) fn record(scene: &Scene, line: &str, calls: &str) -> Vec<Point> {
    let arguments = ["-qq".to_owned(), "-e".to_owned(), format!("trace={calls}")];
    let done = traced(scene, line, &arguments);
    assert_eq!(done.code, 0, "{line}: {done:?}");
    let mut counts = BTreeMap::<(String, String), usize>::new();
    let mut points = BTreeMap::<(String, usize), Vec<String>>::new();
    for line in read(scene.shed.path("calls")).lines() {
        let process: String = line.chars().take_while(char::is_ascii_digit).collect();
        let call = line[process.len()..].trim_start();
        // Neither the second half of a call nor a signal.
        let Some((name, arguments)) = call
            .split_once('(')
            .filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        else {
            continue;
        };
        let count = counts.entry((process, name.to_owned())).or_default();
        *count += 1;
        let point = points.entry((name.to_owned(), *count)).or_default();
        point.push(arguments.to_owned());
    }
    let points = points.into_iter().map(|((call, number), arguments)| Point {
        call,
        number,
        arguments,
    });
    points.collect()
}

/// How a command took a blow.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) done: Done,
    /// Whether any thread came to the point.
    pub(crate) was_met: bool,
    /// Whether it could not say what it had to say.
    pub(crate) is_mute: bool,
}

/// The command line with a blow at this point.
pub(crate) fn strike(scene: &Scene, line: &str, point: &Point, blow: Blow) -> Struck {
    let Point { call, number, .. } = point;
    let what = match blow {
        Blow::Kill => format!("signal=SIGKILL:when={number}"),
        Blow::Fail(error) => format!("error={error}:when={number}"),
        Blow::FailFromThenOn(error) => format!("error={error}:when={number}+"),
    };
    let arguments = [
        "-e",
        &format!("trace={call}"),
        "-e",
        &format!("inject={call}:{what}"),
    ];
    let done = traced(scene, line, &arguments.map(str::to_owned));
    let log = read(scene.shed.path("calls"));
    let struck = |line: &str| line.contains("(INJECTED)") || line.contains("killed by SIGKILL");
    let is_said = |line: &str| line.contains("write(2, ");
    Struck {
        done,
        was_met: log.lines().any(struck),
        is_mute: log.lines().any(|line| struck(line) && is_said(line)),
    }
}

/// Does something that may fail as a test does; whether it did not.
pub(crate) fn holds(check: impl FnOnce()) -> bool {
    // What is used afterwards is put back before.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_ok()
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// For this purpose, from the seed of the run.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut state = seed();
        for byte in purpose.bytes() {
            state = state.wrapping_mul(31).wrapping_add(u64::from(byte));
        }
        Self(state)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier (MMIX).
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = usize::try_from(self.0 >> 33).unwrap();
        high % end
    }
}

/// `COWSHED_TORTURE`: the whole, with this seed.
pub(crate) fn is_whole() -> bool {
    std::env::var_os("COWSHED_TORTURE").is_some()
}

/// Of a whole run, or of the short one's sample: `COWSHED_SEED`, which is 1 where nobody says.
pub(crate) fn seed() -> u64 {
    let variable = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    variable("COWSHED_TORTURE")
        .or_else(|| variable("COWSHED_SEED"))
        .unwrap_or(1)
}

/// All of them in a whole run, else so many, in an order of the seed's. `COWSHED_SAMPLE` is the
/// number for a run in between.
pub(crate) fn sample<T>(mut all: Vec<T>, count: usize, purpose: &str) -> Vec<T> {
    let asked = std::env::var("COWSHED_SAMPLE").ok();
    let asked = asked.map(|text| text.parse().unwrap());
    let count = match asked {
        None if is_whole() => return all,
        asked => asked.unwrap_or(count),
    };
    let mut random = Random::new(purpose);
    for last in (1..all.len()).rev() {
        all.swap(last, random.below(last + 1));
    }
    all.truncate(count);
    all
}
