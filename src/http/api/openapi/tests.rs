//! Compares the schemas of the description with the types that are sent and received.
//!
//! schemars derives a schema from each type, in tests only. Property names, types, enum values, date-times and what is
//! required must be equal; the sentences and bounds of the description are written by hand.

use super::super::{
    auth, config, displays, events, json, logs, page, processes, schedule, system, tokens,
};
use crate::config::{
    Display, Id, Kind, Limits, Log, Persist, Process, Ready, ReadySign, Restart, RuleAction,
    StopSignal,
};
use crate::http::error;
use crate::supervisor::RuleOutcome;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The id of an operation, and the schema of a type.
type Typed = (&'static str, fn() -> Value);

/// The type that each operation sends.
#[rustfmt::skip]
const REPLIES: &[Typed] = &[
    ("listProcesses",     sent::<processes::List>),
    ("createProcess",     sent::<json::ProcessView>),
    ("getProcess",        sent::<json::ProcessView>),
    ("changeProcess",     sent::<json::ProcessView>),
    ("startProcess",      sent::<processes::Started>),
    ("stopProcess",       sent::<json::ProcessView>),
    ("restartProcess",    sent::<processes::Started>),
    ("reloadPage",        sent::<json::ProcessView>),
    ("navigatePage",      sent::<json::ProcessView>),
    ("listDisplays",      sent::<displays::List>),
    ("switchPower",       sent::<displays::DisplayView>),
    ("previewSchedule",   sent::<schedule::PreviewView>),
    ("getScheduleRecord", sent::<schedule::RecordView>),
    ("runRule",           sent::<schedule::RanView>),
    ("reload",            sent::<config::Reloaded>),
    ("upgrade",           sent::<system::Upgraded>),
    ("getStatus",         sent::<system::StatusView>),
    ("getSystem",         sent::<system::SystemView>),
    ("followEvents",      sent::<events::Event>),
    ("showClaim",         sent::<auth::ClaimView>),
    ("claim",             sent::<auth::SignedInView>),
    ("signIn",            sent::<auth::SignedInView>),
    ("resetAccess",       sent::<auth::ResetView>),
    ("listSessions",      sent::<auth::SessionsView>),
    ("listTokens",        sent::<tokens::TokensView>),
    ("createToken",       sent::<tokens::CreatedView>),
];

/// The type that each operation receives.
#[rustfmt::skip]
const REQUESTS: &[Typed] = &[
    ("switchPower",  received::<displays::PowerSwitch>),
    ("navigatePage", received::<page::Navigation>),
    ("claim",        received::<auth::Claim>),
    ("signIn",       received::<auth::Login>),
    ("setPassword",  received::<auth::NewPassword>),
    ("createToken",  received::<tokens::NewToken>),
];

/// Operations whose body is the configuration file or a part of it, the description itself, or a log, which is written
/// line by line and has only the type of its lines.
const WITHOUT_TYPE: &[&str] = &[
    "createProcess",
    "changeProcess",
    "getBehaviors",
    "putBehaviors",
    "getSchedule",
    "putSchedule",
    "getConfig",
    "putConfig",
    "getDescription",
    "getLogs",
];

fn sent<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn received<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn document() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).expect("JSON")
}

fn component(name: &str) -> Value {
    document()["components"]["schemas"][name].clone()
}

/// What a schema says about one place in a value.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    types: BTreeSet<String>,
    values: BTreeSet<String>,
    is_time: bool,
    is_required: bool,
    /// Whether unknown properties are refused.
    is_closed: bool,
}

/// The facts about every place: `processes.*.page.state`, `displays[].name`.
type Places = BTreeMap<String, Facts>;

fn places(schema: &Value, root: &Value) -> Places {
    let mut places = Places::new();
    collect(schema, root, "", &mut places);
    for facts in places.values_mut() {
        // A property that may be absent is never null.
        if !facts.is_required {
            facts.types.remove("null");
        }
    }
    places
}

fn collect(schema: &Value, root: &Value, at: &str, places: &mut Places) {
    let facts = places.entry(at.to_owned()).or_default();
    let list = |key: &str| match &schema[key] {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        single => vec![single.clone()],
    };
    let texts = |key| {
        let items = list(key).into_iter();
        items.filter_map(|item| Some(item.as_str()?.to_owned()))
    };
    facts.types.extend(texts("type"));
    for value in list("enum").into_iter().chain(list("const")) {
        let of = match value {
            Value::Null => "null",
            Value::String(_) => "string",
            _ => "integer",
        };
        facts.types.insert(of.to_owned());
        facts
            .values
            .extend((!value.is_null()).then(|| value.to_string()));
    }
    facts.is_time |= schema["format"] == "date-time";
    facts.is_closed |= schema["additionalProperties"] == false;
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, root, &format!("{at}.{name}"), places);
    }
    for name in texts("required") {
        let property = places.entry(format!("{at}.{name}")).or_default();
        property.is_required = true;
    }
    if schema["items"].is_object() {
        collect(&schema["items"], root, &format!("{at}[]"), places);
    }
    if schema["additionalProperties"].is_object() {
        let values = &schema["additionalProperties"];
        collect(values, root, &format!("{at}.*"), places);
    }
    let reference = schema["$ref"].as_str().map(|name| &name[1..]);
    if let Some(target) = reference.and_then(|pointer| root.pointer(pointer)) {
        collect(target, root, at, places);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in list(key) {
            collect(&part, root, at, places);
        }
    }
}

/// How the description of `what` differs from its type, a line for each place.
fn differences(what: &str, typed: &Places, described: &Places) -> Vec<String> {
    let names: BTreeSet<&String> = typed.keys().chain(described.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| typed.get(*name) != described.get(*name));
    differing
        .map(|name| {
            let (typed, described) = (typed.get(name), described.get(name));
            format!("{what}: `{name}` is {typed:?}, described as {described:?}")
        })
        .collect()
}

fn responses_of(schema: &Value, root: &Value) -> Places {
    let mut places = places(schema, root);
    // Clients must expect new properties, wherever the description is stricter.
    (places.values_mut()).for_each(|facts| facts.is_closed = false);
    places
}

/// The schema of a JSON body or of the data of events; a plain text has none.
fn schema_of<'d>(body: &'d Value, document: &'d Value) -> Option<&'d Value> {
    let body = match body["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..])?,
        None => body,
    };
    let mut schemas = body["content"]
        .as_object()?
        .values()
        .map(|kind| &kind["schema"]);
    schemas.find(|schema| schema.is_object() && **schema != json!({"type": "string"}))
}

#[test]
fn the_description_has_exactly_what_the_types_have() {
    let document = document();
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = REPLIES.iter().chain(REQUESTS).map(|(id, _)| *id).collect();
    let typed = |table: &[Typed], id: &str| {
        let found = table.iter().find(|(known, _)| *known == id);
        found.map(|(_, schema)| schema())
    };
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths
        .values()
        .flat_map(|path| path.as_object().expect("a path").values());
    for operation in operations.filter(|operation| operation.is_object()) {
        let id = operation["operationId"].as_str().expect("an id");
        known.remove(id);
        let responses = operation["responses"].as_object().expect("responses");
        let answer = (responses.iter()).find(|(status, _)| status.starts_with('2'));
        let answer = answer.and_then(|(_, response)| schema_of(response, &document));
        match (typed(REPLIES, id), answer) {
            (Some(sent), Some(answer)) => wrong.extend(differences(
                &format!("response of {id}"),
                &responses_of(&sent, &sent),
                &responses_of(answer, &document),
            )),
            (None, Some(_)) if WITHOUT_TYPE.contains(&id) => (),
            (None, None) => (),
            (sent, _) => wrong.push(format!("response of {id}: has a type: {}", sent.is_some())),
        }
        let request = schema_of(&operation["requestBody"], &document);
        match (typed(REQUESTS, id), request) {
            (Some(received), Some(request)) => wrong.extend(differences(
                &format!("request of {id}"),
                &places(&received, &received),
                &places(request, &document),
            )),
            (None, Some(_)) if WITHOUT_TYPE.contains(&id) => (),
            (None, None) => (),
            (typed, _) => wrong.push(format!("request of {id}: has a type: {}", typed.is_some())),
        }
    }
    for (name, sent) in [
        ("Problem", sent::<error::Body>()),
        ("LogLine", sent::<logs::Entry>()),
    ] {
        wrong.extend(differences(
            name,
            &responses_of(&sent, &sent),
            &responses_of(&component(name), &document),
        ));
    }
    wrong.extend(known.iter().map(|id| format!("{id} is not described")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The names of all places in a value that `described` may have.
fn names(value: &Value, described: &Places, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let any = format!("{at}.*");
                let name = match described.contains_key(&any) {
                    true => any,
                    false => format!("{at}.{name}"),
                };
                names(value, described, &name, found);
            }
        }
        Value::Array(items) => {
            (items.iter()).for_each(|item| names(item, described, &format!("{at}[]"), found));
        }
        _ => (),
    }
}

/// The description of a component has every name in these values, and no other.
fn assert_names(component_name: &str, values: impl IntoIterator<Item = Value>) {
    let described = places(&component(component_name), &document());
    let mut found = BTreeSet::new();
    for value in values {
        names(&value, &described, "", &mut found);
    }
    let described: BTreeSet<String> = described.into_keys().collect();
    assert_eq!(found, described, "{component_name}");
}

fn id(text: &str) -> Id {
    text.parse().expect("an id")
}

/// A process without anything that can be left out.
fn plain_process() -> Process {
    Process {
        id: id("sync"),
        name: "Sync".to_owned(),
        kind: Kind::Custom,
        command: None,
        url: None,
        display: None,
        enabled: true,
        autostart: true,
        restart: Restart::OnCrash,
        flags: Default::default(),
        user: None,
        cwd: None,
        env: Vec::new(),
        depends_on: Vec::new(),
        ready: Ready {
            sign: ReadySign::Started,
            timeout: Ready::TIMEOUT,
        },
        limits: Limits::default(),
        stop_signal: StopSignal::Term,
        stop_timeout: Process::STOP_TIMEOUT,
        log: Log::default(),
    }
}

/// A process serializes itself, so that the order is that of the file: its names are compared by examples with all
/// fields.
#[test]
fn every_field_of_a_process_is_described() {
    let text = || Some("x".to_owned());
    let process = |sign| Process {
        kind: Kind::Chromium,
        command: text(),
        url: text(),
        display: Some(Display::X(0)),
        restart: Restart::OnCrash,
        user: text(),
        cwd: text(),
        env: vec![("A".to_owned(), "b".to_owned())],
        depends_on: vec![id("sync")],
        ready: Ready {
            sign,
            timeout: Ready::TIMEOUT,
        },
        limits: Limits {
            memory_max: Some(1),
            memory_high: Some(1),
            cpu_percent: Some(1),
            pids_max: Some(1),
        },
        stop_signal: StopSignal::Int,
        stop_timeout: Duration::from_secs(1),
        log: Log {
            memory_kib: 1,
            persist: Some(Persist {
                max_bytes: 1,
                files: 1,
            }),
        },
        ..plain_process()
    };
    let signs = [
        ReadySign::Notify,
        ReadySign::Http {
            url: "x".to_owned(),
        },
        ReadySign::Tcp { port: 1 },
        ReadySign::Command {
            command: "x".to_owned(),
        },
    ];
    assert_names("ProcessFields", signs.map(|sign| json!(process(sign))));
}

/// The same for the action of a rule.
#[test]
fn every_field_of_an_action_is_described() {
    let actions = [
        RuleAction::Update {
            process: id("sync"),
            fields: Default::default(),
        },
        RuleAction::Show {
            process: id("sync"),
            url: "x".to_owned(),
        },
        RuleAction::Power {
            on: true,
            display: Some(Display::X(0)),
        },
        RuleAction::Run("x".to_owned()),
        RuleAction::Reboot,
    ];
    assert_names("RuleAction", actions.map(|action| json!(action)));
}

/// The schema of the fields of a process, as described. Those that every process has are required.
pub fn process_fields(_: &mut SchemaGenerator) -> Schema {
    let plain = json!(plain_process());
    let always = plain.as_object().expect("an object").keys();
    let mut schema = component("ProcessFields");
    schema["required"] = always.cloned().collect();
    schema.try_into().expect("a schema")
}

/// The schema of the action of a rule, as described.
pub fn rule_action(_: &mut SchemaGenerator) -> Schema {
    component("RuleAction").try_into().expect("a schema")
}

/// The outcomes of an execution that may still be running.
pub fn outcomes() -> Vec<&'static str> {
    let outcomes = RuleOutcome::ALL.into_iter().map(Some);
    std::iter::once(None)
        .chain(outcomes)
        .map(schedule::outcome_name)
        .collect()
}
