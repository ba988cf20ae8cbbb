//! The driver of Chromium, by the DevTools protocol.
//!
//! ```text
//!   handle_event (at once, without calls) ──▶ follow-ups (one at a time): attach, observe, report
//!   run ──▶ observe · screenshot ────────────────┐
//!       └─▶ swap: prepare, show, close ──────────┴──▶ calls, each with a timeout
//! ```
//!
//! One tab is on the screen. Its page is inspected in an isolated world, which shares only the document with the page.
//! Whether the browser is alive is asked of the browser itself. [`Page`] has all that is known of a tab.

mod console;
mod events;
mod observe;
mod page;
mod page_swap;
mod protocol;
mod screenshot;

use super::built_in_pages;
use super::cdp::{Cdp, CdpError};
use super::driver::{Cancelled, Driver, DriverContext, Later, Pointer, Program, ended};
use crate::supervisor::Failure;
use crate::supervisor::{BuiltIn, PageCommand, PageCommandResult, PageObservation, Transition};
use crate::timeout::within;
use console::Console;
use event_listener::Event;
use page::Page;
use protocol::SessionId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a page may take to answer. Two unanswered observations in a row are a hang, so a page that is busy for
/// three seconds at a time is not.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the browser process may take to answer.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of the isolated world in a page.
const WORLD: &str = "ossuary";

/// Follow-ups that may wait. What does not fit is noticed by the next observation.
const FOLLOW_UPS: usize = 32;

/// What to do because of an event.
#[derive(Debug)]
enum FollowUp {
    /// A tab was opened, or the one on the screen was closed: find the one on the screen.
    FindPage,
    /// Report this of a page, if it is on the screen then.
    Report(Rc<Page>, PageObservation),
    /// The page on the screen was loaded or failed to load: observe it.
    Observe,
}

/// The driver of one Chromium.
pub struct Chromium {
    cdp: Cdp,
    context: Rc<DriverContext>,
    /// By session.
    pages: RefCell<BTreeMap<String, Rc<Page>>>,
    /// The one on the screen.
    shown: RefCell<Option<Rc<Page>>>,
    /// Notified when a page appears on the screen, or the browser ends.
    appeared: Event,
    /// A search for the page on the screen is queued.
    is_searching: Cell<bool>,
    /// A page swap opens and closes tabs; they are no news.
    swapping: Cell<bool>,
    /// The browser has answered once.
    is_up: Cell<bool>,
    /// The browser did not answer the last call, so its page is not asked.
    is_silent: Cell<bool>,
    /// The size of the screen that the window was last fitted to.
    fitted: Cell<Option<[u32; 2]>>,
    console: RefCell<Console>,
    /// The run was adopted: an earlier daemon has logged what the console holds.
    adopted: bool,
    follow_ups: (Sender<FollowUp>, Receiver<FollowUp>),
}

impl Chromium {
    /// Drives the Chromium at the other end of this socket. If it was `adopted`, the socket may hold half a message, and
    /// results of an earlier daemon's calls, whose ids are below `first`.
    ///
    /// # Errors
    /// It is not a socket.
    pub fn drive(
        socket: UnixStream,
        adopted: bool,
        first: u32,
        context: Rc<DriverContext>,
    ) -> io::Result<Driver> {
        let chromium = Self {
            cdp: Cdp::new(socket, adopted, first)?,
            context: context.clone(),
            pages: RefCell::default(),
            shown: RefCell::default(),
            appeared: Event::new(),
            is_searching: Cell::new(false),
            swapping: Cell::new(false),
            is_up: Cell::new(false),
            is_silent: Cell::new(false),
            fitted: Cell::new(None),
            console: RefCell::default(),
            adopted,
            follow_ups: bounded(FOLLOW_UPS),
        };
        Ok(Driver::new(chromium, context))
    }
}

impl Program for Chromium {
    fn refuse(&self, command: &PageCommand) -> Option<Failure> {
        match command {
            PageCommand::Screenshot { .. } => self.refuse_screenshot(),
            _ => None,
        }
    }

    fn run<'a>(
        &'a self,
        command: &'a PageCommand,
        cancelled: &'a Cancelled,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(async move {
            match command {
                PageCommand::Observe => {
                    let observation = self.observe().await;
                    self.context.report(observation).await;
                }
                PageCommand::CaptureEvidence => {
                    return Ok(PageCommandResult::Evidence(self.evidence().await));
                }
                PageCommand::Screenshot { width } => {
                    return self
                        .screenshot(*width)
                        .await
                        .map(PageCommandResult::Screenshot);
                }
                PageCommand::Reload => self.reload(cancelled).await?,
                PageCommand::Navigate { url, transition } => {
                    self.swap(url, None, *transition, cancelled).await?;
                }
                PageCommand::NewTab { url } => self.replace_tab(url).await?,
                PageCommand::ShowBuiltIn(built_in) => {
                    self.show_built_in(built_in, cancelled).await?
                }
                PageCommand::ShowOverlay => {
                    // A paused page does not paint.
                    let page = self.on_screen().await?;
                    self.unpause(&page);
                    let script = built_in_pages::overlay(&(self.context.facts)());
                    self.run_on_page(&script).await?;
                }
                PageCommand::HideOverlay => self.run_on_page(built_in_pages::NO_OVERLAY).await?,
                PageCommand::Pause => {
                    self.run_on_page(include_str!("pause.js")).await?;
                    let page = self.on_screen().await?;
                    self.pause(&page);
                }
                PageCommand::Resume => {
                    let page = self.on_screen().await?;
                    self.unpause(&page);
                    self.run_on_page(include_str!("resume.js")).await?;
                }
            }
            Ok(PageCommandResult::Done)
        })
    }

    fn watch(&self) -> Later<'_, ()> {
        Box::pin(async {
            let connection = self.cdp.run(|event| self.handle_event(&event));
            or(connection, self.run_follow_ups()).await;
            self.appeared.notify(usize::MAX);
        })
    }
}

// ---- tabs ----

impl Chromium {
    /// Attaches to a tab.
    async fn attach(&self, target: String, url: String) -> Result<Rc<Page>, CdpError> {
        if self.adopted {
            // Detaching the earlier daemon's session ends a pause that it set.
            let which = json!({"targetId": target});
            let method = "Target.detachFromTarget";
            let _: Result<Value, _> = self.cdp.call(None, method, which, BROWSER_TIMEOUT).await;
        }
        let session = json!({"targetId": target, "flatten": true});
        let SessionId { session_id } = self
            .cdp
            .call(None, "Target.attachToTarget", session, BROWSER_TIMEOUT)
            .await?;
        let page = Rc::new(Page::new(target, session_id, url));
        self.pages
            .borrow_mut()
            .insert(page.session.clone(), page.clone());
        if self.adopted {
            self.notify(&page, "Runtime.discardConsoleEntries", json!({}));
        }
        // Without waiting: a page that hangs must be attached as well.
        for domain in ["Page", "Inspector", "Runtime", "Log"] {
            self.notify(&page, &format!("{domain}.enable"), json!({}));
        }
        if self.context.pointer == Pointer::Hidden {
            let script = json!({
                "source": include_str!("pointer.js"),
                "worldName": WORLD,
                "runImmediately": true,
            });
            self.notify(&page, "Page.addScriptToEvaluateOnNewDocument", script);
        }
        Ok(page)
    }

    fn detach(&self, session: &str) {
        let session = json!({"sessionId": session});
        self.cdp.notify(None, "Target.detachFromTarget", &session);
    }

    fn set_shown(&self, page: &Rc<Page>) {
        *self.shown.borrow_mut() = Some(page.clone());
        self.appeared.notify(usize::MAX);
    }

    fn is_shown(&self, page: &Rc<Page>) -> bool {
        let shown = self.shown.borrow();
        shown.as_ref().is_some_and(|shown| Rc::ptr_eq(shown, page))
    }

    /// The page on the screen. Waits a while if it is still being searched.
    async fn on_screen(&self) -> Result<Rc<Page>, Failure> {
        self.search_page();
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
        let found = within(BROWSER_TIMEOUT, found).await;
        found.unwrap_or_else(|| {
            Err(Failure::system(
                "the browser does not show a page yet; try again",
            ))
        })
    }

    fn page_of_target(&self, target: &str) -> Option<Rc<Page>> {
        let pages = self.pages.borrow();
        pages.values().find(|page| page.target == target).cloned()
    }

    fn notify(&self, page: &Page, method: &str, params: Value) {
        self.cdp.notify(Some(&page.session), method, &params);
    }

    async fn call<T: DeserializeOwned>(
        &self,
        page: &Page,
        method: &str,
        params: Value,
        until: Instant,
    ) -> Result<T, CdpError> {
        let left = until.saturating_duration_since(Instant::now());
        let session = Some(page.session.as_str());
        self.cdp.call(session, method, params, left).await
    }

    fn close_dialog(&self, page: &Page, accept: bool) {
        let answer = json!({"accept": accept});
        self.notify(page, "Page.handleJavaScriptDialog", answer);
    }
}

// ---- changes of the page on the screen (for another page see `page_swap`) ----

impl Chromium {
    /// Reloads the page. One that does not answer is replaced by a new tab.
    async fn reload(&self, cancelled: &Cancelled) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let facts = page.facts();
        if facts.built_in.is_some() {
            let cut = Transition::Cut;
            return self.swap(&facts.url, None, cut, cancelled).await;
        }
        if facts.dialog.is_some() {
            self.close_dialog(&page, true);
        }
        self.unpause(&page);
        let answers =
            facts.crashed || !facts.silent && self.inspect(&page, PAGE_TIMEOUT).await.is_ok();
        if !answers {
            return self.replace_tab(&facts.url).await;
        }
        let options = json!({"ignoreCache": true});
        let reloaded: Result<Value, _> = self
            .call(&page, "Page.reload", options, Instant::now() + PAGE_TIMEOUT)
            .await;
        match reloaded {
            Ok(_) => Ok(()),
            Err(_) => self.replace_tab(&facts.url).await,
        }
    }

    async fn show_built_in(
        &self,
        built_in: &BuiltIn,
        cancelled: &Cancelled,
    ) -> Result<(), Failure> {
        let (name, url) = built_in_pages::address(built_in, &(self.context.facts)());
        let cut = Transition::Cut;
        self.swap(&url, Some(name), cut, cancelled).await
    }

    /// Pauses the scripts of a page at their next statement, as a debugger does: timers, events and network responses wait.
    /// A frozen page (`Page.setWebLifecycleState`) would be hidden, and the screen white.
    fn pause(&self, page: &Page) {
        self.notify(page, "Debugger.enable", json!({}));
        self.notify(page, "Debugger.pause", json!({}));
        page.update(|facts| facts.paused = true);
    }

    /// Resumes the scripts of a paused page.
    pub(super) fn unpause(&self, page: &Page) {
        if page.update(|facts| std::mem::take(&mut facts.paused)) {
            self.notify(page, "Debugger.disable", json!({}));
        }
    }

    async fn run_on_page(&self, script: &str) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let script = format!("void ({script})");
        let done: Result<Value, _> = self
            .evaluate_isolated(&page, &script, Instant::now() + PAGE_TIMEOUT)
            .await;
        done.map(drop).map_err(|error| failure(&page, error))
    }
}

/// Why a page did not answer a call.
fn failure(page: &Page, error: CdpError) -> Failure {
    let facts = page.facts();
    match error {
        _ if facts.crashed => Failure::system("the page has crashed"),
        _ if facts.dialog.is_some() => {
            Failure::system("the page waits for an answer to its dialog")
        }
        CdpError::Timeout => Failure::system("the page does not answer"),
        CdpError::Closed => ended(),
        CdpError::Refused(words) => Failure::system(format!("the page refused: {words}")),
    }
}
