//! `HEALTHCHECK …`: the one Dockerfile instruction whose field the OCI's config does not have.

use super::{Error, HealthCheck};
use crate::ident::{parse_duration, parse_integer};

/// The check that a Dockerfile instruction sets; `None` for every other instruction.
pub fn health_change(text: &str) -> Option<Result<HealthCheck, Error>> {
    let (word, rest) = text.trim().split_once(char::is_whitespace)?;
    if !word.eq_ignore_ascii_case("HEALTHCHECK") {
        return None;
    }
    Some(parse(rest).map_err(|why| Error::Change {
        text: text.to_owned(),
        why,
    }))
}

fn parse(text: &str) -> Result<HealthCheck, String> {
    let mut check = HealthCheck::default();
    let mut rest = text.trim();
    while rest.starts_with("--") {
        let (flag, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        set(&mut check, flag)?;
        rest = tail.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim();
    match kind.to_ascii_uppercase().as_str() {
        "NONE" if command.is_empty() => Ok(HealthCheck::none()),
        "NONE" => Err("HEALTHCHECK NONE takes no arguments".to_owned()),
        "CMD" if command.is_empty() => Err("Missing command after HEALTHCHECK CMD".to_owned()),
        "CMD" => {
            let words = command
                .starts_with('[')
                .then(|| serde_json::from_str(command));
            check.test = match words {
                Some(Ok(words)) => [vec!["CMD".to_owned()], words].concat(),
                Some(Err(_)) | None => vec!["CMD-SHELL".to_owned(), command.to_owned()],
            };
            Ok(check)
        }
        "" => Err("HEALTHCHECK requires at least one argument".to_owned()),
        kind => Err(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)")),
    }
}

fn set(check: &mut HealthCheck, flag: &str) -> Result<(), String> {
    let Some((name, value)) = flag.split_once('=') else {
        return Err(format!("Missing a value on flag: {}", &flag[2..]));
    };
    let field = match name {
        "--interval" => &mut check.interval,
        "--timeout" => &mut check.timeout,
        "--start-period" => &mut check.start_period,
        "--start-interval" => &mut check.start_interval,
        "--retries" => {
            check.retries = parse_integer(value)
                .map_err(|why| format!("strconv.ParseInt: parsing {value:?}: {why}"))?;
            return if check.retries < 0 {
                Err(format!("--retries cannot be negative ({})", check.retries))
            } else {
                Ok(())
            };
        }
        _ => return Err(format!("Unknown flag: {}", &name[2..])),
    };
    *field = parse_duration(value).map_err(|error| error.to_string())?;
    if (HealthCheck {
        interval: *field,
        ..HealthCheck::default()
    })
    .broken_rule()
    .is_some()
    {
        return Err(format!("Interval {value:?} cannot be less than 1ms"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_of_dockerfiles_is_understood() {
        let probe = |text: &str| health_change(text).unwrap().unwrap().test;
        assert_eq!(probe("HEALTHCHECK NONE"), ["NONE"]);
        assert_eq!(
            probe("healthcheck cmd a  \"b c\""),
            ["CMD-SHELL", "a  \"b c\""]
        );
        assert_eq!(
            probe("HEALTHCHECK CMD [\"a\", \"b c\"]"),
            ["CMD", "a", "b c"]
        );
        let text = "HEALTHCHECK --interval=5m --timeout=3s --start-period=1s \
                    --start-interval=100ms --retries=2 CMD true";
        let wanted = HealthCheck {
            test: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
            interval: 300_000_000_000,
            timeout: 3_000_000_000,
            start_period: 1_000_000_000,
            start_interval: 100_000_000,
            retries: 2,
        };
        assert_eq!(health_change(text).unwrap().unwrap(), wanted);
        assert!(health_change("CMD true").is_none());
        assert!(health_change("HEALTHCHECKS CMD x").is_none());
    }

    #[test]
    fn what_cannot_be_understood_is_refused_in_dockers_words() {
        for (text, why) in [
            ("NONE x", "HEALTHCHECK NONE takes no arguments"),
            ("CMD", "Missing command after HEALTHCHECK CMD"),
            ("curl x", "Unknown type \"CURL\" in HEALTHCHECK (try CMD)"),
            (
                "--interval=1s",
                "HEALTHCHECK requires at least one argument",
            ),
            ("--interval CMD x", "Missing a value on flag: interval"),
            ("--often=1s CMD x", "Unknown flag: often"),
            (
                "--timeout=1us CMD x",
                "Interval \"1us\" cannot be less than 1ms",
            ),
            ("--timeout=5 CMD x", "time: missing unit in duration \"5\""),
            ("--retries=-1 CMD x", "--retries cannot be negative (-1)"),
            (
                "--retries=x CMD x",
                "strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), why);
        }
    }
}
