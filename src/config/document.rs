//! The configuration document: the JSON of the file.

use super::fields::wrong_type;
use super::json::parse_json;
use super::problem::Problem;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::str::FromStr;

/// The current version of the document; older ones are migrated.
pub(super) const VERSION: u64 = 3;

/// The JSON of the file with its order and its unknown fields. Version 3 once it is part of a [`super::Loaded`].
/// Two documents are equal if they are written as the same bytes: the order counts.
#[derive(Clone, Debug, Default)]
pub struct Document(Map<String, Value>);

/// A strong entity tag (RFC 9110) of one exact content: 16 hexadecimal digits, without the quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etag(pub u64);

/// A text is not an [`Etag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtagError;

/// A part of the document that the API serves separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `behaviors`
    Behaviors,
    /// `schedule`
    Schedule,
}

impl Document {
    /// The largest document in bytes, both as read and as written: the bound of a request body of the API, and a
    /// hundred times what a busy kiosk needs.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Parses a document of any version, without interpreting its fields.
    ///
    /// # Errors
    /// It is too large, not JSON, not an object, or a name occurs twice in an object.
    pub fn parse(bytes: &[u8]) -> Result<Document, Vec<Problem>> {
        check_size(bytes.len()).map_err(|problem| vec![problem])?;
        match parse_json(bytes)? {
            Value::Object(map) => Ok(Document(map)),
            other => Err(vec![Problem::whole(wrong_type("a JSON object", &other))]),
        }
    }

    /// A document with these fields.
    ///
    /// # Errors
    /// It is too large to be written and read again.
    pub(super) fn new(map: Map<String, Value>) -> Result<Document, Problem> {
        let document = Document(map);
        check_size(document.to_bytes().len())?;
        Ok(document)
    }

    /// The document of a new kiosk.
    pub(super) fn empty() -> Document {
        let mut map = Map::new();
        map.insert("version".to_owned(), Value::from(VERSION));
        map.insert("processes".to_owned(), Value::Object(Map::new()));
        Document(map)
    }

    /// The fields, as the start of another document.
    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// The fields, in the order of the file.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The bytes of the file: indented by two spaces, with a line break at the end. Equal documents have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(&self.0).expect("JSON in memory can always be written");
        bytes.push(b'\n');
        bytes
    }

    /// The entity tag of this content.
    pub fn etag(&self) -> Etag {
        Etag::of(&self.to_bytes())
    }

    /// The value of a section; an empty object if the document has none.
    pub fn section(&self, section: Section) -> Value {
        self.0
            .get(section.name())
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new()))
    }
}

fn check_size(bytes: usize) -> Result<(), Problem> {
    if bytes > Document::MAX_BYTES {
        let most = Document::MAX_BYTES;
        return Err(Problem::whole(format!(
            "has {bytes} bytes; a configuration has at most {most}"
        )));
    }
    Ok(())
}

impl PartialEq for Document {
    fn eq(&self, other: &Document) -> bool {
        // `==` of `Map` ignores the order of the fields, in which the web UI shows the processes.
        self.to_bytes() == other.to_bytes()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Section {
    /// The name of the field.
    pub fn name(self) -> &'static str {
        match self {
            Section::Behaviors => "behaviors",
            Section::Schedule => "schedule",
        }
    }
}

impl Etag {
    /// The entity tag of these bytes.
    pub fn of(bytes: &[u8]) -> Etag {
        // `new` has a fixed key, so equal content has the same tag after a restart.
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Etag(hasher.finish())
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Etag {
    type Err = EtagError;

    fn from_str(text: &str) -> Result<Etag, EtagError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EtagError);
        }
        u64::from_str_radix(text, 16)
            .map(Etag)
            .map_err(|_| EtagError)
    }
}

impl fmt::Display for EtagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 16 hexadecimal digits")
    }
}

impl std::error::Error for EtagError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_back_as_it_was_written() {
        let document = Document::parse(br#"{"z":{"b":1.5,"a":[]},"version":3}"#).unwrap();
        let bytes = document.to_bytes();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\n  \"z\": {\n    \"b\": 1.5,\n    \"a\": []\n  },\n  \"version\": 3\n}\n"
        );
        let again = Document::parse(&bytes).unwrap();
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!(again.etag(), document.etag());
    }

    #[test]
    fn the_order_of_fields_is_part_of_the_content() {
        let one = Document::parse(br#"{"a":1,"b":2}"#).unwrap();
        let other = Document::parse(br#"{"b":2,"a":1}"#).unwrap();
        assert_ne!(one.etag(), other.etag());
        assert_ne!(one, other);
        assert_eq!(one, Document::parse(br#"{ "a": 1, "b": 2 }"#).unwrap());
    }

    #[test]
    fn an_etag_is_printed_as_it_was_parsed() {
        let etag = Etag(0x2a);
        assert_eq!(etag.to_string(), "000000000000002a");
        assert_eq!("000000000000002a".parse(), Ok(etag));
        for text in [
            "",
            "2a",
            "+00000000000002a",
            "000000000000002g",
            "000000000000002a0",
        ] {
            assert_eq!(text.parse::<Etag>(), Err(EtagError), "{text:?}");
        }
    }

    #[test]
    fn a_document_that_is_too_large_is_refused() {
        let bytes = vec![b' '; Document::MAX_BYTES + 1];
        let problems = Document::parse(&bytes).unwrap_err();
        assert!(problems[0].message.starts_with("has 262145 bytes"));
    }

    #[test]
    fn a_document_is_an_object() {
        let problems = Document::parse(b"[]").unwrap_err();
        assert_eq!(problems[0].to_string(), "must be a JSON object, not a list");
    }
}
