//! Literals of Go: numbers, characters and quoted texts.

use super::syntax::Number;

/// A number as Go writes it: `0x10`, `1_000`, `017`, `1e3`.
pub(super) fn number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = without_underscores(digits)?;
    if let Some(magnitude) = integer(&plain) {
        let int = sign * magnitude;
        #[expect(clippy::cast_precision_loss, reason = "as Go converts a constant")]
        let float = int as f64;
        let int = i64::try_from(int).ok();
        return Some(Number {
            int,
            float,
            is_float: false,
        });
    }
    let starts = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let float: f64 = plain.parse().ok().filter(|_| starts)?;
    let float = if sign < 0 { -float } else { float };
    // Such a one can stand where an integer is wanted.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only where nothing is lost"
    )]
    let int = (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64);
    float.is_finite().then_some(Number {
        int,
        float,
        is_float: true,
    })
}

/// They stand between digits, or after a prefix.
fn without_underscores(digits: &str) -> Option<String> {
    let fine = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    fine.then(|| digits.replace('_', ""))
}

/// One that is too large is the largest.
fn integer(digits: &str) -> Option<i128> {
    let lower = digits.to_ascii_lowercase();
    let (radix, rest) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(two) if two.starts_with('0') && two.as_bytes()[1].is_ascii_digit() => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    let fine = !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
    fine.then(|| i128::from_str_radix(rest, radix).unwrap_or(i128::MAX))
}

/// `'x'`: its code.
pub(super) fn character(quoted: &str) -> Option<Number> {
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let value = unescape(inner, '\'')?;
    let mut chars = value.chars();
    let code = chars.next().filter(|_| chars.next().is_none())?;
    Some(Number {
        int: Some(i64::from(u32::from(code))),
        float: f64::from(u32::from(code)),
        is_float: false,
    })
}

/// `"x\n"`: what it means.
pub(super) fn text(quoted: &str) -> Option<String> {
    unescape(quoted.strip_prefix('"')?.strip_suffix('"')?, '"')
}

fn unescape(inner: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == quote || c == '\n' {
            return None;
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        rest = &rest[escape.len_utf8()..];
        let simple = match escape {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            c if c == quote => u8::try_from(c).ok()?,
            _ => {
                let (code, length) = numeric(escape, rest)?;
                rest = &rest[length..];
                push(&mut bytes, escape, code)?;
                continue;
            }
        };
        bytes.push(simple);
    }
    // Bytes written one by one may be no text; what is printed is.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The code after a backslash, and how much of `rest` it took.
fn numeric(escape: char, rest: &str) -> Option<(u32, usize)> {
    let (digits, length, radix) = match escape {
        'x' => (rest.get(..2)?.to_owned(), 2, 16),
        'u' => (rest.get(..4)?.to_owned(), 4, 16),
        'U' => (rest.get(..8)?.to_owned(), 8, 16),
        '0'..='7' => (format!("{escape}{}", rest.get(..2)?), 2, 8),
        _ => return None,
    };
    let fine = digits.chars().all(|c| c.is_digit(radix));
    let code = u32::from_str_radix(&digits, radix).ok().filter(|_| fine)?;
    Some((code, length))
}

fn push(bytes: &mut Vec<u8>, escape: char, code: u32) -> Option<()> {
    if matches!(escape, 'u' | 'U') {
        let c = char::from_u32(code)?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(code).ok()?);
    }
    Some(())
}

/// A text as Go quotes it.
pub(crate) fn quote(text: &str, ascii: bool) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        push_escaped(&mut out, c, '"', ascii);
    }
    out.push('"');
    out
}

/// A character as Go quotes it.
pub(super) fn quote_char(c: char, ascii: bool) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

fn push_escaped(out: &mut String, c: char, quote: char, ascii: bool) {
    use std::fmt::Write as _;
    let code = u32::from(c);
    match c {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if c == quote || c == '\\' => out.extend(['\\', c]),
        c if is_printable(c) && (c.is_ascii() || !ascii) => out.push(c),
        // Writing to a String cannot fail.
        _ if code < 0x80 => drop(write!(out, "\\x{code:02x}")),
        _ if code < 0x10000 => drop(write!(out, "\\u{code:04x}")),
        _ => drop(write!(out, "\\U{code:08x}")),
    }
}

/// Whether Go prints it as it is, near enough.
pub(super) fn is_printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}
