//! Another process in a container that runs.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Duration,
};

use super::{
    Container, ContainerRecord, Engine, Error, Ran, State, Status, Way, containers,
    launch::{collect, follow, in_fork},
    told,
};
use crate::{
    cgroup::Group,
    control::{Console, Keeper, Link, Pump, Reply, StopRequest},
    log::Stream,
    process::{self as room, Console as Streams, ExecSpec, Rights},
    sys::{SysError, process},
};

/// Everything `exec` takes.
#[derive(Debug, Clone)]
pub struct ExecRequest {
    /// Program and arguments.
    pub args: Vec<String>,
    /// `KEY=value`, on top of the container's.
    pub env: Vec<String>,
    /// `None` is the container's.
    pub workdir: Option<String>,
    /// `None` is the container's.
    pub user: Option<String>,
    /// `-t`
    pub terminal: bool,
    /// `-i`
    pub interactive: bool,
    /// `--privileged`
    pub privileged: bool,
}

impl Engine {
    /// Runs a process in a running container. Docker's texts.
    ///
    /// It has a small supervisor of its own, so that one can leave it; it ends with the container.
    pub fn exec(&self, text: &str, request: ExecRequest, way: Way) -> Result<Ran, Error> {
        let console = Console::new()?;
        let container = self.container(text)?;
        let record = &container.record;
        let pidfd = running_process(&container)?;
        let spec = spec(&container, request)?;
        let group = self.group_of(record)?;
        let action = format!("exec_start: {}", spec.args.join(" "));
        self.tell_container(record, &action, &[]);
        let attach = way.attach();
        let (link, supervisor) = in_fork(|link| {
            let once = !matches!(way, Way::Detached);
            keep((pidfd.as_fd(), &spec, group.as_ref()), (link, attach), once)
        })?;
        let ran = follow(
            link,
            (way, console),
            record.name.as_str(),
            record.id.clone(),
        );
        collect(&supervisor, attach.owner, &ran);
        match ran {
            // It has ended since we looked, or is about to: what failed then is no news.
            Err(error)
                if error.exit_code() == ENGINE_FAILED
                    && process::await_gone(pidfd.as_fd(), DYING).unwrap_or(false) =>
            {
                Err(not_joined(record, "is not running", "start"))
            }
            ran => ran,
        }
    }
}

/// The code of what is wrong with neither the program nor its name.
const ENGINE_FAILED: i32 = 125;

/// A first process that lets nobody join any more is gone after so long.
const DYING: Duration = Duration::from_millis(100);

fn not_joined(record: &ContainerRecord, what: &'static str, verb: &str) -> Error {
    Error::State {
        operation: format!("join container {}", record.name),
        what,
        remedy: format!("cowshed {verb} {}", record.name),
    }
}

/// Process 1 of a container that runs, without a race.
pub(super) fn running_process(container: &Container) -> Result<OwnedFd, Error> {
    let record = &container.record;
    let refuse = |what, verb: &str| not_joined(record, what, verb);
    match container.status {
        Status::Running => {}
        Status::Paused => {
            let what = "is paused, unpause the container before exec";
            return Err(refuse(what, "unpause"));
        }
        Status::Restarting => {
            let what = "is restarting, wait until the container is running";
            return Err(refuse(what, "logs"));
        }
        Status::Created | Status::Exited => return Err(refuse("is not running", "start")),
    }
    let state = container.state.as_ref().filter(|state| state.is_alive());
    let pid = state.map(|state| state.pid);
    let pid = pid.ok_or_else(|| refuse("is not running", "start"))?;
    let opened = process::open_pidfd(pid)
        .map_err(|source| containers::failed("open first process", source))?;
    opened
        .filter(|_| container.state.as_ref().is_some_and(State::is_alive))
        .ok_or_else(|| refuse("is not running", "start"))
}

fn spec(container: &Container, request: ExecRequest) -> Result<ExecSpec, Error> {
    let record = &container.record;
    if request.args.first().is_none_or(String::is_empty) {
        return Err(Error::NoCommand);
    }
    let cwd = request.workdir.unwrap_or_else(|| record.cwd.clone());
    if !cwd.starts_with('/') {
        return Err(Error::WorkingDirectory { path: cwd });
    }
    let mut env = record.env.clone();
    if request.terminal && !env.iter().any(|one| one.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    super::environment::merge(&mut env, &request.env);
    Ok(ExecSpec {
        args: request.args,
        env,
        cwd,
        user: request.user.unwrap_or_else(|| record.user.clone()),
        console: if request.terminal {
            Streams::Terminal
        } else {
            Streams::Pipes {
                stdin: request.interactive,
            }
        },
        rights: if request.privileged {
            Rights::ALL
        } else {
            record.security.rights()
        },
        ulimits: record.ulimits.clone(),
    })
}

/// The supervisor of the process; its exit code.
fn keep(
    (container, spec, group): (BorrowedFd<'_>, &ExecSpec, Option<&Group>),
    (link, attach): (Link, crate::control::Attach),
    once: bool,
) -> i32 {
    let start = || -> Result<_, Error> {
        process::new_session().map_err(|source| containers::failed("begin supervision", source))?;
        let pump = Pump::new(once)?;
        let running = room::join(container, spec, group)?;
        process::let_go_of_caller()
            .map_err(|source| containers::failed("leave caller's streams", source))?;
        Ok((pump, running))
    };
    let (mut pump, running) = match start() {
        Ok(started) => started,
        Err(error) => {
            link.say(&Reply::Failed(told::pack(&error))).ok();
            return 125;
        }
    };
    pump.welcome(link, attach);
    pump.started();
    let last = match pump.run(running, &mut Guest) {
        Ok(ended) => Reply::Ended { code: ended.code() },
        Err(error) => Reply::Failed(told::pack(&error.into())),
    };
    pump.ended(&last, false);
    pump.finish().ok();
    0
}

/// A process that is not the container's own: no log, and nothing to look after.
struct Guest;

impl Keeper for Guest {
    fn output(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn signal(&mut self, pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), SysError> {
        process::send_signal(pidfd, signal)
    }

    fn farewell(&self) -> StopRequest {
        StopRequest {
            signal: nix::sys::signal::Signal::SIGTERM as i32,
            seconds: Some(super::DEFAULT_STOP_TIMEOUT),
        }
    }
}
