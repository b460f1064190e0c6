//! `Platform`: which of several builds of an image is meant.

use std::{fmt, str::FromStr};

use super::{Error, ImageConfig, manifest::host_architecture};

/// `os/architecture[/variant]`, in Go's words: `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Mostly `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `v7`; empty where it does not matter.
    pub variant: String,
}

impl Platform {
    /// This machine's.
    pub fn of_host() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: host_architecture().to_owned(),
            variant: String::new(),
        }
    }

    /// An image's own, as its config tells it; that says nothing of a variant.
    pub fn of_image(config: &ImageConfig) -> Self {
        Self {
            os: config.os.clone(),
            architecture: config.architecture.clone(),
            variant: String::new(),
        }
    }

    /// Whether an image that is here is of this platform, as far as its config tells.
    pub fn is_met_by(&self, image: &Platform) -> bool {
        (&self.os, &self.architecture) == (&image.os, &image.architecture)
    }

    /// How well a build fits, the less the better; `None` where it does not.
    ///
    /// Who asks for no variant takes the usual one: `v8` of arm64, `v7` of arm.
    pub fn distance(&self, build: &Platform) -> Option<u32> {
        if (&self.os, &self.architecture) != (&build.os, &build.architecture) {
            return None;
        }
        let usual = match self.architecture.as_str() {
            "arm64" => "v8",
            "arm" => "v7",
            "amd64" => "v1",
            _ => "",
        };
        let or_usual = |variant: &str| match variant {
            "" => usual.to_owned(),
            given => given.to_owned(),
        };
        let (wanted, found) = (or_usual(&self.variant), or_usual(&build.variant));
        if wanted == found {
            return Some(0);
        }
        // An older variant runs on a newer machine.
        let number = |variant: &str| variant.strip_prefix('v')?.parse::<u32>().ok();
        number(&wanted)?
            .checked_sub(number(&found)?)
            .filter(|distance| *distance > 0)
    }
}

/// Go's names of what Linux runs on, and the machines' own names for some.
const ARCHITECTURES: [&str; 22] = [
    "386", "aarch64", "amd64", "arm", "arm64", "armel", "armhf", "i386", "i686", "loong64", "mips",
    "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm", "x86",
    "x86-64", "x86_64",
];

impl FromStr for Platform {
    type Err = Error;

    /// A bare architecture is of Linux, as in Docker; the machine's own names are Go's.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Platform {
            text: text.to_owned(),
        };
        let word = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<_> = lower.split('/').collect();
        if !parts.iter().all(word) {
            return Err(bad());
        }
        let (os, architecture, variant) = match parts[..] {
            ["linux"] => return Ok(Self::of_host()),
            // A single word must be one that is known: Docker takes no other.
            [architecture] if ARCHITECTURES.contains(&architecture) => ("linux", architecture, ""),
            [os, architecture] => (os, architecture, ""),
            [os, architecture, variant] => (os, architecture, variant),
            _ => return Err(bad()),
        };
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64", variant) => ("arm64", variant),
            ("i386" | "i686" | "x86", variant) => ("386", variant),
            ("armhf", "") => ("arm", "v7"),
            ("armel", "") => ("arm", "v6"),
            as_it_is => as_it_is,
        };
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn platforms_are_written_in_several_ways() {
        for (typed, meant) in [
            ("linux/amd64", "linux/amd64"),
            ("arm64", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("Linux/x86_64", "linux/amd64"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("armhf", "linux/arm/v7"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(platform(typed).to_string(), meant);
        }
        for bad in ["", "/", "linux/", "a/b/c/d", "linux/한글", "linux amd64"] {
            assert!(matches!(
                bad.parse::<Platform>(),
                Err(Error::Platform { .. })
            ));
        }
    }

    #[test]
    fn the_nearest_variant_wins_and_a_newer_one_does_not_fit() {
        for (wanted, build, distance) in [
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm64/v8", "linux/arm64", Some(0)),
            ("linux/arm/v7", "linux/arm/v6", Some(1)),
            ("linux/arm", "linux/arm/v5", Some(2)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/amd64", "linux/arm64", None),
            ("linux/amd64", "windows/amd64", None),
        ] {
            let found = platform(wanted).distance(&platform(build));
            assert_eq!(found, distance, "{wanted} {build}");
        }
    }
}
