//! `Instruction`: what a line of a Dockerfile asks for, its variables not yet replaced.

/// A command, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// For the image's shell.
    Shell(String),
    /// `["program", "argument"]`
    Exec(Vec<String>),
}

/// `ARG NAME[=DEFAULT]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgDefinition {
    /// Its name.
    pub name: String,
    /// As written.
    pub default: Option<String>,
}

/// `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// It unpacks archives.
    pub is_add: bool,
    /// At least one.
    pub sources: Vec<String>,
    /// Where to.
    pub destination: String,
    /// `--chown=USER[:GROUP]`
    pub chown: Option<String>,
    /// `--chmod=MODE`
    pub chmod: Option<String>,
    /// `--from=STAGE|NUMBER|IMAGE`
    pub from: Option<String>,
}

impl Transfer {
    /// As it is called.
    pub fn keyword(&self) -> &'static str {
        if self.is_add { "ADD" } else { "COPY" }
    }
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `RUN`
    Run(Command),
    /// `COPY` and `ADD`
    Transfer(Transfer),
    /// `ENV`: keys and values as written
    Env(Vec<(String, String)>),
    /// `LABEL`, the same
    Label(Vec<(String, String)>),
    /// `ARG`
    Arg(Vec<ArgDefinition>),
    /// `WORKDIR`
    Workdir(String),
    /// `USER`
    User(String),
    /// `EXPOSE`
    Expose(Vec<String>),
    /// `VOLUME`
    Volume(Vec<String>),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `CMD`
    Cmd(Command),
    /// `SHELL`
    Shell(Vec<String>),
    /// `HEALTHCHECK`: what follows the word
    Healthcheck(String),
    /// `STOPSIGNAL`
    StopSignal(String),
    /// `ONBUILD`: another instruction
    Onbuild(String),
    /// `MAINTAINER`
    Maintainer(String),
}

/// Every word that begins an instruction.
pub(super) const KEYWORDS: [&str; 18] = [
    "FROM",
    "RUN",
    "COPY",
    "ADD",
    "ENV",
    "LABEL",
    "ARG",
    "WORKDIR",
    "USER",
    "EXPOSE",
    "VOLUME",
    "ENTRYPOINT",
    "CMD",
    "SHELL",
    "HEALTHCHECK",
    "STOPSIGNAL",
    "ONBUILD",
    "MAINTAINER",
];
