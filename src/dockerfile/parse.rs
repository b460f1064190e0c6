//! One logical line to an instruction.

use super::{
    ArgDefinition, Command, Instruction, Problem, Transfer,
    flags::Flags,
    heredoc::{self, Heredoc},
    instruction::KEYWORDS,
    pairs::{pairs, words},
    suggest,
};

/// The instruction of an `ONBUILD`.
///
/// # Errors
///
/// Docker's text.
pub fn parse_trigger(text: &str) -> Result<Instruction, String> {
    let written = Written {
        text,
        escape: '\\',
        heredocs: &[],
    };
    written.instruction().map_err(|problem| problem.what)
}

/// A line and how it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) text: &'a str,
    pub(super) escape: char,
    pub(super) heredocs: &'a [Heredoc],
}

impl Written<'_> {
    /// The first word as Docker spells it, and what follows.
    pub(super) fn split(&self) -> (String, &str) {
        let text = self.text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        (word.to_ascii_uppercase(), rest.trim())
    }

    /// Everything but `FROM`.
    pub(super) fn instruction(&self) -> Result<Instruction, Problem> {
        let (keyword, rest) = self.split();
        let word = keyword.as_str();
        if !KEYWORDS.contains(&word) {
            let problem = Problem::from(format!("unknown instruction: {word}"));
            return Err(match suggest::nearest(word, &KEYWORDS) {
                Some(near) => problem.with_hint(format!("did you mean {near}?")),
                None => problem.with_hint(format!("one of: {}", KEYWORDS.join(", "))),
            });
        }
        if rest.is_empty() {
            return Err(missing_argument(word));
        }
        Ok(match word {
            "RUN" => Instruction::Run(self.run(rest)?),
            "COPY" | "ADD" => Instruction::Transfer(self.transfer(word == "ADD", rest)?),
            "ENV" => Instruction::Env(pairs(word, rest, self.escape)?),
            "LABEL" => Instruction::Label(pairs(word, rest, self.escape)?),
            "ARG" => Instruction::Arg(definitions(rest, self.escape)?),
            "WORKDIR" => Instruction::Workdir(without_flags(rest)?),
            "USER" => Instruction::User(without_flags(rest)?),
            "EXPOSE" => Instruction::Expose(split(rest)),
            "VOLUME" => Instruction::Volume(volumes(rest)?),
            "ENTRYPOINT" => Instruction::Entrypoint(command(rest)),
            "CMD" => Instruction::Cmd(command(rest)),
            "SHELL" => Instruction::Shell(shell(rest)?),
            "HEALTHCHECK" => Instruction::Healthcheck(rest.to_owned()),
            "STOPSIGNAL" => Instruction::StopSignal(without_flags(rest)?),
            "ONBUILD" => Instruction::Onbuild(self.trigger(rest)?),
            "MAINTAINER" => Instruction::Maintainer(rest.to_owned()),
            _ => return Err(format!("unexpected {word}").into()),
        })
    }

    fn run(&self, rest: &str) -> Result<Command, Problem> {
        let (flags, rest) = Flags::split(rest);
        flags.finish()?;
        if rest.is_empty() {
            return Err(missing_argument("RUN"));
        }
        let [first, others @ ..] = self.heredocs else {
            return Ok(command(rest));
        };
        if others.is_empty()
            && heredoc::openings(&format!("RUN {rest}")).len() == 1
            && is_alone(rest)
        {
            if first.body.starts_with("#!") {
                return Err(
                    Problem::from("a heredoc with an interpreter of its own (#!)")
                        .with_hint("put the script into a file of the context, COPY it and RUN it"),
                );
            }
            return Ok(Command::Shell(first.body.clone()));
        }
        let mut script = rest.to_owned();
        for one in self.heredocs {
            script.extend(["\n", &one.body, &one.name]);
        }
        Ok(Command::Shell(script))
    }

    fn transfer(&self, is_add: bool, rest: &str) -> Result<Transfer, Problem> {
        let keyword = if is_add { "ADD" } else { "COPY" };
        if !self.heredocs.is_empty() {
            return Err(
                Problem::from(format!("{keyword} of a heredoc is not supported"))
                    .with_hint("put the text into a file of the context"),
            );
        }
        let (mut flags, rest) = Flags::split(rest);
        let (chown, chmod) = (flags.take("chown")?, flags.take("chmod")?);
        let from = if is_add { None } else { flags.take("from")? };
        flags.finish()?;
        let mut sources = json(rest).unwrap_or_else(|| split(rest));
        let destination = sources.pop();
        let (Some(destination), false) = (destination, sources.is_empty()) else {
            return Err(if rest.is_empty() {
                missing_argument(keyword)
            } else {
                let what = "requires at least two arguments, but only one was provided. \
                            Destination could not be determined";
                format!("{keyword} {what}").into()
            });
        };
        Ok(Transfer {
            is_add,
            sources,
            destination,
            chown,
            chmod,
            from,
        })
    }

    fn trigger(&self, rest: &str) -> Result<String, Problem> {
        let written = Written {
            text: rest,
            heredocs: &[],
            ..*self
        };
        let (keyword, _) = written.split();
        match keyword.as_str() {
            "ONBUILD" => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into()),
            "MAINTAINER" | "FROM" => {
                Err(format!("{keyword} isn't allowed as an ONBUILD trigger").into())
            }
            _ => written.instruction().map(|_| rest.to_owned()),
        }
    }
}

/// Docker's text.
fn missing_argument(word: &str) -> Problem {
    let count = match word {
        "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER" => "exactly one argument",
        "COPY" | "ADD" => "at least two arguments",
        _ => "at least one argument",
    };
    format!("{word} requires {count}").into()
}

/// Whether a heredoc is all there is.
fn is_alone(rest: &str) -> bool {
    rest.split_whitespace().count() == 1
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A JSON list of texts; anything else is none.
fn json(text: &str) -> Option<Vec<String>> {
    text.starts_with('[')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn command(text: &str) -> Command {
    match json(text) {
        Some(words) => Command::Exec(words),
        None => Command::Shell(text.to_owned()),
    }
}

/// A list that was meant as JSON and is none goes to the shell, as in Docker, and hardly anybody wants
/// that.
pub(super) fn is_broken_list(command: &Command) -> bool {
    matches!(command, Command::Shell(text) if text.starts_with('[') && text.ends_with(']')
        && !text.starts_with("[ ") && !text.starts_with("[["))
}

fn without_flags(text: &str) -> Result<String, Problem> {
    let (flags, rest) = Flags::split(text);
    flags.finish()?;
    Ok(rest.to_owned())
}

fn definitions(text: &str, escape: char) -> Result<Vec<ArgDefinition>, Problem> {
    let definition = |word: String| {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
            None => (word, None),
        };
        if name.is_empty() {
            return Err("ARG names can not be blank".into());
        }
        Ok(ArgDefinition { name, default })
    };
    words(text, escape).into_iter().map(definition).collect()
}

fn volumes(text: &str) -> Result<Vec<String>, Problem> {
    let volumes = json(text).unwrap_or_else(|| split(text));
    if volumes.is_empty() || volumes.iter().any(|volume| volume.trim().is_empty()) {
        return Err("VOLUME specified can not be an empty string".into());
    }
    Ok(volumes)
}

fn shell(text: &str) -> Result<Vec<String>, Problem> {
    match json(text) {
        Some(words) if words.is_empty() => Err("SHELL requires at least one argument".into()),
        Some(words) => Ok(words),
        None => Err(
            Problem::from("SHELL requires the arguments to be in JSON form")
                .with_hint("for example SHELL [\"/bin/sh\", \"-c\"]"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Instruction {
        let written = Written {
            text,
            escape: '\\',
            heredocs: &[],
        };
        written.instruction().unwrap()
    }

    fn error(text: &str) -> Problem {
        let written = Written {
            text,
            escape: '\\',
            heredocs: &[],
        };
        written.instruction().unwrap_err()
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn commands_have_two_forms() {
        let shell = |text: &str| Command::Shell(text.to_owned());
        assert_eq!(parse("run  echo  a "), Instruction::Run(shell("echo  a")));
        assert_eq!(
            parse("CMD [\"a\", \"b c\"]"),
            Instruction::Cmd(Command::Exec(texts(&["a", "b c"])))
        );
        assert_eq!(
            parse("ENTRYPOINT ['a']"),
            Instruction::Entrypoint(shell("['a']"))
        );
        assert!(is_broken_list(&shell("['a']")));
        assert!(!is_broken_list(&shell("[ -e /x ]")));
        assert_eq!(parse("CMD []"), Instruction::Cmd(Command::Exec(Vec::new())));
        assert_eq!(parse("SHELL [\"x\"]"), Instruction::Shell(texts(&["x"])));
    }

    #[test]
    fn sources_and_flags_of_a_copy_are_told_apart() {
        let Instruction::Transfer(copy) = parse("COPY --chown=a:b --from=0 --chmod=755 a b /c/")
        else {
            panic!()
        };
        assert_eq!(copy.sources, ["a", "b"]);
        assert_eq!(copy.destination, "/c/");
        assert_eq!(copy.chown.as_deref(), Some("a:b"));
        assert_eq!(copy.chmod.as_deref(), Some("755"));
        assert_eq!(copy.from.as_deref(), Some("0"));
        let Instruction::Transfer(add) = parse("ADD [\"a b\", \"/c d\"]") else {
            panic!()
        };
        assert_eq!((add.sources, add.is_add), (texts(&["a b"]), true));
        let Instruction::Transfer(copy) = parse("COPY -- --odd /x") else {
            panic!()
        };
        assert_eq!(copy.sources, ["--odd"]);
    }

    #[test]
    fn arguments_have_names_and_perhaps_defaults() {
        let Instruction::Arg(found) = parse("ARG A B=1 C=\"x y\" D=") else {
            panic!()
        };
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.default.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("A", None),
                ("B", Some("1")),
                ("C", Some("\"x y\"")),
                ("D", Some(""))
            ]
        );
    }

    #[test]
    fn one_argument_may_have_spaces() {
        assert_eq!(parse("WORKDIR /a b"), Instruction::Workdir("/a b".into()));
        assert_eq!(parse("USER a:b"), Instruction::User("a:b".into()));
        assert_eq!(
            parse("VOLUME /a [\"b\"]"),
            Instruction::Volume(texts(&["/a", "[\"b\"]"]))
        );
        assert_eq!(
            parse("VOLUME [\"/a b\"]"),
            Instruction::Volume(texts(&["/a b"]))
        );
        assert_eq!(
            parse("EXPOSE 80 53/udp"),
            Instruction::Expose(texts(&["80", "53/udp"]))
        );
        assert_eq!(parse("onbuild RUN x"), Instruction::Onbuild("RUN x".into()));
    }

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        for (text, what) in [
            (
                "COPY a.txt",
                "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
            ),
            ("COPY", "COPY requires at least two arguments"),
            ("ENV", "ENV requires at least one argument"),
            ("ENV a", "ENV must have two arguments"),
            ("LABEL x", "LABEL must have two arguments"),
            ("RUN --foo x", "Unknown flag: foo"),
            ("COPY --foo=1 a /", "Unknown flag: foo"),
            ("ADD --from=x a /", "Unknown flag: from"),
            ("COPY --chown a /", "Missing a value on flag: chown"),
            (
                "COPY --chown=1 --chown=2 a /",
                "Duplicate flag specified: chown",
            ),
            ("SHELL x", "SHELL requires the arguments to be in JSON form"),
            ("VOLUME", "VOLUME requires at least one argument"),
            (
                "VOLUME [\"\"]",
                "VOLUME specified can not be an empty string",
            ),
            ("USER", "USER requires exactly one argument"),
            ("WORKDIR", "WORKDIR requires exactly one argument"),
            ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
            (
                "ONBUILD ONBUILD RUN x",
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
            ),
            ("ONBUILD RUNN x", "unknown instruction: RUNN"),
            ("ARG =x", "ARG names can not be blank"),
            ("RUNN x", "unknown instruction: RUNN"),
        ] {
            assert_eq!(error(text).what, what, "{text}");
        }
    }

    #[test]
    fn a_misspelt_instruction_has_a_suggestion() {
        assert_eq!(error("RUNN x").hint.unwrap(), "did you mean RUN?");
        assert_eq!(error("WORKDRI /x").hint.unwrap(), "did you mean WORKDIR?");
        assert!(error("XYZZY").hint.unwrap().starts_with("one of: FROM"));
        assert!(
            error("RUN --mount=type=bind x")
                .hint
                .unwrap()
                .contains("BuildKit")
        );
    }
}
