//! `html`, `js`, `urlquery`.

use std::fmt::Write as _;

use super::{
    function::{Called, bounded},
    literal::is_printable,
    value::Value,
    verb,
};

/// All arguments as one text, as `print` would have them.
fn whole(values: &[Value<'_>]) -> Result<String, String> {
    let text = match values {
        [Value::Text(text)] => text.to_string(),
        several => verb::joined(several)?,
    };
    // Each character becomes twelve at most.
    bounded(text.len() * 12)?;
    Ok(text)
}

fn each<'d>(values: &[Value<'d>], escape: impl Fn(&mut String, char)) -> Called<'d> {
    let mut out = String::new();
    for c in whole(values)?.chars() {
        escape(&mut out, c);
    }
    Ok(Value::text(out))
}

pub(super) fn html<'d>(values: &[Value<'d>]) -> Called<'d> {
    each(values, |out, c| match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '\'' => out.push_str("&#39;"),
        '"' => out.push_str("&#34;"),
        '\0' => out.push('\u{fffd}'),
        c => out.push(c),
    })
}

pub(super) fn js<'d>(values: &[Value<'d>]) -> Called<'d> {
    each(values, |out, c| match c {
        '\\' | '\'' | '"' => out.extend(['\\', c]),
        '<' | '>' | '&' | '=' => code(out, c),
        c if is_printable(c) => out.push(c),
        c => code(out, c),
    })
}

fn code(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    write!(out, "\\u{:04X}", u32::from(c)).ok();
}

pub(super) fn urlquery<'d>(values: &[Value<'d>]) -> Called<'d> {
    each(values, |out, c| match c {
        ' ' => out.push('+'),
        c if c.is_ascii_alphanumeric() || "-_.~".contains(c) => out.push(c),
        c => {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(out, "%{byte:02X}").ok();
            }
        }
    })
}
