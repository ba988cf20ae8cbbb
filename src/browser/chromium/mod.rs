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
mod events;
mod observe;
mod page;
mod page_swap;
mod screenshot;

use super::built_in_pages;
use super::cdp::{Cdp, CdpError};
use super::driver::{Driver, DriverContext, Later, Pointer, Program, Withdrawn, ended};
use crate::supervisor::Failure;
use crate::supervisor::page::{
    BuiltIn, MAX_TEXT, PageCommand, PageCommandResult, PageObservation, Transition,
};
use console::Console;
use event_listener::Event;
use events::SessionId;
use page::Page;
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

/// What our own world in a page is called.
const WORLD: &str = "ossuary";

/// Errands that may wait. What does not fit is seen with the next look.
const ERRANDS: usize = 32;

/// What is to be asked because of something that was heard.
#[derive(Debug)]
enum FollowUp {
    /// A tab was opened, or the one on the screen was closed: find out which is there.
    FindPage,
    /// Tell this of a page, if it is on the screen then.
    Tell(Rc<Page>, PageObservation),
    /// The page on the screen was loaded, or could not be: look.
    Look,
}

/// One Chromium.
pub struct Chromium {
    cdp: Cdp,
    around: Rc<DriverContext>,
    /// By session.
    pages: RefCell<BTreeMap<String, Rc<Page>>>,
    /// The one on the screen.
    shown: RefCell<Option<Rc<Page>>>,
    /// A page has come to the screen, or the browser has ended.
    appeared: Event,
    /// The page is about to be looked for because it was missed.
    sought: Cell<bool>,
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
    errands: (Sender<FollowUp>, Receiver<FollowUp>),
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
        around: Rc<DriverContext>,
    ) -> io::Result<Driver> {
        let chromium = Self {
            cdp: Cdp::new(socket, taken_over, first)?,
            around: around.clone(),
            pages: RefCell::default(),
            shown: RefCell::default(),
            appeared: Event::new(),
            sought: Cell::new(false),
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
    fn why_not(&self, order: &PageCommand) -> Option<Failure> {
        match order {
            PageCommand::Screenshot { .. } => self.why_no_picture(),
            _ => None,
        }
    }

    fn obey<'a>(
        &'a self,
        order: &'a PageCommand,
        withdrawn: &'a Withdrawn,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(async move {
            match order {
                PageCommand::Observe => {
                    let sight = self.look().await;
                    self.around.saw(sight).await;
                }
                PageCommand::CaptureEvidence => {
                    return Ok(PageCommandResult::Evidence(self.evidence().await));
                }
                PageCommand::Screenshot { width } => {
                    return self
                        .picture(*width)
                        .await
                        .map(PageCommandResult::Screenshot);
                }
                PageCommand::Reload => self.reload(withdrawn).await?,
                PageCommand::Navigate { url, transition } => {
                    self.swap(url, None, *transition, withdrawn).await?;
                }
                PageCommand::NewTab { url } => self.renew(url).await?,
                PageCommand::ShowBuiltIn(built_in) => {
                    self.show_built_in(built_in, withdrawn).await?
                }
                PageCommand::ShowOverlay => {
                    // A page that is paused draws nothing new.
                    let page = self.on_screen().await?;
                    self.release(&page);
                    let script = built_in_pages::overlay(&(self.around.facts)());
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
                    self.release(&page);
                    self.run_on_page(include_str!("resume.js")).await?;
                }
            }
            Ok(PageCommandResult::Done)
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

// ---- tabs ----

impl Chromium {
    /// Takes hold of a tab.
    async fn attach(&self, target: String, url: String) -> Result<Rc<Page>, CdpError> {
        if self.taken_over {
            // With the hold of another daemon ends what it had paused.
            let which = json!({"targetId": target});
            let method = "Target.detachFromTarget";
            let _: Result<Value, _> = self.cdp.ask(None, method, which, BROWSER).await;
        }
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
        if self.around.pointer == Pointer::Hidden {
            let script = json!({
                "source": include_str!("pointer.js"),
                "worldName": WORLD,
                "runImmediately": true,
            });
            self.tell(&page, "Page.addScriptToEvaluateOnNewDocument", script);
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
        self.seek();
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
    ) -> Result<T, CdpError> {
        let left = until.saturating_duration_since(Instant::now());
        let session = Some(page.session.as_str());
        self.cdp.ask(session, method, params, left).await
    }

    fn close_dialog(&self, page: &Page, accept: bool) {
        let answer = json!({"accept": accept});
        self.tell(page, "Page.handleJavaScriptDialog", answer);
    }
}

// ---- changing what is there, other than by another page: for that see `swap` ----

impl Chromium {
    /// Loads the page anew. One that does not answer cannot do that, and gives way to a new tab.
    async fn reload(&self, withdrawn: &Withdrawn) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let heard = page.heard();
        if heard.built_in.is_some() {
            let cut = Transition::Cut;
            return self.swap(&heard.url, None, cut, withdrawn).await;
        }
        if heard.dialog.is_some() {
            self.close_dialog(&page, true);
        }
        self.release(&page);
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

    async fn show_built_in(
        &self,
        built_in: &BuiltIn,
        withdrawn: &Withdrawn,
    ) -> Result<(), Failure> {
        let (name, url) = built_in_pages::address(built_in, &(self.around.facts)());
        let cut = Transition::Cut;
        self.swap(&url, Some(name), cut, withdrawn).await
    }

    /// Stops the scripts of a page at their next statement, as a debugger does: timers, events and answers wait until it
    /// is released. A page that is frozen (`Page.setWebLifecycleState`) would be a hidden one, and the screen white.
    fn pause(&self, page: &Page) {
        self.tell(page, "Debugger.enable", json!({}));
        self.tell(page, "Debugger.pause", json!({}));
        page.hear(|heard| heard.paused = true);
    }

    /// Lets the scripts of a page go on that was paused.
    pub(super) fn release(&self, page: &Page) {
        if page.hear(|heard| std::mem::take(&mut heard.paused)) {
            self.tell(page, "Debugger.disable", json!({}));
        }
    }

    async fn run_on_page(&self, script: &str) -> Result<(), Failure> {
        let page = self.on_screen().await?;
        let script = format!("void ({script})");
        let done: Result<Value, _> = self.in_world(&page, &script, Instant::now() + LOOK).await;
        done.map(drop).map_err(|trouble| no_answer(&page, trouble))
    }
}

/// Why a page does not do what it was asked to.
fn no_answer(page: &Page, trouble: CdpError) -> Failure {
    let heard = page.heard();
    match trouble {
        _ if heard.crashed => Failure::system("the page has crashed"),
        _ if heard.dialog.is_some() => {
            Failure::system("the page waits for somebody to answer its dialog")
        }
        CdpError::Unanswered => Failure::system("the page does not answer"),
        CdpError::Gone => ended(),
        CdpError::Refused(words) => Failure::system(format!("the page does not do that: {words}")),
    }
}

/// Text that a page has chosen, no longer than it is kept.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}
