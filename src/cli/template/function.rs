//! The functions by name, what they take, and how a call goes wrong.

use super::{compare, docker, element, escape, value::Value, verb};

/// No function makes a longer text.
pub(super) const MAX_TEXT: usize = 8 << 20;

/// Why a call gives no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// Too few arguments, or too many.
    Count(String),
    /// The argument of this number is of another type.
    Argument(usize, Mismatch),
    /// What the function says.
    Call(String),
}

/// Names of types, as Go calls them; a constant is asked for in plainer words.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) wanted: &'static str,
    pub(super) got: &'static str,
}

/// What a function says of its arguments.
pub(super) type Called<'d> = Result<Value<'d>, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Text,
    Int,
    List,
}

impl Kind {
    fn wanted(self) -> &'static str {
        match self {
            Kind::Any => "any",
            Kind::Text => "string",
            Kind::Int => "integer",
            Kind::List => "[]string",
        }
    }

    fn fits(self, value: &Value<'_>) -> bool {
        match self {
            Kind::Any => true,
            Kind::Text => matches!(value, Value::Text(_)),
            Kind::Int => matches!(value, Value::Int(_)),
            Kind::List => value.items().is_some(),
        }
    }
}

struct Function {
    name: &'static str,
    takes: &'static [Kind],
    /// Further ones of any type.
    more: bool,
    call: for<'d> fn(&[Value<'d>]) -> Called<'d>,
}

const fn exact(
    name: &'static str,
    takes: &'static [Kind],
    call: for<'d> fn(&[Value<'d>]) -> Called<'d>,
) -> Function {
    let more = false;
    Function {
        name,
        takes,
        more,
        call,
    }
}

const fn open(
    name: &'static str,
    takes: &'static [Kind],
    call: for<'d> fn(&[Value<'d>]) -> Called<'d>,
) -> Function {
    let more = true;
    Function {
        name,
        takes,
        more,
        call,
    }
}

const ANY: &[Kind] = &[Kind::Any];
const TWO: &[Kind] = &[Kind::Any, Kind::Any];
const TEXT: &[Kind] = &[Kind::Text];

/// `and` and `or` are here for their names: they do not get all their arguments.
const FUNCTIONS: [Function; 27] = [
    open("and", ANY, |values| Ok(values[0].clone())),
    open("or", ANY, |values| Ok(values[0].clone())),
    exact("not", ANY, |values| Ok(Value::Bool(!values[0].is_true()))),
    open("eq", ANY, compare::equal),
    exact("ne", TWO, compare::unequal),
    exact("lt", TWO, |values| compare::order(values, &[-1])),
    exact("le", TWO, |values| compare::order(values, &[-1, 0])),
    exact("gt", TWO, |values| compare::order(values, &[1])),
    exact("ge", TWO, |values| compare::order(values, &[1, 0])),
    exact("len", ANY, element::length),
    open("index", ANY, element::index),
    open("slice", ANY, element::slice),
    open("print", &[], verb::sprint),
    open("println", &[], verb::sprintln),
    open("printf", TEXT, verb::sprintf),
    open("html", &[], escape::html),
    open("js", &[], escape::js),
    open("urlquery", &[], escape::urlquery),
    open("call", ANY, |values| {
        let found = values[0].type_name();
        Err(format!("non-function of type {found}"))
    }),
    exact("json", ANY, |values| Ok(docker::json(values))),
    exact("split", &[Kind::Text, Kind::Text], docker::split),
    exact("join", &[Kind::List, Kind::Text], docker::join),
    exact("lower", TEXT, |values| Ok(docker::lower(values))),
    exact("upper", TEXT, |values| Ok(docker::upper(values))),
    exact("title", TEXT, |values| Ok(docker::title(values))),
    exact("pad", &[Kind::Text, Kind::Int, Kind::Int], docker::pad),
    exact("truncate", &[Kind::Text, Kind::Int], docker::truncate),
];

fn find(name: &str) -> Option<&'static Function> {
    static TABLE: [Function; 27] = FUNCTIONS;
    TABLE.iter().find(|function| function.name == name)
}

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// Whether its argument of this number is an integer.
pub(super) fn wants_int(name: &str, number: usize) -> bool {
    find(name).is_some_and(|function| function.takes.get(number) == Some(&Kind::Int))
}

/// Calls it; `header` leaves the header of a column as it is, whatever becomes of the cells.
pub(super) fn call<'d>(name: &str, values: &[Value<'d>], header: bool) -> Result<Value<'d>, Fault> {
    let Some(function) = find(name) else {
        return Err(Fault::Call(format!("{name} is not a function")));
    };
    let (least, given) = (function.takes.len(), values.len());
    if given < least || (given > least && !function.more) {
        let at_least = if function.more { "at least " } else { "" };
        return Err(Fault::Count(format!(
            "wrong number of args for {name}: want {at_least}{least} got {given}"
        )));
    }
    if header && docker::NAMES.contains(&name) {
        return Ok(values[0].clone());
    }
    for (number, (kind, value)) in function.takes.iter().zip(values).enumerate() {
        if !kind.fits(value) {
            let (wanted, got) = (kind.wanted(), value.type_name());
            return Err(Fault::Argument(number, Mismatch { wanted, got }));
        }
    }
    (function.call)(values).map_err(Fault::Call)
}

/// What keeping a value costs.
pub(super) fn size(value: &Value<'_>) -> usize {
    let items = value.items().map_or(0, |items| items.len() * 64);
    value.as_text().map_or(0, str::len) + items + 64
}

/// The refusal to make a longer text.
pub(super) fn bounded(length: usize) -> Result<(), String> {
    if length > MAX_TEXT {
        return Err("the text becomes too long".to_owned());
    }
    Ok(())
}
