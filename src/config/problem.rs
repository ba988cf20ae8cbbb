//! Problems and warnings that are found while a configuration is read.

use super::path::Path;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;

/// A problem or a warning, with the path at which an operator can fix it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// The path: `processes.sync.command`; empty for the document as a whole.
    pub path: String,
    /// What is wrong, and what is allowed: `must be a string, not a number`.
    pub message: String,
}

impl Problem {
    /// A problem of the value at `path`.
    pub(super) fn at(path: &str, message: impl Into<String>) -> Problem {
        Problem {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    /// A problem of the document as a whole.
    pub fn whole(message: impl Into<String>) -> Problem {
        Problem {
            path: String::new(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// The most problems, and the most warnings, that are reported of one document: 256 KiB of mistakes would make megabytes
/// of messages.
const MAX_REPORTED: usize = 1000;

/// Collects problems and warnings while a document is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: RefCell<ProblemList>,
    warnings: RefCell<ProblemList>,
    unknown: RefCell<Vec<Unknown>>,
}

/// Whether something is a problem or a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The document is refused.
    Problem,
    /// The document is accepted.
    Warning,
}

/// An unknown field.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The names from the document down to the field.
    pub names: Vec<String>,
    /// Its path as a text.
    pub path: String,
}

/// The first [`MAX_REPORTED`] problems, and how many more there were.
#[derive(Debug, Default)]
struct ProblemList {
    list: Vec<Problem>,
    more: usize,
}

/// Everything that was found, in order.
#[derive(Debug)]
pub(super) struct Found {
    /// The problems.
    pub problems: Vec<Problem>,
    /// The warnings, unknown fields included.
    pub warnings: Vec<Problem>,
    /// All unknown fields.
    pub unknown: Vec<Unknown>,
}

impl Findings {
    /// Records a problem.
    pub(super) fn problem(&self, path: Path<'_>, message: impl Into<String>) {
        self.problems.borrow_mut().add(path, message);
    }

    /// Records a problem at a path that is a text already.
    pub(super) fn problem_at(&self, path: &str, message: impl Into<String>) {
        self.problems.borrow_mut().add_at(path, message);
    }

    /// Adds what was found separately. Its problems become problems or warnings.
    pub(super) fn merge(&self, found: Found, severity: Severity) {
        let heavy = match severity {
            Severity::Problem => &self.problems,
            Severity::Warning => &self.warnings,
        };
        for Problem { path, message } in found.problems {
            heavy.borrow_mut().add_at(&path, message);
        }
        for Problem { path, message } in found.warnings {
            self.warnings.borrow_mut().add_at(&path, message);
        }
        self.unknown.borrow_mut().extend(found.unknown);
    }

    /// Records a warning.
    pub(super) fn warning(&self, path: Path<'_>, message: impl Into<String>) {
        self.warnings.borrow_mut().add(path, message);
    }

    /// Records an unknown field.
    pub(super) fn unknown(&self, path: Path<'_>) {
        self.warning(path, "unknown field; it is kept and has no effect");
        self.unknown.borrow_mut().push(Unknown {
            names: path.names(),
            path: path.to_string(),
        });
    }

    /// Everything that was found.
    pub(super) fn finish(self) -> Found {
        Found {
            problems: self.problems.into_inner().finish(),
            warnings: self.warnings.into_inner().finish(),
            unknown: self.unknown.into_inner(),
        }
    }
}

impl ProblemList {
    fn add(&mut self, path: Path<'_>, message: impl Into<String>) {
        if self.list.len() < MAX_REPORTED {
            self.add_at(&path.to_string(), message);
        } else {
            self.more += 1;
        }
    }

    fn add_at(&mut self, path: &str, message: impl Into<String>) {
        if self.list.len() < MAX_REPORTED {
            self.list.push(Problem::at(path, message));
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Problem> {
        if self.more > 0 {
            self.list
                .push(Problem::whole(format!("and {} more", self.more)));
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_problems_are_listed() {
        let findings = Findings::default();
        for _ in 0..MAX_REPORTED + 5 {
            findings.problem(Path::Root.field("a"), "is wrong");
        }
        let problems = findings.finish().problems;
        assert_eq!(problems.len(), MAX_REPORTED + 1);
        assert_eq!(problems[MAX_REPORTED].to_string(), "and 5 more");
        assert_eq!(problems[0].to_string(), "a: is wrong");
    }
}
