//! Instructions that only change the configuration, and what is said of them. Pure.

use super::{
    Error,
    arguments::Arguments,
    created_by::{health, nothing_run, quoted_list},
    ports,
    stage::State,
};
use crate::{
    container::parse_signal,
    dockerfile::{ArgDefinition, Command, Expander, Instruction, clean},
    image::health_change,
};

/// A step that is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deed {
    /// For the history.
    pub(super) created_by: String,
    /// For the cache: no two instructions that differ have the same.
    pub(super) words: Vec<String>,
    /// `MAINTAINER`
    pub(super) author: Option<String>,
}

/// Where an instruction stands and what it may use.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) arguments: &'a mut Arguments,
    pub(super) escape: char,
    pub(super) line: usize,
}

/// Changes the configuration; `None` for instructions that do more.
pub(super) fn change(
    state: &mut State,
    instruction: &Instruction,
    scene: &mut Scene<'_>,
) -> Result<Option<Deed>, Error> {
    let (text, words) = match instruction {
        Instruction::Run(_) | Instruction::Transfer(_) | Instruction::Workdir(_) => {
            return Ok(None);
        }
        Instruction::Env(pairs) => environment(state, pairs, scene)?,
        Instruction::Label(pairs) => labels(state, pairs, scene)?,
        Instruction::Arg(definitions) => declare(state, definitions, scene)?,
        Instruction::User(user) => {
            let user = word(state, user, scene)?;
            state.config.known.set_user(Some(user.clone()));
            (format!("USER {user}"), vec![user])
        }
        Instruction::Expose(ports) => expose(state, ports, scene)?,
        Instruction::Volume(volumes) => self::volumes(state, volumes, scene)?,
        Instruction::Cmd(command) => {
            let words = with_shell(state, command);
            state.config.known.set_cmd(Some(words.clone()));
            state.has_command = true;
            (format!("CMD {}", quoted_list(&words)), words)
        }
        Instruction::Entrypoint(command) => {
            let words = with_shell(state, command);
            let entrypoint = (!words.is_empty()).then(|| words.clone());
            state.config.known.set_entrypoint(entrypoint);
            if !state.has_command {
                state.config.known.set_cmd(None);
            }
            (format!("ENTRYPOINT {}", quoted_list(&words)), words)
        }
        Instruction::Shell(words) => {
            let shell = serde_json::json!(words);
            state.config.more.insert("Shell".to_owned(), shell);
            (format!("SHELL [{}]", words.join(" ")), words.clone())
        }
        Instruction::Healthcheck(text) => check(state, text)?,
        Instruction::StopSignal(signal) => {
            let signal = word(state, signal, scene)?;
            if parse_signal(&signal).is_err() {
                return Err(Error::refused(format!("Invalid signal: {signal}")));
            }
            state.config.known.set_stop_signal(Some(signal.clone()));
            (format!("STOPSIGNAL {signal}"), vec![signal])
        }
        Instruction::Onbuild(trigger) => {
            state.config.change(&format!("ONBUILD {trigger}"))?;
            (format!("ONBUILD {trigger}"), vec![trigger.clone()])
        }
        Instruction::Maintainer(name) => (format!("MAINTAINER {name}"), vec![name.clone()]),
    };
    let keyword = text.split(' ').next().unwrap_or_default().to_owned();
    let author = if let Instruction::Maintainer(name) = instruction {
        Some(name.clone())
    } else {
        None
    };
    Ok(Some(Deed {
        created_by: nothing_run(&state.shell(), &text),
        words: [vec![keyword], words].concat(),
        author,
    }))
}

type Told = (String, Vec<String>);

fn word(state: &State, text: &str, scene: &Scene<'_>) -> Result<String, Error> {
    state.expand(scene.arguments, scene.escape, |words| words.word(text))
}

/// Keys and values, all replaced by what was true before the instruction.
fn pairs(
    state: &State,
    pairs: &[(String, String)],
    scene: &Scene<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let expanded = |words: &Expander<'_>| {
        let pair = |(key, value): &(String, String)| Ok((words.word(key)?, words.word(value)?));
        pairs.iter().map(pair).collect::<Result<Vec<_>, String>>()
    };
    let found = state.expand(scene.arguments, scene.escape, expanded)?;
    match found.iter().find(|(key, _)| key.is_empty()) {
        Some(_) => Err(Error::refused("names can not be blank")),
        None => Ok(found),
    }
}

fn shown(pairs: &[(String, String)]) -> Vec<String> {
    let shown = pairs.iter().map(|(key, value)| format!("{key}={value}"));
    shown.collect()
}

fn environment(
    state: &mut State,
    given: &[(String, String)],
    scene: &Scene<'_>,
) -> Result<Told, Error> {
    let pairs = pairs(state, given, scene)?;
    for (key, value) in &pairs {
        state.set_variable(key, value);
    }
    let words = shown(&pairs);
    Ok((format!("ENV {}", words.join(" ")), words))
}

fn labels(state: &mut State, given: &[(String, String)], scene: &Scene<'_>) -> Result<Told, Error> {
    let pairs = pairs(state, given, scene)?;
    let mut all = state.config.known.labels().clone().unwrap_or_default();
    all.extend(pairs.iter().cloned());
    state.config.known.set_labels(Some(all));
    let words = shown(&pairs);
    Ok((format!("LABEL {}", words.join(" ")), words))
}

/// What was given with `--build-arg` is not part of it: it counts where it is used.
fn declare(
    state: &State,
    definitions: &[ArgDefinition],
    scene: &mut Scene<'_>,
) -> Result<Told, Error> {
    let mut words = Vec::new();
    for definition in definitions {
        let name = word(state, &definition.name, scene)?;
        let default = definition.default.as_deref();
        let default = default.map(|text| word(state, text, scene)).transpose()?;
        words.push(match &default {
            Some(default) => format!("{name}={default}"),
            None => name.clone(),
        });
        scene.arguments.declare(&ArgDefinition { name, default });
    }
    Ok((format!("ARG {}", words.join(" ")), words))
}

fn expose(state: &mut State, given: &[String], scene: &Scene<'_>) -> Result<Told, Error> {
    let mut words = Vec::new();
    for text in given {
        let more = state.expand(scene.arguments, scene.escape, |words| words.list(text))?;
        words.extend(more);
    }
    words.sort();
    let mut all = state
        .config
        .known
        .exposed_ports()
        .clone()
        .unwrap_or_default();
    for text in &words {
        all.extend(ports::expand(text).map_err(Error::refused)?);
    }
    all.sort();
    all.dedup();
    state.config.known.set_exposed_ports(Some(all));
    Ok((format!("EXPOSE {}", words.join(" ")), words))
}

fn volumes(state: &mut State, given: &[String], scene: &Scene<'_>) -> Result<Told, Error> {
    let mut words = Vec::new();
    for text in given {
        words.push(word(state, text, scene)?);
    }
    let mut all = state.config.known.volumes().clone().unwrap_or_default();
    for path in &words {
        if path.trim().is_empty() {
            return Err(Error::refused(
                "VOLUME specified can not be an empty string",
            ));
        }
        if !all.contains(path) {
            all.push(path.clone());
        }
        let place = clean(&format!("/{path}"));
        state.volumes.entry(place).or_insert(scene.line);
    }
    all.sort();
    state.config.known.set_volumes(Some(all));
    Ok((format!("VOLUME [{}]", words.join(" ")), words))
}

fn check(state: &mut State, text: &str) -> Result<Told, Error> {
    let check = match health_change(&format!("HEALTHCHECK {text}")) {
        Some(Ok(check)) => check,
        Some(Err(crate::image::Error::Change { why, .. })) => return Err(Error::refused(why)),
        Some(Err(error)) => return Err(error.into()),
        None => return Err(Error::refused("HEALTHCHECK requires at least one argument")),
    };
    state.config.set_health(&check)?;
    let value = serde_json::to_string(&check).unwrap_or_default();
    Ok((health(&check), vec![value]))
}

/// A script goes to the shell of this moment.
pub(super) fn with_shell(state: &State, command: &Command) -> Vec<String> {
    match command {
        Command::Exec(words) => words.clone(),
        Command::Shell(script) => {
            let mut words = state.shell();
            words.push(script.clone());
            words
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse_trigger;

    /// The configuration and the last line of history after these instructions.
    fn after(lines: &[&str]) -> Result<(State, Deed), Error> {
        let (mut state, _) = State::on(None, false);
        let (mut arguments, mut last) = (Arguments::default(), Deed::default());
        for (at, line) in lines.iter().enumerate() {
            let mut scene = Scene {
                arguments: &mut arguments,
                escape: '\\',
                line: at + 1,
            };
            let instruction = parse_trigger(line).unwrap();
            last = change(&mut state, &instruction, &mut scene)?.unwrap();
        }
        Ok((state, last))
    }

    fn text(lines: &[&str]) -> String {
        after(lines).unwrap().1.created_by
    }

    #[test]
    fn the_environment_is_replaced_by_what_was_before() {
        let (state, deed) = after(&["ENV A=1", "ENV A=2 B=$A C=\"x y\" D='$A'"]).unwrap();
        assert_eq!(state.variable("B").unwrap(), "1");
        assert_eq!(deed.created_by, "/bin/sh -c #(nop)  ENV A=2 B=1 C=x y D=$A");
        assert_eq!(deed.words, ["ENV", "A=2", "B=1", "C=x y", "D=$A"]);
        assert_eq!(
            text(&["ENV old form  value"]),
            "/bin/sh -c #(nop)  ENV old=form  value"
        );
    }

    #[test]
    fn commands_go_to_the_shell_of_their_moment() {
        let lines = ["SHELL [\"/bin/sh\",\"-ec\"]", "CMD echo x"];
        assert_eq!(
            text(&lines),
            "/bin/sh -ec #(nop)  CMD [\"/bin/sh\" \"-ec\" \"echo x\"]"
        );
        assert_eq!(text(&lines[..1]), "/bin/sh -ec #(nop)  SHELL [/bin/sh -ec]");
    }

    #[test]
    fn an_entrypoint_takes_the_command_of_the_base_away_and_no_other() {
        let (state, _) = after(&["CMD [\"b\"]", "ENTRYPOINT [\"a\"]"]).unwrap();
        assert_eq!(state.config.known.cmd().clone().unwrap(), ["b"]);
        let mut based = State::default();
        based.config.known.set_cmd(Some(vec!["old".to_owned()]));
        let mut arguments = Arguments::default();
        let mut scene = Scene {
            arguments: &mut arguments,
            escape: '\\',
            line: 1,
        };
        let entrypoint = parse_trigger("ENTRYPOINT x").unwrap();
        change(&mut based, &entrypoint, &mut scene).unwrap();
        assert_eq!(*based.config.known.cmd(), None);
    }

    #[test]
    fn lists_and_checks_are_told_as_docker_tells_them() {
        for (line, wanted) in [
            ("LABEL a=b \"c d\"=\"e f\"", "LABEL a=b c d=e f"),
            ("EXPOSE 80 443/udp", "EXPOSE 443/udp 80"),
            ("VOLUME /data /more", "VOLUME [/data /more]"),
            ("USER app", "USER app"),
            ("STOPSIGNAL SIGUSR1", "STOPSIGNAL SIGUSR1"),
            ("MAINTAINER me", "MAINTAINER me"),
            ("ARG FOO=bar", "ARG FOO=bar"),
            ("ONBUILD RUN echo onbuild", "ONBUILD RUN echo onbuild"),
            ("ENTRYPOINT []", "ENTRYPOINT []"),
            (
                "HEALTHCHECK --interval=5s CMD echo ok",
                "HEALTHCHECK &{[\"CMD-SHELL\" \"echo ok\"] \"5s\" \"0s\" \"0s\" '\\x00'}",
            ),
        ] {
            assert_eq!(text(&[line]), format!("/bin/sh -c #(nop)  {wanted}"));
        }
    }

    #[test]
    fn ports_volumes_and_arguments_are_collected() {
        let (state, _) =
            after(&["EXPOSE 8000-8001", "EXPOSE 80", "VOLUME /b", "VOLUME a /b"]).unwrap();
        let known = &state.config.known;
        assert_eq!(
            known.exposed_ports().clone().unwrap(),
            ["80/tcp", "8000/tcp", "8001/tcp"]
        );
        assert_eq!(known.volumes().clone().unwrap(), ["/b", "a"]);
        assert_eq!(state.volumes["/a"], 4);
        assert_eq!(state.volumes["/b"], 3);
        assert_eq!(text(&["ARG V=1", "ENV X=$V"]), "/bin/sh -c #(nop)  ENV X=1");
    }

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        for (line, what) in [
            ("EXPOSE abc", "Invalid containerPort: abc"),
            ("STOPSIGNAL FOO", "Invalid signal: FOO"),
            (
                "HEALTHCHECK foo",
                "Unknown type \"FOO\" in HEALTHCHECK (try CMD)",
            ),
            (
                "VOLUME $NOTHING",
                "VOLUME specified can not be an empty string",
            ),
            (
                "ENV a=\"b",
                "failed to process \"\\\"b\": unexpected end of statement while looking for matching double-quote",
            ),
        ] {
            assert_eq!(after(&[line]).unwrap_err().to_string(), what);
        }
    }
}
