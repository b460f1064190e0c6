//! The flags that say how one finds out whether a container works, shared by `run` and `create`.

use clap::Args;
use cowshed::{
    ident::{parse_duration, parse_integer},
    image::HealthCheck,
};

use crate::cli::report::Exit;

#[derive(Debug, Args)]
#[command(next_help_heading = "Health")]
pub(crate) struct HealthArgs {
    /// Script that finds out whether the container works: 0 says so
    #[arg(long, value_name = "SCRIPT", allow_hyphen_values = true)]
    health_cmd: Option<String>,
    /// Time from the end of a probe to the next (default 30s)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_interval: Option<String>,
    /// What takes longer has failed (default 30s)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_timeout: Option<String>,
    /// So many failures in a row make it unhealthy (default 3)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    health_retries: Option<String>,
    /// So long after the start failures do not count (default 0s)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_start_period: Option<String>,
    /// The interval in the start period (default 5s)
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    health_start_interval: Option<String>,
    /// No check, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
}

impl HealthArgs {
    /// What the user said about the check; `None` where that was nothing. Zeroes say nothing.
    pub(crate) fn check(&self) -> Result<Option<HealthCheck>, Exit> {
        let script = self.health_cmd.clone().filter(|script| !script.is_empty());
        let [interval, timeout] = [&self.health_interval, &self.health_timeout];
        let [period, pause] = [&self.health_start_period, &self.health_start_interval];
        let check = HealthCheck {
            test: script.map_or(Vec::new(), |script| vec!["CMD-SHELL".to_owned(), script]),
            interval: time("--health-interval", interval.as_ref())?,
            timeout: time("--health-timeout", timeout.as_ref())?,
            start_period: time("--health-start-period", period.as_ref())?,
            start_interval: time("--health-start-interval", pause.as_ref())?,
            retries: count("--health-retries", self.health_retries.as_ref())?,
        };
        let nothing = check == HealthCheck::default();
        match (self.no_healthcheck, nothing) {
            (true, true) => return Ok(Some(HealthCheck::none())),
            (true, false) => {
                let what = "--no-healthcheck conflicts with --health-* options";
                return Err(Exit::usage(what));
            }
            (false, _) => {}
        }
        for (flag, number) in [
            ("--health-interval", check.interval),
            ("--health-timeout", check.timeout),
            ("--health-retries", check.retries),
            ("--health-start-period", check.start_period),
            ("--health-start-interval", check.start_interval),
        ] {
            if number < 0 {
                return Err(Exit::usage(format!("{flag} cannot be negative")));
            }
        }
        Ok((!nothing).then_some(check))
    }
}

fn time(flag: &str, text: Option<&String>) -> Result<i64, Exit> {
    let parse = |text: &str| parse_duration(text).map_err(|error| error.to_string());
    value(flag, text, parse)
}

fn count(flag: &str, text: Option<&String>) -> Result<i64, Exit> {
    let parse = |text: &str| {
        parse_integer(text).map_err(|why| format!("strconv.ParseInt: parsing {text:?}: {why}"))
    };
    value(flag, text, parse)
}

fn value(
    flag: &str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Result<i64, String>,
) -> Result<i64, Exit> {
    let Some(text) = text else { return Ok(0) };
    parse(text).map_err(|why| {
        Exit::usage(format!(
            "invalid argument {text:?} for \"{flag}\" flag: {why}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(name = "cowshed")]
    struct Line {
        #[command(flatten)]
        health: HealthArgs,
    }

    fn check(line: &str) -> Result<Option<HealthCheck>, Exit> {
        let words = std::iter::once("cowshed").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().health.check()
    }

    #[test]
    fn every_flag_becomes_a_part_of_the_check() {
        let line = "--health-cmd true --health-interval 4.5s --health-timeout 2s \
                    --health-retries 4 --health-start-period 1m --health-start-interval 100ms";
        let wanted = HealthCheck {
            test: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
            interval: 4_500_000_000,
            timeout: 2_000_000_000,
            start_period: 60_000_000_000,
            start_interval: 100_000_000,
            retries: 4,
        };
        assert_eq!(check(line).unwrap(), Some(wanted));
        let none = Some(HealthCheck::none());
        assert_eq!(check("--no-healthcheck").unwrap(), none);
        assert_eq!(check("").unwrap(), None);
        assert_eq!(check("--health-cmd= --health-interval 0").unwrap(), None);
    }

    #[test]
    fn bad_values_have_dockers_texts() {
        let conflict = "--no-healthcheck conflicts with --health-* options";
        for (line, wanted) in [
            ("--no-healthcheck --health-cmd x", conflict),
            ("--no-healthcheck --health-retries 2", conflict),
            (
                "--health-interval -1s",
                "--health-interval cannot be negative",
            ),
            ("--health-retries -1", "--health-retries cannot be negative"),
            ("--health-timeout 5", "time: missing unit in duration"),
            ("--health-retries x", "strconv.ParseInt: parsing"),
        ] {
            let said = format!("{:?}", check(line).unwrap_err());
            assert!(said.contains(wanted), "{said}");
        }
    }
}
