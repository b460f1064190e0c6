//! `Timestamp`: a moment, printed as RFC 3339.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;

/// A moment in time, stored and printed as RFC 3339 in UTC with nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The wall clock now.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// Docker's zero time, printed for what has not happened yet.
    pub const ZERO: &str = "0001-01-01T00:00:00Z";

    /// Seconds since the epoch.
    pub fn as_second(&self) -> i64 {
        self.0.as_second()
    }

    /// Nanoseconds since the epoch.
    pub fn as_nanosecond(&self) -> i128 {
        self.0.as_nanosecond()
    }

    /// The moment so many nanoseconds after the epoch; `None` where no calendar holds it.
    pub fn from_nanosecond(nanoseconds: i128) -> Option<Self> {
        jiff::Timestamp::from_nanosecond(nanoseconds).ok().map(Self)
    }

    /// In UTC, always with nine digits: `2026-01-02T03:04:05.120000000Z`.
    pub fn fixed(&self) -> String {
        format!("{:.9}", self.0)
    }

    /// The same in the machine's time zone, `Z` for UTC.
    pub fn local_fixed(&self) -> String {
        let zoned = self.0.to_zoned(jiff::tz::TimeZone::system());
        zoned
            .strftime("%Y-%m-%dT%H:%M:%S.%9f%:z")
            .to_string()
            .replace("+00:00", "Z")
    }

    /// To the second, in the machine's time zone, as `volume inspect` prints `CreatedAt`.
    pub fn local_seconds(&self) -> String {
        let zoned = self.0.to_zoned(jiff::tz::TimeZone::system());
        zoned
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string()
            .replace("+00:00", "Z")
    }

    /// As ps(1) writes when something began, in the machine's time zone: `14:03` of the same day,
    /// `Mar04` of the same year, else the year.
    pub fn since_when(&self, now: Self) -> String {
        let zone = jiff::tz::TimeZone::system();
        let (then, now) = (self.0.to_zoned(zone.clone()), now.0.to_zoned(zone));
        let format = if then.date() == now.date() {
            "%H:%M"
        } else if then.year() == now.year() {
            "%b%d"
        } else {
            "%Y"
        };
        then.strftime(format).to_string()
    }

    /// Docker's `CreatedAt` in `images` and `ps`: `2026-11-22 10:43:00 +0000 UTC`.
    pub fn table(&self) -> String {
        let zoned = self.0.to_zoned(jiff::tz::TimeZone::system());
        zoned.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| Error::Time {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> String {
        timestamp.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_round_trips() {
        let text = "2026-11-22T04:47:20.123456789Z";
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
