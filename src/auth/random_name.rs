//! A short random name that identifies a session or a token.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Eight hexadecimal digits. Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// A name from random bytes.
    pub fn from_random(bytes: [u8; 4]) -> Self {
        Self(format!("{:08x}", u32::from_be_bytes(bytes)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
