//! Builds an [`Invocation`] from the parsed arguments, with one function a command.

use super::fields::{self, Change};
use super::grammar::{ParsedArgs, text};
use super::help::Shell;
use super::invocation::{ClientCommand, DaemonOptions, Invocation, ProcessCommand, Task};
use super::listen;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

type Built = Result<Invocation, String>;

/// The default of `logs --lines`.
const LINES: u32 = 100;
/// The default of `--timeout`: the time that systemd gives a unit.
const WAIT: Duration = Duration::from_secs(90);
/// The longest `--timeout` in seconds: a day.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

const CONFIG: &str = "/etc/ossuary/config.json";
const STATE_DIR: &str = "/var/lib/ossuary";
pub(super) const RUN_DIR: &str = "/run/ossuary";
pub(super) const SOCKET: &str = "ossuary.sock";

pub(super) fn daemon(args: &mut ParsedArgs) -> Built {
    Ok(Invocation::Daemon(DaemonOptions {
        config: args.path("config").unwrap_or_else(|| CONFIG.into()),
        state_dir: args.path("state-dir").unwrap_or_else(|| STATE_DIR.into()),
        run_dir: args.path("run-dir").unwrap_or_else(|| RUN_DIR.into()),
        listen: addresses(args, listen::default)?,
        hosts: args.values("host").map(text).collect::<Result<_, _>>()?,
        trusted_proxies: (args.values("trusted-proxy"))
            .map(|value| listen::parse_proxy(&text(value)?))
            .collect::<Result<_, _>>()?,
    }))
}

pub(super) fn demo(args: &mut ParsedArgs) -> Built {
    Ok(Invocation::Demo {
        listen: addresses(args, listen::loopback)?,
    })
}

pub(super) fn check(args: &mut ParsedArgs) -> Built {
    let file = args.arguments.pop_front();
    Ok(Invocation::Check {
        file: file.map_or_else(|| CONFIG.into(), PathBuf::from),
        json: args.has("json"),
    })
}

pub(super) fn first_boot(args: &mut ParsedArgs) -> Built {
    let card = args.arguments.pop_front().unwrap_or_default();
    Ok(Invocation::FirstBoot {
        card: card.into(),
        root: args.path("root").unwrap_or_else(|| "/".into()),
    })
}

pub(super) fn status(args: &mut ParsedArgs) -> Built {
    let id = args.remaining_arguments()?.pop();
    Ok(args.client(Task::Status(id)))
}

pub(super) fn control(args: &mut ParsedArgs, command: ProcessCommand) -> Built {
    let wait = match args.text("timeout")? {
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
    let wait = (!args.has("no-wait")).then_some(wait);
    let ids = args.remaining_arguments()?;
    Ok(args.client(Task::Control { command, ids, wait }))
}

pub(super) fn logs(args: &mut ParsedArgs) -> Built {
    let lines = match args.text("lines")? {
        None => LINES,
        Some(text) => text
            .parse()
            .map_err(|_| format!("--lines {text}: must be a number"))?,
    };
    let follow = args.has("follow");
    let id = args.next_argument()?;
    Ok(args.client(Task::Logs { id, follow, lines }))
}

pub(super) fn add(args: &mut ParsedArgs) -> Built {
    let mut process = Map::new();
    for field in ["id", "name", "type", "command", "url", "display"] {
        if let Some(text) = args.text(field)? {
            process.insert(field.into(), Value::String(text));
        }
    }
    for change in args.field_changes()? {
        fields::apply(&mut process, &change);
    }
    if process.is_empty() {
        return Err("`add` needs --command, or --url".into());
    }
    if process.contains_key("url") && !process.contains_key("type") {
        process.insert("type".into(), "chromium".into());
    }
    Ok(args.client(Task::Add(process)))
}

pub(super) fn set(args: &mut ParsedArgs) -> Built {
    let id = args.next_argument()?;
    let changes = args
        .remaining_arguments()?
        .iter()
        .map(|text| fields::parse(text))
        .collect::<Result<_, _>>()?;
    Ok(args.client(Task::Set { id, changes }))
}

pub(super) fn enabled(args: &mut ParsedArgs, enabled: bool) -> Built {
    let ids = args.remaining_arguments()?;
    Ok(args.client(Task::Enable { ids, enabled }))
}

pub(super) fn remove(args: &mut ParsedArgs) -> Built {
    let ids = args.remaining_arguments()?;
    let force = args.has("force");
    Ok(args.client(Task::Remove { ids, force }))
}

pub(super) fn config(args: &mut ParsedArgs) -> Built {
    let verb = match args.arguments.is_empty() {
        true => "get".to_owned(),
        false => args.next_argument()?,
    };
    // `-` is standard input or output.
    let file = args.arguments.pop_front().filter(|file| file != "-");
    let file = file.map(PathBuf::from);
    let if_match = args.text("if-match")?;
    match (verb.as_str(), if_match, args.has("force")) {
        ("put", Some(_), true) => Err("`config put` takes --if-match or --force, not both".into()),
        ("put", None, false) => Err(
            "`config put` replaces the whole configuration: it needs --if-match ETAG, \
             as `config get FILE` prints it, or --force"
                .into(),
        ),
        ("put", if_match, _) => Ok(args.client(Task::ConfigPut { file, if_match })),
        (_, Some(_), _) => Err("`config get` takes no --if-match".into()),
        (_, None, true) => Err("`config get` takes no --force".into()),
        (_, None, false) => Ok(args.client(Task::ConfigGet(file))),
    }
}

pub(super) fn reload(args: &mut ParsedArgs) -> Built {
    let task = match args.remaining_arguments()?.pop() {
        None => Task::Reload,
        Some(id) => Task::ReloadPage(id),
    };
    Ok(args.client(task))
}

pub(super) fn open(args: &mut ParsedArgs) -> Built {
    let (id, url) = (args.next_argument()?, args.next_argument()?);
    let fade = args.has("fade");
    Ok(args.client(Task::Open { id, url, fade }))
}

pub(super) fn screenshot(args: &mut ParsedArgs) -> Built {
    let width = match args.text("width")? {
        None => None,
        Some(text) => match text.parse() {
            Ok(width @ 1..) => Some(width),
            _ => return Err(format!("--width {text}: must be a number of pixels")),
        },
    };
    // `-` is standard output.
    let file = args.path("output").filter(|file| file.as_os_str() != "-");
    let id = args.next_argument()?;
    Ok(args.client(Task::Screenshot { id, file, width }))
}

pub(super) fn schedule(args: &mut ParsedArgs) -> Built {
    let mut words = args.remaining_arguments()?.into_iter();
    match (words.next(), words.next()) {
        (None, _) => Ok(args.client(Task::Schedule)),
        (Some(_run), Some(rule)) => Ok(args.client(Task::RunRule(rule))),
        (Some(_run), None) => Err("`schedule run` needs RULE".to_owned()),
    }
}

pub(super) fn passwd(args: &mut ParsedArgs) -> Built {
    Ok(args.client(match args.has("reset") {
        true => Task::ResetPassword,
        false => Task::SetPassword,
    }))
}

pub(super) fn token(args: &mut ParsedArgs) -> Built {
    let verb = args.next_argument()?;
    let id = args.remaining_arguments()?.pop();
    let (name, role) = (args.text("name")?, args.text("role")?);
    let task = match (verb.as_str(), id, name, role) {
        ("add", None, Some(name), Some(role)) => Task::AddToken { name, role },
        ("add", ..) => return Err("`token add` needs --name and --role, and no ID".into()),
        ("list", None, None, None) => Task::Tokens,
        ("list", ..) => return Err("`token list` takes nothing else".into()),
        ("remove", Some(id), None, None) => Task::RemoveToken(id),
        (..) => return Err("`token remove` needs an ID, and no options".into()),
    };
    Ok(args.client(task))
}

pub(super) fn power(args: &mut ParsedArgs) -> Built {
    let on = args.next_argument()? == "on";
    let display = args.remaining_arguments()?.pop();
    Ok(args.client(Task::Power { on, display }))
}

pub(super) fn completion(args: &mut ParsedArgs) -> Built {
    let shell = Shell::of(&args.next_argument()?);
    Ok(Invocation::Print(shell.script().to_owned()))
}

fn addresses(
    args: &ParsedArgs,
    default: fn() -> Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, String> {
    let mut listen = Vec::new();
    for value in args.values("listen") {
        let address = listen::parse(&text(value)?)?;
        if !listen.contains(&address) {
            listen.push(address);
        }
    }
    Ok(match listen.is_empty() {
        true => default(),
        false => listen,
    })
}

impl ParsedArgs {
    fn field_changes(&self) -> Result<Vec<Change>, String> {
        self.values("set")
            .map(|value| fields::parse(&text(value)?))
            .collect()
    }

    pub(super) fn client(&self, task: Task) -> Invocation {
        Invocation::Client(ClientCommand {
            socket: socket(self.path("socket"), self.path("run-dir")),
            json: self.has("json"),
            task,
        })
    }
}

/// The daemon's socket: the given one, or the default one in the run directory.
pub(super) fn socket(socket: Option<PathBuf>, run_dir: Option<PathBuf>) -> PathBuf {
    socket.unwrap_or_else(|| run_dir.unwrap_or_else(|| RUN_DIR.into()).join(SOCKET))
}
