//! Block devices and how fast they may be used.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::{
    ident::{Units, parse_size},
    sys::{FileKind, metadata_at},
};

/// A block device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// By its path below `/dev/`.
    Path(String),
    /// By its number.
    Number {
        /// Which driver.
        major: u64,
        /// Which of its devices.
        minor: u64,
    },
}

/// A device and how many bytes or operations a second; 0 is without limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRate {
    /// The device.
    pub device: Device,
    /// Bytes or operations a second.
    pub rate: u64,
}

impl Device {
    /// Its number, looked up now: a path may name another device after the next boot.
    pub fn number(&self) -> Result<(u64, u64), Error> {
        let path = match self {
            Device::Number { major, minor } => return Ok((*major, *minor)),
            Device::Path(path) => path,
        };
        let metadata = metadata_at(Path::new(path)).map_err(|source| Error::Device {
            path: path.clone(),
            source,
        })?;
        if metadata.kind() == FileKind::BlockDevice {
            Ok(metadata.device_number())
        } else {
            Err(Error::NotBlockDevice { path: path.clone() })
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
        if let Some((major, minor)) = text.split_once(':')
            && let (Some(major), Some(minor)) = (number(major), number(minor))
        {
            return Ok(Device::Number { major, minor });
        }
        if text.starts_with("/dev/") && !text.contains('\0') {
            return Ok(Device::Path(text.to_owned()));
        }
        let text = text.to_owned();
        Err(Error::DevicePath { text })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Path(path) => f.write_str(path),
            Device::Number { major, minor } => write!(f, "{major}:{minor}"),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> String {
        device.to_string()
    }
}

impl DeviceRate {
    /// `/dev/sda:100`: operations a second, without a unit.
    pub fn parse_operations(text: &str) -> Result<Self, Error> {
        let plain = |rate: &str| {
            let digits = rate.bytes().all(|byte| byte.is_ascii_digit());
            rate.parse().ok().filter(|_| digits)
        };
        Self::parse(text, plain, "<number>")
    }

    /// The device ends at the last colon: names below `/dev/disk` have colons in them.
    fn parse(
        text: &str,
        rate: impl Fn(&str) -> Option<u64>,
        format: &'static str,
    ) -> Result<Self, Error> {
        let owned = || text.to_owned();
        let (device, number) = text
            .rsplit_once(':')
            .filter(|(device, _)| !device.is_empty())
            .ok_or_else(|| Error::DeviceFormat { text: owned() })?;
        let device = device
            .parse()
            .map_err(|_| Error::DevicePath { text: owned() })?;
        let rate = rate(number).ok_or_else(|| Error::Rate {
            text: owned(),
            format,
        })?;
        Ok(Self { device, rate })
    }
}

impl FromStr for DeviceRate {
    type Err = Error;

    /// `/dev/sda:1mb` or `8:0:1mb`: bytes a second.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(
            text,
            |text| parse_size(text, Units::Binary),
            "<number>[<unit>]",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_its_rate_are_read() {
        for (text, device, rate) in [
            ("/dev/loop0:1mb", "/dev/loop0", 1 << 20),
            ("/dev/sda:0", "/dev/sda", 0),
            ("7:0:1k", "7:0", 1024),
            (
                "/dev/disk/by-path/pci-0:0:1.5k",
                "/dev/disk/by-path/pci-0:0",
                1536,
            ),
        ] {
            let parsed: DeviceRate = text.parse().unwrap();
            assert_eq!(
                (parsed.device.to_string().as_str(), parsed.rate),
                (device, rate)
            );
        }
        let parsed = DeviceRate::parse_operations("/dev/sda:100").unwrap();
        assert_eq!(parsed.rate, 100);
    }

    #[test]
    fn bad_devices_and_rates_have_dockers_texts() {
        for (text, wanted) in [
            ("/dev/loop0", "bad format: /dev/loop0"),
            ("", "bad format: "),
            (":1m", "bad format: :1m"),
            ("loop0:1m", "bad format for device path: loop0:1m"),
            ("/tmp/한:1m", "bad format for device path: /tmp/한:1m"),
            (
                "/dev/loop0:1x",
                "invalid rate for device: /dev/loop0:1x. The correct format is \
                 <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional \
                 and can be kb, mb, or gb",
            ),
        ] {
            let error = text.parse::<DeviceRate>().unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
        for text in [
            "/dev/loop0:1m",
            "/dev/loop0:-1",
            "/dev/loop0:+1",
            "/dev/loop0:",
        ] {
            let error = DeviceRate::parse_operations(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "invalid rate for device: {text}. The correct format is \
                     <device-path>:<number>. Number must be a positive integer"
                )
            );
        }
    }

    #[test]
    fn what_is_no_block_device_is_an_error() {
        let number = |text: &str| text.parse::<Device>().unwrap().number();
        assert_eq!(number("7:3").unwrap(), (7, 3));
        assert!(matches!(
            number("/dev/null"),
            Err(Error::NotBlockDevice { .. })
        ));
        assert!(matches!(
            number("/dev/no-such-disk"),
            Err(Error::Device { .. })
        ));
    }
}
