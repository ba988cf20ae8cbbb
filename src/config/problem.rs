//! What is wrong with a configuration, and where.

use super::path::Path;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;

/// One thing that is wrong (or, as a warning, odd), named so that an operator can find and mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `processes.sync.command`; empty for the document as a whole.
    pub path: String,
    /// What is wrong and what would be right: `must be a string, not a number`.
    pub message: String,
}

impl Problem {
    /// A problem of what stands at `path`.
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

/// The most problems (and as many warnings) that are told of one document. Nobody
/// mends a thousand by hand, and 256 KiB of mistakes would make megabytes of them.
const MAX_REPORTED: usize = 1000;

/// Gathers what is found while a document is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: RefCell<ProblemList>,
    warnings: RefCell<ProblemList>,
    unknown: RefCell<Vec<Unknown>>,
}

/// How much something that was found weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// It is wrong.
    Problem,
    /// It is odd but harms nothing.
    Warning,
}

/// A field that the program does not know.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The names from the top of the document down to it.
    pub names: Vec<String>,
    /// The same as a person reads it.
    pub path: String,
}

/// The first [`MAX_TOLD`] of something, and how many more there were.
#[derive(Debug, Default)]
struct ProblemList {
    list: Vec<Problem>,
    more: usize,
}

/// All that was found, in the order it was found.
#[derive(Debug)]
pub(super) struct Found {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is odd, unknown fields included.
    pub warnings: Vec<Problem>,
    /// Every unknown field, however many.
    pub unknown: Vec<Unknown>,
}

impl Findings {
    /// Something is wrong.
    pub(super) fn problem(&self, path: Path<'_>, message: impl Into<String>) {
        self.problems.borrow_mut().add(path, message);
    }

    /// Something is wrong with what stands at a path that was written out already.
    pub(super) fn problem_at(&self, path: &str, message: impl Into<String>) {
        self.problems.borrow_mut().add_at(path, message);
    }

    /// Takes over what was found apart; problems weigh as much as is said.
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

    /// Something is odd but harms nothing.
    pub(super) fn warning(&self, path: Path<'_>, message: impl Into<String>) {
        self.warnings.borrow_mut().add(path, message);
    }

    /// A field that the program does not know. It is kept.
    pub(super) fn unknown(&self, path: Path<'_>) {
        self.warning(path, "unknown field; it is kept and has no effect");
        self.unknown.borrow_mut().push(Unknown {
            names: path.names(),
            path: path.to_string(),
        });
    }

    /// Everything found.
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
    fn a_flood_of_problems_is_cut_and_counted() {
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
