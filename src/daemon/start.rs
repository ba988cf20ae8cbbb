//! Everything that has to succeed before the loop runs.

use super::hands::Hands;
use super::sources::Sources;
use super::watchdog::Watchdog;
use super::{Kiosk, journal};
use crate::args::DaemonOptions;
use crate::config::{Loaded, Problem};
use crate::http::{self, About, Api, Feed, Listener, Mailbox, Now};
use crate::logs::Book;
use crate::supervisor::{Boot, Event, Failure, Source, Supervisor};
use crate::sys::children::Children;
use crate::sys::displays::{Displays, Places};
use crate::sys::errno::words;
use crate::sys::persist::Files;
use crate::sys::run_dir::RunDir;
use crate::sys::signals::Signals;
use crate::sys::store::Store;
use crate::sys::{clock, leftovers, limits, notify, system};
use smol::LocalExecutor;
use smol::channel::{self, Sender};
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;

/// Reports that may wait for the loop. Each run and each errand has at most one under way,
/// and waits for its place; the loop takes them in microseconds.
const REPORTS: usize = 64;

/// The name of the unix socket in the run directory.
const SOCKET: &str = "ossuary.sock";

/// Why the daemon did not come up.
#[derive(Debug)]
pub enum StartError {
    /// Another daemon holds the run directory, or it cannot be used.
    RunDir(Failure),
    /// An address cannot be listened on.
    Listen(Failure),
    /// The system lacks something the daemon cannot do without.
    System(Failure),
}

impl StartError {
    /// The exit code of a daemon that did not come up, one for each cause; those of the command line
    /// end below.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::RunDir(_) => 10,
            StartError::Listen(_) => 11,
            StartError::System(_) => 12,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::RunDir(failure)
            | StartError::Listen(failure)
            | StartError::System(failure) => failure.fmt(f),
        }
    }
}

/// What is to be done before anything else is.
pub fn prepare() {
    journal::open();
    if let Err(error) = limits::raise_descriptors() {
        log::warn!("cannot raise the limit on descriptors: {}", words(&error));
    }
}

/// Takes the run directory, ends what a killed daemon left, reads the configuration and
/// opens the doors.
pub async fn start(
    options: &DaemonOptions,
    executor: Rc<LocalExecutor<'static>>,
) -> Result<Kiosk, StartError> {
    let signals = Signals::new().map_err(|error| system_error("watch for signals", &error))?;
    let run_dir = Rc::new(RunDir::take(&options.run_dir).map_err(StartError::RunDir)?);
    let ended = leftovers::end(run_dir.path()).await;
    if ended > 0 {
        log::warn!("ended {ended} processes that an earlier daemon had left behind");
    }
    run_dir.clean();
    make_state_dir(&options.state_dir);

    let (listeners, addresses) = listen(&options.listen, &run_dir.path().join(SOCKET))?;
    let store = Store::new(&options.config, &options.state_dir);
    let boot = read_configuration(&store).await;

    let (reporter, reports) = channel::bounded(REPORTS);
    watch_displays(&executor, &reporter)?;
    let children =
        Children::new(&executor, reporter.clone(), &run_dir).map_err(StartError::System)?;
    let mind = Supervisor::new(boot, clock::now());
    let (mailbox, requests) = Mailbox::new();
    let requests = Rc::new(requests);
    let logs = Book::new();
    let api = open_api(options, &mind, mailbox, logs.clone());
    for listener in listeners {
        let serve = http::serve(api.clone(), listener, executor.clone());
        executor.spawn(serve).detach();
    }
    // Only now: whoever waits for this line may change the file or ask at once.
    for address in addresses {
        println!("listening on http://{address}");
    }
    notify::ready("serving");
    Ok(Kiosk {
        mind,
        hands: Hands {
            files: Files::new(&executor, &options.state_dir),
            executor,
            reports: reporter,
            children,
            store,
            logs,
            requests: requests.clone(),
            state_dir: options.state_dir.clone(),
            good_copy: None,
            answers: Default::default(),
        },
        sources: Sources {
            reports,
            requests,
            signals,
        },
        watchdog: Watchdog::new(clock::now()),
        api,
        run_dir,
    })
}

fn system_error(attempt: &str, error: &io::Error) -> StartError {
    StartError::System(Failure::system(format!(
        "cannot {attempt}: {}",
        words(error)
    )))
}

/// The state directory may be passed through by the accounts whose profiles are in it. A kiosk with
/// a disk that cannot be written still shows its page, so this is no reason not to start.
fn make_state_dir(path: &Path) {
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o711)));
    if let Err(error) = made {
        log::warn!("cannot make {}: {}", path.display(), words(&error));
    }
}

// ---- the configuration ----

async fn read_configuration(store: &Store) -> Boot {
    let problem = match store.load().await {
        Ok(bytes) => match Loaded::from_bytes(&bytes) {
            Ok(loaded) => {
                let source = match bytes.trim_ascii().is_empty() {
                    true => Source::Empty,
                    false => Source::File,
                };
                return boot(loaded, source, Vec::new());
            }
            Err(problems) => {
                match store.set_aside(bytes).await {
                    Ok(aside) => log::error!(
                        "{} is broken; it is kept as {}",
                        store.file().display(),
                        aside.display()
                    ),
                    Err(failure) => log::error!("{failure}"),
                }
                problems
            }
        },
        Err(failure) => vec![Problem {
            path: String::new(),
            message: failure.message,
        }],
    };
    for problem in &problem {
        log::error!("{}: {problem}", store.file().display());
    }
    match store
        .load_last_good()
        .await
        .map(|copy| copy.map(|bytes| Loaded::from_bytes(&bytes)))
    {
        Ok(Some(Ok(loaded))) => boot(loaded, Source::LastGood, problem),
        Ok(None | Some(Err(_))) => boot(Loaded::empty(), Source::Empty, problem),
        Err(failure) => {
            log::error!("{failure}");
            boot(Loaded::empty(), Source::Empty, problem)
        }
    }
}

fn boot(loaded: Loaded, source: Source, problems: Vec<Problem>) -> Boot {
    for warning in loaded.warnings.iter() {
        log::warn!("configuration: {warning}");
    }
    Boot {
        loaded,
        source,
        problems,
        // Whoever watches them tells first of all which there are.
        displays: Vec::new(),
        memories: Vec::new(),
        next_run: 1,
    }
}

fn watch_displays(
    executor: &LocalExecutor<'static>,
    reporter: &Sender<Event>,
) -> Result<(), StartError> {
    let displays = Displays::new(Places::of_system()).map_err(StartError::System)?;
    executor.spawn(displays.watch(reporter.clone())).detach();
    Ok(())
}

// ---- the doors ----

fn open_api(
    options: &DaemonOptions,
    mind: &Supervisor,
    mailbox: Mailbox,
    logs: Rc<Book>,
) -> Rc<Api> {
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        config_file: options.config.display().to_string(),
        started: clock::now(),
        hostname: Box::new(system::hostname),
    };
    let clock = || Now {
        mono: clock::now(),
        wall: clock::wall(),
    };
    let feed = Feed::new(mind.status().clone());
    let mut api = Api::new(feed, mailbox, logs, clock, about);
    let state_dir = options.state_dir.clone();
    api.system = Box::new(move || system::facts(&state_dir));
    Rc::new(api)
}

/// Opens every door, and tells at which addresses.
fn listen(
    addresses: &[SocketAddr],
    socket: &Path,
) -> Result<(Vec<Listener>, Vec<SocketAddr>), StartError> {
    let refused = |what: &dyn fmt::Display, error: &io::Error| {
        let way_out = match error.kind() {
            io::ErrorKind::AddrInUse => "; give another address with --listen",
            _ => "",
        };
        let why = words(error);
        StartError::Listen(Failure::system(format!(
            "cannot listen on {what}: {why}{way_out}"
        )))
    };
    let mut listeners = Vec::new();
    let mut open = Vec::new();
    for address in addresses {
        match TcpListener::bind(address)
            .and_then(|tcp| Ok((tcp.local_addr()?, Listener::tcp(tcp)?)))
        {
            Ok((taken, listener)) => {
                open.push(taken);
                listeners.push(listener);
            }
            // A machine without IPv6 is no reason to stay dark.
            Err(error)
                if error.kind() == io::ErrorKind::AddrNotAvailable && addresses.len() > 1 =>
            {
                log::warn!("cannot listen on {address}: {}", words(&error));
            }
            Err(error) => return Err(refused(address, &error)),
        }
    }
    let unix = UnixListener::bind(socket)
        .and_then(|unix| {
            fs::set_permissions(socket, fs::Permissions::from_mode(0o660))?;
            Listener::unix(unix)
        })
        .map_err(|error| refused(&socket.display(), &error))?;
    listeners.push(unix);
    Ok((listeners, open))
}
