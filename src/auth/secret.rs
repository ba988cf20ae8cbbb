//! A secret of 256 random bits, of which session cookies and tokens are made, and its digest, which is stored.

use base64ct::{Base64UrlUnpadded, Encoding};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The prefix of a token, so that one that was published by mistake is recognised by secret scanners.
const TOKEN_PREFIX: &str = "ossuary_";

/// The length of 32 bytes in base 64 without padding.
const ENCODED_LENGTH: usize = 43;

/// A secret that only its holder knows. It can be neither printed nor compared; only its digest is stored.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new secret from random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The value of a cookie: letters, digits, `-` and `_`.
    pub fn to_cookie(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// The text of a token.
    pub fn to_token(&self) -> String {
        format!("{TOKEN_PREFIX}{}", self.to_cookie())
    }

    /// Parses the result of [`Secret::to_cookie`].
    pub fn from_cookie(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        (text.len() == ENCODED_LENGTH).then_some(())?;
        let read = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (read.len() == bytes.len()).then_some(())?;
        Some(Self(bytes))
    }

    /// Parses the result of [`Secret::to_token`].
    pub fn from_token(text: &str) -> Option<Self> {
        Self::from_cookie(text.strip_prefix(TOKEN_PREFIX)?)
    }

    /// The digest that is stored. The secret is random and as long as the digest, so a fast hash is as good as a slow
    /// one.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// BLAKE2b-256 of a secret. Comparing digests need not take constant time: an attacker who measures it does not know
/// which secret yields the byte in question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Blake2b::<U32>::digest(bytes).into())
    }

    /// The bytes.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Secret(bytes) = Secret::from_cookie(&text)
            .ok_or_else(|| serde::de::Error::custom("must be 32 bytes in base 64"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_secrets_are_parsed_back() {
        let secret = Secret::from_random([0xA5; 32]);
        let cookie = Secret::from_cookie(&secret.to_cookie()).unwrap();
        let token = Secret::from_token(&secret.to_token()).unwrap();
        assert_eq!(cookie.digest(), secret.digest());
        assert_eq!(token.digest(), secret.digest());
        assert_ne!(
            Secret::from_random([0xA6; 32]).digest(),
            secret.digest(),
            "another secret"
        );
    }

    #[test]
    fn malformed_secrets_are_rejected() {
        let good = Secret::from_random([7; 32]).to_cookie();
        let short = &good[1..];
        let padded = format!("{good}=");
        let strange = good.replace(&good[..1], "+");
        for text in ["", " ", short, &padded, &strange, &"ä".repeat(22)] {
            assert!(Secret::from_cookie(text).is_none(), "{text:?}");
        }
        assert!(Secret::from_token(&good).is_none(), "a cookie is no token");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::from_random([7; 32]);
        let digest = secret.digest();
        assert_eq!(format!("{secret:?} {digest:?}"), "Secret(…) Digest(…)");
    }
}
