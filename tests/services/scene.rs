//! The stage: a store with a Debian that has the services on it.

use std::{
    ops::Deref,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    debian::{Mirror, is_skipped, kept_changes},
    support::{Done, Shed, Tar, finish, processes_of, read, wait_until, write_file},
};

/// No service is started by its installation, PostgreSQL's first database is made by its container,
/// and what nobody reads is left out.
const INSTALL: &str = "set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
cat >/etc/dpkg/dpkg.cfg.d/small <<END
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/lib/*/libLLVM*
path-exclude=/usr/lib/postgresql/15/lib/bitcode/*
force-unsafe-io
force-confold
END
apt-get -qq update
apt-get -qq install -y --no-install-recommends busybox nginx-light postgresql-15 redis-server \\
    >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/lib/redis/* /var/log/postgresql/*";

const PATH: &str = "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:\
                    /usr/bin:/sbin:/bin";

/// A store whose containers end with the test, however that ends.
pub(crate) struct Scene {
    shed: Shed,
}

impl Deref for Scene {
    type Target = Shed;

    fn deref(&self) -> &Shed {
        &self.shed
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let ids = finish(timed(&self.command("ps -aq"))).out;
        for id in ids.lines() {
            self.say(&format!("rm -fv {id}"));
        }
        if !std::thread::panicking() {
            let none = || processes_of(&self.store(), "").is_empty();
            wait_until("no process is left", none);
        }
    }
}

impl Scene {
    /// `image`: Debian, the services, a layer on top, Dockerfile instructions. `None` where there
    /// is no mirror.
    pub(crate) fn new(image: &str, top: Tar, changes: &[&str]) -> Option<Self> {
        if is_skipped() {
            return None;
        }
        let scene = Self::small();
        scene.add(image, top, changes);
        Some(scene)
    }

    /// `base` alone.
    pub(crate) fn small() -> Self {
        let shed = Shed::new();
        Self { shed }
    }

    /// Another such image.
    pub(crate) fn add(&self, image: &str, top: Tar, changes: &[&str]) {
        let mirror = Mirror::of_this_machine();
        let (base, services) = kept_changes(&mirror, &self.path(""), INSTALL);
        let own = self.path("top.tar");
        write_file(&own, &top.finish());
        let mut command = self.command("import --sync=none");
        command.args(["-c", PATH]);
        for change in changes {
            command.args(["-c", change]);
        }
        for layer in [&base, &services, &own] {
            command.arg("--layer").arg(layer);
        }
        finish(timed(command.arg(image))).ok();
    }
}

/// The command, but not without an end.
pub(crate) fn timed(command: &Command) -> Command {
    let mut timed = Command::new("timeout");
    timed.args(["--foreground", "-k", "5", "90"]);
    timed.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(key, value),
            None => timed.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        timed.current_dir(dir);
    }
    timed.stdin(Stdio::null());
    timed
}

impl Shed {
    /// A command line that has to come to an end.
    pub(crate) fn say(&self, line: &str) -> Done {
        finish(timed(&self.command(line)))
    }

    /// `exec FLAGS CONTAINER sh -c SCRIPT`
    pub(crate) fn exec(&self, container: &str, script: &str) -> Done {
        let mut command = self.command(&format!("exec {container} sh -c"));
        finish(timed(command.arg(script)))
    }

    /// `inspect -f`
    pub(crate) fn field(&self, container: &str, field: &str) -> String {
        let format = format!("{{{{{field}}}}}");
        let mut command = self.command("inspect -f");
        let text = finish(timed(command.arg(format).arg(container))).ok();
        text.trim_end().to_owned()
    }

    /// Sends a signal to a container's first process, as somebody on the host does.
    pub(crate) fn signal_first(&self, container: &str, signal: Signal) {
        kill(Pid::from_raw(self.pid_of(container)), signal).unwrap();
    }

    /// Waits until the container is in this state.
    #[track_caller]
    pub(crate) fn wait_for_state(&self, container: &str, state: &str) {
        eventually(&format!("{container} is {state}"), || {
            self.field(container, ".State.Status") == state
        });
    }

    /// Both streams of the log.
    pub(crate) fn log(&self, container: &str) -> String {
        let done = self.say(&format!("logs {container}"));
        done.out + &done.err
    }

    /// What the container's supervisor is: the parent of its first process.
    pub(crate) fn supervisor_of(&self, container: &str) -> i32 {
        let stat = read(format!("/proc/{}/status", self.pid_of(container)));
        let parent = stat.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.unwrap().trim().parse().unwrap()
    }
}

/// Waits as long as a database on a busy machine may take.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
