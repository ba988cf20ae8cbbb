//! A secret of 256 random bits: what a session's cookie and a token are made of, and how they are remembered.

use base64ct::{Base64UrlUnpadded, Encoding};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What stands before a token, so that one which was pasted into a public place is recognised for what it is.
const TOKEN_PREFIX: &str = "ossuary_";

/// 32 bytes in base 64 without padding.
const ENCODED_LENGTH: usize = 43;

/// Something that only its holder knows. It can be neither printed nor compared: only its digest is kept.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one, made of bytes that nobody can guess.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As a cookie has it: letters, digits, `-` and `_`.
    pub fn to_cookie(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// As a token is handed out.
    pub fn to_token(&self) -> String {
        format!("{TOKEN_PREFIX}{}", self.to_cookie())
    }

    /// Reads what [`Secret::to_cookie`] wrote.
    pub fn from_cookie(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        (text.len() == ENCODED_LENGTH).then_some(())?;
        let read = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (read.len() == bytes.len()).then_some(())?;
        Some(Self(bytes))
    }

    /// Reads what [`Secret::to_token`] wrote.
    pub fn from_token(text: &str) -> Option<Self> {
        Self::from_cookie(text.strip_prefix(TOKEN_PREFIX)?)
    }

    /// By which it is remembered. The secret is random and as long as the digest, so a quick hash is as good as a slow
    /// one: there is nothing to guess.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// BLAKE2b-256 of a secret. That two are compared byte by byte tells nobody anything: whoever measures how long it
/// takes does not know which secret would give the byte that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Blake2b::<U32>::digest(bytes).into())
    }

    /// Its bytes.
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
    fn what_is_handed_out_is_recognised() {
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
    fn what_was_not_handed_out_is_no_secret() {
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
