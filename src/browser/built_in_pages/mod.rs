//! The pages that come from the daemon itself: what a screen shows when its own page cannot be shown.
//!
//! Each is one document that asks nobody for anything, so it can be loaded from a `data:` address by a
//! browser that has no network at all. Nothing on it moves and nothing runs but one step aside every few
//! minutes, so that a picture which stands for days does not burn into the screen. The welcome page that lies
//! in a file also looks every minute whether another one lies there ([`Standing`]).

mod escape;
mod overlay;
mod qr;
mod reasons;

use crate::supervisor::page::BuiltIn;
use base64ct::{Base64, Encoding};
pub use overlay::{NO_OVERLAY, overlay};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What the pages tell about the kiosk itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the machine is called.
    pub hostname: String,
    /// The addresses of the control page, `http://…`, the best first: it is the one in the QR code.
    pub links: Vec<String>,
    /// The code that claims a kiosk which nobody has claimed yet.
    pub claim_code: Option<String>,
}

/// As many addresses are shown as fit beside the rest on the smallest screen.
const MAX_LINKS: usize = 2;

/// The longest name, address or sentence from outside that is shown, in characters: two or three lines.
const MAX_SHOWN: usize = 160;

const STYLE: &str = include_str!("page.css");

/// The parameter of an address by which a page of ours is known, whoever has put it on the screen.
const KNOWN_BY: &str = "data:text/html;charset=utf-8;ossuary=";

/// What our pages are called, by that parameter.
const NAMES: [(&str, &str); 3] = [
    ("welcome", "about:welcome"),
    ("offline", "about:offline"),
    ("failed", "about:failed"),
];

/// A page as its name and an address that holds the whole of it.
pub fn address(page: &BuiltIn, facts: &Facts) -> (&'static str, String) {
    let (kind, name) = NAMES[match page {
        BuiltIn::Welcome => 0,
        BuiltIn::Offline { .. } => 1,
        BuiltIn::Failed { .. } => 2,
    }];
    let content = Base64::encode_string(render(page, facts).as_bytes());
    (name, format!("{KNOWN_BY}{kind};base64,{content}"))
}

/// What the page with this address is called, if it is one of ours.
pub fn name_at(address: &str) -> Option<&'static str> {
    let (kind, _) = address.strip_prefix(KNOWN_BY)?.split_once(';')?;
    let named = NAMES.iter().find(|(known, _)| *known == kind);
    named.map(|(_, name)| *name)
}

/// The welcome page as a file, which tells what is true for as long as it is shown.
pub struct Standing {
    /// The page. Every minute it looks at the script beside it, `welcome.js`, and is read anew where that has changed.
    /// A page that is read anew is written down each time by the browser, in its history, and memory cards wear out.
    pub page: String,
    /// The script, which tells one page from another.
    pub script: String,
}

/// The welcome page as a file.
pub fn standing_welcome(facts: &Facts) -> Standing {
    let page = render(&BuiltIn::Welcome, facts);
    let mut stamp = DefaultHasher::new();
    page.hash(&mut stamp);
    let stamp = stamp.finish();
    let look = format!("{CHARSET}<script>const stamp=\"{stamp:016x}\";{LOOK}</script>");
    Standing {
        page: page.replacen(CHARSET, &look, 1),
        script: format!("stands(\"{stamp:016x}\")\n"),
    }
}

/// Runs the script anew, which is another address for the browser each time, or it would remember what it said.
const LOOK: &str = "self.stands=now=>{if(now!==stamp)location.reload()};\
    setInterval(()=>{const look=document.createElement('script');look.src='welcome.js?'+Date.now();\
    look.onload=look.onerror=()=>look.remove();document.head.append(look)},6e4)";

/// What the head of every page of ours begins with.
const CHARSET: &str = "<meta charset=\"utf-8\">";

/// A page as a whole document.
pub fn render(page: &BuiltIn, facts: &Facts) -> String {
    let (class, title, body) = match page {
        BuiltIn::Welcome => ("welcome", "Welcome", welcome(facts)),
        BuiltIn::Offline { url, error } => ("offline", "Not reachable", offline(url, error)),
        BuiltIn::Failed { name, reason } => ("failed", "Needs attention", failed(name, reason)),
    };
    format!(
        "<!doctype html><html lang=\"en\" class=\"{class}\"><head>{CHARSET}\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"dark\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><header><p class=\"eyebrow\">{MARK}<bdi>{name}</bdi></p></header>\
         <section class=\"matter\">{body}</section>{way}</main><script>{DRIFT}</script></body></html>",
        name = escape::shown(&facts.hostname, MAX_SHOWN),
        way = way_in(facts),
    )
}

/// The sign of the house, as on the operator's page.
const MARK: &str = "<svg viewBox=\"0 0 48 48\" aria-hidden=\"true\"><path fill=\"none\" \
    stroke=\"#8b857b\" stroke-width=\"2\" d=\"M7 7h34v34H7z\"/><path fill=\"#3cc9b7\" d=\"M14 14h20v13H14z\"/>\
    <path fill=\"#aca69b\" d=\"M14 31h5v4h-5zm7.500 0h5v4h-5zm7.500 0h5v4h-5z\"/><path fill=\"none\" \
    stroke=\"#3cc9b7\" stroke-width=\"3\" d=\"M1.500 12V1.500H12M46.500 36v10.500H36\"/></svg>";

/// Moves everything a hair's breadth aside every three minutes, round a small square: less than a wake-up
/// a minute, and no line stays on the same pixels.
const DRIFT: &str = "let step=0;setInterval(()=>{step=(step+1)%8;\
    const side=[0,1,1,1,0,-1,-1,-1],to=i=>side[i%8]*.25+'rem';\
    document.body.style.translate=to(step)+' '+to(step+2)},18e4)";

fn welcome(facts: &Facts) -> String {
    let Some(code) = &facts.claim_code else {
        return "<h1>Ready when you are.</h1><p>This kiosk is running and has nothing to show yet. \
                Choose its page from your phone or computer.</p>"
            .into();
    };
    format!(
        "<h1>Make this kiosk yours.</h1><p>Open the address from your phone or computer, and enter this \
         code.</p><p class=\"code\"><span>Claim code</span><bdi>{}</bdi></p>",
        escape::shown(code, MAX_SHOWN)
    )
}

fn offline(url: &str, error: &str) -> String {
    format!(
        "<h1>This page cannot be reached.</h1><p>{why}</p>\
         <p class=\"address\"><bdi>{url}</bdi></p><p class=\"again\">{AGAIN}Trying again by itself</p>\
         <p class=\"detail\"><bdi>{error}</bdi></p>",
        why = reasons::in_words(url, error),
        url = escape::shown(url, MAX_SHOWN),
        error = escape::shown(error, MAX_SHOWN),
    )
}

fn failed(name: &str, reason: &str) -> String {
    format!(
        "<h1>This screen needs attention.</h1><p><strong><bdi>{}</bdi></strong> does not come up, and \
         everything was tried.</p><p class=\"address\"><bdi>{}</bdi></p>\
         <p class=\"again\">{AGAIN}Tried again from time to time</p>",
        escape::shown(name, MAX_SHOWN),
        escape::shown(reason, MAX_SHOWN),
    )
}

/// A circle that is about to close.
const AGAIN: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path fill=\"none\" stroke=\"currentColor\" \
    stroke-width=\"2.500\" d=\"M20.500 12a8.500 8.500 0 1 1-2.500-6\"/><path fill=\"currentColor\" \
    d=\"M21.500 1.500v7.500h-7.500z\"/></svg>";

/// How the operator gets to the control page: the QR code, and the addresses to type.
fn way_in(facts: &Facts) -> String {
    let Some(best) = facts.links.first() else {
        return "<footer><div><p class=\"lead\">Not in a network yet</p><p class=\"link\">Plug in a cable, or \
                set up Wi-Fi, to reach this kiosk.</p></div></footer>"
            .into();
    };
    let code = match qr::svg(best) {
        Some(code) => format!("<figure>{code}</figure>"),
        None => String::new(),
    };
    let mut links = String::new();
    for link in facts.links.iter().take(MAX_LINKS) {
        let link = link.strip_prefix("http://").unwrap_or(link);
        let shown = escape::shown(link.trim_end_matches('/'), MAX_SHOWN);
        // A line ends before the port rather than within it.
        let (host, port) = shown.split_at(shown.rfind(':').unwrap_or(shown.len()));
        write!(links, "<p class=\"link\"><bdi>{host}<wbr>{port}</bdi></p>")
            .expect("a string takes whatever is written");
    }
    format!("<footer>{code}<div><p class=\"lead\">Set up and control</p>{links}</div></footer>")
}

#[cfg(test)]
mod tests;
