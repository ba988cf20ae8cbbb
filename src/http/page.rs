//! The page: four files inside the program.

use super::Api;
use super::error::Error;
use super::reply::{Ask, Reply};
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;

static INDEX: &[u8] = include_bytes!("page/index.html");
static SCRIPT: &[u8] = include_bytes!("page/app.js");
static STYLE: &[u8] = include_bytes!("page/style.css");
static ICON: &[u8] = include_bytes!("page/favicon.svg");

/// `GET /`
pub async fn index(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "text/html; charset=utf-8", INDEX))
}

/// `GET /app.js`
pub async fn script(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "text/javascript; charset=utf-8", SCRIPT))
}

/// `GET /style.css`
pub async fn style(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "text/css; charset=utf-8", STYLE))
}

/// `GET /favicon.svg`
pub async fn icon(_api: &Rc<Api>, ask: Ask<'_>) -> Result<Reply, Error> {
    Ok(asset(&ask, "image/svg+xml", ICON))
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
        let size: usize = [INDEX, SCRIPT, STYLE, ICON]
            .iter()
            .map(|file| file.len())
            .sum();
        assert!(size < 60_000, "{size} bytes");
    }
}
