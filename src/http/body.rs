//! Parses a request body into a struct, such that every error names its field.

use super::error::{Error, ErrorKind};
use crate::config::parse_json;
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};
use std::fmt;

/// Parses a JSON object.
///
/// # Errors
/// It is not JSON, is nested too deeply, has a duplicate field, or is not an object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    match parse_json(bytes).map_err(Error::from_parsing)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::new(ErrorKind::Invalid, "the body must be an object")),
    }
}

/// Parses a JSON object into a struct whose fields are strings, booleans and names (with
/// `#[serde(deny_unknown_fields)]`).
///
/// # Errors
/// It is not JSON, or a field is unknown, missing, duplicate or of another type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let fields = object(bytes)?.into_iter().map(|(name, value)| {
        let field = Field {
            name: name.clone(),
            value,
        };
        (name, field)
    });
    T::deserialize(MapDeserializer::new(fields)).map_err(|problem| match problem.field {
        Some(field) => Error::invalid(field, problem.detail),
        None => Error::new(ErrorKind::Invalid, problem.detail),
    })
}

/// One field of the object.
struct Field {
    name: String,
    value: Value,
}

/// What is wrong with a body.
#[derive(Debug)]
struct FieldProblem {
    field: Option<String>,
    detail: String,
}

impl<'de> IntoDeserializer<'de, FieldProblem> for Field {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field {
    type Error = FieldProblem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldProblem> {
        let result = match self.value {
            Value::String(text) => visitor.visit_string(text),
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(de::Error::invalid_type(
                de::Unexpected::Other("another type"),
                &visitor,
            )),
        };
        result.map_err(|problem: FieldProblem| FieldProblem {
            field: Some(self.name),
            ..problem
        })
    }

    /// A field that is null is not absent.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldProblem> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldProblem> {
        let result = match self.value {
            Value::String(name) => visitor.visit_enum(name.into_deserializer()),
            _ => Err(de::Error::unknown_variant("", variants)),
        };
        result.map_err(|problem: FieldProblem| FieldProblem {
            field: Some(self.name),
            ..problem
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl FieldProblem {
    fn of(field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            detail: detail.into(),
        }
    }
}

impl de::Error for FieldProblem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            field: None,
            detail: message.to_string(),
        }
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // serde's names for the types.
        let expected = expected.to_string().replace("a boolean", "true or false");
        Self::custom(format_args!("must be {expected}"))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::of(field, "there is no such field here")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(field, "is missing")
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        let names: Vec<String> = variants.iter().map(|name| format!("\"{name}\"")).collect();
        match &names[..] {
            [others @ .., last] if !others.is_empty() => {
                Self::custom(format_args!("must be {} or {last}", others.join(", ")))
            }
            _ => Self::custom(format_args!("must be {}", names.join(""))),
        }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for FieldProblem {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
        Green,
        Blue,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        on: Option<bool>,
        color: Option<Color>,
    }

    #[test]
    fn a_valid_body_is_parsed() {
        let body: Body = parse(br#"{"color": "green", "name": "x", "on": true}"#).unwrap();
        assert!(body.name == "x" && body.on == Some(true));
        assert!(matches!(body.color, Some(Color::Green)));
        let body: Body = parse(br#"{"name": "x"}"#).unwrap();
        assert!(body.on.is_none() && body.color.is_none());
    }

    #[test]
    fn every_error_names_its_field() {
        for (body, field, detail) in [
            ("{}", "name", "is missing"),
            (r#"{"name": null}"#, "name", "must be a string"),
            (r#"{"name": ["x"]}"#, "name", "must be a string"),
            (r#"{"name": "x", "on": 1}"#, "on", "must be true or false"),
            (
                r#"{"name": "x", "on": null}"#,
                "on",
                "must be true or false",
            ),
            (
                r#"{"name": "x", "color": "pink"}"#,
                "color",
                r#"must be "red", "green" or "blue""#,
            ),
            (
                r#"{"name": "x", "color": 1}"#,
                "color",
                r#"must be "red", "green" or "blue""#,
            ),
            (
                r#"{"name": "x", "more": 1}"#,
                "more",
                "there is no such field here",
            ),
        ] {
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error, Error::invalid(field, detail), "{body}");
        }
        for body in ["[]", "null", "\"x\""] {
            assert_eq!(parse::<Body>(body.as_bytes()).unwrap_err().status(), 422);
        }
        assert_eq!(parse::<Body>(b"{").unwrap_err().status(), 400);
    }
}
