//! Argv to exit code.

use ossuary::args::{self, Exit, Invocation};
use ossuary::client::{self, Terminal};
use ossuary::daemon::{self, StartError};
use ossuary::sys::cgroup;
use ossuary::{config, demo};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let invocation = match args::parse(std::env::args_os().skip(1)) {
        Ok(invocation) => invocation,
        Err(error) => {
            eprintln!("ossuary: {error}");
            return Exit::Usage.into();
        }
    };
    match invocation {
        Invocation::Daemon(options) => came_to(daemon::run(&options)),
        Invocation::Demo { listen } => came_to(demo::run(listen)),
        Invocation::Check { file } => check(&file).into(),
        Invocation::Client(order) => at_terminal(|terminal| client::run(&order, terminal)).into(),
        Invocation::MakeWay => came_to(cgroup::make_way().map_err(StartError::System)),
        Invocation::Print(text) => print(&text).into(),
        Invocation::Complete(words) => at_terminal(|terminal| {
            client::complete(&args::complete(&words), terminal);
            Exit::Done
        })
        .into(),
    }
}

fn came_to(end: Result<(), StartError>) -> ExitCode {
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ossuary: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn at_terminal(run: impl FnOnce(&mut Terminal<'_>) -> Exit) -> Exit {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    run(&mut Terminal {
        out: &mut out,
        err: &mut err,
        colour: client::shows_colours(),
    })
}

fn print(text: &str) -> Exit {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Refused,
    }
}

fn check(file: &Path) -> Exit {
    let report = match std::fs::read(file) {
        Ok(bytes) => config::report(&bytes),
        Err(error) => {
            eprintln!("ossuary: cannot read {}: {error}", file.display());
            return Exit::Refused;
        }
    };
    match report {
        Ok(text) => print(&text),
        Err(problems) => {
            print(&problems);
            Exit::Refused
        }
    }
}
