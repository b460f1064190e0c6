//! Signals as users name them; pure.

use nix::sys::signal::Signal;

use super::Error;

/// Linux's first and last real-time signals as programs see them (signal(7)): glibc keeps two.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3`. Docker's text.
pub fn parse(text: &str) -> Result<i32, Error> {
    let bad = || Error::Usage {
        what: format!("invalid signal: {text}"),
    };
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=*REAL_TIME.end()).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(number) = real_time(name) {
        return Ok(number);
    }
    let signal = match name {
        "CLD" => Ok(Signal::SIGCHLD),
        "POLL" => Ok(Signal::SIGIO),
        name => format!("SIG{name}").parse::<Signal>(),
    };
    signal.map(|signal| signal as i32).map_err(|_| bad())
}

fn real_time(name: &str) -> Option<i32> {
    let (base, rest) = if let Some(rest) = name.strip_prefix("RTMIN") {
        (*REAL_TIME.start(), rest)
    } else {
        (*REAL_TIME.end(), name.strip_prefix("RTMAX")?)
    };
    let offset = if rest.is_empty() {
        0
    } else if rest.starts_with(['+', '-']) {
        rest.parse::<i32>().ok()?
    } else {
        return None;
    };
    Some(base.checked_add(offset)?).filter(|number| REAL_TIME.contains(number))
}

/// `SIGTERM` for 15; a number where there is no name.
pub fn name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_real_time_signals() {
        for (text, wanted) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigkill", 9),
            ("hup", 1),
            ("9", 9),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("CLD", 17),
        ] {
            assert_eq!(parse(text).unwrap(), wanted, "{text}");
        }
        for bad in [
            "", "0", "65", "-9", "SIG", "NOSUCH", "RTMIN+99", "RTMIN3", "9x", "종료",
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("invalid signal: {bad}"));
        }
    }
}
