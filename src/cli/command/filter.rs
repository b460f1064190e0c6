//! `--filter KEY=VALUE`, as every list takes it.

use std::collections::BTreeMap;

use crate::cli::report::Exit;

/// Values by key; several of one key are alternatives mostly (semantics 48).
pub(crate) fn by_key(texts: &[String]) -> Result<BTreeMap<String, Vec<String>>, Exit> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in texts {
        let bad = || Exit::usage(format!("invalid filter '{text}': it must be KEY=VALUE"));
        let (key, value) = text.split_once('=').ok_or_else(bad)?;
        let key = key.trim().to_lowercase();
        keys.entry(key).or_default().push(value.trim().to_owned());
    }
    Ok(keys)
}

/// A key that this list does not know. Docker's text.
pub(crate) fn unknown(key: &str) -> Exit {
    Exit::usage(format!("Invalid filter '{key}'")).or_code(1)
}

/// A value that this key does not take. Docker's text.
pub(crate) fn invalid(key: &str, value: &str) -> Exit {
    Exit::usage(format!("Invalid filter '{key}={value}'")).or_code(1)
}

/// Whether labels hold `KEY` or `KEY=VALUE`.
pub(crate) fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    let (key, value) = match wanted.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (wanted, None),
    };
    let label = labels.get(key);
    label.is_some_and(|label| value.is_none_or(|value| value == label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_collected_by_key() {
        let texts = ["name=a", "NAME = b=c ", "label="].map(str::to_owned);
        let keys = by_key(&texts).unwrap();
        assert_eq!(keys["name"], ["a", "b=c"]);
        assert_eq!(keys["label"], [""]);
        assert!(by_key(&["name".to_owned()]).is_err());
    }

    #[test]
    fn a_label_is_wanted_with_its_value_or_without() {
        let labels = [("k", "v"), ("e", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = labels.into();
        for (wanted, has) in [
            ("k", true),
            ("k=v", true),
            ("k=", false),
            ("e=", true),
            ("k=v=w", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(has_label(&labels, wanted), has, "{wanted}");
        }
    }
}
