//! Pipelines, commands and operands out of tokens.

use super::{
    Error, function,
    lexer::{Kind, Token},
    literal,
    parser::Parser,
    syntax::{Command, Number, Operand, Pipe, Term},
};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        self.deeper(|parser| parser.pipeline_here(context, end))
    }

    fn pipeline_here(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let at = self.peek_word()?.at;
        let (declared, assigns) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.take_word()?;
            if token.kind == end {
                break;
            }
            if !token.is_operand() {
                return self.unexpected(&token, context);
            }
            self.next -= 1;
            commands.push(self.command()?);
        }
        self.check_stages(&commands, context)?;
        Ok(Pipe {
            at,
            declared,
            assigns,
            commands,
        })
    }

    fn check_stages(&self, commands: &[Command], context: &str) -> Result<(), Error> {
        if commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (number, command) in commands.iter().enumerate().skip(1) {
            let fixed = matches!(
                command.operands.first().map(|operand| &operand.term),
                Some(
                    Term::Bool(_) | Term::Dot | Term::Nil | Term::Number { .. } | Term::Text { .. }
                )
            );
            if fixed {
                let stage = number + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, `$i, $v :=`.
    fn declarations(&mut self, context: &str) -> Result<(Vec<String>, bool), Error> {
        let mut names = Vec::new();
        loop {
            let start = self.next;
            let variable = self.peek_word()?;
            if variable.kind != Kind::Variable {
                if names.is_empty() || matches!(variable.kind, Kind::Right | Kind::RightParen) {
                    return Ok((names, false));
                }
                return self.fail("range can only initialize variables");
            }
            self.next += 1;
            let sign = self.peek_word()?;
            if matches!(sign.kind, Kind::Declare | Kind::Assign) {
                self.next += 1;
                names.push(variable.text);
                return self.declare(names, sign.kind == Kind::Assign);
            }
            if sign.text != "," {
                self.next = start;
                return Ok((names, false));
            }
            self.next += 1;
            names.push(variable.text);
            if context != "range" || names.len() > 1 {
                return self.fail(format!("too many declarations in {context}"));
            }
        }
    }

    fn declare(&mut self, names: Vec<String>, assigns: bool) -> Result<(Vec<String>, bool), Error> {
        if assigns {
            names
                .iter()
                .try_for_each(|name| self.check_variable(name))?;
        } else {
            self.variables.extend(names.iter().cloned());
        }
        Ok((names, assigns))
    }

    fn check_variable(&self, name: &String) -> Result<(), Error> {
        if self.variables.contains(name) {
            return Ok(());
        }
        self.fail(format!("undefined variable {name:?}"))
    }

    fn command(&mut self) -> Result<Command, Error> {
        let at = self.peek_word()?.at;
        let mut operands = Vec::new();
        loop {
            self.skip_space()?;
            operands.extend(self.operand()?);
            let token = self.take()?;
            if token.kind == Kind::Pipe {
                break;
            }
            if matches!(token.kind, Kind::Right | Kind::RightParen) {
                self.next -= 1;
                break;
            }
            if token.kind != Kind::Space {
                return self.unexpected(&token, "operand");
            }
        }
        if operands.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { at, operands })
    }

    /// A term and the fields after it.
    fn operand(&mut self) -> Result<Option<Operand>, Error> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let at = self.peek()?.at;
        let mut names = Vec::new();
        while self.peek()?.kind == Kind::Field {
            names.push(self.take()?.text[1..].to_owned());
        }
        if names.is_empty() {
            return Ok(Some(operand));
        }
        let term = match operand.term {
            Term::Field(mut first) => {
                first.append(&mut names);
                Term::Field(first)
            }
            Term::Variable(name, _) => Term::Variable(name, names),
            Term::Bool(_) | Term::Text { .. } | Term::Number { .. } | Term::Nil | Term::Dot => {
                let shown = operand.to_string();
                return self.fail(format!("unexpected . after term {shown:?}"));
            }
            Term::Function(_) | Term::Pipe(_) | Term::Chain(..) => {
                Term::Chain(Box::new(operand), names)
            }
        };
        Ok(Some(Operand { at, term }))
    }

    fn term(&mut self) -> Result<Option<Operand>, Error> {
        let token = self.peek_word()?;
        if !token.is_operand() {
            return Ok(None);
        }
        self.next += 1;
        let at = token.at;
        let term = if let Some(value) = self.constant(&token)? {
            let quoted = token.text;
            Term::Text { quoted, value }
        } else if let Some(value) = self.number(&token)? {
            let text = token.text;
            Term::Number { text, value }
        } else if token.kind == Kind::LeftParen {
            let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
            Term::Pipe(Box::new(pipe))
        } else {
            self.named_term(token.kind, token.text)?
        };
        Ok(Some(Operand { at, term }))
    }

    /// Field, variable, function, or a word for a value.
    fn named_term(&self, kind: Kind, text: String) -> Result<Term, Error> {
        if kind == Kind::Identifier {
            if !function::exists(&text) {
                return self.fail(format!("function {text:?} not defined"));
            }
            return Ok(Term::Function(text));
        }
        if kind == Kind::Variable {
            self.check_variable(&text)?;
            return Ok(Term::Variable(text, Vec::new()));
        }
        Ok(match text.as_str() {
            "." => Term::Dot,
            "nil" => Term::Nil,
            "true" => Term::Bool(true),
            "false" => Term::Bool(false),
            field => Term::Field(vec![field[1..].to_owned()]),
        })
    }

    fn number(&self, token: &Token) -> Result<Option<Number>, Error> {
        let text = &token.text;
        let (number, what) = if token.kind == Kind::Number {
            let what = format!("illegal number syntax: {text:?}");
            (literal::number(text), what)
        } else if token.kind == Kind::Character {
            let what = format!("malformed character constant: {text}");
            (literal::character(text), what)
        } else {
            return Ok(None);
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => self.fail(what),
        }
    }
}
