//! What is kept in memory of a request whose events are on disk: its id, and their places.

use std::collections::BTreeMap;

use jsonl_storage::Seq;

/// The places of each request's events in the log: 4 bytes an event, and 8 a request. The events of a
/// request are a list from its newest one back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EventIndex {
    /// The number of the first event.
    first: u64,
    /// From each event, how far back the one before of the same request is; 0 for its first.
    back: Vec<u32>,
    /// What is farther away than fits, by event.
    far: BTreeMap<u64, u64>,
    /// Each request's newest event.
    last: Vec<u64>,
}

/// Instead of a distance that does not fit.
const FAR: u32 = u32::MAX;
/// Instead of the distance of an event that is about no request.
const NO_REQUEST: u32 = FAR - 1;

/// The parts of [`EventIndex`], as a snapshot keeps them.
#[derive(Debug, Default)]
pub(crate) struct EventIndexParts {
    pub(crate) first: u64,
    pub(crate) back: Vec<u32>,
    pub(crate) far: BTreeMap<u64, u64>,
    pub(crate) last: Vec<u64>,
}

impl EventIndex {
    /// Takes the next event of the log; it begins a request if that is a new number.
    pub(crate) fn push(&mut self, number: u32, seq: Seq) {
        self.expect(seq);
        let distance = match self.last.get_mut(number as usize) {
            Some(last) => seq.0 - std::mem::replace(last, seq.0),
            None => {
                self.last.push(seq.0);
                0
            }
        };
        let short = u32::try_from(distance)
            .ok()
            .filter(|short| *short < NO_REQUEST);
        let short = short.unwrap_or(FAR);
        if short == FAR {
            self.far.insert(seq.0, distance);
        }
        self.back.push(short);
    }

    /// Takes the next event of the log, which is about no request.
    pub(crate) fn skip(&mut self, seq: Seq) {
        self.expect(seq);
        self.back.push(NO_REQUEST);
    }

    fn expect(&mut self, seq: Seq) {
        if self.back.is_empty() {
            self.first = seq.0;
        }
        // Otherwise a request would be read back from the wrong events.
        assert_eq!(
            seq.0,
            self.first + self.back.len() as u64,
            "an event was left out"
        );
    }

    /// The events of a request, in order.
    pub(crate) fn of(&self, number: u32) -> Vec<Seq> {
        let mut events = Vec::new();
        let mut next = self.last.get(number as usize).copied();
        while let Some(seq) = next {
            events.push(Seq(seq));
            next = self.before(seq);
        }
        events.reverse();
        events
    }

    /// The event of the same request before this one.
    fn before(&self, seq: u64) -> Option<u64> {
        match *self.back.get(seq.checked_sub(self.first)? as usize)? {
            0 | NO_REQUEST => None,
            FAR => seq.checked_sub(*self.far.get(&seq)?),
            distance => seq.checked_sub(u64::from(distance)),
        }
    }

    /// Gives up what was taken ahead for events to come.
    pub(crate) fn shrink(&mut self) {
        self.back.shrink_to_fit();
        self.last.shrink_to_fit();
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn back(&self) -> &[u32] {
        &self.back
    }

    pub(crate) fn far(&self) -> &BTreeMap<u64, u64> {
        &self.far
    }

    pub(crate) fn last(&self) -> &[u64] {
        &self.last
    }

    /// Puts the parts together; none unless every event belongs to exactly one request, or to none.
    pub(crate) fn from_parts(parts: EventIndexParts) -> Option<Self> {
        let EventIndexParts {
            first,
            back,
            far,
            last,
        } = parts;
        let index = Self {
            first,
            back,
            far,
            last,
        };
        let no_request = |back: &u32| *back == NO_REQUEST;
        let mut seen: Vec<bool> = index.back.iter().map(no_request).collect();
        for &newest in &index.last {
            let mut next = Some(newest);
            while let Some(seq) = next {
                let at = usize::try_from(seq.checked_sub(first)?).ok()?;
                if std::mem::replace(seen.get_mut(at)?, true) {
                    return None;
                }
                next = index.before(seq);
                if next.is_none() && index.back[at] != 0 {
                    return None;
                }
            }
        }
        seen.iter().all(|seen| *seen).then_some(index)
    }
}

/// The ids, by number, in one text.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    text: String,
    ends: Vec<u64>,
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Gives up what was taken ahead for ids to come.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(crate) fn push(&mut self, id: &str) {
        self.text.push_str(id);
        self.ends.push(self.text.len() as u64);
    }

    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        let number = number as usize;
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start as usize..end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(index: &EventIndex) -> EventIndexParts {
        EventIndexParts {
            first: index.first,
            back: index.back.clone(),
            far: index.far.clone(),
            last: index.last.clone(),
        }
    }

    fn index() -> EventIndex {
        let mut index = EventIndex::default();
        for (seq, number) in (7..).zip([0, 1, 0, 2, 1, 0]) {
            index.push(number, Seq(seq));
        }
        index
    }

    #[test]
    fn the_events_of_each_request_are_found_in_order() {
        let index = index();
        assert_eq!(index.of(0), [7, 9, 12].map(Seq));
        assert_eq!(index.of(1), [8, 11].map(Seq));
        assert_eq!(index.of(2), [Seq(10)]);
        assert_eq!(index.of(3), []);
    }

    #[test]
    fn an_event_of_no_request_is_left_out_of_all() {
        let mut index = index();
        index.skip(Seq(13));
        index.push(1, Seq(14));
        assert_eq!(index.of(1), [8, 11, 14].map(Seq));
        assert!(EventIndex::from_parts(parts(&index)).is_some());
        let mut stolen = parts(&index);
        stolen.last[1] = 13;
        assert!(EventIndex::from_parts(stolen).is_none());
    }

    #[test]
    fn parts_fit_together_only_if_every_event_belongs_to_one_request() {
        assert!(EventIndex::from_parts(parts(&index())).is_some());
        let broken = |break_it: fn(&mut EventIndexParts)| {
            let mut parts = parts(&index());
            break_it(&mut parts);
            EventIndex::from_parts(parts).is_none()
        };
        assert!(broken(|parts| parts.last[0] = 9), "an event of nobody");
        assert!(broken(|parts| parts.last[0] = 11), "an event of two");
        assert!(
            broken(|parts| parts.last[0] = 99),
            "an event that is not there"
        );
        assert!(broken(|parts| parts.back[2] = 50), "before the first");
        assert!(
            broken(|parts| parts.back[2] = FAR),
            "far away, nobody knows how far"
        );
        assert!(broken(|parts| parts.back.push(0)));
    }

    #[test]
    fn a_distance_that_does_not_fit_is_kept_beside() {
        let mut index = index();
        index.back[5] = FAR;
        index.far.insert(12, 3);
        assert_eq!(index.of(0), [7, 9, 12].map(Seq));
        assert!(EventIndex::from_parts(parts(&index)).is_some());
    }
}
