//! Everything that has to succeed before the loop runs.

use super::action_runner::ActionRunner;
use super::drivers::{Drivers, WebUiAddresses};
use super::event_sources::Sources;
#[cfg(feature = "faults")]
use super::faults;
use super::inherited::Inherited;
use super::last_good_config::LastGoodConfig;
use super::service_notifier::ServiceNotifier;
use super::watchdog::Watchdog;
use super::welcome::Welcome;
use super::{Daemon, credentials, journal, upgrade};
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
use crate::sys::service::shared_memory::Shared;
use crate::sys::service::signals::Signals;
use crate::sys::service::{allocator, notify, rlimit};
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

/// Reports that may wait for the loop. Each run and each errand has at most one under way,
/// and waits for its place; the loop takes them in microseconds.
const REPORTS: usize = 64;

/// The name of the memory that holds the newest lines of all logs, where it changes hands.
const LOG: &str = "log";

/// What the names of listening sockets begin with, where they change hands.
const DOOR: &str = "door.";

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
    #[cfg(feature = "faults")]
    faults::warn();
    allocator::give_back_large_blocks();
    if let Err(error) = rlimit::raise_descriptors() {
        log::warn!("cannot raise the limit on descriptors: {}", words(&error));
    }
}

/// Takes the run directory, ends what a killed daemon left, reads the configuration and
/// opens the doors.
pub async fn start(
    options: &DaemonOptions,
    guest: Option<&str>,
    executor: Rc<LocalExecutor<'static>>,
) -> Result<Daemon, StartError> {
    let mut handover = InheritedDescriptors::receive();
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
    let mut estate = Inherited::claim(&run_dir, &cgroups, &mut handover, same_boot).await;
    tell_last_start(&last_start);

    let mut heirlooms = Vec::new();
    let recorder = recorder(&mut handover, &mut heirlooms)
        .map_err(|error| system_error("keep logs", &error))?;
    let doors = handover.take_all(DOOR);
    let (listeners, addresses) =
        listen(options, doors, &run_dir.path().join(SOCKET), &mut heirlooms)?;
    for (name, fd) in &heirlooms {
        fd_store::keep(name, fd);
    }
    handover.forget_the_rest();
    let store = ConfigFile::new(&options.config, &options.state_dir);
    let mut boot = read_configuration(&store).await;

    let (reporter, reports) = channel::bounded(REPORTS);
    watch_network(&executor, &reporter);
    let children = Children::new(&executor, reporter.clone(), &run_dir, cgroups)
        .map_err(StartError::System)?;
    let screens = watch_displays(&executor, &reporter, &children)?;
    let logs = Logs::recorded(recorder.clone());
    estate.adopt(&children, &logs);
    let keeper = credentials::open(&options.state_dir, &run_dir).await;
    let reach = WebUiAddresses::new(&addresses, &options.hosts);
    let mut drivers = Drivers::new(&executor, &reporter, &children, &logs, &reach, &keeper);
    for running in estate.memories.iter().filter_map(Memory::running) {
        drivers.resume(running, &options.state_dir);
    }
    boot.next_run = estate.next_run();
    boot.schedule = schedule(&store, &run_dir, &executor, &reporter, &boot.loaded).await;
    boot.memories = estate.memories;
    let mind = Supervisor::new(boot, clock::now());
    let (mailbox, requests) = CommandSender::new();
    let requests = Rc::new(requests);
    let about = about(options, recorder.life(), last_start);
    let entrance = invite(&keeper, guest).await;
    let welcome = Welcome::keep(&executor, &run_dir, &reach, &keeper);
    let api = open_api(
        options,
        &mind,
        mailbox,
        logs.clone(),
        keeper,
        about,
        &children,
    );
    for listener in listeners {
        let serve = http::serve(api.clone(), listener, executor.clone());
        #[cfg(feature = "faults")]
        let serve = faults::may_hang(serve);
        executor.spawn(serve).detach();
    }
    // Only now: whoever waits for this line may change the file or ask at once.
    for address in &addresses {
        // Nobody may listen any more where this program goes on for another.
        let _ = writeln!(io::stdout(), "listening on http://{address}");
    }
    if let (Some(secret), Some(address)) = (entrance, addresses.first()) {
        let way = link(address);
        let _ = writeln!(
            io::stdout(),
            "sign in at {way}/#enter={}",
            secret.to_cookie()
        );
    }
    let herald = ServiceNotifier::ready(&mind, clock::now());
    Ok(Daemon {
        supervisor: mind,
        runner: ActionRunner {
            files: LogFiles::new(&executor, &options.state_dir),
            marking: Some(executor.spawn(marker.clone().set())),
            executor,
            reports: reporter,
            children,
            screens,
            drivers,
            welcome,
            store,
            logs,
            requests: requests.clone(),
            state_dir: options.state_dir.clone(),
            run_dir: run_dir.clone(),
            program: upgrade::installed(),
            good_copy: LastGoodConfig::default(),
            answers: Default::default(),
        },
        sources: Sources {
            reports,
            requests,
            signals,
        },
        notifier: herald,
        watchdog: notify::watchdog_limit().map(|limit| Watchdog::new(limit, clock::now())),
        api,
        run_dir,
        marker,
        inherited: heirlooms,
    })
}

fn system_error(attempt: &str, error: &io::Error) -> StartError {
    StartError::System(Failure::system(format!(
        "cannot {attempt}: {}",
        words(error)
    )))
}

/// The state directory may be passed through by the accounts whose profiles are in it; one that is there
/// already is as somebody wants it to be. A kiosk with a disk that cannot be written still shows
/// its page, so this is no reason not to start.
fn make_state_dir(path: &Path) {
    if path.exists() {
        return;
    }
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o711)));
    if let Err(error) = made {
        log::warn!("cannot make {}: {}", path.display(), words(&error));
    }
}

fn tell_last_start(last_start: &LastStart) {
    let level = match last_start.reason.is_in_order() {
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
        schedule: ScheduleBoot::default(),
    }
}

/// What there is to know of the schedule before anything starts: a kiosk that is switched on in the middle of the day
/// shows the page of that hour and no other first.
async fn schedule(
    store: &ConfigFile,
    run_dir: &RunDir,
    executor: &LocalExecutor<'static>,
    reporter: &Sender<Event>,
    loaded: &Loaded,
) -> ScheduleBoot {
    let kept = match store.load_schedule().await {
        Ok(Some(bytes)) => SavedSchedule::from_bytes(&bytes).unwrap_or_else(|why| {
            log::warn!("what was kept of the schedule is broken, and it begins anew: {why}");
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
                "no rule with a time is done: cannot watch the clock: {}",
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
        kept,
        boot: clock::boot_id(),
        clock,
        zone: Some((zone, found)),
    }
}

/// Where the kernel does not tell, the kiosk goes by its page's server alone.
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

// ---- the doors ----

/// Lets a guest in who wants to see the kiosk at once: by a link, and afterwards by a password.
async fn invite(keeper: &AuthService, guest: Option<&str>) -> Option<Secret> {
    let password = guest?;
    if let Err(error) = keeper.own_with(password).await {
        log::error!("the password could not be set: {error}");
    }
    Some(keeper.invite())
}

/// The address as a browser on this machine takes it.
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
        life,
        last_start,
        hostname: Box::new(machine::hostname),
    }
}

fn open_api(
    options: &DaemonOptions,
    mind: &Supervisor,
    mailbox: CommandSender,
    logs: Rc<Logs>,
    keeper: Rc<AuthService>,
    about: About,
    children: &Children,
) -> Rc<Api> {
    let clock = || Now {
        mono: clock::now(),
        wall: clock::wall(),
    };
    let feed = SnapshotFeed::new(mind.status().clone());
    let mut api = Api::new(feed, mailbox, logs, keeper, clock, about);
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

/// Opens every listener, or goes on with those of an earlier daemon; the addresses are those where clients are served
/// directly.
fn listen(
    options: &DaemonOptions,
    mut earlier: Vec<OwnedFd>,
    socket: &Path,
    heirlooms: &mut Vec<(String, OwnedFd)>,
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
        let opened = match take_earlier(address, &mut earlier) {
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
                heirlooms.push((format!("{DOOR}{}", listeners.len()), again.into()));
                listeners.push(listener);
                if !is_proxy {
                    open.push(taken);
                }
            }
            // A machine without IPv6 is no reason to stay dark.
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

/// Opens a new door. Where there is no IPv6, everywhere is everywhere in IPv4; and where an earlier daemon has left a door
/// open on that port for fewer, that one stays.
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
            log::warn!("{address} is served to fewer than it could be until the next boot");
            Ok(TcpListener::from(earlier.swap_remove(place)))
        }
        io::ErrorKind::PermissionDenied => Err(error),
        _ if address.is_ipv6() => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())),
        _ => Err(error),
    }
}

/// The door of an earlier daemon at this address, if it left it open. Whoever asks for any free port gets the one that was taken.
fn take_earlier(address: &SocketAddr, earlier: &mut Vec<OwnedFd>) -> Option<TcpListener> {
    let place = earlier.iter().position(|fd| {
        let tcp = fd.try_clone().map(TcpListener::from);
        let taken = tcp.and_then(|tcp| tcp.local_addr());
        taken.is_ok_and(|taken| {
            taken.ip() == address.ip() && (taken.port() == address.port() || address.port() == 0)
        })
    })?;
    Some(TcpListener::from(earlier.swap_remove(place)))
}

/// The newest lines of all logs: where an earlier daemon has left them, or in new memory.
fn recorder(
    handover: &mut InheritedDescriptors,
    heirlooms: &mut Vec<(String, OwnedFd)>,
) -> io::Result<Rc<FlightRecorder>> {
    let earlier = handover
        .take(LOG)
        .and_then(|fd| Some((Shared::open(&fd, RECORDER_BYTES).ok()?, fd)));
    let (memory, fd) = match earlier {
        Some(earlier) => earlier,
        None => Shared::new(RECORDER_BYTES)?,
    };
    heirlooms.push((LOG.to_owned(), fd));
    let life = clock::now().since_boot().as_millis() as u64;
    Ok(Rc::new(FlightRecorder::new(memory, life)))
}
