//! Readings of effects against the ledger, and what both readings come to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;

use drivers::Reason;
use load_engine::{
    Defect, Digest, Discrepancy, Effect, Expectation, Ledger, LedgerEntry, Verification,
    verify_each,
};
use report::{EffectReading, EffectReport};

use super::program::{EffectKind, Program, ReadScope};
use super::read::{Keys, Reading};
use super::shared::{RefusedWrite, Shared, Sum, Tally};

/// What the load did to one effect.
pub(super) struct Writes {
    pub(super) kind: &'static str,
    pub(super) ledger: Ledger,
    /// Keys that were written or tried, refused ones included, and by whom.
    pub(super) keys: Keys,
    /// Writes that may have been done under keys that nobody knows.
    unnamed: u64,
    /// Why a write of a key was refused, and whose it was.
    refused: BTreeMap<String, (Reason, u32)>,
    /// What was added to each key, of a sum.
    sums: BTreeMap<String, Sum>,
    /// What each key of a sum was before the load.
    before: BTreeMap<String, String>,
}

/// Every effect's part of the ledger.
pub(super) fn writes(
    program: &Program,
    shared: &Shared,
    ledger: &Ledger,
    entries: &Ledger,
    refused: &[RefusedWrite],
    sums: BTreeMap<(usize, String), Sum>,
    before: Vec<BTreeMap<String, String>>,
) -> Vec<Writes> {
    let mut writes: Vec<Writes> = shared
        .tallies
        .iter()
        .zip(before)
        .zip(&program.effects)
        .map(|((tally, before), kind)| Writes {
            kind: kind.name,
            ledger: Ledger::new(),
            keys: Keys::new(),
            unnamed: Tally::get(&tally.unnamed),
            refused: BTreeMap::new(),
            sums: BTreeMap::new(),
            before,
        })
        .collect();
    let numbers: BTreeMap<&str, usize> = program
        .effects
        .iter()
        .map(|kind| kind.name)
        .zip(0..)
        .collect();
    for entry in ledger.iter().chain(entries.iter()) {
        if let Some(number) = numbers.get(&*entry.kind) {
            let of_effect = &mut writes[*number];
            of_effect.ledger.push(&entry);
            of_effect.keys.insert(entry.key.into_owned(), entry.user);
        }
    }
    for ((effect, key), sum) in sums {
        writes[effect].sums.insert(key, sum);
    }
    for refused in refused {
        let of_effect = &mut writes[refused.effect];
        let keys = &mut of_effect.keys;
        keys.entry(refused.key.clone()).or_insert(refused.user);
        let why = (refused.reason, refused.user);
        of_effect.refused.entry(refused.key.clone()).or_insert(why);
    }
    writes
}

/// The proof of one effect: its readings so far.
pub(super) struct Proof {
    pub(super) report: EffectReport,
    /// What was wrong so far, so that it counts once.
    known: HashSet<(u8, String)>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.report.fmt(f)
    }
}

impl Proof {
    pub(super) fn of(kind: &EffectKind, tally: &Tally) -> Self {
        Self {
            report: EffectReport {
                name: kind.name.to_owned(),
                acknowledged: Tally::get(&tally.acknowledged),
                refused: Tally::get(&tally.refused),
                unknown: Tally::get(&tally.unknown),
                reads: Tally::get(&tally.reads),
                unchecked_reads: Tally::get(&tally.unchecked_reads),
                cannot_see: cannot_see(kind),
                ..EffectReport::default()
            },
            known: HashSet::new(),
        }
    }

    /// Compares a reading with the ledger, and hands every discrepancy to `each` that is a new one.
    pub(super) fn add(
        &mut self,
        stage: &str,
        writes: &Writes,
        reading: Reading,
        beside: &[Discrepancy],
        mut each: impl FnMut(&Discrepancy),
    ) {
        let known = &mut self.known;
        let mut refused_but_found = 0;
        let mut note = |found: &Discrepancy| {
            refused_but_found += u64::from(matches!(found.expected, Expectation::Refused(_)));
            if known.insert((found.defect as u8, found.key.clone())) {
                each(found);
            }
        };
        let mut verification = match reading.unreadable.iter().find(|(key, _)| key.is_none()) {
            Some((_, error)) => unread(writes, error, &mut note),
            None => compare(writes, &reading, &mut note),
        };
        for found in beside {
            match found.defect {
                Defect::Partial => verification.partial += 1,
                Defect::Stale => verification.stale += 1,
                _ => verification.out_of_order += 1,
            }
            note(found);
        }
        // They are the whole result's, which shows each once.
        verification.discrepancies.clear();
        self.report.readings.push(EffectReading {
            stage: stage.to_owned(),
            foreign: reading.foreign,
            refused_but_found,
            verification,
        });
    }

    /// What all readings come to.
    pub(super) fn sum(&self) -> Verification {
        let Some(last) = self.report.readings.last() else {
            return Verification::default();
        };
        let mut sum = last.verification.clone();
        let count = |defect: Defect| {
            let known = self.known.iter();
            known.filter(|(known, _)| *known == defect as u8).count() as u64
        };
        // A key may have been found twice more than once, of which the set knows one.
        let most = |of: fn(&Verification) -> u64, defect: Defect| {
            let readings = self.report.readings.iter();
            let most = readings.map(|reading| of(&reading.verification)).max();
            most.unwrap_or(0).max(count(defect))
        };
        let wrong_before = sum.lost + sum.altered + sum.miscounted;
        sum.lost = most(|found| found.lost, Defect::Lost);
        sum.altered = most(|found| found.altered, Defect::Altered);
        sum.duplicated = most(|found| found.duplicated, Defect::Duplicated);
        sum.unexpected = most(|found| found.unexpected, Defect::Unexpected);
        sum.miscounted = most(|found| found.miscounted, Defect::Miscounted);
        sum.stale = most(|found| found.stale, Defect::Stale);
        sum.out_of_order = most(|found| found.out_of_order, Defect::OutOfOrder);
        sum.partial = most(|found| found.partial, Defect::Partial);
        sum.unreadable = most(|found| found.unreadable, Defect::Unreadable);
        sum.abandoned = self
            .report
            .readings
            .iter()
            .any(|reading| reading.verification.abandoned);
        // What was wrong before the restart is not verified, though it be right after it.
        let wrong = sum.lost + sum.altered + sum.miscounted;
        sum.verified = sum
            .verified
            .saturating_sub(wrong.saturating_sub(wrong_before));
        sum
    }
}

/// Nothing could be read: then nothing is known to be lost either.
fn unread(writes: &Writes, error: &str, each: &mut dyn FnMut(&Discrepancy)) -> Verification {
    let mut verification = Verification::default();
    verification.effects = acknowledged(&writes.ledger);
    verification.keys = writes.keys.len() as u64;
    verification.abandoned = true;
    unreadable(&mut verification, error.to_owned(), each);
    verification
}

fn unreadable(verification: &mut Verification, told: String, each: &mut dyn FnMut(&Discrepancy)) {
    verification.unreadable += 1;
    let discrepancy = Discrepancy {
        defect: Defect::Unreadable,
        kind: String::new(),
        key: told,
        expected: Expectation::NeverAcknowledged,
        found: None,
        value: None,
        user: None,
    };
    each(&discrepancy);
}

fn acknowledged(ledger: &Ledger) -> u64 {
    let acknowledged = ledger
        .iter()
        .filter(|entry| entry.effect != Effect::Attempted);
    acknowledged.count() as u64
}

fn compare(writes: &Writes, reading: &Reading, each: &mut dyn FnMut(&Discrepancy)) -> Verification {
    // A key that could not be read is neither there nor lost.
    let unread: HashSet<&str> = reading
        .unreadable
        .iter()
        .filter_map(|(key, _)| key.as_deref())
        .collect();
    let readable: Ledger;
    let ledger = match unread.is_empty() {
        _ if !writes.sums.is_empty() => {
            readable = expected_sums(writes, reading);
            &readable
        }
        true => &writes.ledger,
        false => {
            let entries = writes.ledger.iter();
            let entries = entries.filter(|entry| !unread.contains(&*entry.key));
            readable = entries
                .collect::<Vec<LedgerEntry<'_>>>()
                .into_iter()
                .collect();
            &readable
        }
    };
    // Where the service gives the keys, so many rows may be of writes whose answer never came.
    let mut excused = writes.unnamed;
    let found = reading.found.iter().filter(|found| {
        let is_unexplained = excused > 0 && !writes.keys.contains_key(&found.key);
        excused -= u64::from(is_unexplained);
        !is_unexplained
    });
    let found = found.cloned().map(Ok::<_, std::convert::Infallible>);
    let mut verification = verify_each(ledger, found, |found| {
        each(&explained(found, writes, reading));
    });
    if !writes.sums.is_empty() {
        verification.count_as_sums();
    }
    verification.indeterminate += writes.unnamed - excused;
    verification.found += writes.unnamed - excused;
    for (key, error) in &reading.unreadable {
        let key = key.as_deref().unwrap_or_default();
        unreadable(&mut verification, format!("{key}: {error}"), each);
    }
    verification
}

/// A discrepancy with what the engine cannot know: that a write was refused, and which number a sum is.
fn explained(found: &Discrepancy, writes: &Writes, reading: &Reading) -> Discrepancy {
    let mut found = found.clone();
    if found.defect == Defect::Unexpected
        && found.expected == Expectation::NeverAcknowledged
        && let Some((reason, user)) = writes.refused.get(&found.key)
    {
        found.expected = Expectation::Refused(reason.to_string());
        found.user = Some(*user);
    }
    if let Some(range) = writes.sum(&found.key) {
        if found.defect == Defect::Altered {
            found.defect = Defect::Miscounted;
        }
        let (least, most) = (range.start(), range.end());
        found.expected = Expectation::Value(match least == most {
            true => least.to_string(),
            false => format!("{least} to {most}"),
        });
        found.value = reading.texts.get(&found.key).cloned();
    }
    found
}

impl Writes {
    /// What the sum of a key may be: its value before the load with what was added. Unknown additions make it
    /// a range.
    fn sum(&self, key: &str) -> Option<RangeInclusive<i128>> {
        let sum = self.sums.get(key)?;
        let before = self.before.get(key);
        let before: i128 = before.map_or(0, |text| text.parse().unwrap_or(0));
        let known = before + sum.acknowledged;
        Some(known + sum.unknown.0..=known + sum.unknown.1)
    }
}

/// What is wrong beside what is there: order, and parts of which one is there and the other is not.
pub(super) fn beside(
    program: &Program,
    effect: usize,
    writes: &[Writes],
    readings: &[Option<Reading>],
) -> Vec<Discrepancy> {
    let kind = &program.effects[effect];
    let Some(reading) = &readings[effect] else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    if kind.is_ordered {
        out_of_order(&writes[effect], reading, &mut wrong);
    }
    let other = kind.together_with;
    if let Some((other, Some(of_other))) = other.map(|other| (other, &readings[other])) {
        let names = (kind.name, program.effects[other].name);
        partial(
            names,
            [&writes[effect], &writes[other]],
            [reading, of_other],
            &mut wrong,
        );
    }
    wrong
}

/// Rows of one user that come before a row that was acknowledged earlier.
fn out_of_order(writes: &Writes, reading: &Reading, wrong: &mut Vec<Discrepancy>) {
    let entries = writes.ledger.iter();
    // Of a write beside the ledger of the engine nobody knows when it was acknowledged.
    let created = entries
        .filter(|entry| matches!(entry.effect, Effect::Created(_)) && entry.settled_ns != u64::MAX);
    let acknowledged: HashMap<String, (u32, u64)> = created
        .map(|entry| (entry.key.into_owned(), (entry.user, entry.settled_ns)))
        .collect();
    let mut newest: HashMap<u32, (u64, &str)> = HashMap::new();
    for found in &reading.found {
        let Some((user, at)) = acknowledged.get(&found.key) else {
            continue;
        };
        let (latest, key) = newest.entry(*user).or_insert((*at, &found.key));
        if at < latest {
            wrong.push(Discrepancy {
                defect: Defect::OutOfOrder,
                kind: writes.kind.to_owned(),
                key: found.key.clone(),
                expected: Expectation::Value(format!("before {key}")),
                found: Some(found.digest),
                value: Some(format!("after {key}")),
                user: Some(*user),
            });
        } else {
            (*latest, *key) = (*at, &found.key);
        }
    }
}

/// Keys that steps wrote to both effects, or tried to, and that are in one of them only.
fn partial(
    (name, other): (&str, &str),
    [writes, of_other]: [&Writes; 2],
    [reading, other_reading]: [&Reading; 2],
    wrong: &mut Vec<Discrepancy>,
) {
    if !reading.unreadable.is_empty() || !other_reading.unreadable.is_empty() {
        // What could not be read is neither there nor not.
        return;
    }
    let keys = |reading: &Reading| -> HashSet<String> {
        reading
            .found
            .iter()
            .map(|found| found.key.clone())
            .collect()
    };
    let (here, there) = (keys(reading), keys(other_reading));
    for (key, user) in &writes.keys {
        let (is_here, is_there) = (here.contains(key), there.contains(key));
        if is_here == is_there || !of_other.keys.contains_key(key) {
            continue;
        }
        let (one, missing) = match is_here {
            true => (name, other),
            false => (other, name),
        };
        wrong.push(Discrepancy {
            defect: Defect::Partial,
            kind: name.to_owned(),
            key: key.clone(),
            expected: Expectation::Value(format!("both `{name}` and `{other}`, or neither")),
            found: None,
            value: Some(format!("`{one}` without `{missing}`")),
            user: Some(*user),
        });
    }
}

/// Whether a reading shows what it has to, so that waiting would change nothing.
pub(super) fn is_right(writes: &Writes, reading: &Reading) -> bool {
    reading.unreadable.is_empty() && compare(writes, reading, &mut |_| {}).holds()
}

/// The sums as a ledger: each in its range, or else what was acknowledged.
fn expected_sums(writes: &Writes, reading: &Reading) -> Ledger {
    let mut ledger = Ledger::new();
    for (key, sum) in &writes.sums {
        let Some(range) = writes.sum(key) else {
            continue;
        };
        let found = reading.texts.get(key);
        let number = found.and_then(|text| text.parse::<i128>().ok());
        let expected = match found {
            Some(text) if number.is_some_and(|number| range.contains(&number)) => text.clone(),
            _ => (range.start() - sum.unknown.0).to_string(),
        };
        ledger.push(&LedgerEntry {
            kind: writes.kind.into(),
            key: key.into(),
            effect: Effect::Updated(Digest::of(expected.as_bytes())),
            user: writes.keys.get(key).copied().unwrap_or_default(),
            started_ns: 0,
            settled_ns: 0,
        });
    }
    ledger
}

/// What the effects of a file come to together.
pub(super) fn total(proofs: &[Proof]) -> Verification {
    let mut total = Verification::default();
    for proof in proofs {
        let sum = proof.sum();
        total.effects += sum.effects;
        total.keys += sum.keys;
        total.found += sum.found;
        total.verified += sum.verified;
        total.lost += sum.lost;
        total.altered += sum.altered;
        total.miscounted += sum.miscounted;
        total.stale += sum.stale;
        total.out_of_order += sum.out_of_order;
        total.partial += sum.partial;
        total.duplicated += sum.duplicated;
        total.unexpected += sum.unexpected;
        total.indeterminate += sum.indeterminate;
        total.unknown = Some(total.unknown.unwrap_or(0) + proof.report.unknown);
        total.refused += proof.report.refused;
        total.unreadable += sum.unreadable;
        total.abandoned |= sum.abandoned;
    }
    total
}

/// The defects that the reading of an effect cannot show.
fn cannot_see(kind: &EffectKind) -> Vec<String> {
    let Some(read) = &kind.read else {
        return Vec::new();
    };
    let mut blind = Vec::new();
    if read.scope == ReadScope::PerKey {
        blind.push("duplicates".to_owned());
        blind.push("rows under other keys".to_owned());
    }
    if !kind.has_content {
        blind.push("altered content".to_owned());
    }
    if kind.is_ordered {
        blind.push("order between users".to_owned());
    }
    if kind.together_with.is_some() {
        blind.push("a part that was missing and came in time".to_owned());
    }
    if kind.is_sum {
        blind.push("errors that cancel each other".to_owned());
    }
    blind.push("wrong states between a write and the reading".to_owned());
    blind
}
