//! The ledger: every effect that the target acknowledged, in the order in which it did.

pub(crate) mod digest;
pub(crate) mod expectation;
pub(crate) mod spill;
pub(crate) mod tally;
pub(crate) mod verify;

use std::borrow::Cow;
use std::io::{BufRead, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::ledger::digest::Digest;
use crate::record::StoredEffects;

/// What was done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Made, with this content, where nothing was before.
    Created(Digest),
    /// Written with this content, whether or not something was there before.
    Updated(Digest),
    /// Removed.
    Removed,
    /// Asked for and not acknowledged: made or not.
    Attempted,
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry<'a> {
    /// What kind of thing.
    pub kind: Cow<'a, str>,
    /// Which of them.
    pub key: Cow<'a, str>,
    /// What was done to it.
    pub effect: Effect,
    /// By which user.
    pub user: u32,
    /// When the step began, on the run's clock.
    pub started_ns: u64,
    /// When the step ended, by success (the acknowledgement) or by failure.
    pub settled_ns: u64,
}

/// All effects of a run.
///
/// Keys lie in one buffer: an entry costs 56 bytes and its key's, and no allocation of its own.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(crate) entries: Vec<Entry>,
    keys: String,
    kinds: Vec<Cow<'static, str>>,
    /// Entries whose step has ended: all but the last few while one is under way.
    settled: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    key_start: usize,
    key_len: u32,
    pub(crate) user: u32,
    pub(crate) kind: u16,
    pub(crate) effect: Effect,
    pub(crate) started_ns: u64,
    pub(crate) settled_ns: u64,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What effects left behind, and what the ledger takes in memory.
    pub(crate) fn stored(&self) -> StoredEffects {
        let (mut created, mut removed, mut key_bytes) = (0u64, 0u64, 0u64);
        for entry in &self.entries {
            match entry.effect {
                Effect::Created(_) => {
                    created += 1;
                    key_bytes += u64::from(entry.key_len);
                }
                Effect::Removed => removed += 1,
                Effect::Updated(_) | Effect::Attempted => {}
            }
        }
        let things = created.saturating_sub(removed);
        let ledger_bytes = self.entries.len() * size_of::<Entry>() + self.keys.len();
        StoredEffects {
            ledger_bytes: ledger_bytes as u64,
            things,
            key_bytes: (u128::from(key_bytes) * u128::from(things) / u128::from(created.max(1)))
                as u64,
        }
    }

    /// The entries: those of one user in their order, user after user.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = LedgerEntry<'_>> {
        self.entries.iter().map(|entry| LedgerEntry {
            kind: Cow::Borrowed(self.kind(entry)),
            key: Cow::Borrowed(self.key(entry)),
            effect: entry.effect,
            user: entry.user,
            started_ns: entry.started_ns,
            settled_ns: entry.settled_ns,
        })
    }

    /// Adds an entry, such as one that another process wrote down. Entries of one user are added in
    /// their order.
    ///
    /// # Panics
    ///
    /// When the key has 4 GiB or the ledger 65,536 kinds.
    pub fn push(&mut self, entry: &LedgerEntry<'_>) {
        let kind = self.intern(&entry.kind, |kind| Cow::Owned(kind.to_owned()));
        self.append(kind, &entry.key, entry.effect, entry.user, entry.started_ns);
        if let Some(last) = self.entries.last_mut() {
            last.settled_ns = entry.settled_ns;
        }
        self.settled = self.entries.len();
    }

    /// Writes the ledger as JSON lines, an entry each.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn write_jsonl(&self, mut out: impl Write) -> Result<(), RunError> {
        let failed = |source| RunError::LedgerIo {
            operation: "write",
            source,
        };
        for entry in self.iter() {
            serde_json::to_writer(&mut out, &entry).map_err(|error| failed(error.into()))?;
            out.write_all(b"\n").map_err(failed)?;
        }
        out.flush().map_err(failed)
    }

    /// Reads what [`write_jsonl`](Self::write_jsonl) wrote.
    ///
    /// # Errors
    ///
    /// When `from` fails, or a line (named by its number) is no entry.
    pub fn read_jsonl(mut from: impl BufRead) -> Result<Self, RunError> {
        let mut ledger = Self::new();
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            let read = from
                .read_line(&mut text)
                .map_err(|source| RunError::LedgerIo {
                    operation: "read",
                    source,
                })?;
            if read == 0 {
                break;
            }
            let entry: LedgerEntry<'_> = serde_json::from_str(&text)
                .map_err(|source| RunError::LedgerLine { line, source })?;
            ledger.push(&entry);
        }
        Ok(ledger)
    }

    pub(crate) fn kind(&self, entry: &Entry) -> &str {
        &self.kinds[usize::from(entry.kind)]
    }

    pub(crate) fn key(&self, entry: &Entry) -> &str {
        &self.keys[entry.key_start..entry.key_start + entry.key_len as usize]
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(AsRef::as_ref)
    }

    pub(crate) fn kind_count(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn kind_number(&self, kind: &str) -> Option<u16> {
        self.kinds
            .iter()
            .position(|known| known == kind)
            .map(|n| n as u16)
    }

    /// Adds an entry of a step under way.
    pub(crate) fn note(
        &mut self,
        kind: &'static str,
        key: &str,
        effect: Effect,
        user: u32,
        started_ns: u64,
    ) {
        let kind = self.intern(kind, |_| Cow::Borrowed(kind));
        self.append(kind, key, effect, user, started_ns);
    }

    /// Ends the step whose entries are the last `noted`, and says how many effects it acknowledged.
    pub(crate) fn settle(&mut self, noted: usize, now_ns: u64, succeeded: bool) -> u64 {
        let mut acknowledged = 0;
        let first = self.entries.len() - noted;
        for entry in &mut self.entries[first..] {
            entry.settled_ns = now_ns;
            if !succeeded {
                entry.effect = Effect::Attempted;
            }
            acknowledged += u64::from(entry.effect != Effect::Attempted);
        }
        self.settled = self.entries.len();
        acknowledged
    }

    /// Ends the step under way, if one is, without an acknowledgement.
    pub(crate) fn abandon(&mut self, now_ns: u64) {
        self.settle(self.entries.len() - self.settled, now_ns, false);
    }

    /// Adds the entries of another ledger, after these.
    pub(crate) fn absorb(&mut self, other: Self) {
        let kinds: Vec<u16> = other
            .kinds
            .into_iter()
            .map(|kind| {
                self.kind_number(&kind)
                    .unwrap_or_else(|| self.add_kind(kind))
            })
            .collect();
        let offset = self.keys.len();
        self.keys.push_str(&other.keys);
        self.entries
            .extend(other.entries.into_iter().map(|entry| Entry {
                key_start: entry.key_start + offset,
                kind: kinds[usize::from(entry.kind)],
                ..entry
            }));
        self.settled = self.entries.len();
    }

    /// Forgets all entries, none of which may be of a step under way, and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.keys.clear();
        self.settled = 0;
    }

    /// Makes room for the entries of ledgers that are about to be absorbed.
    pub(crate) fn reserve(&mut self, others: &[Self]) {
        self.entries
            .reserve_exact(others.iter().map(|other| other.entries.len()).sum());
        self.keys
            .reserve_exact(others.iter().map(|other| other.keys.len()).sum());
    }

    fn append(&mut self, kind: u16, key: &str, effect: Effect, user: u32, started_ns: u64) {
        let key_start = self.keys.len();
        let key_len = u32::try_from(key.len()).expect("a key is shorter than 4 GiB");
        self.keys.push_str(key);
        let settled_ns = started_ns;
        self.entries.push(Entry {
            key_start,
            key_len,
            user,
            kind,
            effect,
            started_ns,
            settled_ns,
        });
    }

    fn intern<'k>(&mut self, kind: &'k str, own: impl FnOnce(&'k str) -> Cow<'static, str>) -> u16 {
        match self.kind_number(kind) {
            Some(number) => number,
            None => self.add_kind(own(kind)),
        }
    }

    fn add_kind(&mut self, kind: Cow<'static, str>) -> u16 {
        let number = u16::try_from(self.kinds.len()).expect("a ledger has under 65,536 kinds");
        self.kinds.push(kind);
        number
    }
}

impl<'a> FromIterator<LedgerEntry<'a>> for Ledger {
    fn from_iter<I: IntoIterator<Item = LedgerEntry<'a>>>(entries: I) -> Self {
        let mut ledger = Self::new();
        for entry in entries {
            ledger.push(&entry);
        }
        ledger
    }
}

#[cfg(test)]
mod tests;
