//! The notice over a page that lost its connection. The page below continues to run.

use super::{Facts, escape};

/// An expression that removes the notice, if there is one.
pub const NO_OVERLAY: &str = "document.querySelector('ossuary-notice')?.remove()";

/// An expression that shows the notice over the current page, and replaces an earlier notice.
///
/// The notice is in the top layer and in a closed shadow root, so no style rule of the page applies to it. Its style
/// sheet is constructed by script, so no content security policy blocks it. Pointer and keyboard input passes through.
pub fn overlay(facts: &Facts) -> String {
    let link = facts.links.first().map_or("", String::as_str);
    let link = link.strip_prefix("http://").unwrap_or(link);
    let link = link.trim_end_matches('/');
    format!(
        "({})({},{})",
        include_str!("overlay.js").trim_end().trim_end_matches(';'),
        escape::literal(&facts.hostname),
        escape::literal(link),
    )
}
