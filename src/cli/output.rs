//! Standard output: lines, tables and JSON as Docker lays them out.

use std::io::{self, BufRead as _, Write as _};

use serde::Serialize;

use super::text::{printable, width};

/// Writes a line; what would drive a terminal is made harmless.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", printable(text))
}

/// Writes text as it is.
pub(crate) fn raw(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

/// Writes bytes as they are, at once.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// One JSON value with Docker's indentation of four.
pub(crate) fn pretty(value: &impl Serialize) -> io::Result<()> {
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    text.push(b'\n');
    io::stdout().write_all(&text)
}

/// One JSON value on a line.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    line(&serde_json::to_string(value).map_err(io::Error::from)?)
}

/// A table as Docker prints it; see [`tabulate`].
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let header = header.iter().map(ToString::to_string).collect();
    // A tab would be the end of a cell.
    let cell = |cell: &String| printable(cell).replace('\t', " ");
    let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join("\t") + "\n";
    let text: String = std::iter::once(&header).chain(rows).map(line).collect();
    raw(&tabulate(&text))
}

/// Lines whose cells end with tabs, laid out in columns: as wide as the widest cell and three
/// spaces, at least ten characters. What follows a line's last tab is open. A column goes as far as
/// lines follow each other that have it.
pub(crate) fn tabulate(text: &str) -> String {
    tabulate_from(10, text)
}

/// The same with columns of `least` characters at least.
pub(crate) fn tabulate_from(least: usize, text: &str) -> String {
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    for start in 0..lines.len() {
        for column in 0..widths[start].len() {
            // Every line of the column was done with its first one.
            if widths[start][column] > 0 {
                continue;
            }
            let block = lines[start..].iter();
            let block = block.take_while(|cells| cells.len() > column + 1);
            let own: Vec<_> = block.map(|cells| width(cells[column])).collect();
            let widest = own.iter().max().map_or(0, |widest| (widest + 3).max(least));
            for line in &mut widths[start..start + own.len()] {
                line[column] = widest;
            }
        }
    }
    let mut out = String::new();
    for (cells, widths) in lines.iter().zip(&widths) {
        for (number, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            let wanted = widths.get(number).map_or(0, |wanted| *wanted);
            out.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell))));
        }
        out.push('\n');
    }
    out
}

/// Asks whether what was listed shall go, in Docker's words; only a yes is one.
pub(crate) fn is_agreed() -> io::Result<bool> {
    raw("Are you sure you want to continue? [y/N] ")?;
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok();
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(
            tabulate("A\tLONG HEADER\tC\n한국어이름\tb\tc\n\t\t\n"),
            "A            LONG HEADER   C\n한국어이름   b             c\n                           \n"
        );
    }

    #[test]
    fn a_column_ends_where_a_line_has_none() {
        assert_eq!(
            tabulate("a\tb\nno cells\nwider than ten\tb\nx\ty\tz\n"),
            "a         b\nno cells\nwider than ten   b\nx                y         z\n"
        );
        assert_eq!(tabulate(""), "");
    }
}
