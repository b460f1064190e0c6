//! Each rule is a function from text to violations, and is shown to find one.

use std::path::Path;

/// Rooms and what each may use, in the table's order.
pub(crate) type Table = Vec<(String, Vec<String>)>;

/// Parses the table in the docs of `src/lib.rs`.
pub(crate) fn table(lib: &str) -> Table {
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let room = cells[0].trim().trim_end_matches('`').to_owned();
        (room, names(cells[2]))
    })
    .collect()
}

/// A room uses only rooms above it.
pub(crate) fn check_order(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (number, (room, uses)) in table.iter().enumerate() {
        for used in uses {
            if !table[..number].iter().any(|(above, _)| above == used) {
                found.push(format!("{room} is granted {used}, which is not above it"));
            }
        }
    }
    found
}

/// Source without comments, and without what stands in quotes.
pub(crate) fn code_of(text: &str) -> String {
    text.lines().map(|line| strip(line) + "\n").collect()
}

/// One line's code. Texts over several lines do not name rooms, so lines will do.
pub(crate) fn strip(line: &str) -> String {
    let (mut code, mut quoted, mut chars) = (String::new(), false, line.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            // A quote or backslash as a character is no text.
            '\'' if !quoted && matches!(chars.peek(), Some('"' | '\\')) => {
                chars.by_ref().take_while(|c| *c != '\'').for_each(drop);
            }
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            c if !quoted => code.push(c),
            _ => {}
        }
    }
    code
}

/// Rooms that a file uses, through `crate::room` or `use crate::{room::…}` in any nesting.
pub(crate) fn used_rooms(text: &str) -> Vec<String> {
    let code: String = code_of(text);
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(first_words(group)),
            None => rooms.push(word(rest)),
        }
    }
    rooms.sort();
    rooms.dedup();
    rooms
}

pub(crate) fn word(text: &str) -> String {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text[..end.unwrap_or(text.len())].to_owned()
}

/// The first word of each item of a `use` group, up to its brace.
pub(crate) fn first_words(group: &str) -> Vec<String> {
    let (mut depth, mut items) = (0_usize, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            c => items.last_mut().unwrap().push(c),
        }
    }
    let words = items.iter().map(|item| word(item.trim()));
    words.filter(|word| !word.is_empty()).collect()
}

pub(crate) fn check_uses(room: &str, granted: &[String], text: &str) -> Vec<String> {
    let allowed = |used: &String| used == "error" || used == room || granted.contains(used);
    let uses = used_rooms(text).into_iter().filter(|used| !allowed(used));
    uses.map(|used| format!("{room} uses {used}, which it is not granted"))
        .collect()
}

pub(crate) fn check_paths(text: &str) -> Vec<String> {
    let code = code_of(text);
    // A `use` of several rooms is fine, `crate::{` in the middle of code is not.
    let plain = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("use "));
    let mut found = Vec::new();
    if plain.clone().any(|line| line.contains("crate::{")) {
        found.push("crate::{ outside of a use at the top".to_owned());
    }
    if code.contains("super::super") {
        found.push("super::super".to_owned());
    }
    found
}

/// The program is one client of the library among others.
pub(crate) fn check_cli(text: &str) -> Vec<String> {
    let rooms = used_rooms(text).into_iter().filter(|used| used != "cli");
    rooms
        .map(|room| format!("cli reaches for crate::{room}"))
        .collect()
}

pub(crate) fn check_first_line(text: &str) -> Vec<String> {
    if text.starts_with("//! ") {
        return Vec::new();
    }
    vec!["does not say first what it is for".to_owned()]
}

const MOST_LINES: usize = 400;

pub(crate) fn check_length(text: &str) -> Vec<String> {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let count = body.lines().filter(is_code).count();
    if count <= MOST_LINES {
        return Vec::new();
    }
    vec![format!("{count} lines of code, more than {MOST_LINES}")]
}

const UNSAFE_FILES: [&str; 3] = ["src/sys/raw.rs", "src/sys/fork.rs", "src/sys/last_words.rs"];

pub(crate) fn has_unsafe(line: &str) -> bool {
    let code = strip(line);
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.into_iter().any(|word| word == "unsafe")
}

pub(crate) fn check_unsafe(file: &str, text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| has_unsafe(line))
    {
        let place = format!("line {}", number + 1);
        if !UNSAFE_FILES.contains(&file) {
            found.push(format!("{place}: unsafe"));
        }
        // Above it, with nothing between but the beginning of the same statement.
        let above = lines[..number]
            .iter()
            .rev()
            .take_while(|line| !line.trim().is_empty());
        let mut above = above.take(8);
        let is_block = strip(line).contains("unsafe {");
        if is_block && !above.any(|line| line.contains("// SAFETY: ")) {
            found.push(format!("{place}: unsafe without a SAFETY comment"));
        }
    }
    found
}

/// A front door shows what is behind it: of its own it has the errors, and what they need to speak.
pub(crate) fn check_front_door(text: &str) -> Vec<String> {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let free = |line: &&str| line.starts_with("pub") && strip(line).contains(" fn ");
    body.lines()
        .filter(free)
        .map(|line| format!("public function in mod.rs: {line}"))
        .collect()
}

const VAGUE: [&str; 7] = [
    "utils", "util", "common", "helpers", "helper", "manager", "types",
];

pub(crate) fn check_name(path: &Path) -> Vec<String> {
    let parts = path.iter().filter_map(|part| part.to_str());
    let stems = parts.map(|part| part.trim_end_matches(".rs"));
    let vague = stems.filter(|stem| VAGUE.contains(stem) || stem.ends_with("_utils"));
    vague.map(|stem| format!("{stem} says nothing")).collect()
}

/// The rules find what they are for.
mod tests {
    use super::*;

    const LIB: &str = "//! | room | job | may use |\n//! |---|---|---|\n\
                       //! | `a` | names `x` | – |\n//! | `b` | job | `a` |\n//! | `c` | job | `a` `d` |\n";

    fn granted(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_table_is_read_from_the_docs() {
        let rows = [("a", &[][..]), ("b", &["a"]), ("c", &["a", "d"])];
        let wanted: Table = rows
            .map(|(room, uses)| (room.to_owned(), granted(uses)))
            .to_vec();
        assert_eq!(table(LIB), wanted);
    }

    #[test]
    fn a_grant_of_a_room_below_is_found() {
        assert_eq!(
            check_order(&table(LIB)),
            ["c is granted d, which is not above it"]
        );
    }

    #[test]
    fn uses_are_found_in_every_form() {
        for text in [
            "use crate::b::X;",
            "use crate::{a, b::{X, Y}};",
            "use crate::{\n    a::{self, c},\n    b::X,\n};",
            "fn f() { crate::b::f(); }",
            "    pub(crate) use crate::b;",
            "let x: crate::b::X = y; // \"",
            "#[cfg(test)]\nmod tests { use crate::b::X; }",
            "let c = '\"'; crate::b::f()",
        ] {
            let found = check_uses("own", &granted(&["a"]), text);
            assert_eq!(found, ["own uses b, which it is not granted"], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_use_is_none() {
        for text in [
            "// crate::b::X",
            "//! see [`crate::b`]",
            "let text = \"crate::b::X\";",
            "use crate::error::Failure;",
            "use crate::own::X;",
            "use crate::{a::{b, Z}, own};",
            "my_crate::b::f()",
        ] {
            assert_eq!(check_uses("own", &granted(&["a"]), text), [""; 0], "{text}");
        }
    }

    #[test]
    fn paths_in_another_way_are_found() {
        assert_eq!(
            check_paths("fn f() { super::super::x() }"),
            ["super::super"]
        );
        assert_eq!(check_paths("pub use super::super::x;"), ["super::super"]);
        assert_eq!(check_paths("    macro!(crate::{a})").len(), 1);
        assert_eq!(check_paths("use crate::{a, b};\nuse super::x;"), [""; 0]);
    }

    #[test]
    fn a_command_line_inside_the_library_is_found() {
        assert_eq!(
            check_cli("use crate::store::Store;"),
            ["cli reaches for crate::store"]
        );
        assert_eq!(
            check_cli("use crate::cli::text;\nuse cowshed::store;"),
            [""; 0]
        );
    }

    #[test]
    fn files_that_do_not_introduce_themselves_are_found() {
        assert_eq!(check_first_line("//! Why.\n"), [""; 0]);
        for text in ["", "use std::fs;", "// Why.", "\n//! Why."] {
            assert_eq!(check_first_line(text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let line = "let x = 1;\n";
        assert_eq!(check_length(&line.repeat(400)), [""; 0]);
        assert_eq!(check_length(&line.repeat(401)).len(), 1);
        let with_rest = format!(
            "{}\n  // why\n\n#[cfg(test)]\nmod tests {{\n{}",
            line.repeat(400),
            line.repeat(99)
        );
        assert_eq!(check_length(&with_rest), [""; 0]);
        // One function for tests does not hide the rest.
        let early = format!("#[cfg(test)]\nfn f() {{}}\n{}", line.repeat(401));
        assert_eq!(check_length(&early).len(), 1);
    }

    #[test]
    fn unsafe_in_other_files_or_without_a_reason_is_found() {
        let good = "// SAFETY: it is.\nlet x = unsafe { f() };";
        assert_eq!(check_unsafe("src/sys/raw.rs", good), [""; 0]);
        assert_eq!(check_unsafe("src/sys/dir.rs", good), ["line 2: unsafe"]);
        let bad = "// It is.\nlet x = unsafe { f() };";
        let why = "line 2: unsafe without a SAFETY comment";
        assert_eq!(check_unsafe("src/sys/fork.rs", bad), [why]);
        let far = "// SAFETY: of another.\nf();\n\nlet x = unsafe { f() };";
        assert_eq!(check_unsafe("src/sys/fork.rs", far).len(), 1);
        assert_eq!(
            check_unsafe(
                "src/lib.rs",
                "//! the only `unsafe`\n\"unsafe\"; unsafe_code"
            ),
            [""; 0]
        );
        assert_eq!(
            check_unsafe("src/a/b.rs", "unsafe impl Send for X {}").len(),
            1
        );
    }

    #[test]
    fn functions_at_the_front_door_are_found() {
        assert_eq!(
            check_front_door("pub fn f() {}\npub(crate) fn g() {}").len(),
            2
        );
        let fine = "mod a;\nfn quoted() {}\nimpl Failure for Error {\n    fn kind(&self) {}\n}\n#[cfg(test)]\nmod tests {\nfn f() {}\n}";
        assert_eq!(check_front_door(fine), [""; 0]);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        for path in [
            "src/utils/a.rs",
            "src/a/helpers.rs",
            "src/a/types.rs",
            "src/a/tar_utils.rs",
        ] {
            assert_eq!(check_name(Path::new(path)).len(), 1, "{path}");
        }
        assert_eq!(check_name(Path::new("src/layer/entry.rs")), [""; 0]);
    }
}
