//! What Docker adds to Go's functions.

use super::{
    function::{Called, bounded},
    value::Value,
};

/// Those that leave a column's header as it is.
pub(super) const NAMES: [&str; 8] = [
    "json", "split", "join", "lower", "upper", "title", "pad", "truncate",
];

/// More pieces than a text of a container can have.
const MAX_PIECES: usize = 1 << 20;

fn text<'v>(value: &'v Value<'_>) -> &'v str {
    value.as_text().unwrap_or_default()
}

pub(super) fn json<'d>(values: &[Value<'d>]) -> Value<'d> {
    Value::text(values[0].to_json().to_string())
}

/// Without a separator: into characters.
pub(super) fn split<'d>(values: &[Value<'d>]) -> Called<'d> {
    let (whole, separator) = (text(&values[0]), text(&values[1]));
    let pieces: Vec<Value<'d>> = if separator.is_empty() {
        let piece = |c: char| Value::text(c.to_string());
        whole.chars().take(MAX_PIECES + 1).map(piece).collect()
    } else {
        let pieces = whole.split(separator).take(MAX_PIECES + 1);
        pieces.map(Value::text).collect()
    };
    if pieces.len() > MAX_PIECES {
        return Err("too many pieces".to_owned());
    }
    Ok(Value::List(pieces.into()))
}

pub(super) fn join<'d>(values: &[Value<'d>]) -> Called<'d> {
    let (items, separator) = (values[0].items().unwrap_or_default(), text(&values[1]));
    let pieces: Vec<_> = items.iter().map(super::verb::shown).collect();
    let own: usize = pieces.iter().map(String::len).sum();
    bounded(own.saturating_add(separator.len().saturating_mul(pieces.len())))?;
    Ok(Value::text(pieces.join(separator)))
}

pub(super) fn lower<'d>(values: &[Value<'d>]) -> Value<'d> {
    Value::text(text(&values[0]).to_lowercase())
}

pub(super) fn upper<'d>(values: &[Value<'d>]) -> Value<'d> {
    Value::text(text(&values[0]).to_uppercase())
}

/// The first letter of each word in upper case.
pub(super) fn title<'d>(values: &[Value<'d>]) -> Value<'d> {
    let mut out = String::new();
    let mut begins = true;
    for c in text(&values[0]).chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        let part = c.is_alphanumeric() || c == '_' || !(c.is_ascii() || c.is_whitespace());
        begins = !part;
    }
    Value::text(out)
}

/// Spaces before and after, unless it is empty.
pub(super) fn pad<'d>(values: &[Value<'d>]) -> Called<'d> {
    let own = text(&values[0]);
    if own.is_empty() {
        return Ok(values[0].clone());
    }
    let spaces = |value: &Value<'d>| {
        let count = usize::try_from(value.as_int().unwrap_or(0))
            .map_err(|_| "strings: negative Repeat count")?;
        bounded(count)?;
        Ok::<_, String>(" ".repeat(count))
    };
    let (before, after) = (spaces(&values[1])?, spaces(&values[2])?);
    Ok(Value::text(format!("{before}{own}{after}")))
}

/// At most so many bytes, and no half of a character.
pub(super) fn truncate<'d>(values: &[Value<'d>]) -> Called<'d> {
    let (own, length) = (text(&values[0]), values[1].as_int().unwrap_or(0));
    let Ok(length) = usize::try_from(length) else {
        return Err(format!("slice bounds out of range [:{length}]"));
    };
    let end = own.floor_char_boundary(length.min(own.len()));
    Ok(Value::text(&own[..end]))
}
