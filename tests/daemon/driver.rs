//! The driver of the browser alone, with a real Chromium at the other end of its pipe.

use crate::kiosk::{fresh_dir, signal};
use crate::scene::Screen;
use crate::stage::{NAVY, PURPLE, SWITCHES, Site, TEAL};
use crate::xvfb::{self, Xvfb};
use ossuary::browser::built_in_pages::Facts;
use ossuary::browser::{Chromium, Driver, DriverContext, Pointer};
use ossuary::supervisor::{BuiltIn, PageCommand, PageCommandResult, PageObservation, Transition};
use ossuary::supervisor::{Event, Failure, Requester, RunId, Ticket};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;
use smol::{LocalExecutor, Timer, block_on};
use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Chromium on its own display, and its driver.
struct Stage {
    x: Xvfb,
    site: Site,
    executor: Rc<LocalExecutor<'static>>,
    socket: UnixStream,
    events: (Sender<Event>, Receiver<Event>),
    notes: Rc<RefCell<Vec<String>>>,
    /// Everything that was seen.
    sights: RefCell<Vec<PageObservation>>,
    driver: RefCell<Option<Driver>>,
    browser: Child,
    dir: PathBuf,
}

/// Plays a scene with a browser that shows this page of the site.
fn with_page(page: &str, scene: impl AsyncFnOnce(&Stage)) {
    let stage = Stage::set(page);
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("it did not happen; seen: {:#?}", stage.sights.borrow());
    };
    stage.drive(false, 1);
    block_on(stage.executor.run(or(scene(&stage), late)));
}

impl Stage {
    fn set(page: &str) -> Stage {
        let (x, site, dir) = (Xvfb::start(), Site::open(), fresh_dir());
        let (socket, theirs) = UnixStream::pair().unwrap();
        let command = format!(
            "exec chromium {SWITCHES} --kiosk --window-position=0,0 --no-first-run --ozone-platform=x11 \
             --remote-debugging-pipe --user-data-dir={} {} 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            dir.join("profile").display(),
            site.page(page)
        );
        let again = theirs.try_clone().unwrap();
        let browser = Command::new("sh")
            .args(["-c", &command])
            .env("DISPLAY", &x.name)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(again)))
            .process_group(0)
            .spawn()
            .unwrap();
        Stage {
            x,
            site,
            executor: Rc::new(LocalExecutor::new()),
            socket,
            events: bounded(64),
            notes: Rc::default(),
            sights: RefCell::default(),
            driver: RefCell::default(),
            browser,
            dir,
        }
    }

    /// Another daemon drives the browser from here on.
    fn drive(&self, taken_over: bool, first: u32) {
        let notes = self.notes.clone();
        let around = Rc::new(DriverContext {
            run: RunId(1),
            pointer: Pointer::Hidden,
            executor: self.executor.clone(),
            events: self.events.0.clone(),
            note: Box::new(move |text| notes.borrow_mut().push(text.to_owned())),
            facts: Box::new(Facts::default),
        });
        let socket = self.socket.try_clone().unwrap();
        let driver = Chromium::drive(socket, taken_over, first, around).unwrap();
        *self.driver.borrow_mut() = Some(driver);
    }

    /// The next event for the loop.
    async fn next(&self) -> Event {
        let event = self.events.1.recv().await.unwrap();
        if let Event::PageObserved {
            observation: sight, ..
        } = &event
        {
            self.sights.borrow_mut().push(sight.clone());
        }
        event
    }

    /// Waits for this event.
    async fn until_seen(&self, looks_right: impl Fn(&PageObservation) -> bool) -> PageObservation {
        loop {
            match self.next().await {
                Event::PageObserved {
                    observation: sight, ..
                } if looks_right(&sight) => return sight,
                _ => {}
            }
        }
    }

    /// Waits until the page of this name is on the screen.
    async fn until_painted(&self, name: &str) {
        let url = self.site.page(name);
        let is_it = |sight: &PageObservation| matches!(sight, PageObservation::Painted { url: there, .. } if *there == url);
        self.until_seen(is_it).await;
    }

    async fn order(&self, order: PageCommand) -> Result<PageCommandResult, Failure> {
        if let Some(Event::PageCommandDone { result, .. }) = self.steer(order, Requester::Daemon) {
            return result;
        }
        loop {
            if let Event::PageCommandDone { result, .. } = self.next().await {
                return result;
            }
        }
    }

    /// Gives an order; its answer where that comes at once.
    fn steer(&self, order: PageCommand, requester: Requester) -> Option<Event> {
        self.driver.borrow().as_ref().unwrap().run(order, requester)
    }

    /// Waits for this, which no event reports.
    async fn until(&self, is_so: impl Fn() -> bool) {
        while !is_so() {
            Timer::after(Duration::from_millis(5)).await;
        }
    }

    async fn look(&self) -> PageObservation {
        assert_eq!(
            self.order(PageCommand::Observe).await,
            Ok(PageCommandResult::Done)
        );
        self.sights.borrow().last().unwrap().clone()
    }

    async fn navigate(
        &self,
        page: &str,
        transition: Transition,
    ) -> Result<PageCommandResult, Failure> {
        let url = self.site.page(page);
        self.order(PageCommand::Navigate { url, transition }).await
    }

    /// Waits until this colour is all over the screen, which sends no event.
    async fn until_all_is(&self, colour: [u8; 3]) {
        while !self.x.is_all(colour) {
            Timer::after(Duration::from_millis(5)).await;
        }
    }

    /// What draws the pages of this browser.
    fn renderers(&self) -> Vec<u32> {
        let profile = self.dir.display().to_string();
        let pids = fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains("--type=renderer") && line.contains(&profile)
            })
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let group = format!("-{}", self.browser.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.browser.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn painted(stage: &Stage, page: &str) -> PageObservation {
    PageObservation::Painted {
        url: stage.site.page(page),
        title: page.to_owned(),
    }
}

#[test]
fn an_observation_reports_what_is_on_the_screen() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        assert_eq!(stage.look().await, painted(stage, "teal"));
        // No window manager has made the window as large as the screen.
        stage.until_all_is(TEAL).await;
        for (page, is_blank) in [("empty", true), ("liar", true), ("purple", false)] {
            let url = stage.site.page(page);
            let fresh = PageCommand::NewTab { url };
            assert_eq!(stage.order(fresh).await, Ok(PageCommandResult::Done));
            let sight = stage.look().await;
            assert_eq!(
                matches!(sight, PageObservation::Blank { .. }),
                is_blank,
                "{page}: {sight:?}"
            );
        }
        stage.until_all_is(PURPLE).await;
    });
}

#[test]
fn the_pointer_is_hidden_on_a_page() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        for (page, colour) in [("purple", PURPLE), ("teal", TEAL)] {
            let shown = stage.navigate(page, Transition::Cut).await;
            assert_eq!(shown, Ok(PageCommandResult::Done));
            while stage.x.colour(xvfb::POINTER) != colour {
                Timer::after(Duration::from_millis(5)).await;
            }
        }
    });
}

#[test]
fn another_page_takes_the_place_of_the_one_that_is_there_or_does_not() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        stage.until_all_is(TEAL).await;
        assert_eq!(
            stage.navigate("purple", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_all_is(PURPLE).await;
        assert_eq!(
            stage.navigate("navy", Transition::Fade).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_all_is(NAVY).await;
        assert_eq!(stage.look().await, painted(stage, "navy"));

        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", closed.local_addr().unwrap());
        drop(closed);
        let dead = PageCommand::Navigate {
            url,
            transition: Transition::Cut,
        };
        let why = stage.order(dead).await.unwrap_err().message;
        assert!(
            why.contains("net::ERR_CONNECTION_REFUSED; the previous page stays"),
            "{why}"
        );
        let why = stage.navigate("missing", Transition::Fade).await;
        let why = why.unwrap_err().message;
        assert!(why.contains("its server answers 404"), "{why}");
        assert_eq!(stage.look().await, painted(stage, "navy"));
        stage.until_all_is(NAVY).await;
    });
}

#[test]
fn a_hung_page_is_distinguished_from_a_hung_browser_and_a_reload_fixes_both() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        assert_eq!(
            stage.navigate("hang", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        stage.site.fall_ill("hang");
        while stage.look().await != PageObservation::Unresponsive {}
        // Others may wait, and it is known.
        assert!(
            stage
                .steer(PageCommand::Observe, Requester::Daemon)
                .is_none()
        );
        let at_once = stage.steer(PageCommand::Screenshot { width: None }, Requester::Daemon);
        let Some(Event::PageCommandDone { result, .. }) = at_once else {
            panic!("a picture of a page that is known to hang is waited for: {at_once:?}");
        };
        assert_eq!(result.unwrap_err().message, "the page does not answer");
        assert_eq!(stage.look().await, PageObservation::Unresponsive);
        let asked = stage.site.asked("hang");
        assert_eq!(
            stage.order(PageCommand::Reload).await,
            Ok(PageCommandResult::Done)
        );
        assert_eq!(stage.site.asked("hang"), asked + 1);

        signal(stage.browser.id(), "STOP");
        assert_eq!(stage.look().await, PageObservation::BrowserUnresponsive);
        signal(stage.browser.id(), "CONT");
        assert_eq!(
            stage.navigate("teal", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        assert_eq!(stage.look().await, painted(stage, "teal"));
    });
}

#[test]
fn a_crashed_page_is_reported_at_once_and_returns_after_a_reload() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        for pid in stage.renderers() {
            // One may have ended meanwhile.
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
        }
        stage
            .until_seen(|sight| *sight == PageObservation::Crashed)
            .await;
        assert_eq!(stage.look().await, PageObservation::Crashed);
        let why = stage
            .order(PageCommand::Screenshot { width: Some(100) })
            .await;
        assert_eq!(why.unwrap_err().message, "the page has crashed");
        assert_eq!(
            stage.order(PageCommand::Reload).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_painted("teal").await;
        stage.until_all_is(TEAL).await;
    });
}

#[test]
fn a_page_that_cannot_be_loaded_is_reported_and_replaced_by_a_built_in_page() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        let url = "http://missing.invalid/".to_owned();
        let fresh = PageCommand::NewTab { url: url.clone() };
        assert_eq!(stage.order(fresh).await, Ok(PageCommandResult::Done));
        let expected = PageObservation::NotLoaded {
            url: url.clone(),
            error: "net::ERR_NAME_NOT_RESOLVED".to_owned(),
        };
        // The browser's own page about it may still be on its way, which is no page that was painted.
        while stage.look().await == (PageObservation::Loading { url: url.clone() }) {
            Timer::after(Duration::from_millis(5)).await;
        }
        assert_eq!(stage.look().await, expected);
        let offline = BuiltIn::Offline {
            url: url.clone(),
            error: "net::ERR_NAME_NOT_RESOLVED".to_owned(),
        };
        let shown = stage.order(PageCommand::ShowBuiltIn(offline)).await;
        assert_eq!(shown, Ok(PageCommandResult::Done));
        let sight = stage.look().await;
        assert!(
            matches!(&sight, PageObservation::Painted { url, .. } if url == "about:offline"),
            "{sight:?}"
        );
        // The page it stands for cannot be loaded yet, so ours stays.
        let why = stage.order(PageCommand::Reload).await.unwrap_err().message;
        assert!(why.starts_with(&url), "{why}");
        assert_eq!(stage.look().await, sight);
    });
}

/// Width and height, as the file says (PNG, 11.2.2).
fn size(png: &[u8]) -> [u32; 2] {
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()))
}

#[test]
fn a_picture_is_of_this_moment_and_as_wide_as_it_was_asked_for() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        stage.until_all_is(TEAL).await;
        let mut pictures = Vec::new();
        for page in ["purple", "navy"] {
            assert_eq!(
                stage.navigate(page, Transition::Cut).await,
                Ok(PageCommandResult::Done)
            );
            for width in [None, Some(200)] {
                let picture = stage.order(PageCommand::Screenshot { width }).await;
                let Ok(PageCommandResult::Screenshot(picture)) = picture else {
                    panic!("{picture:?}");
                };
                assert_eq!(size(&picture.png)[0], width.unwrap_or(800));
                pictures.push(picture);
            }
        }
        assert_ne!(pictures[0], pictures[2]);
        assert_ne!(pictures[1], pictures[3]);
        if let Some(dir) = std::env::var_os("OSSUARY_SCREENSHOTS") {
            for (number, picture) in pictures.iter().enumerate() {
                fs::write(
                    PathBuf::from(&dir).join(format!("driver-{number}.png")),
                    &picture.png,
                )
                .unwrap();
            }
        }
    });
}

#[test]
fn a_page_that_leads_on_before_it_was_read_is_shown_as_what_it_leads_to() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        for transition in [Transition::Cut, Transition::Fade] {
            let shown = stage.navigate("leads-on", transition).await;
            assert_eq!(shown, Ok(PageCommandResult::Done));
            stage.until_all_is(PURPLE).await;
            assert_eq!(stage.look().await, painted(stage, "purple"));
            assert_eq!(
                stage.navigate("teal", transition).await,
                Ok(PageCommandResult::Done)
            );
        }
        let nowhere = stage.navigate("leads-nowhere", Transition::Cut).await;
        let why = nowhere.unwrap_err().message;
        assert!(why.contains("cannot be loaded: net::ERR_"), "{why}");
        assert_eq!(stage.look().await, painted(stage, "teal"));
    });
}

#[test]
fn a_picture_and_one_from_before_a_step_can_be_taken_at_the_same_time() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        assert_eq!(
            stage.navigate("moves", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        for _ in 0..10 {
            let width = Some(100);
            assert!(
                stage
                    .steer(PageCommand::CaptureEvidence, Requester::Daemon)
                    .is_none()
            );
            assert!(
                stage
                    .steer(PageCommand::Screenshot { width }, Requester::Daemon)
                    .is_none()
            );
            let mut widths = Vec::new();
            while widths.len() < 2 {
                match stage.next().await {
                    Event::PageCommandDone { result, .. } => match result {
                        Ok(
                            PageCommandResult::Screenshot(picture)
                            | PageCommandResult::Evidence(Some(picture)),
                        ) => {
                            widths.push(size(&picture.png)[0]);
                        }
                        other => panic!("{other:?}"),
                    },
                    _ => continue,
                }
            }
            widths.sort_unstable();
            assert_eq!(widths, [100, 480]);
        }
    });
}

#[test]
fn a_page_that_is_not_wanted_any_more_is_not_shown() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        let ticket = Ticket(7);
        let url = stage.site.page("purple?held");
        let transition = Transition::Cut;
        let order = PageCommand::Navigate { url, transition };
        assert!(
            stage
                .steer(order.clone(), Requester::Client(ticket))
                .is_none()
        );
        // One that waits its turn is withdrawn as well.
        let waiting = Ticket(8);
        assert!(stage.steer(order, Requester::Client(waiting)).is_none());
        stage.until(|| stage.site.asked("purple?held") == 1).await;
        for withdrawn in [ticket, waiting] {
            let driver = stage.driver.borrow();
            driver.as_ref().unwrap().cancel(withdrawn);
        }
        for withdrawn in [ticket, waiting] {
            let (answered, result) = loop {
                if let Event::PageCommandDone {
                    requester, result, ..
                } = stage.next().await
                {
                    break (requester, result);
                }
            };
            assert_eq!(answered, Requester::Client(withdrawn));
            let why = result.unwrap_err().message;
            assert!(why.contains("cancelled"), "{why}");
        }
        assert_eq!(stage.site.asked("purple?held"), 1);
        assert_eq!(stage.look().await, painted(stage, "teal"));
        stage.until_all_is(TEAL).await;
        assert_eq!(
            stage.navigate("navy", transition).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_all_is(NAVY).await;
    });
}

/// What a moving page shows in its title: how often its timer has come, and for how long it stood still.
async fn counted(stage: &Stage) -> (u64, u64) {
    loop {
        if let PageObservation::Painted { title, .. } = stage.look().await
            && let Some((count, still)) = title.split_once(' ')
        {
            return (count.parse().unwrap(), still.parse().unwrap());
        }
    }
}

#[test]
fn a_paused_page_stands_still_and_continues_where_it_was() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        assert_eq!(
            stage.navigate("moves", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        let begun = counted(stage).await;
        while counted(stage).await == begun {}
        for _ in 0..2 {
            assert_eq!(
                stage.order(PageCommand::Pause).await,
                Ok(PageCommandResult::Done)
            );
        }
        let paused = counted(stage).await;
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(500) {
            assert_eq!(counted(stage).await, paused, "its timer continues");
        }
        // It is well, and there are pictures of it.
        for width in [None, Some(100)] {
            let picture = stage.order(PageCommand::Screenshot { width }).await;
            let Ok(PageCommandResult::Screenshot(picture)) = picture else {
                panic!("{picture:?}");
            };
            assert_eq!(size(&picture.png)[0], width.unwrap_or(800));
        }
        let evidence = stage.order(PageCommand::CaptureEvidence).await;
        assert!(matches!(evidence, Ok(PageCommandResult::Evidence(Some(_)))));
        assert_eq!(counted(stage).await, paused);
        stage.until_all_is(TEAL).await;

        assert_eq!(
            stage.order(PageCommand::Resume).await,
            Ok(PageCommandResult::Done)
        );
        let continued = loop {
            let counted = counted(stage).await;
            if counted.0 > paused.0 {
                break counted;
            }
        };
        assert!(
            continued.1 >= paused.1 + 400,
            "its animation continued: {paused:?}, {continued:?}"
        );
        assert_eq!(stage.site.asked("moves"), 1);

        // The next change ends the pause: a notice, another load, another daemon.
        let continues = async || {
            let before = counted(stage).await;
            while counted(stage).await == before {}
        };
        for order in [PageCommand::ShowOverlay, PageCommand::Reload] {
            assert_eq!(
                stage.order(PageCommand::Pause).await,
                Ok(PageCommandResult::Done)
            );
            assert_eq!(stage.order(order).await, Ok(PageCommandResult::Done));
            continues().await;
        }
        assert_eq!(
            stage.order(PageCommand::Pause).await,
            Ok(PageCommandResult::Done)
        );
        stage.driver.take();
        stage.drive(true, 1_000);
        stage.until_painted("moves").await;
        continues().await;
    });
}

#[test]
fn a_notice_leaves_the_page_as_it_is() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        assert_eq!(
            stage.navigate("moves", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        for order in [
            PageCommand::ShowOverlay,
            PageCommand::ShowOverlay,
            PageCommand::HideOverlay,
        ] {
            assert_eq!(stage.order(order).await, Ok(PageCommandResult::Done));
            let before = counted(stage).await;
            while counted(stage).await == before {}
        }
        stage.until_all_is(TEAL).await;
        assert_eq!(stage.site.asked("moves"), 1);
    });
}

#[test]
fn what_a_page_complains_of_stands_in_the_log_and_nothing_else_does() {
    with_page("complains", async |stage| {
        stage.until_painted("complains").await;
        // It was reported before: the messages arrive in order.
        stage.look().await;
        let notes = stage.notes.borrow().join("\n");
        assert!(notes.contains("page: not well 7"), "{notes}");
        assert!(notes.contains("page: Uncaught Error: broken"), "{notes}");
        assert!(!notes.contains("fine"), "{notes}");
    });
}

#[test]
fn a_page_that_waits_for_an_answer_is_no_page_that_hangs() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        let url = stage.site.page("asks");
        let fresh = PageCommand::NewTab { url: url.clone() };
        stage.order(fresh).await.unwrap();
        let is_it = |sight: &PageObservation| matches!(sight, PageObservation::Painted { url: there, .. } if *there == url);
        let sight = stage.look().await;
        assert!(is_it(&sight), "{sight:?}");
        let why = stage.order(PageCommand::Screenshot { width: None }).await;
        let why = why.unwrap_err().message;
        assert!(why.contains("dialog"), "{why}");
        assert_eq!(
            stage.navigate("purple", Transition::Cut).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_all_is(PURPLE).await;
    });
}

#[test]
fn the_next_daemon_drives_on_from_the_middle_of_a_message() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        stage.driver.take();
        // It was killed while it asked, and before it had heard all of an answer.
        let mut socket = stage.socket.try_clone().unwrap();
        socket.set_nonblocking(false).unwrap();
        socket
            .write_all(b"{\"id\":900,\"method\":\"Browser.getVersion\",\"params\":{}}\0")
            .unwrap();
        let mut half = [0; 10];
        socket.read_exact(&mut half).unwrap();
        socket.write_all(b"{\"id\":901,\"method\":\"Brow").unwrap();
        stage.drive(true, 1_000);
        stage.until_painted("teal").await;
        assert_eq!(
            stage.navigate("purple", Transition::Fade).await,
            Ok(PageCommandResult::Done)
        );
        stage.until_all_is(PURPLE).await;
    });
}

#[test]
fn pending_commands_fail_when_the_browser_ends() {
    with_page("teal", async |stage| {
        stage.until_painted("teal").await;
        let group = format!("-{}", stage.browser.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.unwrap().success());
        while stage.look().await != PageObservation::BrowserUnresponsive {}
        let why = stage.order(PageCommand::Reload).await.unwrap_err().message;
        assert_eq!(why, "the browser has ended");
    });
}
