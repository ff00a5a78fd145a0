//! The ledger: every effect that the target acknowledged, in the order in which it did.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Write};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RunError;

/// The content of a thing, as 64 bits of its BLAKE3 hash.
///
/// 64 bits, because each found thing is compared with one expected digest only: an alteration goes
/// unseen once in 2⁶⁴ times. Written as 16 hexadecimal digits.
///
/// ```
/// use load_engine::Digest;
///
/// assert_eq!(Digest::of(b"paid").to_string().parse(), Ok(Digest::of(b"paid")));
/// assert_ne!(Digest::of(b"paid"), Digest::of(b"Paid"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    /// The digest of bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::from_blake3(*blake3::hash(content).as_bytes())
    }

    /// The digest of a value's JSON.
    ///
    /// # Errors
    ///
    /// When the value cannot be JSON, such as a map whose keys are no text.
    pub fn of_json(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        serde_json::to_writer(&mut hasher, value)?;
        Ok(Self::from_blake3(*hasher.finalize().as_bytes()))
    }

    /// The digest of what has this BLAKE3 hash.
    #[must_use]
    pub fn from_blake3([a, b, c, d, e, f, g, h, ..]: [u8; 32]) -> Self {
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hexadecimal = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        hexadecimal
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| format!("a digest is 16 hexadecimal digits, not {text:?}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

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

    /// Ends the step whose entries begin at `mark`, and says how many effects it acknowledged.
    #[inline]
    pub(crate) fn settle(&mut self, mark: usize, now_ns: u64, succeeded: bool) -> u64 {
        if self.entries.len() == mark {
            return 0;
        }
        self.settle_entries(mark, now_ns, succeeded)
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
    }

    /// Makes room for the entries of ledgers that are about to be absorbed.
    pub(crate) fn reserve(&mut self, others: &[&Self]) {
        self.entries
            .reserve_exact(others.iter().map(|other| other.entries.len()).sum());
        self.keys
            .reserve_exact(others.iter().map(|other| other.keys.len()).sum());
    }

    fn settle_entries(&mut self, mark: usize, now_ns: u64, succeeded: bool) -> u64 {
        let mut acknowledged = 0;
        for entry in &mut self.entries[mark..] {
            entry.settled_ns = now_ns;
            if !succeeded {
                entry.effect = Effect::Attempted;
            }
            acknowledged += u64::from(entry.effect != Effect::Attempted);
        }
        acknowledged
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
mod tests {
    use super::*;

    #[test]
    fn an_entry_costs_56_bytes() {
        assert_eq!(size_of::<Entry>(), 56);
    }

    #[test]
    fn the_effects_of_a_failed_step_become_attempts() {
        let mut ledger = Ledger::new();
        ledger.note("request", "a", Effect::Created(Digest::of(b"a")), 0, 10);
        assert_eq!(ledger.settle(0, 20, true), 1);
        ledger.note("request", "b", Effect::Created(Digest::of(b"b")), 0, 30);
        assert_eq!(ledger.settle(1, 40, false), 0);
        let effects: Vec<_> = ledger.iter().map(|entry| entry.effect).collect();
        assert_eq!(
            effects,
            [Effect::Created(Digest::of(b"a")), Effect::Attempted]
        );
    }

    #[test]
    fn a_ledger_reads_back_what_it_wrote() {
        let mut ledger = Ledger::new();
        ledger.note(
            "request",
            "a \"quoted\" key\n",
            Effect::Created(Digest::of(b"a")),
            3,
            10,
        );
        ledger.note("decision", "", Effect::Removed, 4, 11);
        ledger.settle(0, 20, true);
        let mut text = Vec::new();
        ledger.write_jsonl(&mut text).unwrap();
        let read = Ledger::read_jsonl(text.as_slice()).unwrap();
        assert!(read.iter().eq(ledger.iter()));
        assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
    }

    #[test]
    fn a_line_that_is_no_entry_is_named_by_its_number() {
        let mut text = Vec::new();
        let mut ledger = Ledger::new();
        ledger.note("request", "a", Effect::Removed, 0, 0);
        ledger.write_jsonl(&mut text).unwrap();
        text.extend_from_slice(b"{\"kind\":\"request\"}\n");
        let error = Ledger::read_jsonl(text.as_slice()).unwrap_err();
        assert!(error.to_string().starts_with("ledger line 2: "), "{error}");
    }

    #[test]
    fn ledgers_with_different_kinds_merge() {
        let mut first = Ledger::new();
        first.note("a", "1", Effect::Removed, 0, 0);
        let mut second = Ledger::new();
        second.note("b", "2", Effect::Removed, 1, 0);
        second.note("a", "3", Effect::Removed, 1, 0);
        first.absorb(second);
        let names: Vec<_> = first
            .iter()
            .map(|e| format!("{}{}", e.kind, e.key))
            .collect();
        assert_eq!(names, ["a1", "b2", "a3"]);
    }

    #[test]
    fn a_digest_that_is_no_16_digits_is_refused() {
        for text in ["", "12", "+123456789abcdef", "0123456789abcdefg"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
