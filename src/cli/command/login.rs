//! `cowshed login` and `cowshed logout`

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    os::fd::AsFd as _,
    process::ExitCode,
};

use clap::Args;
use cowshed::{
    registry::{Client, Credential, Credentials, HUB_KEY, Kept, Settings, login},
    sys::console,
};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

const HUB: &str = "docker.io";

/// No password is longer.
const SECRET_MAX: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Name of the user
    #[arg(short, long)]
    username: Option<String>,
    /// Password; others see it while the command runs
    #[arg(short, long)]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// HOST[:PORT]; without one, Docker's own registry
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    /// HOST[:PORT]; without one, Docker's own registry
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// The registry that is meant: a URL stands for its host, as in Docker.
fn domain_of(server: Option<&str>) -> String {
    let given = server.filter(|server| !server.is_empty()).unwrap_or(HUB);
    let bare = given.split("://").last().unwrap_or_default();
    let host = bare.split('/').next().unwrap_or_default();
    match host {
        "index.docker.io" | "registry-1.docker.io" => HUB.to_owned(),
        host => host.to_owned(),
    }
}

pub(crate) fn run(args: &LoginArgs) -> Outcome {
    let domain = domain_of(args.server.as_deref());
    let mut credentials = Credentials::read()?;
    let client = Client::with(Settings::read()?, Credentials::read()?);
    let refused = |what: &str| Err(Exit::usage(what).or_code(1));
    if args.password.is_some() && args.password_stdin {
        return refused("--password and --password-stdin are mutually exclusive");
    }
    if args.password.is_some() {
        report::line("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    }
    if args.password_stdin && args.username.is_none() {
        return refused("Must provide --username with --password-stdin");
    }
    if args.username.is_none() && args.password.is_none() {
        // What is kept may do.
        if let Some(kept) = credentials.find(&domain, "")? {
            report::line("Authenticating with existing credentials...");
            if login(&client, &domain, &kept).is_ok() {
                output::line("Login Succeeded")?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let is_terminal = console::is_terminal(io::stdin().as_fd());
    let needs_terminal = args.username.is_none() || args.password.is_none() && !args.password_stdin;
    if needs_terminal && !is_terminal {
        return refused("Cannot perform an interactive login from a non TTY device");
    }
    let user = match &args.username {
        Some(user) => user.clone(),
        None => ask("Username: ")?,
    };
    let password = match (&args.password, args.password_stdin) {
        (Some(password), _) => password.clone(),
        (None, true) => from_standard_input()?,
        (None, false) => ask_secretly("Password: ")?,
    };
    if user.is_empty() || password.is_empty() {
        return refused("username and password must not be empty");
    }
    let credential = Credential::Password { user, password };
    login(&client, &domain, &credential)?;
    if let Kept::Plain(path) = credentials.store(&domain, &credential)? {
        let path = path.display();
        report::line(&format!(
            "WARNING! Your credentials are stored unencrypted in '{path}'."
        ));
        report::line("Configure a credential helper to remove this warning.");
    }
    output::line("Login Succeeded")?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn logout(args: &LogoutArgs) -> Outcome {
    let domain = domain_of(args.server.as_deref());
    let shown = if domain == HUB { HUB_KEY } else { &domain };
    if Credentials::read()?.erase(&domain)? {
        output::line(&format!("Removing login credentials for {shown}"))?;
    } else {
        output::line(&format!("Not logged in to {shown}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn from_standard_input() -> Result<String, Exit> {
    let mut text = String::new();
    let read = io::stdin()
        .lock()
        .take(SECRET_MAX)
        .read_to_string(&mut text);
    read.map_err(|error| Exit::usage(format!("read standard input: {error}")).or_code(1))?;
    // One line end is of whoever wrote it.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn ask(prompt: &str) -> Result<String, Exit> {
    output::raw(prompt)?;
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Exit::usage(format!("read standard input: {error}")).or_code(1))?;
    Ok(line.trim().to_owned())
}

/// What is typed is not shown.
fn ask_secretly(prompt: &str) -> Result<String, Exit> {
    let hidden = console::HiddenInput::begin(io::stdin().as_fd());
    let hidden = hidden.map_err(|error| Exit::usage(error.to_string()).or_code(1))?;
    let answer = ask(prompt);
    drop(hidden);
    output::line("")?;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_hosts_or_urls() {
        for (server, domain) in [
            (None, "docker.io"),
            (Some(""), "docker.io"),
            (Some("https://index.docker.io/v1/"), "docker.io"),
            (Some("localhost:5000"), "localhost:5000"),
            (Some("https://a.example/v2/"), "a.example"),
        ] {
            assert_eq!(domain_of(server), domain);
        }
    }
}
