//! What is done to a container that runs: through its supervisor, who alone can know.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{
    Container, Engine, Error, Explain, Ran, Status, Way, containers, launch::Startable,
    launch::follow, signal,
};
use crate::{
    control::{Attach, Console, Link, Reply, Request, StopRequest},
    ident::ContainerId,
    store::{Lease, Tried, record, try_lease},
};

/// A lister holds a lease for microseconds; a supervisor that is starting takes calls as soon as the
/// program runs, which may take as long as filling a volume from the image.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who holds a container.
enum Held {
    /// Nobody did; now we do.
    Free(Lease),
    /// Its supervisor.
    By(Link),
}

/// Waits until the lease of a container is ours or its supervisor answers; `None` when it is gone.
fn hold(engine: &Engine, id: &ContainerId) -> Result<Option<Held>, Error> {
    let dir = engine.containers_dir()?;
    let end = Instant::now() + PATIENCE;
    loop {
        match try_lease(dir, id.as_str())? {
            Tried::Got(lease) => return Ok(Some(Held::Free(lease))),
            Tried::Absent => return Ok(None),
            Tried::Busy => {}
        }
        if let Ok(own) = dir.open_dir(id.as_str())
            && let Some(link) = Link::connect(&own)?
        {
            return Ok(Some(Held::By(link)));
        }
        if Instant::now() >= end {
            let what = "is held by another command";
            return Err(Error::State {
                operation: format!("reach container {}", id.short()),
                what,
                remedy: "try again in a moment".to_owned(),
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Engine {
    /// The supervisor of a container that runs.
    fn call(&self, container: &Container) -> Result<Option<Link>, Error> {
        if !container.status.is_live() {
            return Ok(None);
        }
        match hold(self, &container.record.id)? {
            Some(Held::By(link)) => Ok(Some(link)),
            Some(Held::Free(_)) | None => Ok(None),
        }
    }

    /// Starts a container that does not run. One that runs is left as it is, or attached to.
    pub fn start(&self, text: &str, way: Way, explain: &mut Explain<'_>) -> Result<Ran, Error> {
        let console = Console::new()?;
        self.finish_volume_renaming()?;
        let container = self.container(text)?;
        let id = container.record.id.clone();
        if container.status == Status::Paused {
            return Err(Error::State {
                operation: format!("cannot start container \"/{}\"", container.record.name),
                what: "is paused, try unpause instead",
                remedy: format!("cowshed unpause {}", container.record.name),
            });
        }
        let lease = match hold(self, &id)? {
            Some(Held::Free(lease)) => lease,
            Some(Held::By(link)) => {
                return match way {
                    Way::Detached => Ok(Ran::Detached(id)),
                    Way::Attached { .. } => attach_to(link, (way, console), &container),
                };
            }
            None => {
                return Err(Error::NotFound {
                    name: text.to_owned(),
                });
            }
        };
        // Again, now that nobody else changes it.
        let record: super::ContainerRecord = record::read(&lease.dir, containers::CONFIG)?;
        let snapshot = self.snapshot(&record)?;
        if record.union.volatile {
            self.renew_volatile(&record, container.state.as_ref(), (&snapshot, &lease.dir))?;
        }
        let container = Startable {
            record,
            snapshot,
            lease,
            volumes: Vec::new(),
        };
        self.supervise(container, (way, console), explain)
    }

    /// Attaches to a container that runs.
    pub fn attach(&self, text: &str, way: Way) -> Result<Ran, Error> {
        let console = Console::new()?;
        let container = self.container(text)?;
        let refuse = |what, verb: &str| Error::State {
            operation: format!("attach to container \"/{}\"", container.record.name),
            what,
            remedy: format!("cowshed {verb} {}", container.record.name),
        };
        match container.status {
            Status::Running => {}
            Status::Paused => return Err(refuse("is paused, unpause it first", "unpause")),
            Status::Restarting => {
                return Err(refuse("is restarting, wait until it is running", "logs"));
            }
            Status::Created | Status::Exited => {
                return Err(refuse("is not running, start it first", "start -a"));
            }
        }
        self.tell_container(&container.record, "attach", &[]);
        match self.call(&container)? {
            Some(link) => attach_to(link, (way, console), &container),
            None => Err(refuse("is not running, start it first", "start -a")),
        }
    }

    /// Asks a container to end and waits for it; one that does not run is fine (as in Docker).
    ///
    /// `signal` and `seconds` take the place of the container's own; negative seconds wait for ever.
    pub fn stop(
        &self,
        text: &str,
        signal: Option<i32>,
        seconds: Option<i32>,
    ) -> Result<ContainerId, Error> {
        let container = self.container(text)?;
        let request = stop_request(&container, signal, seconds);
        if let Some(link) = self.call(&container)? {
            link.say(&Request::Stop(request))?;
            await_end(&link)?;
        }
        Ok(container.record.id)
    }

    /// Stops a container and starts it again, without letting go of it in between; one that does
    /// not run is started.
    pub fn restart(
        &self,
        text: &str,
        signal: Option<i32>,
        seconds: Option<i32>,
    ) -> Result<ContainerId, Error> {
        let container = self.container(text)?;
        let request = stop_request(&container, signal, seconds);
        let Some(link) = self.call(&container)? else {
            self.start(text, Way::Detached, &mut Explain::silent())?;
            return Ok(container.record.id);
        };
        link.say(&Request::Restart(request))?;
        loop {
            match link.hear()? {
                Some(Reply::Started) => {
                    self.tell_container(&container.record, "restart", &[]);
                    return Ok(container.record.id);
                }
                Some(Reply::Failed(told)) => return Err(super::told::unpack(told)),
                Some(Reply::Ended { .. }) | None => {
                    return Err(Error::State {
                        operation: format!("restart container {}", container.record.name),
                        what: "has ended meanwhile",
                        remedy: format!("cowshed start {}", container.record.name),
                    });
                }
                Some(Reply::Taken | Reply::Done | Reply::Refused { .. }) => {}
            }
        }
    }

    /// Sends a signal to process 1. Docker's text where it does not run.
    pub fn kill(&self, text: &str, signal: i32) -> Result<ContainerId, Error> {
        let container = self.container(text)?;
        let not_running = || Error::State {
            operation: format!("cannot kill container: {text}"),
            what: "is not running",
            remedy: "cowshed ps lists those that run".to_owned(),
        };
        let link = self.call(&container)?.ok_or_else(not_running)?;
        if signal == Signal::SIGKILL as i32 {
            let seconds = Some(0);
            self.tell_container(&container.record, "kill", &[("signal", "9")]);
            link.say(&Request::Stop(StopRequest { signal, seconds }))?;
            await_end(&link)?;
            return Ok(container.record.id);
        }
        let attributes = [("signal", signal.to_string())];
        let attributes = attributes
            .each_ref()
            .map(|(key, value)| (*key, value.as_str()));
        self.tell_container(&container.record, "kill", &attributes);
        link.say(&Request::Signal(signal))?;
        match link.hear()? {
            Some(Reply::Refused { why }) => Err(Error::Usage {
                what: format!("kill container {text} with {}: {why}", signal::name(signal)),
            }),
            Some(_) => Ok(container.record.id),
            None => Err(not_running()),
        }
    }

    /// Waits for a container's end; its code. One that does not run has ended already.
    pub fn wait(&self, text: &str) -> Result<i32, Error> {
        let container = self.container(text)?;
        if let Some(link) = self.call(&container)? {
            link.say(&Request::Wait)?;
            if let Some(code) = await_end(&link)? {
                return Ok(code);
            }
        }
        // Ended before we asked, or with its supervisor.
        match self.container(container.record.id.as_str()) {
            Ok(now) => Ok(now.state.map_or(0, |state| state.exit_code)),
            Err(Error::NotFound { .. }) => Ok(137),
            Err(error) => Err(error),
        }
    }

    /// The ids of containers that do not run and that their policy wants back after a boot.
    pub fn to_be_revived(&self) -> Result<Vec<String>, Error> {
        let (all, _damaged) = self.all_containers()?;
        let wanted = |one: &&Container| {
            let state = one.state.as_ref().filter(|state| state.started.is_some());
            !one.status.is_live() && state.is_some_and(|state| one.record.restart.revives(state))
        };
        let ids = all.iter().rev().filter(wanted);
        Ok(ids.map(|one| one.record.id.to_string()).collect())
    }

    /// A link that hangs up when the container's supervisor does; `None` where there is none.
    pub fn lifeline(&self, container: &Container) -> Result<Option<Link>, Error> {
        self.call(container)
    }
}

fn stop_request(container: &Container, signal: Option<i32>, seconds: Option<i32>) -> StopRequest {
    let own = container.record.stop_request();
    StopRequest {
        signal: signal.unwrap_or(own.signal),
        seconds: match seconds {
            None => own.seconds,
            Some(seconds) => u32::try_from(seconds).ok(),
        },
    }
}

/// The code, unless the supervisor went without a word.
fn await_end(link: &Link) -> Result<Option<i32>, Error> {
    loop {
        match link.hear()? {
            Some(Reply::Ended { code }) => return Ok(Some(code)),
            Some(Reply::Failed(told)) => return Err(super::told::unpack(told)),
            Some(Reply::Started | Reply::Taken | Reply::Done | Reply::Refused { .. }) => {}
            None => return Ok(None),
        }
    }
}

fn attach_to(
    link: Link,
    (way, console): (Way, Console),
    container: &Container,
) -> Result<Ran, Error> {
    let record = &container.record;
    link.say(&Request::Attach(Attach {
        owner: false,
        ..way.attach()
    }))?;
    follow(
        link,
        (way, console),
        record.name.as_str(),
        record.id.clone(),
    )
}
