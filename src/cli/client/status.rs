//! `ossuary status`: the state of all processes, or of one.

use super::connection::parse;
use super::context::{Client, Done, object};
use super::error::Error;
use super::http::{Request, target};
use super::terminal::{Cell, Tint, plain, plain_text, span};
use crate::cli::Exit;
use serde_json::Value;

const HEADING: [&str; 7] = [
    "ID", "NAME", "STATUS", "PID", "UPTIME", "RESTARTS", "REASON",
];

impl Client<'_, '_> {
    /// Prints every process, one a line, and then the problems of the configuration file.
    pub fn print_all_processes(&mut self) -> Done {
        let Some(response) = self.fetch("/api/processes")? else {
            return Ok(Exit::Done);
        };
        let processes = object(&response, "processes")?.iter();
        let rows: Vec<Vec<Cell>> = processes.map(|(id, view)| row(id, view)).collect();
        if rows.is_empty() {
            self.terminal
                .print("no process is configured; see `ossuary help add`")?;
        } else {
            self.terminal.table(&HEADING, &rows)?;
        }
        let status = self.daemon.request_json(&Request::get("/api/status"))?;
        self.print_last_start(&status["last_start"])?;
        if let Some(code) = status["claim_code"].as_str() {
            self.terminal.print(format_args!(
                "claim code: {code} (this kiosk is not claimed yet; enter the code in the web UI)"
            ))?;
        }
        self.print_problems(&status);
        Ok(Exit::Done)
    }

    /// Prints why the daemon was started; an older daemon does not report it.
    fn print_last_start(&mut self, last: &Value) -> Result<(), Error> {
        if last.is_null() {
            return Ok(());
        }
        let [reason, detail] = ["reason", "detail"].map(|field| plain_text(&last[field]));
        let tint = match reason.as_str() {
            "crash" | "watchdog" | "hardware watchdog" => Tint::Bad,
            _ => Tint::Plain,
        };
        self.terminal.print_tinted(&[
            ("last start: ", Tint::Plain),
            (&reason, tint),
            (": ", Tint::Plain),
            (&detail, Tint::Plain),
        ])
    }

    /// Prints the problems of the configuration file and which configuration is used instead. Returns whether there are
    /// problems.
    pub fn print_problems(&mut self, status: &Value) -> bool {
        let configuration = &status["configuration"];
        let file = plain_text(&configuration["file"]);
        let instead = match configuration["source"].as_str() {
            Some("running") => Some("the previous configuration stays active"),
            Some("last_good") => Some("the last valid copy is active"),
            _ => None,
        };
        if let Some(instead) = instead {
            self.terminal
                .note(format_args!("{file} is invalid; {instead}"));
        }
        if configuration["file_differs"] == true {
            self.terminal.note(format_args!(
                "{file} was changed on disk and is not in effect; `ossuary reload` applies it"
            ));
        }
        let problems = configuration["problems"].as_array();
        for problem in problems.into_iter().flatten() {
            let [path, message] = ["path", "message"].map(|field| plain_text(&problem[field]));
            let gap = if path.is_empty() { "" } else { ": " };
            self.terminal
                .note(format_args!("configuration: {path}{gap}{message}"));
        }
        problems.is_some_and(|problems| !problems.is_empty())
    }

    /// Prints one process in full. Exits with [`Exit::NotRunning`] unless it runs.
    pub fn print_process(&mut self, id: &str) -> Done {
        let text = self.daemon.request_text(&Request::get(target(id, "")))?;
        let view = parse(&text)?;
        match self.json {
            true => self.terminal.print(text.trim_end())?,
            false => self.describe(id, &view)?,
        }
        Ok(match view["status"].as_str() {
            Some("running") => Exit::Done,
            _ => Exit::NotRunning,
        })
    }

    fn describe(&mut self, id: &str, view: &Value) -> Result<(), Error> {
        let name = plain_text(&view["name"]);
        self.terminal.print(format_args!("{name} ({id})"))?;
        let field = |name: &'static str| (name, plain(&view[name]));
        let page = &view["page"];
        let page_tint = Tint::of_page(&plain_text(&page["state"]));
        let rows = [
            ("status", status(view)),
            field("since"),
            field("reason"),
            field("pid"),
            ("uptime", uptime(view)),
            ("page", (page_state(page), page_tint)),
            ("page url", plain(&page["url"])),
            field("restarts"),
            field("type"),
            field("command"),
            field("url"),
            field("display"),
            field("enabled"),
            field("autostart"),
        ];
        for (name, (value, tint)) in rows.iter().filter(|(_, (value, _))| !value.is_empty()) {
            let name = format!("  {name:9}  ");
            self.terminal
                .print_tinted(&[(&name, Tint::Plain), (value, *tint)])?;
        }
        Ok(())
    }
}

fn row(id: &str, view: &Value) -> Vec<Cell> {
    vec![
        (id.to_owned(), Tint::Plain),
        plain(&view["name"]),
        status(view),
        plain(&view["pid"]),
        uptime(view),
        plain(&view["restarts"]),
        reason(view),
    ]
}

fn status(view: &Value) -> Cell {
    let status = plain_text(&view["status"]);
    let tint = Tint::of_status(&status);
    (status, tint)
}

/// Why a process is in its state. For a display process whose page has a problem, that problem.
fn reason(view: &Value) -> Cell {
    let page = &view["page"];
    match Tint::of_page(&plain_text(&page["state"])) {
        Tint::Bad => (format!("page {}", page_state(page)), Tint::Bad),
        _ => plain(&view["reason"]),
    }
}

/// `net_error: its server cannot be reached`
fn page_state(page: &Value) -> String {
    let [state, reason] = ["state", "reason"].map(|field| plain_text(&page[field]));
    let gap = if reason.is_empty() { "" } else { ": " };
    format!("{state}{gap}{reason}")
}

fn uptime(view: &Value) -> Cell {
    let uptime = view["uptime"].as_f64();
    // An uptime is not negative; fractions of a second are dropped.
    let text = uptime.map_or(String::new(), |seconds| span(seconds as u64));
    (text, Tint::Plain)
}
