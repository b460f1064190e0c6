//! What of a process stays in memory.

use super::{At as _, Result, raw};

/// Lets go of pages of the program file that this process has touched and has not changed: they
/// are read again when they are needed (madvise(2), `MADV_DONTNEED`). A process that only waits
/// needs few of them.
pub fn forget_clean_pages() -> Result<()> {
    let maps = std::fs::read_to_string("/proc/self/smaps").at("read", || "/proc/self/smaps")?;
    for (start, length) in clean_ranges(&maps) {
        raw::forget_pages(start, length).at("madvise", || "MADV_DONTNEED")?;
    }
    Ok(())
}

/// Addresses and lengths of mappings that are a file's, that nobody may write to, and of which no
/// page is our own copy (proc_pid_smaps(5)): what the loader has relocated is read-only by now,
/// but not as in the file.
fn clean_ranges(smaps: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(kilobytes) = line.strip_prefix("Anonymous:") {
            if kilobytes.trim() == "0 kB" {
                ranges.extend(candidate.take());
            }
        } else if !line.split(' ').next().unwrap_or_default().ends_with(':') {
            candidate = file_range(line);
        }
    }
    ranges
}

fn file_range(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    if !path.starts_with('/') || !matches!(rights, "r--p" | "r-xp") {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(rights: &str, path: &str, anonymous: u32) -> Vec<(usize, usize)> {
        clean_ranges(&format!(
            "00400000-00452000 {rights} 00000000 08:02 173521   {path}\nSize: 328 kB\n\
             Anonymous:      {anonymous} kB\nVmFlags: rd ex mr\n"
        ))
    }

    #[test]
    fn only_what_is_as_in_its_file_is_forgotten() {
        let whole = [(0x40_0000, 0x5_2000)];
        assert_eq!(ranges("r-xp", "/usr/bin/x", 0), whole);
        assert_eq!(ranges("r--p", "/usr/bin/x", 0), whole);
        for (rights, path, anonymous) in [
            ("r--p", "/usr/bin/x", 4),
            ("rw-p", "/usr/bin/x", 0),
            ("r-xs", "/usr/bin/x", 0),
            ("r-xp", "[vdso]", 0),
            ("r--p", "", 0),
        ] {
            assert_eq!(ranges(rights, path, anonymous), [], "{rights} {path}");
        }
    }

    #[test]
    fn a_program_goes_on_without_them() {
        forget_clean_pages().unwrap();
        assert_eq!(format!("{:?}", [1, 2, 3].map(|n| n * 2)), "[2, 4, 6]");
    }
}
