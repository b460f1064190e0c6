//! `len`, `index`, `slice`.

use super::{
    function::Called,
    value::{Value, View},
};

/// Bytes of a text, items of a list, entries of a map.
pub(super) fn length<'d>(values: &[Value<'d>]) -> Called<'d> {
    let value = &values[0];
    let length = match value {
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(list) => list.len(),
        Value::NilList | Value::NilMap => 0,
        Value::Object(object) if object.is_map => object.map.len(),
        Value::Absent | Value::Nil => return Err("len of nil pointer".to_owned()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Object(_) | Value::Row(_) => {
            return Err(format!("len of type {}", value.type_name()));
        }
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// `index x 1 "k"` is `x[1]["k"]`.
pub(super) fn index<'d>(values: &[Value<'d>]) -> Called<'d> {
    let mut value = values[0].clone();
    for key in &values[1..] {
        value = step(&value, key)?;
    }
    Ok(value)
}

fn step<'d>(value: &Value<'d>, key: &Value<'d>) -> Called<'d> {
    match value {
        Value::List(list) => Ok(list[position(key, list.len(), false)?].clone()),
        Value::NilList => Err(out_of_range(key)),
        Value::Text(text) | Value::Number(text) => {
            let at = position(key, text.len(), false)?;
            Ok(Value::Int(i64::from(text.as_bytes()[at])))
        }
        Value::Object(object) if object.is_map => {
            let key = name(key)?;
            let missing = || missing(object.view, object.map.values());
            Ok(object.get(key).unwrap_or_else(missing))
        }
        Value::NilMap => name(key).map(|_| Value::text("")),
        Value::Absent | Value::Nil => Err("index of untyped nil".to_owned()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Object(_) | Value::Row(_) => {
            Err(format!("can't index item of type {}", value.type_name()))
        }
    }
}

/// The zero value of the map's type: a map of texts gives an empty one.
fn missing<'d, 'a>(
    view: View,
    mut values: impl Iterator<Item = &'a serde_json::Value>,
) -> Value<'d> {
    if view == View::Typed && values.all(serde_json::Value::is_string) {
        Value::text("")
    } else {
        Value::Absent
    }
}

fn name<'k>(key: &'k Value<'_>) -> Result<&'k str, String> {
    let wrong = || format!("value has type {}; should be string", key.type_name());
    key.as_text().ok_or_else(wrong)
}

fn out_of_range(key: &Value<'_>) -> String {
    format!("index out of range: {}", super::verb::shown(key))
}

/// An index below `length`, or up to it where it is a `bound`.
fn position(key: &Value<'_>, length: usize, bound: bool) -> Result<usize, String> {
    let Value::Int(number) = key else {
        let found = key.type_name();
        return Err(format!("cannot index slice/array with type {found}"));
    };
    let fits = |at: &usize| *at < length || (bound && *at == length);
    let at = usize::try_from(*number).ok().filter(fits);
    at.ok_or_else(|| out_of_range(key))
}

/// `slice x 1 2` is `x[1:2]`.
pub(super) fn slice<'d>(values: &[Value<'d>]) -> Called<'d> {
    let (value, bounds) = (&values[0], &values[1..]);
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    match value {
        Value::Text(text) => {
            if bounds.len() == 3 {
                return Err("cannot 3-index slice a string".to_owned());
            }
            let (from, to) = between(bounds, text.len())?;
            // Bytes that are half of a character would be no text.
            Ok(Value::text(String::from_utf8_lossy(
                &text.as_bytes()[from..to],
            )))
        }
        Value::List(list) => {
            let (from, to) = between(bounds, list.len())?;
            Ok(Value::List(list[from..to].into()))
        }
        Value::NilList => between(bounds, 0).map(|_| Value::NilList),
        Value::Absent | Value::Nil => Err("slice of untyped nil".to_owned()),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Number(_)
        | Value::Object(_)
        | Value::NilMap
        | Value::Row(_) => Err(format!("can't slice item of type {}", value.type_name())),
    }
}

fn between(bounds: &[Value<'_>], length: usize) -> Result<(usize, usize), String> {
    let mut found = [0, length, length];
    for (place, bound) in found.iter_mut().zip(bounds) {
        *place = position(bound, length, true)?;
    }
    for pair in found[..bounds.len().max(2)].windows(2) {
        if pair[0] > pair[1] {
            return Err(format!("invalid slice index: {} > {}", pair[0], pair[1]));
        }
    }
    Ok((found[0], found[1]))
}
