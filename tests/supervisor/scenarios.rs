//! Processes from an operator's point of view: one scenario a test.

use crate::stage::{DiskBehavior, Stage, change_process, id};
use ossuary::config::Problem;
use ossuary::supervisor::{Action, Command, Done, Edit, Ending, Event, Refusal, Source, State};
use serde_json::{Map, Value, json};

fn three_processes() -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {"name": "Screen", "type": "chromium", "url": "https://example.org/", "display": ":0"},
            "sync": {"name": "Sync", "command": "python3 sync.py"},
            "server": {"name": "Server", "command": "node server.js", "restart_on_crash": false}
        },
        "active_display_process": "screen"
    })
}

fn two_screens() -> Value {
    json!({
        "version": 3,
        "processes": {
            "day": {"type": "chromium", "url": "https://example.org/day", "display": ":0"},
            "night": {"type": "chromium", "url": "https://example.org/night", "display": ":0"},
            "player": {"command": "mpv film.mkv", "display": ":0", "autostart": false}
        },
        "active_display_process": "day"
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => panic!("fields are an object"),
    }
}

const CRASH: Ending = Ending::Code(3);
const DONE: Ending = Ending::Code(0);
const TERMINATED: Ending = Ending::Signal(15);

#[test]
fn everything_that_starts_at_boot_is_started() {
    let mut stage = Stage::new(three_processes());
    assert_eq!(
        stage.taken_actions(),
        ["spawn screen", "spawn sync", "spawn server"]
    );
    assert_eq!(stage.state("sync"), State::Running);
}

#[test]
fn a_killed_process_is_restarted_at_once_and_says_why() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    stage.exit("sync", Ending::Signal(9));
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
    assert_eq!(stage.status("sync").restarts, 1);
    assert_eq!(stage.reason("sync"), "killed by SIGKILL");
}

#[test]
fn a_process_that_ran_out_of_memory_is_restarted_and_says_why() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    stage.exit("sync", Ending::OutOfMemory);
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
    assert_eq!(stage.reason("sync"), "out of memory");
}

#[test]
fn without_restart_on_crash_a_crash_is_shown_and_left() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    stage.exit("server", CRASH);
    assert_eq!(stage.taken_actions(), [""; 0]);
    assert_eq!(stage.state("server"), State::Failed);
    assert_eq!(stage.reason("server"), "exit code 3");
}

#[test]
fn a_finished_process_is_not_restarted() {
    let mut stage = Stage::new(three_processes());
    stage.exit("sync", DONE);
    assert_eq!(stage.state("sync"), State::Stopped);
    assert_eq!(stage.reason("sync"), "exit code 0");
}

#[test]
fn a_crash_loop_is_shown_as_failed_and_restarted_every_half_minute() {
    let mut stage = Stage::new(three_processes());
    for _ in 0..6 {
        stage.exit("sync", CRASH);
        stage.pass_seconds(9);
    }
    assert_eq!(stage.state("sync"), State::Failed);
    stage.taken_actions();
    stage.pass_seconds(30);
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
}

#[test]
fn a_program_that_cannot_be_executed_is_retried_like_one_that_crashes() {
    let mut stage = Stage::new(three_processes());
    stage.exec_works = false;
    stage.exit("sync", CRASH);
    assert_eq!(stage.state("sync"), State::Backoff);
    assert!(stage.reason("sync").contains("no such file"));
    stage.exec_works = true;
    stage.pass_seconds(5);
    assert_eq!(stage.state("sync"), State::Running);
}

#[test]
fn a_start_by_an_operator_resets_a_crash_loop() {
    let mut stage = Stage::new(three_processes());
    for _ in 0..6 {
        stage.exit("sync", CRASH);
        stage.pass_seconds(9);
    }
    stage.ask(Command::Start(id("sync")));
    assert_eq!(stage.state("sync"), State::Running);
    assert_eq!(stage.status("sync").restarts, 0);
    stage.taken_actions();
    stage.exit("sync", CRASH);
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
}

#[test]
fn a_stop_waits_for_the_whole_tree_and_kills_it_in_the_end() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    let run = stage.run("sync");
    stage.ask(Command::Stop(id("sync")));
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.handle(Event::Exited {
        run,
        ending: TERMINATED,
        tree_left: true,
    });
    assert_eq!(stage.state("sync"), State::Stopping);
    stage.pass_seconds(10);
    assert_eq!(stage.taken_actions(), ["kill"]);
    stage.handle(Event::TreeGone { run });
    assert_eq!(stage.state("sync"), State::Stopped);
    assert_eq!(stage.reason("sync"), "stopped by the operator");
}

#[test]
fn what_a_crash_leaves_behind_is_killed_before_the_next_run() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    let run = stage.run("sync");
    stage.handle(Event::Exited {
        run,
        ending: CRASH,
        tree_left: true,
    });
    assert_eq!(stage.taken_actions(), ["kill"]);
    stage.handle(Event::TreeGone { run });
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
}

#[test]
fn a_start_while_stopping_starts_it_when_it_has_ended() {
    let mut stage = Stage::new(three_processes());
    stage.ask(Command::Stop(id("sync")));
    stage.taken_actions();
    stage.ask(Command::Start(id("sync")));
    assert_eq!(stage.taken_actions(), [""; 0]);
    stage.exit("sync", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
    assert_eq!(stage.status("sync").restarts, 0);
}

#[test]
fn starting_what_runs_changes_nothing() {
    let mut stage = Stage::new(three_processes());
    let before = stage.supervisor.status().clone();
    stage.taken_actions();
    let outcome = stage.ask(Command::Start(id("sync")));
    assert_eq!(outcome, Some(Ok(Done::Started { stopped: vec![] })));
    assert_eq!(stage.taken_actions(), [""; 0]);
    assert_eq!(stage.supervisor.status().generation, before.generation);
}

#[test]
fn the_second_browser_starts_when_the_first_has_ended() {
    let mut stage = Stage::new(two_screens());
    assert_eq!(stage.taken_actions(), ["spawn day"]);
    assert_eq!(stage.reason("night"), "the display is taken by day");
    let outcome = stage.ask(Command::Start(id("night")));
    assert_eq!(
        outcome,
        Some(Ok(Done::Started {
            stopped: vec![id("day")]
        }))
    );
    assert_eq!(stage.taken_actions(), ["save", "signal Term"]);
    assert_eq!(stage.state("night"), State::Waiting);
    assert_eq!(stage.reason("night"), "waits until day has ended");
    stage.exit("day", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn night"]);
    assert_eq!(stage.reason("day"), "replaced by night");
    assert_eq!(stage.supervisor.status().active_display, Some(id("night")));
}

#[test]
fn a_switch_that_cannot_be_saved_leaves_the_screen_alone() {
    let mut stage = Stage::new(two_screens());
    stage.disk = DiskBehavior::Full;
    stage.taken_actions();
    let outcome = stage.ask(Command::Start(id("night"))).unwrap();
    assert!(matches!(outcome, Err(Refusal::NotSaved(_))));
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.state("day"), State::Running);
    assert_eq!(stage.supervisor.status().active_display, Some(id("day")));
}

#[test]
fn a_display_is_occupied_by_one_process_of_any_type() {
    let mut stage = Stage::new(two_screens());
    stage.taken_actions();
    let outcome = stage.ask(Command::Start(id("player")));
    assert_eq!(
        outcome,
        Some(Ok(Done::Started {
            stopped: vec![id("day")]
        }))
    );
    stage.exit("day", TERMINATED);
    assert_eq!(stage.taken_actions(), ["signal Term", "spawn player"]);
    assert_eq!(stage.supervisor.status().active_display, Some(id("day")));
}

#[test]
fn a_start_on_a_missing_display_leaves_the_current_page_on_the_screen() {
    let mut document = two_screens();
    document["processes"]["night"]["display"] = json!(":1");
    let mut stage = Stage::with_displays(document, &[":0"]);
    stage.taken_actions();
    stage.ask(Command::Start(id("night")));
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.state("day"), State::Running);
    assert_eq!(stage.reason("night"), "waits for display :1");
    let present = vec![":0".parse().unwrap(), ":1".parse().unwrap()];
    stage.handle(Event::Displays { present });
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.exit("day", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn night"]);
}

#[test]
fn a_process_waits_for_its_display_and_starts_when_it_appears() {
    let mut stage = Stage::with_displays(three_processes(), &[]);
    assert_eq!(stage.taken_actions(), ["spawn sync", "spawn server"]);
    assert_eq!(stage.state("screen"), State::Waiting);
    stage.handle(Event::Displays {
        present: vec![":0".parse().unwrap()],
    });
    assert_eq!(stage.taken_actions(), ["spawn screen"]);
}

#[test]
fn a_browser_whose_display_went_away_waits_instead_of_crashing_in_a_loop() {
    let mut stage = Stage::new(three_processes());
    stage.handle(Event::Displays { present: vec![] });
    stage.exit("screen", CRASH);
    assert_eq!(stage.state("screen"), State::Waiting);
    assert_eq!(stage.reason("screen"), "waits for display :0");
}

#[test]
fn a_process_waits_until_what_it_depends_on_is_ready() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "page": {"command": "page", "depends_on": ["api"]},
        "api": {"command": "api", "ready": {"type": "tcp", "port": 9}}
    }}));
    assert_eq!(stage.taken_actions(), ["spawn api"]);
    assert_eq!(stage.reason("page"), "waits until api is ready");
    assert_eq!(stage.state("api"), State::Starting);
    let run = stage.run("api");
    stage.handle(Event::Ready { run });
    assert_eq!(stage.taken_actions(), ["spawn page"]);
}

#[test]
fn starting_a_process_starts_what_it_depends_on() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "page": {"command": "page", "depends_on": ["api"], "autostart": false},
        "api": {"command": "api", "autostart": false}
    }}));
    assert_eq!(stage.taken_actions(), [""; 0]);
    stage.ask(Command::Start(id("page")));
    assert_eq!(stage.taken_actions(), ["spawn api", "spawn page"]);
}

#[test]
fn a_finished_dependency_counts_as_ready() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "setup": {"command": "setup", "ready": {"type": "notify"}},
        "page": {"command": "page", "depends_on": ["setup"]}
    }}));
    stage.taken_actions();
    stage.exit("setup", DONE);
    assert_eq!(stage.taken_actions(), ["spawn page"]);
}

#[test]
fn a_process_that_does_not_become_ready_is_stopped_and_counts_as_crashed() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "api": {"command": "api", "ready": {"type": "notify", "timeout_seconds": 5}}
    }}));
    stage.taken_actions();
    stage.pass_seconds(5);
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.exit("api", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn api"]);
    assert_eq!(stage.reason("api"), "not ready after 5 s");
}

#[test]
fn a_change_of_one_process_leaves_the_others_running() {
    let mut stage = Stage::new(three_processes());
    let pid = stage.status("server").pid;
    stage.taken_actions();
    let change = fields(json!({"command": "python3 other.py"}));
    let outcome = stage.ask(change_process(id("sync"), change));
    assert_eq!(outcome, Some(Ok(Done::Changed)));
    assert_eq!(stage.taken_actions(), ["save", "signal Term"]);
    stage.exit("sync", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn sync"]);
    assert_eq!(stage.status("server").pid, pid);
    assert_eq!(
        stage.status("sync").process.command.as_deref(),
        Some("python3 other.py")
    );
}

#[test]
fn a_change_of_a_process_that_another_client_has_changed_meanwhile_is_refused() {
    let mut stage = Stage::new(three_processes());
    let seen = stage.status("sync").process.etag();
    let change = |command: &str, tag| Edit::Change {
        id: id("sync"),
        fields: fields(json!({"command": command})),
        if_match: Some(vec![tag]),
    };
    // A change of another process does not matter.
    let other = fields(json!({"name": "Data"}));
    stage.ask(change_process(id("server"), other));
    assert_eq!(stage.ask(change("one", seen)), Some(Ok(Done::Changed)));
    assert_eq!(stage.ask(change("two", seen)), Some(Err(Refusal::Outdated)));
    let process = stage.status("sync").process.clone();
    assert_eq!(process.command.as_deref(), Some("one"));
    let outcome = stage.ask(change("two", process.etag()));
    assert_eq!(outcome, Some(Ok(Done::Changed)));
}

#[test]
fn a_new_name_needs_no_restart() {
    let mut stage = Stage::new(three_processes());
    let pid = stage.status("sync").pid;
    stage.taken_actions();
    stage.ask(change_process(
        id("sync"),
        fields(json!({"name": "Data Sync"})),
    ));
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.status("sync").pid, pid);
    assert_eq!(stage.status("sync").process.name, "Data Sync");
}

#[test]
fn a_put_that_cannot_be_saved_changes_nothing() {
    let mut stage = Stage::new(three_processes());
    stage.disk = DiskBehavior::Full;
    let before = stage.supervisor.status().clone();
    let outcome = stage.ask(change_process(id("sync"), fields(json!({"name": "Other"}))));
    assert!(matches!(outcome, Some(Err(Refusal::NotSaved(_)))));
    assert_eq!(stage.supervisor.status().generation, before.generation);
}

#[test]
fn a_disabled_process_is_stopped_and_cannot_be_started() {
    let mut stage = Stage::new(three_processes());
    stage.ask(change_process(
        id("sync"),
        fields(json!({"enabled": false})),
    ));
    stage.exit("sync", TERMINATED);
    assert_eq!(stage.reason("sync"), "disabled");
    let outcome = stage.ask(Command::Start(id("sync")));
    assert_eq!(outcome, Some(Err(Refusal::Disabled(id("sync")))));
    stage.taken_actions();
    stage.ask(change_process(id("sync"), fields(json!({"enabled": true}))));
    assert_eq!(stage.taken_actions(), ["save", "spawn sync"]);
}

#[test]
fn a_running_process_cannot_be_deleted_and_a_stopped_one_can() {
    let mut stage = Stage::new(three_processes());
    let refused = stage.ask(Edit::Delete {
        id: id("sync"),
        force: false,
    });
    assert_eq!(refused, Some(Err(Refusal::StillRuns(id("sync")))));
    stage.ask(Command::Stop(id("sync")));
    stage.exit("sync", TERMINATED);
    assert_eq!(
        stage.ask(Edit::Delete {
            id: id("sync"),
            force: false
        }),
        Some(Ok(Done::Changed))
    );
    assert!(stage.supervisor.status().process(&id("sync")).is_none());
}

#[test]
fn a_process_that_was_removed_from_the_file_is_stopped_and_dropped() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    let mut document = three_processes();
    document["processes"]
        .as_object_mut()
        .unwrap()
        .remove("sync");
    let bytes = Ok(document.to_string().into_bytes());
    stage.handle(Event::Reload);
    stage.handle(Event::Read { bytes });
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.exit("sync", TERMINATED);
    assert!(stage.supervisor.status().process(&id("sync")).is_none());
    assert_eq!(stage.supervisor.status().processes.len(), 2);
}

#[test]
fn an_invalid_file_stops_nothing_and_is_reported_until_it_is_fixed() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    stage.handle(Event::Reload);
    stage.handle(Event::Read {
        bytes: Ok(b"{ \"version\": 3, ".to_vec()),
    });
    assert_eq!(stage.taken_actions(), [""; 0]);
    assert_eq!(stage.supervisor.status().configuration.problems.len(), 1);
    stage.handle(Event::Reload);
    stage.handle(Event::Read {
        bytes: Ok(three_processes().to_string().into_bytes()),
    });
    assert_eq!(
        stage.supervisor.status().configuration.problems,
        Vec::<Problem>::new()
    );
    assert_eq!(stage.supervisor.status().configuration.source, Source::File);
    assert_eq!(stage.taken_actions(), [""; 0]);
}

#[test]
fn a_file_that_changed_on_disk_is_reported_until_it_is_read() {
    let mut stage = Stage::new(three_processes());
    let differs = |stage: &Stage| stage.supervisor.status().configuration.file_differs;
    for bytes in [
        three_processes().to_string().into_bytes(),
        b"{ \"version\": 3, ".to_vec(),
    ] {
        assert!(!differs(&stage));
        stage.handle(Event::ConfigFile { differs: true });
        assert!(differs(&stage));
        stage.handle(Event::Reload);
        stage.handle(Event::Read { bytes: Ok(bytes) });
    }
    stage.handle(Event::ConfigFile { differs: true });
    stage.handle(Event::ConfigFile { differs: false });
    assert!(!differs(&stage));
}

#[test]
fn edits_are_saved_one_at_a_time_and_each_is_answered() {
    let mut stage = Stage::new(three_processes());
    stage.disk = DiskBehavior::Silent;
    stage.taken_actions();
    for name in ["A", "B"] {
        stage.ask(change_process(id("sync"), fields(json!({"name": name}))));
    }
    assert_eq!(stage.taken_actions(), ["save"]);
    assert!(stage.replies.is_empty());
    stage.handle(Event::Saved);
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.status("sync").process.name, "A");
    stage.handle(Event::Saved);
    assert_eq!(stage.status("sync").process.name, "B");
    assert_eq!(stage.replies.len(), 2);
}

#[test]
fn shutdown_stops_dependents_first_and_then_exits() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "page": {"command": "page", "depends_on": ["api"]},
        "api": {"command": "api"}
    }}));
    stage.taken_actions();
    stage.handle(Event::Shutdown);
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    assert_eq!(stage.state("page"), State::Stopping);
    assert_eq!(stage.state("api"), State::Running);
    stage.exit("page", TERMINATED);
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.exit("api", TERMINATED);
    assert_eq!(stage.taken_actions(), ["exit"]);
}

#[test]
fn shutdown_answers_waiting_clients_even_if_the_disk_is_silent() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {}}));
    stage.disk = DiskBehavior::Silent;
    stage.ask(Edit::Create(fields(
        json!({"name": "One", "command": "one"}),
    )));
    stage.ask(Edit::Create(fields(
        json!({"name": "Two", "command": "two"}),
    )));
    stage.handle(Event::Shutdown);
    assert_eq!(stage.replies.len(), 1);
    stage.pass_seconds(20);
    assert_eq!(stage.replies.len(), 2);
    assert_eq!(stage.taken_actions().last().unwrap(), "exit");
}

#[test]
fn moving_a_browser_to_another_display_restarts_it_there() {
    let mut stage = Stage::new(two_screens());
    stage.taken_actions();
    stage.ask(change_process(id("day"), fields(json!({"display": ":1"}))));
    assert_eq!(stage.taken_actions(), ["save", "signal Term"]);
    stage.exit("day", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn day"]);
    let displays = &stage.supervisor.status().displays;
    assert_eq!(displays[1].holder, Some(id("day")));
    assert_eq!(displays[0].holder, None);
}

#[test]
fn the_first_display_process_that_is_added_becomes_the_one_that_starts_at_boot() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {}}));
    let new = fields(json!({"name": "Gallery", "type": "chromium", "url": "https://example.org/"}));
    assert_eq!(
        stage.ask(Edit::Create(new)),
        Some(Ok(Done::Created(id("gallery"))))
    );
    assert_eq!(
        stage.supervisor.status().active_display,
        Some(id("gallery"))
    );
    assert_eq!(stage.state("gallery"), State::Running);
}

fn read(stage: &mut Stage, bytes: &[u8]) {
    stage.handle(Event::Reload);
    stage.handle(Event::Read {
        bytes: Ok(bytes.to_vec()),
    });
}

fn rename_sync(stage: &mut Stage) {
    stage.ask(change_process(id("sync"), fields(json!({"name": "Data"}))));
}

#[test]
fn an_invalid_file_is_kept_before_an_edit_replaces_it() {
    let mut stage = Stage::new(three_processes());
    read(&mut stage, b"{ an hour of work");
    assert_eq!(
        stage.supervisor.status().configuration.source,
        Source::Running
    );
    stage.taken_actions();
    stage.disk = DiskBehavior::Full;
    rename_sync(&mut stage);
    stage.disk = DiskBehavior::Works;
    rename_sync(&mut stage);
    rename_sync(&mut stage);
    stage.ask(change_process(id("sync"), fields(json!({"name": "Sync"}))));
    let kept = "save, keeping the broken file";
    assert_eq!(stage.taken_actions(), [kept, kept, "save"]);
    assert_eq!(stage.supervisor.status().configuration.source, Source::File);
}

#[test]
fn an_older_file_is_kept_by_the_first_save_that_succeeds() {
    let document = json!({"version": 2, "startup_command": "sleep 1000"});
    let mut stage = Stage::with_disk(document, DiskBehavior::Full);
    assert_eq!(stage.supervisor.status().configuration.problems.len(), 1);
    stage.disk = DiskBehavior::Works;
    let new = || fields(json!({"command": "new"}));
    stage.ask(Edit::Create(new()));
    stage.ask(Edit::Create(new()));
    let saves: Vec<String> = stage.taken_actions();
    let saves: Vec<&String> = saves
        .iter()
        .filter(|word| word.starts_with("save"))
        .collect();
    let kept = "save, keeping version 2";
    assert_eq!(saves, [kept, kept, "save"]);
}

#[test]
fn an_emptied_or_removed_file_stops_nothing() {
    let mut stage = Stage::new(three_processes());
    stage.taken_actions();
    stage.actions.clear();
    for bytes in [&b""[..], b" \n"] {
        read(&mut stage, bytes);
        assert!(
            stage
                .actions
                .iter()
                .all(|action| !matches!(action, Action::SaveLastGood { .. }))
        );
        assert_eq!(stage.taken_actions(), [""; 0]);
        let configuration = stage.supervisor.status().configuration.clone();
        assert_eq!(configuration.problems.len(), 1);
        assert_eq!(configuration.source, Source::Running);
    }
    let nothing = json!({"version": 3, "processes": {}}).to_string();
    read(&mut stage, nothing.as_bytes());
    assert_eq!(stage.taken_actions(), ["signal Term"; 3]);
    assert!(stage.supervisor.status().configuration.problems.is_empty());
}

#[test]
fn an_answer_does_not_wait_for_the_copy() {
    let mut stage = Stage::new(three_processes());
    stage.actions.clear();
    rename_sync(&mut stage);
    let place = |wanted: fn(&Action) -> bool| stage.actions.iter().position(wanted);
    let answered = place(|action| matches!(action, Action::Reply { .. }));
    let copied = place(|action| matches!(action, Action::SaveLastGood { .. }));
    assert!(answered.is_some() && answered < copied);
}

#[test]
fn a_stop_cancels_an_earlier_start_that_waits_for_a_save() {
    for ask in [Command::Start, Command::Restart] {
        let mut stage = Stage::new(two_screens());
        stage.disk = DiskBehavior::Silent;
        stage.taken_actions();
        // The second one waits for the first.
        stage.ask(ask(id("night")));
        stage.ask(ask(id("night")));
        stage.ask(Command::Stop(id("night")));
        assert_eq!(stage.replies.len(), 2);
        stage.handle(Event::Saved);
        assert_eq!(stage.replies.len(), 3);
        assert_eq!(stage.taken_actions(), ["save"]);
        assert_eq!(stage.state("night"), State::Stopped);
        assert_eq!(stage.reason("night"), "stopped by the operator");
        assert_eq!(stage.state("day"), State::Running);
        assert_eq!(stage.supervisor.status().active_display, Some(id("night")));
    }
}

#[test]
fn a_start_after_a_stop_counts() {
    let mut stage = Stage::new(two_screens());
    stage.disk = DiskBehavior::Silent;
    stage.ask(Command::Start(id("night")));
    stage.ask(Command::Stop(id("night")));
    stage.ask(Command::Start(id("night")));
    stage.taken_actions();
    stage.handle(Event::Saved);
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    assert_eq!(stage.replies.len(), 3);
    assert_eq!(stage.state("night"), State::Waiting);
}

#[test]
fn a_failed_process_can_be_stopped_and_says_by_which_request() {
    let mut stage = Stage::new(three_processes());
    stage.exit("server", CRASH);
    assert_eq!(stage.state("server"), State::Failed);
    stage.ask(Command::Stop(id("server")));
    assert_eq!(stage.state("server"), State::Stopped);
    assert_eq!(stage.reason("server"), "stopped by the operator");
}

#[test]
fn a_restart_starts_what_the_process_depends_on() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "page": {"command": "page", "depends_on": ["api"]},
        "api": {"command": "api"}
    }}));
    stage.ask(Command::Stop(id("api")));
    stage.exit("api", TERMINATED);
    stage.taken_actions();
    stage.ask(Command::Restart(id("page")));
    assert_eq!(stage.taken_actions(), ["signal Term", "spawn api"]);
    stage.exit("page", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn page"]);
}

#[test]
fn a_new_dependency_is_started_for_the_process_that_needs_it_now() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "page": {"command": "page"},
        "api": {"command": "api", "autostart": false}
    }}));
    stage.taken_actions();
    stage.ask(change_process(
        id("page"),
        fields(json!({"depends_on": ["api"], "command": "new"})),
    ));
    assert_eq!(stage.taken_actions(), ["save", "signal Term", "spawn api"]);
    stage.exit("page", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn page"]);
}

#[test]
fn where_the_active_display_process_does_not_start_the_next_one_does() {
    for setting in ["enabled", "autostart"] {
        let mut document = two_screens();
        document["processes"]["day"][setting] = json!(false);
        let mut stage = Stage::new(document);
        assert_eq!(stage.taken_actions(), ["spawn night"], "{setting}");
        assert_eq!(stage.state("day"), State::Stopped);
    }
}

#[test]
fn a_new_display_process_does_not_blame_one_that_does_not_run() {
    let mut stage = Stage::new(two_screens());
    stage.ask(Command::Stop(id("day")));
    stage.exit("day", TERMINATED);
    let new = fields(json!({"name": "Third", "type": "chromium", "url": "https://example.org/3"}));
    stage.taken_actions();
    stage.ask(Edit::Create(new));
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.reason("third"), "not started yet");
}

#[test]
fn clean_exits_with_restart_always_are_never_a_crash_loop() {
    let document =
        json!({"version": 3, "processes": {"film": {"command": "mpv film", "restart": "always"}}});
    let mut stage = Stage::new(document);
    for _ in 0..20 {
        stage.pass_seconds(10);
        stage.taken_actions();
        stage.exit("film", DONE);
        assert_eq!(stage.taken_actions(), ["spawn film"]);
    }
    for _ in 0..20 {
        stage.exit("film", DONE);
        assert_ne!(stage.state("film"), State::Failed);
        stage.pass_seconds(30);
    }
    stage.exit("film", CRASH);
    assert_eq!(stage.state("film"), State::Backoff);
}
