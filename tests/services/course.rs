//! The command lines of a course, as they are, under `alias docker=cowshed`.

use std::process::Command;

use crate::{
    scene::{Scene, timed},
    support::{Tar, finish},
};

/// Every command line of the two documents that concerns volumes, binds, tmpfs, backup, `info` and
/// `system df`, in their order. What stands between them is what a reader does without being told:
/// answers a question, waits for a database, sees that a volume in use stays.
const LINES: [&str; 42] = [
    "docker info | grep \"Storage Driver\"",
    "docker system df",
    "docker system df -v",
    "docker volume create my-volume",
    "docker volume inspect my-volume",
    "docker run -d --name db-container -v my-volume:/var/lib/mysql mysql:8.0",
    "docker run -d --name web-dev -v /host/path:/app nginx",
    "docker run -d --name dev-env -v $(pwd):/workspace node:18",
    "docker run -d --name cache-app --tmpfs /tmp redis",
    "docker run -d --tmpfs /tmp:size=100m,noexec alpine",
    "docker volume ls",
    "docker volume create unused",
    "yes | head -n 1 >answer; exec 3<&0 <answer",
    "docker volume prune",
    "exec <&3",
    "if docker volume inspect unused; then exit 9; fi",
    "if docker volume rm my-volume; then exit 9; fi",
    "docker volume inspect my-volume",
    "until docker exec db-container test -s /var/lib/mysql/ibdata1; do sleep 0.1; done",
    "docker run --rm -v my-volume:/data -v $(pwd):/backup alpine \\\n  \
     tar czf /backup/backup.tar.gz -C /data .",
    "docker rm -f db-container && docker volume rm my-volume",
    "docker run --rm -v my-volume:/data -v $(pwd):/backup alpine \\\n  \
     tar xzf /backup/backup.tar.gz -C /data",
    "docker run -d --name db-container -v my-volume:/var/lib/mysql mysql:8.0",
    "docker volume create prod-mysql-data",
    "docker volume create dev-postgres-data",
    "docker volume create test-redis-cache",
    "docker volume create myapp-prod-db",
    "docker volume create myapp-prod-uploads",
    "docker volume create myapp-prod-logs",
    "docker volume lint --strict prod-mysql-data test-redis-cache myapp-prod-logs",
    "docker volume create --driver local \\\n  --opt type=nfs \\\n  \
     --opt o=addr=192.168.1.100,rw \\\n  --opt device=:/path/to/dir \\\n  nfs-volume",
    "docker volume create --driver local \\\n  --opt type=tmpfs \\\n  --opt device=tmpfs \\\n  \
     --opt o=size=100m,uid=1000 \\\n  encrypted-volume",
    "docker run --rm -v encrypted-volume:/data alpine stat -f -c %T /data | grep -x tmpfs",
    "docker volume create myvol",
    "docker volume ls",
    "docker volume inspect myvol",
    "docker volume rm myvol",
    "docker volume create myvol",
    "exec <answer",
    "docker volume prune",
    "exec <&3",
    "if docker volume inspect myvol; then exit 9; fi",
];

/// `/host/path` is made in a root directory of its own: everything of the machine's is bound below
/// it, in a mount namespace that ends with the script.
const OTHER_ROOT: &str = r#"set -eu
new=$1
mkdir "$new"
mount -t tmpfs -o mode=755 root "$new"
for entry in /*; do
	if [ -L "$entry" ]; then
		cp -P "$entry" "$new$entry"
	elif [ -d "$entry" ] && [ "$entry" != /host ]; then
		mkdir "$new$entry"
		mount --rbind "$entry" "$new$entry"
	fi
done
cd "$new"
mkdir old
pivot_root . old
umount -l old
rmdir old
cd "$2"
exec bash "$3"
"#;

/// Keeps running, with a word in its directory, until it is asked to end.
const MYSQLD: &[u8] = b"#!/bin/sh
trap 'echo shutdown complete; exit 0' TERM
[ -e /var/lib/mysql/ibdata1 ] || date +%s%N >/var/lib/mysql/ibdata1
echo ready for connections
while :; do sleep 0.2; done
";

/// Reads a program from its input, and there is none.
const NODE: &[u8] = b"#!/bin/sh\nexec cat\n";

const STAND_IN: &str = "LABEL stand-in=\"not the program of this name\"";
const DEBIAN: &str = "LABEL stand-in=\"the program of Debian\"";

fn bin() -> Tar {
    let dirs = Tar::new().dir("usr", 0o755).dir("usr/local", 0o755);
    dirs.dir("usr/local/bin", 0o755)
}

fn stand_ins(scene: &Scene) {
    let mysql = bin().file("usr/local/bin/mysqld", 0o755, MYSQLD);
    let changes = [STAND_IN, "VOLUME /var/lib/mysql", "CMD [\"mysqld\"]"];
    scene.image("mysql:8.0", mysql, &changes);
    let node = bin().file("usr/local/bin/node", 0o755, NODE);
    scene.image("node:18", node, &[STAND_IN, "CMD [\"node\"]"]);
    let alpine = Tar::new()
        .link("bin/tar", "busybox")
        .link("bin/gzip", "busybox");
    scene.image("alpine", alpine, &[STAND_IN, "CMD [\"/bin/sh\"]"]);
    let redis = [
        DEBIAN,
        "WORKDIR /data",
        "VOLUME /data",
        "CMD [\"redis-server\"]",
    ];
    scene.add("redis", Tar::new().dir("data", 0o755), &redis);
}

#[test]
#[ignore = "needs root"]
fn root_every_line_of_the_course_works_under_the_alias() {
    let nginx = [DEBIAN, "CMD [\"nginx\", \"-g\", \"daemon off;\"]"];
    let Some(scene) = Scene::new("nginx", Tar::new(), &nginx) else {
        return;
    };
    stand_ins(&scene);
    let program = env!("CARGO_BIN_EXE_cowshed");
    // An alias holds from the next line on.
    let head = format!("set -eu\nshopt -s expand_aliases\nalias docker='{program}'\n");
    let script = scene.file("course.sh", &(head + &LINES.join("\n") + "\n"));
    let other_root = scene.file("other-root.sh", OTHER_ROOT);
    let work = scene.dir("work");

    let mut command = Command::new("unshare");
    command.args(["-m", "sh", &other_root, &scene.show("root"), &work, &script]);
    command.env("COWSHED_ROOT", scene.store());
    finish(timed(&command)).ok();
    assert!(!std::path::Path::new("/host/path").exists());

    for name in ["db-container", "web-dev", "cache-app"] {
        assert_eq!(scene.field(name, ".State.Status"), "running", "{name}");
    }
    // Without input there is nothing to do for a node and for a shell: they end well.
    scene.wait_for_state("dev-env", "exited");
    assert_eq!(scene.field("dev-env", ".State.ExitCode"), "0");
    let alpine = scene.say("ps -aq --filter ancestor=alpine").ok();
    assert_eq!(alpine.lines().count(), 1);
    assert_eq!(scene.say(&format!("wait {}", alpine.trim())).ok(), "0\n");
    places(&scene, &work);
}

/// What the flags asked for is where they asked for it.
fn places(scene: &Scene, work: &str) {
    let mount = &scene.inspect("dev-env")["Mounts"][0];
    assert_eq!(mount["Source"], work);
    assert_eq!(mount["Destination"], "/workspace");
    assert_eq!(scene.exec("web-dev", "ls -A /app").ok(), "");
    let tmpfs = scene.exec("cache-app", "stat -f -c %T /tmp").ok();
    assert_eq!(tmpfs, "tmpfs\n");
    // The volume came back from the archive, and the second server left it as it was.
    let mut list = Command::new("tar");
    list.args(["-xzOf", &format!("{work}/backup.tar.gz"), "./ibdata1"]);
    let saved = finish(list).ok();
    assert!(!saved.is_empty());
    let kept = scene
        .exec("db-container", "cat /var/lib/mysql/ibdata1")
        .ok();
    assert_eq!(kept, saved);
    scene.say("stop db-container").ok();
    assert_eq!(scene.field("db-container", ".State.ExitCode"), "0");
    assert_eq!(
        scene.log("db-container"),
        "ready for connections\nshutdown complete\n"
    );
}
