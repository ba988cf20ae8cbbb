//! The drivers of the display processes that run: one for each run, from its start to its end.

use super::launch;
use crate::browser::command_line::Driven;
use crate::browser::pages::Facts;
use crate::browser::{Chromium, Cog, Driver, Pointer, Surroundings, Undriven, answer, ended};
use crate::config::{Command, Process};
use crate::http::Keeper;
use crate::logs::Book;
use crate::supervisor::page::Order;
use crate::supervisor::{Event, RunId, Running, Ticket};
use crate::sys::children::Children;
use crate::sys::launch::Launch;
use crate::sys::{clock, system};
use smol::LocalExecutor;
use smol::channel::Sender;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;

/// All drivers, and what they need.
pub struct Drivers {
    executor: Rc<LocalExecutor<'static>>,
    reports: Sender<Event>,
    children: Children,
    logs: Rc<Book>,
    /// Where the API and the page are served.
    doors: Rc<[SocketAddr]>,
    /// Knows the code that the welcome page shows.
    keeper: Rc<Keeper>,
    drivers: BTreeMap<RunId, Driver>,
}

impl Drivers {
    /// No drivers yet. `doors` are the addresses where the kiosk can be reached.
    pub fn new(
        executor: &Rc<LocalExecutor<'static>>,
        reports: &Sender<Event>,
        children: &Children,
        logs: &Rc<Book>,
        doors: &[SocketAddr],
        keeper: &Rc<Keeper>,
    ) -> Self {
        Self {
            executor: executor.clone(),
            reports: reports.clone(),
            children: children.clone(),
            logs: logs.clone(),
            doors: doors.into(),
            keeper: keeper.clone(),
            drivers: BTreeMap::new(),
        }
    }

    /// A run of a process was started: drives it, where it is a display process.
    pub fn begin(&mut self, run: RunId, process: &Process, driven: Driven) {
        self.drive(run, process, driven, false);
    }

    /// A run that an earlier daemon has started goes on.
    pub fn resume(&mut self, running: &Running, state_dir: &Path) {
        let process = &running.process;
        let driven = launch::driven(process, state_dir);
        self.drive(running.run, process, driven, true);
    }

    fn drive(&mut self, run: RunId, process: &Process, driven: Driven, taken_over: bool) {
        if !process.is_display() {
            return;
        }
        let around = Rc::new(self.surroundings(run, process));
        let driver = match driven {
            Driven::ByPipe => match self.children.control(run) {
                Ok(Some(socket)) => {
                    // Every daemon since the machine was booted began above the one before.
                    let first = clock::now().since_boot().as_millis() as u32 & (i32::MAX as u32);
                    Chromium::drive(socket, taken_over, first, around.clone())
                }
                // An earlier version of the daemon has started it.
                Ok(None) => Ok(Undriven::drive(around.clone())),
                Err(error) => Err(error),
            },
            Driven::ByCogctl => Ok(Cog::drive(self.beside(run, process), around.clone())),
            Driven::Not => Ok(Undriven::drive(around.clone())),
        };
        let driver = driver.unwrap_or_else(|error| {
            log::warn!("{} run {run} cannot be driven: {error}", process.id);
            Undriven::drive(around)
        });
        self.drivers.insert(run, driver);
    }

    /// Has something done with the page of a run; what comes of it at once is returned.
    pub fn steer(&self, run: RunId, order: Order, ticket: Option<Ticket>) -> Option<Event> {
        match self.drivers.get(&run) {
            Some(driver) => driver.steer(order, ticket),
            None => Some(answer(run, order, ticket, Err(ended()))),
        }
    }

    /// The client that has given this order does not want it any more; it is still answered.
    pub fn withdraw(&self, run: RunId, ticket: Ticket) {
        if let Some(driver) = self.drivers.get(&run) {
            driver.withdraw(ticket);
        }
    }

    /// The loop hears of something: with a run ends its driver, and what it still owes is answered.
    pub fn hear(&mut self, event: &Event) -> impl Iterator<Item = Event> + use<> {
        let ended = match event {
            Event::Exited { run, .. } => self.drivers.remove(run),
            _ => None,
        };
        ended.into_iter().flat_map(Driver::end)
    }

    fn surroundings(&self, run: RunId, process: &Process) -> Surroundings {
        let (logs, id) = (self.logs.clone(), process.id.clone());
        let (doors, keeper) = (self.doors.clone(), self.keeper.clone());
        Surroundings {
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
            facts: Box::new(move || facts(&doors, keeper.claim_code())),
        }
    }

    /// Executes commands beside a run, on its session bus.
    fn beside(&self, run: RunId, process: &Process) -> crate::browser::RunBeside {
        const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
        let (children, process) = (self.children.clone(), process.clone());
        Box::new(move |argv| {
            let (children, process) = (children.clone(), process.clone());
            Box::pin(async move {
                let bus = children.variable(run, BUS);
                let env = bus.into_iter().map(|bus| (BUS.to_owned(), bus)).collect();
                let launch = Launch::new(&process, Command::Direct { env, argv });
                Ok(children.beside(run, &launch).await?.success())
            })
        })
    }
}

/// What the pages of our own tell: how the kiosk is reached.
pub(super) fn facts(doors: &[SocketAddr], claim_code: Option<String>) -> Facts {
    let hostname = system::hostname();
    let mut links = Vec::new();
    for door in doors {
        let port = door.port();
        match door.ip() {
            ip if ip.is_unspecified() => {
                let reached = system::addresses().into_iter();
                let same = reached.filter(|address| address.is_ipv4() || door.is_ipv6());
                links.extend(same.map(|address| link(address, port)));
                links.push(format!("http://{hostname}.local:{port}"));
            }
            ip if ip.is_loopback() => {}
            ip => links.push(link(ip, port)),
        }
    }
    if links.is_empty() {
        links.extend(doors.iter().map(|door| link(door.ip(), door.port())));
    }
    let mut seen = std::collections::BTreeSet::new();
    links.retain(|link| seen.insert(link.clone()));
    Facts {
        hostname,
        links,
        claim_code,
    }
}

fn link(address: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_lead_to_the_doors() {
        let links = |doors: &[&str]| {
            let doors: Vec<SocketAddr> = doors.iter().map(|door| door.parse().unwrap()).collect();
            facts(&doors, None).links
        };
        assert_eq!(
            links(&["192.0.2.7:80", "127.0.0.1:80"]),
            ["http://192.0.2.7:80"]
        );
        assert_eq!(links(&["[::1]:8081"]), ["http://[::1]:8081"]);
        let everywhere = links(&["0.0.0.0:8081", "[::]:8081"]);
        let name = format!("http://{}.local:8081", system::hostname());
        assert_eq!(everywhere.iter().filter(|link| **link == name).count(), 1);
    }
}
