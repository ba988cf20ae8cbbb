//! A refusal of the daemon (RFC 9457 problem details), in words.

use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Why the daemon declined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status, 400 and above.
    pub status: u16,
    /// Its sentence.
    pub detail: String,
    /// The field to blame, where there is one.
    pub field: Option<String>,
    /// Every single problem, where there are several.
    pub problems: Vec<FieldProblem>,
    /// The problem document itself, where it is one: for machines.
    pub document: Option<Value>,
}

/// One problem of a field.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct FieldProblem {
    /// Its path, may be empty for the document as a whole.
    #[serde(default)]
    field: String,
    /// What is wrong.
    #[serde(default)]
    detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    title: Option<String>,
    detail: Option<String>,
    field: Option<String>,
    problems: Vec<FieldProblem>,
}

impl Refused {
    /// Reads the body of a refusal. What is no problem document still has its status.
    pub fn read(status: u16, body: &str) -> Refused {
        let details: Details = serde_json::from_str(body).unwrap_or_default();
        let document = serde_json::from_str(body).ok().filter(Value::is_object);
        Refused {
            status,
            detail: details
                .detail
                .or(details.title)
                .unwrap_or_else(|| format!("the daemon refused with status {status}")),
            field: details.field,
            problems: details.problems,
            document,
        }
    }

    /// Whether it says that no process has this id.
    pub fn is_no_such_process(&self) -> bool {
        let kind = self.document.as_ref().map(|document| &document["type"]);
        kind.is_some_and(|kind| kind == "/problems/no-such-process")
    }

    /// The refusal to do something with a process, in words that name it once.
    pub fn about(&self, id: &str) -> String {
        let text = self.to_string();
        let is_it = |word: &str| word.trim_end_matches(|mark: char| ".,;:".contains(mark)) == id;
        let has_spaces = id.contains(char::is_whitespace);
        match self.detail.split_whitespace().any(is_it) || (has_spaces && self.detail.contains(id))
        {
            true => text,
            false => format!("{id}: {text}"),
        }
    }
}

/// Each problem on a line of its own, `field: detail`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first of several problems is `field` and `detail` as well.
        if self.problems.is_empty() {
            return line(f, self.field.as_deref().unwrap_or_default(), &self.detail);
        }
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            line(f, &problem.field, &problem.detail)?;
        }
        Ok(())
    }
}

/// `detail` never repeats `field`: this is the one place where they are put together.
fn line(f: &mut fmt::Formatter<'_>, field: &str, detail: &str) -> fmt::Result {
    match field {
        "" => f.write_str(detail),
        field => write!(f, "{field}: {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_line() {
        let body = r#"{"type":"about:blank","title":"Invalid","status":422,
            "detail":"must not be empty (and 1 more)","field":"command","problems":[
            {"field":"command","detail":"must not be empty"},
            {"field":"env.PATH","detail":"must be a string, not a number"}]}"#;
        assert_eq!(
            Refused::read(422, body).to_string(),
            "command: must not be empty\nenv.PATH: must be a string, not a number"
        );
    }

    #[test]
    fn a_single_problem_needs_one_line() {
        let body = r#"{"detail":"is not an option","field":"colour"}"#;
        assert_eq!(
            Refused::read(422, body).to_string(),
            "colour: is not an option"
        );
    }

    #[test]
    fn what_is_no_problem_document_still_says_its_status() {
        for body in ["", "<html>", "[]", "null", "{}"] {
            assert_eq!(
                Refused::read(502, body).to_string(),
                "the daemon refused with status 502"
            );
        }
    }
}
