//! Go's printing: `print`, `println`, `printf`, and what an action prints.

use std::fmt::Write as _;

use super::{
    function::{Called, bounded},
    literal::{quote, quote_char},
    number::{self, Flags},
    value::{Object, Value},
};

/// What an action prints.
pub(super) fn printed(value: &Value<'_>) -> String {
    if matches!(value, Value::Absent) {
        return "<no value>".to_owned();
    }
    shown(value)
}

/// `%v`
pub(super) fn shown(value: &Value<'_>) -> String {
    format(value, 'v', Flags::default())
}

/// Operands with spaces between those that are no texts.
pub(super) fn joined(values: &[Value<'_>]) -> Result<String, String> {
    let mut out = String::new();
    for (number, value) in values.iter().enumerate() {
        let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if number > 0 && !is_text(value) && !is_text(&values[number - 1]) {
            out.push(' ');
        }
        out.push_str(&shown(value));
        bounded(out.len())?;
    }
    Ok(out)
}

pub(super) fn sprint<'d>(values: &[Value<'d>]) -> Called<'d> {
    Ok(Value::text(joined(values)?))
}

pub(super) fn sprintln<'d>(values: &[Value<'d>]) -> Called<'d> {
    let mut out = String::new();
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            out.push(' ');
        }
        out.push_str(&shown(value));
        bounded(out.len())?;
    }
    out.push('\n');
    Ok(Value::text(out))
}

/// A value under a verb; what does not go together says so in the text.
fn format(value: &Value<'_>, verb: char, flags: Flags) -> String {
    if verb == 'T' {
        return flags.pad(value.type_name());
    }
    match value {
        Value::Absent | Value::Nil if verb == 'v' => flags.pad("<nil>"),
        Value::Absent | Value::Nil => format!("%!{verb}(<nil>)"),
        Value::Bool(value) if matches!(verb, 't' | 'v') => flags.pad(&value.to_string()),
        Value::Int(int) => integer(*int, verb, flags).unwrap_or_else(|| bad(value, verb)),
        Value::Float(float) if "veEfFgG".contains(verb) => number::float(*float, verb, flags),
        Value::Text(own) | Value::Number(own) => {
            text(own, verb, flags).unwrap_or_else(|| bad(value, verb))
        }
        Value::List(list) => {
            let items = list.iter().map(|item| format(item, verb, flags));
            format!("[{}]", items.collect::<Vec<_>>().join(" "))
        }
        Value::NilList => "[]".to_owned(),
        Value::NilMap => "map[]".to_owned(),
        Value::Object(object) => entries(*object, verb, flags),
        Value::Row(row) => {
            let values = row.fields.iter();
            let values = values.map(|(key, json)| Value::of(json, key, super::View::Typed));
            let values = values.map(|value| format(&value, verb, flags));
            format!("{{{}}}", values.collect::<Vec<_>>().join(" "))
        }
        Value::Bool(_) | Value::Float(_) => bad(value, verb),
    }
}

/// `map[k:v]`, or `{v v}` for a struct, whose names `%+v` shows.
fn entries(object: Object<'_>, verb: char, flags: Flags) -> String {
    let entry = |(key, value): (&str, Value<'_>)| {
        let value = format(&value, verb, flags);
        if object.is_map {
            let key = format(&Value::text(key), verb, flags);
            format!("{key}:{value}")
        } else if flags.plus && verb == 'v' {
            format!("{key}:{value}")
        } else {
            value
        }
    };
    let entries: Vec<_> = object.entries().into_iter().map(entry).collect();
    if object.is_map {
        format!("map[{}]", entries.join(" "))
    } else {
        format!("{{{}}}", entries.join(" "))
    }
}

/// `%!d(string=x)`
fn bad(value: &Value<'_>, verb: char) -> String {
    format!("%!{verb}({}={})", value.type_name(), shown(value))
}

fn integer(value: i64, verb: char, flags: Flags) -> Option<String> {
    let character = || {
        let code = u32::try_from(value).ok();
        code.and_then(char::from_u32).unwrap_or('\u{fffd}')
    };
    Some(match verb {
        'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => number::integer(value, verb, flags),
        'c' => flags.pad(&character().to_string()),
        'q' => flags.pad(&quote_char(character(), flags.plus)),
        'U' if flags.sharp => flags.pad(&format!("U+{value:04X} '{}'", character())),
        'U' => flags.pad(&format!("U+{value:04X}")),
        _ => return None,
    })
}

fn text(own: &str, verb: char, flags: Flags) -> Option<String> {
    let cut = || match flags.precision {
        Some(length) => own.chars().take(length).collect(),
        None => own.to_owned(),
    };
    Some(match verb {
        'v' | 's' => flags.pad(&cut()),
        'q' if flags.sharp && !own.contains(['`', '\n', '\r']) => {
            flags.pad(&format!("`{}`", cut()))
        }
        'q' => flags.pad(&quote(&cut(), flags.plus)),
        'x' | 'X' => {
            let length = flags.precision.unwrap_or(own.len()).min(own.len());
            let hex = hex(&own.as_bytes()[..length], flags);
            flags.pad(&if verb == 'X' { hex.to_uppercase() } else { hex })
        }
        _ => return None,
    })
}

fn hex(bytes: &[u8], flags: Flags) -> String {
    let mut out = String::new();
    for (number, byte) in bytes.iter().enumerate() {
        if flags.space && number > 0 {
            out.push(' ');
        }
        if flags.sharp && (number == 0 || flags.space) {
            out.push_str("0x");
        }
        // Writing to a String cannot fail.
        write!(out, "{byte:02x}").ok();
    }
    out
}

/// Go takes no larger width or precision.
const MAX_WIDTH: usize = 1_000_000;

pub(super) fn sprintf<'d>(values: &[Value<'d>]) -> Called<'d> {
    let Some(Value::Text(pattern)) = values.first() else {
        return Ok(Value::text(""));
    };
    let mut printer = Printer {
        rest: pattern,
        values: &values[1..],
        next: 0,
        reordered: false,
        bad_index: false,
        out: String::new(),
    };
    printer.run()?;
    Ok(Value::text(printer.out))
}

/// `printf` at work.
struct Printer<'p, 'v, 'd> {
    rest: &'p str,
    values: &'v [Value<'d>],
    next: usize,
    /// An index was written: arguments that are left are no mistake.
    reordered: bool,
    bad_index: bool,
    out: String,
}

impl Printer<'_, '_, '_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(at) = self.rest.find('%') {
            self.out.push_str(&self.rest[..at]);
            self.rest = &self.rest[at + 1..];
            self.verb();
            bounded(self.out.len())?;
        }
        self.out.push_str(self.rest);
        if !self.reordered && self.next < self.values.len() {
            let extra = self.values[self.next..].iter().map(|value| {
                if matches!(value, Value::Absent | Value::Nil) {
                    return "<nil>".to_owned();
                }
                format!("{}={}", value.type_name(), shown(value))
            });
            let extra = extra.collect::<Vec<_>>().join(", ");
            write!(self.out, "%!(EXTRA {extra})").ok();
        }
        bounded(self.out.len())
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            let flag = match self.rest.chars().next() {
                Some('+') => &mut flags.plus,
                Some('-') => &mut flags.minus,
                Some('#') => &mut flags.sharp,
                Some(' ') => &mut flags.space,
                Some('0') => &mut flags.zero,
                _ => return flags,
            };
            *flag = true;
            self.rest = &self.rest[1..];
        }
    }

    /// Digits; `Err` where they are too large.
    fn number(&mut self) -> Result<Option<usize>, ()> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().ok().filter(|number| *number <= MAX_WIDTH);
        number.map(Some).ok_or(())
    }

    /// `[3]`: the next argument is the third.
    fn index(&mut self) {
        let Some(inner) = self.rest.strip_prefix('[') else {
            return;
        };
        self.reordered = true;
        let Some((digits, rest)) = inner.split_once(']') else {
            self.bad_index = true;
            self.rest = inner;
            return;
        };
        self.rest = rest;
        let number = digits.parse::<usize>().ok();
        match number.filter(|number| (1..=self.values.len()).contains(number)) {
            Some(number) => self.next = number - 1,
            None => self.bad_index = true,
        }
    }

    /// `*`: the next argument is a number.
    fn starred(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        self.next += 1;
        match value {
            Some(Value::Int(number)) if number.unsigned_abs() <= MAX_WIDTH as u64 => Some(*number),
            _ => None,
        }
    }

    fn width(&mut self, flags: &mut Flags) {
        if self.take('*') {
            let Some(width) = self.starred() else {
                self.out.push_str("%!(BADWIDTH)");
                return;
            };
            flags.minus |= width < 0;
            flags.width = usize::try_from(width.unsigned_abs()).ok();
        } else if let Ok(width) = self.number() {
            flags.width = width;
        } else {
            self.out.push_str("%!(BADWIDTH)");
        }
    }

    fn precision(&mut self, flags: &mut Flags) {
        if !self.take('.') {
            return;
        }
        self.index();
        if self.take('*') {
            match self.starred() {
                // A negative one is as if it were not there.
                Some(precision) => flags.precision = usize::try_from(precision).ok(),
                None => self.out.push_str("%!(BADPREC)"),
            }
        } else if let Ok(precision) = self.number() {
            flags.precision = Some(precision.unwrap_or(0));
        } else {
            self.out.push_str("%!(BADPREC)");
        }
    }

    fn verb(&mut self) {
        self.bad_index = false;
        let mut flags = self.flags();
        self.index();
        self.width(&mut flags);
        self.precision(&mut flags);
        self.index();
        let Some(verb) = self.rest.chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        if verb == '%' {
            self.out.push('%');
            return;
        }
        let value = self.values.get(self.next);
        let text = match value {
            _ if self.bad_index => format!("%!{verb}(BADINDEX)"),
            None => format!("%!{verb}(MISSING)"),
            Some(value) => {
                self.next += 1;
                format(value, verb, flags)
            }
        };
        self.out.push_str(&text);
    }
}
