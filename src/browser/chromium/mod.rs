//! Drives Chromium by the DevTools protocol.
//!
//! ```text
//!   hear (at once, asks nothing) ──▶ errands ──▶ live (one after the other): attach, look, tell
//!   obey ──▶ look · picture ─────────────────────┐
//!        └─▶ swap: prepare, show, close ─────────┴──▶ questions, each with a deadline
//! ```
//!
//! One tab is on the screen. Its page is asked in a world of its own, which shares the document with the page
//! and nothing else; whether the browser lives is asked of the browser. All that is known of a tab is in [`Page`].

mod console;
mod page;
mod swap;

use super::cdp::{Cdp, News, Trouble};
use super::driver::{Driver, Later, Program, Surroundings, ended};
use super::pages;
use crate::supervisor::Failure;
use crate::supervisor::page::{BuiltIn, MAX_TEXT, Obeyed, Order, Picture, Sight, Transition};
use base64ct::{Base64, Encoding};
use console::{Console, Verdict};
use event_listener::Event;
use page::{Finding, Page};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a page may take to answer. Two unanswered looks in a row are a hang, so a page that is busy for
/// three seconds at a time is none.
const LOOK: Duration = Duration::from_secs(5);

/// How long the browser itself may take: it does nothing else than to answer.
const BROWSER: Duration = Duration::from_secs(5);

/// How long a browser may take from its start to its first answer: cold, from a slow card, on the smallest board.
const START: Duration = Duration::from_secs(90);

/// How long a picture may take.
const PICTURE: Duration = Duration::from_secs(5);

/// The height that a picture of a given width may have: none that there is.
const TALLEST: u32 = 1 << 20;

/// The largest picture, in bytes: an 8K screen full of noise is smaller.
const PICTURE_MAX: usize = 16 * 1024 * 1024;

/// After this time nobody comes to answer a dialog, and the page behind it goes on.
const DIALOG: Duration = Duration::from_secs(30);

/// Errands that may wait. What does not fit is seen with the next look.
const ERRANDS: usize = 32;

/// What is to be asked because of something that was heard.
#[derive(Debug)]
enum Errand {
    /// A tab was opened, or the one on the screen was closed: find out which is there.
    FindPage,
    /// Tell this.
    Tell(Sight),
    /// The page on the screen was loaded, or could not be: look.
    Look,
}

/// One Chromium.
pub struct Chromium {
    cdp: Cdp,
    around: Rc<Surroundings>,
    /// By session.
    pages: RefCell<BTreeMap<String, Rc<Page>>>,
    /// The one on the screen.
    shown: RefCell<Option<Rc<Page>>>,
    /// A page has come to the screen, or the browser has ended.
    appeared: Event,
    /// Tabs that come and go meanwhile are our own doing.
    swapping: Cell<bool>,
    /// It has answered once.
    is_up: Cell<bool>,
    /// It did not answer when it was last asked: its page need not be asked.
    is_silent: Cell<bool>,
    /// The size of the screen that the window was last fitted to.
    fitted: Cell<Option<[u32; 2]>>,
    console: RefCell<Console>,
    /// What the console held when we came is somebody else's: another daemon has written it down.
    taken_over: bool,
    errands: (Sender<Errand>, Receiver<Errand>),
}

impl Chromium {
    /// Drives the Chromium at the other end of this socket. One that was `taken_over` from another daemon may
    /// hold half a message, and answers to that daemon, whose questions had lower numbers than `first`.
    ///
    /// # Errors
    /// It is no socket.
    pub fn drive(
        socket: UnixStream,
        taken_over: bool,
        first: u32,
        around: Rc<Surroundings>,
    ) -> io::Result<Driver> {
        let chromium = Self {
            cdp: Cdp::new(socket, taken_over, first)?,
            around: around.clone(),
            pages: RefCell::default(),
            shown: RefCell::default(),
            appeared: Event::new(),
            swapping: Cell::new(false),
            is_up: Cell::new(false),
            is_silent: Cell::new(false),
            fitted: Cell::new(None),
            console: RefCell::default(),
            taken_over,
            errands: bounded(ERRANDS),
        };
        Ok(Driver::new(chromium, around))
    }
}

impl Program for Chromium {
    fn obey<'a>(&'a self, order: &'a Order) -> Later<'a, Result<Obeyed, Failure>> {
        Box::pin(async move {
            match order {
                Order::Look => {
                    let sight = self.look().await;
                    self.around.saw(sight).await;
                }
                Order::Screenshot { width } => {
                    return self.picture(*width).await.map(Obeyed::Picture);
                }
                Order::Reload => self.reload().await?,
                Order::Navigate { url, transition } => self.swap(url, None, *transition).await?,
                Order::FreshTarget { url } => self.renew(url).await?,
                Order::ShowBuiltIn(built_in) => self.show_built_in(built_in).await?,
                Order::ShowOverlay => {
                    let script = pages::overlay(&(self.around.facts)());
                    self.run_on_page(&script).await?;
                }
                Order::HideOverlay => self.run_on_page(pages::NO_OVERLAY).await?,
                Order::Pause => self.run_on_page(include_str!("pause.js")).await?,
                Order::Resume => self.run_on_page(include_str!("resume.js")).await?,
            }
            Ok(Obeyed::Done)
        })
    }

    fn live(&self) -> Later<'_, ()> {
        Box::pin(async {
            let flow = self.cdp.flow(|news| self.hear(&news));
            or(flow, self.run_errands()).await;
            self.appeared.notify(usize::MAX);
        })
    }
}

// ---- what happens by itself ----

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
struct TargetId {
    target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionId {
    session_id: String,
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

/// A picture, in base64.
#[derive(Deserialize)]
struct Shot {
    data: String,
}

#[derive(Deserialize)]
struct Dialog {
    #[serde(rename = "type")]
    kind: String,
}

impl Chromium {
    /// Takes in what the browser tells, without asking anything.
    fn hear(&self, news: &News<'_>) {
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

    fn hear_of_browser(&self, news: &News<'_>) {
        match news.method {
            "Target.targetCreated" => self.errand(Errand::FindPage),
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

    fn hear_of_page(&self, page: &Rc<Page>, news: &News<'_>) {
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
                    let url = self.name_of(page, start.url);
                    self.errand(Errand::Tell(Sight::Loading { url }));
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
                if let Some(Shot { data }) = news.read() {
                    page.put_frame(data);
                }
            }
            "Page.loadEventFired" if self.is_shown(page) => self.errand(Errand::Look),
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
            self.errand(Errand::Tell(Sight::Crashed));
        }
    }

    fn is_gone(&self, page: &Rc<Page>) {
        page.hear(|heard| heard.gone = true);
        self.pages.borrow_mut().remove(&page.session);
        if self.is_shown(page) {
            self.shown.take();
            self.errand(Errand::FindPage);
        }
    }

    fn has_navigated(&self, page: &Rc<Page>, frame: Frame) {
        page.hear(|heard| {
            (heard.crashed, heard.silent, heard.dialog) = (false, false, None);
            // The address of a page of our own is that of the one it stands for.
            if !frame.url.starts_with("data:") {
                heard.built_in = None;
            }
            if heard.built_in.is_none() {
                heard.url = frame.unreachable_url.clone().unwrap_or(frame.url);
            }
        });
        if frame.unreachable_url.is_some() && self.is_shown(page) {
            self.errand(Errand::Look);
        }
    }

    fn hear_console(&self, page: &Page, news: &News<'_>) {
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

    fn errand(&self, errand: Errand) {
        if let Err(full) = self.errands.0.try_send(errand) {
            log::debug!("{full}");
        }
    }

    async fn run_errands(&self) {
        self.come_up().await;
        while let Ok(errand) = self.errands.1.recv().await {
            match errand {
                Errand::FindPage if self.swapping.get() => {}
                Errand::FindPage => self.find_page().await,
                Errand::Tell(sight) => self.around.saw(sight).await,
                Errand::Look => {
                    // What is not right may be so in a moment; that is for a look that was asked for.
                    let sight = self.look().await;
                    if matches!(sight, Sight::Painted { .. } | Sight::NotLoaded { .. }) {
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
            let answer: Result<Value, Trouble> = self
                .cdp
                .ask(None, "Target.setDiscoverTargets", tabs.clone(), START)
                .await;
            match answer {
                Ok(_) => break,
                Err(Trouble::Gone) => return std::future::pending().await,
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
                    self.errand(Errand::Look);
                }
                return;
            }
        }
    }
}

// ---- tabs ----

impl Chromium {
    /// Takes hold of a tab.
    async fn attach(&self, target: String, url: String) -> Result<Rc<Page>, Trouble> {
        let hold = json!({"targetId": target, "flatten": true});
        let SessionId { session_id } = self
            .cdp
            .ask(None, "Target.attachToTarget", hold, BROWSER)
            .await?;
        let page = Rc::new(Page::new(target, session_id, url));
        self.pages
            .borrow_mut()
            .insert(page.session.clone(), page.clone());
        if self.taken_over {
            self.tell(&page, "Runtime.discardConsoleEntries", json!({}));
        }
        // Not waited for: a page that hangs is to be held as well.
        for domain in ["Page", "Inspector", "Runtime", "Log"] {
            self.tell(&page, &format!("{domain}.enable"), json!({}));
        }
        Ok(page)
    }

    fn let_go(&self, session: &str) {
        let hold = json!({"sessionId": session});
        self.cdp.tell(None, "Target.detachFromTarget", &hold);
    }

    fn put_on_screen(&self, page: &Rc<Page>) {
        *self.shown.borrow_mut() = Some(page.clone());
        self.appeared.notify(usize::MAX);
    }

    fn is_shown(&self, page: &Rc<Page>) -> bool {
        let shown = self.shown.borrow();
        shown.as_ref().is_some_and(|shown| Rc::ptr_eq(shown, page))
    }

    /// The page on the screen; one that is about to be found is waited for.
    async fn on_screen(&self) -> Result<Rc<Page>, Failure> {
        let found = async {
            loop {
                let appeared = self.appeared.listen();
                if let Some(page) = self.shown.borrow().clone() {
                    return Ok(page);
                }
                if self.cdp.is_closed() {
                    return Err(ended());
                }
                appeared.await;
            }
        };
        let late = async {
            Timer::after(BROWSER).await;
            Err(Failure::system(
                "the browser does not show a page yet; try again",
            ))
        };
        or(found, late).await
    }

    fn page_in(&self, target: &str) -> Option<Rc<Page>> {
        let pages = self.pages.borrow();
        pages.values().find(|page| page.target == target).cloned()
    }

    fn tell(&self, page: &Page, method: &str, params: Value) {
        self.cdp.tell(Some(&page.session), method, &params);
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        page: &Page,
        method: &str,
        params: Value,
        until: Instant,
    ) -> Result<T, Trouble> {
        let left = until.saturating_duration_since(Instant::now());
        let session = Some(page.session.as_str());
        self.cdp.ask(session, method, params, left).await
    }

    fn close_dialog(&self, page: &Page, accept: bool) {
        let answer = json!({"accept": accept});
        self.tell(page, "Page.handleJavaScriptDialog", answer);
    }
}

// ---- looking ----

impl Chromium {
    /// What is on the screen.
    async fn look(&self) -> Sight {
        let Some(page) = self.shown.borrow().clone() else {
            return self
                .look_for_browser(Sight::Loading { url: String::new() })
                .await;
        };
        self.listen_again(&page);
        let heard = page.heard();
        if heard.crashed {
            return Sight::Crashed;
        }
        if self.is_silent.get() && self.look_for_browser(Sight::Unanswered).await == Sight::Silent {
            return Sight::Silent;
        }
        if let Some(since) = heard.dialog {
            if since.elapsed() >= DIALOG {
                (self.around.note)("page: nobody has answered its dialog; it is closed");
                self.close_dialog(&page, false);
            }
            let title = String::new();
            return Sight::Painted {
                url: self.name_of(&page, heard.url),
                title,
            };
        }
        match self.find(&page, LOOK).await {
            Ok(found) => {
                page.hear(|heard| heard.silent = false);
                self.fit(&page, &found).await;
                self.sight(&page, found)
            }
            Err(_) if page.heard().crashed => Sight::Crashed,
            Err(Trouble::Refused(words)) => {
                // It was left while it was looked at; where it goes is told by itself.
                log::debug!("run {}: {words}", self.around.run);
                let url = page.heard().url;
                Sight::Loading {
                    url: self.name_of(&page, url),
                }
            }
            Err(Trouble::Unanswered | Trouble::Gone) => {
                page.hear(|heard| heard.silent = true);
                self.look_for_browser(Sight::Unanswered).await
            }
        }
    }

    /// Whether the browser answers: then what was seen is this.
    async fn look_for_browser(&self, seen: Sight) -> Sight {
        if !self.is_up.get() && !self.cdp.is_closed() {
            return seen;
        }
        let version: Result<Value, _> = self
            .cdp
            .ask(None, "Browser.getVersion", json!({}), BROWSER)
            .await;
        self.is_silent.set(version.is_err());
        match version {
            Ok(_) => seen,
            Err(_) => Sight::Silent,
        }
    }

    /// What a finding comes to.
    fn sight(&self, page: &Page, found: Finding) -> Sight {
        let url = self.name_of(page, found.url);
        let title = cut(found.title);
        match found {
            Finding {
                error: Some(error),
                loading: false,
                ..
            } => Sight::NotLoaded {
                url: cut(page.heard().url),
                error: match error.as_str() {
                    "" => "net::ERR_FAILED".to_owned(),
                    code => format!("net::{code}"),
                },
            },
            Finding { painted: true, .. } => Sight::Painted { url, title },
            Finding { loading: true, .. } => Sight::Loading { url },
            _ => Sight::Blank { url, title },
        }
    }

    /// How a page is called: by its address, unless that is its content.
    fn name_of(&self, page: &Page, url: String) -> String {
        match page.heard().built_in {
            Some(name) => name.to_owned(),
            None => cut(url),
        }
    }

    /// Looks at a page.
    async fn find(&self, page: &Page, within: Duration) -> Result<Finding, Trouble> {
        self.in_world(page, include_str!("look.js"), Instant::now() + within)
            .await
    }

    /// Evaluates an expression in a world of our own in a page.
    async fn in_world<T: DeserializeOwned>(
        &self,
        page: &Page,
        expression: &str,
        until: Instant,
    ) -> Result<T, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct World {
            execution_context_id: i64,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Evaluated {
            result: Remote,
            exception_details: Option<Value>,
        }
        #[derive(Deserialize)]
        struct Remote {
            #[serde(default)]
            value: Value,
        }
        let world = json!({"frameId": page.target, "worldName": "ossuary"});
        let World {
            execution_context_id,
        } = self
            .ask(page, "Page.createIsolatedWorld", world, until)
            .await?;
        let question = json!({
            "expression": expression,
            "contextId": execution_context_id,
            "returnByValue": true,
            "awaitPromise": true,
        });
        let evaluated: Evaluated = self.ask(page, "Runtime.evaluate", question, until).await?;
        if let Some(details) = evaluated.exception_details {
            let why = &details["exception"]["description"];
            let why = why.as_str().unwrap_or("an exception");
            return Err(Trouble::Refused(why.to_owned()));
        }
        serde_json::from_value(evaluated.result.value)
            .map_err(|error| Trouble::Refused(error.to_string()))
    }

    /// A page that was not listened to for a while is heard again, and what it printed is not kept for us.
    fn listen_again(&self, page: &Page) {
        let mut console = self.console.borrow_mut();
        if console.has_heard() {
            let group = json!({"objectGroup": "console"});
            self.tell(page, "Runtime.releaseObjectGroup", group);
        }
        let (was_mute, left_out) = console.turn(Instant::now());
        if was_mute {
            for method in [
                "Runtime.discardConsoleEntries",
                "Runtime.enable",
                "Log.enable",
            ] {
                self.tell(page, method, json!({}));
            }
        }
        if left_out > 0 {
            (self.around.note)(&format!("page: {left_out} more errors were left out"));
        }
    }

    /// Makes the window as large as the screen. Where no window manager does it, nobody else does: neither at
    /// the start nor after the screen has become another one. Once for each size, for it blinks.
    async fn fit(&self, page: &Page, found: &Finding) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Window {
            window_id: i64,
            bounds: Bounds,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Bounds {
            window_state: String,
        }
        let size = found.lacks.map(|size| size.map(|side| side as u32));
        let Some([width, height]) = size.filter(|_| self.fitted.get() != size) else {
            return;
        };
        self.fitted.set(size);
        let which = json!({"targetId": page.target});
        let window = self
            .cdp
            .ask(None, "Browser.getWindowForTarget", which, BROWSER);
        let Ok(Window { window_id, bounds }) = window.await else {
            return;
        };
        if bounds.window_state != "fullscreen" {
            return;
        }
        // A window exactly as large as the screen is made a pixel smaller, lest a window manager takes it for one
        // that wants to be full screen (Chromium's `X11Window::AdjustSizeForDisplay`).
        for bounds in [
            json!({"windowState": "normal"}),
            json!({"left": 0, "top": 0, "width": width, "height": height + 1}),
            json!({"windowState": "fullscreen"}),
        ] {
            let change = json!({"windowId": window_id, "bounds": bounds});
            let set: Result<Value, _> = self
                .cdp
                .ask(None, "Browser.setWindowBounds", change, BROWSER)
                .await;
            if let Err(trouble) = set {
                return log::debug!(
                    "run {}: the window is as it was: {trouble}",
                    self.around.run
                );
            }
        }
    }

    /// A picture of this moment: of a page that answers, or none.
    async fn picture(&self, width: Option<u32>) -> Result<Picture, Failure> {
        let page = self.on_screen().await?;
        let until = Instant::now() + PICTURE;
        let silent = |trouble| no_answer(&page, trouble);
        if page.heard().crashed {
            return Err(silent(Trouble::Unanswered));
        }
        let found: Finding = self
            .in_world(&page, include_str!("look.js"), until)
            .await
            .map_err(silent)?;
        let smaller = width.filter(|width| f64::from(*width) < found.view[0]);
        let data = match smaller {
            Some(width) => self.frame(&page, width, until).await,
            None => {
                let how = json!({"format": "png"});
                let shot = self.ask::<Shot>(&page, "Page.captureScreenshot", how, until);
                shot.await.map(|shot| shot.data)
            }
        };
        let data = data.map_err(silent)?;
        if data.len() / 4 * 3 > PICTURE_MAX {
            let most = PICTURE_MAX / 1024 / 1024;
            return Err(Failure::system(format!(
                "the picture is over {most} MiB; ask for a smaller width"
            )));
        }
        let png = Base64::decode_vec(&data).map_err(|error| {
            Failure::system(format!("the browser's picture is broken: {error}"))
        })?;
        Ok(Picture { png: png.into() })
    }
}

impl Chromium {
    /// The next frame of a page, scaled down. To scale a picture with `captureScreenshot` would make the page
    /// itself smaller for an instant, on the screen.
    async fn frame(&self, page: &Page, width: u32, until: Instant) -> Result<String, Trouble> {
        page.take_frame();
        let how = json!({"format": "png", "maxWidth": width, "maxHeight": TALLEST});
        let started: Result<Value, _> = self.ask(page, "Page.startScreencast", how, until).await;
        started?;
        let come = async {
            page.until(|heard| heard.has_frame || heard.crashed || heard.gone)
                .await;
            page.take_frame().ok_or(Trouble::Unanswered)
        };
        let late = async {
            Timer::at(until).await;
            Err(Trouble::Unanswered)
        };
        let frame = or(come, late).await;
        self.tell(page, "Page.stopScreencast", json!({}));
        frame
    }
}

// ---- changing what is there, other than by another page: for that see `swap` ----

impl Chromium {
    /// Loads the page anew. One that does not answer cannot do that, and gives way to a new tab.
    async fn reload(&self) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let heard = page.heard();
        if heard.built_in.is_some() {
            return self.swap(&heard.url, None, Transition::Cut).await;
        }
        if heard.dialog.is_some() {
            self.close_dialog(&page, true);
        }
        let answers = heard.crashed || !heard.silent && self.find(&page, LOOK).await.is_ok();
        if !answers {
            return self.renew(&heard.url).await;
        }
        let past_caches = json!({"ignoreCache": true});
        let reloaded: Result<Value, _> = self
            .ask(&page, "Page.reload", past_caches, Instant::now() + LOOK)
            .await;
        match reloaded {
            Ok(_) => Ok(()),
            Err(_) => self.renew(&heard.url).await,
        }
    }

    async fn show_built_in(&self, built_in: &BuiltIn) -> Result<(), Failure> {
        let html = pages::render(built_in, &(self.around.facts)());
        let content = Base64::encode_string(html.as_bytes());
        let name = match built_in {
            BuiltIn::Welcome => "about:welcome",
            BuiltIn::Offline { .. } => "about:offline",
            BuiltIn::Failed { .. } => "about:failed",
        };
        let url = format!("data:text/html;charset=utf-8;base64,{content}");
        self.swap(&url, Some(name), Transition::Cut).await
    }

    async fn run_on_page(&self, script: &str) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let script = format!("void ({script})");
        let done: Result<Value, _> = self.in_world(&page, &script, Instant::now() + LOOK).await;
        done.map(drop).map_err(|trouble| no_answer(&page, trouble))
    }
}

/// Why a page does not do what it was asked to.
fn no_answer(page: &Page, trouble: Trouble) -> Failure {
    let heard = page.heard();
    match trouble {
        _ if heard.crashed => Failure::system("the page has crashed"),
        _ if heard.dialog.is_some() => {
            Failure::system("the page waits for somebody to answer its dialog")
        }
        Trouble::Unanswered => Failure::system("the page does not answer"),
        Trouble::Gone => ended(),
        Trouble::Refused(words) => Failure::system(format!("the page does not do that: {words}")),
    }
}

/// Text that a page has chosen, no longer than it is kept.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}
