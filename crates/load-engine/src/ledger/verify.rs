//! Verification: what was acknowledged against what was found.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::digest::Digest;
use crate::ledger::expectation::{ExpectedState, KeyIndex, state_after};
use crate::ledger::tally::{EffectTally, Finality};
use crate::ledger::{Effect, Entry, Ledger};
use crate::numbers::is_zero;

/// Discrepancies that a [`Verification`] shows in full.
pub const SHOWN_DISCREPANCIES: usize = 20;

/// Errors in a row after which a source is given up: one that repeats its error for ever would
/// otherwise never end.
const MAX_ERRORS_IN_A_ROW: u32 = 1000;

/// A thing found in the target after the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What kind of thing, as in the ledger.
    pub kind: Cow<'static, str>,
    /// Which of them.
    pub key: String,
    /// Its content.
    pub digest: Digest,
}

impl Found {
    /// A found thing.
    pub fn new(kind: impl Into<Cow<'static, str>>, key: impl Into<String>, digest: Digest) -> Self {
        Self {
            kind: kind.into(),
            key: key.into(),
            digest,
        }
    }
}

/// How the ledger and the target agree.
///
/// Every key of the ledger is in exactly one of `verified`, `lost`, `altered`, `miscounted`, `indeterminate`,
/// `unread` and (if it had been removed) `unexpected`; a key that was created twice is `lost` once more for each
/// creation that another replaced, and one found twice is `duplicated` besides. [`Verification::tally`]
/// counts effects rather than keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Verification {
    /// Acknowledged effects in the ledger.
    pub effects: u64,
    /// Keys that the ledger names.
    pub keys: u64,
    /// Things found in the target.
    pub found: u64,
    /// Keys found as acknowledged.
    pub verified: u64,
    /// Acknowledged and not there.
    pub lost: u64,
    /// There, with another content.
    pub altered: u64,
    /// Found more than once: each time after the first.
    pub duplicated: u64,
    /// There, although removed or never acknowledged.
    pub unexpected: u64,
    /// Sums that are not what was added to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub miscounted: u64,
    /// Reads during the load that gave what a write had replaced which was acknowledged before they began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale: u64,
    /// Things that are not in the order in which their user's writes were acknowledged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub out_of_order: u64,
    /// Things of which one part is there and another is not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partial: u64,
    /// Answers that violated an invariant.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violated: u64,
    /// Last written by an operation that was never acknowledged: there or not, neither is wrong.
    pub indeterminate: u64,
    /// Writes to services that were refused, and so were not made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// Writes to services of which nobody knows whether they were made: they failed, or were never answered.
    /// Of targets in Rust they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u64>,
    /// Errors while the target was read.
    pub unreadable: u64,
    /// Keys that were not reached, since reading was given up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u64,
    /// Whether reading was given up because of errors.
    pub abandoned: bool,
    /// Things found that were as an acknowledged or an unknown write left them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub matched: u64,
    /// The acknowledged effects of each kind of thing; nothing in a report of an earlier version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, EffectTally>,
    /// The first discrepancies, in full.
    pub discrepancies: Vec<Discrepancy>,
}

impl Verification {
    /// Whether everything acknowledged was found, and nothing else.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.discrepancy_count() == 0 && !self.abandoned
    }

    /// The acknowledged effects of all kinds by what was found of them; nothing, if a report of an
    /// earlier version does not say.
    #[must_use]
    pub fn tally(&self) -> Option<EffectTally> {
        if self.kinds.is_empty() && self.effects > 0 {
            return None;
        }
        let mut sum = EffectTally::default();
        for kind in self.kinds.values() {
            sum.absorb(*kind);
        }
        Some(sum)
    }

    /// Whether what each acknowledged effect left was read, and is right. Where a key was written more
    /// than once, only its final state could be.
    #[must_use]
    pub fn every_effect_verified(&self) -> bool {
        let by_keys = self.verified == self.effects;
        let all = self.tally().map_or(by_keys, |tally| tally.all_verified());
        all && self.holds() && self.indeterminate == 0
    }

    /// Which of the sums that have to be equal are not: a defect of the check, or a damaged report.
    #[must_use]
    pub fn inconsistency(&self) -> Option<String> {
        let tally = self.tally()?;
        let wrong = |what: &str, sum: u64, parts: u64| {
            (sum != parts).then(|| format!("{what}: {sum} are not the {parts} of its parts"))
        };
        let of_kind = self.kinds.iter().find_map(|(kind, tally)| {
            let what = format!("acknowledged effects of kind `{kind}`");
            wrong(&what, tally.acknowledged, tally.classified())
        });
        let wrong_content = self.altered + self.miscounted;
        let found = self.matched + wrong_content + self.duplicated + self.unexpected;
        of_kind
            .or_else(|| wrong("acknowledged effects", self.effects, tally.acknowledged))
            .or_else(|| wrong("verified effects", self.verified, tally.verified))
            .or_else(|| wrong("lost effects", self.lost, tally.lost))
            .or_else(|| wrong("altered effects", self.altered, tally.altered))
            .or_else(|| wrong("miscounted effects", self.miscounted, tally.miscounted))
            .or_else(|| wrong("things found", self.found, found))
    }

    /// Adds the figures of another part of the same ledger.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.effects += other.effects;
        self.keys += other.keys;
        self.found += other.found;
        self.verified += other.verified;
        self.lost += other.lost;
        self.altered += other.altered;
        self.duplicated += other.duplicated;
        self.unexpected += other.unexpected;
        self.miscounted += other.miscounted;
        self.stale += other.stale;
        self.out_of_order += other.out_of_order;
        self.partial += other.partial;
        self.violated += other.violated;
        self.indeterminate += other.indeterminate;
        self.refused += other.refused;
        self.unknown = match (self.unknown, other.unknown) {
            (Some(own), Some(others)) => Some(own + others),
            (own, others) => own.or(others),
        };
        self.unreadable += other.unreadable;
        self.unread += other.unread;
        self.matched += other.matched;
        for (kind, tally) in other.kinds {
            self.kinds.entry(kind).or_default().absorb(tally);
        }
        self.abandoned |= other.abandoned;
        let room = SHOWN_DISCREPANCIES.saturating_sub(self.discrepancies.len());
        self.discrepancies
            .extend(other.discrepancies.into_iter().take(room));
    }

    /// Counts an error of the source.
    pub(crate) fn count_unreadable(
        &mut self,
        error: &dyn Display,
        each: &mut impl FnMut(&Discrepancy),
    ) {
        self.unreadable += 1;
        let discrepancy = Discrepancy {
            defect: Defect::Unreadable,
            kind: String::new(),
            key: error.to_string(),
            expected: Expectation::NeverAcknowledged,
            found: None,
            value: None,
            user: None,
        };
        self.show(discrepancy, each);
    }

    fn show(&mut self, discrepancy: Discrepancy, each: &mut impl FnMut(&Discrepancy)) {
        each(&discrepancy);
        if self.discrepancies.len() < SHOWN_DISCREPANCIES {
            self.discrepancies.push(discrepancy);
        }
    }

    /// How many discrepancies there are, shown or not.
    #[must_use]
    pub fn discrepancy_count(&self) -> u64 {
        let defects = self.defects().into_iter();
        defects.map(|(_, count)| count).sum::<u64>() + self.unreadable
    }

    /// How often each defect was found. What could not be read is none of them: nobody knows what is there.
    #[must_use]
    pub fn defects(&self) -> [(Defect, u64); 9] {
        [
            (Defect::Lost, self.lost),
            (Defect::Altered, self.altered),
            (Defect::Duplicated, self.duplicated),
            (Defect::Unexpected, self.unexpected),
            (Defect::Miscounted, self.miscounted),
            (Defect::Stale, self.stale),
            (Defect::OutOfOrder, self.out_of_order),
            (Defect::Partial, self.partial),
            (Defect::Violated, self.violated),
        ]
    }

    /// Counts every wrong content as a wrong sum: for things that are numbers to which effects add.
    pub fn count_as_sums(&mut self) {
        self.miscounted += std::mem::take(&mut self.altered);
        for tally in self.kinds.values_mut() {
            tally.miscounted += std::mem::take(&mut tally.altered);
        }
    }
}

/// One thing that is not as acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discrepancy {
    /// What is wrong.
    pub defect: Defect,
    /// What kind of thing; empty when it could not be read.
    pub kind: String,
    /// Which of them; the error when it could not be read.
    pub key: String,
    /// What the ledger says.
    pub expected: Expectation,
    /// What is there; nothing if it is not.
    pub found: Option<Digest>,
    /// What is there in the target's words, where that says more than a digest: a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whose effect it was.
    pub user: Option<u32>,
}

/// What can be wrong with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// Acknowledged and not there.
    Lost,
    /// There, with another content.
    Altered,
    /// There more than once.
    Duplicated,
    /// There, although removed, refused or never acknowledged.
    Unexpected,
    /// It could not be read.
    Unreadable,
    /// A number that is not what was added to it.
    Miscounted,
    /// A read gave what had been replaced before it began.
    Stale,
    /// It is not where its user's acknowledgements put it.
    OutOfOrder,
    /// One part of it is there, and another is not.
    Partial,
    /// An invariant does not hold.
    Violated,
}

impl Defect {
    /// Its name, for people. In thresholds spaces are underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Altered => "altered",
            Self::Duplicated => "duplicated",
            Self::Unexpected => "unexpected",
            Self::Unreadable => "unreadable",
            Self::Miscounted => "miscounted",
            Self::Stale => "stale",
            Self::OutOfOrder => "out of order",
            Self::Partial => "partial",
            Self::Violated => "violated",
        }
    }
}

/// What the ledger says about a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It is there with this content.
    Present(Digest),
    /// It was removed.
    Absent,
    /// Nothing: no user wrote it.
    NeverAcknowledged,
    /// Nothing: the target refused the write, for this reason.
    Refused(String),
    /// This value, in the target's words: a sum, or the range of sums that unknown outcomes allow.
    Value(String),
}

/// Compares the ledger with what was found, in one pass over `found`.
///
/// The memory needed depends on the ledger alone.
///
/// ```
/// use load_engine::{Digest, Effect, Found, Ledger, LedgerEntry, verify};
///
/// let ledger: Ledger = ["a", "b"]
///     .map(|key| LedgerEntry {
///         kind: "record".into(),
///         key: key.into(),
///         effect: Effect::Created(Digest::of(b"content")),
///         user: 0,
///         started_ns: 0,
///         settled_ns: 1,
///     })
///     .into_iter()
///     .collect();
/// let found = [Ok::<_, std::io::Error>(Found::new("record", "a", Digest::of(b"content")))];
/// let verification = verify(&ledger, found);
/// assert_eq!((verification.verified, verification.lost), (1, 1));
/// assert!(!verification.holds());
/// ```
pub fn verify<E: Display>(
    ledger: &Ledger,
    found: impl IntoIterator<Item = Result<Found, E>>,
) -> Verification {
    verify_each(ledger, found, |_| {})
}

/// Like [`verify`], and hands every discrepancy to `each`, such as to write them all to a file.
pub fn verify_each<E: Display>(
    ledger: &Ledger,
    found: impl IntoIterator<Item = Result<Found, E>>,
    each: impl FnMut(&Discrepancy),
) -> Verification {
    verify_part(ledger, found, false, each)
}

/// Like [`verify_each`], of what was found before reading was given up, if it was.
pub(crate) fn verify_part<E: Display>(
    ledger: &Ledger,
    found: impl IntoIterator<Item = Result<Found, E>>,
    abandoned: bool,
    each: impl FnMut(&Discrepancy),
) -> Verification {
    let mut pass = Pass::new(ledger, each);
    pass.verification.abandoned = abandoned;
    let mut errors = ErrorsInARow::default();
    for item in found {
        match &item {
            Ok(found) => pass.compare(found),
            Err(error) => pass.unreadable(error),
        }
        if errors.are_too_many(item.is_err()) {
            pass.verification.abandoned = true;
            break;
        }
    }
    pass.finish()
}

/// Tells a source that gives nothing but errors.
#[derive(Default)]
pub(crate) struct ErrorsInARow(u32);

impl ErrorsInARow {
    /// Counts an item, and says whether the source is to be given up.
    pub(crate) fn are_too_many(&mut self, is_error: bool) -> bool {
        self.0 = if is_error { self.0 + 1 } else { 0 };
        self.0 == MAX_ERRORS_IN_A_ROW
    }
}

/// The state of one pass.
struct Pass<'l, F> {
    ledger: &'l Ledger,
    index: KeyIndex<'l>,
    /// By the number of a key's newest entry.
    seen: Vec<bool>,
    /// By the number of a kind.
    tallies: Vec<EffectTally>,
    verification: Verification,
    each: F,
}

impl<'l, F: FnMut(&Discrepancy)> Pass<'l, F> {
    fn new(ledger: &'l Ledger, each: F) -> Self {
        let index = KeyIndex::new(ledger);
        let acknowledged = |entry: &&Entry| entry.effect != Effect::Attempted;
        let verification = Verification {
            effects: ledger.entries.iter().filter(acknowledged).count() as u64,
            keys: index.key_count() as u64,
            ..Verification::default()
        };
        Self {
            ledger,
            index,
            seen: vec![false; ledger.len()],
            tallies: vec![EffectTally::default(); ledger.kind_count()],
            verification,
            each,
        }
    }

    fn compare(&mut self, found: &Found) {
        self.verification.found += 1;
        let Some(newest) = self.index.find(&found.kind, &found.key) else {
            self.verification.unexpected += 1;
            let expected = Expectation::NeverAcknowledged;
            return self.report(Defect::Unexpected, found, expected, None);
        };
        let last = self.index.last_writes(newest);
        let user = last.first().map(|entry| entry.user);
        let states = last.iter().map(|entry| state_after(entry.effect));
        if std::mem::replace(&mut self.seen[newest as usize], true) {
            self.verification.duplicated += 1;
            self.report(Defect::Duplicated, found, expectation(states), user);
        } else if states
            .clone()
            .any(|state| state == ExpectedState::Present(found.digest))
        {
            self.verification.verified += 1;
            self.verification.matched += 1;
            self.book(newest, Finality::Verified);
        } else if states
            .clone()
            .any(|state| state == ExpectedState::Indeterminate)
        {
            self.verification.indeterminate += 1;
            self.verification.matched += 1;
            self.book(newest, Finality::Unresolved);
        } else if let expected @ Expectation::Present(_) = expectation(states) {
            self.verification.altered += 1;
            self.book(newest, Finality::Altered);
            self.report(Defect::Altered, found, expected, user);
        } else {
            self.verification.unexpected += 1;
            self.book(newest, Finality::Reappeared);
            self.report(Defect::Unexpected, found, Expectation::Absent, user);
        }
    }

    /// Counts a key's acknowledged effects by what was found of its final state.
    fn book(&mut self, newest: u32, found: Finality) {
        let kind = usize::from(self.ledger.entries[newest as usize].kind);
        let (acknowledged, last) = self.index.acknowledged(newest);
        self.tallies[kind].book(acknowledged, last, found);
    }

    fn unreadable(&mut self, error: &dyn Display) {
        self.verification.count_unreadable(error, &mut self.each);
    }

    /// Goes through the keys in the ledger's order, so that two reports of one run agree.
    fn finish(mut self) -> Verification {
        let keys: Vec<u32> = self.index.keys().collect();
        for newest in keys {
            let entry = &self.ledger.entries[newest as usize];
            if !self.seen[newest as usize] {
                self.missing(newest);
            }
            let collisions = self.index.collisions(newest);
            self.tallies[usize::from(entry.kind)].lose_collisions(collisions);
            for _ in 0..collisions {
                self.lose(entry, expectation([state_after(entry.effect)].into_iter()));
            }
        }
        let kinds = self.ledger.kinds().map(str::to_owned).zip(self.tallies);
        self.verification.kinds = kinds.filter(|(_, of)| of.acknowledged > 0).collect();
        self.verification
    }

    fn missing(&mut self, newest: u32) {
        let last = self.index.last_writes(newest);
        let states = last.iter().map(|entry| state_after(entry.effect));
        if self.verification.abandoned {
            // Nobody looked: it may be there or not.
            self.verification.unread += 1;
            self.book(newest, Finality::Unread);
        } else if states.clone().any(|state| state == ExpectedState::Absent) {
            self.verification.verified += 1;
            self.book(newest, Finality::Verified);
        } else if states
            .clone()
            .any(|state| state == ExpectedState::Indeterminate)
        {
            self.verification.indeterminate += 1;
            self.book(newest, Finality::Unresolved);
        } else {
            self.book(newest, Finality::Lost);
            self.lose(last[0], expectation(states));
        }
    }

    fn lose(&mut self, entry: &Entry, expected: Expectation) {
        self.verification.lost += 1;
        self.add(Discrepancy {
            defect: Defect::Lost,
            kind: self.ledger.kind(entry).to_owned(),
            key: self.ledger.key(entry).to_owned(),
            expected,
            found: None,
            value: None,
            user: Some(entry.user),
        });
    }

    fn report(&mut self, defect: Defect, found: &Found, expected: Expectation, user: Option<u32>) {
        self.add(Discrepancy {
            defect,
            kind: found.kind.clone().into_owned(),
            key: found.key.clone(),
            expected,
            found: Some(found.digest),
            value: None,
            user,
        });
    }

    fn add(&mut self, discrepancy: Discrepancy) {
        self.verification.show(discrepancy, &mut self.each);
    }
}

/// The one expectation that a report names: a content if any is allowed.
fn expectation(mut states: impl Iterator<Item = ExpectedState>) -> Expectation {
    states
        .find_map(|state| match state {
            ExpectedState::Present(digest) => Some(Expectation::Present(digest)),
            ExpectedState::Absent | ExpectedState::Indeterminate => None,
        })
        .unwrap_or(Expectation::Absent)
}
