//! The static files of the web UI.

pub(in crate::http) mod asset;

use super::context::Api;
use super::error::{Error, ErrorKind};
use super::reply::{ApiRequest, Reply};
use super::ui::asset::{Asset, asset};
use std::rc::Rc;

static INDEX: Asset = asset!("index.html");

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The files of the web UI besides `index.html`: name, media type, content.
#[rustfmt::skip]
static FILES: &[(&str, &str, Asset)] = &[
    ("style.css",    CSS, asset!("style.css")),
    ("favicon.svg",  SVG, asset!("favicon.svg")),
    ("app.js",       JS,  asset!("app.js")),
    ("access.js",    JS,  asset!("access.js")),
    ("address.js",   JS,  asset!("address.js")),
    ("api.js",       JS,  asset!("api.js")),
    ("behaviors.js", JS,  asset!("behaviors.js")),
    ("dialog.js",    JS,  asset!("dialog.js")),
    ("displays.js",  JS,  asset!("displays.js")),
    ("dom.js",       JS,  asset!("dom.js")),
    ("draft.js",     JS,  asset!("draft.js")),
    ("editor.js",    JS,  asset!("editor.js")),
    ("feed.js",      JS,  asset!("feed.js")),
    ("form.js",      JS,  asset!("form.js")),
    ("logs.js",      JS,  asset!("logs.js")),
    ("processes.js", JS,  asset!("processes.js")),
    ("rule.js",      JS,  asset!("rule.js")),
    ("rule-editor.js", JS, asset!("rule-editor.js")),
    ("rule-words.js", JS, asset!("rule-words.js")),
    ("schedule.js",  JS,  asset!("schedule.js")),
    ("screen.js",    JS,  asset!("screen.js")),
    ("signin.js",    JS,  asset!("signin.js")),
    ("system.js",    JS,  asset!("system.js")),
    ("words.js",     JS,  asset!("words.js")),
];

/// `GET /`
pub async fn index(_api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    Ok(INDEX.answer(&request, "text/html; charset=utf-8"))
}

/// `GET /page/{id}`
pub async fn file(_api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let found = FILES.iter().find(|(name, ..)| *name == request.id);
    let Some((_, media_type, file)) = found else {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("the web UI has no file {}", request.id),
        ));
    };
    Ok(file.answer(&request, media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_ui_is_under_60_kb() {
        let all = FILES.iter().map(|(.., file)| file).chain([&INDEX]);
        let size: usize = all.map(|file| file.deflated.len()).sum();
        assert!(size > 10_000, "the files are included");
        assert!(size < 60_000, "{size} bytes");
    }

    #[test]
    fn a_script_is_sent_without_comments_and_with_the_same_line_numbers() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/ui");
        for (name, _, file) in FILES.iter().filter(|(_, media_type, _)| *media_type == JS) {
            let written = std::fs::read_to_string(format!("{folder}/{name}")).expect("a file");
            let sent = String::from_utf8(file.inflated()).expect("text");
            let sent: Vec<_> = sent.lines().collect();
            assert_eq!(sent.len(), written.lines().count(), "{name}");
            for (sent, written) in sent.iter().zip(written.lines()) {
                let text = written.trim_start();
                let is_code = !["//", "/**", "*"].iter().any(|mark| text.starts_with(mark));
                assert_eq!(*sent, if is_code { written } else { "" }, "{name}");
            }
        }
    }

    #[test]
    fn all_imported_files_exist() {
        let is_there = |name: &str| FILES.iter().any(|(file, ..)| *file == name);
        for (name, _, file) in FILES.iter().filter(|(_, media_type, _)| *media_type == JS) {
            let text = String::from_utf8(file.inflated()).expect("text");
            for import in text.split(" from \"./").skip(1) {
                let (wanted, _) = import.split_once('"').expect("a quote ends");
                assert!(is_there(wanted), "{name} imports {wanted}");
            }
        }
    }
}
