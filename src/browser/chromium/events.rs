//! Handles the events of Chromium: tabs that open and close, pages that crash, navigate or log errors.
//!
//! Handlers make no calls; calls that follow from an event wait in a short queue of follow-ups.

use super::console::{self, Treatment};
use super::page::Page;
use super::protocol::{CapturedScreenshot, SessionId, TargetId};
use super::{BROWSER_TIMEOUT, Chromium, FollowUp, PAGE_TIMEOUT};
use crate::browser::built_in_pages;
use crate::browser::cdp::{CdpError, CdpEvent};
use crate::supervisor::PageObservation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a browser may take from its start to its first answer: on the smallest board, from a slow card.
const START_TIMEOUT: Duration = Duration::from_secs(90);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    target_id: String,
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrameEvent {
    frame_id: String,
    #[serde(default)]
    loader_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    navigation_type: String,
}

#[derive(Deserialize)]
struct Navigated {
    frame: Frame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    id: String,
    url: String,
    unreachable_url: Option<String>,
}

#[derive(Deserialize)]
struct Dialog {
    #[serde(rename = "type")]
    kind: String,
}

impl Chromium {
    /// Handles an event, without calls.
    pub(super) fn handle_event(&self, event: &CdpEvent<'_>) {
        match event.session {
            None => self.handle_browser_event(event),
            Some(session) => {
                let page = self.pages.borrow().get(session).cloned();
                match page {
                    Some(page) => self.handle_page_event(&page, event),
                    // Attached by an earlier daemon.
                    None => self.detach(session),
                }
            }
        }
    }

    fn handle_browser_event(&self, event: &CdpEvent<'_>) {
        match event.method {
            "Target.targetCreated" => self.follow_up(FollowUp::FindPage),
            "Target.targetCrashed" => {
                if let Some(TargetId { target_id }) = event.read()
                    && let Some(page) = self.page_of_target(&target_id)
                {
                    self.on_crash(&page);
                }
            }
            "Target.targetDestroyed" => {
                if let Some(TargetId { target_id }) = event.read()
                    && let Some(page) = self.page_of_target(&target_id)
                {
                    self.on_gone(&page);
                }
            }
            "Target.detachedFromTarget" => {
                let page = event.read().and_then(|SessionId { session_id }| {
                    self.pages.borrow().get(&session_id).cloned()
                });
                if let Some(page) = page {
                    self.on_gone(&page);
                }
            }
            _ => {}
        }
    }

    fn handle_page_event(&self, page: &Rc<Page>, event: &CdpEvent<'_>) {
        match event.method {
            "Inspector.targetCrashed" => self.on_crash(page),
            "Inspector.targetReloadedAfterCrash" => page.update(|facts| facts.crashed = false),
            "Page.lifecycleEvent" => {
                if let Some(stage) = event.read::<FrameEvent>()
                    && stage.frame_id == page.target
                {
                    page.set_stage(&stage.loader_id, &stage.name);
                }
            }
            "Page.frameStartedNavigating" => {
                if let Some(start) = event.read::<FrameEvent>()
                    && start.frame_id == page.target
                    && start.navigation_type != "sameDocument"
                    && self.is_shown(page)
                {
                    let url = page.display_name(start.url);
                    self.follow_up(FollowUp::Report(
                        page.clone(),
                        PageObservation::Loading { url },
                    ));
                }
            }
            "Page.frameNavigated" => {
                if let Some(Navigated { frame }) = event.read()
                    && frame.id == page.target
                {
                    self.on_navigated(page, frame);
                }
            }
            "Page.screencastFrame" => {
                if let Some(CapturedScreenshot { data, session_id }) = event.read() {
                    page.store_frame(data, session_id);
                }
            }
            "Page.loadEventFired" if self.is_shown(page) => self.follow_up(FollowUp::Observe),
            "Page.javascriptDialogOpening" => match event.read() {
                // A page asks whether it may be left: no user is there to confirm.
                Some(Dialog { kind }) if kind == "beforeunload" => self.close_dialog(page, true),
                _ => page.update(|facts| facts.dialog = Some(Instant::now())),
            },
            "Page.javascriptDialogClosed" => page.update(|facts| facts.dialog = None),
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                self.handle_console_event(page, event);
            }
            _ => {}
        }
    }

    fn on_crash(&self, page: &Rc<Page>) {
        let before = page.update(|facts| std::mem::replace(&mut facts.crashed, true));
        if !before && self.is_shown(page) {
            self.follow_up(FollowUp::Report(page.clone(), PageObservation::Crashed));
        }
    }

    fn on_gone(&self, page: &Rc<Page>) {
        page.update(|facts| facts.gone = true);
        self.pages.borrow_mut().remove(&page.session);
        if self.is_shown(page) {
            self.shown.take();
            self.follow_up(FollowUp::FindPage);
        }
    }

    fn on_navigated(&self, page: &Rc<Page>, frame: Frame) {
        self.unpause(page);
        page.update(|facts| {
            (facts.crashed, facts.silent, facts.dialog) = (false, false, None);
            facts.built_in = built_in_pages::name_at(&frame.url);
            // A built-in page keeps the URL of the page that it replaces.
            if facts.built_in.is_none() {
                facts.url = frame.unreachable_url.clone().unwrap_or(frame.url);
            }
        });
        if frame.unreachable_url.is_some() && self.is_shown(page) {
            self.follow_up(FollowUp::Observe);
        }
    }

    fn handle_console_event(&self, page: &Page, event: &CdpEvent<'_>) {
        let mut console = self.console.borrow_mut();
        let complaint = console::error_line(event);
        match console.count(complaint.is_some(), Instant::now()) {
            Treatment::Drop => {}
            Treatment::Write => (self.context.note)(&complaint.unwrap_or_default()),
            Treatment::Mute => {
                for domain in ["Runtime.disable", "Log.disable"] {
                    self.cdp.notify(Some(&page.session), domain, &json!({}));
                }
                (self.context.note)("page: floods its console; ignoring it for a minute");
            }
        }
    }

    fn follow_up(&self, follow_up: FollowUp) {
        if let Err(full) = self.follow_ups.0.try_send(follow_up) {
            log::debug!("{full}");
        }
    }

    /// Queues a search if no page is known to be on the screen: when the browser reported the tab, it may have been too
    /// busy to answer.
    pub(super) fn search_page(&self) {
        let is_missing = self.is_up.get() && self.shown.borrow().is_none();
        // One search is enough.
        if is_missing && !self.is_searching.get() {
            let is_queued = self.follow_ups.0.try_send(FollowUp::FindPage).is_ok();
            self.is_searching.set(is_queued);
        }
    }

    pub(super) async fn run_follow_ups(&self) {
        self.wait_for_start().await;
        while let Ok(follow_up) = self.follow_ups.1.recv().await {
            match follow_up {
                FollowUp::FindPage => {
                    self.is_searching.set(false);
                    if !self.swapping.get() {
                        self.find_page().await;
                    }
                }
                FollowUp::Report(page, observation) if self.is_shown(&page) => {
                    self.context.report(observation).await
                }
                FollowUp::Report(..) => {}
                FollowUp::Observe => {
                    // Other states may be temporary; the next requested observation reports them.
                    let observation = self.observe().await;
                    if matches!(
                        observation,
                        PageObservation::Painted { .. } | PageObservation::NotLoaded { .. }
                    ) {
                        self.context.report(observation).await;
                    }
                }
            }
        }
    }

    /// Waits for the browser's first answer; from then on it sends events about its tabs.
    async fn wait_for_start(&self) {
        let tabs = json!({"discover": true, "filter": [{"type": "page"}]});
        loop {
            let answer: Result<Value, CdpError> = self
                .cdp
                .call(
                    None,
                    "Target.setDiscoverTargets",
                    tabs.clone(),
                    START_TIMEOUT,
                )
                .await;
            match answer {
                Ok(_) => break,
                Err(CdpError::Closed) => return std::future::pending().await,
                Err(error) => {
                    (self.context.note)(&format!("the browser cannot be driven: {error}"))
                }
            }
            // From now on it counts as silent.
            self.is_up.set(true);
        }
        self.is_up.set(true);
        self.find_page().await;
    }

    /// Finds the tab that is on the screen.
    async fn find_page(&self) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Targets {
            target_infos: Vec<Target>,
        }
        let filter = json!({"filter": [{"type": "page"}]});
        let targets: Result<Targets, _> = self
            .cdp
            .call(None, "Target.getTargets", filter, BROWSER_TIMEOUT)
            .await;
        let Ok(Targets { mut target_infos }) = targets else {
            return;
        };
        target_infos.retain(|target| target.kind == "page");
        let several = target_infos.len() > 1;
        for target in target_infos {
            let known = self.page_of_target(&target.target_id);
            let page = match known {
                Some(page) => page,
                None => match self.attach(target.target_id, target.url).await {
                    Ok(page) => page,
                    Err(_) => continue,
                },
            };
            let is_visible = match several {
                true => {
                    matches!(self.inspect(&page, PAGE_TIMEOUT).await, Ok(found) if found.visible)
                }
                false => true,
            };
            if self.swapping.get() {
                return;
            }
            if is_visible {
                if !self.is_shown(&page) {
                    self.set_shown(&page);
                    self.follow_up(FollowUp::Observe);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::built_in_pages::Facts;
    use crate::browser::{DriverContext, Pointer};
    use crate::supervisor::{Event, Failure, Requester, RunId};
    use crate::supervisor::{PageCommand, PageCommandResult};
    use smol::future::or;
    use smol::{LocalExecutor, Timer, block_on};
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    const URL: &str = "http://shop.example/";

    /// The events that a driver reports for a command if the browser had no tab when it was asked at its start. Later it
    /// has one, without an event.
    fn events_with_a_late_tab(command: PageCommand) -> Vec<Event> {
        let (here, mut browser_end) = UnixStream::pair().unwrap();
        let browser = std::thread::spawn(move || {
            let mut has_tab = false;
            for call in BufReader::new(browser_end.try_clone().unwrap()).split(0) {
                let call: Value = serde_json::from_slice(&call.unwrap()).unwrap();
                let tab = json!({"targetId": "T", "type": "page", "url": URL});
                let found = json!({
                    "url": URL, "title": "Shop", "painted": true, "loading": false, "visible": true, "error": null,
                    "status": 200, "view": [800, 600], "lacks": null,
                });
                let result = match call["method"].as_str().unwrap() {
                    "Target.getTargets" => match std::mem::replace(&mut has_tab, true) {
                        false => json!({"targetInfos": []}),
                        true => json!({"targetInfos": [tab]}),
                    },
                    "Target.attachToTarget" => json!({"sessionId": "S"}),
                    "Page.createIsolatedWorld" => json!({"executionContextId": 1}),
                    "Runtime.evaluate" => json!({"result": {"value": found}}),
                    _ => json!({}),
                };
                let answer =
                    json!({"id": call["id"], "sessionId": call["sessionId"], "result": result});
                // The driver may have closed the pipe.
                let _ = write!(browser_end, "{answer}\0");
            }
        });
        let executor = Rc::new(LocalExecutor::new());
        let (sender, events) = smol::channel::unbounded();
        let context = Rc::new(DriverContext {
            run: RunId(1),
            pointer: Pointer::Shown,
            executor: executor.clone(),
            events: sender,
            note: Box::new(|_| ()),
            facts: Box::new(Facts::default),
        });
        let driver = Chromium::drive(here, false, 1, context).unwrap();
        let mut reported = Vec::new();
        let test = async {
            // The browser has started and was asked for its tabs.
            Timer::after(Duration::from_millis(200)).await;
            assert!(events.is_empty());
            assert!(driver.run(command, Requester::Daemon).is_none());
            loop {
                reported.push(events.recv().await.unwrap());
                let is_painted = |event: &Event| matches!(event, Event::PageObserved { observation: PageObservation::Painted { url, .. }, .. } if url == URL);
                let is_answered = |event: &Event| matches!(event, Event::PageCommandDone { .. });
                if reported.iter().any(is_painted) && reported.iter().any(is_answered) {
                    return;
                }
            }
        };
        let timed_out = async {
            Timer::after(Duration::from_secs(20)).await;
            panic!("the page is not found");
        };
        block_on(executor.run(or(test, timed_out)));
        drop(driver);
        // Dropped tasks are freed when the executor runs.
        while executor.try_tick() {}
        browser.join().unwrap();
        reported
    }

    fn answer(reported: &[Event]) -> &Result<PageCommandResult, Failure> {
        let answer = reported.iter().find_map(|event| match event {
            Event::PageCommandDone { result, .. } => Some(result),
            _ => None,
        });
        answer.expect("an answer")
    }

    #[test]
    fn a_page_that_was_missing_at_the_start_is_found_by_the_next_observation() {
        let reported = events_with_a_late_tab(PageCommand::Observe);
        let url = String::new();
        let observation = PageObservation::Loading { url };
        assert!(
            matches!(&reported[0], Event::PageObserved { observation: first, .. } if *first == observation)
        );
        assert_eq!(answer(&reported), &Ok(PageCommandResult::Done));
    }

    #[test]
    fn a_page_that_was_missing_at_the_start_is_found_by_a_command_that_changes_it() {
        let reported = events_with_a_late_tab(PageCommand::HideOverlay);
        assert_eq!(answer(&reported), &Ok(PageCommandResult::Done));
    }
}
