//! The page: its files, inside the program.

use super::Api;
use super::error::{Error, Kind};
use super::reply::{Ask, Reply};
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

/// A part of the page: as it was written, and as a browser likes it better (deflated by `build.rs`).
#[derive(Clone, Copy)]
pub struct Part {
    plain: &'static [u8],
    small: Option<&'static [u8]>,
}

impl Part {
    /// Something that is not of the page, and is sent as it is.
    pub const fn plain(plain: &'static [u8]) -> Self {
        Self { plain, small: None }
    }
}

macro_rules! part {
    ($name:literal) => {
        Part {
            plain: include_bytes!(concat!("page/", $name)),
            small: Some(include_bytes!(concat!(env!("OUT_DIR"), "/", $name))),
        }
    };
}

static INDEX: Part = part!("index.html");

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the page consists of beside its frame: name, media type, content.
#[rustfmt::skip]
static PARTS: &[(&str, &str, Part)] = &[
    ("style.css",    CSS, part!("style.css")),
    ("favicon.svg",  SVG, part!("favicon.svg")),
    ("app.js",       JS,  part!("app.js")),
    ("access.js",    JS,  part!("access.js")),
    ("address.js",   JS,  part!("address.js")),
    ("api.js",       JS,  part!("api.js")),
    ("behaviors.js", JS,  part!("behaviors.js")),
    ("dialog.js",    JS,  part!("dialog.js")),
    ("displays.js",  JS,  part!("displays.js")),
    ("dom.js",       JS,  part!("dom.js")),
    ("draft.js",     JS,  part!("draft.js")),
    ("editor.js",    JS,  part!("editor.js")),
    ("feed.js",      JS,  part!("feed.js")),
    ("form.js",      JS,  part!("form.js")),
    ("logs.js",      JS,  part!("logs.js")),
    ("processes.js", JS,  part!("processes.js")),
    ("rule.js",      JS,  part!("rule.js")),
    ("rule-editor.js", JS, part!("rule-editor.js")),
    ("rule-words.js", JS, part!("rule-words.js")),
    ("schedule.js",  JS,  part!("schedule.js")),
    ("screen.js",    JS,  part!("screen.js")),
    ("signin.js",    JS,  part!("signin.js")),
    ("system.js",    JS,  part!("system.js")),
    ("words.js",     JS,  part!("words.js")),
];

/// `GET /`
pub async fn index(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "text/html; charset=utf-8", INDEX))
}

/// `GET /page/{id}`
pub async fn part(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    let found = PARTS.iter().find(|(name, ..)| *name == ask.id);
    let Some((_, media_type, part)) = found else {
        return Err(Error::new(
            Kind::NotFound,
            format!("the page has no part {}", ask.id),
        ));
    };
    Ok(asset(&ask, media_type, *part))
}

/// A part of the page, or 304 where the client has it already. Clients ask each time
/// (`no-cache`), so after an update nobody is left with an old script for a new page.
pub fn asset(ask: &Ask<'_>, media_type: &'static str, part: Part) -> Reply {
    let deflates = (ask.header("accept-encoding"))
        .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == "deflate"));
    let small = part.small.filter(|_| deflates);
    let bytes = small.unwrap_or(part.plain);
    let etag = etag(bytes);
    let is_known = (ask.header("if-none-match"))
        .is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
    let reply = match is_known {
        true => Reply::empty(304),
        false if small.is_some() => {
            Reply::fixed(media_type, bytes).with("Content-Encoding", "deflate")
        }
        false => Reply::fixed(media_type, bytes),
    };
    reply.with("ETag", etag).with("Vary", "Accept-Encoding")
}

/// Hashing 60 kB takes a Pi some 60 µs, and a page is loaded a few times a day.
fn etag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_under_60_kb() {
        let all = PARTS.iter().map(|(.., part)| part).chain([&INDEX]);
        let size: usize = all.filter_map(|part| part.small).map(<[u8]>::len).sum();
        assert!(size > 10_000, "the parts are there");
        assert!(size < 60_000, "{size} bytes");
    }

    #[test]
    fn whatever_a_part_asks_for_is_there() {
        let is_there = |name: &str| PARTS.iter().any(|(part, ..)| *part == name);
        for (name, _, part) in PARTS.iter().filter(|(_, media_type, _)| *media_type == JS) {
            let text = str::from_utf8(part.plain).expect("text");
            for import in text.split(" from \"./").skip(1) {
                let (wanted, _) = import.split_once('"').expect("a quote ends");
                assert!(is_there(wanted), "{name} imports {wanted}");
            }
        }
    }
}
