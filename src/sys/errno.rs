//! What the system said no with, in words an operator reads.

use crate::supervisor::Failure;
use nix::errno::Errno;
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

/// Whether an address could not be bound because this machine has none of its kind: IPv6 is switched off, or the
/// kernel was started without it.
pub fn has_no_such_address(error: &io::Error) -> bool {
    let why = error.raw_os_error().map(Errno::from_raw);
    matches!(why, Some(Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_ipv6_is_distinguished_from_an_address_in_use() {
        let is_without = |errno: Errno| has_no_such_address(&io::Error::from(errno));
        assert!(is_without(Errno::EADDRNOTAVAIL) && is_without(Errno::EAFNOSUPPORT));
        assert!(!is_without(Errno::EADDRINUSE) && !is_without(Errno::EACCES));
    }

    #[test]
    fn an_error_is_described_without_its_number() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(
            failure("write /data/config.json", &full).message,
            "cannot write /data/config.json: no space left on device"
        );
        assert_eq!(words(&io::Error::other("RPC is odd")), "RPC is odd");
    }
}
