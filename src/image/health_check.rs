//! `HealthCheck`: how one finds out whether what runs in a container works, as Docker keeps it.

use serde::{Deserialize, Serialize};

use crate::ident::show_duration;

/// A check of an image or a container. Times are nanoseconds; 0 is the default of Docker's, or what
/// the image says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `NONE`, `CMD` and a program with its arguments, or `CMD-SHELL` and a script.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub test: Vec<String>,
    /// From the end of a probe to the next.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// What takes longer has failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// So long after the start failures do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// The interval in the start period.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// So many failures in a row make a container unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// Docker's shortest time: a millisecond.
const SHORTEST: i64 = 1_000_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

impl HealthCheck {
    /// No check at all, whatever an image says.
    pub fn none() -> Self {
        Self {
            test: vec!["NONE".to_owned()],
            ..Self::default()
        }
    }

    /// What the user said, and the image's where the user said nothing.
    #[must_use]
    pub fn or(self, image: &Self) -> Self {
        let either = |own, theirs| if own == 0 { theirs } else { own };
        Self {
            test: if self.test.is_empty() {
                image.test.clone()
            } else {
                self.test
            },
            interval: either(self.interval, image.interval),
            timeout: either(self.timeout, image.timeout),
            start_period: either(self.start_period, image.start_period),
            start_interval: either(self.start_interval, image.start_interval),
            retries: either(self.retries, image.retries),
        }
    }

    /// Docker's rule that is broken, if one is.
    pub fn broken_rule(&self) -> Option<String> {
        let times = [
            ("Interval", self.interval),
            ("Timeout", self.timeout),
            ("StartPeriod", self.start_period),
            ("StartInterval", self.start_interval),
        ];
        let short = times
            .iter()
            .find(|(_, time)| *time != 0 && *time < SHORTEST);
        if let Some((name, _)) = short {
            let least = show_duration(SHORTEST);
            return Some(format!("{name} in Healthcheck cannot be less than {least}"));
        }
        (self.retries < 0).then(|| "Retries in Healthcheck cannot be negative".to_owned())
    }

    /// Program and arguments of a probe; `None` where there is nothing to do. An empty `shell` is
    /// Docker's.
    pub fn command(&self, shell: &[String]) -> Option<Vec<String>> {
        let (kind, rest) = self.test.split_first()?;
        let shell: &[String] = match (kind.as_str(), shell) {
            ("CMD", _) => &[],
            ("CMD-SHELL", []) => &["/bin/sh".to_owned(), "-c".to_owned()],
            ("CMD-SHELL", shell) => shell,
            _ => return None,
        };
        (!rest.is_empty()).then(|| [shell, rest].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> HealthCheck {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn documents_of_docker_are_read_and_written() {
        let text = r#"{"Test":["CMD","a b"],"Interval":30000000000,"Retries":2}"#;
        assert_eq!(serde_json::to_string(&check(text)).unwrap(), text);
        assert_eq!(check(text).interval, 30_000_000_000);
        assert_eq!(
            check(r#"{"Test":null,"Unknown":1}"#),
            HealthCheck::default()
        );
    }

    #[test]
    fn what_the_user_leaves_out_is_the_images() {
        let image = check(r#"{"Test":["CMD","i"],"Interval":1,"Timeout":2,"Retries":3}"#);
        let user = check(r#"{"Timeout":9,"StartPeriod":8}"#);
        let wanted = r#"{"Test":["CMD","i"],"Interval":1,"Timeout":9,"StartPeriod":8,"Retries":3}"#;
        assert_eq!(user.or(&image), check(wanted));
        assert_eq!(HealthCheck::none().or(&image).test, ["NONE"]);
    }

    #[test]
    fn short_times_and_negative_counts_break_dockers_rules() {
        for (text, rule) in [
            (
                r#"{"Interval":-5}"#,
                "Interval in Healthcheck cannot be less than 1ms",
            ),
            (
                r#"{"Timeout":999999}"#,
                "Timeout in Healthcheck cannot be less than 1ms",
            ),
            (
                r#"{"StartInterval":1}"#,
                "StartInterval in Healthcheck cannot be less than 1ms",
            ),
            (
                r#"{"Retries":-1}"#,
                "Retries in Healthcheck cannot be negative",
            ),
        ] {
            assert_eq!(check(text).broken_rule().unwrap(), rule);
        }
        assert_eq!(check(r#"{"Interval":1000000}"#).broken_rule(), None);
    }

    #[test]
    fn a_script_goes_through_the_shell_and_nothing_is_no_probe() {
        let command = |text: &str, shell: &[&str]| {
            let shell: Vec<_> = shell.iter().map(ToString::to_string).collect();
            check(text).command(&shell)
        };
        let script = r#"{"Test":["CMD-SHELL","x || exit 1"]}"#;
        assert_eq!(
            command(script, &[]).unwrap(),
            ["/bin/sh", "-c", "x || exit 1"]
        );
        assert_eq!(
            command(script, &["bash", "-lc"]).unwrap()[..2],
            ["bash", "-lc"]
        );
        let program = r#"{"Test":["CMD","x","y"]}"#;
        assert_eq!(command(program, &["bash", "-c"]).unwrap(), ["x", "y"]);
        for text in [
            "[]",
            "[\"NONE\"]",
            "[\"CMD\"]",
            "[\"CMD-SHELL\"]",
            "[\"한\",\"x\"]",
        ] {
            assert_eq!(
                command(&format!("{{\"Test\":{text}}}"), &[]),
                None,
                "{text}"
            );
        }
    }
}
