//! Paths as texts: what `.dockerignore` and sources of `COPY` make of them.

/// The shortest path that means the same without looking at a file system; `.` where nothing is left
/// (Go's `path.Clean`).
pub fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_short() {
        for (path, wanted) in [
            ("", "."),
            ("./a//b/", "a/b"),
            ("a/b/../x", "a/x"),
            ("../a", "../a"),
            ("a/../..", ".."),
            ("/../a/.", "/a"),
            ("/", "/"),
            ("..", ".."),
            ("../..", "../.."),
        ] {
            assert_eq!(clean(path), wanted, "{path}");
        }
    }
}
