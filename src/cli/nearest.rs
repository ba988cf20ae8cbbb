//! The word that was meant by one that is not known.

/// The greatest number of letters by which a word may differ from the one that was meant.
const MOST: usize = 2;

/// The candidate that was probably meant: it is the same but for upper and lower case, begins with the word, or is a
/// slip of the finger away.
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
            // Of a short word two letters are all of it.
            .filter(|(distance, longest, _)| *distance <= MOST.min(longest / 2))
            .min_by_key(|(distance, _, candidate)| (*distance, *candidate))
            .map(|(_, _, candidate)| candidate)
    })
}

/// How many letters must be added, dropped, changed or swapped with their neighbour to make `b` of `a` (Damerau and
/// Levenshtein's distance, each letter touched once).
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
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
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
