//! Times beside those of steps: connecting, a stream's first byte and event, and the gaps between events.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::Answer;
use load_engine::Parts;

use super::program::{EffectKind, Flow, Service, Step};

/// The numbers of the times of a step whose answer is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamParts {
    first_byte: usize,
    first_event: usize,
    event_gap: usize,
}

/// Numbers every time that a file's run measures; gives their names.
pub(super) fn number<'p>(
    services: &mut [Service],
    steps: impl Iterator<Item = &'p mut Step>,
    effects: &mut [EffectKind],
) -> Vec<String> {
    let mut names = Vec::new();
    let mut part = |owner: &str, what: &str| {
        names.push(format!("{owner}.{what}"));
        names.len() - 1
    };
    for service in services {
        service.connect_part = part(&service.name, "connect");
    }
    for step in steps.filter(|step| step.expect.is_stream) {
        step.stream_parts = Some(StreamParts {
            first_byte: part(&step.spec.name, "first_byte"),
            first_event: part(&step.spec.name, "first_event"),
            event_gap: part(&step.spec.name, "event_gap"),
        });
    }
    for kind in effects {
        let takes_time = !kind.settle.is_zero() && kind.read.is_some();
        kind.visible_part = takes_time.then(|| part(kind.name, "visible"));
    }
    names
}

/// Every step that is timed, to be changed.
pub(super) fn timed_steps<'p>(
    user_setup: &'p mut [Step],
    flows: &'p mut [Flow],
) -> impl Iterator<Item = &'p mut Step> {
    let of_flows = flows.iter_mut().flat_map(|flow| &mut flow.steps);
    user_setup.iter_mut().chain(of_flows)
}

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

    /// A request of this step is about to be sent.
    pub(super) fn begin(&self, step: &Step) {
        let gap = step.stream_parts.map(|parts| parts.event_gap);
        self.gaps.set(gap.map(|part| (part, self.phase)));
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
