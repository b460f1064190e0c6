//! What somebody may have meant by a word that is not one.

/// The nearest of `known`, if it is near.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 40 {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let most = if word.len() < 4 { 1 } else { 2 };
    let near = known.iter().map(|one| (distance(&word, one), *one));
    let near = near.filter(|(steps, _)| *steps <= most);
    near.min_by_key(|(steps, _)| *steps).map(|(_, one)| one)
}

/// Letters to be added, taken away, replaced or swapped with their neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_not() {
        let known = ["RUN", "COPY", "ENTRYPOINT", "ENV", "CMD"];
        for (word, wanted) in [
            ("RUNN", Some("RUN")),
            ("cpoy", Some("COPY")),
            ("ENTRYPIONT", Some("ENTRYPOINT")),
            ("EV", Some("ENV")),
            ("HELLO", None),
            ("X", None),
        ] {
            assert_eq!(nearest(word, &known), wanted, "{word}");
        }
    }
}
