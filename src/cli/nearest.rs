//! Suggests the word that was meant by an unknown one.

/// The largest edit distance of a suggestion.
const MOST: usize = 2;

/// The candidate that was probably meant: one that starts with the word or is a typing error away from it, ignoring case.
pub fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let lower = |candidate: &str| candidate.to_lowercase().chars().collect::<Vec<char>>();
    let begins = |candidate: &&str| word.len() > 1 && lower(candidate).starts_with(&word);
    candidates.clone().find(begins).or_else(|| {
        candidates
            .map(|candidate| {
                let letters = lower(candidate);
                let longest = letters.len().max(word.len());
                (distance(&word, &letters), longest, candidate)
            })
            // In a short word fewer letters may differ.
            .filter(|(distance, longest, _)| *distance <= MOST.min(longest / 2))
            .min_by_key(|(distance, _, candidate)| (*distance, *candidate))
            .map(|(_, _, candidate)| candidate)
    })
}

/// The optimal string alignment distance (restricted Damerau-Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let changed = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(above[j - 2] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let words = ["start", "status", "stop", "on", "off", "foyer-übersicht"];
        for (typed, meant) in [
            ("stauts", Some("status")),
            ("strat", Some("start")),
            ("stat", Some("status")),
            ("STOP", Some("stop")),
            ("ON", Some("on")),
            ("of", Some("off")),
            ("foyer-ubersicht", Some("foyer-übersicht")),
            (":0", None),
            ("", None),
            ("x", None),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(typed, words.into_iter()), meant, "{typed}");
        }
    }
}
