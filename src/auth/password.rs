//! The password: requirements, hashing and verification.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, CustomizedPasswordHasher, Params, PasswordVerifier, Version};
use std::fmt;

/// The shortest password, in characters (NIST SP 800-63B, section 3.1.1.2: enough where guessing is rate limited and
/// the password does not expire).
pub const PASSWORD_MIN: usize = 8;

/// The longest password, in bytes: a sentence or two. The bound keeps the cost of hashing constant.
pub const PASSWORD_MAX: usize = 256;

/// Memory for one hash, in KiB: what OWASP recommends with two passes. The smallest board has 1 GB, most of it for the
/// browser; only one hash is computed at a time.
const MEMORY_KIB: u32 = 19 * 1024;

/// Passes over the memory. With the memory above this takes 50 ms on an x86-64 processor (2026, two shared cores), and
/// several times as long on a small board.
const PASSES: u32 = 2;

/// The most that an imported hash may ask for: KiB, passes and lanes. A hash that needs a gigabyte would get the
/// browser killed at each sign-in.
const IMPORT_MAX: (u32, u32, u32) = (64 * 1024, 8, 4);

/// Checks the requirements of a new password.
///
/// # Errors
/// It is too short or too long.
pub fn check(password: &str) -> Result<(), String> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(format!("must have at least {PASSWORD_MIN} characters"));
    }
    if password.len() > PASSWORD_MAX {
        return Err(format!("must not be longer than {PASSWORD_MAX} bytes"));
    }
    Ok(())
}

/// A password hash: argon2id with its salt, as a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$…$…`).
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

impl Hash {
    /// Hashes a password. Slow on purpose: must not run on the thread of the loop.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn make(password: &str, salt: [u8; 16]) -> Result<Self, String> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| error.to_string())?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let made: Result<PasswordHash, _> =
            hasher.hash_password_customized(password.as_bytes(), &salt, None, None, params);
        made.map(|hash| Self(hash.to_string()))
            .map_err(|error| error.to_string())
    }

    /// Imports a hash that `argon2 -id` or another tool made, so that a device can be provisioned without writing the
    /// password down.
    ///
    /// # Errors
    /// It is not an argon2id hash, or it asks for more than a small board has.
    pub fn import(text: &str) -> Result<Self, String> {
        let bad = "must be an argon2id hash, as `argon2 SALT -id -e` prints it: $argon2id$v=19$m=…";
        let hash = PasswordHash::new(text).map_err(|_| bad)?;
        let params = Params::try_from(&hash).map_err(|_| bad)?;
        let whole = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm.as_str() != "argon2id" || hash.version != Some(0x13) || !whole {
            return Err(bad.into());
        }
        let (memory, passes, lanes) = IMPORT_MAX;
        if params.m_cost() > memory || params.t_cost() > passes || params.p_cost() > lanes {
            return Err(format!(
                "asks for too much: at most m={memory}, t={passes} and p={lanes}"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether `password` has this hash. Slow on purpose: must not run on the thread of the loop.
    pub fn verify(&self, password: &str) -> bool {
        let Ok(hash) = PasswordHash::new(&self.0) else {
            return false;
        };
        password.len() <= PASSWORD_MAX
            && (Argon2::default().verify_password(password.as_bytes(), &hash)).is_ok()
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_only() {
        let hash = Hash::make("correct horse", [7; 16]).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hash.verify("correct horse"));
        for other in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!hash.verify(other), "{other:?}");
        }
        assert_ne!(hash, Hash::make("correct horse", [8; 16]).unwrap());
        assert_eq!(Hash::import(hash.as_str()).unwrap(), hash);
    }

    /// From the tests of the reference implementation: `password` with the salt `somesalt`.
    #[test]
    fn a_hash_of_the_reference_implementation_is_imported() {
        let made_elsewhere = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = Hash::import(made_elsewhere).unwrap();
        assert!(hash.verify("password"));
        assert!(!hash.verify("Password"));
    }

    #[test]
    fn a_hash_that_is_too_expensive_or_of_another_algorithm_is_not_imported() {
        let rest = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for bad in [
            format!("$argon2id$v=19$m=1048576,t=2,p=1{rest}"),
            format!("$argon2id$v=19$m=65536,t=100,p=1{rest}"),
            format!("$argon2id$v=19$m=65536,t=2,p=64{rest}"),
            format!("$argon2i$v=19$m=65536,t=2,p=1{rest}"),
            format!("$argon2id$v=16$m=65536,t=2,p=1{rest}"),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".to_owned(),
            "$argon2id$v=19$m=65536,t=2,p=1".to_owned(),
            "correct horse".to_owned(),
            String::new(),
        ] {
            assert!(Hash::import(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_length_of_a_password_is_bounded() {
        assert!(check("sesame!").is_err());
        assert!(check("sesame!!").is_ok());
        assert!(check("äöüß").is_err(), "characters are counted");
        assert!(check(&"x".repeat(PASSWORD_MAX)).is_ok());
        assert!(check(&"x".repeat(PASSWORD_MAX + 1)).is_err());
    }
}
