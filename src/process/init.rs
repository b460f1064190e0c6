//! The child's side: performs the steps in order, then executes the program.
//!
//! Runs in a fork of a single-threaded process, so it may allocate. It never returns: a failure is
//! reported and the process ends.

use std::{
    convert::Infallible,
    ffi::CString,
    io::Read as _,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
    time::Instant,
};

use nix::errno::Errno;

use super::{
    Console, Identity, InitStep, Rights, UserError, apply_ulimits, reaper,
    report::{self, Report, UserErrorKind},
    user,
};
use crate::{
    cgroup::{self, Group},
    mount::Stage,
    sys::{
        At as _, FileKind, Result, RootDir, SysError,
        capability::{self, Capabilities},
        console, fork, namespace, process,
    },
};

/// A passwd file larger than this is not one (CVE-2026-47262: huge or sparse passwd).
const PASSWD_MAX: u64 = 1024 * 1024;

/// What the child was given.
#[derive(Debug)]
pub(super) struct Child<'a> {
    pub steps: &'a [InitStep],
    pub stage: Stage,
    /// `None` only while process 1 and the program part.
    pub report: Option<OwnedFd>,
    /// Whether each step's time is wanted.
    pub timed: bool,
    /// Our ends of the three pipes; `None` for /dev/null or a terminal.
    pub streams: [Option<OwnedFd>; 3],
    pub env: Vec<String>,
    /// The container to join; `None` for its first process.
    pub container: Option<BorrowedFd<'a>>,
    /// The control group it belongs to.
    pub group: Option<&'a Group>,
}

enum Stop {
    System(SysError),
    User(UserError),
}

impl From<SysError> for Stop {
    fn from(error: SysError) -> Self {
        Stop::System(error)
    }
}

impl Child<'_> {
    /// Performs every step; the last one replaces the process.
    pub(super) fn run(mut self) -> ! {
        for (number, step) in self.steps.iter().enumerate() {
            let start = self.timed.then(Instant::now);
            if let Err(stop) = self.perform(step) {
                self.tell(&packet(number, &stop));
                fork::exit_now(125);
            }
            if let Some(start) = start {
                let nanoseconds = report::nanoseconds(start.elapsed());
                self.tell(&Report::Done {
                    step: number,
                    nanoseconds,
                });
            }
        }
        fork::exit_now(125)
    }

    fn keeps_process_1(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, InitStep::Exec { reaper: true, .. }))
    }

    /// A parent that has gone does not want to know.
    fn tell(&self, report: &Report) {
        if let Some(socket) = &self.report {
            report::send(socket, report, None).ok();
        }
    }

    fn perform(&mut self, step: &InitStep) -> std::result::Result<(), Stop> {
        match step {
            InitStep::Leash => {
                process::die_with_parent()?;
                // It may have died before it could take us with it.
                if self.report.as_ref().is_some_and(process::is_hung_up) {
                    fork::exit_now(125);
                }
                // Every mode below is meant as written.
                process::set_umask(0);
                if self.keeps_process_1() {
                    // The host's command line, with its secrets, is not the container's to read.
                    process::rename_self("cowshed-init")?;
                }
            }
            InitStep::Enter => {
                if let Some(container) = self.container {
                    namespace::enter_all(container)?;
                }
                self.stage = Stage::inside()?;
            }
            InitStep::Join => {
                if let Some(group) = self.group {
                    // 0 is whoever writes it (cgroups(7)).
                    group.join(0).map_err(system)?;
                }
            }
            InitStep::Limit(ulimits) => {
                for text in apply_ulimits(ulimits) {
                    self.tell(&Report::Note { text });
                }
            }
            InitStep::Mount(action) => self.stage.apply(action)?,
            InitStep::MakeDirectory(path) => {
                self.stage.root()?.make_dirs(Path::new(path), 0o755)?;
            }
            InitStep::Hostname(name) => namespace::set_hostname(name)?,
            InitStep::Network => self.enter_network()?,
            InitStep::Streams(console) => self.streams(*console)?,
            InitStep::Identity { cwd, user, rights } => self.identity(cwd, user, *rights)?,
            InitStep::Exec { args, reaper } => {
                self.execute(args, *reaper)?;
            }
        }
        Ok(())
    }

    fn enter_network(&self) -> Result<()> {
        let gone = || SysError::new("recvmsg", "the network namespace", Errno::EPIPE);
        let socket = self.report.as_ref().ok_or_else(gone)?;
        // A supervisor that says nothing more has ended, and we with it.
        namespace::enter_network(report::receive_fd(socket)?.ok_or_else(gone)?)
    }

    fn streams(&mut self, wanted: Console) -> Result<()> {
        process::new_session()?;
        let streams: [OwnedFd; 3] = match wanted {
            Console::Pipes { .. } => {
                let [stdin, stdout, stderr] = std::mem::take(&mut self.streams);
                [
                    self.or_null(stdin)?,
                    self.or_null(stdout)?,
                    self.or_null(stderr)?,
                ]
            }
            Console::Terminal => {
                let main = self.stage.root()?.open_terminal_main()?;
                let terminal = console::open_terminal(&main)?;
                if let Some(socket) = &self.report {
                    report::send(socket, &Report::Terminal, Some(&main.into()))?;
                }
                console::take_terminal(&terminal)?;
                let copy = || terminal.try_clone().at("dup", || "terminal");
                [copy()?, copy()?, terminal]
            }
        };
        process::set_standard_streams(streams.each_ref().map(|stream| stream.as_fd()))?;
        // The originals close on exec like every other descriptor.
        process::close_others_on_exec()
    }

    fn or_null(&self, stream: Option<OwnedFd>) -> Result<OwnedFd> {
        match stream {
            Some(stream) => Ok(stream),
            None => self.stage.root()?.open_null(),
        }
    }

    fn identity(
        &mut self,
        cwd: &str,
        wanted: &str,
        rights: Rights,
    ) -> std::result::Result<(), Stop> {
        let root = self.stage.root()?;
        let who = resolve(root, wanted)?;
        if !self
            .env
            .iter()
            .any(|variable| variable.starts_with("HOME="))
        {
            self.env.push(format!("HOME={}", who.home));
        }
        process::enter(root.open_dir(Path::new(cwd))?)?;
        // A directory that is not below our root has no path there (CVE-2024-21626).
        let here = std::env::current_dir().at("getcwd", || cwd)?;
        if !here.is_absolute() {
            return Err(SysError::new("getcwd", cwd, Errno::EXDEV).into());
        }
        for stream in 0..3 {
            process::give_stream(stream, who.uid, who.gid);
        }
        if rights.capabilities != Capabilities::ALL {
            capability::bound_to(rights.capabilities)?;
        }
        capability::clear_inheritable()?;
        process::become_user(who.uid, who.gid, &who.groups)?;
        if who.uid == 0 && rights.capabilities != Capabilities::ALL {
            capability::limit_to(rights.capabilities)?;
        }
        if rights.no_new_privileges {
            process::no_new_privileges()?;
        }
        // A change of user clears it (prctl(2)).
        Ok(process::die_with_parent()?)
    }

    fn execute(&mut self, args: &[String], with_reaper: bool) -> Result<Infallible> {
        let args = args
            .iter()
            .map(|arg| c_string(arg))
            .collect::<Result<Vec<_>>>()?;
        let env = self
            .env
            .iter()
            .map(|variable| c_string(variable))
            .collect::<Result<Vec<_>>>()?;
        if with_reaper && let Some(report) = self.report.take() {
            self.report = Some(reaper::split(report)?);
        }
        self.tell(&Report::Executing);
        process::reset_signals()?;
        process::set_umask(0o022);
        let program = args
            .first()
            .ok_or_else(|| SysError::new("execve", "no program", Errno::ENOENT))?;
        if program.as_bytes().contains(&b'/') {
            return process::exec(program, &args, &env);
        }
        self.search_path(program, &args, &env)
    }

    /// As execvp(3): the first directory of PATH that has it; a file that may not be executed is
    /// remembered.
    fn search_path(
        &self,
        program: &CString,
        args: &[CString],
        env: &[CString],
    ) -> Result<Infallible> {
        let path = self
            .env
            .iter()
            .find_map(|variable| variable.strip_prefix("PATH="));
        let shown = program.to_string_lossy();
        let mut last = SysError::new("execve", shown.clone().into_owned(), Errno::ENOENT);
        for dir in path.unwrap_or_default().split(':') {
            let dir = if dir.is_empty() { "." } else { dir };
            let candidate = c_string(&format!("{dir}/{shown}"))?;
            let Err(error) = process::exec(&candidate, args, env);
            match error.errno() {
                Some(Errno::ENOENT | Errno::ENOTDIR) => {}
                Some(Errno::EACCES) => last = error,
                _ => return Err(error),
            }
        }
        Err(last)
    }
}

fn system(error: cgroup::Error) -> SysError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "joining is one write")]
    match error {
        cgroup::Error::System { source, .. } => source,
        other => SysError::new("write", format!("cgroup.procs: {other}"), Errno::EINVAL),
    }
}

fn packet(number: usize, stop: &Stop) -> Report {
    match stop {
        Stop::System(error) => Report::failed(number, error),
        Stop::User(error) => {
            let (error, kind) = match error {
                UserError::NoUser { name } => (name, UserErrorKind::User),
                UserError::NoGroup { name } => (name, UserErrorKind::Group),
                UserError::Range { text } => (text, UserErrorKind::Range),
            };
            Report::NoUser {
                error: error.clone(),
                kind,
            }
        }
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| SysError::new("execve", text.replace('\0', "\\0"), Errno::EINVAL))
}

fn resolve(root: &RootDir, wanted: &str) -> std::result::Result<Identity, Stop> {
    let passwd = read_database(root, "/etc/passwd")?;
    let group = read_database(root, "/etc/group")?;
    user::resolve(wanted, &passwd, &group).map_err(Stop::User)
}

/// User and group id of `user[:group]` by a root's own passwd and group; for mounts that map ids.
pub fn find_ids(root: &RootDir, wanted: &str) -> Result<(u32, u32)> {
    match resolve(root, wanted) {
        Ok(identity) => Ok((identity.uid, identity.gid)),
        Err(Stop::System(error)) => Err(error),
        Err(Stop::User(error)) => {
            let detail = format!("/etc/passwd: {error}");
            Err(SysError::new("getpwnam", detail, Errno::ENOENT))
        }
    }
}

/// A missing file is an empty one; a fifo, a link out or something huge cannot hold us up.
fn read_database(root: &RootDir, path: &str) -> Result<String> {
    let Ok(file) = root.open_file(Path::new(path)) else {
        return Ok(String::new());
    };
    let kind = crate::sys::metadata_of(&file)?.kind();
    // A link into procfs may wait for ever, or take the host's kernel messages.
    if kind != FileKind::File || crate::sys::is_procfs(&file)? {
        return Ok(String::new());
    }
    let mut text = Vec::new();
    file.take(PASSWD_MAX)
        .read_to_end(&mut text)
        .at("read", || path)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
