//! Reads during the load that gave what had been replaced before they began.

use std::collections::{BTreeMap, HashMap};

use load_engine::{Defect, Digest, Discrepancy, Effect, Expectation, LedgerEntry};

use super::proof::Writes;
use super::shared::SeenContent;

/// The acknowledged writes of one key.
#[derive(Default)]
struct Key {
    /// When each write was acknowledged, in that order, and when the last of those until then had begun.
    begun: Vec<(u64, u64)>,
    /// When each content was last acknowledged; nothing is there before the first write.
    written: HashMap<Option<Digest>, u64>,
    /// Whether the outcome of a write is unknown: then nobody knows what may be there.
    is_unknown: bool,
}

/// The stale reads of each effect.
pub(super) fn reads(
    writes: &[Writes],
    reads: &[SeenContent],
) -> BTreeMap<&'static str, Vec<Discrepancy>> {
    let mut stale: BTreeMap<&'static str, Vec<Discrepancy>> = BTreeMap::new();
    for (number, writes) in writes.iter().enumerate() {
        let mut of_effect = reads.iter().filter(|seen| seen.effect == number).peekable();
        if of_effect.peek().is_none() {
            continue;
        }
        let keys = keys(writes);
        let found = of_effect.filter(|seen| {
            let key = keys.get(seen.key.as_str());
            key.is_some_and(|key| key.is_stale(seen))
        });
        let found = found.map(|seen| Discrepancy {
            defect: Defect::Stale,
            kind: writes.kind.to_owned(),
            key: seen.key.clone(),
            expected: Expectation::Value("what was acknowledged before the read".to_owned()),
            found: seen.content,
            value: None,
            user: Some(seen.user),
        });
        stale.insert(writes.kind, found.collect());
    }
    stale
}

fn keys(writes: &Writes) -> HashMap<String, Key> {
    let mut keys: HashMap<String, Key> = HashMap::new();
    for entry in writes.ledger.iter() {
        keys.entry(entry.key.clone().into_owned())
            .or_default()
            .add(&entry);
    }
    keys.values_mut().for_each(Key::order);
    keys
}

impl Key {
    fn add(&mut self, entry: &LedgerEntry<'_>) {
        let content = match entry.effect {
            Effect::Created(digest) | Effect::Updated(digest) => Some(digest),
            Effect::Removed => None,
            Effect::Attempted => {
                self.is_unknown = true;
                return;
            }
        };
        if entry.settled_ns == u64::MAX {
            // Entered beside the engine: nobody knows when.
            self.is_unknown = true;
            return;
        }
        self.begun.push((entry.settled_ns, entry.started_ns));
        let last = self.written.entry(content).or_default();
        *last = (*last).max(entry.settled_ns);
    }

    /// Brings the writes into the order of their acknowledgement, when all are there.
    fn order(&mut self) {
        self.begun.sort_unstable();
        let mut latest = 0;
        for (_, begun) in &mut self.begun {
            latest = latest.max(*begun);
            *begun = latest;
        }
    }

    /// Whether a write began after every write of the content was acknowledged, and was acknowledged before
    /// the read began. A content that no write left says nothing: it may have been there before.
    fn is_stale(&self, seen: &SeenContent) -> bool {
        if self.is_unknown {
            return false;
        }
        let written = match (self.written.get(&seen.content), seen.content) {
            (Some(written), _) => *written,
            (None, None) => 0,
            (None, Some(_)) => return false,
        };
        let before = self
            .begun
            .partition_point(|(settled, _)| *settled < seen.began_ns);
        let latest = before.checked_sub(1).map(|last| self.begun[last].1);
        latest.is_some_and(|begun| written < begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::of(content.as_bytes())
    }

    fn key(writes: &[(Effect, u64, u64)]) -> Key {
        let mut key = Key::default();
        for (effect, started_ns, settled_ns) in writes {
            key.add(&LedgerEntry {
                kind: "entry".into(),
                key: "k".into(),
                effect: *effect,
                user: 0,
                started_ns: *started_ns,
                settled_ns: *settled_ns,
            });
        }
        key.order();
        key
    }

    fn is_stale(key: &Key, content: Option<&str>, began_ns: u64) -> bool {
        key.is_stale(&SeenContent {
            effect: 0,
            key: "k".to_owned(),
            content: content.map(digest),
            began_ns,
            user: 0,
        })
    }

    #[test]
    fn a_read_is_stale_if_a_later_write_was_acknowledged_before_it_began() {
        let key = key(&[
            (Effect::Updated(digest("a")), 10, 20),
            (Effect::Updated(digest("b")), 30, 40),
        ]);
        assert!(
            !is_stale(&key, Some("a"), 35),
            "the later write is under way"
        );
        assert!(is_stale(&key, Some("a"), 50));
        assert!(!is_stale(&key, Some("b"), 50));
        assert!(!is_stale(&key, None, 15), "nothing was acknowledged yet");
        assert!(is_stale(&key, None, 25));
        assert!(!is_stale(&key, Some("before the load"), 50));
    }

    #[test]
    fn what_overlaps_or_is_unknown_is_no_proof() {
        let overlapping = key(&[
            (Effect::Updated(digest("a")), 10, 40),
            (Effect::Updated(digest("b")), 20, 30),
        ]);
        assert!(!is_stale(&overlapping, Some("a"), 50));
        assert!(!is_stale(&overlapping, Some("b"), 50));
        let unknown = key(&[
            (Effect::Updated(digest("a")), 10, 20),
            (Effect::Attempted, 21, 22),
            (Effect::Updated(digest("b")), 30, 40),
        ]);
        assert!(!is_stale(&unknown, Some("a"), 50));
        let removed = key(&[
            (Effect::Created(digest("a")), 10, 20),
            (Effect::Removed, 30, 40),
        ]);
        assert!(is_stale(&removed, Some("a"), 50));
        assert!(!is_stale(&removed, None, 50));
    }
}
