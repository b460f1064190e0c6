//! One CSV record (RFC 4180) to its fields, strict about quotes.

use std::{iter::Peekable, str::CharIndices};

use super::Error;

type Input<'a> = Peekable<CharIndices<'a>>;

/// Splits a record: commas separate, a field in `"` may hold commas, `""` in it is one quote.
pub(super) fn fields(record: &str) -> Result<Vec<String>, Error> {
    let mut input = record.char_indices().peekable();
    let mut fields = Vec::new();
    loop {
        let field = if input.next_if(|(_, next)| *next == '"').is_some() {
            quoted(&mut input, record.len())?
        } else {
            plain(&mut input)?
        };
        fields.push(field);
        match input.next() {
            Some((_, ',')) => {}
            Some((at, '\n' | '\r')) => return Err(refused(at, "more than one record")),
            Some((at, _)) => return Err(refused(at, "extraneous or missing \" in quoted-field")),
            None => return Ok(fields),
        }
    }
}

fn plain(input: &mut Input<'_>) -> Result<String, Error> {
    let mut field = String::new();
    while let Some((at, next)) = input.next_if(|(_, next)| !matches!(next, ',' | '\n' | '\r')) {
        if next == '"' {
            return Err(refused(at, "bare \" in non-quoted field"));
        }
        field.push(next);
    }
    Ok(field)
}

fn quoted(input: &mut Input<'_>, end: usize) -> Result<String, Error> {
    let mut field = String::new();
    while let Some((_, next)) = input.next() {
        let escaped = next == '"' && input.next_if(|(_, after)| *after == '"').is_some();
        if next == '"' && !escaped {
            return Ok(field);
        }
        field.push(next);
    }
    Err(refused(end, "extraneous or missing \" in quoted-field"))
}

fn refused(at: usize, why: &'static str) -> Error {
    Error::Record {
        column: at + 1,
        why,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rule_10_quotes_protect_commas() {
        for (record, expected) in [
            ("a,b", vec!["a", "b"]),
            ("", vec![""]),
            ("a,,b,", vec!["a", "", "b", ""]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"a \"\"b\"\"\",\"\"", vec!["a \"b\"", ""]),
            ("\"한글,\n\"", vec!["한글,\n"]),
            ("k=v=w, x", vec!["k=v=w", " x"]),
        ] {
            assert_eq!(fields(record).unwrap(), expected, "{record}");
        }
    }

    #[test]
    fn broken_quotes_and_second_records_are_refused_with_their_place() {
        for (record, column, why) in [
            ("a=\"b\"", 3, "bare \" in non-quoted field"),
            ("\"a\"b", 4, "extraneous or missing \" in quoted-field"),
            ("\"a", 3, "extraneous or missing \" in quoted-field"),
            ("a\nb", 2, "more than one record"),
            ("\"a\"\r\nb", 4, "more than one record"),
        ] {
            assert_eq!(
                fields(record),
                Err(Error::Record { column, why }),
                "{record}"
            );
        }
    }

    proptest! {
        #[test]
        fn print_and_parse_agree(texts in proptest::collection::vec("[ab,\"\n 한=]*", 1..6)) {
            let quote = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
            let record: Vec<_> = texts.iter().map(quote).collect();
            prop_assert_eq!(fields(&record.join(",")), Ok(texts));
        }

        #[test]
        fn any_text_is_split_or_refused(text in "\\PC*|[,\"\n\r]*") {
            let _outcome = fields(&text);
        }
    }
}
