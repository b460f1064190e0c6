//! `docker-credential-X`: programs that keep passwords for Docker, and their small protocol.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::json;

use super::{Credential, Error};

/// The user name that stands for an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What it keeps for a registry.
pub(super) fn get(program: &str, key: &str) -> Result<Option<Credential>, Error> {
    let (done, said) = run(program, "get", key)?;
    if !done {
        // The protocol has no other way to say it.
        let text = said.to_ascii_lowercase();
        if text.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(program, "get", &said));
    }
    let answer: Answer = serde_json::from_str(&said)
        .map_err(|_| failed(program, "get", "its answer is not what the protocol says"))?;
    Ok(Some(if answer.username == TOKEN_USER {
        Credential::Identity {
            token: answer.secret,
        }
    } else {
        Credential::Password {
            user: answer.username,
            password: answer.secret,
        }
    }))
}

/// Gives it one to keep.
pub(super) fn store(program: &str, key: &str, credential: &Credential) -> Result<(), Error> {
    let (user, secret) = match credential {
        Credential::Password { user, password } => (user.as_str(), password),
        Credential::Identity { token } => (TOKEN_USER, token),
    };
    let request = json!({ "ServerURL": key, "Username": user, "Secret": secret });
    expect(program, "store", &request.to_string())
}

/// Has it forget one.
pub(super) fn erase(program: &str, key: &str) -> Result<(), Error> {
    expect(program, "erase", key)
}

fn expect(program: &str, verb: &'static str, input: &str) -> Result<(), Error> {
    match run(program, verb, input)? {
        (true, _) => Ok(()),
        (false, said) => Err(failed(program, verb, &said)),
    }
}

fn failed(program: &str, verb: &'static str, why: &str) -> Error {
    Error::CredentialProgram {
        program: format!("docker-credential-{program}"),
        verb,
        why: why.trim().chars().take(300).collect(),
    }
}

/// Whether it succeeded, and what it said.
fn run(program: &str, verb: &'static str, input: &str) -> Result<(bool, String), Error> {
    // A name, not a path: it comes from a file.
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if program.is_empty() || !program.chars().all(word) {
        return Err(failed(program, verb, "this is no name of a program"));
    }
    let io = |error: std::io::Error| failed(program, verb, &error.to_string());
    let mut child = Command::new(format!("docker-credential-{program}"))
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why by its exit code.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(io)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.success(), said))
}
