//! What rules have laid over the kiosk for a while, and what is beneath.
//!
//! A rule with an end lays its value over a thing (the page of a screen, a field of a process, whether it runs,
//! whether a screen is on) and takes it away at its end. Where several lie over the same thing the one that began last
//! is seen, and what was there before the first comes back with the end of the last, in whatever order they end.
//! Whoever changes the thing by hand meanwhile has the last word: all layers over it are gone.

use crate::config::{Display, Id};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that a rule can set for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Thing {
    /// A field of a process, in the document; `null` where it does not stand there.
    Field(Id, String),
    /// The page that a display process shows in place of its own; `null` for its own.
    Canvas(Id),
    /// Whether a process is to run: true or false, or the id of the one that has its place.
    Runs(Id),
    /// Whether a screen is to be on; all of them where none is named.
    Power(Option<String>),
}

/// Everything that lies over one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stack {
    pub thing: Thing,
    /// What is beneath all layers.
    base: Value,
    /// In the order in which they began.
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layer {
    rule: Id,
    value: Value,
    /// It was laid: whatever is there since and differs, somebody else has put there.
    laid: bool,
}

impl Stack {
    /// What is to be seen.
    pub fn top(&self) -> &Value {
        self.layers.last().map_or(&self.base, |layer| &layer.value)
    }

    /// Whether what is to be seen was put there.
    pub fn is_laid(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.laid)
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers(Vec<Stack>);

impl Layers {
    pub fn recall(stacks: Vec<Stack>) -> Self {
        Self(stacks)
    }

    pub fn stacks(&self) -> &[Stack] {
        &self.0
    }

    /// What lies over a thing.
    pub fn over(&self, thing: &Thing) -> Option<&Stack> {
        self.0.iter().find(|stack| stack.thing == *thing)
    }

    /// A rule begins; `there` is what is there now.
    pub fn begin(&mut self, rule: &Id, thing: Thing, value: Value, there: Value) {
        let layer = Layer {
            rule: rule.clone(),
            value,
            laid: false,
        };
        match self.0.iter_mut().find(|stack| stack.thing == thing) {
            Some(stack) => {
                stack.layers.retain(|layer| layer.rule != *rule);
                stack.layers.push(layer);
            }
            None => self.0.push(Stack {
                thing,
                base: there,
                layers: vec![layer],
            }),
        }
    }

    /// What a rule has begun with was put there.
    pub fn lay(&mut self, rule: &Id) {
        let layers = self.0.iter_mut().flat_map(|stack| &mut stack.layers);
        for layer in layers.filter(|layer| layer.rule == *rule) {
            layer.laid = true;
        }
    }

    /// A rule ends. What comes is what is to be seen now where that is something else, and what was there.
    pub fn end(&mut self, rule: &Id) -> Vec<(Thing, Value, Value)> {
        let mut changes = Vec::new();
        self.0.retain_mut(|stack| {
            let before = stack.top().clone();
            let is_top = stack.layers.last().is_some_and(|top| top.rule == *rule);
            stack.layers.retain(|layer| layer.rule != *rule);
            if is_top && *stack.top() != before {
                changes.push((stack.thing.clone(), stack.top().clone(), before));
            }
            !stack.layers.is_empty()
        });
        changes
    }

    /// Somebody has the last word about this thing. Returns whether anything lay over it.
    pub fn drop(&mut self, thing: &Thing) -> bool {
        let before = self.0.len();
        self.0.retain(|stack| stack.thing != *thing);
        self.0.len() != before
    }

    /// Takes away every stack that is not as `keep` says. Returns whether any was.
    pub fn retain(&mut self, keep: impl FnMut(&Stack) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(keep);
        self.0.len() != before
    }
}

impl Thing {
    pub fn power(display: Option<&Display>) -> Self {
        Thing::Power(display.map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(text: &str) -> Id {
        text.parse().unwrap()
    }

    fn canvas() -> Thing {
        Thing::Canvas(id("screen"))
    }

    #[test]
    fn what_was_there_comes_back_in_whatever_order_they_end() {
        let mut layers = Layers::default();
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        layers.begin(&id("b"), canvas(), json!("b"), json!("a"));
        assert!(layers.end(&id("a")).is_empty(), "b is on top");
        assert_eq!(layers.end(&id("b")), [(canvas(), Value::Null, json!("b"))]);
        assert!(layers.stacks().is_empty());
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        layers.begin(&id("b"), canvas(), json!("b"), json!("a"));
        assert_eq!(layers.end(&id("b")), [(canvas(), json!("a"), json!("b"))]);
        assert_eq!(layers.end(&id("a")), [(canvas(), Value::Null, json!("a"))]);
    }

    #[test]
    fn after_somebodys_last_word_nothing_is_undone() {
        let mut layers = Layers::default();
        layers.begin(&id("a"), canvas(), json!("a"), Value::Null);
        assert!(layers.drop(&canvas()));
        assert!(layers.end(&id("a")).is_empty());
    }
}
