//! What may be said to somebody who was not the first, and why that is no surprise.

/// Part of a message, and the beginnings of lines to which it may be said.
struct Conflict {
    said: &'static str,
    to: &'static [&'static str],
}

const fn may(said: &'static str, to: &'static [&'static str]) -> Conflict {
    Conflict { said, to }
}

/// Docker says the same, unless another reason is given.
const CONFLICTS: &[Conflict] = &[
    // The name means nothing at this moment.
    may(
        "No such container",
        &[
            "inspect ", "start ", "stop ", "kill ", "rm ", "rename ", "exec ", "commit ", "diff ",
            "logs ", "top ", "cp ", "export ",
        ],
    ),
    may(
        "No such image",
        &[
            "create ",
            "run ",
            "commit ",
            "tag ",
            "rmi ",
            "save ",
            "image verify ",
            "image inspect ",
            "history ",
        ],
    ),
    may(
        "no such volume",
        &[
            "volume rm",
            "volume backup",
            "volume restore",
            "volume rename",
            "volume label",
            "volume protect",
            "volume unprotect",
            "volume inspect",
            "volume trash restore",
            "volume cp",
        ],
    ),
    may("No such object", &["inspect"]),
    // It means something already, which the maker was not told.
    may(
        "is already in use by container",
        &["create", "run", "rename"],
    ),
    may(
        "a volume of this name exists",
        &[
            "volume restore",
            "volume rename",
            "volume trash restore",
            "volume cp",
        ],
    ),
    may(
        "same name as its current name",
        &["rename", "volume rename"],
    ),
    // Somebody needs it, who is named.
    may(
        "volume is in use - [",
        &["volume rm", "volume restore", "volume rename"],
    ),
    may("volume is mounted - [", &["volume rename"]),
    may("is in use - [", &["volume restore"]),
    // Others have it for more than two seconds without a break, which the hint says.
    may(
        "another command works with it",
        &["volume restore", "volume rename"],
    ),
    may("is using its referenced image", &["rmi"]),
    may("image is being used by", &["rmi"]),
    // It is protected: what `protect` is for.
    may("is protected", &["volume rm"]),
    // It has begun or ended to run.
    may("is not running", &["exec", "kill", "top"]),
    may("is running: stop the container before", &["rm "]),
    // A commit freezes it for a moment, as Docker's does; `rm -f` removes it all the same.
    may("is paused and must be unpaused first", &["rm "]),
    may("is paused, try unpause instead", &["start "]),
    may("is paused, unpause the container before exec", &["exec "]),
];

/// The conflict that a line has met, if it is one that a user would expect.
pub(crate) fn conflict(line: &str, code: i32, said: &str) -> Option<&'static str> {
    if said.contains("panicked") || said.contains("stuck") || code > 128 {
        return None;
    }
    let known = CONFLICTS.iter().find(|known| {
        said.contains(known.said) && known.to.iter().any(|verb| line.starts_with(verb))
    });
    known.map(|known| known.said)
}
