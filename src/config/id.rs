//! The id of a process: unique, URL-safe, and small enough to live in place.

use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`, `manager` excepted (its PID file is the
/// daemon's own). Kept inline: an id is copied into events, replies and log
/// keys without touching the heap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(heapless::String<{ Id::MAX }>);

/// Why a text is no id: one sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError(pub &'static str);

/// The name the daemon keeps for itself: `RUN_DIR/manager.pid` is its own.
const RESERVED: &str = "manager";

/// What an id is called when a name has no letter or digit to make one from.
const FALLBACK: &str = "process";

impl Id {
    /// The longest id, in bytes: with `.pid` behind it, far below any file
    /// system's limit on names.
    pub const MAX: usize = 63;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that `name` suggests: its ASCII letters and digits in lower case,
    /// a hyphen for everything between them, `process` where nothing is left.
    ///
    /// Any name gives an id. Whether it is still free is the caller's to see to,
    /// with [`Id::numbered`].
    pub fn from_name(name: &str) -> Id {
        let mut slug = String::with_capacity(Id::MAX);
        for character in name.chars() {
            if slug.len() == Id::MAX {
                break;
            }
            if character.is_ascii_alphanumeric() {
                slug.push(character.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_end_matches('-');
        let slug = match slug {
            "" => FALLBACK,
            RESERVED => "manager-process",
            _ => slug,
        };
        slug.parse()
            .expect("letters, digits and hyphens, no longer than an id may be")
    }

    /// This id with `-number` behind it, cut where it would grow too long.
    pub fn numbered(&self, number: usize) -> Id {
        let suffix = format!("-{number}");
        let kept = self.0.len().min(Id::MAX - suffix.len());
        let text = format!("{}{suffix}", &self.0[..kept]);
        text.parse()
            .expect("an id that was cut and got a number is an id")
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Id, IdError> {
        let Some(first) = text.chars().next() else {
            return Err(IdError("must not be empty"));
        };
        if !first.is_ascii_alphanumeric() {
            return Err(IdError(
                "must begin with a letter or a digit (A-Z, a-z, 0-9)",
            ));
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            return Err(IdError("may have only letters, digits, - and _ in it"));
        }
        if text == RESERVED {
            return Err(IdError("`manager` is the daemon itself; choose another id"));
        }
        heapless::String::try_from(text)
            .map(Id)
            .map_err(|_| IdError("must have at most 63 characters"))
    }
}

impl TryFrom<&str> for Id {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Id, IdError> {
        text.parse()
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Maps keyed by id are asked with plain text: both are hashed and ordered as text.
impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;

    fn try_from(text: String) -> Result<Id, IdError> {
        text.parse()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for IdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_url_safe_and_at_most_63_bytes() {
        let longest = "x".repeat(63);
        for text in ["a", "9", "main-display", "Data_Sync", "manager2", &longest] {
            assert_eq!(text.parse::<Id>().unwrap().as_str(), text);
        }
        let too_long = "x".repeat(64);
        for text in [
            "", "-a", "_a", "a b", "a/b", "a.b", "é", "a\0", "manager", &too_long,
        ] {
            assert!(text.parse::<Id>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn every_name_makes_an_id() {
        for (name, id) in [
            ("Gallery Display", "gallery-display"),
            ("  Data -- Sync (2)! ", "data-sync-2"),
            ("snake_case", "snake-case"),
            ("Café", "caf"),
            ("日本語", "process"),
            ("", "process"),
            ("Manager", "manager-process"),
        ] {
            assert_eq!(Id::from_name(name).as_str(), id, "from {name:?}");
        }
        assert_eq!(Id::from_name(&"long name ".repeat(20)).as_str().len(), 63);
    }

    #[test]
    fn a_number_behind_an_id_never_makes_it_too_long() {
        let id = Id::from_name("sync");
        assert_eq!(id.numbered(2).as_str(), "sync-2");
        let longest: Id = "x".repeat(63).parse().unwrap();
        assert_eq!(
            longest.numbered(2000).as_str(),
            format!("{}-2000", "x".repeat(58))
        );
    }

    #[test]
    fn a_map_keyed_by_id_is_asked_with_text() {
        let map = std::collections::HashMap::from([(Id::from_name("sync"), 1)]);
        assert_eq!(map.get("sync"), Some(&1));
    }
}
