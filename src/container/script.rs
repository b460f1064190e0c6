//! `--explain=sh`: the whole run as a shell script that works on its own.

use std::{fmt::Write as _, path::Path};

use super::{AttachedMount, DryRun};
use crate::{
    mount::{Action, quote},
    process::{InitStep, Network, Ulimit},
};

/// Runs itself again in new namespaces, then tidies up.
const OUTER: &str = r#"if [ "${1-}" != inside ]; then
  C=$(mktemp -d "${TMPDIR:-/var/tmp}/cowshed-script.XXXXXX")
  trap 'rm -rf --one-file-system "$C"' EXIT
  status=0
  unshare --mount --pid --fork --kill-child --uts --ipc --cgroup@NET@ --propagation unchanged \
    sh "$0" inside "$C" || status=$?
  exit "$status"
fi
# From here on: process 1 of the new namespaces.
C=$2
M=$(readlink -f "$C")/merged
mkdir "$M"
# Commands of the host would follow a link of the image out of it: then rather not.
inside() {
  case $(readlink -m "$M/$1") in "$M" | "$M"/*) ;; *)
    echo "$1 leads out of the image through a link: this script cannot mount there" >&2
    exit 1 ;;
  esac
}
"#;

/// The union becomes the root. Programs of the host are out of reach by then, so those that are
/// still needed are run through the host's own loader, from a working directory in the old root
/// that outlives its unmounting.
const PIVOT: &str = r#"
# pivot: the union becomes / and the host's tree is unreachable
tool() { readlink -f "$(command -v "$1")"; }
ld=$(ldd "$(tool umount)" | sed -n 's|^[[:space:]]*\(/[^ ]*ld-[^ ]*\).*|\1|p')
libs=$(for t in umount setpriv env; do ldd "$(tool $t)"; done |
  sed -n 's|.*=> /\([^ ]*\)/[^/ ]* .*|./\1|p' | sort -u | tr '\n' ':')
ld=.$(readlink -f "$ld"); umount=.$(tool umount); setpriv=.$(tool setpriv); env=.$(tool env)
cd "$M"
pivot_root . @OLD@
cd /@OLD@
"$ld" --library-path "$libs" "$umount" -n -l /@OLD@
"#;

impl DryRun {
    /// A POSIX script that, run as root, builds the same container with unshare(1), mount(8) and
    /// pivot_root(8), and runs the program in it.
    ///
    /// Its upper dir, and volumes that do not exist yet, live in a scratch directory that it
    /// removes at the end. A terminal and process 1 of `--init` are left to the caller's shell.
    pub fn script(&self) -> String {
        let net = if self.record.network == Network::None {
            " --net"
        } else {
            ""
        };
        let mut script = format!(
            "#!/bin/sh\n# What cowshed does to run {} step by step. Run it as root: sh THIS-FILE\n\
             set -eu\nB={}   # the store: its layers are read, never written\n",
            quote(&self.record.image),
            quote(&self.plan.overlay.base),
        );
        script.push_str(&OUTER.replace("@NET@", net));
        for step in InitStep::list(&self.plan, &self.spec, None) {
            if step == InitStep::Mount(Action::Pivot) {
                continue;
            }
            let lines = self.step(&step);
            if !lines.is_empty() {
                let narration = step.narrate();
                write!(script, "\n# {}: {}\n", narration.title, narration.why).ok();
                for line in &lines {
                    script.extend([line, "\n"]);
                }
            }
        }
        script
    }

    fn step(&self, step: &InitStep) -> Vec<String> {
        match step {
            InitStep::Leash | InitStep::Enter | InitStep::Join | InitStep::Streams(_) => Vec::new(),
            InitStep::Limit(ulimits) => ulimits.iter().map(ulimit).collect(),
            InitStep::Mount(Action::HoldSources(_)) => self.make_volumes(),
            InitStep::Mount(action @ Action::Isolate) => {
                let mut lines = action.script(&|source| self.word(source));
                lines.extend(self.mount_volumes());
                lines
            }
            InitStep::Mount(action @ Action::Overlay(_)) => {
                let mut lines = action.script(&|source| self.word(source));
                lines.extend(self.fill_volumes());
                lines
            }
            InitStep::Mount(action) => action.script(&|source| self.word(source)),
            InitStep::MakeDirectory(path) => vec![format!("mkdir -p \"$M\"{}", quote(path))],
            InitStep::Hostname(name) => {
                vec![format!(
                    "printf %s {} >/proc/sys/kernel/hostname",
                    quote(name)
                )]
            }
            InitStep::Network => {
                vec!["ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || echo 'loopback stays down: no ip(8) here' >&2".to_owned()]
            }
            InitStep::Identity { user, .. } => identity(user),
            InitStep::Exec { args, .. } => vec![self.exec(args)],
        }
    }

    /// Volumes that the run would make are the script's own, for its time.
    fn word(&self, source: &Path) -> String {
        let new = self.new_volumes.iter().find(|(path, _)| path == source);
        let mut own = self.volume_mounts.iter();
        let own = own.find(|mount| mount.mountpoint == source);
        let name = new.map(|(_, name)| name.clone());
        match name.or_else(|| own.map(|mount| mount.name.to_string())) {
            Some(name) => own_volume(&name),
            None => quote(source),
        }
    }

    /// Not before the namespace is our own: the host shall not see it.
    fn mount_volumes(&self) -> Vec<String> {
        let lines = self.volume_mounts.iter().map(|mount| {
            let word = own_volume(mount.name.as_str());
            format!("mkdir -p {word}; {}", mount.spec.script(&word))
        });
        lines.collect()
    }

    fn make_volumes(&self) -> Vec<String> {
        let names = self.new_volumes.iter();
        names
            .map(|(_, name)| format!("mkdir -p {}", own_volume(name)))
            .collect()
    }

    /// An empty volume gets what the image has at its place.
    fn fill_volumes(&self) -> Vec<String> {
        let filled = |target: &Path| {
            let own = self
                .record
                .mounts
                .iter()
                .find(|mount| mount.request.target == target);
            own.is_some_and(AttachedMount::is_filled)
        };
        let fill = |(target, source): (String, String)| {
            format!(
                "inside {target}; if [ -d \"$M\"{target} ] && [ -z \"$(ls -A {source})\" ]; then \
                 cp -a \"$M\"{target}/. {source}/; fi"
            )
        };
        let volumes = self.plan.binds().filter(|(target, _)| filled(target));
        volumes
            .map(|(target, bind)| fill((quote(target), self.word(&bind.source))))
            .collect()
    }

    fn exec(&self, args: &[String]) -> String {
        let rights = self.spec.rights;
        let keep = rights.capabilities.names();
        let keep = keep.iter().fold("-all".to_owned(), |keep, name| {
            keep + ",+" + &name.trim_start_matches("CAP_").to_lowercase()
        });
        let no_new = if rights.no_new_privileges {
            " --no-new-privs"
        } else {
            ""
        };
        let old = if self.plan.owns_dev() {
            "dev/shm"
        } else {
            "sys"
        };
        let mut text = PIVOT.replace("@OLD@", old);
        write!(
            text,
            "\n# exec: the program takes over\nexec \"$ld\" --library-path \"$libs\" \"$setpriv\" \
             --bounding-set={keep} --inh-caps=-all{no_new} \\\n  --reuid=\"$uid\" --regid=\"$gid\" \
             --groups=\"$groups\" \\\n  \"$ld\" --library-path \"$libs\" \"$env\" -i -C {} HOME=\"$home\"",
            quote(&self.spec.cwd),
        )
        .ok();
        for word in self.spec.env.iter().chain(args) {
            write!(text, " \\\n  {}", quote(word)).ok();
        }
        text
    }
}

fn own_volume(name: &str) -> String {
    format!("\"$C\"/volumes/{name}")
}

/// Looks the user up in the image's own files, which may be missing.
fn identity(user: &str) -> Vec<String> {
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    let user = quote(if user.is_empty() { "0" } else { user });
    let group = quote(group);
    let passwd = |field: u8| {
        format!(
            "awk -F: -v u={user} '$1==u || $3==u {{ print ${field}; exit }}' \"$M/etc/passwd\" \
             2>/dev/null || :"
        )
    };
    vec![
        format!("uid=$({}); uid=${{uid:-{user}}}", passwd(3)),
        format!("gid=$({}); gid=${{gid:-0}}", passwd(4)),
        format!("home=$({}); home=${{home:-/}}", passwd(6)),
        format!("name=$({})", passwd(1)),
        format!("group={group}"),
        "if [ -n \"$group\" ]; then".to_owned(),
        "  gid=$(awk -F: -v g=\"$group\" '$1==g || $3==g { print $3; exit }' \"$M/etc/group\" 2>/dev/null || :)"
            .to_owned(),
        "  gid=${gid:-$group}; groups=$gid".to_owned(),
        "else".to_owned(),
        "  groups=$(awk -F: -v n=\"$name\" -v g=\"$gid\" 'BEGIN { l = g } { m = split($4, a, \",\"); \
         for (i = 1; i <= m; i++) if (n != \"\" && a[i] == n && $3 != g) l = l \",\" $3 } END { print l }' \
         \"$M/etc/group\" 2>/dev/null || :)"
            .to_owned(),
        "  groups=${groups:-$gid}".to_owned(),
        "fi".to_owned(),
    ]
}
/// util-linux; a limit that cannot be raised is left as it is, as by us.
fn ulimit(limit: &Ulimit) -> String {
    let shown = |number: i64| match number {
        -1 => "unlimited".to_owned(),
        number => number.to_string(),
    };
    let (soft, hard) = (shown(limit.soft), shown(limit.hard));
    format!("prlimit --pid $$ --{}={soft}:{hard} || :", limit.name)
}
