//! nginx: a page that is edited on the host, a reload, and a restart policy.

use nix::sys::signal::Signal;

use crate::{
    scene::{Scene, eventually},
    support::{Tar, write_text},
};

const CONFIG: &str = "server {
    listen 127.0.0.1:80;
    root /usr/share/nginx/html;
    include /etc/nginx/extra/*.conf;
}
";

fn scene() -> Option<Scene> {
    let top = Tar::new()
        .dir("etc", 0o755)
        .dir("etc/nginx", 0o755)
        .dir("etc/nginx/sites-enabled", 0o755)
        .file("etc/nginx/sites-enabled/default", 0o644, CONFIG.as_bytes());
    let changes = [
        "CMD [\"nginx\", \"-g\", \"daemon off;\"]",
        "STOPSIGNAL SIGQUIT",
    ];
    Scene::new("nginx", top, &changes)
}

fn fetch(scene: &Scene, page: &str) -> String {
    let url = format!("http://127.0.0.1/{page}");
    scene
        .say(&format!("exec web timeout 5 busybox wget -q -O - {url}"))
        .out
}

#[test]
#[ignore = "needs root"]
fn root_an_edited_page_is_served_and_a_reload_keeps_the_server() {
    let Some(scene) = scene() else { return };
    let html = scene.dir("html");
    let extra = scene.dir("extra");
    scene.file("html/index.html", "one\n");
    let flags = format!("-v {html}:/usr/share/nginx/html:ro -v {extra}:/etc/nginx/extra");
    scene.say(&format!("run -d --name web {flags} nginx")).ok();
    eventually("the page is served", || fetch(&scene, "") == "one\n");
    scene.file("html/index.html", "둘\n");
    assert_eq!(fetch(&scene, ""), "둘\n");
    // An editor replaces the file.
    scene.file("html/.index.html.new", "three\n");
    std::fs::rename(
        scene.path("html/.index.html.new"),
        scene.path("html/index.html"),
    )
    .unwrap();
    assert_eq!(fetch(&scene, "index.html"), "three\n");

    let before = scene.pid_of("web");
    assert_eq!(fetch(&scene, "hello"), "");
    let hello = "location = /hello { return 200 \"hello\\n\"; }\n";
    write_text(&scene.path("extra/hello.conf"), hello);
    scene.say("kill -s HUP web").ok();
    eventually("the new configuration", || {
        fetch(&scene, "hello") == "hello\n"
    });
    assert_eq!(scene.pid_of("web"), before);
    assert_eq!(scene.field("web", ".State.Status"), "running");
    scene.say("stop web").ok();
    assert_eq!(scene.field("web", ".State.ExitCode"), "0");
}

#[test]
#[ignore = "needs root"]
fn root_restart_always_brings_it_back_until_it_is_stopped() {
    let Some(scene) = scene() else { return };
    scene.say("run -d --name web --restart always nginx").ok();
    let served = || fetch(&scene, "").contains("nginx");
    eventually("the page is served", served);
    for round in 1..=2 {
        let before = scene.pid_of("web");
        scene.signal_first("web", Signal::SIGKILL);
        eventually("it is back", || {
            let pid = scene.pid_of("web");
            pid != 0 && pid != before
        });
        eventually("the page is served again", served);
        assert_eq!(scene.field("web", ".RestartCount"), round.to_string());
    }
    scene.say("stop web").ok();
    assert_eq!(scene.field("web", ".State.Status"), "exited");
    assert_eq!(scene.field("web", ".State.ExitCode"), "0");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(scene.field("web", ".State.Status"), "exited");
}
