//! Numbers of tar headers and of PAX records.

use crate::sys::TimeSpec;

/// A numeric header field: octal text, or binary where the first bit is set (GNU base-256).
///
/// `None` where it is neither.
pub(super) fn field(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if first & 0x80 != 0 {
        return Some(binary(bytes));
    }
    let blank = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = bytes
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(bytes.len());
    let text = &bytes[start..];
    let end = text.iter().position(blank).unwrap_or(text.len());
    // "0000644 \0" is common, "6 4" is garbage.
    if text[end..]
        .iter()
        .take_while(|byte| **byte != 0)
        .any(|byte| *byte != b' ')
    {
        return None;
    }
    text[..end]
        .iter()
        .try_fold(0, |number: i128, digit| match digit {
            b'0'..=b'7' => Some(number * 8 + i128::from(digit - b'0')),
            _ => None,
        })
}

/// Two's complement of at most 12 bytes, the marking first bit not counted.
fn binary(bytes: &[u8]) -> i128 {
    let negative = bytes[0] & 0x40 != 0;
    let top = if negative { bytes[0] } else { bytes[0] & 0x7f };
    let start = if negative { -1_i128 << 8 } else { 0 } | i128::from(top);
    bytes[1..]
        .iter()
        .fold(start, |number, byte| number << 8 | i128::from(*byte))
}

/// Decimal digits and nothing else.
pub(super) fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Seconds with any number of decimals, of which nine count; too large is the largest there is.
pub(super) fn time(bytes: &[u8]) -> Option<TimeSpec> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, bytes),
    };
    let dot = digits.iter().position(|byte| *byte == b'.');
    let (whole, decimals) = match dot {
        Some(dot) => (&digits[..dot], &digits[dot + 1..]),
        None => (digits, &digits[..0]),
    };
    let all_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) {
        return None;
    }
    let seconds = whole.iter().fold(0_i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    let padded = decimals.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = padded.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => TimeSpec {
            seconds,
            nanoseconds,
        },
        (true, 0) => TimeSpec {
            seconds: -seconds,
            nanoseconds,
        },
        (true, _) => TimeSpec {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields() {
        assert_eq!(field(b"0000644\0"), Some(0o644));
        assert_eq!(field(b"   644 \0"), Some(0o644));
        assert_eq!(field(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(field(b"77777777777 "), Some(0o77_777_777_777));
        assert_eq!(field(b"zzz\0"), None);
        assert_eq!(field(b"6 4\0"), None);
        assert_eq!(field(b"-1\0"), None);
    }

    #[test]
    fn c40_base256_fields() {
        assert_eq!(field(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(field(&[0xff; 12]), Some(-1));
        assert_eq!(
            field(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]),
            Some(-2)
        );
        let mut huge = [0xff; 12];
        huge[0] = 0xbf;
        assert_eq!(field(&huge), Some((1 << 94) - 1));
    }

    #[test]
    fn times() {
        let spec = |seconds, nanoseconds| {
            Some(TimeSpec {
                seconds,
                nanoseconds,
            })
        };
        assert_eq!(time(b"12.5"), spec(12, 500_000_000));
        assert_eq!(time(b"-1.5"), spec(-2, 500_000_000));
        assert_eq!(time(b"-1"), spec(-1, 0));
        assert_eq!(time(b"1."), spec(1, 0));
        assert_eq!(
            time(b"1.123456789999999999999999999999"),
            spec(1, 123_456_789)
        );
        assert_eq!(time(b"99999999999999999999"), spec(i64::MAX, 0));
        for bad in [&b"NaN"[..], b"1e9999", b"", b"-", b".5", b"+1"] {
            assert_eq!(time(bad), None);
        }
    }
}
