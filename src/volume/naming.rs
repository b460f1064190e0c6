//! Two conventions for names of volumes: environment-service-use and project-environment-use.

use std::fmt;

/// What people call the places in which a service runs.
const ENVIRONMENTS: [&str; 20] = [
    "ci",
    "demo",
    "dev",
    "development",
    "integration",
    "int",
    "live",
    "local",
    "preprod",
    "preview",
    "prod",
    "production",
    "qa",
    "sandbox",
    "stage",
    "staging",
    "stg",
    "test",
    "testing",
    "uat",
];

/// A convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// `prod-mysql-data`
    EnvironmentServiceUse,
    /// `myapp-prod-db`
    ProjectEnvironmentUse,
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnvironmentServiceUse => "environment-service-use",
            Self::ProjectEnvironmentUse => "project-environment-use",
        })
    }
}

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// It follows a convention; its three parts in order.
    Follows(Convention, [String; 3]),
    /// It follows none, and why.
    Not(String),
}

/// Looks at a name. `more` are environments beside those that are known.
pub fn check(name: &str, more: &[String]) -> Naming {
    match parts(name).and_then(|parts| follows(&parts, more)) {
        Ok((convention, parts)) => Naming::Follows(convention, parts),
        Err(why) => Naming::Not(why),
    }
}

fn parts(name: &str) -> Result<Vec<&str>, String> {
    if let Some(odd) = name.chars().find(char::is_ascii_uppercase) {
        return Err(format!("has a capital letter: {odd:?}"));
    }
    if let Some(odd) = name
        .chars()
        .find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-')
    {
        return Err(format!(
            "has {odd:?}: its parts are letters and digits with - between"
        ));
    }
    let parts: Vec<_> = name.split('-').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err("has an empty part".to_owned());
    }
    if parts.len() < 3 {
        return Err(match parts.len() {
            1 => "has one part of three".to_owned(),
            _ => "has two parts of three".to_owned(),
        });
    }
    Ok(parts)
}

/// Services, projects and uses may have dashes of their own; environments have none.
fn follows(parts: &[&str], more: &[String]) -> Result<(Convention, [String; 3]), String> {
    let is_environment =
        |part: &str| ENVIRONMENTS.contains(&part) || more.iter().any(|known| known == part);
    let last = parts.len() - 1;
    if is_environment(parts[0]) {
        let service = parts[1..last].join("-");
        let three = [parts[0].to_owned(), service, parts[last].to_owned()];
        return Ok((Convention::EnvironmentServiceUse, three));
    }
    let at = (1..last).find(|at| is_environment(parts[*at]));
    if let Some(at) = at {
        let (project, rest) = (parts[..at].join("-"), parts[at + 1..].join("-"));
        let three = [project, parts[at].to_owned(), rest];
        return Ok((Convention::ProjectEnvironmentUse, three));
    }
    Err(if is_environment(parts[last]) {
        format!("has its environment last: {:?}", parts[last])
    } else {
        "no part is an environment, such as prod, dev or test".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follows(name: &str) -> Option<(Convention, String)> {
        match check(name, &[]) {
            Naming::Follows(convention, parts) => Some((convention, parts.join("|"))),
            Naming::Not(_) => None,
        }
    }

    #[test]
    fn both_conventions_are_known() {
        use Convention::{EnvironmentServiceUse, ProjectEnvironmentUse};
        for (name, convention, parts) in [
            ("prod-mysql-data", EnvironmentServiceUse, "prod|mysql|data"),
            (
                "dev-postgres-data",
                EnvironmentServiceUse,
                "dev|postgres|data",
            ),
            (
                "test-my-api-logs",
                EnvironmentServiceUse,
                "test|my-api|logs",
            ),
            ("myapp-prod-db", ProjectEnvironmentUse, "myapp|prod|db"),
            (
                "my-app-qa-user-files",
                ProjectEnvironmentUse,
                "my-app|qa|user-files",
            ),
            ("prod-test-data", EnvironmentServiceUse, "prod|test|data"),
        ] {
            assert_eq!(
                follows(name),
                Some((convention, parts.to_owned())),
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_that_follows_none_is_told_why() {
        for (name, why) in [
            ("data", "one part"),
            ("prod-data", "two parts"),
            ("my-own-volume", "no part is an environment"),
            ("mysql-data-prod", "environment last"),
            ("Prod-mysql-data", "capital"),
            ("prod_mysql_data", "'_'"),
            ("prod--data", "empty part"),
            ("prod-mysql-", "empty part"),
            ("프로드-mysql-data", "'프'"),
            ("", "empty part"),
        ] {
            let Naming::Not(said) = check(name, &[]) else {
                panic!("{name} follows");
            };
            assert!(said.contains(why), "{name}: {said}");
        }
    }

    #[test]
    fn environments_can_be_added() {
        assert_eq!(follows("blue-mysql-data"), None);
        let blue = ["blue".to_owned()];
        assert!(matches!(
            check("blue-mysql-data", &blue),
            Naming::Follows(Convention::EnvironmentServiceUse, _)
        ));
    }
}
