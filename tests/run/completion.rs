//! What shells make of `completion`, and what man makes of `man`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::support::{Shed, finish, tree};

const BASH: &str = r#"
source <("$COWSHED" completion bash) || exit 1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
_clap_complete_cowshed cowshed "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[[ -v COMPREPLY ]] && printf '%s\n' "${COMPREPLY[@]}"
"#;

/// A shell of this name with the program in `COWSHED`; `None`, said aloud, where there is none.
fn shell(shed: &Shed, name: &str) -> Option<Command> {
    if Command::new(name).arg("-c").arg("true").output().is_err() {
        let line = format!("SKIPPED: no {name} on this machine\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    }
    let mut command = Command::new(name);
    command.env("COWSHED", env!("CARGO_BIN_EXE_cowshed"));
    command.env("COWSHED_ROOT", shed.store());
    command.env("HOME", shed.dir("home"));
    command.current_dir(shed.dir("here")).stdin(Stdio::null());
    Some(command)
}

/// What bash offers for the last of these words.
fn offered(shed: &Shed, words: &[&str]) -> Vec<String> {
    let mut bash = shell(shed, "bash").unwrap();
    bash.args(["--norc", "-c", BASH, "bash"]).args(words);
    let done = finish(bash);
    assert_eq!(done.err, "", "{words:?}");
    done.out.lines().map(str::to_owned).collect()
}

fn filled() -> Shed {
    let shed = Shed::new();
    shed.cowshed("run -d --name box-live base sleep 987").ok();
    shed.cowshed("create --name box-made base true").ok();
    shed.cowshed("tag base base:2").ok();
    shed.cowshed("volume create vault").ok();
    shed
}

fn emptied(shed: &Shed) {
    shed.cowshed("rm -f box-live box-made").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_bash_completes_names_of_the_store() {
    let shed = filled();
    let offer = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        offered(&shed, &words)
    };
    for (line, wanted) in [
        ("cowshed stop ", &["box-live"][..]),
        ("cowshed start ", &["box-made"]),
        ("cowshed rm ", &["box-live", "box-made"]),
        ("cowshed rm box-made box-l", &["box-live"]),
        ("cowshed container rm -f box-m", &["box-made"]),
        ("cowshed unpause ", &[]),
        ("cowshed exec -it ", &["box-live"]),
        ("cowshed run --rm ", &["base", "base:2"]),
        ("cowshed volume rm ", &["vault"]),
        ("cowshed inspect v", &["vault"]),
        ("cowshed cp box-m", &["box-made:"]),
        ("cowshed run -v va", &["vault:"]),
        ("cowshed run --volumes-from box-l", &["box-live"]),
        ("cowshed vol", &["volume"]),
        ("cowshed run --cidf", &["--cidfile"]),
        ("cowshed stop nobody", &[]),
        ("cowshed stop 한", &[]),
    ] {
        let mut found = offer(line);
        // Where there is no name, options are left.
        found.retain(|word| !word.starts_with('-') || line.contains("--cidf"));
        assert_eq!(found, wanted, "{line}");
    }
    // What follows is a program's.
    for line in ["cowshed run base b", "cowshed exec box-live box"] {
        assert_eq!(offer(line), [""; 0], "{line}");
    }
    let commands = offer("cowshed ");
    assert!(commands.contains(&"stats".to_owned()), "{commands:?}");
    assert!(
        !commands.iter().any(|word| word.starts_with('-')),
        "{commands:?}"
    );
    emptied(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_completion_of_a_store_that_cannot_be_read_is_quiet_and_makes_nothing() {
    let shed = Shed::empty();
    let stop = ["cowshed", "stop", "x"];
    assert_eq!(offered(&shed, &stop), [""; 0]);
    assert!(!shed.store().exists());
    let elsewhere = format!("--root={}", shed.file("file", "no store"));
    assert_eq!(
        offered(&shed, &["cowshed", &elsewhere, "stop", "x"]),
        [""; 0]
    );
    let damaged = shed.dir("store");
    shed.file("store/store.json", "{ no json");
    assert_eq!(offered(&shed, &stop), [""; 0]);
    assert_eq!(tree(std::path::Path::new(&damaged)), "f store.json\n");
    // Nobody asks about a command line without words.
    let mut bare = shed.command("");
    bare.env("COWSHED_COMPLETE", "bash");
    let done = finish(bare);
    assert_eq!(
        (done.code, done.out.as_str(), done.err.as_str()),
        (0, "", "")
    );
}

#[test]
#[ignore = "needs root"]
fn root_completion_takes_milliseconds() {
    let shed = filled();
    let ask = || {
        let mut ask = Command::new(env!("CARGO_BIN_EXE_cowshed"));
        ask.env("COWSHED_ROOT", shed.store())
            .env("COWSHED_COMPLETE", "fish");
        ask.args(["--", "cowshed", "stop", ""]);
        let began = std::time::Instant::now();
        let done = finish(ask);
        assert_eq!(done.ok(), "box-live\n");
        began.elapsed()
    };
    let best = (0..20).map(|_| ask()).min().unwrap();
    // Far more than an optimised build takes.
    assert!(best.as_millis() < 150, "{best:?}");
    emptied(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_fish_completes_names_of_the_store() {
    let shed = filled();
    if let Some(mut fish) = shell(&shed, "fish") {
        let script = "$COWSHED completion fish | source; complete -C 'cowshed stop '; complete -C \
                      'cowshed volume rm va'";
        let done = finish({
            fish.args(["--no-config", "-c", script]);
            fish
        });
        assert_eq!(done.ok(), "box-live\nvault\n");
    }
    emptied(&shed);
}

/// Types into a zsh on a terminal, and reads until the name has come or ten seconds have gone.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "autoload -Uz compinit; compinit -D; source <($COWSHED completion zsh); echo rea''dy"
read_until() {
    local text= part
    for _ in {1..100}; do
        zpty -r -t shell part && text+=$part || sleep 0.1
        [[ $text == *$1* ]] && return 0
    done
    print -r -- "$text"
    return 1
}
read_until ready || exit 1
zpty -w -n shell $'cowshed stop bo\t'
read_until box-live
code=$?
zpty -d shell
exit $code
"#;

#[test]
#[ignore = "needs root"]
fn root_zsh_completes_names_of_the_store() {
    let shed = filled();
    if let Some(mut zsh) = shell(&shed, "zsh") {
        zsh.args(["-f", "-c", ZSH]).env("TERM", "xterm");
        finish(zsh).ok();
    }
    emptied(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_every_command_has_a_man_page_that_man_can_show() {
    let shed = Shed::empty();
    let dir = shed.dir("man");
    shed.cowshed(&format!("man {dir}")).ok();
    let pages = tree(&shed.path("man"));
    for page in [
        "cowshed.1",
        "cowshed-run.1",
        "cowshed-container-prune.1",
        "cowshed-volume-rm.1",
    ] {
        assert!(
            pages.lines().any(|line| line == format!("f {page}")),
            "{page}\n{pages}"
        );
    }
    assert!(!pages.contains("cowshed-man.1"));
    for page in pages.lines().map(|line| &line[2..]) {
        let mut groff = Command::new("groff");
        groff
            .args(["-man", "-ww", "-z", "-Kutf8", "-Tutf8"])
            .arg(shed.path("man").join(page));
        match groff.output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && said.is_empty(), "{page}: {said}");
            }
            Err(error) => {
                let line = format!("SKIPPED: groff: {error}\n");
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                break;
            }
        }
    }
    shed.cowshed(&format!("man {}", shed.show("nowhere")))
        .fails(1, "write man pages to");
    assert!(!shed.store().exists());
}
