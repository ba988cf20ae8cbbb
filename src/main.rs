//! The program: parses the command line, runs what it asks for, and returns the exit code.

use ossuary::cli::client::{self, Terminal};
use ossuary::cli::{self, Exit, Invocation};
use ossuary::config::{self, Loaded, Problem, Zone};
use ossuary::daemon::{self, StartError};
use ossuary::demo;
use ossuary::first_boot;
use ossuary::sys::cgroup;
use ossuary::sys::service::{core_dump, terminal};
use ossuary::sys::time::timezone;
use ossuary::text::visible;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = core_dump::prevent() {
        eprintln!("ossuary: cannot disable core dumps: {error}");
    }
    let invocation = match cli::parse(std::env::args_os().skip(1)) {
        Ok(invocation) => invocation,
        Err(error) => {
            eprintln!("ossuary: {}", visible(&error.to_string()));
            return Exit::Usage.into();
        }
    };
    match invocation {
        Invocation::Daemon(options) => exit_code(daemon::run(&options)),
        Invocation::Demo { listen } => exit_code(demo::run(listen)),
        Invocation::Check { file, json } => {
            with_terminal(|terminal| check(&file, json, terminal)).into()
        }
        Invocation::FirstBoot { card, root } => first_boot::run(&card, &root).into(),
        Invocation::Client(command) => {
            with_terminal(|terminal| client::run(&command, terminal)).into()
        }
        Invocation::CleanUpStaleRuns => {
            let result = std::env::var("SERVICE_RESULT").ok();
            exit_code(cgroup::prepare_restart(result.as_deref()).map_err(StartError::System))
        }
        Invocation::Print(text) => print(&text).into(),
        Invocation::Complete(words) => with_terminal(|terminal| {
            client::complete(&cli::complete(&words), terminal);
            Exit::Done
        })
        .into(),
    }
}

fn exit_code(end: Result<(), StartError>) -> ExitCode {
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ossuary: {}", visible(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}

fn with_terminal(run: impl FnOnce(&mut Terminal<'_>) -> Exit) -> Exit {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    let (out_is_terminal, err_is_terminal) = (out.is_terminal(), err.is_terminal());
    run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        out_is_terminal,
        err_is_terminal,
        colour: client::shows_colours(),
        ask_secret: &terminal::ask_secret,
    })
}

fn print(text: &str) -> Exit {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Refused,
    }
}

/// Adds a warning if this machine lacks the time zone. That is not a problem: the file may be meant for another machine,
/// and a daemon with it shows its page all the same.
fn warn_about_zone(mut loaded: Loaded) -> Loaded {
    if let Zone::Named(name) = &loaded.config.schedule.zone
        && let Err(message) = timezone::exists(Path::new(timezone::DATABASE), name)
    {
        let path = "schedule.timezone".to_owned();
        let message = format!("{message}; rules with a time are not executed there");
        let warnings = loaded.warnings.iter().cloned();
        loaded.warnings = warnings.chain([Problem { path, message }]).collect();
    }
    loaded
}

fn check(file: &Path, json: bool, terminal: &mut Terminal<'_>) -> Exit {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = format!("cannot read {}: {error}", file.display());
            match json {
                true => {
                    let report = config::report_as_json(Err(vec![Problem::whole(why)]));
                    let _ = terminal.write_bytes(report.as_bytes());
                }
                false => terminal.note(why),
            }
            return Exit::Refused;
        }
    };
    let read = Loaded::from_bytes(&bytes).map(warn_about_zone);
    let is_sound = read.is_ok();
    let report = match json {
        true => config::report_as_json(read),
        false => config::report(read),
    };
    match terminal.write_bytes(report.as_bytes()) {
        Ok(()) if is_sound => Exit::Done,
        _ => Exit::Refused,
    }
}
