//! Errors as problem details (RFC 9457), and the only mapping of refusals to status codes.

use super::caller::Disclosure;
use crate::config::Problem;
use crate::supervisor::{Done, FailureKind, Refusal};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The seconds after which a client may retry when the daemon is busy.
const RETRY_AFTER: &str = "1";

/// Declares the kinds of errors from one table: name, status code, last segment of the `type`, `title`, description.
macro_rules! error_kinds {
    ($($kind:ident $status:literal $slug:literal $title:literal $description:literal;)*) => {
        /// The kinds of errors. Each has a `type` of its own, which never changes: programs distinguish problems by it,
        /// people read `detail`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorKind {
            $(#[doc = $description] $kind),*
        }

        impl ErrorKind {
            /// All kinds, by status code.
            pub const ALL: &[ErrorKind] = &[$(ErrorKind::$kind),*];

            /// The status code.
            pub const fn status(self) -> u16 {
                match self { $(ErrorKind::$kind => $status),* }
            }

            /// The `type` of the problem details.
            pub const fn problem_type(self) -> &'static str {
                match self { $(ErrorKind::$kind => concat!("/problems/", $slug)),* }
            }

            /// The `title` of the problem details.
            pub const fn title(self) -> &'static str {
                match self { $(ErrorKind::$kind => $title),* }
            }
        }
    };
}

#[rustfmt::skip]
error_kinds! {
    Malformed             400 "malformed"            "Malformed request"
        "The request is not valid HTTP, or is not encoded as it must be.";
    NotJson               400 "not-json"             "Not JSON"
        "The body is not JSON, or is nested too deeply.";
    SignInRequired        401 "sign-in"              "Sign in first"
        "The client must sign in or send a token.";
    Unclaimed             401 "unclaimed"            "Not claimed yet"
        "The kiosk was not claimed yet.";
    CredentialsUnreadable 401 "sealed"               "Credentials unreadable"
        "The stored credentials cannot be read, so no one can sign in.";
    WrongPassword         401 "wrong-password"       "Wrong password"
        "The password is wrong.";
    WrongCode             401 "wrong-code"           "Wrong code"
        "The claim code is wrong.";
    NotAllowed            403 "not-allowed"          "Not allowed"
        "The role of the caller is not enough.";
    ForeignOrigin         403 "foreign-origin"       "Another site's page"
        "The request comes from a page of another site.";
    NotFound              404 "not-found"            "No such route"
        "There is no such route.";
    NoSuchProcess         404 "no-such-process"      "No such process"
        "There is no such process.";
    NoSuchSession         404 "no-such-session"      "No such session"
        "There is no such session.";
    NoSuchToken           404 "no-such-token"        "No such token"
        "There is no such token.";
    NoSuchDisplay         404 "no-such-display"      "No such display"
        "There is no such display.";
    NoSuchRule            404 "no-such-rule"         "No such rule"
        "There is no such rule.";
    NoEvidence            404 "no-evidence"          "No screenshot"
        "There is no screenshot from before a recovery step.";
    MethodNotAllowed      405 "method-not-allowed"   "Method not allowed"
        "The route has other methods; the field `Allow` lists them.";
    TooSlow               408 "too-slow"             "Too slow"
        "The request did not arrive in time.";
    DisplayNotConnected   409 "display-away"         "Display not connected"
        "The display is configured but not connected.";
    NoPowerSwitch         409 "no-power-switch"      "Screen cannot be switched"
        "Nothing on this system can switch the screen.";
    Disabled              409 "disabled"             "Process is disabled"
        "A disabled process cannot be started.";
    Claimed               409 "claimed"              "Claimed already"
        "The kiosk was claimed already.";
    StillRuns             409 "still-runs"           "Process still runs"
        "A running process cannot be deleted.";
    UsedByRules           409 "named-by-rules"       "Used by rules"
        "Rules use the process that was to be deleted.";
    NoPage                409 "no-page"              "Not a display process"
        "Only a display process shows a page.";
    NotRunning            409 "not-running"          "Process does not run"
        "Only a running process shows a page.";
    PageFailed            409 "page-failed"          "Page command failed"
        "The page did not do what was requested; the previous page stays.";
    IdTaken               409 "id-taken"             "Id is taken"
        "There is a process with this id already.";
    ChangedOnDisk         409 "changed-on-disk"      "File was edited by hand"
        "The configuration file was edited and not reloaded.";
    NotUpgraded           409 "not-upgraded"         "Not upgraded"
        "The installed program does not work.";
    LengthRequired        411 "length-required"      "Length required"
        "A body needs Content-Length.";
    Outdated              412 "outdated"             "Document has changed"
        "`If-Match` does not match the current document.";
    BodyTooLarge          413 "body-too-large"       "Body too large"
        "The body is too long.";
    TargetTooLong         414 "target-too-long"      "Target too long"
        "The request target is too long.";
    MediaType             415 "media-type"           "Not application/json"
        "The body must be `application/json`.";
    Expectation           417 "expectation"          "Expectation not met"
        "The field `Expect` has an unknown value.";
    ForeignHost           421 "foreign-host"         "Another machine's name"
        "The field `Host` names another machine.";
    Invalid               422 "invalid"              "Invalid"
        "A value is invalid.";
    RateLimited           429 "too-many-tries"       "Too many tries"
        "Too many wrong passwords or codes.";
    HeadTooLarge          431 "head-too-large"       "Head too large"
        "The request head is too long.";
    Internal              500 "internal"             "Internal error"
        "A defect of the daemon.";
    Busy                  503 "busy"                 "Busy"
        "A limit is reached.";
    NotSaved              503 "not-saved"            "Not saved"
        "The change could not be saved; nothing has changed.";
    NotRead               503 "not-read"             "Not read"
        "The file could not be read; the running configuration stays.";
    ShuttingDown          503 "shutting-down"        "Shutting down"
        "The daemon is shutting down.";
    Unresponsive          503 "stuck"                "Not responding"
        "The loop of the daemon does not respond.";
    Version               505 "version"              "Unknown HTTP version"
        "The version of HTTP is not supported.";
}

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    field: Option<String>,
    problems: Vec<Problem>,
    header: Option<(&'static str, String)>,
}

impl Error {
    /// An error of this kind; `detail` is a sentence for people.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            problems: Vec::new(),
            header: None,
        }
    }

    /// The client is locked out for this many seconds.
    pub fn rate_limited(seconds: u64) -> Self {
        let plural = if seconds == 1 { "" } else { "s" };
        let detail = format!("too many tries; try again in {seconds} second{plural}");
        Self {
            header: Some(("Retry-After", seconds.to_string())),
            ..Self::new(ErrorKind::RateLimited, detail)
        }
    }

    /// The value of a field is invalid. `detail` does not repeat the name of the field, because clients show both.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        debug_assert!(!detail.starts_with(&format!("{field}:")), "{detail}");
        Self {
            field: Some(field),
            ..Self::new(ErrorKind::Invalid, detail)
        }
    }

    /// The supervisor gave a reply that does not belong to the command, which is a defect.
    pub fn unexpected(done: &Done) -> Self {
        log::error!("unexpected reply from the supervisor: {done:?}");
        Self::new(
            ErrorKind::Internal,
            "internal error: unexpected reply from the supervisor",
        )
    }

    /// The same for a caller with this disclosure.
    pub fn disclosing(self, disclosure: Disclosure) -> Self {
        Self {
            detail: disclosure.text(&self.detail).into_owned(),
            ..self
        }
    }

    /// The body is not JSON, or has duplicate fields.
    pub fn from_parsing(problems: Vec<Problem>) -> Self {
        if problems.iter().any(|problem| !problem.path.is_empty()) {
            return Refusal::Invalid(problems).into();
        }
        Self::new(
            ErrorKind::NotJson,
            format!("the body {}", summary(&problems)),
        )
    }

    /// The route has only these methods.
    pub fn method_not_allowed(method: &str, allow: String) -> Self {
        let detail = format!("{method} is not supported here, only {allow}");
        Self {
            header: Some(("Allow", allow)),
            ..Self::new(ErrorKind::MethodNotAllowed, detail)
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// The header field that belongs to this error.
    pub fn header(&self) -> Option<(&'static str, Cow<'static, str>)> {
        match self.status() {
            // RFC 9110, section 11.6.1. Browsers do not prompt for this scheme.
            401 => Some(("WWW-Authenticate", "Bearer realm=\"ossuary\"".into())),
            503 => Some(("Retry-After", RETRY_AFTER.into())),
            _ => {
                let (name, value) = self.header.clone()?;
                Some((name, value.into()))
            }
        }
    }

    /// The whole response, for a client whose request cannot be routed.
    pub fn into_bytes(self) -> Vec<u8> {
        let field = |(name, value)| format!("{name}: {value}\r\n");
        let body = self.body();
        let mut bytes = format!(
            "HTTP/1.1 {} \r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {}\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n{}Connection: close\r\n\r\n",
            self.status(),
            body.len(),
            self.header().map(field).unwrap_or_default(),
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The problem details in JSON.
    pub fn body(&self) -> Vec<u8> {
        let body = Body {
            kind: self.kind.problem_type(),
            title: self.kind.title(),
            status: self.status(),
            detail: &self.detail,
            field: self.field.as_deref(),
            problems: self.problems.iter().map(Entry::from).collect(),
        };
        serde_json::to_vec(&body).expect("strings and numbers are serializable")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::NoSuchProcess(_) => ErrorKind::NoSuchProcess,
            Refusal::NoSuchDisplay(_) => ErrorKind::NoSuchDisplay,
            Refusal::DisplayNotConnected(_) => ErrorKind::DisplayNotConnected,
            Refusal::NoPowerSwitch(_) => ErrorKind::NoPowerSwitch,
            Refusal::Disabled(_) => ErrorKind::Disabled,
            Refusal::StillRuns(_) => ErrorKind::StillRuns,
            Refusal::UsedByRules(..) => ErrorKind::UsedByRules,
            Refusal::NoSuchRule(_) => ErrorKind::NoSuchRule,
            Refusal::NoPage(_) => ErrorKind::NoPage,
            Refusal::NotRunning(_) => ErrorKind::NotRunning,
            Refusal::PageFailed(..) => ErrorKind::PageFailed,
            Refusal::Invalid(_) => ErrorKind::Invalid,
            Refusal::IdTaken(_) => ErrorKind::IdTaken,
            Refusal::Outdated => ErrorKind::Outdated,
            Refusal::NotSaved(failure) if failure.kind == FailureKind::ChangedOnDisk => {
                ErrorKind::ChangedOnDisk
            }
            Refusal::NotSaved(_) => ErrorKind::NotSaved,
            Refusal::NotRead(_) => ErrorKind::NotRead,
            Refusal::NotUpgraded(_) => ErrorKind::NotUpgraded,
            Refusal::Busy => ErrorKind::Busy,
            Refusal::ShuttingDown => ErrorKind::ShuttingDown,
        };
        let error = Error::new(kind, refusal.to_string());
        match refusal {
            Refusal::Invalid(problems) => Self {
                detail: summary(&problems),
                field: (problems.first().map(|problem| problem.path.clone()))
                    .filter(|path| !path.is_empty()),
                problems,
                ..error
            },
            Refusal::IdTaken(_) => Self {
                field: Some("id".into()),
                ..error
            },
            _ => error,
        }
    }
}

/// The first problem, and how many more there are.
fn summary(problems: &[Problem]) -> String {
    match problems {
        [] => "the document is invalid".into(),
        [only] => only.message.clone(),
        [first, more @ ..] => format!("{} (and {} more)", first.message, more.len()),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::http) struct Body<'a> {
    #[serde(rename = "type")]
    #[cfg_attr(test, schemars(extend("enum" = ErrorKind::ALL.iter().map(|kind| kind.problem_type()).collect::<Vec<_>>())))]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Entry<'a> {
    field: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a Problem> for Entry<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            field: &problem.path,
            detail: &problem.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::Failure;

    #[test]
    fn every_kind_has_its_own_type_and_an_error_status() {
        let mut types: Vec<_> = (ErrorKind::ALL.iter())
            .map(|kind| kind.problem_type())
            .collect();
        types.sort();
        types.dedup();
        assert_eq!(types.len(), ErrorKind::ALL.len());
        let statuses = ErrorKind::ALL.iter().map(|kind| kind.status());
        assert!(statuses.clone().all(|status| (400..=505).contains(&status)));
        assert_eq!(statuses.filter(|status| *status == 500).count(), 1);
    }

    #[test]
    fn all_problems_of_a_document_are_reported_at_once() {
        let problem = |path: &str, message: &str| Problem {
            path: path.into(),
            message: message.into(),
        };
        let refusal = Refusal::Invalid(vec![
            problem("command", "must be a string, not a number"),
            problem("env.PATH", "must be a string, not null"),
        ]);
        let body: serde_json::Value =
            serde_json::from_slice(&Error::from(refusal).body()).expect("JSON");
        assert_eq!(body["status"], 422);
        assert_eq!(body["field"], "command");
        assert_eq!(body["problems"][1]["field"], "env.PATH");
        assert_eq!(
            body["detail"],
            "must be a string, not a number (and 1 more)"
        );
    }

    #[test]
    fn a_file_edited_by_hand_is_a_conflict_and_a_full_disk_is_not() {
        let edited = Failure {
            message: "it was edited".into(),
            kind: FailureKind::ChangedOnDisk,
        };
        assert_eq!(Error::from(Refusal::NotSaved(edited)).status(), 409);
        let full = Failure::system("no space left on device");
        assert_eq!(Error::from(Refusal::NotSaved(full)).status(), 503);
    }
}
