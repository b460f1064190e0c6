//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.

use std::cmp::Ordering;

use super::{function::Called, value::Value, verb};

const INCOMPATIBLE: &str = "incompatible types for comparison";
const INVALID: &str = "invalid type for comparison";

/// Whether the first is one of the others.
pub(super) fn equal<'d>(values: &[Value<'d>]) -> Called<'d> {
    let (first, others) = (&values[0], &values[1..]);
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if same(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn unequal<'d>(values: &[Value<'d>]) -> Called<'d> {
    Ok(Value::Bool(!same(&values[0], &values[1])?))
}

fn same(one: &Value<'_>, other: &Value<'_>) -> Result<bool, String> {
    let is_nil = |value: &Value<'_>| {
        matches!(
            value,
            Value::Absent | Value::Nil | Value::NilList | Value::NilMap
        )
    };
    if is_nil(one) || is_nil(other) {
        return Ok(is_nil(one) == is_nil(other));
    }
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (one, other) if is_basic(one) && is_basic(other) => match ordering(one, other) {
            Some(ordering) => Ok(ordering == Ordering::Equal),
            None => Err(INCOMPATIBLE.to_owned()),
        },
        (one, other) if is_basic(one) || is_basic(other) => Err(INCOMPATIBLE.to_owned()),
        (one, _) => {
            let (shown, name) = (verb::shown(one), one.type_name());
            Err(format!("non-comparable type {shown}: {name}"))
        }
    }
}

fn is_basic(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Number(_) | Value::Text(_)
    )
}

fn ordering(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Text(one) | Value::Number(one), Value::Text(other) | Value::Number(other)) => {
            Some(one.cmp(other))
        }
        _ => None,
    }
}

/// Whether the first stands to the second in one of these ways: -1, 0, 1.
pub(super) fn order<'d>(values: &[Value<'d>], wanted: &[i8]) -> Called<'d> {
    let (one, other) = (&values[0], &values[1]);
    if !is_basic(one) || !is_basic(other) {
        return Err(INVALID.to_owned());
    }
    if let (Value::Bool(_), Value::Bool(_)) = (one, other) {
        return Err(INVALID.to_owned());
    }
    let found = ordering(one, other).ok_or(INCOMPATIBLE)?;
    Ok(Value::Bool(wanted.contains(&(found as i8))))
}
