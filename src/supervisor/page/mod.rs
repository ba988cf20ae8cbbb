//! The page on the screen: what is seen of it, and what is asked of the browser that shows it.
//!
//! A browser that lives proves nothing: its page may hang, be empty, or have died. So the mind has the
//! page looked at, and takes [`Sight`]s for what they are worth; whatever it wants done about them it says
//! as an [`Order`]. Neither knows by which protocol a browser is driven.

pub(in crate::supervisor) mod commands;
pub(in crate::supervisor) mod connection;
pub(in crate::supervisor) mod health;

use std::fmt;
use std::rc::Rc;

/// What a look at a page has shown, or what its browser told unasked. Addresses and titles are cut at
/// [`MAX_TEXT`] bytes by whoever saw them: a page chooses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageObservation {
    /// Another page is on its way to the screen, or the same one anew.
    Loading {
        /// Its address.
        url: String,
    },
    /// The page has answered, and something is on it.
    Painted {
        /// Its address.
        url: String,
        /// Its title.
        title: String,
    },
    /// The page has answered, and there is nothing on it.
    Blank {
        /// Its address.
        url: String,
        /// Its title.
        title: String,
    },
    /// The page has not answered in time; its browser does.
    Unresponsive,
    /// What draws the page has died ("Aw, Snap!").
    Crashed,
    /// The page could not be loaded; what the browser shows instead is its own.
    NotLoaded {
        /// The address that was asked for.
        url: String,
        /// Why, in the browser's words: `net::ERR_CONNECTION_REFUSED`.
        error: String,
    },
    /// The browser itself does not answer.
    BrowserUnresponsive,
    /// This program cannot be looked at: it is no browser we know how to drive.
    NotObservable,
}

/// The longest address or title that is kept, in bytes.
pub const MAX_TEXT: usize = 2048;

/// Something to be done with the page of a run. Answered by exactly one `Event::Obeyed`, whatever happens
/// and whenever the run ends; a [`Sight`] that comes of it is told beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageCommand {
    /// Look at the page now. What is seen is told as a `Sight`.
    Observe,
    /// Load the page anew, past every cache.
    Reload,
    /// Show this address: prepared in the background and shown once it has painted. The page that is there
    /// stays where the other cannot be loaded, and that is told as the failure.
    Navigate {
        /// Its address.
        url: String,
        /// How it takes the place of the page that is there.
        transition: Transition,
    },
    /// Give up the tab and whatever draws it, and load this address in a new one.
    NewTab {
        /// Its address.
        url: String,
    },
    /// Show a page of our own. It says what is wrong and how to reach the kiosk.
    ShowBuiltIn(BuiltIn),
    /// Lay a notice over the page, whose state is kept. The same notice twice is one.
    ShowOverlay,
    /// Take the notice away.
    HideOverlay,
    /// Have the page stand still: its films, sounds, animations and scripts stop, its picture stays. What other processes
    /// of the browser do for it goes on: frames from other sites, workers.
    Pause,
    /// Have it go on.
    Resume,
    /// Take a small picture of what is on the screen, whether or not the page answers: what is done next changes it.
    CaptureEvidence,
    /// Take a picture of this moment.
    Screenshot {
        /// Scaled down to this width, in pixels; as large as the page is without.
        width: Option<u32>,
    },
}

/// How one page follows another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transition {
    /// From one frame to the next.
    #[default]
    Cut,
    /// The one fades into the other.
    Fade,
}

/// Pages that come from the daemon itself. While one is on the screen, its address in a [`Sight`] is
/// `about:welcome`, `about:offline` or `about:failed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Nobody has set the kiosk up yet: how to reach it.
    Welcome,
    /// The page's server cannot be reached.
    Offline {
        /// The address that was to be shown.
        url: String,
        /// Why not, in the browser's words.
        error: String,
    },
    /// Everything was tried, and the page is not well: its browser crashes, or it does.
    Failed {
        /// The name of the process.
        name: String,
        /// What is wrong, in a sentence.
        reason: String,
    },
}

/// What came of an [`Order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageCommandResult {
    /// It was done.
    Done,
    /// Nothing was done: a program that cannot be driven is reloaded by being restarted. Only to a reload.
    NeedsRestart,
    /// The picture that was asked for.
    Screenshot(Screenshot),
    /// What was on the screen, where that could be had in time. The only answer to [`Order::KeepEvidence`].
    Evidence(Option<Screenshot>),
}

/// A picture of the page.
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
    /// On its way.
    Loading,
    /// It answers, and something is on it.
    Healthy,
    /// It does not answer.
    Hung,
    /// It answers, and nothing is on it.
    Blank,
    /// What draws it has died.
    Crashed,
    /// It could not be loaded.
    NetError,
    /// Nobody can tell: it is not driven, or was not looked at yet.
    Unknown,
}

impl PageState {
    /// Its name in the API and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            PageState::Loading => "loading",
            PageState::Healthy => "healthy",
            PageState::Hung => "hung",
            PageState::Blank => "blank",
            PageState::Crashed => "crashed",
            PageState::NetError => "net_error",
            PageState::Unknown => "unknown",
        }
    }
}
