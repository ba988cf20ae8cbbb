//! What the system said no with, in words an operator reads.

use crate::supervisor::Failure;
use std::fmt;
use std::io;

/// The error without its number and in lower case: `no space left on device`.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        // An abbreviation (`RPC version wrong`) keeps its capitals.
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// `cannot {attempt}: {why}`, where `attempt` names the thing: `write /data/config.json`.
pub fn failure(attempt: impl fmt::Display, error: &io::Error) -> Failure {
    Failure::system(format!("cannot {attempt}: {}", words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_words_without_its_number() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(
            failure("write /data/config.json", &full).message,
            "cannot write /data/config.json: no space left on device"
        );
        assert_eq!(words(&io::Error::other("RPC is odd")), "RPC is odd");
    }
}
