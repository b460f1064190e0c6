//! A template's tree, and how messages print parts of it.

use std::fmt::{self, Display, Formatter};

pub(super) type List = Vec<Node>;

/// What stands in a list.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// A pipeline whose value is printed.
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    /// `{{template "name" pipeline}}`
    Template(Invocation),
    Break,
    Continue,
}

/// `if`, `with` and `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: List,
    pub(super) otherwise: List,
}

#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) pipe: Option<Pipe>,
}

/// Commands, each getting the value of the one before.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) at: usize,
    pub(super) declared: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: usize,
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) term: Term,
}

#[derive(Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number {
        text: String,
        value: Number,
    },
    Text {
        quoted: String,
        value: String,
    },
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`; `$` is a name, too.
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// `(pipeline).A.B`
    Chain(Box<Operand>, Vec<String>),
}

/// A literal; one without a fraction can be an integer, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    /// `None` where it is no integer, or too large for one.
    pub(super) int: Option<i64>,
    pub(super) float: f64,
    /// Written with a point or an exponent.
    pub(super) is_float: bool,
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.declared.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.declared.join(", "))?;
        }
        for (number, command) in self.commands.iter().enumerate() {
            let bar = if number > 0 { " | " } else { "" };
            write!(f, "{bar}{command}")?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, operand) in self.operands.iter().enumerate() {
            let space = if number > 0 { " " } else { "" };
            write!(f, "{space}{operand}")?;
        }
        Ok(())
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Number { text, .. } | Term::Text { quoted: text, .. } => f.write_str(text),
            Term::Function(name) => f.write_str(name),
            Term::Field(names) => write!(f, ".{}", names.join(".")),
            Term::Pipe(pipe) => write!(f, "({pipe})"),
            Term::Variable(name, names) => write_chain(f, name, names),
            Term::Chain(operand, names) => write_chain(f, operand, names),
        }
    }
}

fn write_chain(f: &mut Formatter<'_>, start: &dyn Display, names: &[String]) -> fmt::Result {
    write!(f, "{start}")?;
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}

impl Display for Invocation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {:?}", self.name)?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}
