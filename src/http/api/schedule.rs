//! `/api/schedule/…`: preview, history, and running a rule.
//!
//! The rules themselves are a section of the document: see [`super::config`].

use crate::config::{Id, RuleAction, redact};
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::{
    Command, Conflict, Done, EntryKind, HistoryEntry, LocalTime, Occurrence, OccurrenceKind,
    Preview, RuleOutcome, RuleStatus, Snapshot,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::rc::Rc;

/// The default span of the preview.
const SPAN_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The longest span of the preview.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(24 * 400);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PreviewView<'a> {
    timezone: &'a str,
    clock_trusted: bool,
    occurrences: Vec<OccurrenceView<'a>>,
    conflicts: Vec<ConflictView<'a>>,
    more: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OccurrenceView<'a> {
    rule: &'a Id,
    at: LocalTime,
    #[cfg_attr(test, schemars(schema_with = "super::openapi::tests::rule_action"))]
    action: Value,
    kind: OccurrenceKind,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConflictView<'a> {
    rules: &'a [Id; 2],
    at: LocalTime,
    text: &'a str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RecordView<'a> {
    record: Vec<EntryView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EntryView<'a> {
    rule: &'a Id,
    name: &'a str,
    at: Option<LocalTime>,
    kind: EntryKind,
    #[cfg_attr(test, schemars(extend("enum" = super::openapi::tests::outcomes())))]
    outcome: &'static str,
    detail: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RanView<'a> {
    rule: &'a Id,
    #[cfg_attr(test, schemars(extend("enum" = super::openapi::tests::outcomes())))]
    outcome: &'static str,
    detail: Option<Cow<'a, str>>,
}

/// `GET /api/schedule/next`
pub async fn next(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let from = instant(&request, "from")?.unwrap_or((api.clock)().wall);
    let to = match instant(&request, "to")? {
        Some(to) => to,
        None => from.checked_add(SPAN_DEFAULT).unwrap_or(Timestamp::MAX),
    };
    if to < from {
        return Err(Error::invalid("to", "must not be before from"));
    }
    if to.duration_since(from) > SPAN_MAX {
        let detail = format!(
            "must be at most {} days after from",
            SPAN_MAX.as_hours() / 24
        );
        return Err(Error::invalid("to", detail));
    }
    match api.commands.send(Command::Preview { from, to }).await? {
        Done::Preview(preview) => {
            let disclosure = request.caller.disclosure();
            Ok(Reply::json(200, &PreviewView::of(&preview, disclosure)))
        }
        done => Err(Error::unexpected(&done)),
    }
}

/// `GET /api/schedule/record`
pub async fn record(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let details = Details::of(&status, request.caller.disclosure());
    let record = status.schedule.record.iter();
    let record = record
        .map(|(entry, at)| EntryView::of(entry, *at, &details))
        .collect();
    Ok(Reply::json(200, &RecordView { record }))
}

/// `POST /api/schedule/rules/{id}/run`: answers when the outcome is known, or after a while if the rule is still
/// running.
pub async fn run(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let Ok(id) = request.id.parse::<Id>() else {
        let detail = format!("there is no rule {}", request.id);
        return Err(Error::new(ErrorKind::NoSuchRule, detail));
    };
    match api.commands.send(Command::RunRule(id)).await? {
        Done::RuleRun {
            rule,
            outcome,
            detail,
        } => {
            let status = api.feed.current();
            let details = Details::of(&status, request.caller.disclosure());
            let ran = RanView {
                rule: &rule,
                outcome: outcome_name(outcome),
                detail: details.show(&rule, detail.as_deref()),
            };
            Ok(Reply::json(202, &ran))
        }
        done => Err(Error::unexpected(&done)),
    }
}

/// An optional instant in the query (RFC 3339).
fn instant(request: &ApiRequest<'_>, name: &'static str) -> Result<Option<Timestamp>, Error> {
    let Some(text) = request.query(name) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let detail = "must be a time by RFC 3339, such as 2026-11-27T08:00:00+01:00";
        Error::invalid(name, detail)
    })
}

/// The name of an outcome; `begun` while the execution continues.
pub(super) fn outcome_name(outcome: Option<RuleOutcome>) -> &'static str {
    outcome.map_or("begun", RuleOutcome::as_str)
}

impl<'a> PreviewView<'a> {
    fn of(preview: &'a Preview, disclosure: Disclosure) -> Self {
        let occurrences = preview.occurrences.iter();
        Self {
            timezone: &preview.timezone,
            clock_trusted: preview.clock_trusted,
            occurrences: occurrences
                .map(|occurrence| OccurrenceView::of(occurrence, disclosure))
                .collect(),
            conflicts: preview.conflicts.iter().map(ConflictView::of).collect(),
            more: preview.more,
        }
    }
}

impl<'a> OccurrenceView<'a> {
    fn of(occurrence: &'a Occurrence, disclosure: Disclosure) -> Self {
        let action = json!(occurrence.rule.action);
        Self {
            rule: &occurrence.rule.id,
            at: occurrence.at,
            action: match disclosure {
                Disclosure::Full => action,
                Disclosure::Redacted => redact::outline(&action),
            },
            kind: occurrence.kind,
        }
    }
}

impl<'a> ConflictView<'a> {
    fn of(conflict: &'a Conflict) -> Self {
        Self {
            rules: &conflict.rules,
            at: conflict.at,
            text: &conflict.text,
        }
    }
}

impl<'a> EntryView<'a> {
    fn of(entry: &'a HistoryEntry, at: Option<LocalTime>, details: &Details<'_>) -> Self {
        Self {
            rule: &entry.rule,
            name: &entry.name,
            at,
            kind: entry.kind,
            outcome: outcome_name(entry.outcome),
            detail: details.show(&entry.rule, entry.detail.as_deref()),
        }
    }
}

/// Decides which details of executions a caller may see: that of a `run_command` rule names the command, and that of an
/// `update_process` rule can quote a value.
#[derive(Debug)]
struct Details<'a> {
    rules: &'a [RuleStatus],
    disclosure: Disclosure,
}

impl<'a> Details<'a> {
    fn of(status: &'a Snapshot, disclosure: Disclosure) -> Self {
        Self {
            rules: &status.schedule.rules,
            disclosure,
        }
    }

    /// A rule that was deleted may have had any action.
    fn show<'d>(&self, rule: &Id, detail: Option<&'d str>) -> Option<Cow<'d, str>> {
        let is_public = || {
            let shown = self.rules.iter().find(|shown| shown.id == *rule);
            let rule = shown.and_then(|shown| shown.rule.as_ref());
            rule.is_some_and(|rule| {
                !matches!(rule.action, RuleAction::Run(_) | RuleAction::Update { .. })
            })
        };
        match self.disclosure {
            Disclosure::Redacted if !is_public() => None,
            disclosure => detail.map(|detail| disclosure.text(detail)),
        }
    }
}

/// The schedule in `/api/status` and `/api/events`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScheduleView<'a> {
    enabled: bool,
    timezone: &'a str,
    clock_trusted: bool,
    problem: Option<&'a str>,
    rules: Rules<'a>,
}

impl<'a> ScheduleView<'a> {
    /// The schedule with this disclosure.
    pub fn of(status: &'a Snapshot, disclosure: Disclosure) -> Self {
        let shown = &status.schedule;
        Self {
            enabled: shown.enabled,
            timezone: &shown.timezone,
            clock_trusted: shown.clock_trusted,
            problem: shown.problem.as_deref(),
            rules: Rules(&shown.rules, Details::of(status, disclosure)),
        }
    }
}

/// Rules by id, in the order of the file.
#[derive(Debug)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(with = "std::collections::BTreeMap<String, RuleView<'a>>")
)]
struct Rules<'a>(&'a [RuleStatus], Details<'a>);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RuleView<'a> {
    next: Option<LocalTime>,
    waits_for_clock: bool,
    active: bool,
    last: Option<LastView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LastView<'a> {
    at: Option<LocalTime>,
    outcome: RuleOutcome,
    detail: Option<Cow<'a, str>>,
}

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|shown| {
            let view = RuleView {
                next: shown.next,
                waits_for_clock: shown.waits_for_clock,
                active: shown.active,
                last: (shown.last.as_deref()).map(|last| LastView {
                    at: last.at,
                    outcome: last.outcome,
                    detail: self.1.show(&shown.id, last.detail.as_deref()),
                }),
            };
            (&shown.id, view)
        }))
    }
}
