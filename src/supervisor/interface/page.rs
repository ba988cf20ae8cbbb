//! What the supervisor and the driver of a browser send each other about a page, and what the API publishes of it.
//!
//! A running browser proves nothing: its page may hang, be empty, or have crashed. So drivers report
//! [`PageObservation`]s, and the supervisor answers with [`PageCommand`]s. Neither depends on the protocol that
//! drives a browser.

use crate::time::Moment;
use std::fmt;
use std::rc::Rc;

/// What a driver reports about a page. The driver cuts URLs and titles at [`MAX_TEXT`] bytes: the page chooses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageObservation {
    /// A page is loading.
    Loading {
        /// Its URL.
        url: String,
    },
    /// The page answers and shows something.
    Painted {
        /// Its URL.
        url: String,
        /// Its title.
        title: String,
    },
    /// The page answers and is empty.
    Blank {
        /// Its URL.
        url: String,
        /// Its title.
        title: String,
    },
    /// The page did not answer in time; its browser does.
    Unresponsive,
    /// The renderer crashed ("Aw, Snap!").
    Crashed,
    /// The page could not be loaded; the browser shows its own error page.
    NotLoaded {
        /// The requested URL.
        url: String,
        /// The error of the browser: `net::ERR_CONNECTION_REFUSED`.
        error: String,
    },
    /// The browser did not answer.
    BrowserUnresponsive,
    /// This program cannot be observed: it is not a browser that a driver exists for.
    NotObservable,
}

/// The longest URL or title, in bytes.
pub const MAX_TEXT: usize = 2048;

/// A command for the page of a run. Answered by exactly one `Event::PageCommandDone`, even if the run ends; a
/// [`PageObservation`] that follows is reported separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageCommand {
    /// Observe the page now. The result is a [`PageObservation`].
    Observe,
    /// Reload the page without any cache.
    Reload,
    /// Load this URL in the background and show it once it has painted. If it cannot be loaded, the current page
    /// stays and the command fails.
    Navigate {
        /// The URL.
        url: String,
        /// How it replaces the current page.
        transition: Transition,
    },
    /// Close the tab with its renderer, and load this URL in a new one.
    NewTab {
        /// The URL.
        url: String,
    },
    /// Show a built-in page. It says what is wrong and how to reach the kiosk.
    ShowBuiltIn(BuiltIn),
    /// Show a notice over the page, whose state is kept. Idempotent.
    ShowOverlay,
    /// Remove the notice.
    HideOverlay,
    /// Pause the page: media, animations and scripts stop, the image stays. Other processes of the browser, such as
    /// workers and frames of other sites, continue.
    Pause,
    /// Resume the page.
    Resume,
    /// Capture a small screenshot, whether or not the page answers, before the next command changes the screen.
    CaptureEvidence,
    /// Take a screenshot.
    Screenshot {
        /// The width to scale down to, in pixels; `None` for the size of the page.
        width: Option<u32>,
    },
}

/// How a page replaces another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transition {
    /// Without a transition.
    #[default]
    Cut,
    /// A cross-fade.
    Fade,
}

/// The built-in pages. Their URLs in a [`PageObservation`] are `about:welcome`, `about:offline` and `about:failed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// The kiosk is not set up yet: how to reach it.
    Welcome,
    /// The page's server is not reachable.
    Offline {
        /// The URL of the page.
        url: String,
        /// The error of the browser.
        error: String,
    },
    /// Every recovery step failed.
    Failed {
        /// The name of the process.
        name: String,
        /// What is wrong, in a sentence.
        reason: String,
    },
}

/// The result of a [`PageCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageCommandResult {
    /// It was done.
    Done,
    /// Nothing was done: a browser that cannot be driven must be restarted. Only for a reload.
    NeedsRestart,
    /// The screenshot.
    Screenshot(Screenshot),
    /// What was on the screen, if it could be captured in time. Only for [`PageCommand::CaptureEvidence`].
    Evidence(Option<Screenshot>),
}

/// An image of the page.
#[derive(Clone, PartialEq, Eq)]
pub struct Screenshot {
    /// PNG.
    pub png: Rc<[u8]>,
}

impl fmt::Debug for Screenshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} bytes)", self.png.len())
    }
}

/// `page.state` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// It is loading.
    Loading,
    /// It answers and shows something.
    Healthy,
    /// It does not answer.
    Hung,
    /// It answers and is empty.
    Blank,
    /// Its renderer crashed.
    Crashed,
    /// It could not be loaded.
    NetError,
    /// Unknown: it is not driven, or was not observed yet.
    Unknown,
}

names!(PageState {
    Loading = "loading",
    Healthy = "healthy",
    Hung = "hung",
    Blank = "blank",
    Crashed = "crashed",
    NetError = "net_error",
    Unknown = "unknown",
});

/// `page` of a display process in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageStatus {
    /// The state.
    pub state: PageState,
    /// When it entered the state.
    pub since: Moment,
    /// Its URL, if known; for a page that could not be loaded, the requested one.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// When it was last healthy; `None` while it is.
    pub last_painted: Option<Moment>,
    /// The latest recovery step.
    pub last_step: Option<Rc<RecoveryStep>>,
    /// Whether its server accepts connections, if known.
    pub server_reachable: Option<bool>,
}

/// A recovery step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStep {
    /// When it was taken.
    pub at: Moment,
    /// The state of the page before.
    pub state: PageState,
    /// The reason and the step, in a sentence.
    pub what: String,
    /// What was on the screen before, and when that was captured.
    pub evidence: Option<(Moment, Screenshot)>,
}
