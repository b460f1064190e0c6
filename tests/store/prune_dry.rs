//! `--dry-run` of what prunes: it lists, and everything is still there.

use crate::support::{Shed, Tar};

#[test]
#[ignore = "needs root"]
fn root_a_dry_run_of_prune_lists_and_removes_nothing() {
    let shed = Shed::new();
    shed.image("more", Tar::new().file("f", 0o644, b"x"), &[]);
    shed.cowshed("run --name box -v /anon more true").ok();
    let all = |shed: &Shed| {
        ["ps -a -q", "images -q", "volume ls -q", "system check"]
            .map(|line| shed.cowshed(line).ok())
            .map(|out| {
                out.lines()
                    .filter(|line| !line.contains("looked"))
                    .collect::<String>()
            })
    };
    let before = all(&shed);
    let anonymous = shed.cowshed("volume ls -q").ok();
    for line in [
        "system prune --dry-run",
        "system prune -a --volumes --dry-run",
        "system prune -af --volumes --dry-run",
        "container prune --dry-run",
        "container prune -f --dry-run",
    ] {
        let said = shed.cowshed(line).ok();
        assert!(said.contains("box"), "{line}: {said}");
        assert!(!said.contains("Deleted"), "{line}: {said}");
        assert_eq!(
            said.contains(anonymous.trim()),
            line.contains("--volumes"),
            "{line}: {said}"
        );
        assert_eq!(all(&shed), before, "{line}");
    }
    let none = shed
        .cowshed("system prune -a --volumes --dry-run --filter label=none")
        .ok();
    assert!(!none.contains("box"), "{none}");
    let gone = shed.cowshed("system prune -af --volumes").ok();
    assert!(gone.contains("Deleted Containers:"), "{gone}");
    assert!(gone.contains(anonymous.trim()), "{gone}");
}
