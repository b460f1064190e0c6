//! The parent's side: pipes, fork, and waiting until the program runs or a step has failed.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use super::{
    Console, Error, ExecSpec, InitStep, Joining, Network, ProcessSpec,
    explain::explain,
    init::Child,
    report::{self, Report},
};
use crate::{
    cgroup::Group,
    mount::{MountPlan, Stage},
    sys::{SysError, fork, namespace, process},
};

/// A program that runs in its container.
#[derive(Debug)]
pub struct Running {
    /// Process 1 of the container, as the host numbers it.
    pub pid: i32,
    /// The same, without a race.
    pub pidfd: OwnedFd,
    /// Write here what it shall read; `None` without `-i`.
    pub stdin: Option<OwnedFd>,
    /// What it writes; `None` with a terminal.
    pub stdout: Option<OwnedFd>,
    /// What it complains; `None` with a terminal.
    pub stderr: Option<OwnedFd>,
    /// The main side of its terminal.
    pub terminal: Option<OwnedFd>,
    /// What did not go as asked on the way.
    pub notes: Vec<String>,
}

/// Told about each step as it is done: the step and how long it took.
pub type Observer<'a> = &'a mut dyn FnMut(&InitStep, Duration);

/// Forks into new namespaces, applies the plan there and executes the program.
///
/// With `group` the process is born in it. Returns when the program runs. On an error nothing is
/// left: the namespaces and every mount in them went with the child.
pub fn spawn(
    plan: &MountPlan,
    spec: &ProcessSpec,
    group: Option<&Group>,
    observer: Option<Observer<'_>>,
) -> Result<Running, Error> {
    let more = [&spec.cwd, &spec.hostname];
    check_text(spec.args.iter().chain(&spec.env).chain(more))?;
    let steps = InitStep::list(plan, spec, group);
    let start = Start {
        steps: &steps,
        observer,
        console: spec.console,
        env: &spec.env,
        container: None,
        group,
        network: spec.network,
    };
    let cgroup = group.and_then(Group::unified_fd);
    let stage = Stage::new(plan.overlay.merged_path()).with_users(super::find_ids);
    start.fork(stage, || fork::clone_in(spec.namespaces(), cgroup))
}

/// Forks into the namespaces of a running container and executes the program there.
///
/// `container` names its first process. Until then nothing of the new process can be looked at
/// from inside (CVE-2016-9962): from here on this process cannot be traced either.
pub fn join(
    container: BorrowedFd<'_>,
    spec: &ExecSpec,
    group: Option<&Group>,
) -> Result<Running, Error> {
    let steps = prepare_join(spec, group)?;
    let start = Start::joining(&steps, spec, (container, group));
    let cgroup = group.and_then(Group::unified_fd);
    start.fork(Stage::default(), || fork::clone_beside(container, cgroup))
}

/// Forks into the namespaces of a running container as [`join`] does, and waits for nothing.
pub fn begin_join(
    container: BorrowedFd<'_>,
    spec: &ExecSpec,
    group: Option<&Group>,
) -> Result<Joining, Error> {
    let steps = prepare_join(spec, group)?;
    let start = Start::joining(&steps, spec, (container, group));
    let cgroup = group.and_then(Group::unified_fd);
    let (starting, channel) =
        start.begin(Stage::default(), || fork::clone_beside(container, cgroup))?;
    Joining::new(starting, channel, steps)
}

fn prepare_join(spec: &ExecSpec, group: Option<&Group>) -> Result<Vec<InitStep>, Error> {
    check_text(spec.args.iter().chain(&spec.env).chain([&spec.cwd]))?;
    process::forbid_core_dump_and_trace().map_err(failed("hide descriptors"))?;
    Ok(InitStep::list_exec(spec, group))
}

pub(super) fn failed(what: &'static str) -> impl FnOnce(SysError) -> Error {
    move |source| Error::System { what, source }
}

fn check_text<'t>(mut texts: impl Iterator<Item = &'t String>) -> Result<(), Error> {
    match texts.find(|text| text.contains('\0')) {
        Some(text) => Err(Error::Nul {
            what: format!("{text:?}"),
        }),
        None => Ok(()),
    }
}

/// [`Running`] before there is a process.
#[derive(Debug, Default)]
pub(super) struct Starting {
    pub(super) pid: i32,
    pub(super) pidfd: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    notes: Vec<String>,
}

/// Makes a network namespace for the process at the other end.
fn give_network(channel: &OwnedFd) -> Result<(), SysError> {
    let network = namespace::new_network()?;
    // A child that has failed by now has said why.
    report::send_fd(channel, &network).ok();
    Ok(())
}

fn streams(console: Console) -> Result<(Starting, [Option<OwnedFd>; 3]), SysError> {
    let mut ours = Starting::default();
    let mut theirs = [None, None, None];
    if let Console::Pipes { stdin } = console {
        if stdin {
            let (read, write) = process::pipe()?;
            (theirs[0], ours.stdin) = (Some(read), Some(write));
        }
        let (read, write) = process::pipe()?;
        (ours.stdout, theirs[1]) = (Some(read), Some(write));
        let (read, write) = process::pipe()?;
        (ours.stderr, theirs[2]) = (Some(read), Some(write));
    }
    Ok((ours, theirs))
}

struct Start<'a, 'o> {
    steps: &'a [InitStep],
    observer: Option<Observer<'o>>,
    console: Console,
    env: &'a [String],
    container: Option<BorrowedFd<'a>>,
    group: Option<&'a Group>,
    /// [`Network::None`] is made for it.
    network: Network,
}

impl<'a> Start<'a, '_> {
    fn joining(
        steps: &'a [InitStep],
        spec: &'a ExecSpec,
        (container, group): (BorrowedFd<'a>, Option<&'a Group>),
    ) -> Self {
        Self {
            steps,
            observer: None,
            console: spec.console,
            env: &spec.env,
            container: Some(container),
            group,
            network: Network::Host,
        }
    }
}

impl Start<'_, '_> {
    fn fork(
        self,
        stage: Stage,
        fork: impl FnOnce() -> Result<fork::Side, SysError>,
    ) -> Result<Running, Error> {
        let (starting, channel) = self.begin(stage, fork)?;
        if self.network == Network::None
            && let Err(source) = give_network(&channel)
        {
            // It waits for one.
            if let Some(pidfd) = &starting.pidfd {
                process::send_signal(pidfd.as_fd(), libc::SIGKILL).ok();
                process::wait(pidfd.as_fd()).ok();
            }
            return Err(failed("make network namespace")(source));
        }
        self.wait(starting, &channel)
    }

    /// What there is before a word has come from the child, and where its words come from.
    fn begin(
        &self,
        stage: Stage,
        fork: impl FnOnce() -> Result<fork::Side, SysError>,
    ) -> Result<(Starting, OwnedFd), Error> {
        let (ours, theirs) = report::channel().map_err(failed("make report channel"))?;
        let (mut running, streams) = streams(self.console).map_err(failed("make pipes"))?;
        match fork().map_err(failed("create namespaces"))? {
            fork::Side::Child => {
                drop((ours, running));
                Child {
                    steps: self.steps,
                    stage,
                    report: Some(theirs),
                    timed: self.observer.is_some(),
                    streams,
                    env: self.env.to_vec(),
                    container: self.container,
                    group: self.group,
                }
                .run()
            }
            fork::Side::Parent { pid, pidfd } => {
                drop((theirs, streams));
                running.pid = pid;
                running.pidfd = Some(pidfd);
                Ok((running, ours))
            }
        }
    }

    fn wait(mut self, mut starting: Starting, channel: &OwnedFd) -> Result<Running, Error> {
        let pidfd = starting
            .pidfd
            .take()
            .expect("set by the parent's side of the fork");
        let mut executing = None;
        loop {
            match report::receive(channel).map_err(failed("read report"))? {
                Some((Report::Terminal, fd)) => starting.terminal = fd,
                Some((Report::Executing, _)) => executing = Some(Instant::now()),
                Some((Report::Note { text }, _)) => starting.notes.push(text),
                Some((Report::Done { step, nanoseconds }, _)) => {
                    if let (Some(observer), Some(step)) = (&mut self.observer, self.steps.get(step))
                    {
                        observer(step, Duration::from_nanos(nanoseconds));
                    }
                }
                Some((bad @ (Report::Failed { .. } | Report::NoUser { .. }), _)) => {
                    process::wait(pidfd.as_fd()).map_err(failed("wait for first process"))?;
                    return Err(explain(self.steps, bad));
                }
                None => break,
            }
        }
        // The channel ends with exec, or with a death that could not speak.
        let Some(executing) = executing else {
            let ended = process::wait(pidfd.as_fd()).map_err(failed("wait for first process"))?;
            return Err(Error::Vanished { code: ended.code() });
        };
        // The one step that cannot tell of its own success.
        if let (Some(observer), Some(exec)) = (&mut self.observer, self.steps.last()) {
            observer(exec, executing.elapsed());
        }
        let Starting {
            pid,
            stdin,
            stdout,
            stderr,
            terminal,
            notes,
            ..
        } = starting;
        Ok(Running {
            pid,
            pidfd,
            stdin,
            stdout,
            stderr,
            terminal,
            notes,
        })
    }
}
