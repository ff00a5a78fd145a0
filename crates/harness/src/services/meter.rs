//! Times beside those of steps: connecting, a stream's first byte and event, and the gaps between events.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{Answer, Outcome};
use load_engine::Parts;

use super::program::Step;

/// What a user of the load measures beside its steps.
pub(super) struct Meter {
    parts: Arc<Parts>,
    /// The phase to which the iteration's figures belong.
    pub(super) phase: usize,
    /// Of which part and phase the gaps are that come now.
    gaps: Rc<Cell<Option<(usize, usize)>>>,
}

impl Meter {
    /// A meter that takes the gaps between the events of these answers.
    pub(super) fn new(parts: &Arc<Parts>, answer: &mut Answer) -> Self {
        let gaps: Rc<Cell<Option<(usize, usize)>>> = Rc::default();
        let (of_sink, booked) = (Rc::clone(&gaps), Arc::clone(parts));
        answer.events.set_sink(move |ns| {
            if let Some((part, phase)) = of_sink.get() {
                let times = ns.iter().map(|ns| Duration::from_nanos(*ns));
                booked.book(part, phase, times);
            }
        });
        Self {
            parts: Arc::clone(parts),
            phase: 0,
            gaps,
        }
    }

    pub(super) fn book(&self, part: usize, time: Duration) {
        self.parts.book(part, self.phase, [time]);
    }

    pub(super) fn fail(&self, part: usize) {
        self.parts.fail(part, self.phase);
    }

    /// A request of this step is about to be sent.
    pub(super) fn begin(&self, step: &Step) {
        let gap = step.stream_parts.map(|parts| parts.event_gap);
        self.gaps.set(gap.map(|part| (part, self.phase)));
    }

    /// What became of a request is known; it goes to each of the step's variants that it was.
    pub(super) fn judged(&self, step: &Step, answer: &Answer, ended: Instant, outcome: Outcome) {
        let (Some(first), Some(sent)) = (step.variants.get(), answer.sent) else {
            return;
        };
        for variant in answer.variants.into_iter().flatten() {
            match outcome {
                Outcome::Acknowledged => {
                    self.book(first + variant, ended.saturating_duration_since(sent));
                }
                _ => self.fail(first + variant),
            }
        }
    }

    /// Its answer has come.
    pub(super) fn end(&self, step: &Step, answer: &Answer) {
        let (Some(parts), Some(sent)) = (step.stream_parts, answer.sent) else {
            return;
        };
        let moments: [(usize, Option<Instant>); 2] = [
            (parts.first_byte, answer.first_byte),
            (parts.first_event, answer.events.first),
        ];
        for (part, moment) in moments {
            if let Some(moment) = moment {
                self.book(part, moment.saturating_duration_since(sent));
            }
        }
    }
}
