//! `InitStep`: everything a container's first process does before it executes the program.

use super::{Console, ExecSpec, Network, ProcessSpec, Rights, Ulimit};
use crate::{
    cgroup::Group,
    mount::{Action, Mount, MountPlan, Narration, Source},
    sys::capability::Capabilities,
};

/// One step in the child. The list is data: it is narrated, applied in order, and a failure names
/// its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitStep {
    /// The process ends when its supervisor does.
    Leash,
    /// The namespaces of a container that runs already.
    Enter,
    /// The control groups that clone3(2) could not put it into.
    Join,
    /// Limits of each process.
    Limit(Vec<Ulimit>),
    /// A step of the mount plan.
    Mount(Action),
    /// The working directory is made where it is missing.
    MakeDirectory(String),
    /// The host name.
    Hostname(String),
    /// The network namespace, which the supervisor makes meanwhile.
    Network,
    /// Session, terminal and standard streams.
    Streams(Console),
    /// Working directory, capabilities, user.
    Identity {
        /// Where to stand.
        cwd: String,
        /// `user[:group]`.
        user: String,
        /// What it may do.
        rights: Rights,
    },
    /// The program takes over.
    Exec {
        /// Program and arguments.
        args: Vec<String>,
        /// `--init`.
        reaper: bool,
    },
}

impl InitStep {
    /// All steps of a container, in order.
    pub fn list(plan: &MountPlan, spec: &ProcessSpec, group: Option<&Group>) -> Vec<Self> {
        let mut steps = vec![Self::Leash];
        if group.is_some_and(Group::is_legacy) {
            steps.push(Self::Join);
        }
        let mut entered = false;
        for action in plan.actions() {
            // sysfs shows the network of whoever mounts it; until then there is something else to do.
            if spec.network == Network::None && !entered && needs_network(&action) {
                steps.push(Self::Network);
                entered = true;
            }
            // Before the root becomes read-only or is left.
            if action == Action::Mask {
                steps.push(Self::MakeDirectory(spec.cwd.clone()));
            }
            steps.push(Self::Mount(action));
        }
        steps.push(Self::Hostname(spec.hostname.clone()));
        if !spec.ulimits.is_empty() {
            steps.push(Self::Limit(spec.ulimits.clone()));
        }
        steps.push(Self::Streams(spec.console));
        steps.push(Self::Identity {
            cwd: spec.cwd.clone(),
            user: spec.user.clone(),
            rights: spec.rights,
        });
        steps.push(Self::Exec {
            args: spec.args.clone(),
            reaper: spec.reaper,
        });
        steps
    }

    /// All steps of a process that joins a container, in order.
    pub fn list_exec(spec: &ExecSpec, group: Option<&Group>) -> Vec<Self> {
        let mut steps = vec![Self::Leash];
        if group.is_some_and(Group::is_legacy) {
            steps.push(Self::Join);
        }
        steps.push(Self::Enter);
        if !spec.ulimits.is_empty() {
            steps.push(Self::Limit(spec.ulimits.clone()));
        }
        steps.push(Self::Streams(spec.console));
        steps.push(Self::Identity {
            cwd: spec.cwd.clone(),
            user: spec.user.clone(),
            rights: spec.rights,
        });
        steps.push(Self::Exec {
            args: spec.args.clone(),
            reaper: false,
        });
        steps
    }

    /// What the step is, for people.
    pub fn narrate(&self) -> Narration {
        let (title, calls, why) = match self {
            InitStep::Mount(action) => return action.narrate(),
            InitStep::Leash => (
                "leash",
                vec!["prctl(PR_SET_PDEATHSIG, SIGKILL)".to_owned()],
                "no container outlives its supervisor",
            ),
            InitStep::Enter => (
                "enter",
                vec!["setns(pidfd, CLONE_NEWNS|NEWUTS|NEWIPC|NEWNET|NEWCGROUP)".to_owned()],
                "the process sees what the container's first process sees",
            ),
            InitStep::Join => (
                "join",
                vec!["write(cgroup.procs, \"0\")".to_owned()],
                "limits and the freezer of control groups version 1 hold from here on",
            ),
            InitStep::Limit(ulimits) => (
                "ulimit",
                ulimits
                    .iter()
                    .map(|one| format!("setrlimit({one})"))
                    .collect(),
                "limits of each process (getrlimit(2))",
            ),
            InitStep::MakeDirectory(path) => (
                "workdir",
                vec![format!("openat2(\"{path}\", RESOLVE_IN_ROOT)")],
                "the working directory is made where it is missing",
            ),
            InitStep::Hostname(name) => (
                "hostname",
                vec![format!("sethostname(\"{name}\")")],
                "of the new UTS namespace: the host keeps its own",
            ),
            InitStep::Network => (
                "network",
                [
                    "unshare(CLONE_NEWNET)",
                    "ioctl(SIOCSIFFLAGS, {ifr_name=\"lo\", IFF_UP})",
                    "setns(CLONE_NEWNET)",
                ]
                .map(str::to_owned)
                .to_vec(),
                "a network of its own with one interface; the supervisor makes it meanwhile, because it takes long",
            ),
            InitStep::Streams(console) => ("streams", streams(*console), "input and output"),
            InitStep::Identity { cwd, user, rights } => (
                "identity",
                identity(cwd, user, *rights),
                "root in a container keeps 14 capabilities, any other user none",
            ),
            InitStep::Exec { args, .. } => (
                "exec",
                vec![format!("execve({args:?})")],
                "the program takes over as process 1",
            ),
        };
        Narration { title, calls, why }
    }
}

/// Whether an action shows the network it is done in; [`Action::Mask`] is in every plan, and behind all mounts.
fn needs_network(action: &Action) -> bool {
    let is_sysfs = |mount: &Mount| mount.source == Source::Sysfs;
    *action == Action::Mask || matches!(action, Action::Mount(mount) if is_sysfs(mount))
}

fn streams(console: Console) -> Vec<String> {
    let mut calls = vec!["setsid()".to_owned()];
    match console {
        Console::Pipes { .. } => {
            calls.push("dup2(pipe, 0); dup2(pipe, 1); dup2(pipe, 2)".to_owned());
        }
        Console::Terminal => {
            calls.push("openat2(\"/dev/pts/ptmx\"); ioctl(TIOCGPTPEER)".to_owned());
            calls.push("ioctl(TIOCSCTTY); dup2(terminal, 0), 1, 2".to_owned());
        }
    }
    calls.push("close_range(3, ~0, CLOSE_RANGE_CLOEXEC)".to_owned());
    calls
}

fn identity(cwd: &str, user: &str, rights: Rights) -> Vec<String> {
    let user = if user.is_empty() { "root" } else { user };
    let mut calls = vec![format!("fchdir(\"{cwd}\")")];
    if rights.capabilities != Capabilities::ALL {
        let keep = rights.capabilities.names();
        calls.push(match keep[..] {
            [] => "prctl(PR_CAPBSET_DROP, all)".to_owned(),
            _ => format!("prctl(PR_CAPBSET_DROP, all but {})", keep.join("|")),
        });
    }
    calls.push(format!("setgroups(); setresgid(); setresuid({user})"));
    if rights.no_new_privileges {
        calls.push("prctl(PR_SET_NO_NEW_PRIVS)".to_owned());
    }
    calls
}
