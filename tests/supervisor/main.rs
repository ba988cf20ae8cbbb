//! Tests of the supervisor alone. The test holds the clock, so a thousand days pass in a second.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod calendar;
mod clockwork;
mod display_holder;
mod invariants;
mod memory;
mod outages;
mod overrides;
mod page;
mod rotation;
mod rules;
mod scenarios;
mod stage;
mod words;
