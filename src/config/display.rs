//! The name of a display: X (`:0`) or Wayland (`wayland-0`).

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A display that a process may take. Each display has exactly one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub enum Display {
    /// X display `:N`, 0 to 255.
    X(u8),
    /// A Wayland socket in the runtime directory, `wayland-N`.
    Wayland(u8),
}

/// A text is not the name of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayError;

impl Display {
    /// Whether this is a Wayland display.
    pub fn is_wayland(&self) -> bool {
        matches!(self, Display::Wayland(_))
    }
}

impl FromStr for Display {
    type Err = DisplayError;

    /// Parses `:0` to `:255` and `wayland-0` to `wayland-255`. `:0.0`, the first screen of an X display, is read as
    /// that display.
    fn from_str(text: &str) -> Result<Display, DisplayError> {
        if let Some(number) = text.strip_prefix("wayland-") {
            return number_of(number).map(Display::Wayland);
        }
        let number = text.strip_prefix(':').ok_or(DisplayError)?;
        number_of(number.strip_suffix(".0").unwrap_or(number)).map(Display::X)
    }
}

/// Parses 0 to 255 without leading zeros: `:007` would be a second name of `:7`.
fn number_of(text: &str) -> Result<u8, DisplayError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(DisplayError);
    }
    text.parse().map_err(|_| DisplayError)
}

impl fmt::Display for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Display::X(number) => write!(f, ":{number}"),
            Display::Wayland(number) => write!(f, "wayland-{number}"),
        }
    }
}

impl TryFrom<String> for Display {
    type Error = DisplayError;

    fn try_from(text: String) -> Result<Display, DisplayError> {
        text.parse()
    }
}

impl Serialize for Display {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for DisplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be an X display such as `:0` or a Wayland display such as `wayland-0`")
    }
}

impl std::error::Error for DisplayError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_printed_as_it_was_parsed() {
        for name in [":0", ":1", ":255", "wayland-0", "wayland-255"] {
            assert_eq!(name.parse::<Display>().unwrap().to_string(), name);
        }
        assert_eq!(":0.0".parse(), Ok(Display::X(0)));
        assert!("wayland-1".parse::<Display>().unwrap().is_wayland());
    }

    #[test]
    fn other_text_is_not_a_display() {
        for name in [
            "",
            ":",
            "0",
            ":256",
            ":-1",
            ":+1",
            ":00",
            ":0.1",
            "wayland-",
            "wayland-0.0",
            "wayland-256",
            "localhost:0",
            ":0 ",
            "HDMI-1",
        ] {
            assert_eq!(name.parse::<Display>(), Err(DisplayError), "{name:?}");
        }
    }
}
