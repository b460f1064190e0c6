//! The same plan as shell commands that really work: for `--explain=sh`.
//!
//! `$B` is the store, `$C` a scratch directory, `$M` the union, as the frame that `container`
//! prints around these lines defines them.

use std::{os::unix::ffi::OsStrExt as _, path::Path};

use super::{
    Access, Action, Bind, BindKind, Furniture, Mount, Overlay, ReadOnly, Source, TmpfsOptions,
    script_forms, system,
};
use crate::sys::mount::Depth;

/// As long as a page's option string may get beside its upper and work dirs.
const LOWERDIR_MAX: usize = 3000;

/// Text in single quotes, whatever bytes it holds.
pub fn quote(text: impl AsRef<std::ffi::OsStr>) -> String {
    let text = String::from_utf8_lossy(text.as_ref().as_bytes()).into_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A path below `$M`.
pub(super) fn inside(target: &Path) -> String {
    format!("\"$M\"{}", quote(target))
}

impl Action {
    /// Shell lines that do what this action does. `word` writes the source of a bind for the
    /// shell.
    pub fn script(&self, word: &dyn Fn(&Path) -> String) -> Vec<String> {
        match self {
            Action::Isolate => vec!["mount --make-rslave /".to_owned()],
            Action::Furnish(files) => furnish(files),
            Action::Overlay(overlay) => union(overlay),
            Action::Mount(mount) => attach(mount, word),
            Action::Devices => devices(),
            Action::Mask => mask(),
            Action::ReadOnlyRoot => vec!["mount -o remount,bind,ro \"$M\"".to_owned()],
            // The caller's: it needs programs of the host afterwards.
            Action::HoldSources(_) | Action::Pivot => Vec::new(),
        }
    }
}

fn furnish(files: &[Furniture]) -> Vec<String> {
    let mut lines = vec![
        "mkdir -p \"$C/furniture\"".to_owned(),
        "mount -t tmpfs -o mode=0755,size=4m,nosuid,nodev,noexec furniture \"$C/furniture\""
            .to_owned(),
        "mkdir \"$C/furniture/empty-dir\"; : >\"$C/furniture/empty-file\"".to_owned(),
    ];
    lines.extend(files.iter().map(|file| {
        let content = String::from_utf8_lossy(&file.content).into_owned();
        format!(
            "printf %s {} >\"$C/furniture/{}\"",
            quote(content),
            file.name
        )
    }));
    lines
}

fn union(overlay: &Overlay) -> Vec<String> {
    let joined: Vec<_> = overlay
        .lowers
        .iter()
        .map(|lower| lower.display().to_string())
        .collect();
    let joined = joined.join(":");
    let plain = overlay.lowers.iter().all(|lower| Overlay::is_plain(lower));
    let mut lines = Vec::new();
    let home = match overlay.options.ephemeral {
        Some(_) => "$C/memory",
        None => "$C",
    };
    if let Some(memory) = overlay.options.ephemeral {
        // The container's changes in memory: gone with the script.
        let size = memory.size.map(|size| format!(",size={size}"));
        lines.push(format!(
            "mkdir -p \"{home}\"; mount -t tmpfs -o mode=0700{} ephemeral \"{home}\"",
            size.unwrap_or_default()
        ));
    }
    lines.push(format!("mkdir -p \"{home}/upper\" \"{home}/work\" \"$M\""));
    // The root's owner and mode are the upper dir's.
    for change in ["chmod", "chown"] {
        let like = top(overlay);
        lines.push(format!(
            "{change} --reference=\"$B/\"{like} \"{home}/upper\""
        ));
    }
    let lowers = if joined.len() < LOWERDIR_MAX && plain {
        lines.push("cd \"$B\"".to_owned());
        joined
    } else {
        // An option string is one page long: links make the names short.
        lines.push("mkdir \"$C/l\"; cd \"$C/l\"".to_owned());
        for (number, lower) in overlay.lowers.iter().enumerate() {
            lines.push(format!("ln -s \"$B\"/{} {number}", quote(lower)));
        }
        (0..overlay.lowers.len())
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(":")
    };
    let mut options = format!("lowerdir={lowers},upperdir={home}/upper,workdir={home}/work");
    for (key, value) in overlay.pairs() {
        options.extend([",", key, "=", value]);
    }
    lines.push(format!(
        "mount -t overlay overlay -o \"nodev,{options}\" \"$M\""
    ));
    lines
}

/// Whose owner and mode the union's root has: those of the topmost layer of the image, which is
/// below the init layer; quoted for the shell.
fn top(overlay: &Overlay) -> String {
    let layer = overlay.lowers.get(1).or(overlay.lowers.first());
    layer.map(quote).unwrap_or_default()
}

fn attach(mount: &Mount, word: &dyn Fn(&Path) -> String) -> Vec<String> {
    let guard = format!("inside {}", quote(&mount.target));
    [guard].into_iter().chain(commands(mount, word)).collect()
}

fn commands(mount: &Mount, word: &dyn Fn(&Path) -> String) -> Vec<String> {
    let target = inside(&mount.target);
    let directory = format!("mkdir -p {target}");
    let kernel = |kind: &str, options: &str| {
        vec![
            directory.clone(),
            format!("mount -t {kind} -o {options} {kind} {target}"),
        ]
    };
    match &mount.source {
        Source::Proc => kernel("proc", "nosuid,nodev,noexec"),
        Source::Sysfs => kernel("sysfs", "ro,nosuid,nodev,noexec"),
        Source::Cgroup => kernel("cgroup2", "ro,nosuid,nodev,noexec"),
        Source::Devpts => kernel(
            "devpts",
            "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        Source::Mqueue => kernel("mqueue", "nosuid,nodev,noexec"),
        Source::Tmpfs(options) if options.copy_up => {
            script_forms::filled_tmpfs(&tmpfs(options), (&directory, &target), options)
        }
        Source::Tmpfs(options) => {
            let mut lines = vec![
                directory,
                format!("mount -t tmpfs -o {} tmpfs {target}", tmpfs(options)),
            ];
            let propagation = options.propagation;
            lines.extend(propagation.map(|one| format!("mount --make-{one} {target}")));
            lines
        }
        Source::Image(image) => script_forms::image(image, &mount.target),
        Source::Overlay(tree) => {
            let mut lines = vec![directory];
            lines.extend(script_forms::overlay(tree, &target, &word(&tree.lower)));
            lines
        }
        Source::Furniture { name, access } => {
            let mut lines = vec![
                file_stub(&mount.target),
                format!("mount --bind \"$C/furniture/{name}\" {target}"),
            ];
            if *access == Access::ReadOnly {
                lines.push(format!("mount -o remount,bind,ro {target}"));
            }
            lines
        }
        Source::Bind(bind) if bind.idmap.is_some() => script_forms::no_idmap(),
        Source::Bind(bind) => attach_bind(mount, bind, word),
    }
}

pub(super) fn file_stub(target: &Path) -> String {
    let parent = target.parent().unwrap_or(Path::new("/"));
    let (parent, target) = (inside(parent), inside(target));
    format!("mkdir -p {parent}; [ -e {target} ] || : >{target}")
}

fn attach_bind(mount: &Mount, bind: &Bind, word: &dyn Fn(&Path) -> String) -> Vec<String> {
    let target = inside(&mount.target);
    let top = word(&bind.source);
    let source = match &bind.subpath {
        Some(subpath) => format!("{top}/{}", quote(subpath)),
        None => top.clone(),
    };
    let how = if bind.depth == Depth::Recursive {
        "rbind"
    } else {
        "bind"
    };
    let stub = file_stub(&mount.target);
    // A shared bind would need its source from before the step that isolates the namespace.
    let propagation = bind.propagation.as_str().replace("shared", "slave");
    let mut lines = match &bind.subpath {
        Some(_) => script_forms::subpath(&top, &source, bind.create_subpath),
        None => vec![format!("[ -e {source} ] || mkdir -p {source}")],
    };
    lines.extend([
        format!("if [ -d {source} ]; then mkdir -p {target}; else {stub}; fi"),
        format!("mount --{how} {source} {target}"),
        format!("mount --make-{propagation} {target}"),
    ]);
    let nodev = if bind.kind == BindKind::Volume {
        ",nodev"
    } else {
        ""
    };
    match (bind.read_only, nodev) {
        (ReadOnly::No, "") => {}
        (ReadOnly::No, _) => lines.push(format!("mount -o remount,bind{nodev} {target}")),
        (ReadOnly::Top | ReadOnly::Recursive, _) => lines.push(format!(
            "mount -o remount,bind,ro{nodev} {target}   # a bind ignores ro: two steps"
        )),
    }
    lines
}

fn tmpfs(options: &TmpfsOptions) -> String {
    // mount(8) does not know about the filling; that is ours.
    let plain = TmpfsOptions {
        copy_up: false,
        propagation: None,
        ..options.clone()
    };
    let mut words = vec![plain.to_string()];
    if options.mode.is_none() {
        words.push("mode=1777".to_owned());
    }
    quote(words.join(","))
}

fn devices() -> Vec<String> {
    let nodes = system::DEVICES
        .iter()
        .map(|(name, major, minor)| format!("mknod -m 666 \"$M/dev/{name}\" c {major} {minor}"));
    let links = system::LINKS
        .iter()
        .map(|(name, target)| format!("ln -s {target} \"$M/dev/{name}\""));
    nodes.chain(links).collect()
}

fn mask() -> Vec<String> {
    let words = |paths: &[&str]| paths.join(" ");
    vec![
        format!("for path in {}; do", words(&system::MASKED.map(|(path, _)| path))),
        "  if [ -d \"$M$path\" ]; then mount --bind -o ro \"$C/furniture/empty-dir\" \"$M$path\""
            .to_owned(),
        "  elif [ -e \"$M$path\" ]; then mount --bind -o ro \"$C/furniture/empty-file\" \"$M$path\"; fi"
            .to_owned(),
        "done".to_owned(),
        format!("for path in {}; do", words(&system::READ_ONLY)),
        "  [ -e \"$M$path\" ] || continue".to_owned(),
        "  mount --rbind \"$M$path\" \"$M$path\"; mount -o remount,bind,ro \"$M$path\"".to_owned(),
        "done".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_the_shell() {
        for text in [
            "",
            "plain/path",
            "with space",
            "it's",
            "$(rm -rf /)",
            "한글",
            "a\nb",
            "`x`",
            "*",
        ] {
            let script = format!("printf %s {}", quote(text));
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(script)
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
