//! Restart policies and who may end them.

use std::time::{Duration, Instant};

use crate::{
    support::{Shed, wait_until},
    traces::{assert_removable, kill, parent_of},
};

fn status(shed: &Shed) -> String {
    let format = "'{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}'";
    shed.cowshed(&format!("inspect -f {format} box")).ok()
}

#[test]
#[ignore = "needs root"]
fn root_the_pause_doubles_from_failure_to_failure() {
    let shed = Shed::new();
    let began = Instant::now();
    shed.cowshed("run -d --name box --restart on-failure:3 base sh -c 'echo x; exit 3'")
        .ok();
    wait_until("it has given up", || status(&shed) == "exited 3 3\n");
    let took = began.elapsed();
    // 100 + 200 + 400 ms.
    assert!(took >= Duration::from_millis(700), "{took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(shed.cowshed("logs box").ok(), "x\nx\nx\nx\n");
    assert_removable(&shed, "on-failure:3");
}

#[test]
#[ignore = "needs root"]
fn root_success_ends_on_failure_and_not_always() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box --restart on-failure base true")
        .ok();
    wait_until("it has ended", || status(&shed) == "exited 0 0\n");
    shed.cowshed("rm box").ok();
    shed.cowshed("run -d --name box --restart always base true")
        .ok();
    wait_until("it has come back", || {
        let text = status(&shed);
        !text.starts_with("exited") && !text.contains(" 0 0")
    });
    assert_removable(&shed, "always");
}

#[test]
#[ignore = "needs root"]
fn root_a_first_process_killed_from_the_host_is_started_again() {
    let shed = Shed::new();
    for policy in ["always", "unless-stopped", "on-failure"] {
        shed.cowshed(&format!(
            "run -d --name box --restart {policy} base sleep 1000"
        ))
        .ok();
        let before = shed.pid_of("box");
        kill(before);
        wait_until("it runs again", || {
            status(&shed) == "running 1 0\n" && shed.pid_of("box") != before
        });
        let began = Instant::now();
        shed.cowshed("stop -t 0 box").ok();
        assert_eq!(status(&shed), "exited 1 137\n", "{policy}");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(status(&shed), "exited 1 137\n", "{policy}");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_removable(&shed, policy);
    }
}

#[test]
#[ignore = "needs root"]
fn root_stop_and_rm_during_the_pause_between_restarts() {
    let shed = Shed::new();
    let up = "run -d --name box --restart always base sh -c 'exit 5'";
    for end in ["stop", "kill", "restart", "rm -f"] {
        shed.cowshed(up).ok();
        // The fourth pause and those after it are long enough.
        wait_until("it pauses", || {
            let text = status(&shed);
            let mut words = text.split_whitespace();
            let count = |word: &str| word.parse::<u32>().unwrap();
            words.next() == Some("restarting") && words.next().is_some_and(|word| count(word) >= 3)
        });
        let began = Instant::now();
        let done = shed.cowshed(&format!("{end} box"));
        assert_eq!(done.code, 0, "{end}: {done:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{end}");
        match end {
            "stop" | "kill" => {
                std::thread::sleep(Duration::from_millis(500));
                let text = status(&shed);
                assert!(
                    text.starts_with("exited") && text.ends_with(" 5\n"),
                    "{end}: {text}"
                );
            }
            _ => {}
        }
        assert_removable(&shed, end);
    }
}

#[test]
#[ignore = "needs root"]
fn root_restart_keeps_a_container_that_goes_at_its_end() {
    let shed = Shed::new();
    shed.cowshed("run -d --rm --name box base sleep 1000").ok();
    let (id, pid) = (shed.id_of("box"), shed.pid_of("box"));
    shed.cowshed("restart -t 0 box").ok();
    assert_eq!(shed.id_of("box"), id);
    assert_ne!(shed.pid_of("box"), pid);
    shed.cowshed("stop -t 0 box").ok();
    wait_until("it has gone", || shed.cowshed("ps -aq").ok().is_empty());
    assert_removable(&shed, "--rm");
}

#[test]
#[ignore = "needs root"]
fn root_sigterm_to_the_supervisor_is_a_stop_that_a_policy_comes_back_from() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box --restart unless-stopped --stop-timeout 1 base sleep 1000")
        .ok();
    let supervisor = parent_of(shed.pid_of("box"));
    let signal = nix::sys::signal::Signal::SIGTERM;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(supervisor), signal).unwrap();
    wait_until("it has ended", || status(&shed) == "exited 0 137\n");
    shed.cowshed("start --restarting").ok();
    assert_eq!(status(&shed), "running 0 0\n");
    assert_removable(&shed, "SIGTERM");
}
