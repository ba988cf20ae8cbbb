//! Makes an invocation of what was given to a command, a function for each.

use super::fields::{self, Change};
use super::grammar::Switch;
use super::table;
use super::{
    ClientCommand, DaemonOptions, Given, Invocation, ProcessCommand, Shell, Task, help, listen,
};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

type Built = Result<Invocation, String>;

/// What `logs` prints unless told otherwise: some screens, not the whole ring.
const LINES: u32 = 100;
/// As long as systemd waits for a unit, unless told otherwise.
const WAIT: Duration = Duration::from_secs(90);
/// A day. Longer waits are a mistake.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

const CONFIG: &str = "/etc/ossuary/config.json";
const STATE_DIR: &str = "/var/lib/ossuary";
pub(super) const RUN_DIR: &str = "/run/ossuary";
pub(super) const SOCKET: &str = "ossuary.sock";

pub(super) fn daemon(given: &mut Given) -> Built {
    Ok(Invocation::Daemon(DaemonOptions {
        config: given.path("config").unwrap_or_else(|| CONFIG.into()),
        state_dir: given.path("state-dir").unwrap_or_else(|| STATE_DIR.into()),
        run_dir: given.path("run-dir").unwrap_or_else(|| RUN_DIR.into()),
        listen: addresses(given, listen::default)?,
        hosts: given.values("host").map(text).collect::<Result<_, _>>()?,
        trusted_proxies: (given.values("trusted-proxy"))
            .map(|value| listen::parse_proxy(&text(value)?))
            .collect::<Result<_, _>>()?,
    }))
}

pub(super) fn demo(given: &mut Given) -> Built {
    Ok(Invocation::Demo {
        listen: addresses(given, listen::here)?,
    })
}

pub(super) fn check(given: &mut Given) -> Built {
    let file = given.arguments.pop_front();
    Ok(Invocation::Check {
        file: file.map_or_else(|| CONFIG.into(), PathBuf::from),
        json: given.has("json"),
    })
}

pub(super) fn first_boot(given: &mut Given) -> Built {
    let card = given.arguments.pop_front().unwrap_or_default();
    Ok(Invocation::FirstBoot {
        card: card.into(),
        root: given.path("root").unwrap_or_else(|| "/".into()),
    })
}

pub(super) fn status(given: &mut Given) -> Built {
    let id = given.words()?.pop();
    Ok(given.order(Task::Status(id)))
}

pub(super) fn start(given: &mut Given) -> Built {
    turn(given, ProcessCommand::Start)
}

pub(super) fn stop(given: &mut Given) -> Built {
    turn(given, ProcessCommand::Stop)
}

pub(super) fn restart(given: &mut Given) -> Built {
    turn(given, ProcessCommand::Restart)
}

fn turn(given: &mut Given, turn: ProcessCommand) -> Built {
    let wait = match given.text("timeout")? {
        None => WAIT,
        Some(text) => match text.parse() {
            Ok(seconds @ 1..=LONGEST_WAIT) => Duration::from_secs(seconds),
            _ => {
                return Err(format!(
                    "--timeout {text}: must be 1 to {LONGEST_WAIT} seconds"
                ));
            }
        },
    };
    let wait = (!given.has("no-wait")).then_some(wait);
    let ids = given.words()?;
    Ok(given.order(Task::Turn { turn, ids, wait }))
}

pub(super) fn logs(given: &mut Given) -> Built {
    let lines = match given.text("lines")? {
        None => LINES,
        Some(text) => text
            .parse()
            .map_err(|_| format!("--lines {text}: must be a number"))?,
    };
    let follow = given.has("follow");
    let id = given.word()?;
    Ok(given.order(Task::Logs { id, follow, lines }))
}

pub(super) fn add(given: &mut Given) -> Built {
    let mut process = Map::new();
    for field in ["id", "name", "type", "command", "url", "display"] {
        if let Some(text) = given.text(field)? {
            process.insert(field.into(), Value::String(text));
        }
    }
    for change in given.changes()? {
        fields::apply(&mut process, &change);
    }
    if process.is_empty() {
        return Err("`add` needs --command, or --url".into());
    }
    if process.contains_key("url") && !process.contains_key("type") {
        process.insert("type".into(), "chromium".into());
    }
    Ok(given.order(Task::Add(process)))
}

pub(super) fn set(given: &mut Given) -> Built {
    let id = given.word()?;
    let changes = given
        .words()?
        .iter()
        .map(|text| fields::parse(text))
        .collect::<Result<_, _>>()?;
    Ok(given.order(Task::Set { id, changes }))
}

pub(super) fn enable(given: &mut Given) -> Built {
    enabled(given, true)
}

pub(super) fn disable(given: &mut Given) -> Built {
    enabled(given, false)
}

fn enabled(given: &mut Given, enabled: bool) -> Built {
    let ids = given.words()?;
    Ok(given.order(Task::Enable { ids, enabled }))
}

pub(super) fn remove(given: &mut Given) -> Built {
    let ids = given.words()?;
    let force = given.has("force");
    Ok(given.order(Task::Remove { ids, force }))
}

pub(super) fn config(given: &mut Given) -> Built {
    let verb = match given.arguments.is_empty() {
        true => "get".to_owned(),
        false => given.word()?,
    };
    // `-` is standard input or output, as everywhere.
    let file = given.arguments.pop_front().filter(|file| file != "-");
    let file = file.map(PathBuf::from);
    let if_match = given.text("if-match")?;
    match (verb.as_str(), if_match, given.has("force")) {
        ("put", Some(_), true) => Err("`config put` takes --if-match or --force, not both".into()),
        ("put", None, false) => Err(
            "`config put` replaces the whole configuration: it needs --if-match ETAG, \
             as `config get FILE` prints it, or --force"
                .into(),
        ),
        ("put", if_match, _) => Ok(given.order(Task::ConfigPut { file, if_match })),
        (_, Some(_), _) => Err("`config get` takes no --if-match".into()),
        (_, None, true) => Err("`config get` takes no --force".into()),
        (_, None, false) => Ok(given.order(Task::ConfigGet(file))),
    }
}

pub(super) fn reload(given: &mut Given) -> Built {
    let task = match given.words()?.pop() {
        None => Task::Reload,
        Some(id) => Task::ReloadPage(id),
    };
    Ok(given.order(task))
}

pub(super) fn open(given: &mut Given) -> Built {
    let (id, url) = (given.word()?, given.word()?);
    let fade = given.has("fade");
    Ok(given.order(Task::Open { id, url, fade }))
}

pub(super) fn screenshot(given: &mut Given) -> Built {
    let width = match given.text("width")? {
        None => None,
        Some(text) => match text.parse() {
            Ok(width @ 1..) => Some(width),
            _ => return Err(format!("--width {text}: must be a number of pixels")),
        },
    };
    // `-` is standard output, as everywhere.
    let file = given.path("output").filter(|file| file.as_os_str() != "-");
    let id = given.word()?;
    Ok(given.order(Task::Screenshot { id, file, width }))
}

pub(super) fn upgrade(given: &mut Given) -> Built {
    Ok(given.order(Task::Upgrade))
}

pub(super) fn schedule(given: &mut Given) -> Built {
    let mut words = given.words()?.into_iter();
    match (words.next(), words.next()) {
        (None, _) => Ok(given.order(Task::Schedule)),
        (Some(_run), Some(rule)) => Ok(given.order(Task::RunRule(rule))),
        (Some(_run), None) => Err("`schedule run` needs RULE".to_owned()),
    }
}

pub(super) fn passwd(given: &mut Given) -> Built {
    Ok(given.order(match given.has("reset") {
        true => Task::ResetPassword,
        false => Task::SetPassword,
    }))
}

pub(super) fn token(given: &mut Given) -> Built {
    let verb = given.word()?;
    let id = given.words()?.pop();
    let (name, role) = (given.text("name")?, given.text("role")?);
    let task = match (verb.as_str(), id, name, role) {
        ("add", None, Some(name), Some(role)) => Task::AddToken { name, role },
        ("add", ..) => return Err("`token add` needs --name and --role, and no ID".into()),
        ("list", None, None, None) => Task::Tokens,
        ("list", ..) => return Err("`token list` takes nothing else".into()),
        ("remove", Some(id), None, None) => Task::RemoveToken(id),
        (..) => return Err("`token remove` needs an ID, and no options".into()),
    };
    Ok(given.order(task))
}

pub(super) fn displays(given: &mut Given) -> Built {
    Ok(given.order(Task::Displays))
}

pub(super) fn power(given: &mut Given) -> Built {
    let on = given.word()? == "on";
    let display = given.words()?.pop();
    Ok(given.order(Task::Power { on, display }))
}

pub(super) fn system(given: &mut Given) -> Built {
    Ok(given.order(Task::System))
}

pub(super) fn events(given: &mut Given) -> Built {
    Ok(given.order(Task::Events))
}

pub(super) fn completion(given: &mut Given) -> Built {
    let shell = Shell::of(&given.word()?);
    Ok(Invocation::Print(shell.script().to_owned()))
}

pub(super) fn help(given: &mut Given) -> Built {
    let verb = given.words()?.pop().and_then(|name| table::verb(&name));
    Ok(Invocation::Print(
        verb.map_or_else(help::overview, help::of),
    ))
}

fn addresses(given: &Given, unasked: fn() -> Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let mut listen = Vec::new();
    for value in given.values("listen") {
        let address = listen::parse(&text(value)?)?;
        if !listen.contains(&address) {
            listen.push(address);
        }
    }
    Ok(match listen.is_empty() {
        true => unasked(),
        false => listen,
    })
}

fn text(word: &OsString) -> Result<String, String> {
    match word.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("`{}` is not UTF-8", word.to_string_lossy())),
    }
}

impl Given {
    fn values(&self, long: &str) -> impl Iterator<Item = &OsString> {
        let named = move |(switch, _): &&(&'static Switch, OsString)| switch.long == long;
        self.switches.iter().filter(named).map(|(_, value)| value)
    }

    fn has(&self, long: &str) -> bool {
        self.values(long).next().is_some()
    }

    /// The last one counts, so that an alias can be overruled.
    fn path(&self, long: &str) -> Option<PathBuf> {
        self.values(long).last().map(PathBuf::from)
    }

    fn text(&self, long: &str) -> Result<Option<String>, String> {
        self.values(long).last().map(text).transpose()
    }

    fn changes(&self) -> Result<Vec<Change>, String> {
        self.values("set")
            .map(|value| fields::parse(&text(value)?))
            .collect()
    }

    /// The next argument; that it is there was counted before.
    fn word(&mut self) -> Result<String, String> {
        text(&self.arguments.pop_front().unwrap_or_default())
    }

    /// The arguments that are left.
    fn words(&mut self) -> Result<Vec<String>, String> {
        self.arguments.drain(..).map(|word| text(&word)).collect()
    }

    fn order(&self, task: Task) -> Invocation {
        Invocation::Client(ClientCommand {
            socket: socket(self.path("socket"), self.path("run-dir")),
            json: self.has("json"),
            task,
        })
    }
}

/// The daemon's socket: as given, or in the run directory.
pub(super) fn socket(socket: Option<PathBuf>, run_dir: Option<PathBuf>) -> PathBuf {
    socket.unwrap_or_else(|| run_dir.unwrap_or_else(|| RUN_DIR.into()).join(SOCKET))
}
