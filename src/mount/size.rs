//! Sizes as typed: RAM units (`64m`, `1.5GiB`) and parts of the memory (`50%`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::ident::{Units, parse_size};

/// How big a tmpfs may grow (tmpfs(5), `size` and `nr_blocks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TmpfsSize {
    /// At most this many bytes; 0 is without limit.
    Bytes(u64),
    /// At most this part of the machine's memory, in percent.
    Percent(u32),
}

/// Bytes as Docker takes memory sizes: `64m`, `1.5g`, binary units.
pub fn parse_bytes(text: &str) -> Result<u64, Error> {
    let bad = || Error::Value {
        key: "size".to_owned(),
        value: text.to_owned(),
        expected: "a number and b, k, m or g",
    };
    ram_bytes(text).ok_or_else(bad)
}

/// A number of bytes in powers of 1024; `None` where it is none.
pub(super) fn ram_bytes(text: &str) -> Option<u64> {
    parse_size(text, Units::Binary)
}

impl fmt::Display for TmpfsSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => {
                let whole = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
                match [(30, 'g'), (20, 'm'), (10, 'k')]
                    .into_iter()
                    .find(|(shift, _)| whole(*shift))
                {
                    Some((shift, suffix)) => write!(f, "{}{suffix}", bytes >> shift),
                    None => write!(f, "{bytes}"),
                }
            }
        }
    }
}

/// A text that is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a size")]
pub struct NotASize;

impl FromStr for TmpfsSize {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let size = match text.strip_suffix('%') {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                // 0% would mean "without limit" to the kernel, which nobody means by it.
                number
                    .parse()
                    .ok()
                    .filter(|percent| *percent > 0)
                    .map(Self::Percent)
            }
            Some(_) => None,
            None => ram_bytes(text).map(Self::Bytes),
        };
        size.ok_or(NotASize)
    }
}

impl TryFrom<String> for TmpfsSize {
    type Error = NotASize;

    fn try_from(text: String) -> Result<Self, NotASize> {
        text.parse()
    }
}

impl From<TmpfsSize> for String {
    fn from(size: TmpfsSize) -> String {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_print_with_the_largest_suffix_that_fits() {
        for (text, shown) in [
            ("0", "0"),
            ("1023", "1023"),
            ("1024k", "1m"),
            ("1.5g", "1536m"),
            ("50%", "50%"),
            ("050%", "50%"),
        ] {
            assert_eq!(text.parse::<TmpfsSize>().unwrap().to_string(), shown);
        }
        for text in ["0%", "%", "-5%", "+5%", "1.5%", "5%%"] {
            assert_eq!(text.parse::<TmpfsSize>(), Err(NotASize), "{text}");
        }
    }

    proptest! {
        #[test]
        fn print_and_parse_agree(bytes in 0..=i64::MAX.cast_unsigned(), shift in 0..62_u32) {
            let size = TmpfsSize::Bytes(bytes >> shift << (shift / 2));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn any_text_is_a_size_or_refused(text in "\\PC*|[0-9]{0,40}[.]?[0-9]{0,40}[ kmgtpib%]{0,3}") {
            let _outcome = text.parse::<TmpfsSize>();
        }
    }
}
