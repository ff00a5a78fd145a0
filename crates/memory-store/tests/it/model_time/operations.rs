//! What can be done with facts in time.

use proptest::prelude::*;

pub(super) const IDS: std::ops::RangeInclusive<u64> = 1..=4;
pub(super) const WORDS: [&str; 3] = ["apple", "banana", "cherry"];
pub(super) const MOMENTS: std::ops::RangeInclusive<i64> = -1..=9;

/// What is written of a fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    pub(super) word: usize,
    pub(super) from: i64,
    pub(super) length: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) vector: Option<i8>,
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Remember(u64, Fact),
    Update(u64, Fact),
    Supersede {
        old: u64,
        new: u64,
        fact: Fact,
    },
    End(u64, i64),
    Forget(u64),
    Sweep(i64),
    Link {
        source: u64,
        target: u64,
        from: i64,
        length: Option<i64>,
        weight: i8,
    },
    EndEdge(u64, u64, i64),
    Unlink(u64, u64),
    Read(u64),
    Repair,
    Reopen,
    Transfer,
}

fn fact() -> impl Strategy<Value = Fact> {
    let length = proptest::option::of(0..5_i64);
    let expires = proptest::option::of(0..9_i64);
    let vector = proptest::option::of(1..=3_i8);
    (0..WORDS.len(), 0..7_i64, length, expires, vector).prop_map(
        |(word, from, length, expires, vector)| Fact {
            word,
            from,
            length,
            expires,
            vector,
        },
    )
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{
        End, EndEdge, Forget, Link, Read, Remember, Reopen, Repair, Supersede, Sweep, Transfer,
        Unlink, Update,
    };
    let link = (
        IDS,
        IDS,
        0..8_i64,
        proptest::option::of(0..5_i64),
        -3..=3_i8,
    );
    let link = link.prop_map(|(source, target, from, length, weight)| Link {
        source,
        target,
        from,
        length,
        weight,
    });
    prop_oneof![
        8 => (IDS, fact()).prop_map(|(id, fact)| Remember(id, fact)),
        4 => (IDS, fact()).prop_map(|(id, fact)| Update(id, fact)),
        3 => (IDS, IDS, fact()).prop_map(|(old, new, fact)| Supersede { old, new, fact }),
        3 => (IDS, 0..9_i64).prop_map(|(id, until)| End(id, until)),
        2 => IDS.prop_map(Forget),
        1 => (0..9_i64).prop_map(Sweep),
        6 => link,
        3 => (IDS, IDS, 0..9_i64).prop_map(|(source, target, until)| EndEdge(source, target, until)),
        1 => (IDS, IDS).prop_map(|(source, target)| Unlink(source, target)),
        3 => IDS.prop_map(Read),
        1 => Just(Repair),
        1 => Just(Reopen),
        1 => Just(Transfer),
    ]
}
