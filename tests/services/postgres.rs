//! PostgreSQL on a volume: rows outlive containers, however those end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    scene::{Scene, eventually, timed},
    support::{Tar, finish},
};

/// Makes the database when there is none, and becomes the server. What was written outlives a
/// killed process without any sync.
const START: &str = "#!/bin/bash
set -e
data=/var/lib/postgresql/data
as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
install -d -o postgres -g postgres /run/postgresql
install -d -o postgres -g postgres -m 700 $data
[[ -s $data/PG_VERSION ]] || \"${as_postgres[@]}\" initdb --no-sync -A trust -E UTF8 --locale=C.UTF-8 -D $data
exec \"${as_postgres[@]}\" postgres -D $data -c fsync=off -c listen_addresses=127.0.0.1
";

const RUN: &str = "run -d --name db -v pgdata:/var/lib/postgresql/data postgres";

fn scene() -> Option<Scene> {
    let top = Tar::new()
        .dir("usr", 0o755)
        .dir("usr/local", 0o755)
        .dir("usr/local/bin", 0o755)
        .file("usr/local/bin/start-postgres", 0o755, START.as_bytes());
    let changes = [
        "ENTRYPOINT [\"start-postgres\"]",
        "VOLUME /var/lib/postgresql/data",
        "STOPSIGNAL SIGINT",
    ];
    Scene::new("postgres", top, &changes)
}

fn begin(scene: &Scene, line: &str) {
    let id = scene.say(line).ok();
    assert!(!id.trim().is_empty());
    wait_until_ready(scene);
}

fn wait_until_ready(scene: &Scene) {
    eventually("the database answers", || {
        scene.say("exec db pg_isready -q -h 127.0.0.1").code == 0
    });
}

fn sql(scene: &Scene, text: &str) -> String {
    let mut command = scene.command("exec -u postgres db psql -XAtq -v ON_ERROR_STOP=1 -c");
    finish(timed(command.arg(text))).ok()
}

/// SQL on standard input, as a script would.
fn sql_typed(scene: &Scene, text: &str) -> String {
    let mut command = scene.command("exec -i db psql -XAtq -U postgres -v ON_ERROR_STOP=1");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut psql = command.spawn().unwrap();
    let mut stdin = psql.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = psql.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_rows_outlive_kill_9_of_the_server_and_of_the_supervisor() {
    let Some(scene) = scene() else { return };
    begin(&scene, RUN);
    sql(
        &scene,
        "create table cows (name text primary key, legs int)",
    );
    sql(
        &scene,
        "insert into cows values ('Bella', 4), ('누렁이', 4)",
    );
    let typed = "insert into cows values ('Tripod', 3);\nselect count(*) from cows;\n";
    assert_eq!(sql_typed(&scene, typed), "3\n");
    let user = scene.say("exec -u postgres db id -un").ok();
    assert_eq!(user, "postgres\n");

    scene.signal_first("db", Signal::SIGKILL);
    scene.wait_for_state("db", "exited");
    assert_eq!(scene.field("db", ".State.ExitCode"), "137");
    assert_eq!(scene.say("wait db").ok(), "137\n");
    scene.say("rm -f db").ok();
    begin(&scene, RUN);
    assert_eq!(rows(&scene), "Bella 4\nTripod 3\n누렁이 4\n");
    assert!(
        scene
            .log("db")
            .contains("database system was not properly shut down")
    );

    sql(&scene, "insert into cows values ('Ida', 4)");
    let server = scene.pid_of("db");
    kill(Pid::from_raw(scene.supervisor_of("db")), Signal::SIGKILL).unwrap();
    scene.wait_for_state("db", "exited");
    eventually("the server is gone with its supervisor", || {
        kill(Pid::from_raw(server), None).is_err()
    });
    assert_eq!(scene.field("db", ".State.ExitCode"), "137");
    scene.say("start db").ok();
    wait_until_ready(&scene);
    assert_eq!(rows(&scene), "Bella 4\nIda 4\nTripod 3\n누렁이 4\n");

    scene.say("stop db").ok();
    assert_eq!(scene.field("db", ".State.ExitCode"), "0");
    assert!(scene.log("db").contains("database system is shut down"));
    scene.say("rm db").ok();
    assert_eq!(scene.volumes(), ["pgdata"]);
    scene.say("volume rm pgdata").ok();
}

fn rows(scene: &Scene) -> String {
    sql(
        scene,
        "select name || ' ' || legs from cows order by name collate \"C\"",
    )
}

#[test]
#[ignore = "needs root"]
fn root_the_log_has_what_the_server_wrote() {
    let Some(scene) = scene() else { return };
    // An anonymous volume, from the image's VOLUME.
    begin(&scene, "run -d --name db postgres");
    assert_eq!(scene.volumes().len(), 1);
    // PostgreSQL writes to standard error, initdb to standard output.
    let logs = scene.say("logs db");
    assert!(
        logs.err
            .contains("database system is ready to accept connections")
    );
    assert!(logs.out.contains("Success."), "{logs:?}");

    let mut follow = timed(&scene.command("logs -f --tail 1 db"));
    let mut follow = follow.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stderr.take().unwrap()).lines();
    sql(&scene, "do $$ begin raise log 'the cow says 음메'; end $$");
    let said = |line: &String| line.contains("the cow says 음메");
    let heard = lines.by_ref().map(Result::unwrap).find(said);
    assert!(heard.is_some(), "the follower ended without it");
    // Its STATEMENT follows it.
    let last = scene.say("logs --tail 3 db").err;
    assert!(last.contains("the cow says 음메"), "{last}");
    assert!(last.lines().count() <= 3, "{last}");

    scene.say("stop -t 30 db").ok();
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(
        rest.last()
            .unwrap()
            .contains("database system is shut down")
    );
    assert!(follow.wait().unwrap().success());
    assert_eq!(scene.field("db", ".State.ExitCode"), "0");
    scene.say("rm -v db").ok();
    assert_eq!(scene.volumes(), Vec::<String>::new());
}
