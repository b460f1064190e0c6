//! Environment variables from `-e` and `--env-file`.

use std::path::Path;

use crate::cli::report::Exit;

/// Lines of a file without comments and empty ones, as Docker reads them.
pub(crate) fn read(path: &Path) -> Result<Vec<String>, Exit> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Exit::usage(format!("open env file {}: {error}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().map(str::trim_start);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// A name without value gets ours, or is left out where we have none.
pub(crate) fn resolve(variables: Vec<String>) -> Result<Vec<String>, Exit> {
    let mut resolved = Vec::new();
    for variable in variables {
        let name = variable.split('=').next().unwrap_or_default();
        if name.is_empty() {
            return Err(Exit::usage(format!(
                "invalid environment variable: {variable:?}"
            )));
        }
        if name.contains(char::is_whitespace) {
            let why = format!("variable {name:?} contains whitespaces");
            return Err(Exit::usage(why));
        }
        if name.len() < variable.len() {
            resolved.push(variable);
        } else if let Ok(value) = std::env::var(name) {
            resolved.push(format!("{name}={value}"));
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_value_are_passed_on_or_left_out() {
        let list = ["A=1", "B=", "COWSHED_NO_SUCH_VARIABLE", "PATH"]
            .map(str::to_owned)
            .to_vec();
        let resolved = resolve(list).unwrap();
        assert_eq!(resolved.len(), 3);
        assert_eq!(resolved[..2], ["A=1", "B="]);
        assert!(resolved[2].starts_with("PATH=/"));
        assert!(resolve(vec!["=x".to_owned()]).is_err());
    }
}
