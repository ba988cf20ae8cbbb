//! Reads `displays`: the settings of a display that do not depend on the process that runs on it.

use super::fields::{Fields, wrong_type};
use super::path::Path;
use super::problem::Findings;
use super::{Display, DisplayError};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// How far the image is rotated on the panel, clockwise, such as for a screen in portrait orientation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "u16", extend("enum" = Rotation::ALL.map(Rotation::degrees))))]
pub enum Rotation {
    /// Not rotated.
    #[default]
    None,
    /// 90 degrees.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// All rotations, in ascending order.
    pub const ALL: [Rotation; 4] = [
        Rotation::None,
        Rotation::Quarter,
        Rotation::Half,
        Rotation::ThreeQuarters,
    ];

    /// 0, 90, 180 or 270.
    pub const fn degrees(self) -> u16 {
        match self {
            Rotation::None => 0,
            Rotation::Quarter => 90,
            Rotation::Half => 180,
            Rotation::ThreeQuarters => 270,
        }
    }

    /// The rotation by this number of degrees, if it is one of the four.
    pub fn from_degrees(degrees: u64) -> Option<Rotation> {
        let same = |rotation: &Rotation| u64::from(rotation.degrees()) == degrees;
        Rotation::ALL.into_iter().find(same)
    }

    /// Whether width and height are swapped.
    pub const fn is_sideways(self) -> bool {
        matches!(self, Rotation::Quarter | Rotation::ThreeQuarters)
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.degrees().fmt(f)
    }
}

impl Serialize for Rotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.degrees())
    }
}

/// Reads `displays`, an object keyed by the name of a display. Returns the configured rotations.
pub(super) fn read_displays(
    map: &Map<String, Value>,
    findings: &Findings,
) -> BTreeMap<Display, Rotation> {
    let path = Path::Root.field("displays");
    let mut rotations = BTreeMap::new();
    for (key, value) in map {
        let path = path.field(key);
        let display = key.parse::<Display>();
        if let Err(error @ DisplayError) = display {
            findings.problem(path, format!("its name {error}"));
        }
        let Value::Object(map) = value else {
            findings.problem(path, wrong_type("an object", value));
            continue;
        };
        let fields = Fields::new(map, path, findings);
        let rotation = rotation(&fields);
        fields.finish();
        if let (Ok(display), Some(rotation)) = (display, rotation) {
            rotations.insert(display, rotation);
        }
    }
    rotations
}

fn rotation(fields: &Fields<'_>) -> Option<Rotation> {
    let value = fields.value("rotation")?;
    let rotation = value.as_u64().and_then(Rotation::from_degrees);
    if rotation.is_none() {
        fields.problem(
            "rotation",
            format!("must be 0, 90, 180 or 270, not {value}"),
        );
    }
    rotation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_rotation_of_a_display_is_read() {
        let document = br#"{"version": 3, "displays": {":0": {"rotation": 90}, "wayland-1": {}}}"#;
        let loaded = Loaded::from_bytes(document).unwrap();
        let rotations = &loaded.config.rotations;
        assert_eq!(rotations.get(&Display::X(0)), Some(&Rotation::Quarter));
        assert_eq!(rotations.get(&Display::Wayland(1)), None);
        assert!(loaded.warnings.is_empty());
    }

    #[test]
    fn every_problem_has_its_path() {
        let document = br#"{"version": 3, "displays":
            {"HDMI-1": {}, ":0": {"rotation": 45}, ":1": 90, ":2": {"rotate": 90}}}"#;
        let problems = Loaded::from_bytes(document).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("displays.HDMI-1: its name must be an X display"));
        assert_eq!(
            lines[1],
            "displays[\":0\"].rotation: must be 0, 90, 180 or 270, not 45"
        );
        assert_eq!(
            lines[2],
            "displays[\":1\"]: must be an object, not a number"
        );
    }
}
