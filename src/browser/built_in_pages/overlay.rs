//! The notice over a page that has lost its connection: small, calm, and the page below goes on.

use super::{Facts, escape};

/// Takes the notice away; nothing happens where there is none.
pub const NO_OVERLAY: &str = "document.querySelector('ossuary-notice')?.remove()";

/// An expression that lays the notice over whatever page is there, in place of an earlier one.
///
/// It stands in the top layer, in a closed shadow root, and its style is made through the object model: no
/// rule of the page reaches it, and no content security policy forbids it. Pointer and keyboard pass through.
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
