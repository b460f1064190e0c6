//! The shell commands of the mounts that are more than one `mount`.
//!
//! Scratch directories of a mount are numbered by the shell: `$N` grows with each.

use std::path::Path;

use super::{
    Access, ImageTree, OverlayTree, TmpfsOptions, overlay, quote,
    script::{file_stub, inside},
};

/// Whatever cannot be done by commands is refused before the program runs.
fn refuse(why: &str) -> Vec<String> {
    vec![format!("echo {} >&2; exit 1", quote(why))]
}

/// mount(8) of util-linux maps ids since 2.39, and Debian 12 has an older one.
pub(super) fn no_idmap() -> Vec<String> {
    refuse(
        "bind-idmap: mount_setattr(2) with MOUNT_ATTR_IDMAP has no command everywhere; this script stops here",
    )
}

/// A path below the top of a volume or image that a link must not lead out of.
fn stays(top: &str, path: &str) -> String {
    format!(
        "case $(readlink -m {path})/ in \"$(readlink -f {top})\"/*) ;; *) echo {path} leads out of \
         {top} through a link >&2; exit 1 ;; esac"
    )
}

/// A volume's subpath, made only where that was asked for.
pub(super) fn subpath(top: &str, source: &str, create: bool) -> Vec<String> {
    let there = if create {
        format!("mkdir -p {source}")
    } else {
        format!("[ -e {source} ] || {{ echo {source} does not exist >&2; exit 1; }}")
    };
    vec![stays(top, source), there]
}

/// Filled aside, then moved into place.
pub(super) fn filled_tmpfs(
    words: &str,
    (directory, target): (&str, &str),
    options: &TmpfsOptions,
) -> Vec<String> {
    let mut lines = vec![
        "T=$(mktemp -d \"$C/tmpfs.XXXXXX\")".to_owned(),
        format!("mount -t tmpfs -o {words},rw tmpfs \"$T\""),
        format!(
            "if [ -d {target} ]; then cp -a {target}/. \"$T\"/; chmod --reference={target} \"$T\"; fi"
        ),
        directory.to_owned(),
    ];
    lines.extend(options.mode.map(|mode| format!("chmod {mode:04o} \"$T\"")));
    lines.extend(options.uid.map(|uid| format!("chown {uid} \"$T\"")));
    lines.extend(options.gid.map(|gid| format!("chgrp {gid} \"$T\"")));
    lines.push(format!("mount --move \"$T\" {target}"));
    if options.access == Access::ReadOnly {
        lines.push(format!("mount -o remount,bind,ro {target}"));
    }
    let propagation = options.propagation;
    lines.extend(propagation.map(|one| format!("mount --make-{one} {target}")));
    lines
}

fn options() -> String {
    let pairs = overlay::OPTIONS.iter();
    let pairs = pairs.map(|(key, value)| format!(",{key}={value}"));
    pairs.collect::<Vec<_>>().concat()
}

/// A union aside, of which the target shows the whole or a part.
pub(super) fn image(image: &ImageTree, target: &Path) -> Vec<String> {
    let mut lines = vec![
        "I=$(mktemp -d \"$C/image.XXXXXX\"); mkdir \"$I/l\" \"$I/empty\" \"$I/empty2\" \"$I/m\""
            .to_owned(),
        "cd \"$I/l\"".to_owned(),
    ];
    // An option string is one page long: links make the names short.
    for (number, lower) in image.lowers.iter().enumerate() {
        lines.push(format!("ln -s \"$B\"/{} {number}", quote(lower)));
    }
    let numbers = 0..image.lowers.len();
    let mut lowers: Vec<_> = numbers.map(|number| number.to_string()).collect();
    let empty = ["../empty", "../empty2"].map(str::to_owned);
    lowers.extend(
        empty
            .into_iter()
            .take(2_usize.saturating_sub(image.lowers.len())),
    );
    lines.push(format!(
        "mount -t overlay overlay -o \"ro,nodev,lowerdir={}{}\" \"$I/m\"",
        lowers.join(":"),
        options()
    ));
    let source = match &image.subpath {
        Some(subpath) => {
            let source = format!("\"$I/m\"/{}", quote(subpath));
            lines.extend(self::subpath("\"$I/m\"", &source, false));
            source
        }
        None => "\"$I/m\"".to_owned(),
    };
    let (place, stub) = (inside(target), file_stub(target));
    lines.push(format!(
        "if [ -d {source} ]; then mkdir -p {place}; else {stub}; fi"
    ));
    lines.push(format!("mount --bind {source} {place}"));
    lines.push(format!("mount -o remount,bind,ro,nodev {place}"));
    lines
}

/// The script's own upper dir, over the changes that are there already.
pub(super) fn overlay(tree: &OverlayTree, target: &str, lower: &str) -> Vec<String> {
    let mut lines = vec![
        "O=$(mktemp -d \"$C/overlay.XXXXXX\"); mkdir \"$O/upper\" \"$O/work\"".to_owned(),
        "cd \"$O\"".to_owned(),
        format!("[ -e {lower} ] || mkdir -p {lower}"),
        format!("ln -s {lower} lower"),
    ];
    let mut lowers = "lower";
    let mut like = lower.to_owned();
    if let Some(place) = &tree.place {
        let upper = quote(place.join(OverlayTree::UPPER));
        lines.push(format!(
            "mkdir none; if [ -d {upper} ]; then ln -s {upper} changes; else ln -s none changes; fi"
        ));
        lowers = "changes:lower";
        like = format!("\"$(if [ -d {upper} ]; then echo {upper}; else echo {lower}; fi)\"");
    }
    lines.push(format!(
        "chmod --reference={like} upper; chown --reference={like} upper"
    ));
    let read_only = if tree.access == Access::ReadOnly {
        "ro,"
    } else {
        ""
    };
    lines.push(format!(
        "mount -t overlay overlay -o \"{read_only}nodev,lowerdir={lowers},upperdir=upper,workdir=work{}\" {target}",
        options()
    ));
    lines
}
