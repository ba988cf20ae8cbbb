//! A week of random page failures: no storm of reloads, and a reason for every recovery step.

use ossuary::config::{Loaded, StopSignal};
use ossuary::supervisor::{
    Action, Boot, Ending, Event, Failure, Requester, RunId, Source, Supervisor,
};
use ossuary::supervisor::{PageCommand, PageCommandResult, PageObservation, PageState};
use ossuary::time::Moment;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

const URL: &str = "https://example.org/shop";

/// The actual condition of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Well,
    Hung,
    Empty,
    Dead,
    /// The whole browser hangs.
    Frozen,
    /// The browser answers, and has no page.
    Lost,
}

/// A kiosk, its browser, and the server of its page.
struct World {
    rng: fastrand::Rng,
    now: Moment,
    supervisor: Supervisor,
    run: Option<RunId>,
    truth: Truth,
    /// No recovery step helps.
    incurable: bool,
    server: bool,
    /// A built-in page is on the screen.
    built_in: Option<&'static str>,
    /// Events of the page's driver.
    events: VecDeque<Event>,
    /// Page commands in progress, and when each ends.
    commands: VecDeque<(Moment, PageCommand)>,
    /// Recovery steps, without observations and retries of the URL.
    steps: VecDeque<Moment>,
    looks: usize,
    notes: usize,
}

impl World {
    fn new(seed: u64) -> World {
        let document = json!({
            "version": 3,
            "processes": {"screen": {"type": "chromium", "url": URL}},
            "behaviors": {"on_connection_regained": {"action": "refresh_page"}}
        });
        let boot = Boot {
            loaded: Loaded::from_bytes(document.to_string().as_bytes()).unwrap(),
            source: Source::File,
            problems: Vec::new(),
            displays: vec![":0".parse().unwrap()],
            memories: Vec::new(),
            next_run: 1,
            schedule: Default::default(),
        };
        let now = Moment::from_boot(Duration::from_secs(5));
        let mut world = World {
            rng: fastrand::Rng::with_seed(seed),
            now,
            supervisor: Supervisor::new(boot, now),
            run: None,
            truth: Truth::Well,
            incurable: false,
            server: true,
            built_in: None,
            events: VecDeque::new(),
            commands: VecDeque::new(),
            steps: VecDeque::new(),
            looks: 0,
            notes: 0,
        };
        world.act();
        world
    }

    fn handle(&mut self, event: Event) {
        self.supervisor.handle(event, self.now);
        self.act();
    }

    /// Carries out the actions and reports their results.
    fn act(&mut self) {
        while let Some(action) = self.supervisor.poll_action() {
            match action {
                Action::Spawn { run, .. } => {
                    assert_eq!(self.run, None, "one browser at a time");
                    self.run = Some(run);
                    self.events.push_back(Event::Spawned { run, pid: 77 });
                    self.load();
                }
                Action::Signal { run, signal } => {
                    assert_eq!((self.run, signal), (Some(run), StopSignal::Term));
                    self.run = None;
                    while let Some((_, command)) = self.commands.pop_front() {
                        let ended = Err(Failure::system("the browser has ended"));
                        self.answer(run, command, ended);
                    }
                    self.events.push_back(Event::Exited {
                        run,
                        ending: Ending::Code(0),
                        tree_left: false,
                    });
                    // It was stopped for a reason.
                    self.step();
                }
                Action::RunPageCommand {
                    run,
                    command,
                    requester,
                } => {
                    assert_eq!((self.run, requester), (Some(run), Requester::Daemon));
                    match command {
                        PageCommand::Observe => self.carry_out(run, command),
                        // A command that changes the page takes time.
                        command => {
                            let before = self.commands.back().map_or(self.now, |(done, _)| *done);
                            let span = Duration::from_millis(self.rng.u64(0..25_000));
                            self.commands
                                .push_back((before.max(self.now) + span, command));
                        }
                    }
                }
                Action::ProbeServer { url } => {
                    assert_eq!(url, URL);
                    let reachable = self.server;
                    self.events
                        .push_back(Event::ServerProbed { url, reachable });
                }
                Action::Note { text, .. } if text.starts_with("page: ") => self.notes += 1,
                _ => {}
            }
            self.report();
        }
    }

    fn report(&mut self) {
        while let Some(event) = self.events.pop_front() {
            self.supervisor.handle(event, self.now);
        }
    }

    /// A recovery step; its reason was logged.
    fn step(&mut self) {
        assert!(self.notes > 0, "a step without a reason");
        self.notes -= 1;
        self.steps.push_back(self.now);
    }

    fn answer(
        &mut self,
        run: RunId,
        command: PageCommand,
        result: Result<PageCommandResult, Failure>,
    ) {
        self.events.push_back(Event::PageCommandDone {
            run,
            command,
            requester: Requester::Daemon,
            result,
        });
    }

    fn observe(&mut self, run: RunId) {
        let observation = self.observation();
        self.events
            .push_back(Event::PageObserved { run, observation });
    }

    /// Carries a page command out: what is observed is reported before the answer, as drivers do.
    fn carry_out(&mut self, run: RunId, command: PageCommand) {
        let refused = |why: &str| Err(Failure::system(why));
        let result = match &command {
            PageCommand::Observe => {
                self.looks += 1;
                self.observe(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::CaptureEvidence => Ok(PageCommandResult::Evidence(None)),
            command if self.fails() => {
                if is_step(command) {
                    self.step();
                }
                refused("the browser does not do it")
            }
            PageCommand::Reload | PageCommand::NewTab { .. } => {
                self.step();
                self.load();
                Ok(PageCommandResult::Done)
            }
            PageCommand::Navigate { .. } if self.server => {
                self.load();
                // A page that was loaded is observed.
                self.observe(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::Navigate { .. } => refused("net::ERR_CONNECTION_REFUSED"),
            PageCommand::ShowBuiltIn(_) if self.rng.u32(0..8) == 0 => {
                self.step();
                refused("it is not there within 15 s")
            }
            PageCommand::ShowBuiltIn(_) => {
                self.step();
                self.built_in = Some("about:offline");
                if self.rng.bool() {
                    // The browser itself has retried the URL before the built-in page was shown.
                    let url = URL.to_owned();
                    let observation = PageObservation::Loading { url };
                    self.events
                        .push_back(Event::PageObserved { run, observation });
                }
                self.observe(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::ShowOverlay | PageCommand::HideOverlay => {
                self.step();
                Ok(PageCommandResult::Done)
            }
            other => panic!("unexpected {other:?}"),
        };
        self.answer(run, command, result);
    }

    /// Loads the page from its server if that is up; the page is healthy afterwards unless nothing helps.
    fn load(&mut self) {
        let Some(run) = self.run else { return };
        self.built_in = None;
        if !self.incurable {
            self.truth = Truth::Well;
        }
        let url = URL.to_owned();
        let observation = match self.server {
            true => PageObservation::Loading { url },
            false => PageObservation::NotLoaded {
                url,
                error: "net::ERR_CONNECTION_REFUSED".to_owned(),
            },
        };
        self.events
            .push_back(Event::PageObserved { run, observation });
    }

    /// Whether a command that changes the page fails.
    fn fails(&self) -> bool {
        matches!(self.truth, Truth::Frozen | Truth::Lost)
    }

    fn observation(&self) -> PageObservation {
        let (url, title) = (URL.to_owned(), "Shop".to_owned());
        match (self.built_in, self.truth) {
            (_, Truth::Frozen) => PageObservation::BrowserUnresponsive,
            (_, Truth::Lost) => PageObservation::Loading { url: String::new() },
            (Some(name), _) => PageObservation::Painted {
                url: name.to_owned(),
                title,
            },
            (None, Truth::Well) => PageObservation::Painted { url, title },
            (None, Truth::Hung) => PageObservation::Unresponsive,
            (None, Truth::Empty) => PageObservation::Blank { url, title },
            (None, Truth::Dead) => PageObservation::Crashed,
        }
    }

    fn simulate(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let tick = self.supervisor.poll_timeout();
            let done = self.commands.front().map(|(done, _)| *done);
            let Some(next) = tick
                .into_iter()
                .chain(done)
                .min()
                .filter(|next| *next <= end)
            else {
                break;
            };
            if Some(next) == done {
                self.now = next.max(self.now);
                let (_, command) = self.commands.pop_front().unwrap();
                self.carry_out(self.run.unwrap(), command);
                self.report();
                self.act();
                continue;
            }
            assert!(next >= self.now, "the loop would spin");
            // An observation without an answer takes time.
            let slow = match self.truth {
                Truth::Hung => self.built_in.is_none(),
                truth => truth == Truth::Frozen,
            };
            self.now = next.max(self.now) + Duration::from_secs(if slow { 5 } else { 0 });
            self.handle(Event::Tick);
        }
        self.now = self.now.max(end);
    }

    fn state(&self) -> Option<PageState> {
        let status = self.supervisor.status();
        let screen = status.processes.first()?;
        Some(screen.page.as_ref()?.state)
    }

    /// Something happens at random.
    fn break_something(&mut self) {
        match self.rng.u32(0..9) {
            0 => (self.truth, self.built_in) = (Truth::Hung, None),
            1 => (self.truth, self.built_in) = (Truth::Empty, None),
            2 | 3 => {
                (self.truth, self.built_in) = (Truth::Dead, None);
                if let Some(run) = self.run {
                    self.handle(Event::PageObserved {
                        run,
                        observation: PageObservation::Crashed,
                    });
                }
            }
            4 => self.truth = Truth::Frozen,
            5 => self.server = false,
            6 => self.handle(Event::Network { connected: false }),
            7 => self.truth = Truth::Lost,
            _ => self.incurable = true,
        }
    }

    fn repair(&mut self) {
        (self.incurable, self.server) = (false, true);
        self.handle(Event::Network { connected: true });
    }
}

/// Whether the command needs a reason.
fn is_step(command: &PageCommand) -> bool {
    !matches!(command, PageCommand::Navigate { .. })
}

#[test]
fn a_week_of_failures_has_no_storm_and_no_step_without_a_reason() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        let mut hours = 0;
        while hours < 7 * 24 {
            let trouble = world.rng.u32(0..3) == 0;
            if trouble {
                // Failures rarely come alone.
                for _ in 0..world.rng.u32(1..4) {
                    world.break_something();
                    let span = world.rng.u64(1..600);
                    world.simulate(Duration::from_secs(span));
                }
            }
            world.simulate(Duration::from_secs(3600));
            hours += 1;
            while (world.steps.front())
                .is_some_and(|at| world.now.since(*at) > Duration::from_secs(3600))
            {
                world.steps.pop_front();
            }
            // Twelve recovery steps, a built-in page after each if the server is down too, and a note for the begin
            // and end of each failure.
            let most = 2 * 12 + 6;
            assert!(world.steps.len() <= most, "seed {seed}: {:?}", world.steps);
            if trouble {
                world.repair();
                // All steps of the hour may have been taken: the next one comes within an hour.
                world.simulate(Duration::from_secs(3600 + 300));
                assert_eq!(
                    world.state(),
                    Some(PageState::Healthy),
                    "seed {seed}, hour {hours}"
                );
            }
        }
    }
}

#[test]
fn a_healthy_page_is_observed_periodically_and_left_alone() {
    let mut world = World::new(1);
    world.simulate(Duration::from_secs(60));
    (world.looks, world.notes) = (0, 0);
    world.steps.clear();
    world.simulate(Duration::from_secs(24 * 3600));
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert!(world.looks <= 24 * 3600 / 6 + 1, "{}", world.looks);
    assert_eq!(world.notes, 0);
}
