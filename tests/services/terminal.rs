//! Somebody at a terminal: job control, sizes, leaving and coming back.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, poll},
    pty::openpty,
};

use crate::{
    scene::{Scene, eventually},
    support::{Tar, finish},
};

/// A command on a terminal of its own.
struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    /// Not a whole letter yet.
    bytes: Vec<u8>,
    unread: String,
}

impl Terminal {
    /// Begins with 30 rows and 100 columns.
    fn new(command: &Command) -> Self {
        let pty = openpty(None, None).unwrap();
        // A session whose terminal this is, as a login makes it.
        let mut login = Command::new("setsid");
        login.args(["--ctty", "--wait"]);
        login.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            login.env(key, value.unwrap());
        }
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        login.stdin(end()).stdout(end()).stderr(end());
        let master = File::from(pty.master);
        resize(&pty.slave, 30, 100);
        let child = login.spawn().unwrap();
        drop(login);
        Self {
            master,
            slave: pty.slave,
            child,
            bytes: Vec::new(),
            unread: String::new(),
        }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads up to and with this text.
    #[track_caller]
    fn see(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return;
            }
            let unread = &self.unread;
            assert!(
                Instant::now() < end,
                "no {text:?} on the terminal:\n{unread}"
            );
            self.look();
        }
    }

    /// Takes what is there, or comes in a moment.
    fn look(&mut self) {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, 50_u8).unwrap() == 0 {
            return;
        }
        let mut buffer = [0; 4096];
        let length = self.master.read(&mut buffer).unwrap();
        // A letter may come in two pieces.
        self.bytes.extend_from_slice(&buffer[..length]);
        let whole = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text: Vec<u8> = self.bytes.drain(..whole).collect();
        self.unread.push_str(&String::from_utf8(text).unwrap());
    }

    /// The command's exit code.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.unread);
            self.look();
        }
    }

    /// Its settings, as a shell would find them.
    fn settings(&self) -> String {
        let mut stty = Command::new("stty");
        stty.arg("-g").stdin(self.slave.try_clone().unwrap());
        let output = stty.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Everybody at the terminal is told, as by a window's border.
fn resize(slave: &OwnedFd, rows: u16, columns: u16) {
    let mut stty = Command::new("stty");
    stty.args(["rows", &rows.to_string(), "cols", &columns.to_string()]);
    stty.stdin(slave.try_clone().unwrap());
    assert!(stty.status().unwrap().success());
}

/// A program that is stopped goes on, and one that is interrupted ends.
fn job_control(terminal: &mut Terminal) {
    // The shell's line editor has to be out of the way first.
    terminal.press("echo be\"gin\"; cat\n");
    terminal.see("begin\r\n");
    terminal.press("moo\n");
    terminal.see("moo\r\nmoo\r\n");
    terminal.press("\x1a");
    terminal.see("Stopped");
    terminal.see("# ");
    terminal.press("echo in the $((2 + 2))eground; fg\n");
    terminal.see("in the 4eground");
    terminal.see("cat\r\n");
    terminal.press("누렁이\n");
    terminal.see("누렁이\r\n누렁이\r\n");
    terminal.press("\x03");
    // It throws away what is typed and not read yet.
    terminal.see("^C");
    terminal.see("# ");
    terminal.press("echo code=$?\n");
    terminal.see("code=130");
}

fn sizes(terminal: &mut Terminal) {
    terminal.press("stty size\n");
    terminal.see("30 100\r\n");
    terminal.press("until [[ $(stty size) == '50 132' ]]; do sleep 0.05; done; echo big\"ger\"\n");
    terminal.see("\n");
    resize(&terminal.slave, 50, 132);
    terminal.see("bigger\r\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_shell_with_jobs_sizes_and_a_way_out_and_back() {
    let Some(scene) = Scene::new("debian", Tar::new(), &[]) else {
        return;
    };
    let mut first = Terminal::new(&scene.command("run -it --name shell debian bash --norc"));
    first.see("# ");
    sizes(&mut first);
    job_control(&mut first);
    first.press("cow=Bella; trap 'echo 44\"44\"' WINCH\n");
    first.press("\x10\x11");
    first.see("read escape sequence");
    assert_eq!(first.end(), Some(0));
    let fresh = Terminal::new(&Command::new("true"));
    assert_eq!(first.settings(), fresh.settings());
    assert_eq!(scene.field("shell", ".State.Status"), "running");

    exec(&scene);

    let mut second = Terminal::new(&scene.command("attach shell"));
    second.press("echo \"<$cow>\"; stty size\n");
    second.see("<Bella>");
    // The terminal that is looked at now.
    second.see("30 100\r\n");
    second.press("exit 3\n");
    assert_eq!(second.end(), Some(3));
    assert_eq!(scene.field("shell", ".State.ExitCode"), "3");
    assert_eq!(second.settings(), fresh.settings());
    finish(scene.command("rm shell")).ok();
}

fn exec(scene: &Scene) {
    let mut guest = Terminal::new(&scene.command("exec -it shell bash --norc"));
    guest.see("# ");
    guest.press("tty\n");
    guest.see("/dev/pts/");
    sizes(&mut guest);
    job_control(&mut guest);
    guest.press("exit 5\n");
    assert_eq!(guest.end(), Some(5));
    assert_eq!(scene.field("shell", ".State.Status"), "running");

    // Leaving it does not end it.
    let mut guest = Terminal::new(&scene.command("exec -it shell bash --norc"));
    guest.see("# ");
    guest.press("exec sleep 4711\n");
    guest.see("4711\r\n");
    guest.press("\x10\x11");
    assert_eq!(guest.end(), Some(0));
    let found = scene.exec("shell", "grep -lz ^4711 /proc/[0-9]*/cmdline | wc -l");
    assert_eq!(found.ok(), "1\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_program_has_the_terminal_s_size_without_a_change_of_it_after_every_start() {
    let scene = Scene::small();
    let script = "until stty size | grep -v '^0 0$'; do sleep 0.05; done; echo $((6 * 7)); cat";
    let mut command = scene.command("run -it --name cow base sh -c");
    let mut terminal = Terminal::new(command.arg(script));
    terminal.see("30 100\r\n");
    terminal.see("42");
    // Nobody looks, so nobody tells.
    terminal.press("\x10\x11");
    assert_eq!(terminal.end(), Some(0));
    scene.say("restart -t 0 cow").ok();
    eventually("the size is there again", || {
        scene.log("cow").matches("30 100").count() == 2
    });
}

#[test]
#[ignore = "needs root"]
fn root_whoever_leaves_by_the_keys_leaves_it_running() {
    let scene = Scene::small();
    for round in 0..10 {
        let line = format!("run -it --name cow{round} base sh -c 'echo ready; cat'");
        let mut terminal = Terminal::new(&scene.command(&line));
        terminal.see("ready");
        terminal.press("\x10\x11");
        assert_eq!(terminal.end(), Some(0));
    }
    std::thread::sleep(Duration::from_millis(300));
    let running = scene.say("ps -q").ok();
    assert_eq!(running.lines().count(), 10);
}
