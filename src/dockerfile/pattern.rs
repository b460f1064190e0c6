//! Patterns of names: `*`, `?`, `[a-z]`, and in `.dockerignore` also `**`.
//!
//! Names are bytes and patterns are text: `?` is one character where the name is UTF-8 and one byte
//! where it is not.

use std::{iter::Peekable, str::Chars};

use regex::bytes::Regex;

/// One character that separates no directories.
const ONE: &str = "(?:[^/]|(?-u:[^/]))";

/// Everything, separators too.
const ALL: &str = "(?s-u:.)*";

/// Which kind of pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A source of `COPY` (Go's `filepath.Match`).
    Source,
    /// A line of `.dockerignore`, where `**` goes through directories.
    Ignore,
}

/// Whether a source is a pattern at all.
pub fn is_glob(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' | '[' => return true,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    false
}

/// A pattern of whole paths.
#[derive(Debug, Clone)]
pub struct Glob(Regex);

impl Glob {
    /// A source of `COPY`.
    ///
    /// # Errors
    ///
    /// Go's text.
    pub fn source(text: &str) -> Result<Self, String> {
        Self::new(text, Kind::Source)
    }

    pub(super) fn new(text: &str, kind: Kind) -> Result<Self, String> {
        let bad = || "syntax error in pattern".to_owned();
        let regex = translate(text, kind).ok_or_else(bad)?;
        Regex::new(&regex).map(Self).map_err(|_| bad())
    }

    /// Whether a path, without a slash at its beginning or end, is one of them.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.is_match(path)
    }
}

fn translate(text: &str, kind: Kind) -> Option<String> {
    let mut regex = "^".to_owned();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if kind == Kind::Ignore && chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                match chars.peek() {
                    None => regex.push_str(ALL),
                    Some(_) => regex.extend(["(?:", ALL, "/)?"]),
                }
            }
            '*' => regex.extend([ONE, "*"]),
            '?' => regex.push_str(ONE),
            '[' => regex.push_str(&class(&mut chars)?),
            '\\' => regex.push_str(&literal(chars.next()?)),
            c => regex.push_str(&literal(c)),
        }
    }
    regex.push('$');
    Some(regex)
}

fn literal(c: char) -> String {
    regex::escape(c.encode_utf8(&mut [0; 4]))
}

/// What follows `[`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut regex = "[".to_owned();
    if chars.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    let mut count = 0;
    loop {
        let low = match chars.next()? {
            ']' if count > 0 => break,
            '\\' => chars.next()?,
            ']' | '-' => return None,
            c => c,
        };
        count += 1;
        regex.push_str(&in_class(low));
        if chars.next_if_eq(&'-').is_some() {
            let high = match chars.next()? {
                '\\' => chars.next()?,
                ']' | '-' => return None,
                c => c,
            };
            if high < low {
                return None;
            }
            regex.push('-');
            regex.push_str(&in_class(high));
        }
    }
    regex.push(']');
    Some(regex)
}

fn in_class(c: char) -> String {
    if c.is_alphanumeric() || !c.is_ascii() {
        c.to_string()
    } else {
        format!("\\x{{{:x}}}", u32::from(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(kind: Kind, pattern: &str, path: &str) -> bool {
        Glob::new(pattern, kind).unwrap().matches(path.as_bytes())
    }

    #[test]
    fn sources_match_within_one_directory() {
        for (pattern, yes, no) in [
            ("*.txt", "a.txt", "a/b.txt"),
            ("a?c", "abc", "a/c"),
            ("한?", "한글", "한"),
            ("[a-c]x", "bx", "dx"),
            ("[^a-c]x", "dx", "ax"),
            ("\\*", "*", "a"),
            ("a.b", "a.b", "axb"),
            ("d*/f", "dir/f", "dir/sub/f"),
            ("[\\]&]", "&", "\\"),
            ("**", "a", "a/b"),
            ("a+(b)", "a+(b)", "aab"),
        ] {
            assert!(fits(Kind::Source, pattern, yes), "{pattern} {yes}");
            assert!(!fits(Kind::Source, pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn two_stars_go_through_directories() {
        for (pattern, yes, no) in [
            ("**/x", "a/b/x", "a/bx"),
            ("**/x", "x", "x/y"),
            ("a/**/x", "a/x", "ax"),
            ("a**", "a/b/c", "b"),
            ("**", "a/b", ""),
            ("**b", "a/b", "a/bc"),
        ] {
            assert!(fits(Kind::Ignore, pattern, yes), "{pattern} {yes}");
            if !no.is_empty() {
                assert!(!fits(Kind::Ignore, pattern, no), "{pattern} {no}");
            }
        }
    }

    #[test]
    fn names_that_are_no_text_are_matched() {
        let star = Glob::new("*.o", Kind::Ignore).unwrap();
        assert!(star.matches(b"\xff\xfe.o"));
        assert!(!star.matches(b"\xff/\xfe.o"));
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        for pattern in ["[", "[]", "[a", "a\\", "[b-a]", "[-a]", "[a-]"] {
            assert!(Glob::new(pattern, Kind::Source).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_name_with_an_escaped_star_is_no_pattern() {
        assert!(is_glob("a*") && is_glob("[a]") && is_glob("\\**"));
        assert!(!is_glob("a") && !is_glob("\\*"));
    }
}
