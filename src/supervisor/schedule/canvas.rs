//! Which page a display process shows in place of its own.
//!
//! A rule that switches the canvas leaves the document as it is. The page is prepared behind the one that is there and
//! takes its place; a browser that is started anew starts with it. One that cannot be loaded does not take the place of
//! one that is well, and is tried again until it can: a kiosk without a network for a moment at 08:00 must not
//! show the night all day.

use super::line::Errand;
use super::record::Outcome;
use super::{Supervisor, layers::Thing};
use crate::config::{Id, page_of};
use crate::supervisor::page::{PageState, Transition};
use crate::supervisor::{self, Done, Refusal, Request};
use crate::time::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Until a page is tried again that could not be shown; the last one for as long as it takes.
const PATIENCE: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// A page in place of a process's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canvas {
    pub url: String,
    /// What it stands for: when the process is given another page of its own, that counts.
    in_place_of: Option<String>,
    /// When it is tried again.
    due: Option<Moment>,
    /// How often it could not be shown.
    failures: usize,
}

impl Supervisor {
    /// Display processes go on with the pages that they showed.
    pub(super) fn recall_canvases(&mut self, canvases: BTreeMap<Id, String>, now: Moment) {
        for (id, url) in canvases {
            let Some(process) = self.loaded.config.process(&id).cloned() else {
                continue;
            };
            let Some(index) = self.index_of(&id).filter(|_| process.is_display()) else {
                continue;
            };
            let machine = &mut self.machines[index];
            let runs = machine.running();
            let is_other = runs.is_some_and(|run| run.url.as_ref() != Some(&url));
            machine.shows = Some(url.clone());
            let canvas = Canvas {
                url,
                in_place_of: page_of(&process),
                due: is_other.then_some(now),
                failures: 0,
            };
            self.agenda.canvases.insert(id, canvas);
        }
    }

    /// Has a display process show this page, or its own again.
    pub(super) fn show(&mut self, id: &Id, url: Option<String>, firing: Option<u64>, now: Moment) {
        let index = match self.configured(id) {
            Ok(index) => index,
            Err(refusal) => {
                if let Some(number) = firing {
                    self.conclude_as(number, Outcome::Failed, Some(refusal.to_string()), now);
                }
                return;
            }
        };
        let own = page_of(&self.machines[index].process);
        self.machines[index].shows.clone_from(&url);
        match &url {
            Some(url) => {
                let canvas = Canvas {
                    url: url.clone(),
                    in_place_of: own.clone(),
                    due: None,
                    failures: 0,
                };
                self.agenda.canvases.insert(id.clone(), canvas);
            }
            None => {
                self.agenda.canvases.remove(id);
            }
        }
        let machine = &self.machines[index];
        let answer = |this: &mut Self, outcome, detail: &str| {
            if let Some(number) = firing {
                this.conclude_as(number, outcome, Some(detail.to_owned()), now);
            }
        };
        if !machine.is_alive() || machine.is_stopping() {
            return answer(self, Outcome::Done, "it is shown when the process runs");
        }
        if machine.is_about_to_run() {
            if let Some(canvas) = self.agenda.canvases.get_mut(id) {
                canvas.due = Some(now + PATIENCE[0]);
            }
            return answer(
                self,
                Outcome::Done,
                "it is shown as soon as the browser runs",
            );
        }
        match url.or(own) {
            Some(url) => self.navigate(id, url, firing, now),
            // Only its command knows the page.
            None => {
                let restarted = self.start(id, true, now);
                self.with(index, |machine, _| machine.blame_the_schedule());
                match restarted {
                    Ok(_) => answer(self, Outcome::Done, "the browser was restarted"),
                    Err(refusal) => answer(self, Outcome::Failed, &refusal.to_string()),
                }
            }
        }
    }

    fn navigate(&mut self, id: &Id, url: String, firing: Option<u64>, now: Moment) {
        let ticket = self.agenda.line.send(Errand {
            firing,
            canvas: Some(id.clone()),
        });
        let request = Request::Navigate {
            id: id.clone(),
            url,
            transition: Transition::Cut,
        };
        self.handle_request(ticket, request, now);
    }

    /// The page is shown, or could not be.
    pub(super) fn handle_canvas_shown(
        &mut self,
        id: &Id,
        outcome: supervisor::Outcome,
        now: Moment,
    ) -> supervisor::Outcome {
        let is_driven = self.health.as_ref().is_none_or(|(looked_at, health)| {
            looked_at != id || health.status().state != PageState::Unknown
        });
        let failed = matches!(outcome, Err(Refusal::PageFailed(..)));
        if failed && !is_driven && !self.shutting_down {
            // A program that cannot be driven is started anew, with the page it is to show.
            return self.start(id, true, now).map(|_| Done::Accepted);
        }
        if let Some(canvas) = self.agenda.canvases.get_mut(id) {
            match outcome {
                Ok(_) => (canvas.due, canvas.failures) = (None, 0),
                Err(_) => {
                    let patience = PATIENCE[canvas.failures.min(PATIENCE.len() - 1)];
                    canvas.failures += 1;
                    canvas.due = Some(now + patience);
                }
            }
        }
        outcome
    }

    /// A browser was executed: it shows what it is to show by itself.
    pub(in super::super) fn canvas_begins(&mut self, index: usize) {
        let machine = &self.machines[index];
        if let Some(canvas) = self.agenda.canvases.get_mut(&machine.process.id)
            && let Some(executed) = machine.running()
            && executed.url.as_ref() == Some(&canvas.url)
        {
            (canvas.due, canvas.failures) = (None, 0);
        }
    }

    /// The network is there again: what could not be shown is tried now.
    pub(in super::super) fn hurry_canvases(&mut self, now: Moment) {
        for canvas in self.agenda.canvases.values_mut() {
            canvas.due = canvas.due.map(|_| now);
        }
    }

    /// Tries again what could not be shown.
    pub(super) fn see_to_canvases(&mut self, now: Moment) {
        while let Some((id, url)) = self.due_canvas(now) {
            if let Some(canvas) = self.agenda.canvases.get_mut(&id) {
                canvas.due = None;
            }
            self.navigate(&id, url, None, now);
        }
    }

    fn due_canvas(&self, now: Moment) -> Option<(Id, String)> {
        let mut canvases = self.agenda.canvases.iter();
        let due = canvases
            .find(|(id, canvas)| canvas.due.is_some_and(|due| due <= now) && self.can_show(id))?;
        Some((due.0.clone(), due.1.url.clone()))
    }

    fn can_show(&self, id: &Id) -> bool {
        self.index_of(id).is_some_and(|index| {
            let machine = &self.machines[index];
            machine.pid().is_some() && !machine.is_stopping()
        })
    }

    /// When something is tried again.
    pub(super) fn canvas_deadline(&self) -> Option<Moment> {
        let canvases = self.agenda.canvases.iter();
        let due = canvases.filter(|(id, _)| self.can_show(id));
        due.filter_map(|(_, canvas)| canvas.due).min()
    }

    /// What a process shows by itself is another now, or it is gone: that counts. Returns whether there was any.
    pub(super) fn drop_canvases_of_the_past(&mut self) -> bool {
        let config = &self.loaded.config;
        let canvases = self.agenda.canvases.iter();
        let over = canvases.filter(|(id, canvas)| {
            let process = config.process(id).filter(|process| process.is_display());
            process.is_none_or(|process| page_of(process) != canvas.in_place_of)
        });
        let over: Vec<Id> = over.map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.drop_canvas(id);
        }
        !over.is_empty()
    }

    /// Somebody has the last word about a page.
    pub(super) fn drop_canvas(&mut self, id: &Id) {
        self.agenda.canvases.remove(id);
        self.agenda.layers.drop(&Thing::Canvas(id.clone()));
        if let Some(index) = self.index_of(id) {
            self.machines[index].shows = None;
        }
    }
}
