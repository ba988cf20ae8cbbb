//! The page: its files, inside the program.

use super::Api;
use super::error::{Error, Kind};
use super::reply::{Ask, Reply};
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

static INDEX: &[u8] = include_bytes!("page/index.html");

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the page consists of beside its frame: name, media type, content.
#[rustfmt::skip]
static PARTS: &[(&str, &str, &[u8])] = &[
    ("style.css",    CSS, include_bytes!("page/style.css")),
    ("favicon.svg",  SVG, include_bytes!("page/favicon.svg")),
    ("app.js",       JS,  include_bytes!("page/app.js")),
    ("api.js",       JS,  include_bytes!("page/api.js")),
    ("dialog.js",    JS,  include_bytes!("page/dialog.js")),
    ("dom.js",       JS,  include_bytes!("page/dom.js")),
    ("editor.js",    JS,  include_bytes!("page/editor.js")),
    ("feed.js",      JS,  include_bytes!("page/feed.js")),
    ("form.js",      JS,  include_bytes!("page/form.js")),
    ("logs.js",      JS,  include_bytes!("page/logs.js")),
    ("processes.js", JS,  include_bytes!("page/processes.js")),
    ("system.js",    JS,  include_bytes!("page/system.js")),
    ("words.js",     JS,  include_bytes!("page/words.js")),
];

/// `GET /`
pub async fn index(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "text/html; charset=utf-8", INDEX))
}

/// `GET /page/{id}`
pub async fn part(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    let found = PARTS.iter().find(|(name, ..)| *name == ask.id);
    let Some((_, media_type, bytes)) = found else {
        return Err(Error::new(
            Kind::NotFound,
            format!("the page has no part {}", ask.id),
        ));
    };
    Ok(asset(&ask, media_type, bytes))
}

/// A file of the program, or 304 where the client has it already. Clients ask each time
/// (`no-cache`), so after an update nobody is left with an old script for a new page.
pub fn asset(ask: &Ask<'_>, media_type: &'static str, bytes: &'static [u8]) -> Reply {
    let etag = etag(bytes);
    let is_known = (ask.header("if-none-match"))
        .is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
    if is_known {
        Reply::empty(304).with("ETag", etag)
    } else {
        Reply::fixed(media_type, bytes).with("ETag", etag)
    }
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
        let parts: usize = PARTS.iter().map(|(.., bytes)| bytes.len()).sum();
        let size = INDEX.len() + parts;
        assert!(size < 60_000, "{size} bytes");
    }

    #[test]
    fn whatever_a_part_asks_for_is_there() {
        let is_there = |name: &str| PARTS.iter().any(|(part, ..)| *part == name);
        for (name, _, bytes) in PARTS.iter().filter(|(_, media_type, _)| *media_type == JS) {
            let text = str::from_utf8(bytes).expect("text");
            for import in text.split(" from \"./").skip(1) {
                let (wanted, _) = import.split_once('"').expect("a quote ends");
                assert!(is_there(wanted), "{name} imports {wanted}");
            }
        }
    }
}
