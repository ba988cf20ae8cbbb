//! What rules override for a while, and what comes back.
//!
//! A rule with an end puts its value over a thing (the page of a screen, a field of a process, whether it runs,
//! whether a screen is on) and takes it away at its end. Where several override the same thing the one that began last
//! is visible, and the base comes back with the end of the last, in whatever order they end. Once an operator or a rule
//! without an end changes the thing meanwhile, all layers over it are gone.

use crate::config::{Display, Id};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that a rule can set for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Setting {
    /// A field of a process, in the document; `null` where it does not stand there.
    Field(Id, String),
    /// The page that a display process shows in place of its own; `null` for its own.
    #[serde(rename = "Canvas")]
    Page(Id),
    /// Whether a process is to run: true or false, or the id of the one that has its place.
    Runs(Id),
    /// Whether a screen is to be on. All of them where none is named, which only the preview and files of the first
    /// release have: each display has its own stack.
    Power(Option<String>),
}

/// Everything that lies over one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OverrideStack {
    #[serde(rename = "thing")]
    pub setting: Setting,
    /// What is beneath all layers.
    base: Value,
    /// In the order in which they began.
    #[serde(rename = "layers")]
    overrides: Vec<Override>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Override {
    rule: Id,
    value: Value,
    /// It was laid: whatever is there since and differs, somebody else has put there.
    #[serde(rename = "laid")]
    is_applied: bool,
}

impl OverrideStack {
    /// What is to be seen.
    pub fn top(&self) -> &Value {
        self.overrides
            .last()
            .map_or(&self.base, |layer| &layer.value)
    }

    /// Whether what is to be seen was put there.
    pub fn is_applied(&self) -> bool {
        self.overrides.last().is_some_and(|layer| layer.is_applied)
    }

    /// Whether a rule has a layer.
    pub fn has(&self, rule: &Id) -> bool {
        self.overrides.iter().any(|layer| layer.rule == *rule)
    }

    /// The rules that override the thing.
    pub fn rules(&self) -> impl Iterator<Item = &Id> {
        self.overrides.iter().map(|layer| &layer.rule)
    }

    /// The rules whose value was not put there yet.
    pub fn unapplied(&self) -> impl Iterator<Item = &Id> {
        let unlaid = self.overrides.iter().filter(|layer| !layer.is_applied);
        unlaid.map(|layer| &layer.rule)
    }
}

/// What a rule leaves behind at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revealed {
    pub setting: Setting,
    /// What is to be seen from now on.
    pub value: Value,
    /// The value of the rule.
    pub before: Value,
    /// What is beneath all layers.
    pub base: Value,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OverrideStacks(Vec<OverrideStack>);

impl OverrideStacks {
    pub fn restore(stacks: Vec<OverrideStack>) -> Self {
        Self(stacks)
    }

    pub fn stacks(&self) -> &[OverrideStack] {
        &self.0
    }

    /// What lies over a thing.
    pub fn stack_of(&self, thing: &Setting) -> Option<&OverrideStack> {
        self.0.iter().find(|stack| stack.setting == *thing)
    }

    /// A rule begins; `there` is what is there now.
    pub fn begin(&mut self, rule: &Id, thing: Setting, value: Value, there: Value) {
        let layer = Override {
            rule: rule.clone(),
            value,
            is_applied: false,
        };
        match self.0.iter_mut().find(|stack| stack.setting == thing) {
            Some(stack) => {
                stack.overrides.retain(|layer| layer.rule != *rule);
                stack.overrides.push(layer);
            }
            None => self.0.push(OverrideStack {
                setting: thing,
                base: there,
                overrides: vec![layer],
            }),
        }
    }

    /// What a rule has begun with was put there.
    pub fn mark_applied(&mut self, rule: &Id) {
        let layers = self.0.iter_mut().flat_map(|stack| &mut stack.overrides);
        for layer in layers.filter(|layer| layer.rule == *rule) {
            layer.is_applied = true;
        }
    }

    /// Replaces all layers of a thing, in the order in which the rules began.
    pub fn rebuild(&mut self, thing: Setting, base: Value, layers: Vec<(Id, Value)>) {
        self.remove(&thing);
        let layers = layers.into_iter();
        let layers = layers.map(|(rule, value)| Override {
            rule,
            value,
            is_applied: true,
        });
        let layers: Vec<Override> = layers.collect();
        if !layers.is_empty() {
            self.0.push(OverrideStack {
                setting: thing,
                base,
                overrides: layers,
            });
        }
    }

    /// A rule ends. Returns the things whose visible value changes.
    pub fn end(&mut self, rule: &Id) -> Vec<Revealed> {
        let mut changes = Vec::new();
        self.0.retain_mut(|stack| {
            let before = stack.top().clone();
            let is_top = stack.overrides.last().is_some_and(|top| top.rule == *rule);
            stack.overrides.retain(|layer| layer.rule != *rule);
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

    /// Removes the layers of a thing. Returns their rules.
    pub fn remove(&mut self, thing: &Setting) -> Vec<Id> {
        let place = self.0.iter().position(|stack| stack.setting == *thing);
        let stack = place.map(|place| self.0.remove(place));
        let layers = stack.into_iter().flat_map(|stack| stack.overrides);
        layers.map(|layer| layer.rule).collect()
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

    fn canvas() -> Setting {
        Setting::Page(id("screen"))
    }

    fn uncovered(value: Value, before: &str) -> Revealed {
        Revealed {
            setting: canvas(),
            value,
            before: json!(before),
            base: Value::Null,
        }
    }

    #[test]
    fn what_was_there_comes_back_in_whatever_order_they_end() {
        let mut layers = OverrideStacks::default();
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        layers.begin(&id("b"), canvas(), json!("b"), json!("a"));
        assert!(layers.end(&id("a")).is_empty(), "b is on top");
        assert_eq!(layers.end(&id("b")), [uncovered(Value::Null, "b")]);
        assert!(layers.stacks().is_empty());
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        layers.begin(&id("b"), canvas(), json!("b"), json!("a"));
        assert_eq!(layers.end(&id("b")), [uncovered(json!("a"), "b")]);
        assert_eq!(layers.end(&id("a")), [uncovered(Value::Null, "a")]);
    }

    #[test]
    fn what_was_overruled_is_not_undone() {
        let mut layers = OverrideStacks::default();
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        assert_eq!(layers.remove(&canvas()), [id("a")]);
        assert!(layers.end(&id("a")).is_empty());
    }
}
