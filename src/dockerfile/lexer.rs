//! A text to logical lines: directives, comments and continuations go.

use super::{
    Error, Problem,
    heredoc::{self, Heredoc},
};

/// One instruction as written, over however many lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logical {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) heredocs: Vec<Heredoc>,
}

/// A Dockerfile without what is only for its writer.
#[derive(Debug)]
pub(super) struct Lexed {
    /// What takes a character's meaning, and what continues a line.
    pub(super) escape: char,
    pub(super) lines: Vec<Logical>,
    pub(super) warnings: Vec<String>,
}

/// Splits a text.
pub(super) fn lex(file: &str, text: &str) -> Result<Lexed, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let (escape, first) = directives(file, &raw)?;
    let mut lexer = Lexer {
        file,
        raw: &raw,
        next: first,
        lexed: Lexed {
            escape,
            lines: Vec::new(),
            warnings: Vec::new(),
        },
    };
    while let Some(logical) = lexer.logical()? {
        lexer.lexed.lines.push(logical);
    }
    Ok(lexer.lexed)
}

/// `# escape=…` and its like: only before anything else, other comments included.
fn directives(file: &str, raw: &[&str]) -> Result<(char, usize), Error> {
    let mut escape = None;
    for (at, line) in raw.iter().enumerate() {
        let Some((key, value)) = directive(line) else {
            return Ok((escape.unwrap_or('\\'), at));
        };
        if key != "escape" {
            continue;
        }
        let bad = |what: String| Problem::from(what).at(file, at + 1);
        if escape.is_some() {
            return Err(bad(
                "only one escape parser directive can be used".to_owned()
            ));
        }
        escape = match value {
            "\\" => Some('\\'),
            "`" => Some('`'),
            other => {
                let what = format!("invalid escape token {other:?} does not match ` or \\");
                return Err(bad(what));
            }
        };
    }
    Ok((escape.unwrap_or('\\'), raw.len()))
}

/// Key and value of `# key = value`.
fn directive(line: &str) -> Option<(String, &str)> {
    let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
    let key = key.trim().to_ascii_lowercase();
    let word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word.then(|| (key, value.trim()))
}

struct Lexer<'a> {
    file: &'a str,
    raw: &'a [&'a str],
    next: usize,
    lexed: Lexed,
}

impl Lexer<'_> {
    /// The next instruction; `None` at the end.
    fn logical(&mut self) -> Result<Option<Logical>, Error> {
        let mut begun: Option<(usize, String)> = None;
        let mut has_gap = false;
        while let Some(raw) = self.raw.get(self.next) {
            self.next += 1;
            let trimmed = raw.trim_start();
            if trimmed.starts_with('#') {
                continue;
            }
            if trimmed.is_empty() {
                has_gap |= begun.is_some();
                continue;
            }
            let piece = if begun.is_some() { raw } else { trimmed };
            let (piece, continues) = continuation(piece, self.lexed.escape);
            begun
                .get_or_insert_with(|| (self.next, String::new()))
                .1
                .push_str(piece);
            if !continues {
                break;
            }
        }
        let Some((line, text)) = begun else {
            return Ok(None);
        };
        let text = text.trim().to_owned();
        if has_gap {
            let warning = format!(
                "{}:{line}: empty continuation line in: {text}: take it out, or begin it with #",
                self.file
            );
            self.lexed.warnings.push(warning);
        }
        let heredocs = self.heredocs(line, &text)?;
        Ok(Some(Logical {
            line,
            text,
            heredocs,
        }))
    }

    fn heredocs(&mut self, line: usize, text: &str) -> Result<Vec<Heredoc>, Error> {
        let mut found = Vec::new();
        for mut heredoc in heredoc::openings(text) {
            loop {
                let Some(raw) = self.raw.get(self.next) else {
                    let what = format!("unterminated heredoc: no line is {:?}", heredoc.name);
                    return Err(Problem::from(what).at(self.file, line));
                };
                self.next += 1;
                let body = if heredoc.strips_tabs {
                    raw.trim_start_matches('\t')
                } else {
                    raw
                };
                if body == heredoc.name {
                    break;
                }
                heredoc.body.push_str(body);
                heredoc.body.push('\n');
            }
            found.push(heredoc);
        }
        Ok(found)
    }
}

/// The line without what continues it, and whether it is continued.
fn continuation(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, String)> {
        let lexed = lex("Dockerfile", text).unwrap();
        let lines = lexed.lines.into_iter();
        lines.map(|line| (line.line, line.text)).collect()
    }

    fn one(text: &str) -> String {
        let mut found = texts(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).1
    }

    #[test]
    fn comments_and_empty_lines_go_and_numbers_stay() {
        let found = texts("# c\n\n  FROM a  \r\n\t# c\n\nRUN b");
        assert_eq!(found, [(3, "FROM a".to_owned()), (6, "RUN b".to_owned())]);
        assert_eq!(texts(""), []);
        assert_eq!(texts("\u{feff}# c\n"), []);
    }

    #[test]
    fn continued_lines_are_one_and_keep_their_spaces() {
        assert_eq!(
            one("RUN echo a \\\n   && echo b"),
            "RUN echo a    && echo b"
        );
        assert_eq!(one("RUN a\\ \t\nb"), "RUN ab");
        assert_eq!(one("RUN a \\\n# c\n  # c\nb"), "RUN a b");
        assert_eq!(one("RUN a \\\n"), "RUN a");
        assert_eq!(texts("RUN a \\\\\nRUN b").len(), 2);
        assert_eq!(one("\\\nRUN a"), "RUN a");
    }

    #[test]
    fn an_empty_continuation_line_is_told() {
        let lexed = lex("Df", "RUN a \\\n\n && b").unwrap();
        assert_eq!(lexed.lines[0].text, "RUN a  && b");
        assert!(lexed.warnings[0].starts_with("Df:1: empty continuation"));
        let lexed = lex("Df", "\n\nRUN a \\\n# c\n && b\n\n").unwrap();
        assert_eq!(lexed.warnings, [""; 0]);
    }

    #[test]
    fn the_escape_directive_counts_only_at_the_top() {
        assert_eq!(one("# escape=`\nRUN a`\nb"), "RUN ab");
        assert_eq!(one("#syntax=x\n# Escape = `\nRUN a`\nb"), "RUN ab");
        assert_eq!(one("# c\n# escape=`\nRUN a\\\nb"), "RUN ab");
        assert_eq!(one("\n# escape=`\nRUN a\\\nb"), "RUN ab");
        let error = lex("Df", "# escape=x\nRUN a").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Df:1: invalid escape token \"x\" does not match ` or \\"
        );
        let error = lex("Df", "# escape=`\n# escape=`\n").unwrap_err();
        assert_eq!(error.line, 2);
    }

    #[test]
    fn heredocs_are_taken_to_their_ends() {
        let lexed = lex(
            "Df",
            "RUN <<E cat <<-\"F\" # no\na\n# b\nE\n\t\tc\n\tF\nRUN x",
        )
        .unwrap();
        assert_eq!(lexed.lines.len(), 2);
        assert_eq!(lexed.lines[1].line, 7);
        let bodies: Vec<_> = lexed.lines[0]
            .heredocs
            .iter()
            .map(|one| &one.body)
            .collect();
        assert_eq!(bodies, ["a\n# b\n", "c\n"]);
        let error = lex("Df", "FROM a\nRUN <<E\nx").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Df:2: unterminated heredoc: no line is \"E\""
        );
        assert_eq!(lex("Df", "ENV a=<<E\nRUN x").unwrap().lines.len(), 2);
        assert_eq!(lex("Df", "RUN cat <<<word\nRUN x").unwrap().lines.len(), 2);
    }
}
