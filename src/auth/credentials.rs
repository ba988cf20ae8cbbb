//! The stored credentials: the password or, before the kiosk is claimed, the claim code; and the tokens.
//!
//! One small document (`credentials.json` in the state directory), read once and written at each change:
//!
//! ```json
//! {"version": 1, "password": "$argon2id$v=19$m=19456,t=2,p=1$…$…",
//!  "tokens": [{"id": "1f2e3d4c", "name": "monitoring", "role": "view", "digest": "…", "created": "2026-11-23T08:00:00Z"}]}
//! {"version": 1, "claim_code": "7QFM-2KXD", "tokens": []}
//! ```
//!
//! A document that cannot be parsed grants no access: the kiosk is then [`Owner::Unreadable`], and only root can reset
//! the credentials. Fields that a newer version has added do not lock the owner out after a downgrade: they are
//! ignored. In a token such a field may restrict it, so that token alone is not valid.

use super::claim_code::ClaimCode;
use super::password::Hash;
use super::random_name::Name;
use super::role::Role;
use super::secret::Digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The most tokens at once: a few programs and a few scripts.
pub const TOKENS_MAX: usize = 64;

/// The longest name of a token, in characters; the same as for a process.
const NAME_MAX: usize = 80;

/// The only version of the document. Raise it with a field that restricts what the password or the claim code gives
/// access to: this version would ignore the field.
const VERSION: u32 = 1;

/// How an administrator proves to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Not claimed yet: the claim code sets the first password.
    Unclaimed(ClaimCode),
    /// With the password of this hash.
    Password(Hash),
    /// Not at all: the document cannot be read, for this reason.
    Unreadable(String),
}

/// A credential for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Identifies the token in lists and when it is revoked.
    pub id: Name,
    /// Its name for people.
    pub name: String,
    /// The role of its holder.
    pub role: Role,
    /// The digest of its secret.
    pub digest: Digest,
    /// When it was created, by the wall clock at that time (RFC 3339).
    pub created: String,
}

/// Owner and tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    owner: Owner,
    tokens: Vec<Token>,
    unusable_tokens: usize,
}

/// The JSON document.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
    #[serde(default)]
    tokens: Vec<TokenEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TokenEntry {
    Usable(Token),
    #[serde(skip_serializing)]
    Unusable(IgnoredAny),
}

impl Credentials {
    /// The credentials of an unclaimed kiosk, without tokens.
    pub fn unclaimed(code: ClaimCode) -> Self {
        Self {
            owner: Owner::Unclaimed(code),
            tokens: Vec::new(),
            unusable_tokens: 0,
        }
    }

    /// The credentials of a kiosk whose document cannot be read.
    pub fn unreadable(why: impl Into<String>) -> Self {
        Self {
            owner: Owner::Unreadable(why.into()),
            tokens: Vec::new(),
            unusable_tokens: 0,
        }
    }

    /// Parses the document. One that is invalid is [`Credentials::unreadable`]: breaking the file grants no access.
    pub fn read(bytes: &[u8]) -> Self {
        Self::try_read(bytes).unwrap_or_else(Self::unreadable)
    }

    fn try_read(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.version != VERSION {
            return Err(format!("version {} is not known", document.version));
        }
        let owner = match (document.password, document.claim_code) {
            (Some(hash), None) => {
                Owner::Password(Hash::import(&hash).map_err(|why| format!("password {why}"))?)
            }
            (None, Some(code)) => Owner::Unclaimed(
                ClaimCode::read(&code).ok_or_else(|| "claim_code is no such code".to_owned())?,
            ),
            _ => return Err("there must be either a password or a claim_code".into()),
        };
        if document.tokens.len() > TOKENS_MAX {
            return Err(format!("there are more than {TOKENS_MAX} tokens"));
        }
        let entries = document.tokens.len();
        let usable = document.tokens.into_iter().filter_map(|entry| match entry {
            TokenEntry::Usable(token) => Some(token),
            TokenEntry::Unusable(_) => None,
        });
        let tokens: Vec<Token> = usable.collect();
        Ok(Self {
            owner,
            unusable_tokens: entries - tokens.len(),
            tokens,
        })
    }

    /// The JSON document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (password, claim_code) = match &self.owner {
            Owner::Password(hash) => (Some(hash.as_str().to_owned()), None),
            Owner::Unclaimed(code) => (None, Some(code.to_string())),
            // Never written, see [`Credentials::read`]. If it were, it would be read as unreadable again.
            Owner::Unreadable(_) => (None, None),
        };
        let document = Document {
            version: VERSION,
            password,
            claim_code,
            tokens: (self.tokens.iter().cloned().map(TokenEntry::Usable)).collect(),
        };
        serde_json::to_vec_pretty(&document).expect("strings and numbers are serializable")
    }

    /// How an administrator proves to be one.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The claim code, while the kiosk is unclaimed.
    pub fn claim_code(&self) -> Option<&ClaimCode> {
        match &self.owner {
            Owner::Unclaimed(code) => Some(code),
            Owner::Password(_) | Owner::Unreadable(_) => None,
        }
    }

    /// The same tokens with the password of this hash; a claim code is dropped.
    pub fn with_password(&self, hash: Hash) -> Self {
        Self {
            owner: Owner::Password(hash),
            ..self.clone()
        }
    }

    /// The same without tokens.
    pub fn without_tokens(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            tokens: Vec::new(),
            unusable_tokens: 0,
        }
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// How many tokens of the document were not understood. They are not valid, and the next change removes them.
    pub fn unusable_tokens(&self) -> usize {
        self.unusable_tokens
    }

    /// The token with this digest.
    pub fn token(&self, digest: &Digest) -> Option<&Token> {
        self.tokens.iter().find(|token| token.digest == *digest)
    }

    /// Whether there is a token with this id.
    pub fn has_token(&self, id: &Name) -> bool {
        self.tokens.iter().any(|token| token.id == *id)
    }

    /// The same with one more token.
    ///
    /// # Errors
    /// There are too many tokens, or the name is invalid: the field (empty for none) and the reason.
    pub fn with_token(&self, token: Token) -> Result<Self, (&'static str, String)> {
        if token.name.trim().is_empty() {
            return Err(("name", "must not be empty".into()));
        }
        if token.name.chars().count() > NAME_MAX {
            return Err(("name", format!("must have at most {NAME_MAX} characters")));
        }
        if token.name.chars().any(char::is_control) {
            return Err(("name", "must be one line of text".into()));
        }
        if self.tokens.len() >= TOKENS_MAX {
            let why = format!("there are {TOKENS_MAX} tokens already; remove one first");
            return Err(("", why));
        }
        let mut more = self.clone();
        more.tokens.push(token);
        Ok(more)
    }

    /// The same without the token with this id; `None` if there is no such token.
    pub fn without_token(&self, id: &str) -> Option<Self> {
        let mut fewer = self.clone();
        fewer.tokens.retain(|token| token.id.as_str() != id);
        (fewer.tokens.len() < self.tokens.len()).then_some(fewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;
    use serde_json::{Value, json};

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    fn code() -> ClaimCode {
        ClaimCode::from_random([1, 2, 3, 4, 5, 6, 7, 8])
    }

    fn token(number: u8) -> Token {
        Token {
            id: Name::from_random([number; 4]),
            name: format!("token {number}"),
            role: Role::View,
            digest: Secret::from_random([number; 32]).digest(),
            created: "2026-11-23T08:00:00.000Z".into(),
        }
    }

    #[test]
    fn written_credentials_are_read_back() {
        let unclaimed = Credentials::unclaimed(code());
        let owned = unclaimed.with_password(Hash::import(HASH).unwrap());
        let with_tokens = owned
            .with_token(token(1))
            .unwrap()
            .with_token(token(2))
            .unwrap();
        for credentials in [unclaimed, owned, with_tokens] {
            assert_eq!(Credentials::read(&credentials.to_bytes()), credentials);
        }
    }

    #[test]
    fn a_claimed_kiosk_has_no_claim_code() {
        let owned = Credentials::unclaimed(code()).with_password(Hash::import(HASH).unwrap());
        assert_eq!(owned.claim_code(), None);
        let text = String::from_utf8(owned.to_bytes()).unwrap();
        assert!(!text.contains(&code().to_string()));
    }

    #[test]
    fn an_invalid_document_never_grants_access() {
        let whole = Credentials::unclaimed(code())
            .with_token(token(1))
            .unwrap()
            .to_bytes();
        for length in 0..whole.len() {
            let cut = Credentials::read(&whole[..length]);
            assert!(matches!(cut.owner(), Owner::Unreadable(_)), "{length}");
            assert_eq!(cut.claim_code(), None);
            assert!(cut.tokens().is_empty());
        }
        for text in [
            "null",
            "{}",
            r#"{"version": 1}"#,
            r#"{"version": 1, "password": "sesame"}"#,
            r#"{"version": 1, "claim_code": "x"}"#,
            r#"{"version": 2, "claim_code": "7QFM-2KXD"}"#,
            &format!(r#"{{"version": 1, "claim_code": "7QFM-2KXD", "password": "{HASH}"}}"#),
            &format!(r#"{{"version": 1, "password": "{HASH}", "password": "{HASH}"}}"#),
            r#"{"version": 1, "claim_code": "7QFM-2KXD", "tokens": 1}"#,
        ] {
            let read = Credentials::read(text.as_bytes());
            assert!(matches!(read.owner(), Owner::Unreadable(_)), "{text}");
        }
    }

    #[test]
    fn unknown_fields_lock_no_owner_out_and_invalidate_only_their_token() {
        let unclaimed = Credentials::unclaimed(code());
        let owned = unclaimed.with_password(Hash::import(HASH).unwrap());
        for plain in [unclaimed, owned] {
            let written = (1..=4).fold(plain, |credentials, number| {
                credentials.with_token(token(number)).unwrap()
            });
            let mut document: Value = serde_json::from_slice(&written.to_bytes()).unwrap();
            document["added"] = json!({"later": true});
            document["tokens"][1]["expires"] = "2026-11-24T08:00:00Z".into();
            document["tokens"][2]["role"] = "schedule".into();
            document["tokens"][3] = json!({"id": "x"});
            let read = Credentials::read(document.to_string().as_bytes());
            assert_eq!(read.owner(), written.owner());
            assert_eq!(read.tokens(), [token(1)]);
            assert_eq!(read.token(&token(2).digest), None);
            assert_eq!(read.unusable_tokens(), 3);

            // A repeated field makes a token invalid; neither value wins.
            let twice = document.to_string().replacen(
                r#""role":"view""#,
                r#""role":"view","role":"admin""#,
                1,
            );
            let read = Credentials::read(twice.as_bytes());
            assert_eq!(read.owner(), written.owner());
            assert_eq!((read.tokens(), read.unusable_tokens()), (&[][..], 4));

            document["version"] = 2.into();
            let newer = Credentials::read(document.to_string().as_bytes());
            assert!(matches!(newer.owner(), Owner::Unreadable(_)));
            assert!(newer.tokens().is_empty());
        }
    }

    #[test]
    fn a_token_is_known_by_its_digest_until_it_is_removed() {
        let with = Credentials::unclaimed(code()).with_token(token(1)).unwrap();
        assert_eq!(with.token(&token(1).digest), Some(&token(1)));
        assert_eq!(with.token(&token(2).digest), None);
        let without = with.without_token("01010101").unwrap();
        assert_eq!(without.token(&token(1).digest), None);
        assert_eq!(without.without_token("01010101"), None);
    }

    #[test]
    fn the_number_of_tokens_is_bounded_and_each_has_a_name() {
        let mut credentials = Credentials::unclaimed(code());
        for number in 0..TOKENS_MAX as u8 {
            credentials = credentials.with_token(token(number)).unwrap();
        }
        assert!(credentials.with_token(token(200)).is_err());
        let empty = Credentials::unclaimed(code());
        for name in ["", "  ", "two\nlines", &"x".repeat(NAME_MAX + 1)] {
            let named = Token {
                name: name.into(),
                ..token(1)
            };
            assert!(empty.with_token(named).is_err(), "{name:?}");
        }
    }
}
