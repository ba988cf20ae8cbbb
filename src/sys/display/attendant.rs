//! Attends the displays: one small task for each asks its server what it shows itself on, hears of
//! changes, switches it and turns it.
//!
//! The server is asked over its own socket ([`super::x11`], [`super::wayland`]), without other programs. Where
//! it cannot switch its screen, others may: the television itself, or the firmware ([`super::power`]).

use super::connectors::ConnectorDirectory;
use super::power;
use super::server::{PowerAnswer, Server};
use super::wayland::Wayland;
use super::x11::X;
use crate::config::{Display, Rotation};
use crate::supervisor::{Backend, Event, Failure, PowerReport, Screen};
use crate::sys::process::children::Children;
use crate::timeout::within;
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// How long a server may take to answer. One that swaps pages on a small board has been seen to take a second.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the report of a new display waits for its server to describe the screen. A browser that starts
/// without knowing it is better than a dark screen.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The pauses after which a server is asked again that broke off or did not answer, in seconds. After that it is left
/// alone: it is not one that speaks with us. (They end, so they are a list and no back-off.)
const RETRIES: [u64; 4] = [1, 5, 30, 120];

/// Commands that wait for an attendant: the supervisor has at most one of each kind pending.
const COMMANDS: usize = 4;

/// All attendants. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Attendants(Rc<Inner>);

struct Inner {
    executor: Rc<LocalExecutor<'static>>,
    events: Sender<Event>,
    children: Children,
    drm: ConnectorDirectory,
    /// Where the devices are by which televisions are spoken to.
    devices: PathBuf,
    attendants: RefCell<BTreeMap<Display, Attendant>>,
    /// An attendant has seen its screen for the first time, or has given up.
    looked: event_listener::Event,
}

struct Attendant {
    orders: Sender<Command>,
    /// Ends with the display.
    _task: Task<()>,
    /// It was asked at least once.
    has_looked: bool,
}

/// Something to be done by an attendant, and where the answer goes.
enum Command {
    Switch(Option<bool>, Sender<Result<PowerAnswer, Failure>>),
    Turn(Rotation, Sender<Result<(), Failure>>),
}

impl Attendants {
    /// Attends nothing yet. `drm` and `devices` are where connectors and devices are: `/sys/class/drm`, `/dev`.
    pub fn new(
        executor: &Rc<LocalExecutor<'static>>,
        events: Sender<Event>,
        children: &Children,
        drm: PathBuf,
        devices: PathBuf,
    ) -> Self {
        let drm = ConnectorDirectory::new(drm);
        executor.spawn(drm.clone().watch(events.clone())).detach();
        Self(Rc::new(Inner {
            executor: executor.clone(),
            events,
            children: children.clone(),
            drm,
            devices,
            attendants: RefCell::default(),
            looked: event_listener::Event::new(),
        }))
    }

    /// Attends these displays and no others, and waits a little for news of those that are new.
    pub(in crate::sys) async fn attend(&self, sockets: &BTreeMap<Display, PathBuf>) {
        {
            let mut attendants = self.0.attendants.borrow_mut();
            attendants.retain(|display, _| sockets.contains_key(display));
            for (display, socket) in sockets {
                attendants.entry(display.clone()).or_insert_with(|| {
                    let (orders, ordered) = channel::bounded(COMMANDS);
                    let task = attend(self.0.clone(), display.clone(), socket.clone(), ordered);
                    Attendant {
                        orders,
                        _task: self.0.executor.spawn(task),
                        has_looked: false,
                    }
                });
            }
        }
        let all_have_looked = async {
            loop {
                let looked = self.0.looked.listen();
                if self.all_have_looked() {
                    return;
                }
                looked.await;
            }
        };
        let _ = within(FIRST_LOOK, all_have_looked).await;
    }

    fn all_have_looked(&self) -> bool {
        let attendants = self.0.attendants.borrow();
        attendants.values().all(|attendant| attendant.has_looked)
    }

    /// Turns a display.
    ///
    /// # Errors
    /// Its server cannot, or does not answer.
    pub async fn turn(self, display: Display, rotation: Rotation) -> Result<(), Failure> {
        self.order(&display, |answer| Command::Turn(rotation, answer))
            .await
    }

    /// Switches the screen of a display (or leaves it as it is, without `on`), and looks whether it is on.
    /// `connector` is where it is plugged in, where that is known: what the kernel says
    /// of it counts more than the answer of the program that switched it.
    pub async fn switch(
        self,
        display: Display,
        connector: Option<String>,
        on: Option<bool>,
    ) -> PowerReport {
        let inner = &self.0;
        let answer = self
            .order(&display, |answer| Command::Switch(on, answer))
            .await;
        match answer {
            Ok(PowerAnswer::Is(backend, actual)) => {
                let lit = connector.and_then(|name| inner.drm.lit(&name));
                PowerReport {
                    backend: Some(backend),
                    actual: lit.or(actual),
                    failure: None,
                }
            }
            Err(failure) if inner.attendants.borrow().contains_key(&display) => {
                let others = self.switch_otherwise(connector.as_deref(), on).await;
                match others.backend {
                    Some(_) => others,
                    None => PowerReport {
                        failure: on.is_some().then_some(failure),
                        ..others
                    },
                }
            }
            Ok(PowerAnswer::Cannot) | Err(_) => {
                self.switch_otherwise(connector.as_deref(), on).await
            }
        }
    }

    async fn switch_otherwise(&self, connector: Option<&str>, on: Option<bool>) -> PowerReport {
        let inner = &self.0;
        power::switch(&inner.children, &inner.drm, &inner.devices, connector, on).await
    }

    async fn order<T>(
        &self,
        display: &Display,
        order: impl FnOnce(Sender<Result<T, Failure>>) -> Command,
    ) -> Result<T, Failure> {
        let orders = {
            let attendants = self.0.attendants.borrow();
            attendants
                .get(display)
                .map(|attendant| attendant.orders.clone())
        };
        let (answer, answered) = channel::bounded(1);
        let gone = || Failure::system(format!("display {display} does not describe its screen"));
        let orders = orders.ok_or_else(gone)?;
        orders.send(order(answer)).await.map_err(|_| gone())?;
        answered.recv().await.map_err(|_| gone())?
    }
}

/// Looks after a display, until it is dropped or its server has broken off too often.
async fn attend(inner: Rc<Inner>, display: Display, socket: PathBuf, orders: Receiver<Command>) {
    let mut pauses = RETRIES.iter();
    loop {
        let attending = async {
            match &display {
                Display::X(_) => {
                    let server = in_time(&display, X::connect(&display, &socket)).await?;
                    serve(&inner, &display, server, &orders).await
                }
                Display::Wayland(_) => {
                    let server = in_time(&display, Wayland::connect(&display, &socket)).await?;
                    serve(&inner, &display, server, &orders).await
                }
            }
        };
        let Err(failure) = attending.await;
        log::info!("{failure}");
        inner.note(&display, None).await;
        let Some(seconds) = pauses.next() else {
            log::warn!("display {display} is no longer asked for its screen: {failure}");
            // Commands are answered: there is no attendant.
            orders.close();
            return;
        };
        let refuse = async {
            while let Ok(order) = orders.recv().await {
                order.refuse(&failure);
            }
        };
        let _ = within(Duration::from_secs(*seconds), refuse).await;
    }
}

/// Observes, reports, and runs commands, for as long as the server answers.
async fn serve(
    inner: &Inner,
    display: &Display,
    mut server: impl Server,
    orders: &Receiver<Command>,
) -> Result<std::convert::Infallible, Failure> {
    let mut power = None;
    loop {
        let screen = in_time(display, server.screen()).await?;
        inner.note(display, Some(screen)).await;
        let answer = in_time(display, server.power()).await?;
        if power.is_some_and(|before| before != answer)
            && let PowerAnswer::Is(backend, actual) = answer
        {
            inner.report_power(display, backend, actual).await;
        }
        power = Some(answer);
        let order = async {
            match orders.recv().await {
                Ok(order) => Ok(Some(order)),
                // The task is dropped before its channel is.
                Err(_) => smol::future::pending().await,
            }
        };
        let changed = async { server.changed().await.map(|()| None) };
        match order.or(changed).await? {
            None => {}
            Some(Command::Switch(on, answer)) => {
                let result = match on {
                    Some(on) => in_time(display, server.switch(on)).await,
                    None => in_time(display, server.power()).await,
                };
                // The answer reports a requested change.
                power = result.as_ref().ok().copied();
                let _ = answer.try_send(result);
            }
            Some(Command::Turn(rotation, answer)) => {
                let result = in_time(display, server.turn(rotation)).await;
                // The supervisor gets the new rotation before the answer to the command.
                let screen = in_time(display, server.screen()).await?;
                inner.note(display, Some(screen)).await;
                let _ = answer.try_send(result);
            }
        }
    }
}

impl Command {
    fn refuse(self, failure: &Failure) {
        // The receiver is gone once the command timed out.
        match self {
            Command::Switch(_, answer) => drop(answer.try_send(Err(failure.clone()))),
            Command::Turn(_, answer) => drop(answer.try_send(Err(failure.clone()))),
        }
    }
}

impl Inner {
    /// Stores what is known of a screen, and reports a change.
    async fn note(&self, display: &Display, screen: Option<Screen>) {
        let event = Event::Screen {
            display: display.clone(),
            screen,
        };
        let _ = self.events.send(event).await;
        // The event is sent before the wait for the first observation ends.
        if let Some(attendant) = self.attendants.borrow_mut().get_mut(display) {
            attendant.has_looked = true;
        }
        self.looked.notify(usize::MAX);
    }

    /// Another program has switched the screen.
    async fn report_power(&self, display: &Display, backend: Backend, actual: Option<bool>) {
        let report = PowerReport {
            backend: Some(backend),
            actual,
            failure: None,
        };
        let display = display.clone();
        let _ = self.events.send(Event::Power { display, report }).await;
    }
}

/// The result of `work`, or that it takes too long.
async fn in_time<T>(
    display: &Display,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    within(TIMEOUT, work).await.unwrap_or_else(|| {
        let seconds = TIMEOUT.as_secs();
        Err(Failure::system(format!(
            "the server of {display} does not answer within {seconds} s"
        )))
    })
}
