//! Standard output: lines, tables and JSON as Docker lays them out.

use std::io::{self, Write as _};

use serde::Serialize;

use super::text::printable;

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

/// A table as Docker prints it: columns as wide as their widest cell and three spaces, at least
/// ten characters; the last one open.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut widths: Vec<_> = header.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut text = String::new();
    let header = header.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&header).chain(rows) {
        let last = row.len().saturating_sub(1);
        for (column, cell) in row.iter().enumerate() {
            text.push_str(&printable(cell));
            if column < last {
                let filling = (widths[column] + 3).max(10).saturating_sub(width(cell));
                text.extend(std::iter::repeat_n(' ', filling));
            }
        }
        text.push('\n');
    }
    raw(&text)
}

/// Columns that a terminal gives a text: two for Korean and other wide characters.
fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x20000..=0x3fffd)
}
