//! Problem details (RFC 9457), and the only place where a refusal becomes a status code.

use super::api::json::Disclosure;
use super::reply::Reply;
use crate::config::Problem;
use crate::supervisor::{Done, FailureKind, Refusal};
use serde::Serialize;
use std::fmt;

/// After how many seconds a client that met a full or busy daemon may try again.
const RETRY_AFTER: &str = "1";

/// Everything that can be wrong with a request. Each has a `type` of its own, which
/// never changes: programs tell problems apart by it, people read `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is not HTTP as it should be.
    Malformed,
    /// The body is not JSON, or is nested too deeply.
    NotJson,
    /// Nobody we know: sign in, or send a token.
    SignInRequired,
    /// Nobody has claimed the kiosk yet.
    Unclaimed,
    /// The credentials cannot be read: nobody is let in.
    CredentialsUnreadable,
    /// This is not the password.
    WrongPassword,
    /// This is not the code on the screen.
    WrongCode,
    /// We know who it is, and they may not.
    NotAllowed,
    /// The request came from a page of another site.
    ForeignOrigin,
    /// There is no such route.
    NotFound,
    /// There is no such process.
    NoSuchProcess,
    /// Nobody is signed in by this name.
    NoSuchSession,
    /// There is no such token.
    NoSuchToken,
    /// The route knows other methods; the header `Allow` names them.
    MethodNotAllowed,
    /// The request did not arrive in time.
    TooSlow,
    /// There is no such display.
    NoSuchDisplay,
    /// The display is configured, and not there now.
    DisplayNotConnected,
    /// Nothing on this system can switch the screen.
    NoPowerSwitch,
    /// There is no such rule.
    NoSuchRule,
    /// Nothing was done for the page, or no picture could be taken before.
    NoEvidence,
    /// Rules name the process that was to be deleted.
    UsedByRules,
    /// A disabled process cannot be started.
    Disabled,
    /// Somebody has claimed the kiosk already.
    Claimed,
    /// A process that runs cannot be deleted.
    StillRuns,
    /// A process that is no display process shows no page.
    NoPage,
    /// A process that does not run shows no page.
    NotRunning,
    /// The page did not do what was asked; what was there is still there.
    PageFailed,
    /// There is a process with this id already.
    IdTaken,
    /// The file was edited by hand and not yet reloaded.
    ChangedOnDisk,
    /// The program that is installed does not work.
    NotUpgraded,
    /// A body must come with its length.
    LengthRequired,
    /// `If-Match` names another document than the current one.
    Outdated,
    /// The body is too long.
    BodyTooLarge,
    /// The path and query are too long.
    TargetTooLong,
    /// The body must be `application/json`.
    MediaType,
    /// The header `Expect` asks for something unknown.
    Expectation,
    /// The header `Host` names another machine.
    ForeignHost,
    /// Understood and wrong.
    Invalid,
    /// Too many wrong passwords or codes.
    RateLimited,
    /// The request head is too long.
    HeadTooLarge,
    /// Too much is going on.
    Busy,
    /// The change could not be saved; nothing has changed.
    NotSaved,
    /// The file could not be read; the running configuration stays.
    NotRead,
    /// The daemon is ending everything.
    ShuttingDown,
    /// The daemon's loop does not come round.
    Unresponsive,
    /// A defect of the daemon.
    Internal,
    /// Another version of HTTP.
    Version,
}

impl ErrorKind {
    /// Every kind, by status code.
    pub const ALL: [ErrorKind; 47] = [
        ErrorKind::Malformed,
        ErrorKind::NotJson,
        ErrorKind::SignInRequired,
        ErrorKind::Unclaimed,
        ErrorKind::CredentialsUnreadable,
        ErrorKind::WrongPassword,
        ErrorKind::WrongCode,
        ErrorKind::NotAllowed,
        ErrorKind::ForeignOrigin,
        ErrorKind::NotFound,
        ErrorKind::NoSuchProcess,
        ErrorKind::NoSuchSession,
        ErrorKind::NoSuchToken,
        ErrorKind::NoSuchDisplay,
        ErrorKind::NoSuchRule,
        ErrorKind::NoEvidence,
        ErrorKind::MethodNotAllowed,
        ErrorKind::TooSlow,
        ErrorKind::DisplayNotConnected,
        ErrorKind::NoPowerSwitch,
        ErrorKind::Disabled,
        ErrorKind::Claimed,
        ErrorKind::StillRuns,
        ErrorKind::UsedByRules,
        ErrorKind::NoPage,
        ErrorKind::NotRunning,
        ErrorKind::PageFailed,
        ErrorKind::IdTaken,
        ErrorKind::ChangedOnDisk,
        ErrorKind::NotUpgraded,
        ErrorKind::LengthRequired,
        ErrorKind::Outdated,
        ErrorKind::BodyTooLarge,
        ErrorKind::TargetTooLong,
        ErrorKind::MediaType,
        ErrorKind::Expectation,
        ErrorKind::ForeignHost,
        ErrorKind::Invalid,
        ErrorKind::RateLimited,
        ErrorKind::HeadTooLarge,
        ErrorKind::Busy,
        ErrorKind::NotSaved,
        ErrorKind::NotRead,
        ErrorKind::ShuttingDown,
        ErrorKind::Unresponsive,
        ErrorKind::Internal,
        ErrorKind::Version,
    ];

    /// Whether it may go better in a moment.
    fn is_temporary(self) -> bool {
        self.facts().0 == 503
    }

    /// Status code, `type` and `title`.
    pub const fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            ErrorKind::Malformed => (400, "/problems/malformed", "Malformed request"),
            ErrorKind::NotJson => (400, "/problems/not-json", "Not JSON"),
            ErrorKind::SignInRequired => (401, "/problems/sign-in", "Sign in first"),
            ErrorKind::Unclaimed => (401, "/problems/unclaimed", "Not claimed yet"),
            ErrorKind::CredentialsUnreadable => (401, "/problems/sealed", "Nobody is let in"),
            ErrorKind::WrongPassword => (401, "/problems/wrong-password", "Wrong password"),
            ErrorKind::WrongCode => (401, "/problems/wrong-code", "Wrong code"),
            ErrorKind::NotAllowed => (403, "/problems/not-allowed", "Not allowed"),
            ErrorKind::ForeignOrigin => (403, "/problems/foreign-origin", "Another site's page"),
            ErrorKind::NotFound => (404, "/problems/not-found", "No such route"),
            ErrorKind::NoSuchProcess => (404, "/problems/no-such-process", "No such process"),
            ErrorKind::NoSuchSession => (404, "/problems/no-such-session", "No such session"),
            ErrorKind::NoSuchToken => (404, "/problems/no-such-token", "No such token"),
            ErrorKind::MethodNotAllowed => {
                (405, "/problems/method-not-allowed", "Method not allowed")
            }
            ErrorKind::TooSlow => (408, "/problems/too-slow", "Too slow"),
            ErrorKind::NoSuchDisplay => (404, "/problems/no-such-display", "No such display"),
            ErrorKind::DisplayNotConnected => (409, "/problems/display-away", "Display is away"),
            ErrorKind::NoPowerSwitch => (409, "/problems/no-power-switch", "No way to switch"),
            ErrorKind::NoSuchRule => (404, "/problems/no-such-rule", "No such rule"),
            ErrorKind::NoEvidence => (404, "/problems/no-evidence", "No picture"),
            ErrorKind::UsedByRules => (409, "/problems/named-by-rules", "Named by rules"),
            ErrorKind::Disabled => (409, "/problems/disabled", "Process is disabled"),
            ErrorKind::Claimed => (409, "/problems/claimed", "Claimed already"),
            ErrorKind::StillRuns => (409, "/problems/still-runs", "Process still runs"),
            ErrorKind::NoPage => (409, "/problems/no-page", "No display process"),
            ErrorKind::NotRunning => (409, "/problems/not-running", "Process does not run"),
            ErrorKind::PageFailed => (409, "/problems/page-failed", "The page did not do it"),
            ErrorKind::IdTaken => (409, "/problems/id-taken", "Id is taken"),
            ErrorKind::ChangedOnDisk => {
                (409, "/problems/changed-on-disk", "File was edited by hand")
            }
            ErrorKind::NotUpgraded => (409, "/problems/not-upgraded", "Not upgraded"),
            ErrorKind::LengthRequired => (411, "/problems/length-required", "Length required"),
            ErrorKind::Outdated => (412, "/problems/outdated", "Document has changed"),
            ErrorKind::BodyTooLarge => (413, "/problems/body-too-large", "Body too large"),
            ErrorKind::TargetTooLong => (414, "/problems/target-too-long", "Target too long"),
            ErrorKind::MediaType => (415, "/problems/media-type", "Not application/json"),
            ErrorKind::Expectation => (417, "/problems/expectation", "Expectation not met"),
            ErrorKind::ForeignHost => (421, "/problems/foreign-host", "Another machine's name"),
            ErrorKind::Invalid => (422, "/problems/invalid", "Invalid"),
            ErrorKind::RateLimited => (429, "/problems/too-many-tries", "Too many tries"),
            ErrorKind::HeadTooLarge => (431, "/problems/head-too-large", "Head too large"),
            ErrorKind::Busy => (503, "/problems/busy", "Busy"),
            ErrorKind::NotSaved => (503, "/problems/not-saved", "Not saved"),
            ErrorKind::NotRead => (503, "/problems/not-read", "Not read"),
            ErrorKind::ShuttingDown => (503, "/problems/shutting-down", "Shutting down"),
            ErrorKind::Unresponsive => (503, "/problems/stuck", "Not responding"),
            ErrorKind::Internal => (500, "/problems/internal", "Internal error"),
            ErrorKind::Version => (505, "/problems/version", "Unknown HTTP version"),
        }
    }
}

/// What a client is told instead of what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    field: Option<String>,
    problems: Vec<Problem>,
    allow: Option<String>,
    retry_after: Option<u64>,
}

impl Error {
    /// An error of this kind; `detail` is one sentence for people.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            field: None,
            problems: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    /// A guess too many; the next one may be made after so many seconds.
    pub fn rate_limited(seconds: u64) -> Self {
        let plural = if seconds == 1 { "" } else { "s" };
        let detail = format!("too many tries; try again in {seconds} second{plural}");
        Self {
            retry_after: Some(seconds),
            ..Self::new(ErrorKind::RateLimited, detail)
        }
    }

    /// A value that is understood and wrong, and where it stands. `detail` does not repeat `field`: clients show it
    /// beside the field, or put the field before it.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        debug_assert!(!detail.starts_with(&format!("{field}:")), "{detail}");
        Self {
            field: Some(field),
            ..Self::new(ErrorKind::Invalid, detail)
        }
    }

    /// The supervisor did something other than what it was asked for, which no client can change.
    pub fn unexpected(done: &Done) -> Self {
        log::error!("unexpected reply from the supervisor: {done:?}");
        Self::new(
            ErrorKind::Internal,
            "internal error: unexpected reply from the supervisor",
        )
    }

    /// The same, for a reader who may see this much of the configuration.
    pub fn disclosing(self, disclosure: Disclosure) -> Self {
        Self {
            detail: disclosure.text(&self.detail).into_owned(),
            ..self
        }
    }

    /// A body that could not be parsed: not JSON at all, or fields that stand twice.
    pub fn from_parsing(problems: Vec<Problem>) -> Self {
        if problems.iter().any(|problem| !problem.path.is_empty()) {
            return Refusal::Invalid(problems).into();
        }
        Self::new(
            ErrorKind::NotJson,
            format!("the body {}", summary(&problems)),
        )
    }

    /// A route that knows only these methods.
    pub fn method_not_allowed(method: &str, allow: String) -> Self {
        let detail = format!("{method} is not possible here, only {allow}");
        Self {
            allow: Some(allow),
            ..Self::new(ErrorKind::MethodNotAllowed, detail)
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.kind.facts().0
    }

    /// The answer to a client whose request could not even be routed, byte for byte.
    pub fn into_bytes(self) -> Vec<u8> {
        let status = self.status();
        let retry_after = match self.kind.is_temporary() {
            true => format!("Retry-After: {RETRY_AFTER}\r\n"),
            false => String::new(),
        };
        let body = self.body();
        let mut bytes = format!(
            "HTTP/1.1 {status} \r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n{retry_after}Connection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    fn body(&self) -> Vec<u8> {
        let (status, kind, title) = self.kind.facts();
        let body = Body {
            kind,
            title,
            status,
            detail: &self.detail,
            field: self.field.as_deref(),
            problems: self.problems.iter().map(Entry::from).collect(),
        };
        serde_json::to_vec(&body).expect("strings and numbers can be written")
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        let reply = Reply::bytes(error.status(), "application/problem+json", error.body());
        match error.kind {
            ErrorKind::MethodNotAllowed => reply.with("Allow", error.allow.unwrap_or_default()),
            ErrorKind::RateLimited => {
                let seconds = error.retry_after.unwrap_or_default();
                reply.with("Retry-After", seconds.to_string())
            }
            // RFC 9110, section 11.6.1. No browser asks its user about this scheme.
            kind if kind.facts().0 == 401 => {
                reply.with("WWW-Authenticate", "Bearer realm=\"ossuary\"")
            }
            kind if kind.is_temporary() => reply.with("Retry-After", RETRY_AFTER),
            _ => reply,
        }
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

/// What is wrong at the first problem's path, and how many more there are.
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
struct Body<'a> {
    #[serde(rename = "type")]
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
    fn every_kind_has_a_type_of_its_own_and_an_error_status() {
        let mut types = ErrorKind::ALL.map(|kind| kind.facts().1).to_vec();
        types.sort();
        types.dedup();
        assert_eq!(types.len(), ErrorKind::ALL.len());
        assert!(
            ErrorKind::ALL
                .iter()
                .all(|kind| (400..=505).contains(&kind.facts().0))
        );
        let internal = ErrorKind::ALL.iter().filter(|kind| kind.facts().0 == 500);
        assert_eq!(internal.collect::<Vec<_>>(), [&ErrorKind::Internal]);
    }

    #[test]
    fn all_problems_of_a_document_are_told_at_once() {
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
            message: "somebody has edited it".into(),
            kind: FailureKind::ChangedOnDisk,
        };
        assert_eq!(Error::from(Refusal::NotSaved(edited)).status(), 409);
        let full = Failure::system("no space left on device");
        assert_eq!(Error::from(Refusal::NotSaved(full)).status(), 503);
    }
}
