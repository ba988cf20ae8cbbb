//! The page that a display process is to show, and when that is retried.

use crate::supervisor::interface::saved_schedule::{ChangedBy, SavedPageOverride};
use crate::time::{Backoff, Moment};
use std::time::Duration;

/// The pauses between attempts to show a page.
pub(super) const RETRY_PAUSES: Backoff = Backoff {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(60),
};

/// What a display process is to show. In each field a URL is a page override and `None` the configured page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageOverride {
    /// The page that the latest rule wants.
    pub wanted: Option<String>,
    /// The page that is shown while the wanted one cannot be loaded.
    pub fallback: Option<String>,
    /// The page that was shown last.
    pub shown: Option<String>,
    /// The configured page that is overridden: once the document names another one, the override ends.
    pub replaced: Option<String>,
    /// Who requested the wanted page.
    pub by: ChangedBy,
    /// When the wanted page is retried.
    pub due: Option<Moment>,
    /// Failed attempts.
    pub failures: u32,
}

impl PageOverride {
    pub fn saved(&self) -> SavedPageOverride {
        SavedPageOverride {
            wanted: self.wanted.clone(),
            fallback: self.fallback.clone(),
            shown: self.shown.clone(),
            in_place_of: self.replaced.clone(),
        }
    }

    /// The page to return to when an override that begins now ends.
    pub fn base(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The configured page is shown, and nothing else is wanted.
    pub fn is_over(&self) -> bool {
        self.wanted.is_none() && self.shown.is_none() && self.due.is_none()
    }

    pub fn settle(&mut self) {
        (self.due, self.failures) = (None, 0);
    }

    pub fn retry_later(&mut self, now: Moment) {
        self.failures += 1;
        self.due = Some(now + RETRY_PAUSES.after(self.failures));
    }
}
