//! The built-in pages: what a screen shows when the kiosk page cannot be shown.
//!
//! Each is one document without further requests, so a browser without a network can load it from a `data:` URL. It has
//! no animation; only every few minutes the content moves a little, so that it does not burn into the screen. The
//! welcome page that is stored as a file also checks every minute whether the file has changed ([`WelcomeFiles`]).

mod escape;
mod overlay;
mod qr;
mod reasons;

use crate::supervisor::BuiltIn;
use base64ct::{Base64, Encoding};
pub use overlay::{NO_OVERLAY, overlay};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What the built-in pages show about the kiosk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The host name.
    pub hostname: String,
    /// The URLs of the web UI, `http://…`. The first is the best; the QR code contains it.
    pub links: Vec<String>,
    /// The claim code, while the kiosk is unclaimed.
    pub claim_code: Option<String>,
}

/// How many links are shown: as many as fit on the smallest screen.
const MAX_LINKS: usize = 2;

/// The longest untrusted text that is shown, in characters: two or three lines.
const MAX_SHOWN: usize = 160;

const STYLE: &str = include_str!("page.css");

/// The prefix of the `data:` URLs of built-in pages, by which a later daemon recognizes them too.
const URL_PREFIX: &str = "data:text/html;charset=utf-8;ossuary=";

/// The names of the built-in pages, by the parameter that follows the prefix.
const NAMES: [(&str, &str); 3] = [
    ("welcome", "about:welcome"),
    ("offline", "about:offline"),
    ("failed", "about:failed"),
];

/// The name of a page, and a `data:` URL that contains it.
pub fn address(page: &BuiltIn, facts: &Facts) -> (&'static str, String) {
    let (kind, name) = NAMES[match page {
        BuiltIn::Welcome => 0,
        BuiltIn::Offline { .. } => 1,
        BuiltIn::Failed { .. } => 2,
    }];
    let content = Base64::encode_string(render(page, facts).as_bytes());
    (name, format!("{URL_PREFIX}{kind};base64,{content}"))
}

/// The name of the built-in page with this URL, if it is one.
pub fn name_at(address: &str) -> Option<&'static str> {
    let (kind, _) = address.strip_prefix(URL_PREFIX)?.split_once(';')?;
    let named = NAMES.iter().find(|(known, _)| *known == kind);
    named.map(|(_, name)| *name)
}

/// The welcome page as files: it stays up to date while it is shown.
pub struct WelcomeFiles {
    /// The page. It loads `welcome.js` every minute, and reloads only if that has changed: the browser writes each
    /// reload to its history, and memory cards wear out.
    pub page: String,
    /// `welcome.js`: it contains the hash of the page.
    pub script: String,
}

/// Renders the welcome page as files.
pub fn welcome_files(facts: &Facts) -> WelcomeFiles {
    let page = render(&BuiltIn::Welcome, facts);
    let mut stamp = DefaultHasher::new();
    page.hash(&mut stamp);
    let stamp = stamp.finish();
    let check = format!("{CHARSET}<script>const stamp=\"{stamp:016x}\";{CHECK}</script>");
    WelcomeFiles {
        page: page.replacen(CHARSET, &check, 1),
        script: format!("stands(\"{stamp:016x}\")\n"),
    }
}

/// Loads `welcome.js` every minute, each time with another query, or the browser would take it from its cache. Pages
/// that an earlier version wrote also define `stands`, so that an upgrade updates a page that is on the screen.
const CHECK: &str = "self.stands=now=>{if(now!==stamp)location.reload()};\
    setInterval(()=>{const script=document.createElement('script');script.src='welcome.js?'+Date.now();\
    script.onload=script.onerror=()=>script.remove();document.head.append(script)},6e4)";

/// The beginning of the head of every built-in page.
const CHARSET: &str = "<meta charset=\"utf-8\">";

/// Renders a page as a complete document.
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
         <section class=\"matter\">{body}</section>{links}</main><script>{DRIFT}</script></body></html>",
        name = escape::shown(&facts.hostname, MAX_SHOWN),
        links = web_ui_links(facts),
    )
}

/// The logo, as in the web UI.
const MARK: &str = "<svg viewBox=\"0 0 48 48\" aria-hidden=\"true\"><path fill=\"none\" \
    stroke=\"#8b857b\" stroke-width=\"2\" d=\"M7 7h34v34H7z\"/><path fill=\"#3cc9b7\" d=\"M14 14h20v13H14z\"/>\
    <path fill=\"#aca69b\" d=\"M14 31h5v4h-5zm7.500 0h5v4h-5zm7.500 0h5v4h-5z\"/><path fill=\"none\" \
    stroke=\"#3cc9b7\" stroke-width=\"3\" d=\"M1.500 12V1.500H12M46.500 36v10.500H36\"/></svg>";

/// Moves the content along a small square, one step every three minutes: less than one wake-up a minute, and no line
/// stays on the same pixels.
const DRIFT: &str = "let step=0;setInterval(()=>{step=(step+1)%8;\
    const side=[0,1,1,1,0,-1,-1,-1],to=i=>side[i%8]*.25+'rem';\
    document.body.style.translate=to(step)+' '+to(step+2)},18e4)";

fn welcome(facts: &Facts) -> String {
    let Some(code) = &facts.claim_code else {
        return "<h1>Ready to set up.</h1><p>This kiosk is running and has no page to show yet. \
                Choose its page from your phone or computer.</p>"
            .into();
    };
    format!(
        "<h1>Make this kiosk yours.</h1><p>Open the web UI from your phone or computer, and enter this \
         code.</p><p class=\"code\"><span>Claim code</span><bdi>{}</bdi></p>",
        escape::shown(code, MAX_SHOWN)
    )
}

fn offline(url: &str, error: &str) -> String {
    format!(
        "<h1>This page cannot be reached.</h1><p>{why}</p>\
         <p class=\"address\"><bdi>{url}</bdi></p><p class=\"again\">{AGAIN}Retrying automatically</p>\
         <p class=\"detail\"><bdi>{error}</bdi></p>",
        why = reasons::in_words(url, error),
        url = escape::shown(url, MAX_SHOWN),
        error = escape::shown(error, MAX_SHOWN),
    )
}

fn failed(name: &str, reason: &str) -> String {
    format!(
        "<h1>This screen needs attention.</h1><p><strong><bdi>{}</bdi></strong> does not work, and all \
         recovery steps failed.</p><p class=\"address\"><bdi>{}</bdi></p>\
         <p class=\"again\">{AGAIN}Retrying periodically</p>",
        escape::shown(name, MAX_SHOWN),
        escape::shown(reason, MAX_SHOWN),
    )
}

/// The retry icon: a circular arrow.
const AGAIN: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path fill=\"none\" stroke=\"currentColor\" \
    stroke-width=\"2.500\" d=\"M20.500 12a8.500 8.500 0 1 1-2.500-6\"/><path fill=\"currentColor\" \
    d=\"M21.500 1.500v7.500h-7.500z\"/></svg>";

/// How the operator opens the web UI: the QR code, and the links to type.
fn web_ui_links(facts: &Facts) -> String {
    let Some(best) = facts.links.first() else {
        return "<footer><div><p class=\"lead\">No network connection</p><p class=\"link\">Connect a cable, or \
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
        // A line break is allowed before the port, not within it.
        let (host, port) = shown.split_at(shown.rfind(':').unwrap_or(shown.len()));
        write!(links, "<p class=\"link\"><bdi>{host}<wbr>{port}</bdi></p>")
            .expect("writing to a string does not fail");
    }
    format!("<footer>{code}<div><p class=\"lead\">Set up and control</p>{links}</div></footer>")
}

#[cfg(test)]
mod tests;
