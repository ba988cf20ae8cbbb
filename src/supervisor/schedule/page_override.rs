//! Which page a display process shows instead of its configured one.
//!
//! A rule that changes the page leaves the document as it is. The new page is prepared in the background and replaces
//! the current one once it has loaded; a browser that starts later opens it at once. A page that cannot be loaded
//! replaces nothing and is retried: a kiosk without a network for a moment at 08:00 must not show the night page all
//! day. Until it has been shown it is not a page to return to, and no browser starts with it.

use super::Supervisor;
use super::history::RuleOutcome;
use super::override_stack::Setting;
use super::overrides::ChangedBy;
use crate::config::{Id, RuleAction, page_of};
use crate::supervisor::page::{PageState, Transition};
use crate::supervisor::{self, Command, Done, ExecutionId, Refusal, Requester};
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Pauses between attempts to show a page; the last one repeats.
const RETRY_PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// What a display process is to show. In each field a URL is a page override and `None` the configured page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageOverride {
    /// The page that the latest rule wants.
    pub wanted: Option<String>,
    /// The page that is shown while the wanted one cannot be loaded.
    fallback: Option<String>,
    /// The page that was shown last.
    shown: Option<String>,
    /// The configured page that is overridden: once the document names another one, the override ends.
    replaced: Option<String>,
    /// Who requested the wanted page.
    by: ChangedBy,
    /// When the wanted page is retried.
    due: Option<Moment>,
    /// Failed attempts.
    failures: usize,
}

/// A page override as it is saved, next to the page that a browser starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SavedPageOverride {
    wanted: Option<String>,
    fallback: Option<String>,
    shown: Option<String>,
    /// The configured page that is overridden.
    in_place_of: Option<String>,
}

impl PageOverride {
    pub fn saved(&self) -> SavedPageOverride {
        SavedPageOverride {
            wanted: self.wanted.clone(),
            fallback: self.fallback.clone(),
            shown: self.shown.clone(),
            in_place_of: self.replaced.clone(),
        }
    }

    /// The page to return to when an override that begins now ends.
    pub fn base(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The configured page is shown, and nothing else is wanted.
    fn is_over(&self) -> bool {
        self.wanted.is_none() && self.shown.is_none() && self.due.is_none()
    }

    fn settle(&mut self) {
        (self.due, self.failures) = (None, 0);
    }

    fn retry_later(&mut self, now: Moment) {
        let patience = RETRY_PAUSES[self.failures.min(RETRY_PAUSES.len() - 1)];
        self.failures += 1;
        self.due = Some(now + patience);
    }
}

impl Supervisor {
    /// Restores the page overrides of the previous daemon. `starts` are the pages that browsers start with; the first
    /// release saved nothing else.
    pub(super) fn restore_page_overrides(
        &mut self,
        starts: BTreeMap<Id, String>,
        mut saved: BTreeMap<Id, SavedPageOverride>,
        now: Moment,
    ) {
        let ids: BTreeSet<Id> = starts.keys().chain(saved.keys()).cloned().collect();
        for id in ids {
            let Some(index) = self.index_of(&id) else {
                self.scheduler.overrides.remove(&Setting::Page(id));
                continue;
            };
            let start = starts.get(&id).cloned();
            let machine = &mut self.machines[index];
            let executed = machine.running().map(|process| process.url.clone());
            let saved = saved.remove(&id).unwrap_or_else(|| SavedPageOverride {
                wanted: start.clone(),
                fallback: start.clone(),
                // Only the page that the browser was started with is known.
                shown: start.clone().filter(|_| executed.as_ref() == Some(&start)),
                in_place_of: page_of(&machine.process),
            });
            let on_screen = match executed {
                Some(_) => &saved.shown,
                None => &start,
            };
            let due = (*on_screen != saved.wanted).then(|| now + RETRY_PAUSES[0]);
            let page = PageOverride {
                shown: on_screen.clone(),
                wanted: saved.wanted,
                fallback: saved.fallback,
                replaced: saved.in_place_of,
                by: ChangedBy::Rule,
                due,
                failures: 0,
            };
            machine.page_override = start;
            self.scheduler.page_overrides.insert(id.clone(), page);
            self.remove_page_override_if_over(&id);
        }
        self.end_outdated_page_overrides(ChangedBy::Operator);
    }

    /// Shows this page in a display process, or its configured one.
    pub(super) fn show_page(
        &mut self,
        id: &Id,
        url: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let fallback = match (&url, self.scheduler.page_overrides.get(id)) {
            (Some(_), Some(page)) => page.fallback.clone(),
            _ => None,
        };
        self.show_page_or(id, url, fallback, execution, now);
    }

    /// Shows this page in a display process, and `fallback` while it cannot be loaded.
    pub(super) fn show_page_or(
        &mut self,
        id: &Id,
        url: Option<String>,
        fallback: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let index = match self.configured_index(id) {
            Ok(index) => index,
            Err(refusal) => {
                let why = Some(refusal.to_string());
                return self.finish_execution(execution, RuleOutcome::Failed, why, now);
            }
        };
        let configured = page_of(&self.machines[index].process);
        let before = self.scheduler.page_overrides.get(id);
        let page = PageOverride {
            wanted: url.clone(),
            fallback: fallback.clone(),
            shown: before.and_then(|page| page.shown.clone()),
            replaced: configured.clone(),
            by: self.scheduler.executions.requested_by(execution),
            due: None,
            failures: 0,
        };
        self.scheduler.page_overrides.insert(id.clone(), page);
        let machine = &mut self.machines[index];
        if !machine.is_alive() || machine.is_stopping() {
            machine.page_override = url;
            let why = "it is shown when the process runs".to_owned();
            self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
            return self.remove_page_override_if_over(id);
        }
        machine.page_override = fallback;
        if machine.is_about_to_run() {
            if let Some(page) = self.scheduler.page_overrides.get_mut(id) {
                page.due = Some(now + RETRY_PAUSES[0]);
            }
            let why = "it is shown as soon as the browser runs".to_owned();
            return self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
        }
        if url.is_some() || configured.is_some() {
            return self.open_page(id, url, Some(execution), now);
        }
        // Only the command line of the process knows its page.
        let restarted = self.restart_for_page(id, execution, now);
        match restarted {
            Ok(_) => {
                let why = "the browser was restarted".to_owned();
                self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
            }
            Err(refusal) => {
                self.finish_execution(
                    execution,
                    RuleOutcome::Failed,
                    Some(refusal.to_string()),
                    now,
                );
            }
        }
    }

    /// Ends an override whose page was replaced by one that has not been shown: `to` is shown until then.
    pub(super) fn fall_back(
        &mut self,
        id: &Id,
        to: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let Some(index) = self.index_of(id) else {
            return self.finish_execution(execution, RuleOutcome::Done, None, now);
        };
        let machine = &mut self.machines[index];
        let Some(page) = self.scheduler.page_overrides.get_mut(id) else {
            return self.finish_execution(execution, RuleOutcome::Done, None, now);
        };
        page.fallback.clone_from(&to);
        if machine.is_alive() {
            machine.page_override.clone_from(&to);
        }
        // While the other page is being loaded, its result decides.
        let is_idle = page.due.is_some();
        if is_idle && page.shown != to && self.can_show(id) {
            return self.open_page(id, to, Some(execution), now);
        }
        self.finish_execution(execution, RuleOutcome::Done, None, now);
    }

    fn open_page(
        &mut self,
        id: &Id,
        url: Option<String>,
        execution: Option<ExecutionId>,
        now: Moment,
    ) {
        let configured = self
            .index_of(id)
            .and_then(|index| page_of(&self.machines[index].process));
        let Some(address) = url.clone().or(configured) else {
            return;
        };
        let execution = execution.unwrap_or_else(|| self.scheduler.history.reserve());
        self.scheduler
            .executions
            .add_page(execution, id.clone(), url);
        let request = Command::Navigate {
            id: id.clone(),
            url: address,
            transition: Transition::Cut,
        };
        self.handle_command(Requester::Schedule(execution), request, now);
    }

    /// Starts the browser with the wanted page.
    fn restart_for_page(
        &mut self,
        id: &Id,
        execution: ExecutionId,
        now: Moment,
    ) -> supervisor::Outcome {
        let wanted = (self.scheduler.page_overrides.get(id)).and_then(|page| page.wanted.clone());
        self.on_page_shown(id, &wanted);
        self.start(id, true, Requester::Schedule(execution), now)
    }

    /// The driver answered: the page is shown, or could not be.
    pub(super) fn handle_page_opened(
        &mut self,
        execution: ExecutionId,
        id: &Id,
        url: &Option<String>,
        outcome: supervisor::Outcome,
        now: Moment,
    ) -> supervisor::Outcome {
        let is_driven = self.health.as_ref().is_none_or(|(looked_at, health)| {
            looked_at != id || health.status().state != PageState::Unknown
        });
        let failed = matches!(outcome, Err(Refusal::PageFailed(..)));
        let Some(page) = self.scheduler.page_overrides.get_mut(id) else {
            return outcome;
        };
        match &outcome {
            Ok(_) => self.on_page_shown(id, url),
            // A browser that cannot be driven is restarted with the page.
            Err(_) if failed && !is_driven && !self.shutting_down => {
                return match page.wanted == *url {
                    true => self
                        .restart_for_page(id, execution, now)
                        .map(|_| Done::Accepted),
                    false => outcome,
                };
            }
            Err(_) if page.wanted == *url => {
                page.retry_later(now);
                let fallback = page.fallback.clone();
                if page.shown != fallback && page.wanted != fallback {
                    self.open_page(id, fallback, None, now);
                }
            }
            Err(_) => {}
        }
        outcome
    }

    /// A page was loaded and is now a page to return to.
    fn on_page_shown(&mut self, id: &Id, url: &Option<String>) {
        let Some(page) = self.scheduler.page_overrides.get_mut(id) else {
            return;
        };
        page.shown.clone_from(url);
        if page.wanted == *url {
            page.settle();
            page.fallback.clone_from(url);
            let by = page.by;
            if let Some(index) = self.index_of(id) {
                self.machines[index].page_override.clone_from(url);
            }
            self.overrule(&Setting::Page(id.clone()), &json!(url), by);
        }
        self.scheduler.executions.save_soon();
        self.remove_page_override_if_over(id);
    }

    fn remove_page_override_if_over(&mut self, id: &Id) {
        if self
            .scheduler
            .page_overrides
            .get(id)
            .is_some_and(PageOverride::is_over)
        {
            self.scheduler.page_overrides.remove(id);
        }
    }

    /// A browser was executed and opens its start page.
    pub(in super::super) fn on_start_page_opened(&mut self, index: usize) {
        let machine = &self.machines[index];
        let id = machine.process.id.clone();
        let configured = page_of(&machine.process);
        let Some(page) = self.scheduler.page_overrides.get_mut(&id) else {
            return;
        };
        let executed = machine.running().and_then(|process| process.url.clone());
        let opens = |page: &Option<String>| executed == page.clone().or(configured.clone());
        if opens(&page.wanted) {
            page.shown.clone_from(&page.wanted);
            page.settle();
        } else if opens(&page.fallback) {
            page.shown.clone_from(&page.fallback);
        }
        self.remove_page_override_if_over(&id);
    }

    /// A browser has loaded its start page, which is now a page to return to.
    fn confirm_started_page(&mut self) {
        let Some((id, health)) = &self.health else {
            return;
        };
        let state = health.status().state;
        let is_shown = matches!(state, PageState::Healthy | PageState::Unknown);
        let Some(page) = self.scheduler.page_overrides.get(id).filter(|_| is_shown) else {
            return;
        };
        if page.due.is_none() && page.shown == page.wanted && page.fallback != page.wanted {
            let (id, url) = (id.clone(), page.wanted.clone());
            self.on_page_shown(&id, &url);
        }
    }

    /// Retries failed pages now: the network is back.
    pub(in super::super) fn retry_page_overrides_now(&mut self, now: Moment) {
        for page in self.scheduler.page_overrides.values_mut() {
            page.due = page.due.map(|_| now);
        }
    }

    /// Retries failed pages that are due.
    pub(super) fn retry_page_overrides(&mut self, now: Moment) {
        self.confirm_started_page();
        while let Some((id, url)) = self.due_page_override(now) {
            if let Some(page) = self.scheduler.page_overrides.get_mut(&id) {
                page.due = None;
            }
            self.open_page(&id, url, None, now);
        }
    }

    fn due_page_override(&self, now: Moment) -> Option<(Id, Option<String>)> {
        let mut pages = self.scheduler.page_overrides.iter();
        let is_due = |page: &PageOverride| page.due.is_some_and(|due| due <= now);
        let (id, page) = pages.find(|(id, page)| is_due(page) && self.can_show(id))?;
        Some((id.clone(), page.wanted.clone()))
    }

    fn can_show(&self, id: &Id) -> bool {
        self.index_of(id).is_some_and(|index| {
            let machine = &self.machines[index];
            machine.pid().is_some() && !machine.is_stopping()
        })
    }

    /// When a page is retried next.
    pub(super) fn page_override_deadline(&self) -> Option<Moment> {
        let pages = self.scheduler.page_overrides.iter();
        let due = pages.filter(|(id, _)| self.can_show(id));
        due.filter_map(|(_, page)| page.due).min()
    }

    /// Ends the overrides whose process is gone or has another configured page, and those whose rule is gone. Pages
    /// with an active override are left to its end. Returns whether one ended.
    pub(super) fn end_outdated_page_overrides(&mut self, by: ChangedBy) -> bool {
        let ids: Vec<Id> = self.scheduler.page_overrides.keys().cloned().collect();
        let mut any = false;
        for id in ids {
            let config = &self.loaded.config;
            let process = config.process(&id).filter(|process| process.is_display());
            let Some(page) = self.scheduler.page_overrides.get(&id) else {
                continue;
            };
            if process.is_none_or(|process| page_of(process) != page.replaced) {
                self.end_page_override(&id, by);
                any = true;
            } else if self
                .scheduler
                .overrides
                .stack_of(&Setting::Page(id.clone()))
                .is_none()
            {
                any |= self.remove_pages_without_rule(&id);
            }
        }
        any
    }

    fn remove_pages_without_rule(&mut self, id: &Id) -> bool {
        let of_rules = |this: &Self, url: &Option<String>| {
            url.is_none() || this.if_shown_by_rule(id, url.clone()).is_some()
        };
        let Some(page) = self.scheduler.page_overrides.get(id) else {
            return false;
        };
        let is_wanted = of_rules(self, &page.wanted);
        let is_fallback = of_rules(self, &page.fallback);
        if is_wanted && is_fallback {
            return false;
        }
        let index = self.index_of(id);
        match self
            .scheduler
            .page_overrides
            .get_mut(id)
            .filter(|_| is_wanted)
        {
            Some(page) => {
                let machine = index.map(|index| &mut self.machines[index]);
                let machine = machine.filter(|machine| machine.page_override == page.fallback);
                page.fallback = None;
                if let Some(machine) = machine {
                    machine.page_override = None;
                }
            }
            None => {
                self.scheduler.page_overrides.remove(id);
                if let Some(index) = index {
                    self.machines[index].page_override = None;
                }
            }
        }
        true
    }

    /// This page if a rule shows it; otherwise the configured one.
    pub(super) fn if_shown_by_rule(&self, id: &Id, url: Option<String>) -> Option<String> {
        let url = url?;
        let rules = &self.loaded.config.schedule.rules;
        let mut rules = rules.iter().map(|rule| &rule.action);
        let is_shown = rules.any(|action| {
            matches!(action, RuleAction::Show { process, url: other } if process == id && *other == url)
        });
        is_shown.then_some(url)
    }

    /// Ends an override: the configured page, or one that an operator opened, is shown from now on.
    pub(super) fn end_page_override(&mut self, id: &Id, by: ChangedBy) {
        self.scheduler.page_overrides.remove(id);
        self.remove_overrides(&Setting::Page(id.clone()), by);
        if let Some(index) = self.index_of(id) {
            self.machines[index].page_override = None;
        }
    }
}
