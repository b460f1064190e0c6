//! Commands and operands: from a pipeline to its value.

use super::{
    Error,
    evaluate::{Evaluated, Run, STEP},
    function::{self, Fault},
    syntax::{Command, Operand, Pipe, Term},
    value::{Value, View},
};

impl<'t, 'd> Run<'t, 'd> {
    pub(super) fn commands(&mut self, pipe: &'t Pipe, dot: &Value<'d>) -> Evaluated<'d> {
        self.enter(pipe.at, pipe)?;
        let mut value = None;
        for command in &pipe.commands {
            self.spend(STEP, command.at, command)?;
            value = Some(self.command(command, dot, value)?);
        }
        self.depth -= 1;
        Ok(value.unwrap_or(Value::Absent))
    }

    /// `last` is the value of the command before.
    fn command(
        &mut self,
        command: &'t Command,
        dot: &Value<'d>,
        last: Option<Value<'d>>,
    ) -> Evaluated<'d> {
        let first = &command.operands[0];
        if let Term::Function(name) = &first.term {
            return self.function(name, command, dot, last);
        }
        if matches!(first.term, Term::Nil) {
            return Err(self.fail(first.at, first, "nil is not a command"));
        }
        if command.operands.len() == 1 && last.is_none() {
            return self.operand(first, dot);
        }
        self.method(command, dot, last)
    }

    fn operand(&mut self, operand: &'t Operand, dot: &Value<'d>) -> Evaluated<'d> {
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::Nil),
            Term::Bool(value) => Ok(Value::Bool(*value)),
            Term::Text { value, .. } => Ok(Value::text(value.as_str())),
            Term::Number { text, value } => match value.int {
                Some(int) if !value.is_float => Ok(Value::Int(int)),
                None if !value.is_float => {
                    Err(self.fail(operand.at, operand, format!("{text} overflows int")))
                }
                _ => Ok(Value::Float(value.float)),
            },
            Term::Field(names) => self.fields(dot.clone(), names, operand),
            Term::Variable(name, names) => self.fields(self.variable(name), names, operand),
            Term::Function(name) => {
                let called = function::call(name, &[], self.options.header);
                called.map_err(|fault| {
                    let whole = (operand.at, operand.to_string());
                    self.fault(fault, name, operand, whole)
                })
            }
            Term::Pipe(pipe) => self.pipe(pipe, dot),
            Term::Chain(start, names) => {
                let value = self.operand(start, dot)?;
                self.fields(value, names, operand)
            }
        }
    }

    fn fields(&self, value: Value<'d>, names: &[String], operand: &Operand) -> Evaluated<'d> {
        let step = |value: Value<'d>, name: &String| self.field(&value, name, operand);
        names.iter().try_fold(value, step)
    }

    fn field(&self, value: &Value<'d>, name: &str, operand: &Operand) -> Evaluated<'d> {
        let (why, known) = match value {
            Value::Object(object) => match object.get(name) {
                Some(found) => return Ok(found),
                // The typed view forgives a key that a map lacks.
                None if object.is_map && object.view == View::Typed => {
                    return Ok(Value::Absent);
                }
                None => (
                    format!("map has no entry for key {name:?}"),
                    object.map.keys().map(String::as_str).collect(),
                ),
            },
            Value::Row(row) => match row.fields.get_key_value(name) {
                Some((name, found)) => return Ok(Value::of(found, name, View::Typed)),
                None if name == "Label" => {
                    let why = "wrong number of args for Label: want 1 got 0";
                    return Err(self.fail(operand.at, operand, why));
                }
                None => (
                    format!("can't evaluate field {name} in a row of this list"),
                    row.fields.keys().map(String::as_str).collect(),
                ),
            },
            Value::NilMap | Value::Absent => return Ok(Value::Absent),
            Value::Nil => (
                format!("nil pointer evaluating interface {{}}.{name}"),
                Vec::new(),
            ),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::NilList => (
                format!("can't evaluate field {name} in type {}", value.type_name()),
                Vec::new(),
            ),
        };
        Err(with_hint(self.fail(operand.at, operand, why), &known))
    }

    fn variable(&self, name: &str) -> Value<'d> {
        let mut known = self.variables.iter().rev();
        let found = known.find(|(known, _)| *known == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }

    /// `.Label "name"`: the one method that there is.
    fn method(
        &mut self,
        command: &'t Command,
        dot: &Value<'d>,
        last: Option<Value<'d>>,
    ) -> Evaluated<'d> {
        let (first, rest) = (&command.operands[0], &command.operands[1..]);
        let (start, names) = match &first.term {
            Term::Field(names) => (dot.clone(), names.as_slice()),
            Term::Variable(name, names) => (self.variable(name), names.as_slice()),
            Term::Dot
            | Term::Nil
            | Term::Bool(_)
            | Term::Number { .. }
            | Term::Text { .. }
            | Term::Function(_)
            | Term::Pipe(_)
            | Term::Chain(..) => (Value::Absent, [].as_slice()),
        };
        let Some((method, before)) = names.split_last() else {
            let why = format!("can't give argument to non-function {first}");
            return Err(self.fail(first.at, first, why));
        };
        let receiver = self.fields(start, before, first)?;
        let (Value::Row(row), "Label") = (&receiver, method.as_str()) else {
            self.field(&receiver, method, first)?;
            let why = format!("{method} is not a method but has arguments");
            return Err(self.fail(first.at, first, why));
        };
        let mut values = Vec::new();
        for operand in rest {
            values.push(self.operand(operand, dot)?);
        }
        values.extend(last);
        match values.as_slice() {
            [name] => match name.as_text() {
                Some(name) => Ok(Value::text(row.labels.get(name))),
                None => Err(self.fail(first.at, first, "Label takes a string")),
            },
            several => {
                let count = several.len();
                let why = format!("wrong number of args for Label: want 1 got {count}");
                Err(self.fail(first.at, first, why))
            }
        }
    }

    fn function(
        &mut self,
        name: &'t str,
        command: &'t Command,
        dot: &Value<'d>,
        last: Option<Value<'d>>,
    ) -> Evaluated<'d> {
        let (first, rest) = (&command.operands[0], &command.operands[1..]);
        if matches!(name, "and" | "or") {
            return self.logic(name == "or", (first, rest), dot, last);
        }
        let mut values = Vec::new();
        for operand in rest {
            let value = self.operand(operand, dot)?;
            values.push(fit(name, values.len(), operand, value));
        }
        values.extend(last);
        let called = function::call(name, &values, self.options.header);
        let value = called.map_err(|fault| {
            let argument = match &fault {
                Fault::Argument(number, _) => rest.get(*number),
                Fault::Count(_) | Fault::Call(_) => None,
            };
            let whole = (command.at, command.to_string());
            self.fault(fault, name, argument.unwrap_or(first), whole)
        })?;
        self.spend(function::size(&value), command.at, command)?;
        Ok(value)
    }

    fn fault(
        &self,
        fault: Fault,
        name: &str,
        operand: &Operand,
        (at, whole): (usize, String),
    ) -> Error {
        match fault {
            Fault::Call(why) => self.fail(at, &whole, format!("error calling {name}: {why}")),
            Fault::Argument(_, why) => {
                let constant = matches!(operand.term, Term::Number { .. } | Term::Text { .. });
                let found = if constant {
                    format!("expected {}; found {operand}", why.wanted)
                } else {
                    let (wanted, got) = (why.wanted, why.got);
                    format!("wrong type for value; expected {wanted}; got {got}")
                };
                self.fail(operand.at, operand, found)
            }
            Fault::Count(why) => self.fail(operand.at, operand, why),
        }
    }

    /// `and` and `or` stop where the answer is known.
    fn logic(
        &mut self,
        until: bool,
        (function, rest): (&'t Operand, &'t [Operand]),
        dot: &Value<'d>,
        last: Option<Value<'d>>,
    ) -> Evaluated<'d> {
        let mut value = None;
        for operand in rest {
            let found = self.operand(operand, dot)?;
            if found.is_true() == until {
                return Ok(found);
            }
            value = Some(found);
        }
        last.or(value).ok_or_else(|| {
            let why = format!("wrong number of args for {function}: want at least 1 got 0");
            self.fail(function.at, function, why)
        })
    }
}

/// A constant without a fraction is an integer where one is wanted.
fn fit<'d>(name: &str, number: usize, operand: &Operand, value: Value<'d>) -> Value<'d> {
    if let Term::Number { value: literal, .. } = &operand.term
        && let Some(int) = literal.int
        && function::wants_int(name, number)
    {
        return Value::Int(int);
    }
    value
}

/// Names what there is.
fn with_hint(error: Error, known: &[&str]) -> Error {
    let Error::Execute {
        place,
        name,
        context,
        why,
        ..
    } = error
    else {
        return error;
    };
    let hint = (!known.is_empty()).then(|| format!("there are: {}", known.join(", ")));
    Error::Execute {
        place,
        name,
        context,
        why,
        hint,
    }
}
