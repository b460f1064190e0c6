//! The operations that are killed and made to fail: what is typed, and how one sees that it is done.

/// One of them.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) line: &'static str,
    /// By one of these a repetition may say that it is done already.
    pub(crate) already: &'static [&'static str],
    /// What one types then, before a repetition that must succeed.
    pub(crate) undo: &'static str,
    /// Each succeeds when it is done, and says this where there is something.
    pub(crate) done: &'static [(&'static str, Option<&'static str>)],
}

const fn repeatable(
    line: &'static str,
    done: &'static [(&'static str, Option<&'static str>)],
) -> Operation {
    let (already, undo): (&[&str], _) = (&[], "");
    Operation {
        line,
        already,
        undo,
        done,
    }
}

pub(crate) const IMAGES: &[Operation] = &[
    repeatable("load -q -i in/oci.tar", LOADED),
    repeatable("load -q -i in/docker.tar", LOADED),
    repeatable("import in/root.tar made", &[("image verify made", None)]),
    repeatable(
        "import --layer base.tar --layer in/l1.tar --layer in/l2.tar made",
        &[
            ("image verify made", None),
            ("run --rm made cat /many/link", Some("loaded")),
        ],
    ),
    repeatable(
        "tag img another:1",
        &[(
            "images --format '{{.Repository}}:{{.Tag}}' another",
            Some("another:1\n"),
        )],
    ),
    Operation {
        line: "rmi img",
        already: &["No such image"],
        undo: "",
        done: &[("images -q img", Some(""))],
    },
    repeatable(
        "image prune -a -f",
        &[("images --format '{{.Repository}}'", Some("base\n"))],
    ),
    repeatable("save -o out/img.tar img", SAVED),
    repeatable("save --format docker-archive -o out/img.tar img", SAVED),
    repeatable(
        "build -q -t built in/ctx",
        &[
            ("image verify built", None),
            ("run --rm built", Some("copied\nran\n")),
        ],
    ),
];

const LOADED: &[(&str, Option<&str>)] = &[
    ("image verify loaded", None),
    ("run --rm loaded cat /many/link", Some("loaded")),
];

const SAVED: &[(&str, Option<&str>)] = &[
    ("--root out/other load -q --sync none -i out/img.tar", None),
    (
        "--root out/other run --rm img cat /many/link",
        Some("newer"),
    ),
];

const CONFLICT: &[&str] = &["is already in use by container"];

pub(crate) const CONTAINERS: &[Operation] = &[
    Operation {
        line: "run --name box -v fresh:/data img sh -c 'cat /many/same; echo x >/new; echo y >/data/new'",
        already: CONFLICT,
        undo: "rm -f box",
        done: &[
            (
                "inspect -f '{{.State.Status}} {{.State.ExitCode}}' box",
                Some("exited 0\n"),
            ),
            ("volume cat fresh new", Some("y\n")),
            ("volume cat fresh sub/two", Some("two\n")),
            ("diff box", Some("A /new\n")),
        ],
    },
    Operation {
        line: "run -d --name box -v /anon img sh -c 'echo x >/new; sleep 0.2'",
        already: CONFLICT,
        undo: "rm -f box",
        done: &[
            // On a full disk nobody can write down how it ended.
            ("wait box", None),
            ("diff box", Some("A /anon\nA /new\n")),
        ],
    },
    repeatable(
        "run --rm -v /anon img true",
        &[("ps -aq --filter ancestor=img", Some(""))],
    ),
    repeatable(
        "commit old made",
        &[
            ("image verify made", None),
            ("run --rm made cat /mine", Some("mine\n")),
        ],
    ),
    repeatable(
        "system prune -f -a --volumes --filter label!=keep",
        &[
            ("images --format '{{.Repository}}'", Some("base\n")),
            ("ps -a --format '{{.Names}}'", Some("old\n")),
            ("volume ls -q --filter name=spare", Some("spare\n")),
        ],
    ),
];

pub(crate) const VOLUMES: &[Operation] = &[
    repeatable(
        "volume create --label a=b --mode 0750 fresh",
        &[("volume inspect -f '{{.Labels.a}}' fresh", Some("b\n"))],
    ),
    Operation {
        line: "volume rm spare",
        already: &["no such volume"],
        undo: "",
        done: &[("volume ls -q --filter name=spare", Some(""))],
    },
    repeatable(
        "volume backup -q -o out/spare.tar spare",
        &[("volume verify out/spare.tar spare", None)],
    ),
    Operation {
        line: "volume restore -q in/backup.tar fresh",
        already: &["already exists", "exists"],
        undo: "",
        done: &[
            ("volume verify in/backup.tar fresh", None),
            ("volume cat fresh restored", Some("restored\n")),
        ],
    },
    repeatable(
        "volume restore -q --replace in/backup.tar spare",
        &[("volume verify in/backup.tar spare", None)],
    ),
    repeatable(
        "volume prune -f",
        &[
            ("volume ls -q --filter name=spare", Some("")),
            ("volume trash ls --format '{{.Name}}'", Some("spare\n")),
        ],
    ),
];
