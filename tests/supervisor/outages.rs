//! What happens while the server of the kiosk page is lost, and when it is regained: rules, behaviors and status.

use crate::stage::{Stage, id, load};
use ossuary::config::{Id, Section};
use ossuary::supervisor::{
    Action, Boot, Command, Edit, Ending, Event, Failure, Memory, Requester, RunId, Source,
    Supervisor,
};
use ossuary::supervisor::{PageCommand, PageCommandResult, PageObservation, PageState};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = "https://example.org/page";

/// A kiosk with a simulated browser, and the servers of its pages.
struct Kiosk {
    stage: Stage,
    /// Servers that are down, by the prefix of their URLs.
    away: BTreeSet<&'static str>,
    /// The URL on the screen, or that of a built-in page.
    on_screen: String,
    /// The commands that rules have run.
    ran: Vec<String>,
    /// The page commands, without observations.
    commands: Vec<PageCommand>,
    /// How often a server was probed.
    tries: usize,
    /// What the next daemon finds.
    memories: BTreeMap<Id, Memory>,
}

fn rule(name: &str, event: &str, action: Value) -> Value {
    json!({"id": name, "trigger": {"type": "connection", "event": event}, "action": action})
}

/// Rules that run a command of their own name.
fn both_rules() -> Value {
    json!([
        rule(
            "lost",
            "lost",
            json!({"type": "run_command", "command": "lost"})
        ),
        rule(
            "regained",
            "regained",
            json!({"type": "run_command", "command": "regained"})
        ),
    ])
}

fn document(url: &str, behaviors: Value, rules: Value) -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {"type": "chromium", "url": url, "restart": "always"},
            "fallback": {"type": "chromium", "url": "file:///srv/fallback.html", "autostart": false}
        },
        "active_display_process": "screen",
        "behaviors": behaviors,
        "schedule": {"rules": rules}
    })
}

impl Kiosk {
    fn new(document: Value) -> Kiosk {
        Kiosk::begin(document, [])
    }

    fn begin(document: Value, away: impl IntoIterator<Item = &'static str>) -> Kiosk {
        let mut kiosk = Kiosk {
            stage: Stage::with_displays(document, &[":0"]),
            away: away.into_iter().collect(),
            on_screen: String::new(),
            ran: Vec::new(),
            commands: Vec::new(),
            tries: 0,
            memories: BTreeMap::new(),
        };
        kiosk.stage.handle(Event::Network { connected: true });
        kiosk.perform();
        kiosk.pass(20);
        kiosk
    }

    fn is_away(&self, url: &str) -> bool {
        self.away.iter().any(|server| url.starts_with(server))
    }

    /// Advances the time second by second; actions are carried out at once.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.stage.pass_seconds(1);
            self.perform();
        }
    }

    fn ask(&mut self, command: impl Into<Command>) {
        let _ = self.stage.ask(command);
        self.perform();
    }

    fn perform(&mut self) {
        while !self.stage.actions.is_empty() {
            match self.stage.actions.remove(0) {
                Action::Spawn { run, process } => self.load(run, process.url.as_deref().unwrap()),
                Action::Signal { run, .. } => {
                    self.stage.live.remove(&run);
                    self.stage.handle(Event::Exited {
                        run,
                        ending: Ending::Signal(15),
                        tree_left: false,
                    });
                }
                Action::ProbeServer { url } => {
                    self.tries += 1;
                    let reachable = !self.is_away(&url);
                    self.stage.handle(Event::ServerProbed { url, reachable });
                }
                Action::RunPageCommand {
                    run,
                    command,
                    requester: Requester::Daemon,
                } => self.carry_out(run, command),
                Action::RunCommand { command, .. } => self.ran.push(command),
                Action::Remember { memory } => {
                    self.memories.insert(memory.process.id.clone(), *memory);
                }
                _ => {}
            }
        }
    }

    /// Another daemon takes over; the browser survives.
    fn replace_daemon(&mut self) {
        let document = self
            .stage
            .supervisor
            .status()
            .configuration
            .document
            .clone();
        let boot = Boot {
            loaded: load(Value::Object(document.as_map().clone())),
            source: Source::File,
            problems: Vec::new(),
            displays: vec![":0".parse().unwrap()],
            memories: self.memories.values().cloned().collect(),
            next_run: 100,
            schedule: Default::default(),
        };
        self.stage.supervisor = Supervisor::new(boot, self.stage.now);
        self.stage.handle(Event::Network { connected: true });
        self.perform();
    }

    fn observe(&mut self, run: RunId, observation: PageObservation) {
        self.stage.handle(Event::PageObserved { run, observation });
    }

    /// The browser loads a URL.
    fn load(&mut self, run: RunId, url: &str) {
        let url = url.to_owned();
        self.on_screen.clone_from(&url);
        if self.is_away(&url) {
            let error = "net::ERR_CONNECTION_REFUSED".to_owned();
            return self.observe(run, PageObservation::NotLoaded { url, error });
        }
        self.observe(run, PageObservation::Loading { url });
        self.look(run);
    }

    fn look(&mut self, run: RunId) {
        let url = self.on_screen.clone();
        let title = "Page".to_owned();
        self.observe(run, PageObservation::Painted { url, title });
    }

    fn carry_out(&mut self, run: RunId, command: PageCommand) {
        if command != PageCommand::Observe {
            self.commands.push(command.clone());
        }
        let result = match &command {
            PageCommand::Observe => {
                self.look(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::Reload => {
                let url = self.on_screen.clone();
                self.load(run, &url);
                Ok(PageCommandResult::Done)
            }
            PageCommand::Navigate { url, .. } if self.is_away(url) => {
                Err(Failure::system("net::ERR_CONNECTION_REFUSED"))
            }
            PageCommand::Navigate { url, .. } => {
                self.load(run, url);
                Ok(PageCommandResult::Done)
            }
            PageCommand::ShowBuiltIn(_) => {
                self.on_screen = "about:offline".to_owned();
                self.look(run);
                Ok(PageCommandResult::Done)
            }
            _ => Ok(PageCommandResult::Done),
        };
        self.stage.handle(Event::PageCommandDone {
            run,
            command,
            requester: Requester::Daemon,
            result,
        });
    }

    fn page(&self, name: &str) -> (PageState, Option<String>) {
        let status = self.stage.status(name);
        let page = status.page.as_ref().expect("it runs");
        (page.state, page.reason.clone())
    }
}

#[test]
fn a_reload_during_an_outage_runs_no_rule_and_its_end_runs_one() {
    let lost = [
        json!({"action": "refresh"}),
        json!({"action": "show_overlay"}),
        json!({"action": "none"}),
    ];
    for lost in lost {
        let behaviors = json!({"on_connection_lost": lost});
        let mut kiosk = Kiosk::new(document(PAGE, behaviors, both_rules()));
        kiosk.away.insert("https://example.org");
        kiosk.pass(30);
        // An operator restarts the browser.
        kiosk.ask(Command::Restart(id("screen")));
        kiosk.pass(600);
        assert_eq!(kiosk.on_screen, "about:offline", "{lost}");
        assert_eq!(kiosk.ran, ["lost"], "{lost}");
        kiosk.away.clear();
        kiosk.pass(30);
        assert_eq!(kiosk.on_screen, PAGE, "{lost}");
        assert_eq!(kiosk.ran, ["lost", "regained"], "{lost}");
        kiosk.pass(3600);
        assert_eq!(kiosk.ran, ["lost", "regained"], "{lost}");
    }
}

#[test]
fn a_network_rule_causes_probes_of_the_server() {
    let behaviors = json!({
        "on_connection_lost": {"action": "none"},
        "on_connection_regained": {"action": "continue"}
    });
    let mut kiosk = Kiosk::new(document(PAGE, behaviors.clone(), both_rules()));
    kiosk.away.insert("https://example.org");
    kiosk.pass(15);
    assert_eq!(kiosk.ran, ["lost"]);
    kiosk.away.clear();
    kiosk.pass(15);
    assert_eq!(kiosk.ran, ["lost", "regained"]);
    assert_eq!(kiosk.on_screen, PAGE);

    let mut rules = both_rules();
    for rule in rules.as_array_mut().unwrap() {
        rule["enabled"] = false.into();
    }
    let mut kiosk = Kiosk::new(document(PAGE, behaviors, rules));
    kiosk.pass(3600);
    assert_eq!(kiosk.tries, 0, "nothing asks for it");
}

#[test]
fn a_server_that_is_down_at_the_start_is_lost_once_and_regained_once() {
    let behaviors = json!({"on_connection_regained": {"action": "refresh_page"}});
    let document = document(PAGE, behaviors, both_rules());
    let mut kiosk = Kiosk::begin(document, ["https://example.org"]);
    kiosk.pass(3600);
    assert_eq!(kiosk.ran, ["lost"]);
    assert_eq!(kiosk.on_screen, "about:offline");
    kiosk.commands.clear();
    kiosk.away.clear();
    kiosk.pass(60);
    assert_eq!(kiosk.ran, ["lost", "regained"]);
    let navigations = kiosk
        .commands
        .iter()
        .filter(|command| matches!(command, PageCommand::Navigate { .. }));
    assert!(navigations.count() <= 2, "{:?}", kiosk.commands);
    assert!(
        !kiosk.commands.contains(&PageCommand::Reload),
        "it was loaded just now"
    );
    assert_eq!(kiosk.on_screen, PAGE);
}

#[test]
fn a_page_of_this_machine_that_a_rule_shows_during_an_outage_does_not_end_it() {
    let rules = json!([
        rule(
            "down",
            "lost",
            json!({"type": "start_process", "process_id": "fallback"})
        ),
        rule(
            "up",
            "regained",
            json!({"type": "start_process", "process_id": "screen"})
        ),
    ]);
    let mut kiosk = Kiosk::new(document(PAGE, json!({}), rules));
    kiosk.away.insert("https://example.org");
    kiosk.pass(20);
    assert_eq!(kiosk.on_screen, "file:///srv/fallback.html");
    let run = kiosk.stage.run("fallback");
    kiosk.commands.clear();
    kiosk.pass(3600);
    assert_eq!(kiosk.on_screen, "file:///srv/fallback.html");
    assert_eq!(kiosk.stage.run("fallback"), run);
    assert_eq!(kiosk.commands, [], "the fallback page needs no server");
    kiosk.away.clear();
    kiosk.pass(30);
    assert_eq!(kiosk.on_screen, PAGE);
}

#[test]
fn a_noticed_outage_is_tracked_to_its_end_despite_configuration_changes() {
    let mut kiosk = Kiosk::new(document(PAGE, json!({}), json!([])));
    kiosk.away.insert("https://example.org");
    kiosk.pass(20);
    assert_eq!(kiosk.commands, [PageCommand::ShowOverlay]);
    kiosk.ask(Edit::ReplaceSection {
        section: Section::Behaviors,
        value: json!({
            "on_connection_lost": {"action": "none"},
            "on_connection_regained": {"action": "continue"}
        }),
        if_match: None,
    });
    kiosk.away.clear();
    kiosk.pass(20);
    assert_eq!(
        kiosk.commands,
        [PageCommand::ShowOverlay, PageCommand::HideOverlay]
    );
}

#[test]
fn a_notice_over_the_page_is_in_its_status_until_it_is_removed() {
    for action in ["show_overlay", "pause"] {
        let behaviors = json!({"on_connection_lost": {"action": action}});
        let mut kiosk = Kiosk::new(document(PAGE, behaviors, json!([])));
        assert_eq!(kiosk.page("screen"), (PageState::Healthy, None));
        let before = kiosk.stage.status("screen").page.clone().unwrap();
        kiosk.away.insert("https://example.org");
        kiosk.pass(20);
        let (state, reason) = kiosk.page("screen");
        assert_eq!(state, PageState::NetError, "{action}");
        assert_eq!(reason.as_deref(), Some("its server cannot be reached"));
        let page = kiosk.stage.status("screen").page.clone().unwrap();
        assert!(page.since > before.since);
        assert_eq!(
            (before.server_reachable, page.server_reachable),
            (Some(true), Some(false))
        );
        assert!(page.last_painted.is_some());
        // Observations of a healthy page change nothing.
        kiosk.pass(600);
        let later = kiosk.stage.status("screen").page.clone().unwrap();
        assert_eq!(
            (later.state, later.since),
            (PageState::NetError, page.since)
        );
        kiosk.away.clear();
        kiosk.pass(20);
        assert_eq!(kiosk.page("screen"), (PageState::Healthy, None), "{action}");
    }
}

#[test]
fn a_notice_of_an_earlier_daemon_is_removed_once_the_server_is_reachable() {
    let actions = [
        (
            "show_overlay",
            PageCommand::ShowOverlay,
            PageCommand::HideOverlay,
        ),
        ("pause", PageCommand::Pause, PageCommand::Resume),
    ];
    for (action, done, undone) in actions {
        let behaviors = json!({"on_connection_lost": {"action": action}});
        let mut kiosk = Kiosk::new(document(PAGE, behaviors, json!([])));
        kiosk.away.insert("https://example.org");
        kiosk.pass(20);
        assert_eq!(kiosk.commands, std::slice::from_ref(&done));
        // The server is still down under the next daemon, and back before the one after it.
        kiosk.replace_daemon();
        kiosk.pass(20);
        assert_eq!(kiosk.commands, [done.clone(), done.clone()]);
        assert_eq!(kiosk.page("screen").0, PageState::NetError);
        kiosk.away.clear();
        kiosk.replace_daemon();
        kiosk.pass(20);
        assert_eq!(kiosk.commands, [done.clone(), done, undone], "{action}");
        assert_eq!(kiosk.page("screen"), (PageState::Healthy, None));
        kiosk.pass(3600);
        assert_eq!(kiosk.commands.len(), 3, "{action}");
    }
}

#[test]
fn a_page_without_a_server_is_refreshed_at_its_interval() {
    let behaviors = json!({"scheduled_refresh": {"enabled": true, "interval_minutes": 10}});
    let mut kiosk = Kiosk::new(document("file:///srv/page.html", behaviors, json!([])));
    kiosk.pass(3600);
    assert!(
        kiosk
            .commands
            .iter()
            .all(|command| *command == PageCommand::Reload),
        "{:?}",
        kiosk.commands
    );
    assert!(
        (5..=6).contains(&kiosk.commands.len()),
        "{:?}",
        kiosk.commands
    );
    assert_eq!(kiosk.tries, 0);
}
