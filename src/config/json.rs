//! Parses JSON strictly: a name that occurs twice in one object is a problem.

use super::path::Path;
use super::problem::{Findings, Problem};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Parses a JSON value from the bytes of a file or a request.
///
/// A byte order mark, as some editors write it, is ignored. Nesting deeper than 127 is refused (the bound of
/// `serde_json`), so code that walks the value may recurse.
///
/// # Errors
/// The syntax error with line and column, or every duplicate name with its path.
pub fn parse_json(bytes: &[u8]) -> Result<Value, Vec<Problem>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let findings = Findings::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        path: Path::Root,
        findings: &findings,
    }
    .deserialize(&mut json)
    .and_then(|value| json.end().map(|()| value))
    .map_err(|error| vec![Problem::whole(format!("is not JSON: {error}"))])?;
    let problems = findings.finish().problems;
    if problems.is_empty() {
        Ok(value)
    } else {
        Err(problems)
    }
}

/// Reads the value at `path`.
#[derive(Clone, Copy)]
struct Strict<'a> {
    path: Path<'a>,
    findings: &'a Findings,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict {
            path: self.path.item(list.len()),
            findings: self.findings,
        })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = self.path.field(&name);
            let value = fields.next_value_seed(Strict {
                path,
                findings: self.findings,
            })?;
            if map.contains_key(&name) {
                self.findings
                    .problem(path, "is defined twice; keep one of the two");
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_order_and_its_numbers() {
        let text = r#"{"z":1,"a":[true,null,-2,0.1,18446744073709551615,{"b":"\u00e9\n"}],"m":{}}"#;
        let value = parse_json(text.as_bytes()).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        let names: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["z", "a", "m"]);
    }

    #[test]
    fn every_duplicate_name_is_reported_with_its_path() {
        let problems = parse_json(br#"{"a":1,"p":{"x":[{"y":1,"y":2}],"x":3},"a":2}"#).unwrap_err();
        let paths: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        assert_eq!(paths, ["p.x[0].y", "p.x", "a"]);
    }

    #[test]
    fn a_syntax_error_is_reported_with_line_and_column() {
        let problems = parse_json(b"{\"a\": 1,\n \"b\" 2}").unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "is not JSON: expected `:` at line 2 column 6"
        );
        for bytes in [
            &b"\xff"[..],
            b"{} {}",
            b"{\"a\":1e999}",
            b"{",
            &b"[".repeat(100_000),
        ] {
            assert_eq!(parse_json(bytes).unwrap_err().len(), 1);
        }
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        assert_eq!(
            parse_json(b"\xef\xbb\xbf{}").unwrap(),
            Value::Object(Map::new())
        );
    }
}
