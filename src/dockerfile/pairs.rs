//! `KEY=value KEY="a value"`, or the old form `KEY a value`; the values as written.

/// Splits at spaces that are neither quoted nor escaped; quotes and escapes stay.
pub(super) fn words(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None::<char>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            // Within single quotes it is a character like any other.
            (None | Some('"'), c) if c == escape => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The pairs of `ENV` and `LABEL`.
pub(super) fn pairs(
    keyword: &str,
    text: &str,
    escape: char,
) -> Result<Vec<(String, String)>, String> {
    let words = words(text, escape);
    let Some(first) = words.first() else {
        return Err(format!("{keyword} requires at least one argument"));
    };
    if !first.contains('=') {
        let Some((key, value)) = text.split_once(char::is_whitespace) else {
            return Err(format!("{keyword} must have two arguments"));
        };
        return Ok(vec![(key.to_owned(), value.trim_start().to_owned())]);
    }
    let pair = |word: &String| {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value")
        })?;
        if key.is_empty() {
            return Err(format!("{keyword} names can not be blank"));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<(String, String)>, String> {
        pairs("ENV", text, '\\')
    }

    #[test]
    fn both_forms_are_taken_and_quotes_stay() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            of("A=1 B=\"x y\" C=a\\ b D='\\' E="),
            Ok(vec![
                pair("A", "1"),
                pair("B", "\"x y\""),
                pair("C", "a\\ b"),
                pair("D", "'\\'"),
                pair("E", "")
            ])
        );
        assert_eq!(
            of("long a  b \"c\"   d=e"),
            Ok(vec![pair("long", "a  b \"c\"   d=e")])
        );
        assert_eq!(of("\"c d\"=\"e f\""), Ok(vec![pair("\"c d\"", "\"e f\"")]));
    }

    #[test]
    fn what_is_no_pair_is_told() {
        for (text, why) in [
            ("", "ENV requires at least one argument"),
            ("a", "ENV must have two arguments"),
            ("a=1 b", "can't find = in \"b\""),
            ("=x", "names can not be blank"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
