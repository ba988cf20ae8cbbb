//! Takes in what Chromium tells unasked: tabs that come and go, pages that die, navigate, complain.
//!
//! To hear asks nothing; what is to be asked because of it waits in a short queue of errands.

use super::console::{self, Verdict};
use super::screenshot::CapturedScreenshot;
use super::{BROWSER, Chromium, FollowUp, LOOK, Page};
use crate::browser::built_in_pages;
use crate::browser::cdp::{CdpError, CdpEvent};
use crate::supervisor::page::PageObservation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a browser may take from its start to its first answer: cold, from a slow card, on the smallest board.
const START: Duration = Duration::from_secs(90);

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
pub(super) struct TargetId {
    pub(super) target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionId {
    pub(super) session_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrameNews {
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
    /// Takes in what the browser tells, without asking anything.
    pub(super) fn hear(&self, news: &CdpEvent<'_>) {
        match news.session {
            None => self.hear_of_browser(news),
            Some(session) => {
                let page = self.pages.borrow().get(session).cloned();
                match page {
                    Some(page) => self.hear_of_page(&page, news),
                    // Held by a daemon before this one, which is gone.
                    None => self.let_go(session),
                }
            }
        }
    }

    fn hear_of_browser(&self, news: &CdpEvent<'_>) {
        match news.method {
            "Target.targetCreated" => self.errand(FollowUp::FindPage),
            "Target.targetCrashed" => {
                if let Some(TargetId { target_id }) = news.read()
                    && let Some(page) = self.page_in(&target_id)
                {
                    self.has_crashed(&page);
                }
            }
            "Target.targetDestroyed" => {
                if let Some(TargetId { target_id }) = news.read()
                    && let Some(page) = self.page_in(&target_id)
                {
                    self.is_gone(&page);
                }
            }
            "Target.detachedFromTarget" => {
                let page = news.read().and_then(|SessionId { session_id }| {
                    self.pages.borrow().get(&session_id).cloned()
                });
                if let Some(page) = page {
                    self.is_gone(&page);
                }
            }
            _ => {}
        }
    }

    fn hear_of_page(&self, page: &Rc<Page>, news: &CdpEvent<'_>) {
        match news.method {
            "Inspector.targetCrashed" => self.has_crashed(page),
            "Inspector.targetReloadedAfterCrash" => page.hear(|heard| heard.crashed = false),
            "Page.lifecycleEvent" => {
                if let Some(stage) = news.read::<FrameNews>()
                    && stage.frame_id == page.target
                {
                    page.come_to(&stage.loader_id, &stage.name);
                }
            }
            "Page.frameStartedNavigating" => {
                if let Some(start) = news.read::<FrameNews>()
                    && start.frame_id == page.target
                    && start.navigation_type != "sameDocument"
                    && self.is_shown(page)
                {
                    let url = page.name_of(start.url);
                    self.errand(FollowUp::Tell(
                        page.clone(),
                        PageObservation::Loading { url },
                    ));
                }
            }
            "Page.frameNavigated" => {
                if let Some(Navigated { frame }) = news.read()
                    && frame.id == page.target
                {
                    self.has_navigated(page, frame);
                }
            }
            "Page.screencastFrame" => {
                if let Some(CapturedScreenshot { data, session_id }) = news.read() {
                    page.put_frame(data, session_id);
                }
            }
            "Page.loadEventFired" if self.is_shown(page) => self.errand(FollowUp::Look),
            "Page.javascriptDialogOpening" => match news.read() {
                // A page that is left asks whether it may be: nobody is there to say so.
                Some(Dialog { kind }) if kind == "beforeunload" => self.close_dialog(page, true),
                _ => page.hear(|heard| heard.dialog = Some(Instant::now())),
            },
            "Page.javascriptDialogClosed" => page.hear(|heard| heard.dialog = None),
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                self.hear_console(page, news);
            }
            _ => {}
        }
    }

    fn has_crashed(&self, page: &Rc<Page>) {
        let before = page.hear(|heard| std::mem::replace(&mut heard.crashed, true));
        if !before && self.is_shown(page) {
            self.errand(FollowUp::Tell(page.clone(), PageObservation::Crashed));
        }
    }

    fn is_gone(&self, page: &Rc<Page>) {
        page.hear(|heard| heard.gone = true);
        self.pages.borrow_mut().remove(&page.session);
        if self.is_shown(page) {
            self.shown.take();
            self.errand(FollowUp::FindPage);
        }
    }

    fn has_navigated(&self, page: &Rc<Page>, frame: Frame) {
        self.release(page);
        page.hear(|heard| {
            (heard.crashed, heard.silent, heard.dialog) = (false, false, None);
            heard.built_in = built_in_pages::name_at(&frame.url);
            // The address of a page of our own is that of the one it stands for.
            if heard.built_in.is_none() {
                heard.url = frame.unreachable_url.clone().unwrap_or(frame.url);
            }
        });
        if frame.unreachable_url.is_some() && self.is_shown(page) {
            self.errand(FollowUp::Look);
        }
    }

    fn hear_console(&self, page: &Page, news: &CdpEvent<'_>) {
        let mut console = self.console.borrow_mut();
        let complaint = console::complaint(news);
        match console.hear(complaint.is_some(), Instant::now()) {
            Verdict::Drop => {}
            Verdict::Write => (self.around.note)(&complaint.unwrap_or_default()),
            Verdict::Mute => {
                for domain in ["Runtime.disable", "Log.disable"] {
                    self.cdp.tell(Some(&page.session), domain, &json!({}));
                }
                (self.around.note)("page: floods its console; not listened to for a minute");
            }
        }
    }

    fn errand(&self, errand: FollowUp) {
        if let Err(full) = self.errands.0.try_send(errand) {
            log::debug!("{full}");
        }
    }

    /// Where no page is known to be on the screen: it is looked for again. When the browser told of it, it may have been
    /// too busy to answer.
    pub(super) fn seek(&self) {
        let is_lost = self.is_up.get() && self.shown.borrow().is_none();
        // Once is enough, however often it is missed meanwhile.
        if is_lost && !self.sought.get() {
            let is_waiting = self.errands.0.try_send(FollowUp::FindPage).is_ok();
            self.sought.set(is_waiting);
        }
    }

    pub(super) async fn run_errands(&self) {
        self.come_up().await;
        while let Ok(errand) = self.errands.1.recv().await {
            match errand {
                FollowUp::FindPage => {
                    self.sought.set(false);
                    if !self.swapping.get() {
                        self.find_page().await;
                    }
                }
                FollowUp::Tell(page, sight) if self.is_shown(&page) => self.around.saw(sight).await,
                FollowUp::Tell(..) => {}
                FollowUp::Look => {
                    // What is not right may be so in a moment; that is for a look that was asked for.
                    let sight = self.look().await;
                    if matches!(
                        sight,
                        PageObservation::Painted { .. } | PageObservation::NotLoaded { .. }
                    ) {
                        self.around.saw(sight).await;
                    }
                }
            }
        }
    }

    /// Waits for the browser's first answer; from then on it tells of its tabs.
    async fn come_up(&self) {
        let tabs = json!({"discover": true, "filter": [{"type": "page"}]});
        loop {
            let answer: Result<Value, CdpError> = self
                .cdp
                .ask(None, "Target.setDiscoverTargets", tabs.clone(), START)
                .await;
            match answer {
                Ok(_) => break,
                Err(CdpError::Gone) => return std::future::pending().await,
                Err(trouble) => {
                    (self.around.note)(&format!("the browser cannot be driven: {trouble}"))
                }
            }
            // From here on it counts as silent.
            self.is_up.set(true);
        }
        self.is_up.set(true);
        self.find_page().await;
    }

    /// Finds out which tab is on the screen, where there are several.
    async fn find_page(&self) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Targets {
            target_infos: Vec<Target>,
        }
        let filter = json!({"filter": [{"type": "page"}]});
        let targets: Result<Targets, _> = self
            .cdp
            .ask(None, "Target.getTargets", filter, BROWSER)
            .await;
        let Ok(Targets { mut target_infos }) = targets else {
            return;
        };
        target_infos.retain(|target| target.kind == "page");
        let several = target_infos.len() > 1;
        for target in target_infos {
            let known = self.page_in(&target.target_id);
            let page = match known {
                Some(page) => page,
                None => match self.attach(target.target_id, target.url).await {
                    Ok(page) => page,
                    Err(_) => continue,
                },
            };
            let is_visible = match several {
                true => matches!(self.find(&page, LOOK).await, Ok(found) if found.visible),
                false => true,
            };
            if self.swapping.get() {
                return;
            }
            if is_visible {
                if !self.is_shown(&page) {
                    self.put_on_screen(&page);
                    self.errand(FollowUp::Look);
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
    use crate::supervisor::page::{PageCommand, PageCommandResult};
    use crate::supervisor::{Event, Failure, RunId};
    use smol::future::or;
    use smol::{LocalExecutor, Timer, block_on};
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    const URL: &str = "http://shop.example/";

    /// What comes of an order, and what else is told before it, to whoever drives a browser that had no tab to tell of
    /// when it was asked at its start. Later it has one; nobody says so.
    fn order_of_a_slow_starter(order: PageCommand) -> Vec<Event> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let browser = std::thread::spawn(move || {
            let mut has_tab = false;
            for question in BufReader::new(theirs.try_clone().unwrap()).split(0) {
                let question: Value = serde_json::from_slice(&question.unwrap()).unwrap();
                let tab = json!({"targetId": "T", "type": "page", "url": URL});
                let found = json!({
                    "url": URL, "title": "Shop", "painted": true, "loading": false, "visible": true, "error": null,
                    "status": 200, "view": [800, 600], "lacks": null,
                });
                let result = match question["method"].as_str().unwrap() {
                    "Target.getTargets" => match std::mem::replace(&mut has_tab, true) {
                        false => json!({"targetInfos": []}),
                        true => json!({"targetInfos": [tab]}),
                    },
                    "Target.attachToTarget" => json!({"sessionId": "S"}),
                    "Page.createIsolatedWorld" => json!({"executionContextId": 1}),
                    "Runtime.evaluate" => json!({"result": {"value": found}}),
                    _ => json!({}),
                };
                let answer = json!({"id": question["id"], "sessionId": question["sessionId"], "result": result});
                // Whoever has heard enough hangs up.
                let _ = write!(theirs, "{answer}\0");
            }
        });
        let executor = Rc::new(LocalExecutor::new());
        let (sender, events) = smol::channel::unbounded();
        let around = Rc::new(DriverContext {
            run: RunId(1),
            pointer: Pointer::Shown,
            executor: executor.clone(),
            events: sender,
            note: Box::new(|_| ()),
            facts: Box::new(Facts::default),
        });
        let driver = Chromium::drive(ours, false, 1, around).unwrap();
        let mut told = Vec::new();
        let scene = async {
            // It has come up, and has been asked for its tabs.
            Timer::after(Duration::from_millis(200)).await;
            assert!(events.is_empty());
            assert!(driver.steer(order, None).is_none());
            loop {
                told.push(events.recv().await.unwrap());
                let is_painted = |event: &Event| matches!(event, Event::PageObserved { observation: PageObservation::Painted { url, .. }, .. } if url == URL);
                let is_obeyed = |event: &Event| matches!(event, Event::PageCommandDone { .. });
                if told.iter().any(is_painted) && told.iter().any(is_obeyed) {
                    return;
                }
            }
        };
        let late = async {
            Timer::after(Duration::from_secs(20)).await;
            panic!("its page is not found");
        };
        block_on(executor.run(or(scene, late)));
        drop(driver);
        // What was spawned is let go of where it would run.
        while executor.try_tick() {}
        browser.join().unwrap();
        told
    }

    fn came_to(told: &[Event]) -> &Result<PageCommandResult, Failure> {
        let came_to = told.iter().find_map(|event| match event {
            Event::PageCommandDone { result, .. } => Some(result),
            _ => None,
        });
        came_to.expect("an answer")
    }

    #[test]
    fn a_page_that_was_not_found_at_the_start_is_found_by_the_next_look() {
        let told = order_of_a_slow_starter(PageCommand::Observe);
        let url = String::new();
        let sight = PageObservation::Loading { url };
        assert!(
            matches!(&told[0], Event::PageObserved { observation: first, .. } if *first == sight)
        );
        assert_eq!(came_to(&told), &Ok(PageCommandResult::Done));
    }

    #[test]
    fn a_page_that_was_not_found_at_the_start_is_found_by_whoever_changes_it() {
        let told = order_of_a_slow_starter(PageCommand::HideOverlay);
        assert_eq!(came_to(&told), &Ok(PageCommandResult::Done));
    }
}
