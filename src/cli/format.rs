//! `--format` of lists: a table, one object a line, or a template for each row.

use std::io::IsTerminal as _;

use serde_json::Map;

use super::{
    output,
    report::Exit,
    template::{Data, Labels, Row, Template},
};

/// How a list is printed.
#[derive(Debug)]
pub(crate) struct Format {
    template: Template,
    /// The headers of a table's columns.
    headers: Option<Row>,
}

impl Format {
    /// Understands what was given; nothing and `table` mean `default`, which is a template, too.
    /// `headers` holds all fields of a row and what stands above their columns.
    pub(crate) fn new(
        given: Option<&str>,
        default: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Exit> {
        let given = given.unwrap_or_default();
        let (template, is_table) = match given.strip_prefix("table") {
            _ if given.is_empty() => (default, true),
            Some(rest) if rest.trim_matches(' ').is_empty() => (default, true),
            Some(rest) => (rest, true),
            None if given == "json" => ("{{json .}}", false),
            None => (given, false),
        };
        let template = Template::parse(&unescape(template.trim_matches(' ')))?;
        // A table is for people, wherever it goes.
        let for_terminal = is_table || std::io::stdout().is_terminal();
        let header = |(field, header): &(&str, &str)| ((*field).to_owned(), (*header).into());
        Ok(Self {
            template: template.for_terminal(for_terminal),
            headers: is_table.then(|| Row {
                fields: headers.iter().map(header).collect::<Map<_, _>>(),
                labels: Labels::Header,
            }),
        })
    }

    /// Whether a row's field of this name is asked for.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        self.template.mentions(field)
    }

    /// Prints all rows, or nothing where one of them does not go with the template.
    pub(crate) fn print(&self, rows: &[Row]) -> Result<(), Exit> {
        Ok(output::raw(&self.render(rows)?)?)
    }

    /// All rows as text.
    pub(crate) fn render(&self, rows: &[Row]) -> Result<String, Exit> {
        let mut text = String::new();
        if let Some(headers) = &self.headers {
            text.push_str(&self.template.render(Data::Header(headers))?);
            text.push('\n');
        }
        for row in rows {
            text.push_str(&self.template.render(Data::Row(row))?);
            text.push('\n');
        }
        if self.headers.is_some() {
            text = output::tabulate(&text);
        }
        Ok(text)
    }
}

/// `\t` and `\n` as shells leave them; inside of an action they mean that already.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(left) = rest.find("{{") {
        out.push_str(&unescape_plain(&rest[..left]));
        let right = rest[left..].find("}}");
        let end = right.map_or(rest.len(), |right| left + right + 2);
        out.push_str(&rest[left..end]);
        rest = &rest[end..];
    }
    out + &unescape_plain(rest)
}

fn unescape_plain(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [(&str, &str); 3] = [
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Labels", "LABELS"),
    ];

    fn row(id: &str, name: &str) -> Row {
        let fields = [("ID", id), ("Names", name), ("Labels", "a=1")];
        let field = |(key, value): (&str, &str)| (key.to_owned(), value.into());
        Row {
            fields: fields.into_iter().map(field).collect(),
            labels: Labels::Of([("a".to_owned(), "1".to_owned())].into()),
        }
    }

    /// What a format makes of two rows.
    fn made(given: &str) -> String {
        let format = Format::new(Some(given), "{{.ID}}\t{{.Names}}", &HEADERS).unwrap();
        let mut text = String::new();
        for data in format.headers.iter().map(Data::Header) {
            text += &(format.template.render(data).unwrap() + "\n");
        }
        for row in [row("1234", "web"), row("5678", "한국어이름")] {
            text += &(format.template.render(Data::Row(&row)).unwrap() + "\n");
        }
        if format.headers.is_some() {
            text = output::tabulate(&text);
        }
        text
    }

    #[test]
    fn nothing_and_table_are_the_default() {
        let wanted = "CONTAINER ID   NAMES\n1234           web\n5678           한국어이름\n";
        for given in ["", "table", "table "] {
            assert_eq!(made(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn a_table_has_the_headers_of_its_fields() {
        assert_eq!(
            made(r"table {{.Names}}\t{{.ID}}\t{{.Labels}}"),
            "NAMES        CONTAINER ID   LABELS\n\
             web          1234           a=1\n\
             한국어이름   5678           a=1\n"
        );
        // Functions are for the cells.
        assert_eq!(
            made(
                r#"table {{upper .Names}} {{truncate .ID 2}} {{.Label "com.a_b-c"}}|{{join (split .Names "e") "-"}}"#
            ),
            "NAMES CONTAINER ID a b c|NAMES\nWEB 12 |w-b\n한국어이름 56 |한국어이름\n"
        );
        assert_eq!(made("tablex {{.ID}}"), "x CONTAINER ID\nx 1234\nx 5678\n");
    }

    #[test]
    fn anything_else_is_a_template_for_each_row() {
        assert_eq!(
            made(r"{{.Names}}\t{{.ID}}"),
            "web\t1234\n한국어이름\t5678\n"
        );
        assert_eq!(made(" {{.ID}} "), "1234\n5678\n");
        assert_eq!(
            made(r#"{{"a\tb"}}\n{{join (split .ID "") "\n"}}"#),
            "a\tb\n1\n2\n3\n4\na\tb\n5\n6\n7\n8\n"
        );
        assert_eq!(made(r#"{{.Label "a"}}{{.Label "b"}}"#), "1\n1\n");
        assert_eq!(
            made("json"),
            "{\"ID\":\"1234\",\"Names\":\"web\",\"Labels\":\"a=1\"}\n\
             {\"ID\":\"5678\",\"Names\":\"한국어이름\",\"Labels\":\"a=1\"}\n"
        );
        assert_eq!(made("{{json .}}"), made("json"));
        assert_eq!(made("plain"), "plain\nplain\n");
    }

    #[test]
    fn fields_are_known_before_any_row_is() {
        let format = Format::new(Some("table {{.Names}} {{.Size}}"), "", &HEADERS).unwrap();
        assert!(format.mentions("Size") && !format.mentions("ID"));
        assert!(format.print(&[]).is_err());
        assert!(Format::new(Some("{{.Names"), "", &HEADERS).is_err());
    }
}
