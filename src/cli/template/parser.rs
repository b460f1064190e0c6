//! Tokens to a tree, by the grammar of Go's text/template.

use std::collections::BTreeMap;

use super::{
    Error,
    lexer::{Kind, Token, tokens},
    literal,
    syntax::{Branch, Invocation, List, Node},
};

/// Deeper than any template that a person writes, and shallow enough for any stack.
const MAX_DEPTH: usize = 100;

/// What a text defines: the template itself and those that it names.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) main: List,
    pub(super) named: BTreeMap<String, List>,
}

pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    let (tokens, error) = tokens(text);
    let mut parser = Parser {
        text,
        tokens,
        next: 0,
        error,
        variables: vec!["$".to_owned()],
        named: BTreeMap::new(),
        ranges: 0,
        depth: 0,
    };
    let main = parser.top()?;
    Ok(Parsed {
        main,
        named: parser.named,
    })
}

pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    pub(super) next: usize,
    /// What comes instead of the last token.
    error: Option<Error>,
    pub(super) variables: Vec<String>,
    named: BTreeMap<String, List>,
    /// How many loops are open.
    ranges: usize,
    depth: usize,
}

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Else,
}

impl Stop {
    fn shown(self) -> &'static str {
        match self {
            Stop::End => "{{end}}",
            Stop::Else => "{{else}}",
        }
    }
}

/// What an action is.
enum Item {
    Node(Node),
    Stop(Stop),
}

impl Parser<'_> {
    pub(super) fn fail<T>(&self, why: impl Into<String>) -> Result<T, Error> {
        let at = self.next.saturating_sub(1).min(self.tokens.len() - 1);
        Err(Error::parse(self.text, self.tokens[at].at, why))
    }

    pub(super) fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, Error> {
        self.fail(format!("unexpected {} in {context}", token.shown()))
    }

    /// The next token; what the lexer found wrong is told when it is reached.
    pub(super) fn peek(&mut self) -> Result<Token, Error> {
        let last = self.tokens.len() - 1;
        let token = &self.tokens[self.next.min(last)];
        if token.kind == Kind::End
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        Ok(token.clone())
    }

    pub(super) fn take(&mut self) -> Result<Token, Error> {
        let token = self.peek()?;
        self.next += 1;
        Ok(token)
    }

    pub(super) fn skip_space(&mut self) -> Result<(), Error> {
        while self.peek()?.kind == Kind::Space {
            self.next += 1;
        }
        Ok(())
    }

    pub(super) fn peek_word(&mut self) -> Result<Token, Error> {
        self.skip_space()?;
        self.peek()
    }

    pub(super) fn take_word(&mut self) -> Result<Token, Error> {
        self.skip_space()?;
        self.take()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, Error> {
        let token = self.take_word()?;
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(&token, context)
    }

    /// Does something one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return self.fail(format!("nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn top(&mut self) -> Result<List, Error> {
        let mut list = List::new();
        while self.peek()?.kind != Kind::End {
            if self.defines() {
                self.definition()?;
                continue;
            }
            match self.item()? {
                Item::Node(node) => list.push(node),
                Item::Stop(stop) => return self.fail(format!("unexpected {}", stop.shown())),
            }
        }
        Ok(list)
    }

    /// Whether `{{define` follows, which is taken; definitions stand at the top only.
    fn defines(&mut self) -> bool {
        let ahead = self.tokens[self.next..].iter();
        let mut words = ahead.filter(|token| token.kind != Kind::Space);
        let left = words.next().is_some_and(|token| token.kind == Kind::Left);
        let is_define = |token: &Token| token.kind == Kind::Keyword && token.text == "define";
        if !left || !words.next().is_some_and(is_define) {
            return false;
        }
        while !is_define(&self.tokens[self.next]) {
            self.next += 1;
        }
        self.next += 1;
        true
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        let name = self.template_name(context)?;
        self.expect(Kind::Right, context)?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let (list, stop) = self.list()?;
        self.variables = outer;
        if stop != Stop::End {
            return self.fail(format!("unexpected {} in {context}", stop.shown()));
        }
        self.named.insert(name, list);
        Ok(())
    }

    fn template_name(&mut self, context: &str) -> Result<String, Error> {
        let token = self.take_word()?;
        match self.constant(&token)? {
            Some(name) => Ok(name),
            None => self.unexpected(&token, context),
        }
    }

    /// What a quoted token means.
    pub(super) fn constant(&self, token: &Token) -> Result<Option<String>, Error> {
        if token.kind == Kind::Raw {
            return Ok(Some(token.text.trim_matches('`').to_owned()));
        }
        if token.kind != Kind::Quoted {
            return Ok(None);
        }
        match literal::text(&token.text) {
            Some(text) => Ok(Some(text)),
            None => self.fail("invalid syntax"),
        }
    }

    /// Up to `end` or `else`.
    fn list(&mut self) -> Result<(List, Stop), Error> {
        self.deeper(|parser| {
            let mut list = List::new();
            while parser.peek()?.kind != Kind::End {
                match parser.item()? {
                    Item::Node(node) => list.push(node),
                    Item::Stop(stop) => return Ok((list, stop)),
                }
            }
            parser.fail("unexpected EOF")
        })
    }

    fn item(&mut self) -> Result<Item, Error> {
        let token = self.take_word()?;
        if token.kind == Kind::Text {
            return Ok(Item::Node(Node::Text(token.text)));
        }
        if token.kind == Kind::Left {
            return self.action();
        }
        self.unexpected(&token, "input")
    }

    fn action(&mut self) -> Result<Item, Error> {
        let word = self.peek_word()?;
        if word.kind != Kind::Keyword || word.text == "define" {
            let pipe = self.pipeline("command", Kind::Right)?;
            return Ok(Item::Node(Node::Action(pipe)));
        }
        self.next += 1;
        Ok(Item::Node(match word.text.as_str() {
            "end" => {
                self.expect(Kind::Right, "end")?;
                return Ok(Item::Stop(Stop::End));
            }
            "else" => {
                self.before_else()?;
                return Ok(Item::Stop(Stop::Else));
            }
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "template" => Node::Template(self.template(&word)?),
            "block" => Node::Template(self.block(&word)?),
            jump => {
                self.expect(Kind::Right, &format!("{{{{{jump}}}}}"))?;
                if self.ranges == 0 {
                    return self.fail(format!("{{{{{jump}}}}} outside {{{{range}}}}"));
                }
                if jump == "break" {
                    Node::Break
                } else {
                    Node::Continue
                }
            }
        }))
    }

    /// After `else` comes the end of the action, or `if` or `with`, which are left for the branch.
    fn before_else(&mut self) -> Result<(), Error> {
        let word = self.peek_word()?;
        let goes_on = word.kind == Kind::Keyword && matches!(word.text.as_str(), "if" | "with");
        if !goes_on {
            self.expect(Kind::Right, "else")?;
        }
        Ok(())
    }

    fn branch(&mut self, context: &str) -> Result<Branch, Error> {
        let outer = self.variables.len();
        let pipe = self.pipeline(context, Kind::Right)?;
        let loops = usize::from(context == "range");
        self.ranges += loops;
        let (then, stop) = self.list()?;
        self.ranges -= loops;
        let otherwise = if stop == Stop::Else {
            self.otherwise(context)?
        } else {
            List::new()
        };
        self.variables.truncate(outer);
        Ok(Branch {
            pipe,
            then,
            otherwise,
        })
    }

    fn otherwise(&mut self, context: &str) -> Result<List, Error> {
        let word = self.peek()?;
        if word.kind == Kind::Keyword && matches!(word.text.as_str(), "if" | "with") {
            if word.text != context {
                return self.fail(format!("unexpected <{}> in else", word.text));
            }
            self.next += 1;
            let branch = self.deeper(|parser| parser.branch(context))?;
            return Ok(vec![if context == "if" {
                Node::If(branch)
            } else {
                Node::With(branch)
            }]);
        }
        let (list, stop) = self.list()?;
        if stop == Stop::End {
            return Ok(list);
        }
        self.fail("expected end; found {{else}}")
    }

    fn template(&mut self, word: &Token) -> Result<Invocation, Error> {
        let context = "template clause";
        let at = self.peek_word()?.at;
        let name = self.template_name(context)?;
        let pipe = if self.peek_word()?.kind == Kind::Right {
            self.next += 1;
            None
        } else {
            Some(self.pipeline(context, Kind::Right)?)
        };
        let at = at.max(word.at);
        Ok(Invocation { at, name, pipe })
    }

    fn block(&mut self, word: &Token) -> Result<Invocation, Error> {
        let context = "block clause";
        let name = self.template_name(context)?;
        let pipe = self.pipeline(context, Kind::Right)?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let (list, stop) = self.list()?;
        self.variables = outer;
        if stop != Stop::End {
            return self.fail(format!("unexpected {} in {context}", stop.shown()));
        }
        self.named.insert(name.clone(), list);
        let (at, pipe) = (word.at, Some(pipe));
        Ok(Invocation { at, name, pipe })
    }
}
