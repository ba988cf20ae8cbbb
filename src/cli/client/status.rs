//! `ossuary status`: the state of all processes, or of one.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, plain_text, span};
use crate::cli::Exit;
use serde_json::{Map, Value};

/// The request target of a process, with a suffix such as `/start`.
pub fn target(id: &str, rest: &str) -> String {
    format!("/api/processes/{}{rest}", segment(id))
}

/// The processes of a response by id, in the order of the configuration.
///
/// # Errors
/// The response has no `processes`.
pub fn processes(answer: &Value) -> Result<&Map<String, Value>, Error> {
    answer["processes"]
        .as_object()
        .ok_or_else(|| Error::InvalidResponse("its response has no `processes`".into()))
}

/// Prints every process, one a line, and then the problems of the configuration file.
pub fn all(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/processes");
    if json {
        terminal.print(daemon.request_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.request_json(&request)?;
    let rows: Vec<Vec<Cell>> = processes(&answer)?
        .iter()
        .map(|(id, view)| row(id, view))
        .collect();
    if rows.is_empty() {
        terminal.print("no process is configured; see `ossuary help add`")?;
    } else {
        let heading = [
            "ID", "NAME", "STATUS", "PID", "UPTIME", "RESTARTS", "REASON",
        ];
        terminal.table(&heading, &rows)?;
    }
    let status = daemon.request_json(&Request::get("/api/status"))?;
    last_start(&status["last_start"], terminal)?;
    if let Some(code) = status["claim_code"].as_str() {
        terminal.print(format_args!(
            "claim code: {code} (this kiosk is not claimed yet; enter the code in the web UI)"
        ))?;
    }
    problems(&status, terminal);
    Ok(Exit::Done)
}

/// Prints why the daemon was started; an older daemon does not report it.
fn last_start(last: &Value, terminal: &mut Terminal<'_>) -> Result<(), Error> {
    if last.is_null() {
        return Ok(());
    }
    let [reason, detail] = ["reason", "detail"].map(|field| plain_text(&last[field]));
    let tint = match reason.as_str() {
        "crash" | "watchdog" | "hardware watchdog" => Tint::Bad,
        _ => Tint::Plain,
    };
    terminal.print_tinted(&[
        ("last start: ", Tint::Plain),
        (&reason, tint),
        (": ", Tint::Plain),
        (&detail, Tint::Plain),
    ])
}

/// Prints the problems of the configuration file and which configuration is used instead. Returns whether there are
/// problems.
pub fn problems(status: &Value, terminal: &mut Terminal<'_>) -> bool {
    let file = plain_text(&status["configuration"]["file"]);
    match status["configuration"]["source"].as_str() {
        Some("running") => terminal.note(format_args!(
            "{file} is invalid; the previous configuration stays active"
        )),
        Some("last_good") => {
            terminal.note(format_args!(
                "{file} is invalid; the last valid copy is active"
            ));
        }
        _ => {}
    }
    if status["configuration"]["file_differs"] == true {
        terminal.note(format_args!(
            "{file} was changed on disk and is not in effect; `ossuary reload` applies it"
        ));
    }
    let problems = status["configuration"]["problems"].as_array();
    for problem in problems.into_iter().flatten() {
        let [path, message] = ["path", "message"].map(|field| plain_text(&problem[field]));
        let gap = if path.is_empty() { "" } else { ": " };
        terminal.note(format_args!("configuration: {path}{gap}{message}"));
    }
    problems.is_some_and(|problems| !problems.is_empty())
}

fn row(id: &str, view: &Value) -> Vec<Cell> {
    let status = plain_text(&view["status"]);
    let tint = Tint::of_status(&status);
    let plain = |text: String| (text, Tint::Plain);
    vec![
        plain(id.to_owned()),
        plain(plain_text(&view["name"])),
        (status, tint),
        plain(plain_text(&view["pid"])),
        plain(uptime(view)),
        plain(plain_text(&view["restarts"])),
        reason(view),
    ]
}

/// Why a process is in its state. For a display process whose page has a problem, that problem.
fn reason(view: &Value) -> Cell {
    let page = &view["page"];
    match Tint::of_page(&plain_text(&page["state"])) {
        Tint::Bad => (format!("page {}", page_state(page)), Tint::Bad),
        _ => (plain_text(&view["reason"]), Tint::Plain),
    }
}

/// `net_error: its server cannot be reached`
fn page_state(page: &Value) -> String {
    let [state, reason] = ["state", "reason"].map(|field| plain_text(&page[field]));
    let gap = if reason.is_empty() { "" } else { ": " };
    format!("{state}{gap}{reason}")
}

fn uptime(view: &Value) -> String {
    view["uptime"].as_f64().map_or(String::new(), |seconds| {
        span(seconds as u64) // an uptime is not negative; fractions of a second are dropped
    })
}

/// Prints one process in full. Exits with [`Exit::NotRunning`] unless it runs.
pub fn one(
    daemon: &Daemon,
    id: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let text = daemon.request_text(&Request::get(target(id, "")))?;
    let view: Value = serde_json::from_str(&text)
        .map_err(|error| Error::InvalidResponse(format!("its response is not JSON: {error}")))?;
    if json {
        terminal.print(text.trim_end())?;
    } else {
        describe(id, &view, terminal)?;
    }
    Ok(match view["status"].as_str() {
        Some("running") => Exit::Done,
        _ => Exit::NotRunning,
    })
}

fn describe(id: &str, view: &Value, terminal: &mut Terminal<'_>) -> Result<(), Error> {
    terminal.print(format_args!("{} ({id})", plain_text(&view["name"])))?;
    let plain = |field: &'static str| (field, plain_text(&view[field]), Tint::Plain);
    let status = plain_text(&view["status"]);
    let tint = Tint::of_status(&status);
    let mut rows = vec![("status", status, tint)];
    rows.extend(["since", "reason", "pid"].map(plain));
    rows.push(("uptime", uptime(view), Tint::Plain));
    let page = &view["page"];
    let tint = Tint::of_page(&plain_text(&page["state"]));
    rows.push(("page", page_state(page), tint));
    rows.push(("page url", plain_text(&page["url"]), Tint::Plain));
    rows.extend(
        [
            "restarts",
            "type",
            "command",
            "url",
            "display",
            "enabled",
            "autostart",
        ]
        .map(plain),
    );
    for (field, value, tint) in rows.iter().filter(|(_, value, _)| !value.is_empty()) {
        let field = format!("  {field:9}  ");
        terminal.print_tinted(&[(&field, Tint::Plain), (value, *tint)])?;
    }
    Ok(())
}
