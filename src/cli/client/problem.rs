//! A refusal of the daemon (RFC 9457 problem details).

use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Why the daemon refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status, 400 and above.
    pub status: u16,
    /// `detail`: the reason, in one sentence.
    pub detail: String,
    /// The field that caused it, if any.
    pub field: Option<String>,
    /// All problems, if there are several.
    pub problems: Vec<FieldProblem>,
    /// The problem document, for `--json`; `None` if the body was something else.
    pub document: Option<Value>,
}

/// A problem of a field.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct FieldProblem {
    /// The path of the field; empty for the document as a whole.
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
    /// Reads the body of a refusal. Without a problem document, the message states the status.
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

    /// Whether the reason is that no process has the id.
    pub fn is_no_such_process(&self) -> bool {
        let kind = self.document.as_ref().map(|document| &document["type"]);
        kind.is_some_and(|kind| kind == "/problems/no-such-process")
    }

    /// The message with the id of the process before it, unless the message contains the id.
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

/// One problem a line: `field: detail`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `field` and `detail` repeat the first of several problems.
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
    fn every_problem_is_on_its_own_line() {
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
    fn a_single_problem_is_one_line() {
        let body = r#"{"detail":"is not an option","field":"colour"}"#;
        assert_eq!(
            Refused::read(422, body).to_string(),
            "colour: is not an option"
        );
    }

    #[test]
    fn a_refusal_without_a_problem_document_states_the_status() {
        for body in ["", "<html>", "[]", "null", "{}"] {
            assert_eq!(
                Refused::read(502, body).to_string(),
                "the daemon refused with status 502"
            );
        }
    }
}
