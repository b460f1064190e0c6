//! `.dockerignore`: what of a context is as if it were not there.

use super::{
    path::clean,
    pattern::{Glob, Kind},
};

/// The rules of a file, the last one that fits wins.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    glob: Glob,
    /// `!`: what fits stays after all.
    keeps: bool,
}

impl Ignore {
    /// Reads the rules. Lines that begin with `#` are comments.
    ///
    /// # Errors
    ///
    /// The line, from 1, and what is wrong with it; Docker's text.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let line = line.trim();
            let (keeps, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            if pattern.is_empty() {
                return Err((at + 1, "illegal exclusion pattern: \"!\"".to_owned()));
            }
            let pattern = clean(pattern);
            let relative = match pattern.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => rest,
                _ => &pattern,
            };
            let glob = Glob::new(relative, Kind::Ignore).map_err(|why| (at + 1, why))?;
            rules.push(Rule { glob, keeps });
        }
        Ok(Self { rules })
    }

    /// Whether a path of the context, relative and clean, is ignored; so is what is below a
    /// directory that is, unless a later rule keeps it.
    pub fn is_ignored(&self, path: &[u8]) -> bool {
        let mut ends: Vec<usize> = Vec::new();
        ends.extend(
            path.iter()
                .enumerate()
                .filter(|(_, b)| **b == b'/')
                .map(|(at, _)| at),
        );
        ends.push(path.len());
        let mut ignored = false;
        for rule in &self.rules {
            if ignored == rule.keeps && ends.iter().any(|end| rule.glob.matches(&path[..*end])) {
                ignored = !rule.keeps;
            }
        }
        ignored
    }

    /// Whether something below an ignored directory may be kept.
    pub fn keeps_any(&self) -> bool {
        self.rules.iter().any(|rule| rule.keeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 8] = [
        ".dockerignore",
        ".h",
        "Dockerfile",
        "a/b/x.txt",
        "a/b/y.md",
        "a/x.txt",
        "c/z",
        "x.txt",
    ];

    fn kept(text: &str) -> String {
        let ignore = Ignore::parse(text).unwrap();
        let kept = FILES
            .iter()
            .filter(|path| !ignore.is_ignored(path.as_bytes()));
        kept.copied().collect::<Vec<_>>().join(" ")
    }

    /// Each answer was seen on a real engine.
    #[test]
    fn rules_mean_what_they_mean_to_docker() {
        for (text, wanted) in [
            (
                "*.txt",
                ".dockerignore .h Dockerfile a/b/x.txt a/b/y.md a/x.txt c/z",
            ),
            ("**/*.txt", ".dockerignore .h Dockerfile a/b/y.md c/z"),
            (
                "a\n!a/b/x.txt",
                ".dockerignore .h Dockerfile a/b/x.txt c/z x.txt",
            ),
            ("*\n!c", "c/z"),
            (
                "# c\n\n  /a/b/  ",
                ".dockerignore .h Dockerfile a/x.txt c/z x.txt",
            ),
            (
                "Dockerfile\n.dockerignore",
                ".h a/b/x.txt a/b/y.md a/x.txt c/z x.txt",
            ),
            (
                "a/**/x.txt",
                ".dockerignore .h Dockerfile a/b/y.md c/z x.txt",
            ),
            (
                "?.txt\n[.]h",
                ".dockerignore Dockerfile a/b/x.txt a/b/y.md a/x.txt c/z",
            ),
            ("*/*/", ".dockerignore .h Dockerfile x.txt"),
            (
                "a/b/../x.txt\n./c",
                ".dockerignore .h Dockerfile a/b/x.txt a/b/y.md x.txt",
            ),
            (
                "a/b\n!a/b",
                ".dockerignore .h Dockerfile a/b/x.txt a/b/y.md a/x.txt c/z x.txt",
            ),
            (
                "C",
                ".dockerignore .h Dockerfile a/b/x.txt a/b/y.md a/x.txt c/z x.txt",
            ),
            ("**/b", ".dockerignore .h Dockerfile a/x.txt c/z x.txt"),
            ("**b", ".dockerignore .h Dockerfile a/x.txt c/z x.txt"),
            ("a**", ".dockerignore .h Dockerfile c/z x.txt"),
            (
                "!x",
                ".dockerignore .h Dockerfile a/b/x.txt a/b/y.md a/x.txt c/z x.txt",
            ),
        ] {
            assert_eq!(kept(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_last_rule_wins_and_comments_begin_the_line() {
        assert_eq!(kept("**\n!**/*.md"), "a/b/y.md");
        assert_eq!(kept("**\n!a\na/b"), "a/x.txt");
        assert_eq!(kept("*\n #x\n!.h"), ".h");
    }

    #[test]
    fn a_bad_rule_is_told_by_its_line() {
        assert_eq!(Ignore::parse("a\n!\n").unwrap_err().0, 2);
        let (line, why) = Ignore::parse("\n\n[\n").unwrap_err();
        assert_eq!((line, why.as_str()), (3, "syntax error in pattern"));
    }
}
