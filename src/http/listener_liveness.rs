//! Whether every listener is still served: a check that each answers when it is polled.
//!
//! The watchdog starts a check. A listener answers while it waits for connections and whenever it has accepted one; a
//! task that hangs anywhere else does not answer.

use event_listener::Event;
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The current check and the answers.
#[derive(Debug, Default)]
pub struct ListenerLiveness {
    /// The number of the current check.
    check: Cell<u64>,
    /// The last check that each listener has answered. A listener that has ended stays here and never answers again.
    answers: RefCell<Vec<Rc<Cell<u64>>>>,
    check_started: Event,
    answered_one: Event,
}

impl ListenerLiveness {
    /// Starts a check.
    pub fn ask(&self) {
        self.check.set(self.check.get() + 1);
        self.check_started.notify(usize::MAX);
    }

    /// Whether all listeners have answered the current check.
    pub fn is_answered(&self) -> bool {
        let asked = self.check.get();
        let answers = self.answers.borrow();
        answers.iter().all(|answer| answer.get() == asked)
    }

    /// Resolves once all have.
    pub async fn answered(&self) {
        loop {
            let answer = self.answered_one.listen();
            if self.is_answered() {
                return;
            }
            answer.await;
        }
    }

    /// Adds a listener.
    pub fn probe(&self) -> ListenerProbe<'_> {
        let answer = Rc::new(Cell::new(self.check.get()));
        self.answers.borrow_mut().push(answer.clone());
        ListenerProbe {
            liveness: self,
            answer,
        }
    }
}

/// Answers the checks for one listener.
#[derive(Debug)]
pub struct ListenerProbe<'a> {
    liveness: &'a ListenerLiveness,
    answer: Rc<Cell<u64>>,
}

impl ListenerProbe<'_> {
    /// Waits for a future that may take for ever, and answers checks meanwhile.
    pub async fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        // In a flood the wait ends at once each time, so it answers here as well.
        self.answer();
        let says = async {
            loop {
                let question = self.liveness.check_started.listen();
                self.answer();
                question.await;
            }
        };
        or(what, says).await
    }

    fn answer(&self) {
        let asked = self.liveness.check.get();
        if self.answer.replace(asked) != asked {
            self.liveness.answered_one.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, pending, poll_once, ready};
    use std::pin::pin;

    #[test]
    fn every_listener_must_answer_every_check() {
        let pulse = ListenerLiveness::default();
        let doors = [pulse.probe(), pulse.probe()];
        assert!(pulse.is_answered());
        block_on(async {
            let mut waits = doors
                .each_ref()
                .map(|probe| Box::pin(probe.wait(pending::<()>())));
            for _ in 0..3 {
                pulse.ask();
                let mut answered = pin!(pulse.answered());
                assert!(poll_once(answered.as_mut()).await.is_none());
                assert!(poll_once(waits[0].as_mut()).await.is_none());
                assert!(poll_once(answered.as_mut()).await.is_none());
                assert!(poll_once(waits[1].as_mut()).await.is_none());
                assert!(poll_once(answered.as_mut()).await.is_some());
            }
        });
    }

    #[test]
    fn a_listener_in_a_flood_answers() {
        let pulse = ListenerLiveness::default();
        let probe = pulse.probe();
        pulse.ask();
        block_on(probe.wait(ready(())));
        assert!(pulse.is_answered());
    }

    #[test]
    fn a_listener_that_has_ended_does_not_answer() {
        let pulse = ListenerLiveness::default();
        drop(pulse.probe());
        pulse.ask();
        assert!(!pulse.is_answered());
    }
}
