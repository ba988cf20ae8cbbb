//! The drivers of the running display processes: one for each run, from its start to its end.

use super::launch;
use crate::browser::built_in_pages::Facts;
use crate::browser::command_line::Driven;
use crate::browser::{Chromium, Cog, Driver, DriverContext, Pointer, Undriven, answer, ended};
use crate::config::{CommandLine, Process};
use crate::http::AuthService;
use crate::logs::Logs;
use crate::supervisor::PageCommand;
use crate::supervisor::{Event, Requester, RunId, SavedRun, Ticket};
use crate::sys::machine;
use crate::sys::process::children::Children;
use crate::sys::process::launch::Launch;
use crate::sys::time::clock;
use smol::LocalExecutor;
use smol::channel::Sender;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;

/// All drivers, and the resources that they need.
pub struct Drivers {
    executor: Rc<LocalExecutor<'static>>,
    reports: Sender<Event>,
    children: Children,
    logs: Rc<Logs>,
    addresses: WebUiAddresses,
    /// Provides the claim code that the welcome page shows.
    auth: Rc<AuthService>,
    drivers: BTreeMap<RunId, Driver>,
}

impl Drivers {
    /// Creates an empty set of drivers.
    pub fn new(
        executor: &Rc<LocalExecutor<'static>>,
        reports: &Sender<Event>,
        children: &Children,
        logs: &Rc<Logs>,
        addresses: &WebUiAddresses,
        auth: &Rc<AuthService>,
    ) -> Self {
        Self {
            executor: executor.clone(),
            reports: reports.clone(),
            children: children.clone(),
            logs: logs.clone(),
            addresses: addresses.clone(),
            auth: auth.clone(),
            drivers: BTreeMap::new(),
        }
    }

    /// Starts a driver for a new run of a display process.
    pub fn begin(&mut self, run: RunId, process: &Process, driven: Driven) {
        self.drive(run, process, driven, false);
    }

    /// Starts a driver for an adopted run.
    pub fn resume(&mut self, running: &SavedRun, state_dir: &Path) {
        let process = &running.process;
        let driven = launch::driven(process, state_dir);
        self.drive(running.run, process, driven, true);
    }

    fn drive(&mut self, run: RunId, process: &Process, driven: Driven, taken_over: bool) {
        if !process.is_display() {
            return;
        }
        let around = Rc::new(self.context(run, process));
        let driver = match driven {
            Driven::ByPipe => match self.children.control(run) {
                Ok(Some(socket)) => {
                    // Message ids must not repeat those of an earlier daemon of this boot.
                    let first = clock::now().since_boot().as_millis() as u32 & (i32::MAX as u32);
                    Chromium::drive(socket, taken_over, first, around.clone())
                }
                // A version of the daemon without the pipe started it.
                Ok(None) => Ok(Undriven::drive(around.clone())),
                Err(error) => Err(error),
            },
            Driven::ByCogctl => Ok(Cog::drive(self.helper_runner(run, process), around.clone())),
            Driven::Not => Ok(Undriven::drive(around.clone())),
        };
        let driver = driver.unwrap_or_else(|error| {
            log::warn!("{} run {run} cannot be driven: {error}", process.id);
            Undriven::drive(around)
        });
        self.drivers.insert(run, driver);
    }

    /// Passes a command to the driver of a run. Returns the answer if there is one immediately.
    pub fn run_command(
        &self,
        run: RunId,
        order: PageCommand,
        requester: Requester,
    ) -> Option<Event> {
        match self.drivers.get(&run) {
            Some(driver) => driver.run(order, requester),
            None => Some(answer(run, order, requester, Err(ended()))),
        }
    }

    /// Cancels the command with this ticket. It is still answered.
    pub fn cancel(&self, run: RunId, ticket: Ticket) {
        if let Some(driver) = self.drivers.get(&run) {
            driver.cancel(ticket);
        }
    }

    /// Ends the driver of a run that has ended. Returns the answers to its pending commands.
    pub fn observe(&mut self, event: &Event) -> impl Iterator<Item = Event> + use<> {
        let ended = match event {
            Event::Exited { run, .. } => self.drivers.remove(run),
            _ => None,
        };
        ended.into_iter().flat_map(Driver::end)
    }

    fn context(&self, run: RunId, process: &Process) -> DriverContext {
        let (logs, id) = (self.logs.clone(), process.id.clone());
        let (addresses, auth) = (self.addresses.clone(), self.auth.clone());
        DriverContext {
            run,
            pointer: match process.flags.cursor {
                true => Pointer::Shown,
                false => Pointer::Hidden,
            },
            executor: self.executor.clone(),
            events: self.reports.clone(),
            note: Box::new(move |text| {
                log::debug!("{id}: {text}");
                if let Some(log) = logs.get(&id) {
                    log.note(text, clock::now());
                }
            }),
            facts: Box::new(move || addresses.facts(auth.claim_code())),
        }
    }

    /// Runs helper commands on the session bus of a run.
    fn helper_runner(&self, run: RunId, process: &Process) -> crate::browser::RunHelper {
        const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
        let (children, process) = (self.children.clone(), process.clone());
        Box::new(move |argv| {
            let (children, process) = (children.clone(), process.clone());
            Box::pin(async move {
                let bus = children.variable(run, BUS);
                let env = bus.into_iter().map(|bus| (BUS.to_owned(), bus)).collect();
                let launch = Launch::new(&process, CommandLine::Direct { env, argv });
                Ok(children.beside(run, &launch).await?.success())
            })
        })
    }
}

/// The addresses of the web UI. Cheap to clone.
#[derive(Clone)]
pub(super) struct WebUiAddresses {
    listeners: Rc<[SocketAddr]>,
    hosts: Rc<[String]>,
}

impl WebUiAddresses {
    /// The daemon listens at `listeners`; `hosts` are the names that `--host` gives.
    pub fn new(listeners: &[SocketAddr], hosts: &[String]) -> Self {
        Self {
            listeners: listeners.into(),
            hosts: hosts.into(),
        }
    }

    /// What the built-in pages show: the best link first, which is also the QR code.
    pub fn facts(&self, claim_code: Option<String>) -> Facts {
        let hostname = machine::hostname();
        let mut links = self.links(&hostname);
        let mut seen = BTreeSet::new();
        links.retain(|link| seen.insert(link.clone()));
        Facts {
            hostname,
            links,
            claim_code,
        }
    }

    /// A daemon that listens on loopback only is reached through a proxy, by the name that the proxy has a certificate
    /// for. Where it listens on the network too, its addresses need no name service and come first.
    fn links(&self, hostname: &str) -> Vec<String> {
        let is_open = |listener: &&SocketAddr| !listener.ip().is_loopback();
        let open: Vec<&SocketAddr> = self.listeners.iter().filter(is_open).collect();
        if open.is_empty() && !self.hosts.is_empty() {
            let secure = |host: &String| format!("https://{host}");
            return self.hosts.iter().map(secure).collect();
        }
        if open.is_empty() {
            let links = self.listeners.iter();
            return links.map(|local| link(local.ip(), local.port())).collect();
        }
        let mut links = Vec::new();
        for listener in &open {
            let port = listener.port();
            if listener.ip().is_unspecified() {
                let reached = machine::addresses().into_iter();
                let same = reached.filter(|address| address.is_ipv4() || listener.is_ipv6());
                links.extend(same.map(|address| link(address, port)));
                links.push(format!("http://{hostname}.local:{port}"));
            } else {
                links.push(link(listener.ip(), port));
            }
        }
        for listener in open {
            let named = |host: &String| format!("http://{host}:{}", listener.port());
            links.extend(self.hosts.iter().map(named));
        }
        links
    }
}

fn link(address: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listeners: &[&str], hosts: &[&str]) -> WebUiAddresses {
        let listeners: Vec<SocketAddr> = (listeners.iter())
            .map(|listener| listener.parse().unwrap())
            .collect();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        WebUiAddresses::new(&listeners, &hosts)
    }

    #[test]
    fn behind_a_proxy_the_link_is_the_public_name() {
        let local = ["127.0.0.1:8081", "[::1]:8081"];
        let behind = reach(&local, &["kiosk.example.org", "lobby.example.org"]);
        assert_eq!(
            behind.facts(None).links,
            ["https://kiosk.example.org", "https://lobby.example.org"]
        );
    }

    #[test]
    fn on_the_network_a_further_name_comes_after_the_addresses() {
        let listeners = ["192.0.2.7:80", "127.0.0.1:80"];
        let open = reach(&listeners, &["kiosk.example.org"]);
        assert_eq!(
            open.facts(None).links,
            ["http://192.0.2.7:80", "http://kiosk.example.org:80"]
        );
    }

    #[test]
    fn the_links_lead_to_the_listeners() {
        let links = |listeners: &[&str]| reach(listeners, &[]).facts(None).links;
        assert_eq!(
            links(&["192.0.2.7:80", "127.0.0.1:80"]),
            ["http://192.0.2.7:80"]
        );
        assert_eq!(links(&["[::1]:8081"]), ["http://[::1]:8081"]);
        let everywhere = links(&["0.0.0.0:8081", "[::]:8081"]);
        let name = format!("http://{}.local:8081", machine::hostname());
        assert_eq!(everywhere.iter().filter(|link| **link == name).count(), 1);
    }
}
