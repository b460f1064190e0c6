//! `LogOptions`: `--log-driver` and `--log-opt`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::ident::{Units, parse_size};

/// Docker's driver of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Lines of JSON, by default without limit.
    #[default]
    JsonFile,
    /// The same with Docker's limits for it, which is what people choose it for.
    Local,
    /// Nothing is kept.
    None,
}

/// How a container's output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOptions {
    /// Whether and how.
    pub driver: LogDriver,
    /// Bytes after which another file is begun; `None` never does.
    pub max_size: Option<u64>,
    /// How many files are kept, the one that is written included; matters only with `max_size`.
    pub max_file: u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::of(LogDriver::JsonFile)
    }
}

impl LogOptions {
    /// Docker's defaults of a driver.
    pub fn of(driver: LogDriver) -> Self {
        let (max_size, max_file) = match driver {
            LogDriver::Local => (Some(20_000_000), 5),
            LogDriver::JsonFile | LogDriver::None => (None, 1),
        };
        Self {
            driver,
            max_size,
            max_file,
        }
    }

    /// Parses `--log-driver` and every `--log-opt KEY=VALUE`; the last of a key counts.
    ///
    /// # Errors
    ///
    /// What Docker refuses, with its texts, and what would need another driver.
    pub fn parse(driver: Option<&str>, options: &[String]) -> Result<Self, Error> {
        let driver = driver.filter(|name| !name.is_empty());
        let driver = driver.map_or(Ok(LogDriver::default()), str::parse)?;
        if driver == LogDriver::None && !options.is_empty() {
            return Err(Error::NoOptions);
        }
        let mut parsed = Self::of(driver);
        for option in options {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            parsed.set(key, value)?;
        }
        Ok(parsed)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let refused = |what: String| Err(Error::Option { what });
        match key {
            "max-size" => match parse_size(value, Units::Decimal) {
                Some(0) => return refused("max-size must be a positive number".to_owned()),
                Some(bytes) => self.max_size = Some(bytes),
                // Docker's "no limit".
                None if value == "-1" => self.max_size = None,
                None => return refused(format!("invalid size: '{value}'")),
            },
            "max-file" => match value.parse::<i64>().map(u32::try_from) {
                Ok(Ok(count @ 1..=MOST_FILES)) => self.max_file = count,
                Ok(Ok(1..)) => {
                    return refused(format!("max-file cannot be more than {MOST_FILES}"));
                }
                Ok(_) => return refused("max-file cannot be less than 1".to_owned()),
                Err(_) => return refused(format!("invalid value for max-file: {value:?}")),
            },
            "mode" if value == "blocking" => {}
            "compress" if matches!(value, "false" | "0") => {}
            "compress" | "mode" | "max-buffer-size" | "labels" | "labels-regex" | "env"
            | "env-regex" | "tag" => {
                return refused(format!("log opt '{key}={value}' is not supported"));
            }
            _ => {
                return Err(Error::UnknownOption {
                    key: key.to_owned(),
                    driver: self.driver,
                });
            }
        }
        Ok(())
    }
}

/// A reader opens them all.
const MOST_FILES: u32 = 500;

impl FromStr for LogDriver {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "json-file" => Ok(Self::JsonFile),
            "local" => Ok(Self::Local),
            "none" => Ok(Self::None),
            _ => Err(Error::Driver {
                name: name.to_owned(),
            }),
        }
    }
}

impl fmt::Display for LogDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonFile => "json-file",
            Self::Local => "local",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(driver: &str, options: &[&str]) -> Result<LogOptions, String> {
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        LogOptions::parse(Some(driver), &options).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_are_decimal_as_dockers() {
        let options = parse("json-file", &["max-size=10m", "max-file=3"]).unwrap();
        assert_eq!((options.max_size, options.max_file), (Some(10_000_000), 3));
        assert_eq!(parse("", &[]).unwrap(), LogOptions::default());
        assert_eq!(LogOptions::parse(None, &[]).unwrap(), LogOptions::default());
        assert_eq!(
            parse("json-file", &["max-size=1k", "max-size=-1"])
                .unwrap()
                .max_size,
            None
        );
        // Without max-size it is accepted and says nothing.
        assert_eq!(parse("json-file", &["max-file=3"]).unwrap().max_size, None);
        let local = parse("local", &["max-file=2", "compress=false"]).unwrap();
        assert_eq!((local.max_size, local.max_file), (Some(20_000_000), 2));
    }

    #[test]
    fn what_docker_refuses_is_refused_with_its_texts() {
        for (driver, option, text) in [
            (
                "json-file",
                "x=1",
                "unknown log opt 'x' for json-file log driver",
            ),
            ("local", "한", "unknown log opt '한' for local log driver"),
            (
                "json-file",
                "max-size=0",
                "max-size must be a positive number",
            ),
            ("json-file", "max-size=x", "invalid size: 'x'"),
            ("json-file", "max-size", "invalid size: ''"),
            ("json-file", "max-file=0", "max-file cannot be less than 1"),
            ("json-file", "max-file=-5", "max-file cannot be less than 1"),
            (
                "json-file",
                "max-file=501",
                "max-file cannot be more than 500",
            ),
            (
                "json-file",
                "max-file=two",
                "invalid value for max-file: \"two\"",
            ),
            (
                "json-file",
                "compress=true",
                "log opt 'compress=true' is not supported",
            ),
            (
                "none",
                "max-size=1m",
                "invalid logging opts for driver none",
            ),
            (
                "syslog",
                "x=1",
                "logger: no log driver named 'syslog' is registered",
            ),
        ] {
            assert_eq!(parse(driver, &[option]), Err(text.to_owned()), "{option}");
        }
    }

    #[test]
    fn options_are_stored_under_dockers_names() {
        let text = serde_json::to_string(&LogOptions::default()).unwrap();
        assert_eq!(
            text,
            r#"{"driver":"json-file","max_size":null,"max_file":1}"#
        );
        assert_eq!(
            serde_json::from_str::<LogOptions>(&text).unwrap(),
            LogOptions::default()
        );
    }
}
