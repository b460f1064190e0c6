//! A systemd unit as text; pure.

use std::{
    fmt::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// A service that runs containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Without `.service`.
    pub(crate) name: String,
    /// Absolute path of this program.
    pub(crate) program: PathBuf,
    /// The value of `--root`, where it is not the default.
    pub(crate) root: Option<PathBuf>,
    /// Where the store is.
    pub(crate) store: PathBuf,
    /// Seconds that the slowest container may take to stop; `None` is for ever.
    pub(crate) patience: Option<u32>,
    /// Which containers.
    pub(crate) what: What,
}

/// Which containers a unit runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Those that their restart policies want back.
    All,
    /// This one.
    One {
        /// Its name.
        container: String,
        /// When systemd starts it again.
        restart: Restart,
    },
}

/// systemd.service(5), `Restart=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restart(pub(crate) &'static str);

/// Seconds on top of a container's own, for what comes after its end; and systemd's own patience.
const GRACE: u32 = 20;
const LEAST: u32 = 90;

impl Unit {
    /// The whole file.
    pub(crate) fn text(&self) -> String {
        let name = &self.name;
        let (description, service) = match &self.what {
            What::All => ("Containers of cowshed".to_owned(), self.all()),
            What::One { container, restart } => (
                format!("Container {container} of cowshed"),
                self.one(container, *restart),
            ),
        };
        let store = quoted(self.store.as_os_str().as_bytes(), Place::Setting);
        let stop = match self.patience {
            None => "infinity".to_owned(),
            Some(seconds) => seconds.saturating_add(GRACE).max(LEAST).to_string(),
        };
        format!(
            "# {name}.service, by cowshed generate systemd. Save it as\n\
             #   /etc/systemd/system/{name}.service\n\
             # then: systemctl daemon-reload && systemctl enable --now {name}\n\
             \n\
             [Unit]\n\
             Description={description}\n\
             RequiresMountsFor={store}\n\
             Wants=network-online.target\n\
             After=network-online.target\n\
             \n\
             [Service]\n\
             {service}\
             TimeoutStartSec=infinity\n\
             TimeoutStopSec={stop}\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n"
        )
    }

    /// The supervisors stay behind in the unit: SIGTERM, with which systemd stops it, ends their
    /// containers as `stop` does, but lets them come back with the next start.
    fn all(&self) -> String {
        let start = self.command(&["start", "--restarting"]);
        format!(
            "Type=oneshot\n\
             RemainAfterExit=yes\n\
             ExecStart={start}\n\
             # Supervisors take SIGTERM as a stop that ends with the next start of this unit.\n\
             KillMode=control-group\n\
             KillSignal=SIGTERM\n"
        )
    }

    /// 137 and 143 are how a program that was asked to stop ends.
    fn one(&self, container: &str, restart: Restart) -> String {
        let start = self.command(&["start", "-a", container]);
        let stop = self.command(&["stop", container]);
        format!(
            "Type=exec\n\
             ExecStart={start}\n\
             ExecStop={stop}\n\
             Restart={}\n\
             SuccessExitStatus=137 143\n",
            restart.0
        )
    }

    fn command(&self, args: &[&str]) -> String {
        let mut words = vec![quoted(bytes(&self.program), Place::Program)];
        if let Some(root) = &self.root {
            words.extend(["--root".to_owned(), quoted(bytes(root), Place::Argument)]);
        }
        let args = args.iter();
        words.extend(args.map(|arg| quoted(arg.as_bytes(), Place::Argument)));
        words.join(" ")
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Where a word stands: variables are put in only among the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Setting,
    Program,
    Argument,
}

/// A word as systemd reads it back (systemd.syntax(7), systemd.unit(5) on specifiers).
fn quoted(word: &[u8], place: Place) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.,:+=@".contains(byte);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut text = String::from("\"");
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '%' => text.push_str("%%"),
                '$' if place == Place::Argument => text.push_str("$$"),
                '\n' => text.push_str("\\n"),
                c if c.is_ascii_control() => escape(&mut text, c as u8),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            escape(&mut text, *byte);
        }
    }
    text + "\""
}

fn escape(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02x}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(what: What, root: Option<&str>, patience: Option<u32>) -> String {
        let unit = Unit {
            name: "demo".to_owned(),
            program: "/usr/bin/cowshed".into(),
            root: root.map(PathBuf::from),
            store: root.unwrap_or("/var/lib/cowshed").into(),
            patience,
            what,
        };
        unit.text()
    }

    #[test]
    fn one_that_brings_all_back_leaves_stopping_to_the_supervisors() {
        let text = unit(What::All, None, Some(10));
        for line in [
            "Type=oneshot",
            "RemainAfterExit=yes",
            "ExecStart=/usr/bin/cowshed start --restarting",
            "RequiresMountsFor=/var/lib/cowshed",
            "TimeoutStopSec=90",
            "WantedBy=multi-user.target",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert!(!text.contains("ExecStop") && !text.contains("Restart="));
    }

    #[test]
    fn one_for_a_container_says_how_it_is_started_and_stopped() {
        let what = What::One {
            container: "web".to_owned(),
            restart: Restart("always"),
        };
        let text = unit(what, Some("/srv/my sheds"), None);
        for line in [
            "ExecStart=/usr/bin/cowshed --root \"/srv/my sheds\" start -a web",
            "ExecStop=/usr/bin/cowshed --root \"/srv/my sheds\" stop web",
            "RequiresMountsFor=\"/srv/my sheds\"",
            "Restart=always",
            "TimeoutStopSec=infinity",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert!(unit(What::All, None, Some(300)).contains("TimeoutStopSec=320\n"));
    }

    #[test]
    fn words_are_read_back_as_they_are() {
        let argument = |word: &[u8]| quoted(word, Place::Argument);
        assert_eq!(argument(b"/a-b_c.d"), "/a-b_c.d");
        assert_eq!(argument(b""), "\"\"");
        assert_eq!(argument(b"a $b %c"), "\"a $$b %%c\"");
        assert_eq!(quoted(b"$a", Place::Program), "\"$a\"");
        assert_eq!(argument(b"a\"\\\n\t'"), "\"a\\\"\\\\\\n\\x09'\"");
        assert_eq!(argument("/가".as_bytes()), "\"/가\"");
        assert_eq!(argument(b"/\xff"), "\"/\\xff\"");
    }
}
