//! Reads the fields of an object and checks their types and bounds. A problem does not stop the reading.

use super::path::{Path, excerpt};
use super::problem::Findings;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// An object of the document while it is read.
///
/// Each getter returns `None` if the field is missing or invalid, and records the problem in the findings.
/// [`Fields::finish`] records the fields that no getter has read as unknown.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: Path<'a>,
    findings: &'a Findings,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The fields of `map`, which is at `path`.
    pub(super) fn new(map: &'a Map<String, Value>, path: Path<'a>, findings: &'a Findings) -> Self {
        Self {
            map,
            path,
            findings,
            known: RefCell::default(),
        }
    }

    /// Records every field that was not read as unknown.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for name in self
            .map
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            self.findings.unknown(self.path.field(name));
        }
    }

    /// All fields, if they are not known by name.
    pub(super) fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// The value of a field, of any type.
    pub(super) fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(name);
        self.map.get(name)
    }

    /// Whether the field is present, even if its value is invalid.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// Records a problem if the field is missing. Returns its name, for a getter.
    pub(super) fn required(&self, name: &'static str) -> &'static str {
        if !self.has(name) {
            self.problem(name, "is required");
        }
        name
    }

    /// The fields of the object in a field.
    pub(super) fn nested(&self, name: &'static str) -> Option<Fields<'_>> {
        let map = self.object(name)?;
        Some(Fields::new(map, self.path.field(name), self.findings))
    }

    /// The items of the list in a field, with their paths.
    pub(super) fn each(&self, name: &'static str, mut each: impl FnMut(Path<'_>, &'a Value)) {
        let path = self.path.field(name);
        for (index, value) in self.list(name).into_iter().flatten().enumerate() {
            each(path.item(index), value);
        }
    }

    /// Records a problem of this field.
    pub(super) fn problem(&self, name: &str, message: impl Into<String>) {
        self.findings.problem(self.path.field(name), message);
    }

    /// Records a warning about this field.
    pub(super) fn warning(&self, name: &str, message: impl Into<String>) {
        self.findings.warning(self.path.field(name), message);
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        value
            .as_bool()
            .or_else(|| self.wrong_type(name, "true or false", value))
    }

    /// A string.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        let value = self.value(name)?;
        value
            .as_str()
            .or_else(|| self.wrong_type(name, "a string", value))
    }

    /// A string that passes `check`.
    pub(super) fn checked(
        &self,
        name: &'static str,
        check: impl FnOnce(&str) -> Result<(), &'static str>,
    ) -> Option<&'a str> {
        let text = self.text(name)?;
        self.accept(name, check(text)).map(|()| text)
    }

    /// A string that is parsed as a `T`.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, name: &'static str) -> Option<T> {
        self.accept(name, self.text(name)?.parse())
    }

    /// A string that is one of `choices`.
    pub(super) fn one_of<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        if let Some((_, chosen)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Some(*chosen);
        }
        let choices: Vec<_> = choices
            .iter()
            .filter(|(choice, _)| !choice.is_empty())
            .map(|(choice, _)| format!("\"{choice}\""))
            .collect();
        let choices = choices.join(" or ");
        self.problem(
            name,
            format!("must be {choices}, not \"{}\"", excerpt(text)),
        );
        None
    }

    /// An object.
    pub(super) fn object(&self, name: &'static str) -> Option<&'a Map<String, Value>> {
        let value = self.value(name)?;
        value
            .as_object()
            .or_else(|| self.wrong_type(name, "an object", value))
    }

    /// A list.
    pub(super) fn list(&self, name: &'static str) -> Option<&'a [Value]> {
        let value = self.value(name)?;
        let list = value.as_array().map(Vec::as_slice);
        list.or_else(|| self.wrong_type(name, "a list", value))
    }

    /// An integer within bounds.
    pub(super) fn integer<T>(&self, name: &'static str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let value = self.value(name)?;
        if !value.is_number() {
            return self.wrong_type(name, "a number", value);
        }
        let number = value.as_u64().and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let (least, most) = bounds.into_inner();
            self.problem(
                name,
                format!("must be a whole number from {least} to {most}, not {value}"),
            );
        }
        number
    }

    /// A duration in seconds, possibly with a fraction, within bounds.
    pub(super) fn seconds(
        &self,
        name: &'static str,
        bounds: RangeInclusive<u32>,
    ) -> Option<Duration> {
        let value = self.value(name)?;
        let Some(seconds) = value.as_f64() else {
            return self.wrong_type(name, "a number of seconds", value);
        };
        let (least, most) = bounds.into_inner();
        if !(f64::from(least)..=f64::from(most)).contains(&seconds) {
            self.problem(
                name,
                format!("must be {least} to {most} seconds, not {value}"),
            );
            return None;
        }
        Some(Duration::from_secs_f64(seconds))
    }

    /// A size within bounds: a number of bytes, or a string such as `"64M"`.
    pub(super) fn size(&self, name: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(name)?;
        let size = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => bytes_of(text),
            other => {
                return self.wrong_type(
                    name,
                    "a number of bytes or a string such as \"64M\"",
                    other,
                );
            }
        };
        let size = size.filter(|size| bounds.contains(size));
        if size.is_none() {
            let (least, most) = bounds.into_inner();
            self.problem(
                name,
                format!(
                    "must be {least} to {most} bytes, as a whole number or a string such as \"64M\""
                ),
            );
        }
        size
    }

    /// The value of `result`; an error becomes a problem of this field.
    fn accept<T, E: Display>(&self, name: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.problem(name, error.to_string()))
            .ok()
    }

    fn wrong_type<T>(&self, name: &str, wanted: &str, value: &Value) -> Option<T> {
        self.problem(name, wrong_type(wanted, value));
        None
    }
}

/// `must be a string, not a number`.
pub(super) fn wrong_type(wanted: &str, value: &Value) -> String {
    format!("must be {wanted}, not {}", type_of(value))
}

/// The type of a value, with its article.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `there is no process "x"`.
pub(super) fn no_such_process(name: &str) -> String {
    format!("there is no process \"{}\"", excerpt(name))
}

/// Parses `64M` or `1G` into bytes: powers of 1024, as in systemd. `MB` and `MiB` are the same.
fn bytes_of(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let shift = match unit.trim_start().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1048576", Some(1 << 20)),
            ("64M", Some(64 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("512kb", Some(512 << 10)),
            ("2T", Some(2 << 40)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1.5G", None),
            ("64X", None),
            ("99999999999T", None),
        ] {
            assert_eq!(bytes_of(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn a_field_that_was_not_read_is_unknown() {
        let map = serde_json::from_str(r#"{"a": true, "b": 1, "c": "x"}"#).unwrap();
        let findings = Findings::default();
        let fields = Fields::new(&map, Path::Root, &findings);
        assert_eq!(fields.boolean("a"), Some(true));
        assert_eq!(fields.boolean("b"), None);
        fields.finish();
        let found = findings.finish();
        assert_eq!(
            found.problems[0].to_string(),
            "b: must be true or false, not a number"
        );
        assert_eq!(found.unknown[0].names, ["c"]);
    }
}
