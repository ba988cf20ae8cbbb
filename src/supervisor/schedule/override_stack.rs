//! The stacks of overrides and what is restored.
//!
//! A rule with `until` overrides a setting: the page of a screen, a field of a process, whether a process runs,
//! whether a screen is on. The override that began last takes effect. The base value is restored when the last one
//! ends, in any order. A change by an operator, or by a rule without `until`, removes all overrides of
//! the setting.

use crate::config::{Display, Id};
use crate::supervisor::interface::saved_schedule::{Override, OverrideStack, Setting};
use serde_json::Value;

/// A setting whose value changes because an override ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revealed {
    pub setting: Setting,
    /// The value from now on.
    pub value: Value,
    /// The value of the ended override.
    pub before: Value,
    /// The value below all overrides.
    pub base: Value,
}

/// All stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OverrideStacks(Vec<OverrideStack>);

impl OverrideStacks {
    pub fn restore(stacks: Vec<OverrideStack>) -> Self {
        Self(stacks)
    }

    pub fn stacks(&self) -> &[OverrideStack] {
        &self.0
    }

    /// The overrides of a setting.
    pub fn stack_of(&self, setting: &Setting) -> Option<&OverrideStack> {
        self.0.iter().find(|stack| stack.setting == *setting)
    }

    /// Begins an override; `base` is the value below it if it is the first.
    pub fn begin(&mut self, rule: &Id, setting: Setting, value: Value, base: Value) {
        let override_ = Override {
            rule: rule.clone(),
            value,
            is_applied: false,
        };
        match self.0.iter_mut().find(|stack| stack.setting == setting) {
            Some(stack) => {
                stack.overrides.retain(|override_| override_.rule != *rule);
                stack.overrides.push(override_);
            }
            None => self.0.push(OverrideStack {
                setting,
                base,
                overrides: vec![override_],
            }),
        }
    }

    /// The override of this rule took effect.
    pub fn mark_applied(&mut self, rule: &Id) {
        let overrides = self.0.iter_mut().flat_map(|stack| &mut stack.overrides);
        for override_ in overrides.filter(|override_| override_.rule == *rule) {
            override_.is_applied = true;
        }
    }

    /// Replaces the overrides of a setting, given in the order in which they began.
    pub fn rebuild(&mut self, setting: Setting, base: Value, overrides: Vec<(Id, Value)>) {
        self.remove(&setting);
        let overrides = overrides.into_iter();
        let overrides = overrides.map(|(rule, value)| Override {
            rule,
            value,
            is_applied: true,
        });
        let overrides: Vec<Override> = overrides.collect();
        if !overrides.is_empty() {
            self.0.push(OverrideStack {
                setting,
                base,
                overrides,
            });
        }
    }

    /// Ends the override of a rule. Returns the settings whose value changes.
    pub fn end(&mut self, rule: &Id) -> Vec<Revealed> {
        let mut changes = Vec::new();
        self.0.retain_mut(|stack| {
            let before = stack.top().clone();
            let is_top = stack.overrides.last().is_some_and(|top| top.rule == *rule);
            stack.overrides.retain(|override_| override_.rule != *rule);
            if is_top && *stack.top() != before {
                changes.push(Revealed {
                    setting: stack.setting.clone(),
                    value: stack.top().clone(),
                    before,
                    base: stack.base.clone(),
                });
            }
            !stack.overrides.is_empty()
        });
        changes
    }

    /// Removes the overrides of a setting. Returns their rules.
    pub fn remove(&mut self, setting: &Setting) -> Vec<Id> {
        let place = self.0.iter().position(|stack| stack.setting == *setting);
        let stack = place.map(|place| self.0.remove(place));
        let overrides = stack.into_iter().flat_map(|stack| stack.overrides);
        overrides.map(|override_| override_.rule).collect()
    }
}

impl Setting {
    pub fn power(display: &Display) -> Self {
        Setting::Power(Some(display.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(text: &str) -> Id {
        text.parse().unwrap()
    }

    fn page() -> Setting {
        Setting::Page(id("screen"))
    }

    fn uncovered(value: Value, before: &str) -> Revealed {
        Revealed {
            setting: page(),
            value,
            before: json!(before),
            base: Value::Null,
        }
    }

    #[test]
    fn the_base_is_restored_in_any_order_of_ends() {
        let mut overrides = OverrideStacks::default();
        overrides.begin(&id("a"), page(), json!("a"), Value::Null);
        overrides.begin(&id("b"), page(), json!("b"), json!("a"));
        assert!(overrides.end(&id("a")).is_empty(), "b is on top");
        assert_eq!(overrides.end(&id("b")), [uncovered(Value::Null, "b")]);
        assert!(overrides.stacks().is_empty());
        overrides.begin(&id("a"), page(), json!("a"), Value::Null);
        overrides.begin(&id("b"), page(), json!("b"), json!("a"));
        assert_eq!(overrides.end(&id("b")), [uncovered(json!("a"), "b")]);
        assert_eq!(overrides.end(&id("a")), [uncovered(Value::Null, "a")]);
    }

    #[test]
    fn a_replaced_override_is_not_undone() {
        let mut overrides = OverrideStacks::default();
        overrides.begin(&id("a"), page(), json!("a"), Value::Null);
        assert_eq!(overrides.remove(&page()), [id("a")]);
        assert!(overrides.end(&id("a")).is_empty());
    }
}
