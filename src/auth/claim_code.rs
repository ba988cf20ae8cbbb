//! The code by which a new kiosk is claimed: shown on its own screen, typed by whoever stands before it.

use super::secret::Digest;
use std::fmt;

/// Digits and letters of which no two look alike on a screen across the room: no 0 and O, no 1 and I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// As many of them as a person types without a mistake. 40 bits: at the ten guesses a minute that the throttle lets all
/// the world have together, the odds after a year of guessing are one in 200,000.
const LENGTH: usize = 8;

/// Where the dash stands.
const HALF: usize = LENGTH / 2;

/// `7QFM-2KXD`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimCode([u8; LENGTH]);

impl ClaimCode {
    /// A new code, made of bytes that nobody can guess.
    pub fn from_random(bytes: [u8; LENGTH]) -> Self {
        // 256 is a multiple of 32: every letter is as likely as any other.
        Self(bytes.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]))
    }

    /// Reads a code as people type it: in small letters, without the dash, with spaces.
    pub fn read(typed: &str) -> Option<Self> {
        let mut letters = (typed.bytes())
            .filter(|byte| !matches!(byte, b'-' | b' '))
            .map(|byte| byte.to_ascii_uppercase());
        let mut code = [0; LENGTH];
        for place in &mut code {
            *place = letters.next().filter(|letter| ALPHABET.contains(letter))?;
        }
        letters.next().is_none().then_some(Self(code))
    }

    /// Whether this is what was typed. How long it takes tells nothing of how much of it was right.
    pub fn matches(&self, typed: &str) -> bool {
        Self::read(typed).is_some_and(|typed| Digest::of(&typed.0) == Digest::of(&self.0))
    }
}

impl fmt::Display for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.iter().enumerate() {
            let dash = if place == HALF { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

/// It is shown where somebody decided to show it, and nowhere by accident.
impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = ClaimCode::from_random([0, 31, 32, 63, 64, 200, 255, 9]);
        assert_eq!(code.to_string(), "2Z2Z-2AZB");
        for typed in ["2Z2Z-2AZB", "2z2z2azb", " 2z2z - 2azb ", "2Z2Z 2AZB"] {
            assert!(code.matches(typed), "{typed}");
        }
        for typed in [
            "",
            "2Z2Z-2AZ",
            "2Z2Z-2AZBB",
            "2Z2Z-2AZC",
            "2Z2Z_2AZB",
            "OOOO-1111",
        ] {
            assert!(!code.matches(typed), "{typed}");
        }
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        let mut counts = [0; 256];
        for byte in 0..=255 {
            let ClaimCode(letters) = ClaimCode::from_random([byte; LENGTH]);
            counts[usize::from(letters[0])] += 1;
        }
        for letter in ALPHABET {
            assert_eq!(counts[usize::from(*letter)], 8);
        }
    }
}
