//! Patterns as Go's `path.Match` has them: `*` and `?` stop at a slash.

/// A pattern that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

/// Whether the whole text fits. What is wrong in the pattern is found in any case.
pub(super) fn fits(pattern: &str, text: &str) -> Result<bool, BadPattern> {
    let pieces = parse(pattern)?;
    let text: Vec<char> = text.chars().collect();
    // Which places of the text the pattern so far can end at.
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for piece in &pieces {
        let mut next = vec![false; text.len() + 1];
        for at in (0..=text.len()).filter(|at| ends[*at]) {
            match piece {
                Piece::Any => {
                    let rest = text[at..].iter();
                    let most = rest.take_while(|letter| **letter != '/').count();
                    next[at..=at + most].fill(true);
                }
                Piece::One(class) if at < text.len() && class.has(text[at]) => next[at + 1] = true,
                Piece::One(_) => {}
            }
        }
        ends = next;
    }
    Ok(ends[text.len()])
}

enum Piece {
    /// `*`
    Any,
    One(Class),
}

/// A letter, `?` or `[a-z]`.
enum Class {
    Letter(char),
    NoSlash,
    Ranges {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Class {
    fn has(&self, letter: char) -> bool {
        match self {
            Self::Letter(own) => *own == letter,
            Self::NoSlash => letter != '/',
            Self::Ranges { not, ranges } => {
                let inside = ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&letter));
                inside != *not
            }
        }
    }
}

fn parse(pattern: &str) -> Result<Vec<Piece>, BadPattern> {
    let mut letters = pattern.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(letter) = letters.next() {
        pieces.push(match letter {
            '*' => Piece::Any,
            '?' => Piece::One(Class::NoSlash),
            '\\' => Piece::One(Class::Letter(letters.next().ok_or(BadPattern)?)),
            '[' => Piece::One(ranges(&mut letters)?),
            letter => Piece::One(Class::Letter(letter)),
        });
    }
    Ok(pieces)
}

fn ranges(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Class, BadPattern> {
    let not = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && letters.next_if_eq(&']').is_some() {
            return Ok(Class::Ranges { not, ranges });
        }
        let mut one = || match letters.next() {
            None | Some('-' | ']') => Err(BadPattern),
            Some('\\') => letters.next().ok_or(BadPattern),
            Some(letter) => Ok(letter),
        };
        let low = one()?;
        let is_range = letters.next_if_eq(&'-').is_some();
        let mut one = || match letters.next() {
            None | Some('-' | ']') => Err(BadPattern),
            Some('\\') => letters.next().ok_or(BadPattern),
            Some(letter) => Ok(letter),
        };
        ranges.push((low, if is_range { one()? } else { low }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_gos() {
        for (pattern, text, wanted) in [
            ("base", "base", true),
            ("base", "bases", false),
            ("ba*", "base", true),
            ("ba*", "base/x", false),
            ("*/base", "reg.io/base", true),
            ("*/base", "reg.io/x/base", false),
            ("reg.io/*/base:?", "reg.io/x/base:1", true),
            ("b[a-c]*e", "base", true),
            ("b[^a-c]se", "base", false),
            ("b\\*", "b*", true),
            ("b\\*", "bb", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**e*", "base", true),
            ("한?어", "한국어", true),
        ] {
            assert_eq!(fits(pattern, text), Ok(wanted), "{pattern} {text}");
        }
        for bad in ["[", "[a", "[]", "[]a]", "[-x]", "[x-]", "a\\", "x[a-"] {
            assert_eq!(fits(bad, "x"), Err(BadPattern), "{bad}");
        }
        // No time that grows with the number of stars.
        assert_eq!(fits(&"*a".repeat(40), &"a".repeat(60)), Ok(true));
        assert_eq!(fits(&"*a".repeat(40), &"b".repeat(60)), Ok(false));
    }
}
