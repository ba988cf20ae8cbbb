//! A session with a compositor: its objects and what they reported.

use super::output::{Head, WlOutput, transform};
use super::wire::{Event, Request};
use crate::config::{Display, Rotation};
use crate::supervisor::{Failure, Screen, Size};
use crate::sys::errno::{failure, words};
use smol::Async;
use smol::future::yield_now;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Outputs and heads that are kept, at most: more than any machine has.
const OUTPUTS_MAX: usize = 16;

/// Objects that may wait for the compositor to say that their numbers are free. A handful do; one that never says it is
/// not spoken with any longer.
const DYING_MAX: usize = 256;

/// How much is read at once. Before each piece the other tasks have their turn.
const PIECE: usize = 4096;

/// The objects that every conversation begins with.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
const FIRST_FREE: u32 = 3;

const DISPLAY_SYNC: u16 = 0;
const DISPLAY_GET_REGISTRY: u16 = 1;
const DISPLAY_ERROR: u16 = 0;
const DISPLAY_DELETE_ID: u16 = 1;
const REGISTRY_BIND: u16 = 0;
const REGISTRY_GLOBAL: u16 = 0;
const REGISTRY_GLOBAL_REMOVE: u16 = 1;
const POWER_MANAGER_GET: u16 = 0;
const POWER_SET_MODE: u16 = 0;
const POWER_DESTROY: u16 = 1;
const POWER_MODE: u16 = 0;
const POWER_FAILED: u16 = 1;
const MANAGER_CREATE_CONFIGURATION: u16 = 0;
const MANAGER_HEAD: u16 = 0;
const MANAGER_DONE: u16 = 1;
const CONFIGURATION_ENABLE: u16 = 0;
const CONFIGURATION_DISABLE: u16 = 1;
const CONFIGURATION_APPLY: u16 = 2;
const CONFIGURATION_DESTROY: u16 = 4;
const CONFIGURATION_SUCCEEDED: u16 = 0;
const CONFIGURATION_CANCELLED: u16 = 2;
const HEAD_SET_TRANSFORM: u16 = 3;

/// A connection to a compositor, and what it reported.
#[derive(Debug)]
pub(super) struct Session {
    display: Display,
    stream: Async<UnixStream>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// The lowest number that no object ever had, and those of objects that are gone.
    next_object: u32,
    free: Vec<u32>,
    /// Objects that end, until the compositor says that their numbers are free.
    dying: Vec<u32>,
    outputs: Vec<WlOutput>,
    heads: Vec<Head>,
    /// `zwlr_output_power_manager_v1`, where the compositor has it.
    power_manager: Option<u32>,
    /// `zwlr_output_manager_v1`, likewise.
    manager: Option<u32>,
    /// The state that the next configuration is based on.
    serial: u32,
    /// The callback of the last round trip, and the configuration under way; what became of them.
    waited_for: u32,
    came: Option<u16>,
    /// Something has changed that was not reported yet.
    news: bool,
}

impl Session {
    /// Connects, and asks what there is.
    pub(super) async fn open(display: &Display, socket: &Path) -> Result<Self, Failure> {
        let stream = Async::<UnixStream>::connect(socket)
            .await
            .map_err(|error| failure(format_args!("ask {display} for its screen"), &error))?;
        let mut this = Self {
            display: display.clone(),
            stream,
            inbox: Vec::new(),
            outbox: Vec::new(),
            free: Vec::new(),
            dying: Vec::new(),
            next_object: FIRST_FREE,
            outputs: Vec::new(),
            heads: Vec::new(),
            power_manager: None,
            manager: None,
            serial: 0,
            waited_for: 0,
            came: None,
            news: false,
        };
        let registry = Request::new(DISPLAY, DISPLAY_GET_REGISTRY).number(REGISTRY);
        this.send(registry);
        Ok(this)
    }

    /// Waits until the compositor has processed all requests so far.
    pub(super) async fn round_trip(&mut self) -> Result<(), Failure> {
        let callback = self.new_object();
        // It ends with its answer.
        self.dying.push(callback);
        let request = Request::new(DISPLAY, DISPLAY_SYNC).number(callback);
        self.wait_for(callback, request).await.map(drop)
    }

    /// Resolves once something has changed. May be dropped at any time: nothing is lost.
    pub(super) async fn news(&mut self) -> Result<(), Failure> {
        loop {
            self.handle_what_came()?;
            if std::mem::take(&mut self.news) {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    /// Everything that shows something.
    pub(super) fn screen(&self) -> Screen {
        let shown: Vec<&WlOutput> = (self.outputs.iter())
            .filter(|output| output.size().is_some())
            .collect();
        let sizes = || shown.iter().filter_map(|output| output.size());
        Screen {
            // Side by side, where there are several: that is how compositors put them.
            size: Size {
                width: sizes().map(|size| size.width).fold(0, u32::saturating_add),
                height: sizes().map(|size| size.height).max().unwrap_or(0),
            },
            outputs: shown.iter().map(|output| output.shown()).collect(),
        }
    }

    // ---- power ----

    /// Whether the outputs can be switched.
    pub(super) fn can_switch(&self) -> bool {
        self.outputs.iter().any(|output| output.power.is_some())
    }

    /// Whether any of them is on.
    pub(super) fn is_on(&self) -> Option<bool> {
        let mut known = self
            .outputs
            .iter()
            .filter_map(|output| output.on)
            .peekable();
        known.peek()?;
        Some(known.any(|on| on))
    }

    /// Switches all of them.
    pub(super) fn switch(&mut self, on: bool) {
        let switches: Vec<u32> = self
            .outputs
            .iter()
            .filter_map(|output| output.power)
            .collect();
        for power in switches {
            let request = Request::new(power, POWER_SET_MODE).number(on.into());
            self.send(request);
        }
    }

    // ---- rotation ----

    /// Turns every output that shows something.
    pub(super) async fn turn(&mut self, rotation: Rotation) -> Result<(), Failure> {
        let display = self.display.clone();
        let cannot = |why: &str| Failure::system(format!("cannot turn {display}: {why}"));
        let Some(manager) = self.manager else {
            return Err(cannot(
                "its compositor has no wlr-output-management; turn it in the compositor's own configuration",
            ));
        };
        if !self.heads.iter().any(|head| head.enabled) {
            return Err(cannot("its compositor says that no output is enabled"));
        }
        let configuration = self.new_object();
        let serial = self.serial;
        let request = Request::new(manager, MANAGER_CREATE_CONFIGURATION);
        self.send(request.number(configuration).number(serial));
        let mut settings = Vec::new();
        // Every head has to be mentioned, or the compositor ends the conversation.
        for index in 0..self.heads.len() {
            let (head, enabled) = (self.heads[index].object, self.heads[index].enabled);
            if !enabled {
                let request = Request::new(configuration, CONFIGURATION_DISABLE);
                self.send(request.number(head));
                continue;
            }
            let setting = self.new_object();
            settings.push(setting);
            let request = Request::new(configuration, CONFIGURATION_ENABLE);
            self.send(request.number(setting).number(head));
            let request = Request::new(setting, HEAD_SET_TRANSFORM);
            self.send(request.number(transform(rotation)));
        }
        let apply = Request::new(configuration, CONFIGURATION_APPLY);
        let result = self.wait_for(configuration, apply).await?;
        self.send(Request::new(configuration, CONFIGURATION_DESTROY));
        self.dying.push(configuration);
        // With the configuration end the settings in it.
        self.dying.append(&mut settings);
        match result {
            CONFIGURATION_SUCCEEDED => Ok(()),
            CONFIGURATION_CANCELLED => Err(cannot("something else was changed meanwhile")),
            _ => Err(cannot("its compositor refuses")),
        }
    }

    // ---- events ----

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        let mut arguments = event.arguments();
        match (event.object, event.opcode) {
            (DISPLAY, DISPLAY_ERROR) => {
                let (_object, code) = (arguments.number(), arguments.number());
                let display = &self.display;
                let why = arguments.text();
                return Err(Failure::system(format!(
                    "{display} ends the conversation: {why} ({code})"
                )));
            }
            (DISPLAY, DISPLAY_DELETE_ID) => {
                let object = arguments.number();
                if let Some(place) = self.dying.iter().position(|dying| *dying == object) {
                    self.free.push(self.dying.swap_remove(place));
                }
            }
            (REGISTRY, REGISTRY_GLOBAL) => {
                let global = arguments.number();
                let interface = arguments.text();
                self.meet(global, interface, arguments.number());
            }
            (REGISTRY, REGISTRY_GLOBAL_REMOVE) => {
                let global = arguments.number();
                let before = self.outputs.len();
                self.outputs.retain(|output| output.global != global);
                self.news |= self.outputs.len() != before;
            }
            (object, opcode) if object == self.waited_for => self.came = Some(opcode),
            (object, MANAGER_HEAD) if Some(object) == self.manager => {
                if self.heads.len() < OUTPUTS_MAX {
                    self.heads.push(Head::new(arguments.number()));
                }
            }
            (object, MANAGER_DONE) if Some(object) == self.manager => {
                self.serial = arguments.number();
                self.news = true;
            }
            _ => self.handle_of_output(&event),
        }
        Ok(())
    }

    fn handle_of_output(&mut self, event: &Event) {
        if let Some(place) = self
            .heads
            .iter()
            .position(|head| head.object == event.object)
        {
            if !self.heads[place].handle(event) {
                self.heads.remove(place);
            }
            return;
        }
        let Some(output) = self
            .outputs
            .iter_mut()
            .find(|output| output.object == event.object || output.power == Some(event.object))
        else {
            return;
        };
        self.news = true;
        if output.object == event.object {
            return output.handle(event);
        }
        match event.opcode {
            POWER_MODE => output.on = Some(event.arguments().number() != 0),
            // Another client controls the power, or the output is gone.
            POWER_FAILED => {
                (output.power, output.on) = (None, None);
                self.send(Request::new(event.object, POWER_DESTROY));
                self.dying.push(event.object);
            }
            _ => {}
        }
    }

    /// Something that the compositor offers.
    fn meet(&mut self, global: u32, interface: &str, version: u32) {
        match interface {
            "wl_output" if self.outputs.len() < OUTPUTS_MAX => {
                let object = self.bind(global, interface, version.min(4));
                self.outputs.push(WlOutput::new(global, object));
            }
            "zwlr_output_power_manager_v1" => {
                self.power_manager = Some(self.bind(global, interface, 1));
            }
            "zwlr_output_manager_v1" => self.manager = Some(self.bind(global, interface, 1)),
            _ => return,
        }
        self.news = true;
        self.ask_for_switches();
    }

    /// Asks for the switch of each output that has none yet.
    fn ask_for_switches(&mut self) {
        let Some(manager) = self.power_manager else {
            return;
        };
        for index in 0..self.outputs.len() {
            if self.outputs[index].power.is_none() {
                let power = self.new_object();
                let request = Request::new(manager, POWER_MANAGER_GET).number(power);
                self.outputs[index].power = Some(power);
                self.send(request.number(self.outputs[index].object));
            }
        }
    }

    fn bind(&mut self, global: u32, interface: &str, version: u32) -> u32 {
        let object = self.new_object();
        let request = Request::new(REGISTRY, REGISTRY_BIND).number(global);
        self.send(request.text(interface).number(version).number(object));
        object
    }

    // ---- bytes ----

    /// Sends a request, and waits for the first event of an object that is an answer.
    async fn wait_for(&mut self, object: u32, request: Request) -> Result<u16, Failure> {
        self.waited_for = object;
        self.came = None;
        self.send(request);
        loop {
            self.handle_what_came()?;
            if let Some(opcode) = self.came.take() {
                self.waited_for = 0;
                return Ok(opcode);
            }
            self.receive().await?;
        }
    }

    fn handle_what_came(&mut self) -> Result<(), Failure> {
        if self.dying.len() > DYING_MAX {
            let display = &self.display;
            return Err(Failure::system(format!(
                "{display} never frees the numbers of objects"
            )));
        }
        loop {
            match Event::take(&mut self.inbox) {
                Ok(Some(event)) => self.handle(event)?,
                Ok(None) => return Ok(()),
                Err(_) => {
                    let display = &self.display;
                    return Err(Failure::system(format!("{display} does not speak Wayland")));
                }
            }
        }
    }

    fn new_object(&mut self) -> u32 {
        if let Some(object) = self.free.pop() {
            return object;
        }
        let object = self.next_object;
        self.next_object += 1;
        object
    }

    /// Puts a request where [`Session::receive`] sends it before it waits. What is not sent yet, because the one who
    /// waited has gone, is sent by the next.
    fn send(&mut self, request: Request) {
        self.outbox.extend(request.into_bytes());
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox).await {
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) => return Err(self.lost(&error)),
            }
        }
        // A compositor that sends without pause must not keep the loop from its other tasks.
        yield_now().await;
        let mut buffer = [0; PIECE];
        match self.stream.read(&mut buffer).await {
            Ok(0) => Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => {
                self.inbox.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let display = &self.display;
        Failure::system(format!(
            "the connection to {display} is lost: {}",
            words(error)
        ))
    }
}

#[cfg(test)]
mod tests;
