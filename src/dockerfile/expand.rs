//! `$NAME` and quotes in the words of an instruction.

use std::{iter::Peekable, str::Chars};

/// Replaces variables and takes quotes off, as Docker's builder does: not a shell.
pub struct Expander<'a> {
    /// What takes a character's meaning.
    pub escape: char,
    /// The value of a variable; `None` where it is not set.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Expander<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expander")
            .field("escape", &self.escape)
            .finish_non_exhaustive()
    }
}

impl Expander<'_> {
    /// One word, whatever it holds.
    ///
    /// # Errors
    ///
    /// Quotes and braces that are not closed; Docker's text.
    pub fn word(&self, text: &str) -> Result<String, String> {
        self.words(text).map(|words| words.join(""))
    }

    /// Split at the spaces that are outside of quotes, those of values included.
    ///
    /// # Errors
    ///
    /// As [`word`](Self::word).
    pub fn list(&self, text: &str) -> Result<Vec<String>, String> {
        let words = self.words(text)?;
        Ok(words
            .into_iter()
            .filter(|word| !word.trim().is_empty())
            .collect())
    }

    /// Words and the spaces between them in turn.
    fn words(&self, text: &str) -> Result<Vec<String>, String> {
        let mut reader = Reader {
            expander: self,
            chars: text.chars().peekable(),
            pieces: Pieces::default(),
            depth: 0,
        };
        let read = reader.until(None);
        read.map_err(|why| format!("failed to process {text:?}: {why}"))?;
        Ok(reader.pieces.finish())
    }
}

/// What was read so far.
#[derive(Default)]
struct Pieces {
    done: Vec<String>,
    last: String,
}

impl Pieces {
    fn push(&mut self, c: char) {
        self.last.push(c);
    }

    fn cut(&mut self, between: char) {
        let word = std::mem::take(&mut self.last);
        self.done.extend([word, between.to_string()]);
    }

    fn finish(mut self) -> Vec<String> {
        self.done.push(self.last);
        self.done
    }
}

struct Reader<'a> {
    expander: &'a Expander<'a>,
    chars: Peekable<Chars<'a>>,
    pieces: Pieces,
    /// How many braces are open.
    depth: usize,
}

/// Nobody nests so many, and our stack has an end.
const DEPTH_MAX: usize = 100;

impl Reader<'_> {
    /// Up to a character that is not quoted, which goes; or up to the end.
    fn until(&mut self, stop: Option<char>) -> Result<(), String> {
        while let Some(c) = self.chars.next() {
            match c {
                c if Some(c) == stop => return Ok(()),
                '\'' => self.single()?,
                '"' => self.double()?,
                '$' => {
                    for c in self.dollar()?.chars() {
                        self.plain(c);
                    }
                }
                c if c == self.expander.escape => match self.chars.next() {
                    Some(c) => self.pieces.push(c),
                    None => self.pieces.push(c),
                },
                c => self.plain(c),
            }
        }
        match stop {
            None => Ok(()),
            Some(stop) => Err(format!("syntax error: missing '{stop}'")),
        }
    }

    fn plain(&mut self, c: char) {
        if c.is_whitespace() {
            self.pieces.cut(c);
        } else {
            self.pieces.push(c);
        }
    }

    fn single(&mut self) -> Result<(), String> {
        loop {
            match self.chars.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.pieces.push(c),
                None => return Err(unclosed("single")),
            }
        }
    }

    fn double(&mut self) -> Result<(), String> {
        loop {
            match self.chars.next() {
                Some('"') => return Ok(()),
                Some('$') => {
                    let value = self.dollar()?;
                    self.pieces.last.push_str(&value);
                }
                Some(c) if c == self.expander.escape => match self.chars.next() {
                    Some(next) if next == '"' || next == '$' || next == c => {
                        self.pieces.push(next);
                    }
                    Some(next) => {
                        self.pieces.push(c);
                        self.pieces.push(next);
                    }
                    None => return Err(unclosed("double")),
                },
                Some(c) => self.pieces.push(c),
                None => return Err(unclosed("double")),
            }
        }
    }

    /// What follows a dollar, as a value.
    fn dollar(&mut self) -> Result<String, String> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(match name.as_str() {
                "" => "$".to_owned(),
                name => (self.expander.variables)(name).unwrap_or_default(),
            });
        }
        let name = self.name();
        if name.is_empty() {
            return Err("syntax error: bad substitution".to_owned());
        }
        let value = (self.expander.variables)(&name);
        match self.chars.next() {
            Some('}') => Ok(value.unwrap_or_default()),
            Some(':') => {
                let modifier = self.chars.next();
                self.modified(modifier, (&name, value.filter(|value| !value.is_empty())))
            }
            Some(modifier) => self.modified(Some(modifier), (&name, value)),
            None => Err("syntax error: missing '}'".to_owned()),
        }
    }

    /// `-word`, `+word` and `?word`; a value that counts as none is `None`.
    fn modified(
        &mut self,
        modifier: Option<char>,
        (name, value): (&str, Option<String>),
    ) -> Result<String, String> {
        let Some(modifier) = modifier else {
            return Err("syntax error: missing '}'".to_owned());
        };
        if !matches!(modifier, '-' | '+' | '?') {
            return Err(format!("unsupported modifier ({modifier}) in substitution"));
        }
        if self.depth == DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} braces within each other"));
        }
        self.depth += 1;
        let outside = std::mem::take(&mut self.pieces);
        self.until(Some('}'))?;
        self.depth -= 1;
        let word = std::mem::replace(&mut self.pieces, outside)
            .finish()
            .join("");
        match (modifier, value) {
            ('-', None) | ('+', Some(_)) => Ok(word),
            ('?', None) if word.is_empty() => Err(format!("{name}: is not allowed to be unset")),
            ('?', None) => Err(format!("{name}: {word}")),
            (_, Some(value)) => Ok(value),
            (_, None) => Ok(String::new()),
        }
    }

    /// Letters, digits and `_`; digits alone; or one of the shell's special ones.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let Some(first) = self.chars.peek().copied() else {
            return name;
        };
        let belongs: fn(&char) -> bool = match first {
            c if c.is_ascii_digit() => char::is_ascii_digit,
            c if c.is_ascii_alphabetic() || c == '_' => |c| c.is_ascii_alphanumeric() || *c == '_',
            '@' | '*' | '#' | '?' | '-' | '$' | '!' => {
                self.chars.next();
                return first.to_string();
            }
            _ => return name,
        };
        while let Some(c) = self.chars.next_if(belongs) {
            name.push(c);
        }
        name
    }
}

fn unclosed(kind: &str) -> String {
    format!("unexpected end of statement while looking for matching {kind}-quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".to_owned()),
            "TWO" => Some("a b".to_owned()),
            "EMPTY" => Some(String::new()),
            "한" => Some("글".to_owned()),
            _ => None,
        }
    }

    fn word(text: &str) -> Result<String, String> {
        let variables = &value;
        Expander {
            escape: '\\',
            variables,
        }
        .word(text)
    }

    #[test]
    fn variables_are_replaced_outside_of_single_quotes() {
        for (text, wanted) in [
            ("x$A", "x1"),
            ("${A}x", "1x"),
            ("$Ax", ""),
            ("\"q $A\"", "q 1"),
            ("'s $A'", "s $A"),
            ("\\$A", "$A"),
            ("\"\\$A\"", "$A"),
            ("$", "$"),
            ("a$/b", "a$/b"),
            ("$TWO", "a b"),
            ("$1$$", ""),
            ("a  b \"c\"   d", "a  b c   d"),
            ("\"a\\nb\\\"c\"", "a\\nb\"c"),
            ("a\\ b", "a b"),
            ("'it''s'", "its"),
            ("한글$A", "한글1"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(word(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn values_have_substitutes() {
        for (text, wanted) in [
            ("${A:-x}", "1"),
            ("${N:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${N-x}", "x"),
            ("${A:+alt}", "alt"),
            ("${N:+alt}", ""),
            ("${EMPTY:+alt}", ""),
            ("${EMPTY+alt}", "alt"),
            ("${N:-${A}b}", "1b"),
            ("${N:-\"a }b\"}", "a }b"),
            ("${A:?why}", "1"),
            ("${N:-a b}c", "a bc"),
        ] {
            assert_eq!(word(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_closed_is_told() {
        for (text, why) in [
            ("\"b", "matching double-quote"),
            ("'b", "matching single-quote"),
            ("${A", "missing '}'"),
            ("${N:-x", "missing '}'"),
            ("${A%x}", "unsupported modifier (%)"),
            ("${}", "bad substitution"),
            ("${N:?say why}", "N: say why"),
            ("${N:?}", "is not allowed to be unset"),
        ] {
            let error = word(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(error.starts_with("failed to process "), "{error}");
        }
    }

    #[test]
    fn braces_without_a_bottom_are_refused() {
        let open = |count: usize| "${N:-".repeat(count) + "x" + &"}".repeat(count);
        assert_eq!(word(&open(100)).as_deref(), Ok("x"));
        for count in [101, 300_000] {
            let error = word(&open(count)).unwrap_err();
            assert!(error.ends_with("more than 100 braces within each other"));
        }
    }

    #[test]
    fn a_list_is_split_after_its_variables_are_replaced() {
        let variables = &value;
        let expander = Expander {
            escape: '`',
            variables,
        };
        let list = expander.list("80 $TWO \"c d\"  `$A").unwrap();
        assert_eq!(list, ["80", "a", "b", "c d", "$A"]);
    }
}
