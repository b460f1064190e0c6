//! `Challenge`: what a registry wants to see before it answers (RFC 9110, section 11.6.1).

use std::collections::BTreeMap;

/// One way to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, to be fetched from its realm.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What it allows.
        scope: Option<String>,
    },
}

/// Every challenge of a `WWW-Authenticate` that we can meet.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header;
    while let Some((scheme, parameters, after)) = next(rest) {
        rest = after;
        let mut parameters = parameters;
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => challenges.push(Challenge::Basic),
            "bearer" => {
                let realm = parameters.remove("realm");
                challenges.extend(realm.map(|realm| Challenge::Bearer {
                    realm,
                    service: parameters.remove("service"),
                    scope: parameters.remove("scope"),
                }));
            }
            _ => {}
        }
    }
    challenges
}

type Parameters = BTreeMap<String, String>;

/// A scheme, its parameters, and what follows them.
fn next(text: &str) -> Option<(&str, Parameters, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
    let (scheme, mut rest) = text.split_at(end);
    if scheme.is_empty() {
        return None;
    }
    let mut parameters = Parameters::new();
    while let Some((key, value, after)) = parameter(rest) {
        parameters.insert(key.to_ascii_lowercase(), value);
        rest = after;
    }
    Some((scheme, parameters, rest))
}

/// `key=value` or `key="value"`; a word without `=` is the next scheme.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let end = text.find([' ', '\t', ',', '='])?;
    let (key, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
        return Some((key, rest[..end].to_owned(), &rest[end..]));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((key, value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            char => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_of_registries_are_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#;
        let wanted = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/alpine:pull,push"),
        );
        assert_eq!(parse(hub), [wanted]);
        assert_eq!(parse(r#"Basic realm="Registry Realm""#), [Challenge::Basic]);
        let both = r#"Negotiate, BASIC realm="a, \"b\"", bearer Realm=x , service = "s""#;
        assert_eq!(
            parse(both),
            [Challenge::Basic, bearer("x", Some("s"), None)]
        );
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for text in [
            "",
            ",,",
            "Bearer",
            r#"Bearer realm="open"#,
            "Bearer scope=x",
            "=",
            "한글",
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
