//! Reads one entry of `processes`: the type, bounds and default of every field.

use super::command::check_command;
use super::shell_words::is_name;
use super::{Flags, Kind, Limits, Log, Persist, Process, Ready, ReadySign, Restart, StopSignal};
use crate::config::fields::{Fields, no_such_process, wrong_type};
use crate::config::path::{Path, excerpt};
use crate::config::problem::Findings;
use crate::config::text_checks::{check_cwd, check_name, check_user, check_value};
use crate::config::url::{check_http_url, check_url};
use crate::config::{Display, Id};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// How long a process may take to be ready, in seconds.
const READY_SECONDS: RangeInclusive<u32> = 1..=3600;

/// How long a process tree may take to end, in seconds.
const STOP_SECONDS: RangeInclusive<u32> = 0..=3600;

/// The bounds of a memory limit: no program runs in less than 1 MiB (`64` was meant as `64M`), and no board has more than
/// 1 TiB.
const MEMORY_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 40;

/// Up to a hundred cores.
const CPU_PERCENT: RangeInclusive<u32> = 1..=10_000;

/// Up to the kernel's bound on PIDs (`PID_MAX_LIMIT`).
const PIDS: RangeInclusive<u32> = 1..=4_194_304;

/// The size of a ring buffer; a board with 1 GiB can spare 64 MiB.
const LOG_KIB: RangeInclusive<u32> = 1..=65_536;

/// The size of a log file: from a few lines to what an SD card can spare.
const FILE_BYTES: RangeInclusive<u64> = 1 << 10..=1 << 30;

/// The number of log files.
const FILES: RangeInclusive<u32> = 1..=100;

impl Process {
    /// Reads a serialized [`Process`], perhaps one that another version of the program has written: an unknown field is
    /// ignored, and an invalid one has its default. `None` if it has no valid `id`.
    pub fn from_memory(written: &Value) -> Option<Process> {
        let map = written.as_object()?;
        let id: Id = map.get("id")?.as_str()?.parse().ok()?;
        Some(read_process(&id, map, Path::Root, &Findings::default()))
    }
}

/// Reads the process at `path`, whose key is `id`. An invalid field is recorded in the findings and has its default in the
/// result, so that all problems are found.
pub fn read_process(
    id: &Id,
    map: &Map<String, Value>,
    path: Path<'_>,
    findings: &Findings,
) -> Process {
    let fields = Fields::new(map, path, findings);
    if let Some(written) = fields.text("id").filter(|written| *written != id.as_str()) {
        let written = excerpt(written);
        fields.problem(
            "id",
            format!("must be \"{id}\", the key of the process, not \"{written}\""),
        );
    }
    let name = fields.checked("name", check_name).unwrap_or(id.as_str());
    let kind = kind(&fields);
    let is_display = kind == Kind::Chromium;
    let command = fields.checked("command", check_command);
    let url = fields.checked("url", check_url);
    let url_instead = is_display && fields.has("url");
    if !fields.has("command") && !url_instead {
        let or_url = if is_display {
            ", unless there is a `url`"
        } else {
            ""
        };
        fields.problem("command", format!("is required{or_url}"));
    }
    if !is_display {
        for name in ["url", "flags"] {
            if fields.has(name) {
                fields.warning(
                    name,
                    "has no effect: only for a process of type \"chromium\"",
                );
            }
        }
    }

    let process = Process {
        id: id.clone(),
        name: name.to_owned(),
        kind,
        command: command.map(str::to_owned),
        url: url.map(str::to_owned),
        display: fields
            .parsed("display")
            .or(is_display.then_some(Display::X(0))),
        enabled: fields.boolean("enabled").unwrap_or(true),
        autostart: fields.boolean("autostart").unwrap_or(true),
        restart: restart(&fields, is_display),
        flags: flags(&fields),
        user: fields.checked("user", check_user).map(str::to_owned),
        cwd: fields.checked("cwd", check_cwd).map(str::to_owned),
        env: env(&fields),
        depends_on: depends_on(&fields, id, findings),
        ready: ready(&fields),
        limits: limits(&fields),
        stop_signal: fields.parsed("stop_signal").unwrap_or(StopSignal::Term),
        stop_timeout: fields
            .seconds("stop_timeout_seconds", STOP_SECONDS)
            .unwrap_or(Process::STOP_TIMEOUT),
        log: log(&fields),
    };
    fields.finish();
    process
}

fn kind(fields: &Fields) -> Kind {
    let choices = [("chromium", Kind::Chromium), ("custom", Kind::Custom)];
    fields.one_of("type", &choices).unwrap_or(Kind::Custom)
}

/// Reads `restart`, and the older `restart_on_crash`, which can only choose two of its values. If they contradict each
/// other, `restart` wins, with a warning. A display process is restarted by default however it ends: it is meant to be on
/// the screen.
fn restart(fields: &Fields, is_display: bool) -> Restart {
    let on_crash = fields.boolean("restart_on_crash");
    let choices = [
        ("never", Restart::Never),
        ("on_crash", Restart::OnCrash),
        ("always", Restart::Always),
    ];
    match (fields.one_of("restart", &choices), on_crash) {
        (Some(restart), on_crash) => {
            if on_crash.is_some_and(|on_crash| on_crash == (restart == Restart::Never)) {
                fields.warning(
                    "restart_on_crash",
                    "has no effect: `restart` contradicts it and wins",
                );
            }
            restart
        }
        (None, Some(false)) => Restart::Never,
        (None, _) if is_display => Restart::Always,
        (None, _) => Restart::OnCrash,
    }
}

fn flags(fields: &Fields) -> Flags {
    let mut flags = Flags::default();
    if let Some(fields) = fields.nested("flags") {
        flags = Flags {
            kiosk: fields.boolean("kiosk").unwrap_or(flags.kiosk),
            webgpu: fields.boolean("webgpu").unwrap_or(flags.webgpu),
            autoplay: fields.boolean("autoplay").unwrap_or(flags.autoplay),
            cursor: fields.boolean("cursor").unwrap_or(flags.cursor),
        };
        fields.finish();
    }
    flags
}

fn env(fields: &Fields) -> Vec<(String, String)> {
    let mut env = Vec::new();
    let Some(variables) = fields.nested("env") else {
        return env;
    };
    for (name, value) in variables.map() {
        if !is_name(name) {
            variables.problem(
                name,
                "must have a name of letters, digits and _ that does not start with a digit",
            );
        }
        match (value, check_value(value)) {
            (Value::String(text), Ok(())) => env.push((name.clone(), text.clone())),
            (_, checked) => variables.problem(name, checked.err().unwrap_or_default()),
        }
    }
    env
}

fn depends_on(fields: &Fields, id: &Id, findings: &Findings) -> Vec<Id> {
    let mut needed = Vec::new();
    fields.each("depends_on", |path, value| {
        let Some(name) = value.as_str() else {
            return findings.problem(path, wrong_type("the id of a process", value));
        };
        match name.parse::<Id>() {
            Ok(needed) if needed == *id => findings.problem(path, "must not be the process itself"),
            Ok(again) if needed.contains(&again) => findings.warning(path, "is listed twice"),
            Ok(id) => needed.push(id),
            Err(_) => findings.problem(path, no_such_process(name)),
        }
    });
    needed
}

fn ready(fields: &Fields) -> Ready {
    let mut ready = Ready {
        sign: ReadySign::Started,
        timeout: Ready::TIMEOUT,
    };
    let Some(fields) = fields.nested("ready") else {
        return ready;
    };
    fields.required("type");
    ready.timeout = fields
        .seconds("timeout_seconds", READY_SECONDS)
        .unwrap_or(ready.timeout);
    ready.sign = match fields.text("type") {
        Some("http") => {
            let url = fields
                .checked(fields.required("url"), check_http_url)
                .unwrap_or_default();
            ReadySign::Http {
                url: url.to_owned(),
            }
        }
        Some("tcp") => {
            let port = fields
                .integer(fields.required("port"), 1..=u16::MAX)
                .unwrap_or(1);
            ReadySign::Tcp { port }
        }
        Some("command") => {
            let command = fields
                .checked(fields.required("command"), check_command)
                .unwrap_or_default();
            ReadySign::Command {
                command: command.to_owned(),
            }
        }
        Some("notify") => ReadySign::Notify,
        Some("started") | None => ReadySign::Started,
        Some(other) => {
            let message = "must be \"started\", \"http\", \"tcp\", \"command\" or \"notify\"";
            fields.problem("type", format!("{message}, not \"{}\"", excerpt(other)));
            ReadySign::Started
        }
    };
    fields.finish();
    ready
}

fn limits(fields: &Fields) -> Limits {
    let Some(fields) = fields.nested("limits") else {
        return Limits::default();
    };
    let limits = Limits {
        memory_max: fields.size("memory_max", MEMORY_BYTES),
        memory_high: fields.size("memory_high", MEMORY_BYTES),
        cpu_percent: fields.integer("cpu_percent", CPU_PERCENT),
        pids_max: fields.integer("pids_max", PIDS),
    };
    if limits
        .memory_max
        .is_some_and(|max| limits.memory_high.is_some_and(|high| high > max))
    {
        fields.warning("memory_high", "has no effect: it is above memory_max");
    }
    fields.finish();
    limits
}

fn log(fields: &Fields) -> Log {
    let mut log = Log::default();
    let Some(fields) = fields.nested("log") else {
        return log;
    };
    log.memory_kib = fields
        .integer("memory_kib", LOG_KIB)
        .unwrap_or(log.memory_kib);
    if let Some(fields) = fields.nested("persist") {
        log.persist = Some(Persist {
            max_bytes: fields
                .size("max_bytes", FILE_BYTES)
                .unwrap_or(Persist::MAX_BYTES),
            files: fields.integer("files", FILES).unwrap_or(Persist::FILES),
        });
        fields.finish();
    }
    fields.finish();
    log
}
