//! The values of Docker's limit flags. Zero is as good as no flag, as it is to Docker.

use super::Error;
use crate::ident::{self, Units, parse_size};

/// `--memory`, `--memory-reservation`: `512m`, `1.5g`.
pub fn parse_memory(text: &str) -> Result<Option<u64>, Error> {
    let bytes = parse_size(text, Units::Binary).ok_or_else(|| Error::Size {
        text: text.to_owned(),
    })?;
    Ok(Some(bytes).filter(|bytes| *bytes > 0))
}

/// `--memory-swap`: the same, or -1.
pub fn parse_memory_swap(text: &str) -> Result<Option<i64>, Error> {
    if text == "-1" {
        return Ok(Some(-1));
    }
    let bytes = parse_memory(text)?;
    Ok(bytes.and_then(|bytes| i64::try_from(bytes).ok()))
}

/// `--cpus`: `1.5`, `.5`, `3/2` or `15e-1` CPUs, in billionths.
pub fn parse_cpus(text: &str) -> Result<Option<u64>, Error> {
    let bad = || Error::Cpus {
        text: text.to_owned(),
    };
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    let (numerator, exponent) = decimal(numerator).ok_or_else(bad)?;
    let is_plain = denominator.bytes().all(|byte| byte.is_ascii_digit());
    let denominator = denominator.parse::<u128>().ok();
    let denominator = denominator.filter(|number| *number > 0 && is_plain);
    let denominator = denominator.ok_or_else(bad)?;
    // Billionths: nine more digits.
    let shift = exponent + 9;
    let power = 10_u128.checked_pow(shift.unsigned_abs()).ok_or_else(bad)?;
    let (scaled, divisor) = if shift >= 0 {
        (numerator.checked_mul(power), Some(denominator))
    } else {
        (Some(numerator), denominator.checked_mul(power))
    };
    let (scaled, divisor) = scaled.zip(divisor).ok_or_else(bad)?;
    if !scaled.is_multiple_of(divisor) {
        return Err(Error::TooPrecise);
    }
    let billionths = u64::try_from(scaled / divisor).map_err(|_| bad())?;
    Ok(Some(billionths).filter(|cpus| *cpus > 0))
}

/// Digits, and by which power of ten they are to be multiplied.
fn decimal(text: &str) -> Option<(u128, i32)> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places = i32::try_from(fraction.len()).ok()?;
    // Far beyond what any number of CPUs needs, and far from overflow.
    let exponent = exponent.checked_sub(places).filter(|e| e.abs() < 1000)?;
    Some((all.parse().ok()?, exponent))
}

/// A whole number such as `--pids-limit` and `--cpu-quota` take; -1 is a value of theirs.
pub fn parse_integer(text: &str) -> Result<i64, Error> {
    ident::parse_integer(text).map_err(|why| Error::Integer {
        text: text.to_owned(),
        call: "ParseInt",
        why,
    })
}

/// `--cpu-shares`, `--cpu-period`: a whole number that is not negative.
pub fn parse_count(text: &str, what: &'static str) -> Result<Option<u64>, Error> {
    let number = parse_integer(text)?;
    let count = u64::try_from(number).map_err(|_| Error::Rule {
        text: format!("invalid {what} ({number}): value must be a positive integer"),
    })?;
    Ok(Some(count).filter(|count| *count > 0))
}

/// `--blkio-weight`: 10 to 1000, or 0.
pub fn parse_weight(text: &str) -> Result<Option<u16>, Error> {
    let bad = |why| Error::Integer {
        text: text.to_owned(),
        call: "ParseUint",
        why,
    };
    let number = ident::parse_integer(text).map_err(bad)?;
    if number < 0 || text.starts_with(['+', '-']) {
        return Err(bad("invalid syntax"));
    }
    let weight = u16::try_from(number).map_err(|_| bad("value out of range"))?;
    Ok(Some(weight).filter(|weight| *weight > 0))
}

/// `--memory-swappiness`: 0 to 100, or -1 for the machine's own.
pub fn parse_swappiness(text: &str) -> Result<Option<u8>, Error> {
    match parse_integer(text)? {
        -1 => Ok(None),
        number => match u8::try_from(number).ok().filter(|percent| *percent <= 100) {
            Some(percent) => Ok(Some(percent)),
            None => Err(Error::Rule {
                text: format!("invalid value: {number}. Valid memory swappiness range is 0-100"),
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T: std::fmt::Debug>(parsed: Result<T, Error>) -> String {
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn memory_is_in_binary_units() {
        assert_eq!(parse_memory("512m").unwrap(), Some(512 << 20));
        assert_eq!(parse_memory("0").unwrap(), None);
        assert_eq!(parse_memory_swap("1.5g").unwrap(), Some(3 << 29));
        assert_eq!(parse_memory_swap("-1").unwrap(), Some(-1));
        assert_eq!(said(parse_memory("-1")), "invalid size: '-1'");
        assert_eq!(said(parse_memory_swap("-2")), "invalid size: '-2'");
        assert_eq!(said(parse_memory("한")), "invalid size: '한'");
    }

    #[test]
    fn cpus_are_exact_in_billionths() {
        for (text, billionths) in [
            ("1.5", 1_500_000_000),
            (".5", 500_000_000),
            ("1.", 1_000_000_000),
            ("1/2", 500_000_000),
            ("3e-1", 300_000_000),
            ("1E2", 100_000_000_000),
            ("0.000000001", 1),
            ("0.1/1", 100_000_000),
            ("1000000000000000e-15", 1_000_000_000),
        ] {
            assert_eq!(parse_cpus(text).unwrap(), Some(billionths), "{text}");
        }
        assert_eq!(parse_cpus("0").unwrap(), None);
        assert_eq!(said(parse_cpus("0.0000000001")), "value is too precise");
        assert_eq!(said(parse_cpus("1/3")), "value is too precise");
        for text in [
            "",
            ".",
            "abc",
            "-1",
            "1/0",
            "1/",
            "1e",
            "1e99999999999",
            "1e999",
            "99999999999999999999",
            "1..2",
            "+",
            "1_0",
            "한",
            "1/+1",
        ] {
            assert_eq!(
                said(parse_cpus(text)),
                format!("failed to parse {text} as a rational number")
            );
        }
    }

    #[test]
    fn whole_numbers_have_gos_texts() {
        assert_eq!(parse_integer("-1").unwrap(), -1);
        assert_eq!(
            said(parse_integer("x")),
            "strconv.ParseInt: parsing \"x\": invalid syntax"
        );
        assert_eq!(
            said(parse_integer("")),
            "strconv.ParseInt: parsing \"\": invalid syntax"
        );
        assert_eq!(
            said(parse_integer("9223372036854775808")),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert_eq!(parse_count("0", "CPU shares").unwrap(), None);
        assert_eq!(
            said(parse_count("-3", "CPU shares")),
            "invalid CPU shares (-3): value must be a positive integer"
        );
        assert_eq!(parse_weight("500").unwrap(), Some(500));
        assert_eq!(
            said(parse_weight("70000")),
            "strconv.ParseUint: parsing \"70000\": value out of range"
        );
        assert_eq!(
            said(parse_weight("-1")),
            "strconv.ParseUint: parsing \"-1\": invalid syntax"
        );
        assert_eq!(parse_swappiness("0").unwrap(), Some(0));
        assert_eq!(parse_swappiness("-1").unwrap(), None);
        assert_eq!(
            said(parse_swappiness("101")),
            "invalid value: 101. Valid memory swappiness range is 0-100"
        );
    }
}
