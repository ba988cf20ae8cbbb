//! A week of the page on the screen, with all that can happen to it: no storm of reloads, every step explained.

use ossuary::config::{Loaded, StopSignal};
use ossuary::supervisor::page::{PageCommand, PageCommandResult, PageObservation, PageState};
use ossuary::supervisor::{Action, Boot, Ending, Event, Failure, RunId, Source, Supervisor};
use ossuary::time::Moment;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

const URL: &str = "https://example.org/shop";

/// How the page really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Well,
    Hung,
    Empty,
    Dead,
    /// The whole browser is.
    Frozen,
    /// The browser answers, and has no page.
    Lost,
}

/// A kiosk, its browser, and the server of its page.
struct World {
    rng: fastrand::Rng,
    now: Moment,
    mind: Supervisor,
    run: Option<RunId>,
    truth: Truth,
    /// Nothing helps, whatever is done.
    incurable: bool,
    server: bool,
    /// A page of our own is on the screen.
    ours: Option<&'static str>,
    /// What the page's driver has to say.
    news: VecDeque<Event>,
    /// What it does one after the other, and when each of it is done.
    orders: VecDeque<(Moment, PageCommand)>,
    /// When something was done about the page, other than to look at it or to see whether its server is back.
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
            mind: Supervisor::new(boot, now),
            run: None,
            truth: Truth::Well,
            incurable: false,
            server: true,
            ours: None,
            news: VecDeque::new(),
            orders: VecDeque::new(),
            steps: VecDeque::new(),
            looks: 0,
            notes: 0,
        };
        world.act();
        world
    }

    fn handle(&mut self, event: Event) {
        self.mind.handle(event, self.now);
        self.act();
    }

    /// Does what the mind wants, and lets it hear what comes of it.
    fn act(&mut self) {
        while let Some(action) = self.mind.poll_action() {
            match action {
                Action::Spawn { run, .. } => {
                    assert_eq!(self.run, None, "one browser at a time");
                    self.run = Some(run);
                    self.news.push_back(Event::Spawned { run, pid: 77 });
                    self.load();
                }
                Action::Signal { run, signal } => {
                    assert_eq!((self.run, signal), (Some(run), StopSignal::Term));
                    self.run = None;
                    while let Some((_, order)) = self.orders.pop_front() {
                        let ended = Err(Failure::system("the browser has ended"));
                        self.answer(run, order, ended);
                    }
                    self.news.push_back(Event::Exited {
                        run,
                        ending: Ending::Code(0),
                        tree_left: false,
                    });
                    // It was asked to end for a reason.
                    self.step();
                }
                Action::RunPageCommand {
                    run,
                    command: order,
                    ticket,
                } => {
                    assert_eq!((self.run, ticket), (Some(run), None));
                    match order {
                        PageCommand::Observe => self.obey(run, order),
                        // What changes the page takes its time.
                        order => {
                            let before = self.orders.back().map_or(self.now, |(done, _)| *done);
                            let span = Duration::from_millis(self.rng.u64(0..25_000));
                            self.orders.push_back((before.max(self.now) + span, order));
                        }
                    }
                }
                Action::ProbeServer { url } => {
                    assert_eq!(url, URL);
                    let reachable = self.server;
                    self.news.push_back(Event::ServerProbed { url, reachable });
                }
                Action::Note { text, .. } if text.starts_with("page: ") => self.notes += 1,
                _ => {}
            }
            self.tell();
        }
    }

    fn tell(&mut self) {
        while let Some(event) = self.news.pop_front() {
            self.mind.handle(event, self.now);
        }
    }

    /// Something is done about the page, and a sentence says why.
    fn step(&mut self) {
        assert!(self.notes > 0, "a step that nobody explains");
        self.notes -= 1;
        self.steps.push_back(self.now);
    }

    fn answer(
        &mut self,
        run: RunId,
        order: PageCommand,
        result: Result<PageCommandResult, Failure>,
    ) {
        self.news.push_back(Event::PageCommandDone {
            run,
            command: order,
            ticket: None,
            result,
        });
    }

    fn saw(&mut self, run: RunId) {
        let sight = self.sight();
        self.news.push_back(Event::PageObserved {
            run,
            observation: sight,
        });
    }

    /// Carries an order out: what is seen of it is told before it is answered, as drivers do.
    fn obey(&mut self, run: RunId, order: PageCommand) {
        let refused = |why: &str| Err(Failure::system(why));
        let result = match &order {
            PageCommand::Observe => {
                self.looks += 1;
                self.saw(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::CaptureEvidence => Ok(PageCommandResult::Evidence(None)),
            order if self.cannot_obey() => {
                if is_step(order) {
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
                // A page that has come is looked at.
                self.saw(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::Navigate { .. } => refused("net::ERR_CONNECTION_REFUSED"),
            PageCommand::ShowBuiltIn(_) if self.rng.u32(0..8) == 0 => {
                self.step();
                refused("it is not there within 15 s")
            }
            PageCommand::ShowBuiltIn(_) => {
                self.step();
                self.ours = Some("about:offline");
                if self.rng.bool() {
                    // The browser has tried the address by itself before ours was there.
                    let url = URL.to_owned();
                    let sight = PageObservation::Loading { url };
                    self.news.push_back(Event::PageObserved {
                        run,
                        observation: sight,
                    });
                }
                self.saw(run);
                Ok(PageCommandResult::Done)
            }
            PageCommand::ShowOverlay | PageCommand::HideOverlay => {
                self.step();
                Ok(PageCommandResult::Done)
            }
            other => panic!("nobody asked for {other:?}"),
        };
        self.answer(run, order, result);
    }

    /// The page is loaded from its server, if that is there, and is well afterwards, if that helps.
    fn load(&mut self) {
        let Some(run) = self.run else { return };
        self.ours = None;
        if !self.incurable {
            self.truth = Truth::Well;
        }
        let url = URL.to_owned();
        let sight = match self.server {
            true => PageObservation::Loading { url },
            false => PageObservation::NotLoaded {
                url,
                error: "net::ERR_CONNECTION_REFUSED".to_owned(),
            },
        };
        self.news.push_back(Event::PageObserved {
            run,
            observation: sight,
        });
    }

    /// Whether whatever changes the page comes to nothing.
    fn cannot_obey(&self) -> bool {
        matches!(self.truth, Truth::Frozen | Truth::Lost)
    }

    fn sight(&self) -> PageObservation {
        let (url, title) = (URL.to_owned(), "Shop".to_owned());
        match (self.ours, self.truth) {
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

    fn live(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let tick = self.mind.poll_timeout();
            let done = self.orders.front().map(|(done, _)| *done);
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
                let (_, order) = self.orders.pop_front().unwrap();
                self.obey(self.run.unwrap(), order);
                self.tell();
                self.act();
                continue;
            }
            assert!(next >= self.now, "the loop would spin");
            // A look that is not answered takes its time.
            let slow = match self.truth {
                Truth::Hung => self.ours.is_none(),
                truth => truth == Truth::Frozen,
            };
            self.now = next.max(self.now) + Duration::from_secs(if slow { 5 } else { 0 });
            self.handle(Event::Tick);
        }
        self.now = self.now.max(end);
    }

    fn state(&self) -> Option<PageState> {
        let status = self.mind.status();
        let screen = status.processes.first()?;
        Some(screen.page.as_ref()?.state)
    }

    /// Something happens.
    fn happen(&mut self) {
        match self.rng.u32(0..9) {
            0 => (self.truth, self.ours) = (Truth::Hung, None),
            1 => (self.truth, self.ours) = (Truth::Empty, None),
            2 | 3 => {
                (self.truth, self.ours) = (Truth::Dead, None);
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

    fn mend(&mut self) {
        (self.incurable, self.server) = (false, true);
        self.handle(Event::Network { connected: true });
    }
}

/// Whether somebody has to be told why.
fn is_step(order: &PageCommand) -> bool {
    !matches!(order, PageCommand::Navigate { .. })
}

#[test]
fn a_week_of_the_page_has_no_storm_and_no_step_without_a_reason() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        let mut hours = 0;
        while hours < 7 * 24 {
            let trouble = world.rng.u32(0..3) == 0;
            if trouble {
                // One thing seldom comes alone.
                for _ in 0..world.rng.u32(1..4) {
                    world.happen();
                    let span = world.rng.u64(1..600);
                    world.live(Duration::from_secs(span));
                }
            }
            world.live(Duration::from_secs(3600));
            hours += 1;
            while (world.steps.front())
                .is_some_and(|at| world.now.since(*at) > Duration::from_secs(3600))
            {
                world.steps.pop_front();
            }
            // Twelve of the ladder, a page of ours after each where the server is away, too, and a notice for each thing
            // that has happened and its end.
            let most = 2 * 12 + 6;
            assert!(world.steps.len() <= most, "seed {seed}: {:?}", world.steps);
            if trouble {
                world.mend();
                // All steps may have been taken just now: the next one comes within an hour.
                world.live(Duration::from_secs(3600 + 300));
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
fn a_page_that_is_well_is_looked_at_now_and_then_and_left_alone() {
    let mut world = World::new(1);
    world.live(Duration::from_secs(60));
    (world.looks, world.notes) = (0, 0);
    world.steps.clear();
    world.live(Duration::from_secs(24 * 3600));
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert!(world.looks <= 24 * 3600 / 6 + 1, "{}", world.looks);
    assert_eq!(world.notes, 0);
}
