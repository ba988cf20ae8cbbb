//! A document together with its meaning.

use super::Config;
use super::document::Document;
use super::migrate::{Migration, migrate};
use super::problem::Problem;
use super::read::read;
use std::rc::Rc;

/// A document that was read without a problem, and its meaning.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The document, as it is in the file or will be.
    pub document: Rc<Document>,
    /// The meaning of the document.
    pub config: Rc<Config>,
    /// What is harmless but probably a mistake, such as unknown fields.
    pub warnings: Rc<[Problem]>,
    /// What was changed to migrate an older document to version 3.
    pub migration: Option<Migration>,
}

impl Loaded {
    /// Reads the bytes of a configuration file of any version. An empty file (or only white space) is an empty
    /// configuration, not an error.
    ///
    /// # Errors
    /// All problems of the document, each with its path.
    pub fn from_bytes(bytes: &[u8]) -> Result<Loaded, Vec<Problem>> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.trim_ascii().is_empty() {
            return Ok(Loaded::empty());
        }
        let (map, migration) = migrate(Document::parse(bytes)?.into_map())?;
        let (config, mut found) = read(&map);
        match Document::new(map) {
            Ok(document) if found.problems.is_empty() => Ok(Loaded {
                document: Rc::new(document),
                config: Rc::new(config),
                warnings: found.warnings.into(),
                migration,
            }),
            Ok(_) => Err(found.problems),
            Err(problem) => {
                found.problems.push(problem);
                Err(found.problems)
            }
        }
    }

    /// The configuration of a new kiosk.
    pub fn empty() -> Loaded {
        Loaded {
            document: Rc::new(Document::empty()),
            config: Rc::default(),
            warnings: Rc::default(),
            migration: None,
        }
    }
}
