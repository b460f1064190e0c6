//! Sizes as people type them: `64m`, `1.5GiB`, `2 MB`.

/// What `k` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// 1024: memory.
    Binary,
    /// 1000: files.
    Decimal,
}

/// Suffixes by their power of the unit.
const SUFFIXES: [char; 6] = ['b', 'k', 'm', 'g', 't', 'p'];

/// Parses a number of bytes such as `64`, `64k`, `1.5G`, `2MiB`, `2 MB`; however they are spelled,
/// all suffixes are powers of `units`. `None` where it is none, or does not fit into a file's size.
pub fn parse_size(text: &str, units: Units) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit = unit(suffix.strip_prefix(' ').unwrap_or(suffix), units)?;
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

fn unit(suffix: &str, units: Units) -> Option<u128> {
    let base: u128 = match units {
        Units::Binary => 1024,
        Units::Decimal => 1000,
    };
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
    rest_is_known.then(|| base.pow(u32::try_from(power).unwrap_or(0)))
}

/// A whole number, or what Go says about a text that is none.
pub fn parse_integer(text: &str) -> Result<i64, &'static str> {
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
    fn decimal_units_are_powers_of_a_thousand_however_spelled() {
        for (text, bytes) in [
            ("10m", 10_000_000),
            ("1.5kB", 1500),
            ("2GiB", 2_000_000_000),
        ] {
            assert_eq!(parse_size(text, Units::Decimal), Some(bytes), "{text}");
        }
        assert_eq!(parse_size("10m", Units::Binary), Some(10 << 20));
        assert_eq!(parse_size("10x", Units::Decimal), None);
    }
}
