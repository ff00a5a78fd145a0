//! A snapshot as bytes. All numbers are little endian.
//!
//! 1. The [`Head`] as one line of JSON.
//! 2. The ids, one after the other, each one byte of length and its text.
//! 3. For each request, in no order: number (4 bytes), digest (32), standing (8), since (8).
//! 4. For each request by number: its newest event (8 bytes).
//! 5. For each request by number: its status (1 byte).
//! 6. For each event: how far back the one before of the same request is (4 bytes).
//! 7. For each idempotency key: half a digest of it (16 bytes), the event (8), half a digest of the
//!    call (16).
//! 8. The BLAKE3 digest of all before under a key that is not in the directory (32 bytes).

use std::collections::BTreeMap;
use std::fmt;

use action::Timestamp;
use jsonl_storage::Seq;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::gate::GateTable;
use crate::gate::packed::Packed;
use crate::model::keys::{KeyBook, Used};
use crate::model::names::RequestId;
use crate::model::request::Status;
use crate::model::token::FencingToken;
use crate::review::second_factor::FactorBook;
use crate::state::event_index::{EventIndex, EventIndexParts, Ids};
use crate::state::statistics::Statistics;
use crate::state::view::Indexes;

pub(crate) const VERSION: u32 = 2;
const DIGEST_BYTES: usize = 32;
const SLOT_BYTES: usize = 4 + 32 + 8 + 8;
const KEY_BYTES: usize = 16 + 8 + 16;

/// Why a snapshot was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotFault {
    /// The file is there and cannot be read.
    #[error("the snapshot cannot be read")]
    Unreadable,
    /// Its parts do not fit together.
    #[error("the snapshot is damaged")]
    Damaged,
    /// Its bytes are not those that were written under this key: it is damaged, forged, or was written
    /// under another key.
    #[error("the snapshot is damaged, forged, or written under another key")]
    NotAuthentic,
    /// The workflow was opened without a [secret key](crate::Options::secret_key), so nothing says that
    /// the snapshot is authentic.
    #[error("there is no key to authenticate the snapshot with")]
    NoKey,
    /// It was written by another version.
    #[error("the snapshot is of another version")]
    OtherVersion,
    /// The log does not have, at the event that it ends with, the hash that it was made at: it is of
    /// another log, of another course of this one, or this one was cut off.
    #[error("the snapshot is of another log")]
    OtherLog,
    /// The log says something else about a request than the snapshot.
    #[error("the snapshot disagrees with the log")]
    Disagrees,
}

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) approval_snapshot: u32, // VERSION
    /// The last event that is in it.
    pub(crate) covers: Seq,
    /// The hash of that event in the log's chain.
    pub(crate) hash: [u8; 32],
    /// The digest of the policy and of the directory that the open gates were made by.
    pub(crate) basis: [u8; 32],
    pub(crate) requests: u64,
    pub(crate) first: u64,
    pub(crate) events: u64,
    pub(crate) far: BTreeMap<u64, u64>,
    /// The requests that owe a review.
    pub(crate) owing: Vec<u32>,
    pub(crate) keys: u64,
    /// The highest token.
    pub(crate) claims: FencingToken,
    pub(crate) restored: Option<Timestamp>,
    pub(crate) latest: Timestamp,
    pub(crate) statistics: Statistics,
    pub(crate) factors: FactorBook,
}

/// What a snapshot says.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) head: Head,
    pub(crate) ids: Ids,
    pub(crate) slots: Vec<(u32, Packed)>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) events: EventIndex,
    pub(crate) keys: KeyBook,
}

/// Everything but the first line and the digest.
pub(crate) fn body(indexes: &Indexes, gates: &GateTable, keys: &[(&[u8; 16], &Used)]) -> Vec<u8> {
    let (requests, events) = (indexes.ids.len(), indexes.events.back().len());
    let mut body = Vec::with_capacity(requests * 96 + events * 4 + keys.len() * KEY_BYTES);
    for number in 0..requests {
        let id = indexes.ids.get(number as u32).unwrap_or_default();
        body.push(id.len() as u8); // at most 128
        body.extend_from_slice(id.as_bytes());
    }
    gates.each(|number, slot| {
        body.extend_from_slice(&number.to_le_bytes());
        body.extend_from_slice(&slot.digest);
        body.extend_from_slice(&slot.standing.to_le_bytes());
        body.extend_from_slice(&slot.since.to_le_bytes());
    });
    for last in indexes.events.last() {
        body.extend_from_slice(&last.to_le_bytes());
    }
    body.extend(indexes.statuses.iter().map(|status| *status as u8));
    for back in indexes.events.back() {
        body.extend_from_slice(&back.to_le_bytes());
    }
    for (key, used) in keys {
        body.extend_from_slice(*key);
        body.extend_from_slice(&used.seq.0.to_le_bytes());
        body.extend_from_slice(&used.body);
    }
    body
}

/// The whole file but for the body, which stands between the two.
pub(crate) fn frame(head: &Head, body: &[u8], key: &Key) -> (Vec<u8>, blake3::Hash) {
    let mut line = Vec::new();
    crate::model::content::write_json(&mut line, head);
    line.push(b'\n');
    let digest = digest(key, &[&line, body]);
    (line, digest)
}

/// What a snapshot is authenticated with. Not shown in debug output, and wiped when it is dropped.
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The key that belongs to a secret.
    pub(crate) fn of(secret: &[u8; 32]) -> Self {
        const DOMAIN: &str = "proofload 2026-11 approval snapshot key v1";
        Self(Zeroizing::new(blake3::derive_key(DOMAIN, secret)))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

fn digest(key: &Key, parts: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Reads a snapshot. Nothing of it is used before it is authenticated, but which version it is of.
pub(crate) fn decode(bytes: &[u8], key: &Key) -> Result<Content, SnapshotFault> {
    let parts = split(bytes)?;
    // The comparison of hashes takes the same time whatever differs.
    if digest(key, &[parts.content]) != blake3::Hash::from_bytes(*parts.stated) {
        return Err(SnapshotFault::NotAuthentic);
    }
    parts.decode()
}

/// Reads a snapshot of which nothing is known to be authentic: to be compared, and not to be used.
pub(crate) fn decode_to_compare(bytes: &[u8]) -> Result<Content, SnapshotFault> {
    split(bytes)?.decode()
}

struct Parts<'a> {
    line: &'a [u8],
    content: &'a [u8],
    stated: &'a [u8; DIGEST_BYTES],
}

fn split(bytes: &[u8]) -> Result<Parts<'_>, SnapshotFault> {
    #[derive(Deserialize)]
    struct Version {
        approval_snapshot: u32,
    }
    let damaged = SnapshotFault::Damaged;
    let line = bytes.iter().position(|byte| *byte == b'\n');
    let (line, _) = bytes.split_at(line.ok_or(damaged)?);
    let version: Version = serde_json::from_slice(line).map_err(|_| damaged)?;
    if version.approval_snapshot != VERSION {
        return Err(SnapshotFault::OtherVersion);
    }
    let (content, stated) = bytes.split_last_chunk().ok_or(damaged)?;
    Ok(Parts {
        line,
        content,
        stated,
    })
}

impl Parts<'_> {
    fn decode(&self) -> Result<Content, SnapshotFault> {
        let damaged = SnapshotFault::Damaged;
        let head: Head = serde_json::from_slice(self.line).map_err(|_| damaged)?;
        let rest = self.content.get(self.line.len() + 1..).ok_or(damaged)?;
        sections(head, rest).ok_or(damaged)
    }
}

fn sections(head: Head, mut rest: &[u8]) -> Option<Content> {
    let requests = usize::try_from(head.requests).ok()?;
    let events = usize::try_from(head.events).ok()?;
    let mut ids = Ids::default();
    for _ in 0..requests {
        let (length, after) = rest.split_first()?;
        let (text, after) = after.split_at_checked(usize::from(*length))?;
        let text = std::str::from_utf8(text).ok()?;
        RequestId::is_id(text).then(|| ids.push(text))?;
        rest = after;
    }
    let mut slots = Vec::with_capacity(requests);
    let mut seen = vec![false; requests];
    for slot in take(&mut rest, requests, SLOT_BYTES)?.chunks_exact(SLOT_BYTES) {
        let (number, packed) = slot_of(slot)?;
        if std::mem::replace(seen.get_mut(number as usize)?, true) {
            return None;
        }
        slots.push((number, packed));
    }
    let last = take(&mut rest, requests, 8)?.chunks_exact(8).map(long);
    let last: Vec<u64> = last.collect::<Option<_>>()?;
    let statuses = take(&mut rest, requests, 1)?
        .iter()
        .map(|byte| status(*byte));
    let statuses: Vec<Status> = statuses.collect::<Option<_>>()?;
    let back = take(&mut rest, events, 4)?.chunks_exact(4);
    let back = back.map(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)));
    let back: Vec<u32> = back.collect::<Option<_>>()?;
    let keys = usize::try_from(head.keys).ok()?;
    let keys = take(&mut rest, keys, KEY_BYTES)?.chunks_exact(KEY_BYTES);
    let keys = keys.map(key_of).collect::<Option<Vec<_>>>()?;
    let newest = if events == 0 {
        0
    } else {
        head.first.checked_add(head.events)?.checked_sub(1)?
    };
    if !rest.is_empty() || newest != head.covers.0 {
        return None;
    }
    let events = EventIndex::from_parts(EventIndexParts {
        first: head.first,
        back,
        far: head.far.clone(),
        last,
    })?;
    Some(Content {
        ids,
        slots,
        statuses,
        events,
        keys: KeyBook::restore(keys.into_iter()),
        head,
    })
}

fn take<'a>(rest: &mut &'a [u8], count: usize, size: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count.checked_mul(size)?)?;
    *rest = after;
    Some(taken)
}

fn long(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn slot_of(slot: &[u8]) -> Option<(u32, Packed)> {
    let (number, rest) = slot.split_first_chunk::<4>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let (standing, since) = rest.split_first_chunk::<8>()?;
    let packed = Packed {
        digest: *digest,
        standing: u64::from_le_bytes(*standing),
        since: long(since)?,
    };
    Some((u32::from_le_bytes(*number), packed))
}

fn key_of(entry: &[u8]) -> Option<([u8; 16], Used)> {
    let (key, rest) = entry.split_first_chunk::<16>()?;
    let (seq, body) = rest.split_first_chunk::<8>()?;
    let seq = Seq(u64::from_le_bytes(*seq));
    let body = body.try_into().ok()?;
    Some((*key, Used { seq, body }))
}

fn status(byte: u8) -> Option<Status> {
    let mut all = Status::ALL.iter();
    all.find(|status| **status as u8 == byte).copied()
}
