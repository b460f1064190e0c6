//! Numbers as Go prints them.

/// How a number is laid out.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a verb")]
pub(super) struct Flags {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Flags {
    /// Fills up to the width.
    pub(super) fn pad(self, text: &str) -> String {
        let missing = self.missing(text);
        if self.minus {
            return format!("{text}{}", " ".repeat(missing));
        }
        let filling = if self.zero { "0" } else { " " };
        format!("{}{text}", filling.repeat(missing))
    }

    fn missing(self, text: &str) -> usize {
        let width = self.width.unwrap_or(0);
        width.saturating_sub(text.chars().count())
    }

    fn sign(self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    /// Fills with zeros behind the sign, or with spaces before it.
    fn pad_number(self, sign: &str, digits: &str) -> String {
        let text = format!("{sign}{digits}");
        if self.zero && !self.minus {
            let zeros = "0".repeat(self.missing(&text));
            return format!("{sign}{zeros}{digits}");
        }
        self.pad(&text)
    }
}

/// An integer in a base: `d`, `b`, `o`, `O`, `x`, `X`.
pub(super) fn integer(value: i64, verb: char, flags: Flags) -> String {
    let magnitude = value.unsigned_abs();
    let (mut digits, prefix) = match verb {
        'b' => (format!("{magnitude:b}"), "0b"),
        'o' => (format!("{magnitude:o}"), "0"),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (format!("{magnitude:x}"), "0x"),
        'X' => (format!("{magnitude:X}"), "0X"),
        _ => (magnitude.to_string(), ""),
    };
    if let Some(precision) = flags.precision {
        if precision == 0 && value == 0 {
            return Flags {
                zero: false,
                ..flags
            }
            .pad("");
        }
        digits = format!(
            "{}{digits}",
            "0".repeat(precision.saturating_sub(digits.len()))
        );
    }
    if flags.sharp || verb == 'O' {
        digits.insert_str(0, prefix);
    }
    // A precision says already how many digits there are.
    let zero = flags.zero && flags.precision.is_none();
    Flags { zero, ..flags }.pad_number(flags.sign(value < 0), &digits)
}

/// A fraction: `e`, `E`, `f`, `F`, `g`, `G`; `v` is `g`.
pub(super) fn float(value: f64, verb: char, flags: Flags) -> String {
    let magnitude = value.abs();
    let digits = match verb {
        'e' | 'E' => exponential(&format!("{magnitude:.*e}", flags.precision.unwrap_or(6))),
        'f' | 'F' => format!("{magnitude:.*}", flags.precision.unwrap_or(6)),
        _ => shortest(magnitude, flags.precision),
    };
    let digits = if matches!(verb, 'E' | 'G') {
        digits.to_uppercase()
    } else {
        digits
    };
    flags.pad_number(flags.sign(value.is_sign_negative()), &digits)
}

/// Rust's `1.5e0` as Go's `1.5e+00`.
fn exponential(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Go's `%g`: with an exponent where it is below -4 or not below the precision.
fn shortest(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.max(1) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let count = digits.len();
    let limit = precision.unwrap_or(6).max(1);
    if exponent < -4 || exponent >= i32::try_from(limit).unwrap_or(i32::MAX) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return exponential(&format!("{first}{point}{rest}e{exponent}"));
    }
    let decimals = i32::try_from(count).unwrap_or(i32::MAX) - 1 - exponent;
    format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
}
