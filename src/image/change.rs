//! `-c "CMD …"`: Dockerfile instructions applied to a config, as `docker import -c` does.

use std::collections::HashMap;

use oci_spec::image::Config;

use super::Error;

/// Applies one instruction.
pub fn apply(config: &mut Config, text: &str) -> Result<(), Error> {
    let bad = |why: &str| Error::Change {
        text: text.to_owned(),
        why: why.to_owned(),
    };
    let (word, rest) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text.trim(), ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(bad("it needs an argument"));
    }
    let not_pairs = || bad("it must be KEY=value");
    match word.to_ascii_uppercase().as_str() {
        "CMD" => drop(config.set_cmd(Some(command(rest)))),
        "ENTRYPOINT" => drop(config.set_entrypoint(Some(command(rest)))),
        "ENV" => add_variables(config, pairs(rest).ok_or_else(not_pairs)?),
        "LABEL" => {
            let mut all: HashMap<_, _> = config.labels().clone().unwrap_or_default();
            all.extend(pairs(rest).ok_or_else(not_pairs)?);
            config.set_labels(Some(all));
        }
        "VOLUME" => {
            let mut volumes = config.volumes().clone().unwrap_or_default();
            volumes.extend(words(rest));
            config.set_volumes(Some(volumes));
        }
        "EXPOSE" => {
            let mut ports = config.exposed_ports().clone().unwrap_or_default();
            let port = |port: String| {
                if port.contains('/') {
                    port
                } else {
                    format!("{port}/tcp")
                }
            };
            ports.extend(words(rest).into_iter().map(port));
            config.set_exposed_ports(Some(ports));
        }
        "WORKDIR" => drop(config.set_working_dir(Some(rest.to_owned()))),
        "USER" => drop(config.set_user(Some(rest.to_owned()))),
        "STOPSIGNAL" => drop(config.set_stop_signal(Some(rest.to_owned()))),
        _ => return Err(bad("this instruction is not one of them")),
    }
    Ok(())
}

fn add_variables(config: &mut Config, variables: Vec<(String, String)>) {
    let mut env = config.env().clone().unwrap_or_default();
    for (key, value) in variables {
        env.retain(|old| old.split('=').next() != Some(key.as_str()));
        env.push(format!("{key}={value}"));
    }
    config.set_env(Some(env));
}

/// `["a", "b"]` as it is, anything else through the shell.
fn command(text: &str) -> Vec<String> {
    json_words(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn json_words(text: &str) -> Option<Vec<String>> {
    text.starts_with('[')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn words(text: &str) -> Vec<String> {
    json_words(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}

/// `a=b c="d e"`, or the old form `a b c` for one variable.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let first = text.split_whitespace().next()?;
    if !first.contains('=') {
        let (key, value) = text.split_once(char::is_whitespace)?;
        return Some(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    split_quoted(text)
        .iter()
        .map(|word| {
            let (key, value) = word.split_once('=')?;
            (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Words separated by space, quotes taken off.
fn split_quoted(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, '\\') if quote != Some('\'') => word.get_or_insert_default().extend(chars.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changes: &[&str]) -> Config {
        let mut config = Config::default();
        for change in changes {
            apply(&mut config, change).unwrap();
        }
        config
    }

    #[test]
    fn commands_are_lists_or_go_through_the_shell() {
        let config = changed(&["CMD [\"a\", \"b c\"]", "entrypoint echo hi"]);
        assert_eq!(config.cmd().clone().unwrap(), ["a", "b c"]);
        assert_eq!(
            config.entrypoint().clone().unwrap(),
            ["/bin/sh", "-c", "echo hi"]
        );
    }

    #[test]
    fn variables_replace_those_of_the_same_name() {
        let config = changed(&["ENV A=1 B=\"two words\"", "ENV A 3 and more", "ENV C='x y'"]);
        assert_eq!(
            config.env().clone().unwrap(),
            ["B=two words", "A=3 and more", "C=x y"]
        );
    }

    #[test]
    fn volumes_ports_and_labels_add_up() {
        let config = changed(&[
            "VOLUME /a /b",
            "VOLUME [\"/c d\"]",
            "EXPOSE 80 53/udp",
            "LABEL k=v",
        ]);
        assert_eq!(config.volumes().clone().unwrap(), ["/a", "/b", "/c d"]);
        assert_eq!(
            config.exposed_ports().clone().unwrap(),
            ["80/tcp", "53/udp"]
        );
        assert_eq!(config.labels().clone().unwrap()["k"], "v");
    }

    #[test]
    fn other_instructions_are_refused() {
        for text in ["RUN x", "CMD", "", "ENV =x", "ENV A"] {
            assert!(apply(&mut Config::default(), text).is_err(), "{text}");
        }
    }
}
