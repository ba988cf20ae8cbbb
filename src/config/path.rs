//! The path of a value in the document: `processes.sync.depends_on[1]`.

use std::fmt;

/// The path of a value in the document, as a chain of borrowed steps: only a problem pays for its text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    /// The document as a whole.
    Root,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of a list, counted from 0.
    Item(&'a Path<'a>, usize),
}

/// How much of a key is shown, in characters: the longest id, so that the problems of a huge key stay short.
const KEY_SHOWN: usize = 63;

impl<'a> Path<'a> {
    /// The field `name` of the object here.
    pub(super) fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// The item `index` of the list here.
    pub(super) fn item(&'a self, index: usize) -> Path<'a> {
        Path::Item(self, index)
    }

    /// The names of the fields from the document down to here, without the indexes of lists: an unknown field is the
    /// same field in every rule.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Path::Root => Vec::new(),
            Path::Item(parent, _) => parent.names(),
            Path::Field(parent, name) => {
                let mut names = parent.names();
                names.push((*name).to_owned());
                names
            }
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Item(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Field(parent, name) => {
                parent.fmt(f)?;
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                if name.is_empty() || name.len() > KEY_SHOWN || !name.bytes().all(plain) {
                    return write!(f, "[\"{}\"]", excerpt(name));
                }
                if !matches!(parent, Path::Root) {
                    f.write_str(".")?;
                }
                f.write_str(name)
            }
        }
    }
}

/// `text` for a message: shortened, and without control characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(KEY_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(KEY_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_an_operator_would_write_it() {
        let processes = Path::Root.field("processes");
        let sync = processes.field("sync");
        let depends_on = sync.field("depends_on");
        assert_eq!(
            depends_on.item(1).to_string(),
            "processes.sync.depends_on[1]"
        );
        assert_eq!(depends_on.names(), ["processes", "sync", "depends_on"]);
        assert_eq!(Path::Root.to_string(), "");
    }

    #[test]
    fn an_unusual_key_is_quoted_and_shortened() {
        let processes = Path::Root.field("processes");
        assert_eq!(
            processes.field("a.b\x1b").to_string(),
            r#"processes["a.b\u{1b}"]"#
        );
        assert_eq!(processes.field("").to_string(), r#"processes[""]"#);
        let long = "x".repeat(100_000);
        assert_eq!(
            processes.field(&long).to_string().chars().count(),
            9 + 4 + 64
        );
    }
}
