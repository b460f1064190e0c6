//! Sizes and numbers as people type them: `64m`, `1.5GiB`, `-1`. Units are binary.

/// Suffixes by their power of 1024.
const SUFFIXES: [char; 6] = ['b', 'k', 'm', 'g', 't', 'p'];

/// Parses a number of bytes such as `64`, `64k`, `1.5G`, `2MiB`, `2 MB`; all units are powers of
/// 1024. `None` where it is none, or does not fit into a file's size.
pub fn ram_bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit = unit(suffix.strip_prefix(' ').unwrap_or(suffix))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.contains('.') {
        return None;
    }
    // More digits than these are below one byte of a pebibyte.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u128>().ok()?.checked_mul(unit)? / scale;
    let bytes = whole
        .parse::<u128>()
        .ok()?
        .checked_mul(unit)?
        .checked_add(part)?;
    u64::try_from(bytes)
        .ok()
        .filter(|bytes| i64::try_from(*bytes).is_ok())
}

fn unit(suffix: &str) -> Option<u128> {
    let lower = suffix.to_ascii_lowercase();
    let mut letters = lower.chars();
    let Some(first) = letters.next() else {
        return Some(1);
    };
    let power = SUFFIXES.iter().position(|known| *known == first)?;
    let rest_is_known = match letters.as_str() {
        "" => true,
        "b" | "ib" => power > 0,
        _ => false,
    };
    rest_is_known.then(|| 1024_u128.pow(u32::try_from(power).unwrap_or(0)))
}

/// A whole number, or what Go says about a text that is none.
pub fn integer(text: &str) -> Result<i64, &'static str> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse::<i64>().map_err(|error| {
        if matches!(error.kind(), PosOverflow | NegOverflow) {
            "value out of range"
        } else {
            "invalid syntax"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_13_sizes_take_ram_units() {
        for (text, bytes) in [
            ("0", 0),
            ("64", 64),
            ("64b", 64),
            ("1k", 1024),
            ("1K", 1024),
            ("1m", 1 << 20),
            ("1MB", 1 << 20),
            ("1MiB", 1 << 20),
            ("1 g", 1 << 30),
            ("1.5g", 3 << 29),
            ("0.5k", 512),
            ("2t", 2 << 40),
            ("1p", 1 << 50),
        ] {
            assert_eq!(ram_bytes(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "k",
            "-1",
            "+1",
            "1x",
            "1kk",
            "1bb",
            "1bib",
            "1.",
            ".5",
            "1..2",
            "1.2.3",
            "1.0000000000000000000000.",
            " 1",
            "1  k",
            "1e3",
            "0x10",
            "9223372036854775808",
            "99999999999999999999p",
            "한",
            "1한",
        ] {
            assert_eq!(ram_bytes(text), None, "{text}");
        }
    }
}
