//! What the history shows of a step, as Docker's classic builder writes it.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{ident::show_duration, image::HealthCheck};

/// An instruction that runs nothing.
pub(super) fn nothing_run(shell: &[String], text: &str) -> String {
    format!("{} #(nop)  {text}", shell.join(" "))
}

/// `COPY`, `ADD` and `WORKDIR`, with one space.
pub(super) fn files(shell: &[String], text: &str) -> String {
    format!("{} #(nop) {text}", shell.join(" "))
}

/// A command and the build arguments that it saw.
pub(super) fn command(arguments: &BTreeMap<String, String>, words: &[String]) -> String {
    let mut text = String::new();
    if !arguments.is_empty() {
        write!(text, "|{} ", arguments.len()).ok();
        for (name, value) in arguments {
            write!(text, "{name}={value} ").ok();
        }
    }
    text + &words.join(" ")
}

/// `["a" "b c"]`, as Go's `%q` writes a list.
pub(super) fn quoted_list(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(" "))
}

fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => push_escaped(&mut out, c),
        }
    }
    out + "\""
}

fn push_escaped(out: &mut String, c: char) {
    let short = match c {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        c if (c as u32) < 0x80 && c.is_control() => {
            write!(out, "\\x{:02x}", c as u32).ok();
            return;
        }
        c if c.is_control() => {
            write!(out, "\\u{:04x}", c as u32).ok();
            return;
        }
        c => {
            out.push(c);
            return;
        }
    };
    out.push_str(short);
}

/// A check as Go's `%q` writes the struct, its number of retries as a character.
pub(super) fn health(check: &HealthCheck) -> String {
    let mut retries = String::new();
    match u32::try_from(check.retries).ok().and_then(char::from_u32) {
        Some('\'') => retries.push_str("\\'"),
        Some('\\') => retries.push_str("\\\\"),
        Some(c) => push_escaped(&mut retries, c),
        None => retries.push('\u{fffd}'),
    }
    format!(
        "HEALTHCHECK &{{{} {} {} {} '{retries}'}}",
        quoted_list(&check.test),
        quoted(&show_duration(check.interval)),
        quoted(&show_duration(check.timeout)),
        quoted(&show_duration(check.start_period)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    /// Each was seen on a real engine.
    #[test]
    fn lines_are_those_of_the_classic_builder() {
        let shell = texts(&["/bin/sh", "-c"]);
        assert_eq!(
            nothing_run(&shell, "EXPOSE 443/udp 80"),
            "/bin/sh -c #(nop)  EXPOSE 443/udp 80"
        );
        assert_eq!(files(&shell, "WORKDIR /w"), "/bin/sh -c #(nop) WORKDIR /w");
        let arguments = [("V", "2"), ("W", "x2")];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            command(&arguments.into(), &texts(&["/bin/sh", "-c", "echo $V"])),
            "|2 V=2 W=x2 /bin/sh -c echo $V"
        );
        assert_eq!(
            quoted_list(&texts(&["/bin/sh", "a \"b\"\n"])),
            "[\"/bin/sh\" \"a \\\"b\\\"\\n\"]"
        );
        let check = HealthCheck {
            test: texts(&["CMD", "a", "b c"]),
            interval: 60_000_000_000,
            timeout: 3_000_000_000,
            start_period: 1_000_000_000,
            retries: 2,
            ..HealthCheck::default()
        };
        assert_eq!(
            health(&check),
            "HEALTHCHECK &{[\"CMD\" \"a\" \"b c\"] \"1m0s\" \"3s\" \"1s\" '\\x02'}"
        );
        assert_eq!(
            health(&HealthCheck::none()),
            "HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" '\\x00'}"
        );
    }
}
