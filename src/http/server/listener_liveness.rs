//! Whether every door is still served: a question that each answers when it is polled.
//!
//! Whoever watches over the daemon asks. A door answers while it waits for clients, or for a place to
//! become free, and whenever it has let one in; one that hangs anywhere else does not.

use event_listener::Event;
use smol::future::or;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The question, and who has answered it.
#[derive(Debug, Default)]
pub struct ListenerLiveness {
    /// How often it was asked.
    asked: Cell<u64>,
    /// What each door has answered last. One that is gone stays here, and never answers again.
    answers: RefCell<Vec<Rc<Cell<u64>>>>,
    question: Event,
    answer: Event,
}

impl ListenerLiveness {
    /// Asks every door.
    pub fn ask(&self) {
        self.asked.set(self.asked.get() + 1);
        self.question.notify(usize::MAX);
    }

    /// Whether all have answered the last question.
    pub fn is_answered(&self) -> bool {
        let asked = self.asked.get();
        let answers = self.answers.borrow();
        answers.iter().all(|answer| answer.get() == asked)
    }

    /// Resolves once all have.
    pub async fn answered(&self) {
        loop {
            let answer = self.answer.listen();
            if self.is_answered() {
                return;
            }
            answer.await;
        }
    }

    /// Another door.
    pub(in crate::http) fn door(&self) -> ListenerProbe<'_> {
        let answer = Rc::new(Cell::new(self.asked.get()));
        self.answers.borrow_mut().push(answer.clone());
        ListenerProbe {
            pulse: self,
            answer,
        }
    }
}

/// One of those who are asked.
#[derive(Debug)]
pub(in crate::http) struct ListenerProbe<'a> {
    pulse: &'a ListenerLiveness,
    answer: Rc<Cell<u64>>,
}

impl ListenerProbe<'_> {
    /// Waits for something that may rightly take for ever, and answers meanwhile.
    pub async fn waits_for<T>(&self, what: impl Future<Output = T>) -> T {
        // Here as well: in a flood the wait is over at once each time.
        self.say();
        let says = async {
            loop {
                let question = self.pulse.question.listen();
                self.say();
                question.await;
            }
        };
        or(what, says).await
    }

    fn say(&self) {
        let asked = self.pulse.asked.get();
        if self.answer.replace(asked) != asked {
            self.pulse.answer.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, pending, poll_once, ready};
    use std::pin::pin;

    #[test]
    fn every_door_has_to_answer_every_question() {
        let pulse = ListenerLiveness::default();
        let doors = [pulse.door(), pulse.door()];
        assert!(pulse.is_answered());
        block_on(async {
            let mut waits = doors
                .each_ref()
                .map(|door| Box::pin(door.waits_for(pending::<()>())));
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
    fn a_door_in_a_flood_answers_too() {
        let pulse = ListenerLiveness::default();
        let door = pulse.door();
        pulse.ask();
        block_on(door.waits_for(ready(())));
        assert!(pulse.is_answered());
    }

    #[test]
    fn a_door_that_is_gone_does_not_answer() {
        let pulse = ListenerLiveness::default();
        drop(pulse.door());
        pulse.ask();
        assert!(!pulse.is_answered());
    }
}
