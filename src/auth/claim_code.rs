//! The claim code of a new kiosk: shown on its screen, typed by the operator in front of it.

use super::secret::Digest;
use std::fmt;

/// Digits and letters that cannot be confused on a screen across the room: no 0 and O, no 1 and I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Short enough to type without a mistake. 40 bits: at the ten guesses a minute that the rate limit allows all unknown
/// clients together, the odds after a year of guessing are one in 200,000.
const LENGTH: usize = 8;

/// The position of the dash.
const HALF: usize = LENGTH / 2;

/// A claim code, such as `7QFM-2KXD`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimCode([u8; LENGTH]);

impl ClaimCode {
    /// A new code from random bytes.
    pub fn from_random(bytes: [u8; LENGTH]) -> Self {
        // 256 is a multiple of 32, so every letter is equally likely.
        Self(bytes.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]))
    }

    /// Parses a code as people type it: in lower case, without the dash, with spaces.
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

    /// Whether `typed` is this code. Digests are compared, so the time it takes does not depend on how much of it was
    /// right.
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

/// Debug output must not reveal the code.
impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_accepted_in_lower_case_without_dash_and_with_spaces() {
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
