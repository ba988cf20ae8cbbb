//! Which page a display process shows instead of its configured one.
//!
//! A rule that changes the page leaves the document as it is. The new page is prepared in the background and replaces
//! the current one once it has loaded; a browser that starts later opens it at once. A page that cannot be loaded
//! replaces nothing and is retried: a kiosk without a network for a moment at 08:00 must not show the night page all
//! day. Until it has been shown it is not a page to return to, and no browser starts with it.

use super::execution_queue::PendingPage;
use super::page_override::{PageOverride, RETRY_PAUSES};
use super::{Intent, Scheduler};
use crate::config::{Id, RuleAction, page_of};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::saved_schedule::{ChangedBy, SavedPageOverride, Setting};
use crate::supervisor::interface::{
    Command, ExecutionId, Outcome, PageState, Refusal, RuleOutcome, RunId, Transition,
};
use crate::time::Moment;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Scheduler {
    /// Restores the page overrides of the previous daemon. `starts` are the pages that browsers start with; the first
    /// release saved nothing else.
    pub(super) fn restore_page_overrides(
        &mut self,
        facts: &Facts<'_>,
        starts: BTreeMap<Id, String>,
        mut saved: BTreeMap<Id, SavedPageOverride>,
        now: Moment,
    ) {
        let ids: BTreeSet<Id> = starts.keys().chain(saved.keys()).cloned().collect();
        for id in ids {
            let Some(machine) = facts.processes.get(&id) else {
                self.overrides.remove(&Setting::Page(id));
                continue;
            };
            let start = starts.get(&id).cloned();
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
            let due = (*on_screen != saved.wanted).then(|| now + RETRY_PAUSES.first);
            let page = PageOverride {
                shown: on_screen.clone(),
                wanted: saved.wanted,
                fallback: saved.fallback,
                replaced: saved.in_place_of,
                by: ChangedBy::Rule,
                due,
                failures: 0,
            };
            self.set_start_page(&id, start);
            self.page_overrides.insert(id.clone(), page);
            self.remove_page_override_if_over(&id);
        }
        self.end_outdated_page_overrides(facts, ChangedBy::Operator);
    }

    /// Shows this page in a display process, or its configured one.
    pub(super) fn show_page(
        &mut self,
        facts: &Facts<'_>,
        id: &Id,
        url: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let fallback = match (&url, self.page_overrides.get(id)) {
            (Some(_), Some(page)) => page.fallback.clone(),
            _ => None,
        };
        self.show_page_or(facts, id, url, fallback, execution, now);
    }

    /// Shows this page in a display process, and `fallback` while it cannot be loaded.
    pub(super) fn show_page_or(
        &mut self,
        facts: &Facts<'_>,
        id: &Id,
        url: Option<String>,
        fallback: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let machine = match facts.processes.configured(id) {
            Ok(machine) => machine,
            Err(refusal) => {
                let why = Some(refusal.to_string());
                return self.finish_execution(execution, RuleOutcome::Failed, why, now);
            }
        };
        let configured = page_of(&machine.process);
        let before = self.page_overrides.get(id);
        let page = PageOverride {
            wanted: url.clone(),
            fallback: fallback.clone(),
            shown: before.and_then(|page| page.shown.clone()),
            replaced: configured.clone(),
            by: self.executions.requested_by(execution),
            due: None,
            failures: 0,
        };
        self.page_overrides.insert(id.clone(), page);
        if !machine.is_alive() || machine.is_stopping() {
            self.set_start_page(id, url);
            let why = "it is shown when the process runs".to_owned();
            self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
            return self.remove_page_override_if_over(id);
        }
        self.set_start_page(id, fallback);
        if machine.is_about_to_run() {
            if let Some(page) = self.page_overrides.get_mut(id) {
                page.due = Some(now + RETRY_PAUSES.first);
            }
            let why = "it is shown as soon as the browser runs".to_owned();
            return self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
        }
        if url.is_some() || configured.is_some() {
            return self.open_page(facts, id, url, Some(execution));
        }
        // Only the command line of the process knows its page.
        self.restart_for_page(id, execution);
    }

    /// Ends an override whose page was replaced by one that has not been shown: `to` is shown until then.
    pub(super) fn fall_back(
        &mut self,
        facts: &Facts<'_>,
        id: &Id,
        to: Option<String>,
        execution: ExecutionId,
        now: Moment,
    ) {
        let (Some(machine), Some(page)) =
            (facts.processes.get(id), self.page_overrides.get_mut(id))
        else {
            return self.finish_execution(execution, RuleOutcome::Done, None, now);
        };
        page.fallback.clone_from(&to);
        // While the other page is being loaded, its result decides.
        let opens = page.due.is_some() && page.shown != to && facts.can_show(id);
        if machine.is_alive() {
            self.set_start_page(id, to.clone());
        }
        if opens {
            return self.open_page(facts, id, to, Some(execution));
        }
        self.finish_execution(execution, RuleOutcome::Done, None, now);
    }

    fn open_page(
        &mut self,
        facts: &Facts<'_>,
        id: &Id,
        url: Option<String>,
        execution: Option<ExecutionId>,
    ) {
        let configured = facts
            .processes
            .get(id)
            .and_then(|machine| page_of(&machine.process));
        let Some(address) = url.clone().or(configured) else {
            return;
        };
        let execution = execution.unwrap_or_else(|| self.history.reserve());
        let page = PendingPage::Open(id.clone(), url);
        self.executions.add_page(execution, page);
        let command = Command::Navigate {
            id: id.clone(),
            url: address,
            transition: Transition::Cut,
        };
        self.intents.push_back(Intent::Command(execution, command));
    }

    /// Restarts the browser with the wanted page.
    fn restart_for_page(&mut self, id: &Id, execution: ExecutionId) {
        let wanted = (self.page_overrides.get(id)).and_then(|page| page.wanted.clone());
        self.on_page_shown(id, &wanted);
        self.executions.add_page(execution, PendingPage::Restart);
        self.intents
            .push_back(Intent::Restart(execution, id.clone()));
    }

    /// The driver answered: the page is shown, or could not be. Returns the result, unless it is still to come.
    pub(super) fn handle_page_opened(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        id: &Id,
        url: &Option<String>,
        outcome: Outcome,
        now: Moment,
    ) -> Option<Outcome> {
        let is_driven = facts.health.is_none_or(|(id_on_screen, health)| {
            id_on_screen != id || health.status().state != PageState::Unknown
        });
        let failed = matches!(outcome, Err(Refusal::PageFailed(..)));
        let Some(page) = self.page_overrides.get_mut(id) else {
            return Some(outcome);
        };
        match &outcome {
            Ok(_) => self.on_page_shown(id, url),
            // A browser that cannot be driven is restarted with the page.
            Err(_) if failed && !is_driven && !facts.shutting_down => {
                if page.wanted == *url {
                    self.restart_for_page(id, execution);
                    return None;
                }
            }
            Err(_) if page.wanted == *url => {
                page.retry_later(now);
                let fallback = page.fallback.clone();
                if page.shown != fallback && page.wanted != fallback {
                    self.open_page(facts, id, fallback, None);
                }
            }
            Err(_) => {}
        }
        Some(outcome)
    }

    /// A page was loaded and is now a page to return to.
    fn on_page_shown(&mut self, id: &Id, url: &Option<String>) {
        let Some(page) = self.page_overrides.get_mut(id) else {
            return;
        };
        page.shown.clone_from(url);
        if page.wanted == *url {
            page.settle();
            page.fallback.clone_from(url);
            let by = page.by;
            self.set_start_page(id, url.clone());
            self.overrule(&Setting::Page(id.clone()), &json!(url), by);
        }
        self.executions.save_soon();
        self.remove_page_override_if_over(id);
    }

    fn remove_page_override_if_over(&mut self, id: &Id) {
        if self
            .page_overrides
            .get(id)
            .is_some_and(PageOverride::is_over)
        {
            self.page_overrides.remove(id);
        }
    }

    /// A browser was executed and opens its start page.
    pub fn on_start_page_opened(&mut self, facts: &Facts<'_>, run: RunId) {
        let Some(machine) = facts.processes.of_run(run) else {
            return;
        };
        let id = machine.process.id.clone();
        let configured = page_of(&machine.process);
        let Some(page) = self.page_overrides.get_mut(&id) else {
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
    fn confirm_started_page(&mut self, facts: &Facts<'_>) {
        let Some((id, health)) = facts.health else {
            return;
        };
        let state = health.status().state;
        let is_shown = matches!(state, PageState::Healthy | PageState::Unknown);
        let Some(page) = self.page_overrides.get(id).filter(|_| is_shown) else {
            return;
        };
        if page.due.is_none() && page.shown == page.wanted && page.fallback != page.wanted {
            let (id, url) = (id.clone(), page.wanted.clone());
            self.on_page_shown(&id, &url);
        }
    }

    /// Retries failed pages now: the network is back.
    pub fn retry_page_overrides_now(&mut self, now: Moment) {
        for page in self.page_overrides.values_mut() {
            page.due = page.due.map(|_| now);
        }
    }

    /// Retries failed pages that are due.
    pub(super) fn retry_page_overrides(&mut self, facts: &Facts<'_>, now: Moment) {
        self.confirm_started_page(facts);
        while let Some((id, url)) = self.due_page_override(facts, now) {
            if let Some(page) = self.page_overrides.get_mut(&id) {
                page.due = None;
            }
            self.open_page(facts, &id, url, None);
        }
    }

    fn due_page_override(&self, facts: &Facts<'_>, now: Moment) -> Option<(Id, Option<String>)> {
        let mut pages = self.page_overrides.iter();
        let is_due = |page: &PageOverride| page.due.is_some_and(|due| due <= now);
        let (id, page) = pages.find(|(id, page)| is_due(page) && facts.can_show(id))?;
        Some((id.clone(), page.wanted.clone()))
    }

    /// When a page is retried next.
    pub(super) fn page_override_deadline(&self, facts: &Facts<'_>) -> Option<Moment> {
        let pages = self.page_overrides.iter();
        let due = pages.filter(|(id, _)| facts.can_show(id));
        due.filter_map(|(_, page)| page.due).min()
    }

    /// Ends the overrides whose process is gone or has another configured page, and those whose rule is gone. Pages
    /// with an active override are left to its end. Returns whether one ended.
    pub(super) fn end_outdated_page_overrides(&mut self, facts: &Facts<'_>, by: ChangedBy) -> bool {
        let ids: Vec<Id> = self.page_overrides.keys().cloned().collect();
        let mut any = false;
        for id in ids {
            let config = &facts.loaded.config;
            let process = config.process(&id).filter(|process| process.is_display());
            let Some(page) = self.page_overrides.get(&id) else {
                continue;
            };
            if process.is_none_or(|process| page_of(process) != page.replaced) {
                self.end_page_override(&id, by);
                any = true;
            } else if self
                .overrides
                .stack_of(&Setting::Page(id.clone()))
                .is_none()
            {
                any |= self.remove_pages_without_rule(facts, &id);
            }
        }
        any
    }

    fn remove_pages_without_rule(&mut self, facts: &Facts<'_>, id: &Id) -> bool {
        let of_rules = |this: &Self, url: &Option<String>| {
            url.is_none() || this.if_shown_by_rule(facts, id, url.clone()).is_some()
        };
        let Some(page) = self.page_overrides.get(id) else {
            return false;
        };
        let is_wanted = of_rules(self, &page.wanted);
        let is_fallback = of_rules(self, &page.fallback);
        if is_wanted && is_fallback {
            return false;
        }
        match self.page_overrides.get_mut(id).filter(|_| is_wanted) {
            Some(page) => {
                let fallback = page.fallback.take();
                if self.start_pages.get(id) == fallback.as_ref() {
                    self.set_start_page(id, None);
                }
            }
            None => {
                self.page_overrides.remove(id);
                self.set_start_page(id, None);
            }
        }
        true
    }

    /// This page if a rule shows it; otherwise the configured one.
    pub(super) fn if_shown_by_rule(
        &self,
        facts: &Facts<'_>,
        id: &Id,
        url: Option<String>,
    ) -> Option<String> {
        let url = url?;
        let rules = &facts.loaded.config.schedule.rules;
        let mut rules = rules.iter().map(|rule| &rule.action);
        let is_shown = rules.any(|action| {
            matches!(action, RuleAction::Show { process, url: other } if process == id && *other == url)
        });
        is_shown.then_some(url)
    }

    /// Ends an override: the configured page, or one that an operator opened, is shown from now on.
    pub(super) fn end_page_override(&mut self, id: &Id, by: ChangedBy) {
        self.page_overrides.remove(id);
        self.remove_overrides(&Setting::Page(id.clone()), by);
        self.set_start_page(id, None);
    }
}
