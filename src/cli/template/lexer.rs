//! Template text cut into tokens, by the rules of Go's text/template.

use super::Error;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// Byte offset.
    pub(super) at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Between actions.
    Text,
    /// `{{`
    Left,
    /// `}}`
    Right,
    Space,
    /// `.Name`
    Field,
    /// `$` or `$name`
    Variable,
    /// A function's name.
    Identifier,
    /// `if`, `end`, …
    Keyword,
    /// `.`
    Dot,
    Nil,
    Bool,
    Number,
    /// `'x'`
    Character,
    /// `"x"`
    Quoted,
    /// Between backquotes.
    Raw,
    /// `|`
    Pipe,
    LeftParen,
    RightParen,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// Any other printable ASCII.
    Sign,
    End,
}

impl Token {
    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        if self.kind == Kind::End {
            return "EOF".to_owned();
        }
        if matches!(self.kind, Kind::Keyword | Kind::Dot | Kind::Nil) {
            return format!("<{}>", self.text);
        }
        if self.text.chars().count() > 10 {
            let start: String = self.text.chars().take(10).collect();
            return format!("{start:?}...");
        }
        format!("{:?}", self.text)
    }

    /// Whether a command can begin with it.
    pub(super) fn is_operand(&self) -> bool {
        matches!(
            self.kind,
            Kind::Bool
                | Kind::Character
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParen
        )
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const KEYWORDS: [&str; 10] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// All tokens, the last one being `End`, and what was wrong after them.
///
/// The parser may find something wrong earlier, and that is what the user shall read.
pub(super) fn tokens(text: &str) -> (Vec<Token>, Option<Error>) {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
    };
    let error = lexer.run().err();
    lexer.push(Kind::End, lexer.at, lexer.at);
    (lexer.tokens, error)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, kind: Kind, from: usize, to: usize) {
        let text = self.text[from..to].to_owned();
        self.tokens.push(Token {
            kind,
            text,
            at: from,
        });
    }

    fn fail<T>(&self, why: impl Into<String>) -> Result<T, Error> {
        Err(Error::parse(self.text, self.at, why))
    }

    /// Goes on while the characters are such, and says how far.
    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        self.at
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut trim = false;
        loop {
            let mut from = self.at;
            let end = self.rest().find(LEFT).map(|found| self.at + found);
            let mut to = end.unwrap_or(self.text.len());
            if trim {
                let chunk = &self.text[from..to];
                from = to - chunk.trim_start_matches(is_space).len();
            }
            let Some(left) = end else {
                self.at = to;
                if from < to {
                    self.push(Kind::Text, from, to);
                }
                return Ok(());
            };
            let mut inside = self.text[left + LEFT.len()..].chars();
            let marked = inside.next() == Some('-') && inside.next().is_some_and(is_space);
            if marked {
                let chunk = &self.text[from..to];
                to = from + chunk.trim_end_matches(is_space).len();
            }
            if from < to {
                self.push(Kind::Text, from, to);
            }
            self.at = left + LEFT.len() + if marked { 2 } else { 0 };
            if self.rest().starts_with("/*") {
                trim = self.comment()?;
            } else {
                self.push(Kind::Left, left, left + LEFT.len());
                trim = self.action()?;
            }
        }
    }

    /// Whether the action ends here, and whether the text after it is trimmed.
    fn right(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some((RIGHT.len(), false));
        }
        let marked = rest.strip_prefix(is_space)?.strip_prefix('-')?;
        marked.starts_with(RIGHT).then_some((2 + RIGHT.len(), true))
    }

    fn comment(&mut self) -> Result<bool, Error> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return self.fail("unclosed comment");
        };
        self.at += 2 + end + 2;
        match self.right() {
            Some((length, trim)) => {
                self.at += length;
                Ok(trim)
            }
            None => self.fail("comment ends before closing delimiter"),
        }
    }

    /// Up to its end; says whether the text after it is trimmed.
    fn action(&mut self) -> Result<bool, Error> {
        let mut open = 0_usize;
        loop {
            if let Some((length, trim)) = self.right() {
                if open > 0 {
                    return self.fail("unclosed left paren");
                }
                self.push(
                    Kind::Right,
                    self.at + length - RIGHT.len(),
                    self.at + length,
                );
                self.at += length;
                return Ok(trim);
            }
            let Some(next) = self.peek() else {
                return self.fail("unclosed action");
            };
            match next {
                '(' => open += 1,
                ')' if open == 0 => return self.fail("unexpected right paren"),
                ')' => open -= 1,
                _ => {}
            }
            self.word(next)?;
        }
    }

    /// One token inside of an action.
    fn word(&mut self, first: char) -> Result<(), Error> {
        let from = self.at;
        match first {
            c if is_space(c) => {
                // The space of a trim marker is the marker's.
                while self.peek().is_some_and(is_space) && self.right().is_none() {
                    self.at += 1;
                }
                self.push(Kind::Space, from, self.at);
            }
            ':' if self.rest().starts_with(":=") => self.sign(Kind::Declare, 2),
            ':' => return self.fail("expected :="),
            '=' => self.sign(Kind::Assign, 1),
            '|' => self.sign(Kind::Pipe, 1),
            '(' => self.sign(Kind::LeftParen, 1),
            ')' => self.sign(Kind::RightParen, 1),
            '"' => self.quoted('"', Kind::Quoted, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Character, "unterminated character constant")?,
            '`' => self.raw()?,
            '$' => self.name(Kind::Variable)?,
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.name(Kind::Field)?;
            }
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            c if is_word(c) => self.identifier()?,
            c if c.is_ascii_graphic() => self.sign(Kind::Sign, 1),
            c => return self.fail(format!("unrecognized character in action: {}", unicode(c))),
        }
        Ok(())
    }

    fn sign(&mut self, kind: Kind, length: usize) {
        self.push(kind, self.at, self.at + length);
        self.at += length;
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), Error> {
        let from = self.at;
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at = from + at + 1;
                self.push(kind, from, self.at);
                return Ok(());
            }
            let ended = match c {
                '\\' => chars.next().is_none_or(|(_, escaped)| escaped == '\n'),
                c => c == '\n',
            };
            if ended {
                break;
            }
        }
        self.fail(unterminated)
    }

    fn raw(&mut self) -> Result<(), Error> {
        let from = self.at;
        let Some(end) = self.rest()[1..].find('`') else {
            return self.fail("unterminated raw quoted string");
        };
        self.at += end + 2;
        self.push(Kind::Raw, from, self.at);
        Ok(())
    }

    /// `.name`, `$name`, or the sign alone.
    fn name(&mut self, kind: Kind) -> Result<(), Error> {
        let from = self.at;
        self.at += 1;
        let alone = self.is_terminated();
        let to = self.skip(is_word);
        if !alone && !self.is_terminated() {
            return self.bad_character();
        }
        let kind = if alone && kind == Kind::Field {
            Kind::Dot
        } else {
            kind
        };
        self.push(kind, from, to);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), Error> {
        let from = self.at;
        let to = self.skip(is_word);
        if !self.is_terminated() {
            return self.bad_character();
        }
        let kind = match &self.text[from..to] {
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            _ => Kind::Identifier,
        };
        self.push(kind, from, to);
        Ok(())
    }

    /// Whether a name may end here.
    fn is_terminated(&self) -> bool {
        let sign = |c: char| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | '(' | ')');
        self.peek().is_none_or(sign) || self.rest().starts_with(RIGHT)
    }

    fn bad_character(&self) -> Result<(), Error> {
        let c = self.peek().unwrap_or('\0');
        self.fail(format!("bad character {}", unicode(c)))
    }

    fn number(&mut self) -> Result<(), Error> {
        let from = self.at;
        if matches!(self.peek(), Some('+' | '-')) {
            self.at += 1;
        }
        let (prefix, digits) = match self.rest().get(..2) {
            Some("0x" | "0X") => (2, "0123456789abcdefABCDEF_"),
            Some("0o" | "0O") => (2, "01234567_"),
            Some("0b" | "0B") => (2, "01_"),
            _ => (0, "0123456789_"),
        };
        self.at += prefix;
        self.skip(|c| digits.contains(c));
        if self.peek() == Some('.') {
            self.at += 1;
            self.skip(|c| digits.contains(c));
        }
        if prefix == 0 && matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            self.skip(|c| c.is_ascii_digit() || c == '_');
        }
        if let Some(next) = self.peek().filter(|c| is_word(*c)) {
            let text = &self.text[from..self.at + next.len_utf8()];
            return self.fail(format!("bad number syntax: {text:?}"));
        }
        self.push(Kind::Number, from, self.at);
        Ok(())
    }
}

/// `U+007D '}'`
fn unicode(c: char) -> String {
    let shown = if c.is_control() {
        String::new()
    } else {
        format!(" '{c}'")
    };
    format!("U+{:04X}{shown}", u32::from(c))
}
