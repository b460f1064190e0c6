//! A text to stages: each begins with `FROM`.

use super::{
    ArgDefinition, Error, Instruction, Problem,
    flags::Flags,
    lexer::{self, Logical},
    parse::{Written, is_broken_list},
};

/// A whole file.
#[derive(Debug, Clone)]
pub struct Dockerfile {
    /// As it was named, for messages.
    pub file: String,
    /// What takes a character's meaning.
    pub escape: char,
    /// `ARG`s before the first `FROM`: for `FROM` alone, and for stages that ask for them again.
    pub globals: Vec<Step<Vec<ArgDefinition>>>,
    /// At least one.
    pub stages: Vec<Stage>,
    /// What is allowed and hardly meant.
    pub warnings: Vec<String>,
}

/// An instruction and where it stands.
#[derive(Debug, Clone)]
pub struct Step<T = Instruction> {
    /// Base 1.
    pub line: usize,
    /// As written, on one line.
    pub text: String,
    /// What it asks for.
    pub instruction: T,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// As written.
    pub image: String,
    /// `AS`, in small letters.
    pub name: Option<String>,
    /// `--platform`
    pub platform: Option<String>,
}

/// A `FROM` and what follows it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its first line.
    pub from: Step<Base>,
    /// The others.
    pub steps: Vec<Step>,
}

impl Dockerfile {
    /// The number of a stage by its name or number; names do not care for case.
    pub fn stage(&self, wanted: &str) -> Option<usize> {
        let named = |stage: &Stage| {
            let name = stage.from.instruction.name.as_ref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        let number = || wanted.parse().ok().filter(|at| *at < self.stages.len());
        self.stages.iter().position(named).or_else(number)
    }
}

/// Reads a Dockerfile, called `file` in messages.
pub fn parse(file: &str, text: &str) -> Result<Dockerfile, Error> {
    let lexed = lexer::lex(file, text)?;
    let mut dockerfile = Dockerfile {
        file: file.to_owned(),
        escape: lexed.escape,
        globals: Vec::new(),
        stages: Vec::new(),
        warnings: lexed.warnings,
    };
    if lexed.lines.is_empty() {
        let problem = Problem::from("the Dockerfile cannot be empty");
        return Err(problem.with_hint("begin with FROM").at(file, 1));
    }
    for logical in &lexed.lines {
        dockerfile
            .add(logical)
            .map_err(|problem| problem.at(file, logical.line))?;
    }
    if dockerfile.stages.is_empty() {
        let problem = Problem::from("no build stage in current context");
        return Err(problem
            .with_hint("a stage begins with FROM")
            .at(file, lexed.lines[0].line));
    }
    Ok(dockerfile)
}

impl Dockerfile {
    fn add(&mut self, logical: &Logical) -> Result<(), Problem> {
        let written = Written {
            text: &logical.text,
            escape: self.escape,
            heredocs: &logical.heredocs,
        };
        let (line, text) = (logical.line, logical.text.clone());
        let (keyword, rest) = written.split();
        if keyword == "FROM" {
            let instruction = from(rest)?;
            self.check_name(instruction.name.as_deref())?;
            let from = Step {
                line,
                text,
                instruction,
            };
            let steps = Vec::new();
            self.stages.push(Stage { from, steps });
            return Ok(());
        }
        let instruction = written.instruction()?;
        self.warn(line, &instruction);
        match (self.stages.last_mut(), instruction) {
            (Some(stage), instruction) => stage.steps.push(Step {
                line,
                text,
                instruction,
            }),
            (None, Instruction::Arg(instruction)) => self.globals.push(Step {
                line,
                text,
                instruction,
            }),
            (None, _) => {
                return Err(Problem::from("no build stage in current context")
                    .with_hint("only ARG may stand before the first FROM"));
            }
        }
        Ok(())
    }

    fn check_name(&self, name: Option<&str>) -> Result<(), Problem> {
        let Some(name) = name else { return Ok(()) };
        let taken = |stage: &&Stage| stage.from.instruction.name.as_deref() == Some(name);
        match self.stages.iter().find(taken) {
            Some(stage) => Err(Problem::from(format!("{name} stage name already used"))
                .with_hint(format!("line {} has it", stage.from.line))),
            None => Ok(()),
        }
    }

    fn warn(&mut self, line: usize, instruction: &Instruction) {
        if let Instruction::Run(command)
        | Instruction::Cmd(command)
        | Instruction::Entrypoint(command) = instruction
            && is_broken_list(command)
        {
            let warning = format!(
                "{}:{line}: this looks like a JSON list and is none, so the shell gets it: write double \
                 quotes",
                self.file
            );
            self.warnings.push(warning);
        }
    }
}

fn from(rest: &str) -> Result<Base, Problem> {
    let (mut flags, rest) = Flags::split(rest);
    let platform = flags.take("platform")?;
    flags.finish()?;
    let words: Vec<_> = rest.split_whitespace().collect();
    let (image, name) = match words[..] {
        [image] => (image, None),
        [image, word, name] if word.eq_ignore_ascii_case("AS") => (image, Some(name)),
        _ => return Err("FROM requires either one or three arguments".into()),
    };
    let name = name.map(stage_name).transpose()?;
    Ok(Base {
        image: image.to_owned(),
        name,
        platform,
    })
}

fn stage_name(name: &str) -> Result<String, Problem> {
    let small = name.to_ascii_lowercase();
    let mut bytes = small.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if begins && bytes.all(goes_on) {
        return Ok(small);
    }
    Err(format!(
        "invalid name for build stage: {name:?}, name can't start with a number or contain symbols"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse("Df", text).unwrap_err().to_string()
    }

    #[test]
    fn stages_begin_with_from_and_are_found_by_name_or_number() {
        let text =
            "ARG V=1\nFROM a AS One\nRUN x\nfrom --platform=linux/amd64 b\nCOPY --from=one /a /b\n";
        let found = parse("Df", text).unwrap();
        assert_eq!(found.globals[0].instruction[0].name, "V");
        assert_eq!(found.stages.len(), 2);
        assert_eq!(found.stages[0].from.line, 2);
        assert_eq!(found.stages[1].steps[0].line, 5);
        let second = &found.stages[1].from.instruction;
        assert_eq!(second.platform.as_deref(), Some("linux/amd64"));
        assert_eq!(found.stage("ONE"), Some(0));
        assert_eq!(found.stage("1"), Some(1));
        assert_eq!(found.stage("2"), None);
        assert_eq!(found.stage("two"), None);
    }

    #[test]
    fn each_error_names_file_and_line() {
        for (text, wanted) in [
            ("", "Df:1: the Dockerfile cannot be empty"),
            ("# only\n\n", "Df:1: the Dockerfile cannot be empty"),
            ("RUN x\n", "Df:1: no build stage in current context"),
            ("\nARG x\n", "Df:2: no build stage in current context"),
            (
                "FROM\n",
                "Df:1: FROM requires either one or three arguments",
            ),
            (
                "FROM a b\n",
                "Df:1: FROM requires either one or three arguments",
            ),
            (
                "FROM a TO b\n",
                "Df:1: FROM requires either one or three arguments",
            ),
            (
                "FROM a AS 1x\n",
                "Df:1: invalid name for build stage: \"1x\", name can't start with a number or contain symbols",
            ),
            (
                "FROM a AS b\nFROM c as B\n",
                "Df:2: b stage name already used",
            ),
            ("FROM --foo=1 a\n", "Df:1: Unknown flag: foo"),
            (
                "FROM a\n\nRUN \\\n x\nRUNN y",
                "Df:5: unknown instruction: RUNN",
            ),
            (
                "FROM a\n# c\nCOPY \\\n x\n",
                "Df:3: COPY requires at least two arguments, but only one was provided. Destination could not be determined",
            ),
        ] {
            assert_eq!(error(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_heredoc_is_the_script_or_the_input_of_a_command() {
        use crate::dockerfile::Command;
        let run = |text: &str| {
            let found = parse("Df", &format!("FROM a\n{text}"));
            found.map(|found| found.stages[0].steps[0].instruction.clone())
        };
        let script = |text: &str| Instruction::Run(Command::Shell(text.to_owned()));
        assert_eq!(run("RUN <<E\na\nb\nE\n").unwrap(), script("a\nb\n"));
        assert_eq!(
            run("RUN cat <<'E' > /x\na $b\nE\n").unwrap(),
            script("cat <<'E' > /x\na $b\nE")
        );
        assert!(run("RUN <<E\n#!/usr/bin/python\nE\n").is_err());
        assert!(run("COPY <<E /x\na\nE\n").is_err());
    }

    #[test]
    fn a_list_in_single_quotes_is_told() {
        let found = parse("Df", "FROM a\nCMD ['x']\n").unwrap();
        assert!(found.warnings[0].starts_with("Df:2: this looks like a JSON list"));
    }
}
