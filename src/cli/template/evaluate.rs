//! Goes through a template's tree and prints.

use std::fmt::Display;

use super::{
    Error,
    error::place,
    parser::Parsed,
    syntax::{Branch, Invocation, Node, Pipe},
    value::Value,
    verb,
};
use crate::cli::text::printable;

/// Levels of lists, templates and parentheses, all together.
const MAX_DEPTH: usize = 250;
/// Steps and bytes made, all together.
const MAX_WORK: usize = 64 << 20;
/// What a step costs in bytes.
pub(super) const STEP: usize = 64;

/// What else is wanted of an application.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// The data are headers of columns: Docker's functions leave them as they are.
    pub(super) header: bool,
    /// Values must not drive a terminal.
    pub(super) for_terminal: bool,
}

/// One application of a template.
pub(super) struct Run<'t, 'd> {
    text: &'t str,
    parsed: &'t Parsed,
    data: Value<'d>,
    pub(super) options: Options,
    out: String,
    pub(super) variables: Vec<(&'t str, Value<'d>)>,
    /// The template that is at work.
    name: &'t str,
    pub(super) depth: usize,
    work: usize,
}

/// What a list ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A value or the error that ends it all.
pub(super) type Evaluated<'d> = Result<Value<'d>, Error>;

impl<'t, 'd> Run<'t, 'd> {
    pub(super) fn new(text: &'t str, parsed: &'t Parsed, data: Value<'d>) -> Self {
        Self {
            text,
            parsed,
            variables: vec![("$", data.clone())],
            data,
            options: Options::default(),
            out: String::new(),
            name: "",
            depth: 0,
            work: 0,
        }
    }

    /// With the headers of columns as they are, or with values that are no harm to a terminal.
    pub(super) fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }

    pub(super) fn finish(mut self) -> Result<String, Error> {
        let data = self.data.clone();
        self.list(&self.parsed.main, &data)?;
        Ok(self.out)
    }

    pub(super) fn fail(&self, at: usize, context: &dyn Display, why: impl Into<String>) -> Error {
        Error::Execute {
            place: place(self.text, at),
            name: self.name.to_owned(),
            context: context.to_string(),
            why: why.into(),
            hint: None,
        }
    }

    /// Notes that something was done; too much of it is an error.
    pub(super) fn spend(
        &mut self,
        work: usize,
        at: usize,
        context: &dyn Display,
    ) -> Result<(), Error> {
        self.work = self.work.saturating_add(work);
        if self.work <= MAX_WORK {
            return Ok(());
        }
        Err(self.fail(at, context, "the template makes too much"))
    }

    fn list(&mut self, list: &'t [Node], dot: &Value<'d>) -> Result<Flow, Error> {
        for node in list {
            let flow = match node {
                Node::Text(text) => {
                    self.spend(text.len() + STEP, 0, &"text")?;
                    self.out.push_str(text);
                    Flow::Next
                }
                Node::Action(pipe) => self.action(pipe, dot)?,
                Node::If(branch) => self.choice(branch, dot, false)?,
                Node::With(branch) => self.choice(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Template(invocation) => self.template(invocation, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, pipe: &'t Pipe, dot: &Value<'d>) -> Result<Flow, Error> {
        let value = self.pipe(pipe, dot)?;
        // A declaration prints nothing.
        if pipe.declared.is_empty() {
            let text = verb::printed(&value);
            self.spend(text.len(), pipe.at, pipe)?;
            self.out.push_str(&if self.options.for_terminal {
                harmless(&text)
            } else {
                text
            });
        }
        Ok(Flow::Next)
    }

    /// A list one level deeper, with its own variables.
    fn block(&mut self, list: &'t [Node], dot: &Value<'d>, pipe: &Pipe) -> Result<Flow, Error> {
        self.enter(pipe.at, pipe)?;
        let outer = self.variables.len();
        let flow = self.list(list, dot)?;
        self.variables.truncate(outer);
        self.depth -= 1;
        Ok(flow)
    }

    pub(super) fn enter(&mut self, at: usize, context: &dyn Display) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            let why = format!("exceeded maximum template depth ({MAX_DEPTH})");
            return Err(self.fail(at, context, why));
        }
        self.depth += 1;
        Ok(())
    }

    fn choice(&mut self, branch: &'t Branch, dot: &Value<'d>, with: bool) -> Result<Flow, Error> {
        let outer = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let pipe = &branch.pipe;
        let flow = if value.is_true() {
            self.block(&branch.then, if with { &value } else { dot }, pipe)?
        } else {
            self.block(&branch.otherwise, dot, pipe)?
        };
        self.variables.truncate(outer);
        Ok(flow)
    }

    fn range(&mut self, branch: &'t Branch, dot: &Value<'d>) -> Result<Flow, Error> {
        let outer = self.variables.len();
        let pipe = &branch.pipe;
        let value = self.commands(pipe, dot)?;
        let done = self.iterate(branch, &value)?;
        let flow = if done {
            Flow::Next
        } else {
            self.declare(pipe, &value);
            self.block(&branch.otherwise, dot, pipe)?
        };
        self.variables.truncate(outer);
        Ok(flow)
    }

    /// Whether there was anything.
    fn iterate(&mut self, branch: &'t Branch, value: &Value<'d>) -> Result<bool, Error> {
        let pipe = &branch.pipe;
        let mut any = false;
        match value {
            Value::Int(_) if pipe.declared.len() > 1 => {
                let why = format!(
                    "can't use {} to iterate over more than one variable",
                    verb::shown(value)
                );
                return Err(self.fail(pipe.at, pipe, why));
            }
            Value::Int(count) => {
                for number in 0..*count {
                    any = true;
                    let number = Value::Int(number);
                    if self.turn(branch, number.clone(), &number)? == Flow::Break {
                        break;
                    }
                }
            }
            Value::List(list) => {
                for (number, item) in (0..).zip(list.iter()) {
                    any = true;
                    if self.turn(branch, Value::Int(number), item)? == Flow::Break {
                        break;
                    }
                }
            }
            Value::Object(object) if object.is_map => {
                for (key, item) in object.entries() {
                    any = true;
                    if self.turn(branch, Value::text(key), &item)? == Flow::Break {
                        break;
                    }
                }
            }
            Value::Absent | Value::NilList | Value::NilMap => {}
            Value::Nil
            | Value::Bool(_)
            | Value::Float(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Object(_)
            | Value::Row(_) => {
                let why = format!("range can't iterate over {}", verb::shown(value));
                return Err(self.fail(pipe.at, pipe, why));
            }
        }
        Ok(any)
    }

    fn turn(
        &mut self,
        branch: &'t Branch,
        key: Value<'d>,
        item: &Value<'d>,
    ) -> Result<Flow, Error> {
        let pipe = &branch.pipe;
        self.spend(STEP, pipe.at, pipe)?;
        let outer = self.variables.len();
        let (first, second) = (pipe.declared.first(), pipe.declared.get(1));
        match (first, second) {
            (Some(first), Some(second)) => {
                self.set(pipe, first, key);
                self.set(pipe, second, item.clone());
            }
            (Some(only), None) => self.set(pipe, only, item.clone()),
            (None, _) => {}
        }
        let flow = self.block(&branch.then, item, pipe)?;
        self.variables.truncate(outer);
        Ok(flow)
    }

    fn set(&mut self, pipe: &Pipe, name: &'t str, value: Value<'d>) {
        let mut known = self.variables.iter_mut().rev();
        match known.find(|(known, _)| pipe.assigns && *known == name) {
            Some((_, variable)) => *variable = value,
            None => self.variables.push((name, value)),
        }
    }

    fn declare(&mut self, pipe: &'t Pipe, value: &Value<'d>) {
        for name in &pipe.declared {
            self.set(pipe, name, value.clone());
        }
    }

    fn template(&mut self, call: &'t Invocation, dot: &Value<'d>) -> Result<Flow, Error> {
        let Some((name, list)) = self.parsed.named.get_key_value(&call.name) else {
            let why = format!("template {:?} not defined", call.name);
            return Err(self.fail(call.at, call, why));
        };
        let value = match &call.pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Absent,
        };
        self.spend(STEP, call.at, call)?;
        self.enter(call.at, call)?;
        let outer = std::mem::replace(&mut self.variables, vec![("$", value.clone())]);
        let caller = std::mem::replace(&mut self.name, name);
        self.list(list, &value)?;
        self.depth -= 1;
        self.name = caller;
        self.variables = outer;
        Ok(Flow::Next)
    }

    pub(super) fn pipe(&mut self, pipe: &'t Pipe, dot: &Value<'d>) -> Evaluated<'d> {
        let value = self.commands(pipe, dot)?;
        self.declare(pipe, &value);
        Ok(value)
    }
}

/// Lines and columns are no harm.
fn harmless(text: &str) -> String {
    let lines = text.split('\n').map(printable);
    lines.collect::<Vec<_>>().join("\n")
}
