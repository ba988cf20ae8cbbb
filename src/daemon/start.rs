//! Start-up: everything that has to succeed before the loop runs.

use super::action_runner::ActionRunner;
use super::drivers::{Drivers, WebUiAddresses};
use super::event_loop::Daemon;
use super::event_sources::Sources;
#[cfg(feature = "faults")]
use super::faults;
use super::inherited::Inherited;
use super::last_good_config::LastGoodConfig;
use super::service_notifier::ServiceNotifier;
use super::watchdog::Watchdog;
use super::welcome::Welcome;
use super::{credentials, journal, upgrade};
use crate::auth::Secret;
use crate::cli::DaemonOptions;
use crate::config::{Loaded, Problem};
use crate::http::{self, About, Api, AuthService, CommandSender, Listener, Now, SnapshotFeed};
use crate::logs::{FlightRecorder, Logs, RECORDER_BYTES};
use crate::supervisor::{
    Boot, Event, Failure, LastStart, Memory, SavedSchedule, ScheduleBoot, Source, StartReason,
    Supervisor,
};
use crate::sys::cgroup::{Cgroups, Delegation};
use crate::sys::display::attendant::Attendants;
use crate::sys::display::watch::{DisplayWatch, Places};
use crate::sys::errno::{has_no_such_address, words};
use crate::sys::machine;
use crate::sys::net::link::NetworkWatch;
use crate::sys::net::peer_credentials::may_command;
use crate::sys::process::children::Children;
use crate::sys::service::fd_store::{self, InheritedDescriptors};
use crate::sys::service::signals::Signals;
use crate::sys::service::{allocator, notify, rlimit, shared_memory};
use crate::sys::storage::config_file::ConfigFile;
use crate::sys::storage::log_file::LogFiles;
use crate::sys::storage::run_dir::{RunDir, SOCKET};
use crate::sys::storage::shutdown_marker::ShutdownMarker;
use crate::sys::time::wall_clock::WallClock;
use crate::sys::time::{clock, timezone};
use smol::LocalExecutor;
use smol::channel::{self, Sender};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;

/// Reports that may wait for the loop. Each run and each background task has at most one pending and waits for a free
/// place; the loop takes them in microseconds.
const REPORTS: usize = 64;

/// The name of the flight recorder's memory in the fd store.
const LOG: &str = "log";

/// The prefix of the names of listening sockets in the fd store. Earlier versions use it too.
const LISTENER: &str = "door.";

/// Why the daemon did not start.
#[derive(Debug)]
pub enum StartError {
    /// Another daemon holds the run directory, or the directory cannot be used.
    RunDir(Failure),
    /// Listening on an address failed.
    Listen(Failure),
    /// The system lacks something that the daemon needs.
    System(Failure),
}

impl StartError {
    /// The exit code, one for each cause. The command line uses codes below 10.
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

/// Sets up logging, memory and limits, before anything else.
pub fn prepare() {
    journal::open();
    #[cfg(feature = "faults")]
    faults::warn();
    allocator::give_back_large_blocks();
    if let Err(error) = rlimit::raise_descriptors() {
        log::warn!("cannot raise the limit on descriptors: {}", words(&error));
    }
}

/// Takes the run directory, adopts or ends the runs of an earlier daemon, reads the configuration and opens the
/// listeners.
pub async fn start(
    options: &DaemonOptions,
    password: Option<&str>,
    executor: Rc<LocalExecutor<'static>>,
) -> Result<Daemon, StartError> {
    let mut descriptors = InheritedDescriptors::receive();
    let signals = Signals::new().map_err(|error| system_error("watch for signals", &error))?;
    let run_dir = Rc::new(RunDir::take(&options.run_dir).map_err(StartError::RunDir)?);
    let cgroups = Cgroups::new(Delegation::take());
    make_state_dir(&options.state_dir);
    let marker = ShutdownMarker::new(&options.state_dir, run_dir.path());
    let last_start = LastStart::from_traces(&marker.traces());
    let same_boot = matches!(
        last_start.reason,
        StartReason::Crash | StartReason::Watchdog
    );
    let mut inherited = Inherited::claim(&run_dir, &cgroups, &mut descriptors, same_boot).await;
    log_last_start(&last_start);

    let mut passed_on = Vec::new();
    let recorder = recorder(&mut descriptors, &mut passed_on)
        .map_err(|error| system_error("keep logs", &error))?;
    let inherited_listeners = descriptors.take_all(LISTENER);
    let (listeners, addresses) = listen(
        options,
        inherited_listeners,
        &run_dir.path().join(SOCKET),
        &mut passed_on,
    )?;
    for (name, fd) in &passed_on {
        fd_store::keep(name, fd);
    }
    descriptors.forget_the_rest();
    let store = ConfigFile::new(&options.config, &options.state_dir);
    let mut boot = read_configuration(&store).await;

    let (reporter, reports) = channel::bounded(REPORTS);
    executor
        .spawn(store.clone().watch(reporter.clone()))
        .detach();
    watch_network(&executor, &reporter);
    let children = Children::new(&executor, reporter.clone(), &run_dir, cgroups)
        .map_err(StartError::System)?;
    let screens = watch_displays(&executor, &reporter, &children)?;
    let logs = Logs::recorded(recorder.clone());
    inherited.adopt(&children, &logs);
    let auth = credentials::open(&options.state_dir, &run_dir).await;
    let addresses_of_ui = WebUiAddresses::new(&addresses, &options.hosts);
    let mut drivers = Drivers::new(
        &executor,
        &reporter,
        &children,
        &logs,
        &addresses_of_ui,
        &auth,
    );
    for running in inherited.memories.iter().filter_map(Memory::running) {
        drivers.resume(running, &options.state_dir);
    }
    boot.next_run = inherited.next_run();
    boot.schedule = schedule(&store, &run_dir, &executor, &reporter, &boot.loaded).await;
    boot.memories = inherited.memories;
    let supervisor = Supervisor::new(boot, clock::now());
    let (sender, queue) = CommandSender::new();
    let queue = Rc::new(queue);
    let about = about(options, recorder.life(), last_start);
    let secret = sign_in_secret(&auth, password).await;
    let welcome = Welcome::keep(&executor, &run_dir, &addresses_of_ui, &auth);
    let api = open_api(
        options,
        &supervisor,
        sender,
        logs.clone(),
        auth,
        about,
        &children,
    );
    for listener in listeners {
        let serve = http::serve(api.clone(), listener, executor.clone());
        #[cfg(feature = "faults")]
        let serve = faults::may_hang(serve);
        executor.spawn(serve).detach();
    }
    // Only now: a script that waits for this line may edit the file or send a command immediately.
    for address in &addresses {
        // After an upgrade nothing may read standard output any more.
        let _ = writeln!(io::stdout(), "listening on http://{address}");
    }
    if let (Some(secret), Some(address)) = (secret, addresses.first()) {
        let url = link(address);
        let _ = writeln!(
            io::stdout(),
            "sign in at {url}/#enter={}",
            secret.to_cookie()
        );
    }
    let notifier = ServiceNotifier::ready(&supervisor, clock::now());
    Ok(Daemon {
        supervisor,
        runner: ActionRunner {
            files: LogFiles::new(&executor, &options.state_dir),
            setting_marker: Some(executor.spawn(marker.clone().set())),
            executor,
            reports: reporter,
            children,
            screens,
            drivers,
            welcome,
            store,
            logs,
            commands: queue.clone(),
            state_dir: options.state_dir.clone(),
            run_dir: run_dir.clone(),
            program: upgrade::installed(),
            last_good: LastGoodConfig::default(),
            answers: Default::default(),
        },
        sources: Sources {
            reports,
            commands: queue,
            signals,
        },
        notifier,
        watchdog: notify::watchdog_limit().map(|limit| Watchdog::new(limit, clock::now())),
        api,
        run_dir,
        marker,
        inherited: passed_on,
    })
}

fn system_error(attempt: &str, error: &io::Error) -> StartError {
    StartError::System(Failure::system(format!(
        "cannot {attempt}: {}",
        words(error)
    )))
}

/// Creates the state directory. Accounts whose browser profiles are in it may pass through it; the mode of an existing
/// one is not changed. A failure is logged only: a kiosk whose disk cannot be written still shows its page.
fn make_state_dir(path: &Path) {
    if path.exists() {
        return;
    }
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o711)));
    if let Err(error) = made {
        log::warn!("cannot create {}: {}", path.display(), words(&error));
    }
}

fn log_last_start(last_start: &LastStart) {
    let level = match last_start.reason.is_orderly() {
        true => log::Level::Info,
        false => log::Level::Warn,
    };
    log::log!(level, "last start: {last_start}");
}

// ---- the configuration ----

async fn read_configuration(store: &ConfigFile) -> Boot {
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
                        "{} is invalid; a copy is kept as {}",
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
        // The first event of the display watch reports them.
        displays: Vec::new(),
        memories: Vec::new(),
        next_run: 1,
        schedule: ScheduleBoot::default(),
    }
}

/// Reads the saved schedule, the clock and the time zone before any process starts: a kiosk that boots in the middle
/// of the day shows the page of that hour first.
async fn schedule(
    store: &ConfigFile,
    run_dir: &RunDir,
    executor: &LocalExecutor<'static>,
    reporter: &Sender<Event>,
    loaded: &Loaded,
) -> ScheduleBoot {
    let kept = match store.load_schedule().await {
        Ok(Some(bytes)) => SavedSchedule::from_bytes(&bytes).unwrap_or_else(|why| {
            log::warn!("the saved schedule state is invalid and is not used: {why}");
            SavedSchedule::default()
        }),
        Ok(None) => SavedSchedule::default(),
        Err(failure) => {
            log::warn!("{failure}");
            SavedSchedule::default()
        }
    };
    let clock = match WallClock::new(run_dir.path()) {
        Ok(wall) => {
            let trusted = wall.trusted();
            executor
                .spawn(wall.watch(trusted, reporter.clone()))
                .detach();
            trusted
        }
        Err(error) => {
            log::warn!(
                "timed rules do not run: cannot watch the clock: {}",
                words(&error)
            );
            None
        }
    };
    let zone = loaded.config.schedule.zone.clone();
    let found = timezone::find(zone.clone()).await;
    if let Err(failure) = &found {
        log::warn!("schedule: {failure}");
    }
    ScheduleBoot {
        saved: kept,
        boot: clock::boot_id(),
        clock,
        zone: Some((zone, found)),
    }
}

/// Watches the network. If the kernel cannot report it, only the server of the page is probed.
fn watch_network(executor: &LocalExecutor<'static>, reporter: &Sender<Event>) {
    match NetworkWatch::new() {
        Ok(network) => executor.spawn(network.watch(reporter.clone())).detach(),
        Err(error) => log::warn!("cannot watch the network: {}", words(&error)),
    }
}

fn watch_displays(
    executor: &Rc<LocalExecutor<'static>>,
    reporter: &Sender<Event>,
    children: &Children,
) -> Result<Attendants, StartError> {
    let places = Places::of_system();
    let (connectors, devices) = (places.connectors.clone(), places.devices.clone());
    let screens = Attendants::new(executor, reporter.clone(), children, connectors, devices);
    let displays = DisplayWatch::new(places).map_err(StartError::System)?;
    let watch = displays.watch(reporter.clone(), Some(screens.clone()));
    executor.spawn(watch).detach();
    Ok(screens)
}

// ---- clients ----

/// Sets the demo's password and returns a secret that signs in once.
async fn sign_in_secret(auth: &AuthService, password: Option<&str>) -> Option<Secret> {
    let password = password?;
    if let Err(error) = auth.set_first_password(password).await {
        log::error!("cannot set the password: {error}");
    }
    Some(auth.invite())
}

/// The URL of an address, for a browser on this machine.
fn link(address: &SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

fn about(options: &DaemonOptions, life: u64, last_start: LastStart) -> About {
    About {
        version: env!("CARGO_PKG_VERSION"),
        config_file: options.config.display().to_string(),
        started: clock::now(),
        log_epoch: life,
        last_start,
        hostname: Box::new(machine::hostname),
    }
}

fn open_api(
    options: &DaemonOptions,
    supervisor: &Supervisor,
    commands: CommandSender,
    logs: Rc<Logs>,
    auth: Rc<AuthService>,
    about: About,
    children: &Children,
) -> Rc<Api> {
    let clock = || Now {
        mono: clock::now(),
        wall: clock::wall(),
    };
    let feed = SnapshotFeed::new(supervisor.status().clone());
    let mut api = Api::new(feed, commands, logs, auth, clock, about);
    api.hosts = options.hosts.clone();
    let state_dir = options.state_dir.clone();
    api.system = Box::new(move || machine::facts(&state_dir));
    api.check_zone = Box::new(|name| Box::pin(timezone::check(name)));
    let runs = children.clone();
    api.why_unenforced = Box::new(move |process| runs.why_unenforced(&process.id, &process.limits));
    let runs = children.clone();
    api.usage = Box::new(move |id| {
        let used = runs.usage(id);
        let memory = |current| http::Memory {
            current,
            peak: used.memory_peak,
        };
        http::Usage {
            memory: used.memory.map(memory),
            pids: used.pids,
        }
    });
    Rc::new(api)
}

/// Opens every listener or takes an inherited one. The returned addresses are those for direct clients, without those
/// for proxies.
fn listen(
    options: &DaemonOptions,
    mut earlier: Vec<OwnedFd>,
    socket: &Path,
    passed_on: &mut Vec<(String, OwnedFd)>,
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
    let direct = options.listen.iter().map(|address| (address, false));
    let proxies = options
        .trusted_proxies
        .iter()
        .map(|address| (address, true));
    for (address, is_proxy) in direct.chain(proxies) {
        let opened = match take_inherited(address, &mut earlier) {
            Some(tcp) => Ok(tcp),
            None => bind(address, &mut earlier),
        };
        match opened.and_then(|tcp| {
            let (taken, again) = (tcp.local_addr()?, tcp.try_clone()?);
            let listener = match is_proxy {
                true => Listener::proxy(tcp)?,
                false => Listener::tcp(tcp)?,
            };
            Ok((taken, again, listener))
        }) {
            Ok((taken, again, listener)) => {
                passed_on.push((format!("{LISTENER}{}", listeners.len()), again.into()));
                listeners.push(listener);
                if !is_proxy {
                    open.push(taken);
                }
            }
            // A machine without IPv6 still starts.
            Err(error) if has_no_such_address(&error) && options.listen.len() > 1 => {
                log::warn!("cannot listen on {address}: {}", words(&error));
            }
            Err(error) => return Err(refused(address, &error)),
        }
    }
    let unix = UnixListener::bind(socket)
        .and_then(|unix| {
            fs::set_permissions(socket, fs::Permissions::from_mode(0o660))?;
            let path = socket.to_owned();
            Listener::unix(unix, Box::new(move |peer| may_command(peer, &path)))
        })
        .map_err(|error| refused(&socket.display(), &error))?;
    listeners.push(unix);
    Ok((listeners, open))
}

/// Binds a new listener. Without IPv6, `[::]` becomes `0.0.0.0`. If an inherited listener holds the port on a narrower
/// address, that one is used.
fn bind(address: &SocketAddr, earlier: &mut Vec<OwnedFd>) -> io::Result<TcpListener> {
    let error = match TcpListener::bind(address) {
        Err(error) if address.ip().is_unspecified() => error,
        bound => return bound,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let same_port = |fd: &OwnedFd| {
                let tcp = fd.try_clone().map(TcpListener::from);
                let taken = tcp.and_then(|tcp| tcp.local_addr());
                taken.is_ok_and(|taken| taken.port() == address.port())
            };
            let place = earlier.iter().position(same_port).ok_or(error)?;
            log::warn!(
                "cannot listen on {address} until the next boot: an inherited listener holds its port"
            );
            Ok(TcpListener::from(earlier.swap_remove(place)))
        }
        io::ErrorKind::PermissionDenied => Err(error),
        _ if address.is_ipv6() => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())),
        _ => Err(error),
    }
}

/// The inherited listener at this address, if there is one. Port 0 matches any port.
fn take_inherited(address: &SocketAddr, earlier: &mut Vec<OwnedFd>) -> Option<TcpListener> {
    let place = earlier.iter().position(|fd| {
        let tcp = fd.try_clone().map(TcpListener::from);
        let taken = tcp.and_then(|tcp| tcp.local_addr());
        taken.is_ok_and(|taken| {
            taken.ip() == address.ip() && (taken.port() == address.port() || address.port() == 0)
        })
    })?;
    Some(TcpListener::from(earlier.swap_remove(place)))
}

/// The flight recorder, in inherited or in new memory.
fn recorder(
    handover: &mut InheritedDescriptors,
    passed_on: &mut Vec<(String, OwnedFd)>,
) -> io::Result<Rc<FlightRecorder>> {
    let earlier = handover
        .take(LOG)
        .and_then(|fd| Some((shared_memory::open(&fd, RECORDER_BYTES).ok()?, fd)));
    let (memory, fd) = match earlier {
        Some(earlier) => earlier,
        None => shared_memory::create(RECORDER_BYTES)?,
    };
    passed_on.push((LOG.to_owned(), fd));
    let life = clock::now().since_boot().as_millis() as u64;
    Ok(Rc::new(FlightRecorder::new(memory, life)))
}
