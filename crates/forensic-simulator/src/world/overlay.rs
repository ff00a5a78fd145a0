//! What a simulation has changed so far, laid over a world that it cannot change.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use crate::world::Held;
use crate::world::World;
use crate::world::change::{Change, Read};
use crate::world::fact::{Fact, Key};

/// Its size is what the plan touched, never what the world holds.
#[derive(Debug, Clone)]
pub(crate) struct Overlay<'w> {
    world: &'w World,
    /// Empty up to [`FEW`] slots: so many are found faster one by one than by a hash.
    index: HashMap<Key, usize, RandomState>,
    slots: Vec<Slot<'w>>,
    /// Steps are counted from 1, so that 0 is "in no step".
    step: u32,
    reads: Vec<Key>,
    changes: Vec<Change>,
    /// By change of the current step: its slot, and what that held before.
    previous: Vec<(usize, Option<Written>)>,
}

const FEW: usize = 16;

/// A key that was touched.
#[derive(Debug, Clone)]
struct Slot<'w> {
    key: Key,
    tag: u64, // always `tag(key)`
    base: Option<&'w Held>,
    /// Whether anything was taken from the world, rather than from an earlier step.
    base_was_read: bool,
    /// The last step that looked at it.
    read_in: u32,
    written: Option<Written>,
    /// The first step that touched it.
    first_step: u32,
    /// Whether another one did.
    is_shared: bool,
    /// Whether any of them wrote it, kept or not.
    was_written: bool,
}

#[derive(Debug, Clone)]
struct Written {
    fact: Option<Fact>,
    step: u32,
    change: usize, // an index into the changes of `step`
}

/// What one step did.
#[derive(Debug, Default)]
pub(crate) struct StepEffects {
    pub(crate) reads: Vec<Key>,
    pub(crate) changes: Vec<Change>,
}

impl<'w> Overlay<'w> {
    pub(crate) fn new(world: &'w World, steps: usize) -> Self {
        Self {
            world,
            index: HashMap::default(),
            // Most steps touch one key that no other does; large plans that touch more pay for more.
            slots: Vec::with_capacity(steps + 2),
            step: 0,
            reads: Vec::new(),
            changes: Vec::new(),
            previous: Vec::new(),
        }
    }

    pub(crate) fn begin_step(&mut self) {
        self.step += 1;
    }

    pub(crate) fn read(&mut self, key: &str) -> Option<Fact> {
        self.look(key).cloned()
    }

    pub(crate) fn look(&mut self, key: &str) -> Option<&Fact> {
        let index = self.slot(key);
        let slot = &mut self.slots[index];
        if slot.read_in != self.step {
            slot.read_in = self.step;
            push(&mut self.reads, slot.key.clone());
        }
        slot.current()
    }

    /// Writes a key, or removes it. The value from before becomes part of the report, so the report
    /// depends on it; the step does not.
    pub(crate) fn write(&mut self, key: &str, after: Option<Fact>) {
        let index = self.slot(key);
        let slot = &mut self.slots[index];
        let before = slot.current().cloned();
        slot.was_written = true;
        if let Some(own) = slot.written.as_mut().filter(|own| own.step == self.step) {
            own.fact.clone_from(&after);
            self.changes[own.change].after = after;
            return;
        }
        let written = Written {
            fact: after.clone(),
            step: self.step,
            change: self.changes.len(),
        };
        self.previous.push((index, slot.written.replace(written)));
        let change = Change {
            key: slot.key.clone(),
            before,
            after,
        };
        push(&mut self.changes, change);
    }

    /// Ends the step and keeps what it wrote.
    pub(crate) fn keep_step(&mut self) -> StepEffects {
        self.previous.clear();
        StepEffects {
            reads: std::mem::take(&mut self.reads),
            changes: std::mem::take(&mut self.changes),
        }
    }

    /// Ends the step as if it had written nothing. What it read stays read: that decided it.
    pub(crate) fn drop_step(&mut self) -> StepEffects {
        for (slot, previous) in self.previous.drain(..) {
            self.slots[slot].written = previous;
        }
        self.changes.clear();
        StepEffects {
            reads: std::mem::take(&mut self.reads),
            changes: Vec::new(),
        }
    }

    /// Ends the step as if it had been cut off after half of its changes, rounded down.
    pub(crate) fn keep_half_of_step(&mut self) -> StepEffects {
        let half = self.changes.len() / 2;
        for (slot, previous) in self.previous.drain(half..) {
            self.slots[slot].written = previous;
        }
        self.changes.truncate(half);
        self.keep_step()
    }

    /// How many keys were touched.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How the keys differ now from the world, sorted by key.
    pub(crate) fn net_changes(&self) -> Vec<Change> {
        let written = self.slots.iter().filter_map(|slot| {
            let after = slot.written.as_ref()?.fact.as_ref();
            let before = slot.base.map(|held| &held.fact);
            (before != after).then(|| Change {
                key: slot.key.clone(),
                before: before.cloned(),
                after: after.cloned(),
            })
        });
        let mut changes: Vec<_> = written.collect();
        // Stable, since plans are in order for the most part, which such a sort makes use of.
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }

    /// How many keys are other than in the world, and how many of these do not exist any more.
    pub(crate) fn count_changed(&self) -> (usize, usize) {
        let (mut changed, mut removed) = (0, 0);
        for slot in &self.slots {
            let Some(written) = &slot.written else {
                continue;
            };
            if slot.base.map(|held| &held.fact) != written.fact.as_ref() {
                changed += 1;
                removed += usize::from(written.fact.is_none());
            }
        }
        (changed, removed)
    }

    /// Whether there is a key that two steps touched, one of them writing it. Without one, no two
    /// steps can notice in which order they run.
    pub(crate) fn may_conflict(&self) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| slot.is_shared && slot.was_written)
    }

    /// Everything that was taken from the world, sorted by key.
    pub(crate) fn base_reads(&self) -> Vec<Read> {
        let read = self.slots.iter().filter(|slot| slot.base_was_read);
        let mut reads = Vec::with_capacity(self.slots.len());
        reads.extend(read.map(|slot| Read {
            key: slot.key.clone(),
            version: slot.base.map(|held| held.version),
        }));
        reads.sort_by(|a, b| a.key.cmp(&b.key));
        reads
    }

    fn slot(&mut self, key: &str) -> usize {
        if let Some(found) = self.find(key) {
            let slot = &mut self.slots[found];
            slot.is_shared |= slot.first_step != self.step;
            return found;
        }
        // A key that exists in the world shares its text.
        let (key, base) = match self.world.held(key) {
            Some((shared, held)) => (shared.clone(), Some(held)),
            None => (Key::from(key), None),
        };
        let index = self.slots.len();
        if index == FEW {
            let keys = self.slots.iter().enumerate();
            self.index = keys
                .map(|(index, slot)| (slot.key.clone(), index))
                .collect();
        }
        if index >= FEW {
            self.index.insert(key.clone(), index);
        }
        self.slots.push(Slot {
            tag: tag(key.as_str()),
            key,
            base,
            base_was_read: false,
            read_in: 0,
            written: None,
            first_step: self.step,
            is_shared: false,
            was_written: false,
        });
        index
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.slots.len() <= FEW {
            let tag = tag(key);
            let mut slots = self.slots.iter();
            slots.position(|slot| slot.tag == tag && slot.key.as_str() == key)
        } else {
            self.index.get(key).copied()
        }
    }
}

impl Slot<'_> {
    /// What it holds after the steps so far.
    fn current(&mut self) -> Option<&Fact> {
        match &self.written {
            Some(written) => written.fact.as_ref(),
            None => {
                self.base_was_read = true;
                self.base.map(|held| &held.fact)
            }
        }
    }
}

/// Adds what a step did to the others; most steps do one or two things.
fn push<T>(done: &mut Vec<T>, next: T) {
    if done.capacity() == 0 {
        *done = Vec::with_capacity(2);
    }
    done.push(next);
}

/// The last bytes of a key and its length, in which keys differ rather than in their first ones: a
/// comparison of two numbers spares most comparisons of two texts.
fn tag(key: &str) -> u64 {
    let last = key.as_bytes().last_chunk::<8>();
    let last = last.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    last ^ (key.len() as u64).rotate_right(8)
}
