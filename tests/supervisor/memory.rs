//! Every later version reads what a daemon saved of its processes, so that an upgrade ends none.

use crate::stage::load;
use ossuary::config::Process;
use ossuary::supervisor::{
    Action, Boot, Ending, Failure, Memory, Reason, RunId, SavedPhase, SavedRun, SavedSchedule,
    Source, Stage, State, Supervisor,
};
use ossuary::time::Moment;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

/// What version 0.1.0 wrote to `RUN_DIR/<id>.memory`, by id. Never change it: add that of another version next to it.
const VERSION_0_1_0: &str = include_str!("fixtures/memories-0.1.0.json");

/// What version 0.1.0 wrote to `STATE_DIR/schedule.json`. Never change it either.
const SCHEDULE_0_1_0: &str = include_str!("fixtures/schedule-0.1.0.json");

fn document() -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {
                "name": "Screen", "type": "chromium", "url": "https://example.org/", "display": ":0",
                "flags": {"kiosk": false, "webgpu": true}, "limits": {"memory_max": "512M"}
            },
            "idle": {"command": "one"},
            "backoff": {"command": "two", "env": {"MODE": "slow"}, "log": {"memory_kib": 64}},
            "starting": {
                "command": "three", "user": "root", "cwd": "/srv", "restart": "always",
                "ready": {"type": "http", "url": "http://127.0.0.1:3000/", "timeout_seconds": 60}
            },
            "ending": {"command": "four", "stop_signal": "INT", "stop_timeout_seconds": 30},
            "sweeping": {"command": "five", "depends_on": ["idle"]}
        },
        "active_display_process": "screen"
    })
}

fn at(millis: u64) -> Moment {
    Moment::from_boot(Duration::from_millis(millis))
}

/// One memory in each state that a process can be in.
fn memories() -> Vec<Memory> {
    let loaded = load(document());
    let process = |id: &str| loaded.config.process(&id.parse().unwrap()).unwrap().clone();
    let memory = |id: &str, doing: SavedPhase, reason: Option<Reason>| Memory {
        process: process(id),
        wanted: true,
        doing,
        restarts: 2,
        crashes: vec![at(61_000), at(93_500)],
        streak: 1,
        reason,
        claim: 4,
        since: at(120_250),
    };
    let run = |number: u64, process: Rc<Process>, stage: Stage| {
        SavedPhase::Run(SavedRun {
            run: RunId(number),
            pid: 4000 + number as u32,
            began: at(120_125),
            process,
            stage,
        })
    };
    let before = Process {
        name: "Before".into(),
        ..(*process("screen")).clone()
    };
    let backoff = SavedPhase::Backoff {
        until: at(150_000),
        looping: true,
    };
    vec![
        memory("screen", run(11, Rc::new(before), Stage::Ready), None),
        Memory {
            wanted: false,
            ..memory("idle", SavedPhase::Idle, Some(Reason::StoppedByOperator))
        },
        memory("backoff", backoff, Some(Reason::Ended(Ending::Signal(11)))),
        memory(
            "starting",
            run(12, process("starting"), Stage::Starting),
            Some(Reason::NotStarted(Failure::system("no such file"))),
        ),
        Memory {
            wanted: false,
            ..memory(
                "ending",
                run(13, process("ending"), Stage::Ending),
                Some(Reason::DisplacedBy("screen".parse().unwrap())),
            )
        },
        memory(
            "sweeping",
            run(14, process("sweeping"), Stage::Sweeping),
            None,
        ),
    ]
}

fn fixture() -> Value {
    serde_json::from_str(VERSION_0_1_0).unwrap()
}

fn read(memory: &Value) -> Option<Memory> {
    serde_json::from_str(&memory.to_string()).ok()
}

/// A supervisor that starts with these memories, and its first actions.
fn adopt(memories: Vec<Memory>) -> (Supervisor, Vec<Action>) {
    let boot = Boot {
        loaded: load(document()),
        source: Source::File,
        problems: Vec::new(),
        displays: vec![":0".parse().unwrap()],
        memories,
        next_run: 100,
        schedule: Default::default(),
    };
    let mut supervisor = Supervisor::new(boot, at(121_000));
    let actions = std::iter::from_fn(|| supervisor.poll_action()).collect();
    (supervisor, actions)
}

#[test]
fn memories_of_version_0_1_0_are_read_without_loss() {
    let fixture = fixture();
    for memory in memories() {
        let id = memory.process.id.as_str();
        assert_eq!(read(&fixture[id]), Some(memory.clone()), "{id}");
    }
    assert_eq!(fixture.as_object().unwrap().len(), memories().len());
}

#[test]
fn memories_of_version_0_1_0_are_adopted() {
    let fixture = fixture();
    let memories = fixture.as_object().unwrap().values();
    let (supervisor, actions) = adopt(memories.map(|memory| read(memory).unwrap()).collect());
    let touched: Vec<&Action> = actions
        .iter()
        .filter(|action| {
            matches!(
                action,
                Action::Spawn { .. } | Action::Signal { .. } | Action::Kill { .. }
            )
        })
        .collect();
    assert!(
        matches!(touched[..], [Action::Kill { run: RunId(14) }]),
        "what was being stopped is still being stopped, and nothing else: {touched:?}"
    );
    let status = supervisor.status();
    let seen = |id: &str| {
        let status = status.process(&id.parse().unwrap()).unwrap();
        (status.state, status.pid, status.restarts)
    };
    assert_eq!(seen("screen"), (State::Running, Some(4011), 2));
    assert_eq!(seen("idle"), (State::Stopped, None, 2));
    assert_eq!(seen("backoff"), (State::Failed, None, 2));
    assert_eq!(seen("starting"), (State::Starting, Some(4012), 2));
    // The process that replaced it is gone: it starts again, and its restart count is reset.
    assert_eq!(seen("ending"), (State::Stopping, Some(4013), 0));
    assert_eq!(seen("sweeping"), (State::Stopping, Some(4014), 2));
}

/// The path of every value in a document.
fn paths(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let mut paths = Vec::new();
    for (name, child) in children {
        paths.push(format!("/{name}"));
        paths.extend(paths_below(&name, child));
    }
    paths
}

fn paths_below(name: &str, child: &Value) -> Vec<String> {
    paths(child)
        .into_iter()
        .map(|place| format!("/{name}{place}"))
        .collect()
}

/// Without these there is nothing to adopt.
const INDISPENSABLE: [&str; 4] = ["/doing", "/doing/Run", "/doing/Run/run", "/doing/Run/pid"];

fn is_indispensable(place: &str) -> bool {
    INDISPENSABLE.contains(&place)
}

#[test]
fn no_missing_or_unreadable_field_costs_a_run() {
    let mut tried = 0;
    for (id, memory) in fixture().as_object().unwrap() {
        let Some(run) = read(memory).unwrap().running().map(|it| (it.run, it.pid)) else {
            continue;
        };
        for place in paths(memory)
            .iter()
            .filter(|place| !is_indispensable(place))
        {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut missing = memory.clone();
            match missing.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(name)),
                Value::Array(list) => drop(list.remove(name.parse().unwrap())),
                other => panic!("{other} has no {name}"),
            }
            let mut other = memory.clone();
            *other.pointer_mut(place).unwrap() = json!({"Later": [1, {"than": "this"}]});
            for memory in [missing, other] {
                let found = read(&memory);
                let found = found.as_ref().and_then(Memory::running);
                assert_eq!(found.map(|it| (it.run, it.pid)), Some(run), "{id}: {place}");
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    for (id, memory) in fixture().as_object().unwrap() {
        let expected = read(memory);
        for place in paths(memory).into_iter().chain([String::new()]) {
            let mut newer = memory.clone();
            // Variants of an enumeration and durations are objects, and never have more fields.
            let is_variant = ["/doing", "/reason", "/reason/Ended"].contains(&place.as_str());
            match newer.pointer_mut(&place) {
                Some(Value::Object(map)) if !is_variant && !map.contains_key("secs") => {
                    map.insert("since_version_9".into(), json!([{"a": 1}]));
                }
                _ => continue,
            }
            assert_eq!(read(&newer), expected, "{id}: {place}");
        }
    }
}

#[test]
fn a_command_that_a_later_version_refuses_does_not_end_its_run() {
    let mut memory = fixture()["screen"].clone();
    // This version would refuse both in a document.
    memory["process"]["url"] = json!("no address at all");
    memory["doing"]["Run"]["process"]["url"] = json!("no address at all");
    let memory = read(&memory).expect("it is read");
    assert_eq!(memory.running().map(|it| it.pid), Some(4011));
}

fn schedule_fixture() -> Value {
    serde_json::from_str(SCHEDULE_0_1_0).unwrap()
}

/// The document as this version saves it, reduced to the fields of the fixture.
fn saved(document: &Value) -> Value {
    let saved = SavedSchedule::from_bytes(document.to_string().as_bytes()).expect("it is read");
    let mut saved: Value = serde_json::from_slice(&saved.to_bytes()).unwrap();
    let of_the_fixture = schedule_fixture();
    (saved.as_object_mut().unwrap()).retain(|name, _| of_the_fixture.get(name).is_some());
    for held in saved["held"].as_object_mut().unwrap().values_mut() {
        (held.as_object_mut().unwrap()).remove("overruled");
    }
    saved
}

#[test]
fn the_schedule_of_version_0_1_0_is_read_without_loss() {
    assert_eq!(saved(&schedule_fixture()), schedule_fixture());
}

#[test]
fn an_unreadable_item_of_the_schedule_costs_only_itself() {
    let fixture = schedule_fixture();
    for place in paths(&fixture) {
        let mut other = fixture.clone();
        *other.pointer_mut(&place).unwrap() = json!({"Later": [1, {"than": "this"}]});
        let saved = saved(&other);
        let mut names = place.split('/').skip(1);
        let (field, item) = (names.next().unwrap(), names.next());
        for (name, before) in fixture.as_object().unwrap() {
            if name != field {
                assert_eq!(saved[name], *before, "{place}");
                continue;
            }
            // Any value is accepted here.
            let (now, before) = (children(&saved[name]), children(before));
            let lost = before.iter().filter(|child| !now.contains(child));
            assert!(item.is_none() || lost.count() <= 1, "{place}: {saved:#}");
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        other => vec![other],
    }
}
