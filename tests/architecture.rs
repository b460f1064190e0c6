//! The rules of the house: which room may use which, what files look like, where `unsafe` lives.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

#[path = "architecture/rules.rs"]
mod rules;

use rules::*;

/// Every source file by its path from the top.
fn sources() -> BTreeMap<PathBuf, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut pending) = (BTreeMap::new(), vec![PathBuf::from("src")]);
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(top.join(&dir)).unwrap() {
            let path = dir.join(entry.unwrap().file_name());
            if top.join(&path).is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(top.join(&path)).unwrap();
                files.insert(path, text);
            }
        }
    }
    assert!(files.len() > 50, "{} files", files.len());
    files
}

/// `sys` of `src/sys/dir.rs`; none for files beside the rooms.
fn room_of(path: &Path) -> Option<&str> {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    (parts.len() > 2).then(|| parts[1])
}

/// Applies a rule to every file that it is for.
#[track_caller]
fn every_file(rule: impl Fn(&Path, &str) -> Vec<String>) {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let violations = rule(&path, &text);
        found.extend(
            violations
                .iter()
                .map(|one| format!("{}: {one}", path.display())),
        );
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn own_table() -> Table {
    let table = table(&sources()[Path::new("src/lib.rs")]);
    assert_eq!(table.len(), 18, "{table:?}");
    table
}

#[test]
fn the_table_is_in_the_order_of_dependency() {
    assert_eq!(check_order(&own_table()), [""; 0]);
}

#[test]
fn every_folder_is_a_room_of_the_table() {
    let table = own_table();
    let files = sources();
    let folders = files
        .keys()
        .filter_map(|path| room_of(path))
        .filter(|room| *room != "cli");
    for folder in folders {
        assert!(
            table.iter().any(|(room, _)| room == folder),
            "{folder} is not in the table"
        );
    }
    for (room, _) in &table {
        let door = format!("src/{room}/mod.rs");
        assert!(
            files.contains_key(Path::new(&door)),
            "{door} does not exist"
        );
    }
}

#[test]
fn rooms_use_only_what_they_are_granted() {
    let table = own_table();
    every_file(|path, text| match room_of(path) {
        None | Some("cli") => Vec::new(),
        Some(room) => {
            let granted = table.iter().find(|(name, _)| name == room);
            check_uses(room, granted.map_or(&[], |(_, granted)| granted), text)
        }
    });
}

#[test]
fn leaves_and_the_library_itself_use_no_room() {
    let files = sources();
    for file in ["src/error.rs", "src/lib.rs"] {
        assert_eq!(used_rooms(&files[Path::new(file)]), [""; 0], "{file}");
    }
}

#[test]
fn the_command_line_uses_the_library_from_outside() {
    every_file(|path, text| match room_of(path) {
        Some("cli") => check_cli(text),
        _ => Vec::new(),
    });
}

#[test]
fn paths_are_written_in_the_one_way() {
    every_file(|_, text| check_paths(text));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    every_file(|_, text| check_first_line(text));
}

#[test]
fn no_file_is_too_long() {
    every_file(|_, text| check_length(text));
}

#[test]
fn unsafe_lives_in_two_files_and_says_why() {
    every_file(|path, text| check_unsafe(path.to_str().unwrap(), text));
}

#[test]
fn front_doors_hold_no_code() {
    every_file(|path, text| match room_of(path) {
        Some(room) if room != "cli" && path.ends_with("mod.rs") => check_front_door(text),
        _ => Vec::new(),
    });
}

#[test]
fn names_say_something() {
    every_file(|path, _| check_name(path));
}
