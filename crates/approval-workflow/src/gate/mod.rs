//! What the gate answers by: one cache line a request, in a table that is asked without a lock.
//!
//! Open addressing with linear probing; a request that was put in stays. There is one writer at a
//! time (the thread that publishes events, under the lock of the indexes) and any number of readers, who
//! never wait: of a slot's words only two ever change after the slot is there, and each answer needs
//! one of them to change at once.
//!
//! - name, number and digest are written before the slot can be found, and never again;
//! - `since` is written before the standing that needs it, and never again;
//! - the standing and its time share one word.
//!
//! The table is cut into shards. One that is full is copied to a larger one, which then takes its
//! place ([`ArcSwap`]); who reads the old one meanwhile answers as of before the next change.

pub(crate) mod huge_pages;
pub(crate) mod name;
pub(crate) mod packed;
pub(crate) mod slot;
pub(crate) mod standing;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use action::{ActionDigest, Timestamp};
use arc_swap::ArcSwap;

use crate::gate::name::{Name, Namer};
use crate::gate::packed::{Packed, Word, pack, unpack};
use crate::gate::slot::Slot;
use crate::gate::standing::{Gate, Standing};
use crate::model::names::RequestId;
use crate::model::permission::{DenyReason, Permission};

/// Enough that copying one is short: 1,000,000 requests are 125,000 a shard, 12 MB in a row. Few enough
/// that a large one is made of huge pages for the most part.
const SHARDS: usize = 8;
/// A quarter more at each growth: memory stays within 1.8 slots a request.
const GROWTH_PERCENT: usize = 125;
/// Three requests in four are then found in the first slot that is looked at.
const FULL_PERCENT: usize = 70;
const FEWEST_SLOTS: usize = 8;
/// So many slots are fetched at once: where the first is not the right one, a second wait for memory
/// would cost more than all else.
const TOGETHER: usize = 4;

#[derive(Debug)]
struct Table(Box<[Slot]>);

#[derive(Debug)]
struct Shard {
    table: ArcSwap<Table>,
    used: AtomicUsize, // only the writer counts
}

#[derive(Debug)]
pub(crate) struct GateTable {
    namer: Namer,
    shards: Box<[Shard]>,
}

/// What a slot answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Known(Permission),
    /// There is no such request.
    Unknown,
    /// The times are too far away for a slot: the request itself has to be asked.
    Beyond,
}

impl GateTable {
    pub(crate) fn with_capacity(requests: usize) -> Self {
        let slots = slots_for(requests / SHARDS);
        let shard = || Shard {
            table: ArcSwap::from_pointee(Table::new(slots)),
            used: AtomicUsize::new(0),
        };
        Self {
            namer: Namer::default(),
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    /// May the action with this digest run? Takes no lock, and touches one or two cache lines of
    /// the table whatever its size.
    pub(crate) fn ask(&self, id: &RequestId, digest: &ActionDigest, now: Timestamp) -> Answer {
        let name = self.name(id.as_str());
        let table = self.shard(name).table.load();
        let Some(slot) = table.find(name) else {
            return Answer::Unknown;
        };
        if !slot.has_digest(digest.as_bytes()) {
            return Answer::Known(Permission::Denied(DenyReason::ActionChanged));
        }
        match unpack(slot.standing.load(Ordering::Acquire)) {
            Some(Word::Open { until }) => {
                let since =
                    Timestamp::from_micros(slot.since.load(Ordering::Relaxed).cast_signed());
                Answer::Known(Standing::Open { since, until }.ask(now))
            }
            Some(Word::Undecided { until }) => {
                Answer::Known(Standing::Undecided { until }.ask(now))
            }
            Some(Word::Shut(reason)) => Answer::Known(Permission::Denied(reason)),
            Some(Word::Beyond) | None => Answer::Beyond,
        }
    }

    /// What a request is looked up by.
    pub(crate) fn name(&self, id: &str) -> Name {
        self.namer.name(id)
    }

    /// The request's number.
    pub(crate) fn find(&self, name: Name) -> Option<u32> {
        let table = self.shard(name).table.load();
        table.find(name).map(Slot::number)
    }

    /// Sets the standing of a request; the first time, also its number. For the one writer.
    pub(crate) fn set(&self, name: Name, number: u32, gate: &Gate) {
        self.set_packed(name, number, &pack(gate));
    }

    /// As [`set`](Self::set), for what a snapshot has.
    pub(crate) fn set_packed(&self, name: Name, number: u32, packed: &Packed) {
        let shard = self.shard(name);
        let table = shard.table.load();
        let slot = match table.look(name) {
            Place::Taken(slot) => {
                if packed.since != 0 {
                    // A gate that shuts keeps it: a reader that saw the gate open may be about to read it.
                    slot.since.store(packed.since, Ordering::Relaxed);
                }
                slot.standing.store(packed.standing, Ordering::Release);
                return;
            }
            Place::Free(slot) => slot,
        };
        let used = shard.used.fetch_add(1, Ordering::Relaxed) + 1;
        if used * 100 <= table.0.len() * FULL_PERCENT {
            slot.fill(name, number, packed);
            return;
        }
        let larger = table.copy((table.0.len() * GROWTH_PERCENT / 100).max(FEWEST_SLOTS));
        larger.insert(name, number, packed);
        shard.table.store(Arc::new(larger));
    }

    /// Gives up what was taken ahead for requests to come. For the one writer.
    pub(crate) fn shrink(&self) {
        for shard in &self.shards {
            let table = shard.table.load();
            let slots = slots_for(shard.used.load(Ordering::Relaxed));
            if slots < table.0.len() {
                shard.table.store(Arc::new(table.copy(slots)));
            }
        }
    }

    /// Every request's number and slot, in no order. For the one writer.
    pub(crate) fn each(&self, mut take: impl FnMut(u32, Packed)) {
        for shard in &self.shards {
            let table = shard.table.load();
            for slot in table.0.iter().filter(|slot| slot.is_used()) {
                take(slot.number(), slot.packed());
            }
        }
    }

    fn shard(&self, name: Name) -> &Shard {
        &self.shards[name.low as usize % SHARDS]
    }
}

/// Enough slots for so many requests of a shard and a few more.
fn slots_for(requests: usize) -> usize {
    (requests * 100 / FULL_PERCENT * 21 / 20).max(FEWEST_SLOTS)
}

impl Table {
    fn new(slots: usize) -> Self {
        let mut table = Vec::new();
        table.reserve_exact(slots);
        huge_pages::advise(table.spare_capacity_mut());
        table.resize_with(slots, Slot::default);
        Self(table.into_boxed_slice())
    }

    /// The same with so many slots.
    fn copy(&self, slots: usize) -> Self {
        let copy = Self::new(slots);
        for slot in self.0.iter().filter(|slot| slot.is_used()) {
            copy.insert(slot.name(), slot.number(), &slot.packed());
        }
        copy
    }

    /// The slot of a name, or a free one for it.
    fn look(&self, name: Name) -> Place<'_> {
        // The high half picks the place evenly for any number of slots (Lemire, 2016).
        let first = (u128::from(name.high) * self.0.len() as u128) >> 64;
        let (before, from) = self.0.split_at(first as usize);
        for slots in from.chunks(TOGETHER).chain(before.chunks(TOGETHER)) {
            let highs: [u64; TOGETHER] = std::array::from_fn(|at| {
                let slot = slots.get(at);
                slot.map_or(0, |slot| slot.high.load(Ordering::Acquire))
            });
            for (slot, high) in slots.iter().zip(highs) {
                if high == 0 {
                    return Place::Free(slot);
                }
                if high == name.high && slot.low_half() == name.low {
                    return Place::Taken(slot);
                }
            }
        }
        unreachable!("a table is never full");
    }

    fn find(&self, name: Name) -> Option<&Slot> {
        match self.look(name) {
            Place::Taken(slot) => Some(slot),
            Place::Free(_) => None,
        }
    }

    fn insert(&self, name: Name, number: u32, packed: &Packed) {
        match self.look(name) {
            Place::Free(slot) | Place::Taken(slot) => slot.fill(name, number, packed),
        }
    }
}

enum Place<'a> {
    Taken(&'a Slot),
    Free(&'a Slot),
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use action::{Action, ActionPath};

    use super::*;

    fn id(number: u32) -> RequestId {
        RequestId::new(&format!("r-{number}")).unwrap()
    }

    fn digest(number: u32) -> ActionDigest {
        let action = Action::new(ActionPath::new("a/b").unwrap(), number.to_string());
        action.digest().unwrap()
    }

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros.cast_signed())
    }

    fn gate(number: u32, standing: Standing) -> Gate {
        let digest = digest(number);
        Gate { digest, standing }
    }

    #[test]
    fn what_was_put_in_is_found_whatever_the_size() {
        let table = GateTable::with_capacity(0);
        for number in 0..5000 {
            let until = at(u64::from(number) + 1);
            table.set(
                table.name(id(number).as_str()),
                number,
                &gate(number, Standing::Undecided { until }),
            );
        }
        table.shrink();
        for number in 0..5000 {
            assert_eq!(table.find(table.name(id(number).as_str())), Some(number));
            let (own, other) = (digest(number), digest(number + 1));
            let ask = |digest, now| table.ask(&id(number), digest, at(now));
            let denied = |reason| Answer::Known(Permission::Denied(reason));
            let now = u64::from(number);
            assert_eq!(ask(&own, now), denied(DenyReason::Pending));
            assert_eq!(ask(&own, now + 1), denied(DenyReason::Expired));
            assert_eq!(ask(&other, now), denied(DenyReason::ActionChanged));
        }
        assert_eq!(table.ask(&id(5000), &digest(0), at(0)), Answer::Unknown);
        let mut numbers = Vec::new();
        table.each(|number, _| numbers.push(number));
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..5000));
    }

    #[test]
    fn whoever_asks_while_gates_open_shut_and_move_never_gets_an_answer_that_was_not_true() {
        const REQUESTS: u32 = 3000;
        let table = GateTable::with_capacity(0);
        let digests: Vec<_> = (0..REQUESTS).map(digest).collect();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let read = || {
                let mut step = 0_u32;
                while !is_done.load(Ordering::Relaxed) || step < REQUESTS {
                    step = step.wrapping_add(7);
                    let number = step % REQUESTS;
                    let answer = table.ask(&id(number), &digests[number as usize], at(5));
                    match answer {
                        Answer::Unknown
                        | Answer::Known(Permission::Denied(
                            DenyReason::Pending | DenyReason::Claimed,
                        )) => {}
                        Answer::Known(Permission::Allowed {
                            approved_at,
                            execute_by,
                        }) => {
                            assert_eq!(approved_at, at(u64::from(number) + 1));
                            assert_eq!(execute_by, at(u64::from(number) + 1000));
                        }
                        answer => panic!("{answer:?}"),
                    }
                }
            };
            let readers: Vec<_> = (0..2)
                .map(|reader| {
                    let named = std::thread::Builder::new().name(format!("gates-test:{reader}"));
                    named.spawn_scoped(scope, read).unwrap()
                })
                .collect();
            for number in 0..REQUESTS + 50 {
                let set = |number: u32, standing| {
                    if number < REQUESTS {
                        let name = table.name(id(number).as_str());
                        table.set(name, number, &gate(number, standing));
                    }
                };
                set(number, Standing::Undecided { until: at(9) });
                if let Some(number) = number.checked_sub(10) {
                    let since = at(u64::from(number) + 1);
                    let until = at(u64::from(number) + 1000);
                    set(number, Standing::Open { since, until });
                }
                if let Some(number) = number.checked_sub(50) {
                    set(number, Standing::Shut(DenyReason::Claimed));
                }
            }
            is_done.store(true, Ordering::Relaxed);
            readers
                .into_iter()
                .for_each(|reader| reader.join().unwrap());
        });
        let denied = Answer::Known(Permission::Denied(DenyReason::Claimed));
        for (number, digest) in (0..).zip(&digests) {
            assert_eq!(table.ask(&id(number), digest, at(5)), denied);
        }
    }
}
