//! The id of a process or rule.

use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`, except `manager` (the daemon's own PID file has that name). Stored inline: an id is
/// copied into events, replies and log keys without an allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Id(heapless::String<{ Id::MAX }>);

/// Why a text is not an id: one sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError(pub &'static str);

/// Reserved for the daemon's PID file, `RUN_DIR/manager.pid`.
const RESERVED: &str = "manager";

/// The id made from a name without ASCII letters and digits.
const FALLBACK: &str = "process";

impl Id {
    /// The longest id in bytes: with `.pid` appended it is far below any file system's limit.
    pub const MAX: usize = 63;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes an id from a name: its ASCII letters and digits in lower case, a hyphen for everything between them, and
    /// `process` if nothing is left. The caller makes it unique with [`Id::unless_taken`].
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
            .expect("at most 63 letters, digits and hyphens are an id")
    }

    /// This id, with a number appended if it is taken.
    pub(super) fn unless_taken(&self, is_taken: impl Fn(&Id) -> bool) -> Id {
        let numbered = (2..).map(|number| self.numbered(number));
        let mut ids = std::iter::once(self.clone()).chain(numbered);
        ids.find(|id| !is_taken(id))
            .expect("there are more numbers than ids")
    }

    /// This id with `-number` appended, shortened if it would be too long.
    pub fn numbered(&self, number: usize) -> Id {
        let suffix = format!("-{number}");
        let kept = self.0.len().min(Id::MAX - suffix.len());
        let text = format!("{}{suffix}", &self.0[..kept]);
        text.parse().expect("a shortened id with a number is an id")
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
                "must start with a letter or a digit (A-Z, a-z, 0-9)",
            ));
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            return Err(IdError("must contain only letters, digits, - and _"));
        }
        if text == RESERVED {
            return Err(IdError("must not be `manager`, which is reserved"));
        }
        heapless::String::try_from(text)
            .map(Id)
            .map_err(|_| IdError("must have at most 63 characters"))
    }
}

/// A map keyed by id can be searched by text: both are hashed and ordered as text.
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
    fn every_name_is_made_into_an_id() {
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
    fn a_numbered_id_is_never_too_long() {
        let id = Id::from_name("sync");
        assert_eq!(id.numbered(2).as_str(), "sync-2");
        let longest: Id = "x".repeat(63).parse().unwrap();
        assert_eq!(
            longest.numbered(2000).as_str(),
            format!("{}-2000", "x".repeat(58))
        );
    }

    #[test]
    fn a_map_keyed_by_id_is_searched_by_text() {
        let map = std::collections::HashMap::from([(Id::from_name("sync"), 1)]);
        assert_eq!(map.get("sync"), Some(&1));
    }
}
