//! How many requests are in flight, and which are refused first when they are too many.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is refused first under overload: new work, or else approvals would be claimed and never reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Health,
    Read,
    Finish,
    New,
}

/// The requests in flight, and up to how many each lane lets in.
#[derive(Debug, Default)]
pub(crate) struct Lanes(AtomicUsize);

impl Lanes {
    /// What adds new work is refused first, then what ends work, then what only reads.
    const fn limit(lane: Lane) -> usize {
        match lane {
            Lane::New => 768,
            Lane::Finish => 1024,
            Lane::Read => 2048,
            Lane::Health => usize::MAX,
        }
    }

    pub(crate) fn enter(&self, lane: Lane) -> Option<Place<'_>> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.0);
        (before < Self::limit(lane)).then_some(place)
    }

    /// A call that waits for a person is no work in flight: thousands may wait, and none of them loads the server.
    pub(crate) fn pause(&self) -> Pause<'_> {
        self.0.fetch_sub(1, Ordering::Relaxed);
        Pause(&self.0)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request that is under way and waits.
pub(crate) struct Pause<'a>(&'a AtomicUsize);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One request in flight.
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_overload_reports_get_in_after_new_work_does_not() {
        let lanes = Lanes::default();
        let held: Vec<_> = (0..768).map(|_| lanes.enter(Lane::New).unwrap()).collect();
        assert!(lanes.enter(Lane::New).is_none());
        assert_eq!(lanes.in_flight(), 768, "who is refused takes no place");
        assert!(lanes.enter(Lane::Finish).is_some() && lanes.enter(Lane::Health).is_some());
        let waiting = lanes.pause();
        assert!(lanes.enter(Lane::New).is_some(), "who waits takes no place");
        drop(waiting);
        assert!(lanes.enter(Lane::New).is_none());
        drop(held);
        assert!(lanes.enter(Lane::New).is_some());
    }
}
