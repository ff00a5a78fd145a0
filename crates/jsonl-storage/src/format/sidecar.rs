//! The file beside a segment that says what is in it, so that it need not be read to be known.
//!
//! Nothing depends on it: it is checksummed, and made anew from the segment when it is missing,
//! half-made, damaged, or of another index. Layout, numbers little endian:
//!
//! 1. one line of JSON, the summary, ending in `,"crc":"…"}` like a record;
//! 2. `marks` × 24 bytes: a record's number, its byte in the segment, the latest time before it;
//! 3. `blocks` × 8 bytes: the first hash of each block of keys;
//! 4. `filter` × 8 bytes: a Bloom filter of the keys, of which each sets five bits in one word;
//! 5. `blocks` × 1,024 bytes: CRC-32C of the rest (4 bytes), how many entries (4), and up to 63
//!    entries of a key's hash (8) and the record's byte (8), in order of both.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::backend::{self, Backend, BackendFile, OpenMode};
use crate::error::Error;
use crate::format::chain::Link;
use crate::format::marks::{Mark, MemoryIndex};
use crate::format::segment::{self, Segment};
use crate::format::seq::Seq;
use crate::format::statement::Statement;

const VERSION: u32 = 1;
const BLOCK_BYTES: usize = 1024;
const BLOCK_KEYS: usize = (BLOCK_BYTES - 8) / 16;
const MARK_BYTES: usize = 24;
/// A summary is shorter: its only text is the name of an index.
const SUMMARY_BYTES_MAX: usize = 64 << 10;
const CRC: &str = ",\"crc\":\"";

/// What a segment held when its sidecar was written, all of it on disk by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    sidecar: u32,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    /// How long the segment was; it may have grown since, if it is the last one.
    pub(crate) bytes: u64,
    /// The earliest and the latest time.
    pub(crate) times: Option<(u64, u64)>,
    /// The link of the last record, in base64.
    pub(crate) chain: Option<String>,
    /// The name of the index that the times and keys are of.
    pub(crate) index: Option<String>,
    marks: usize,
    blocks: usize,
    filter: usize,
    /// CRC-32C of parts 2 to 4.
    places_crc: u32,
    /// The newest statement up to `last` of what was removed from the log's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Statement>,
}

impl Summary {
    pub(crate) fn link(&self) -> Option<Link> {
        Link::from_text(self.chain.as_deref()?.as_bytes())
    }
}

/// A sidecar that was opened: its summary, and the file for the rest.
#[derive(Debug)]
pub(crate) struct Sidecar {
    pub(crate) summary: Summary,
    file: Arc<dyn BackendFile>,
    /// Where the summary ends.
    places_at: u64,
}

/// The parts of a sidecar that are small enough to be kept in memory.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) marks: Vec<Mark>,
    fences: Vec<u64>,
    filter: Filter,
}

impl Places {
    pub(crate) fn bytes(&self) -> usize {
        self.marks.len() * MARK_BYTES + (self.fences.len() + self.filter.0.len()) * 8
    }
}

/// What a sidecar is made from.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) bytes: u64,
    pub(crate) chain: Option<Link>,
    pub(crate) index: &'a MemoryIndex,
    pub(crate) index_name: Option<&'a str>,
    /// The keys that the sidecar had before.
    pub(crate) older_keys: Vec<(u64, u64)>,
    /// The newest statement of what was removed from the log's beginning.
    pub(crate) removed: Option<Statement>,
}

impl Sidecar {
    /// Opens a segment's sidecar, if there is one that is whole as far as the summary goes.
    pub(crate) fn open(backend: &dyn Backend, segment: &Segment) -> Option<Self> {
        let file = backend.open(&segment.sidecar_name(), OpenMode::Read).ok()?;
        Self::read(file).filter(|sidecar| sidecar.summary.first == segment.first)
    }

    fn read(file: Arc<dyn BackendFile>) -> Option<Self> {
        let mut text = vec![0; 4096];
        let end = loop {
            let read = backend::read_full_at(&*file, &mut text, 0).ok()?;
            match memchr::memchr(b'\n', &text[..read]) {
                Some(end) => break end,
                None if text.len() < SUMMARY_BYTES_MAX => text.resize(SUMMARY_BYTES_MAX, 0),
                None => return None,
            }
        };
        let summary: Summary = parse_summary(std::str::from_utf8(&text[..end]).ok()?)?;
        // So that what is computed from them stays within numbers, whoever wrote them.
        let size = usize::try_from(file.size().ok()?).ok()?;
        if [summary.marks, summary.blocks, summary.filter]
            .iter()
            .any(|part| *part > size)
        {
            return None;
        }
        Some(Self {
            summary,
            file,
            places_at: end as u64 + 1,
        })
    }

    /// Reads parts 2 to 4; `None` when they are damaged.
    pub(crate) fn places(&self) -> Option<Places> {
        let size = self.file.size().ok()?;
        let length = self.places_bytes();
        if self.places_at + length as u64 > size {
            return None;
        }
        let mut bytes = vec![0; length];
        let read = backend::read_full_at(&*self.file, &mut bytes, self.places_at).ok()?;
        if read < length || crc32c::crc32c(&bytes) != self.summary.places_crc {
            return None;
        }
        let (marks, rest) = bytes.split_at(self.summary.marks * MARK_BYTES);
        let (fences, filter) = rest.split_at(self.summary.blocks * 8);
        let mark = |bytes: &[u8]| Mark {
            seq: Seq(number(&bytes[..8])),
            offset: number(&bytes[8..16]),
            time_before: number(&bytes[16..]),
        };
        Some(Places {
            marks: marks.chunks_exact(MARK_BYTES).map(mark).collect(),
            fences: fences.chunks_exact(8).map(number).collect(),
            filter: Filter(filter.chunks_exact(8).map(number).collect()),
        })
    }

    /// The records with a hash, newest first; `None` when the file is damaged.
    pub(crate) fn offsets(&self, places: &Places, hash: u64) -> Option<Vec<u64>> {
        if !places.filter.may_have(hash) {
            return Some(Vec::new());
        }
        // A run of one hash may begin at the end of the block before the first that starts with it.
        let from = places.fences.partition_point(|&first| first < hash);
        let mut found = Vec::new();
        for block in from.saturating_sub(1)..places.fences.len() {
            if places.fences[block] > hash {
                break;
            }
            let block = self.block(block)?;
            let same = block.entries().skip_while(|(entry, _)| *entry < hash);
            let same = same.take_while(|(entry, _)| *entry == hash);
            found.extend(same.map(|(_, offset)| offset));
        }
        found.reverse();
        Some(found)
    }

    /// All keys; `None` when the file is damaged.
    pub(crate) fn keys(&self) -> Option<Vec<(u64, u64)>> {
        let mut keys = Vec::with_capacity(self.summary.blocks * BLOCK_KEYS);
        for block in 0..self.summary.blocks {
            keys.extend(self.block(block)?.entries());
        }
        Some(keys)
    }

    /// Whether every byte is as it was written.
    pub(crate) fn is_whole(&self) -> bool {
        self.places().is_some() && self.keys().is_some()
    }

    fn block(&self, block: usize) -> Option<Block> {
        let at = self.places_at + self.places_bytes() as u64 + (block * BLOCK_BYTES) as u64;
        let mut bytes = [0; BLOCK_BYTES];
        let read = backend::read_full_at(&*self.file, &mut bytes, at).ok()?;
        let (crc, rest) = bytes.split_first_chunk()?;
        let whole = read == BLOCK_BYTES && crc32c::crc32c(rest) == u32::from_le_bytes(*crc);
        whole.then_some(Block(bytes))
    }

    fn places_bytes(&self) -> usize {
        self.summary.marks * MARK_BYTES + (self.summary.blocks + self.summary.filter) * 8
    }
}

/// A block of keys whose checksum fits.
struct Block([u8; BLOCK_BYTES]);

impl Block {
    fn entries(&self) -> impl Iterator<Item = (u64, u64)> {
        let count = u32::from_le_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]) as usize;
        let pair = |entry: &[u8]| (number(&entry[..8]), number(&entry[8..]));
        self.0[8..].chunks_exact(16).take(count).map(pair)
    }
}

/// Tells most segments that do not have a key from those that do, without a read.
#[derive(Debug)]
struct Filter(Vec<u64>);

impl Filter {
    /// Four keys a word, so 16 bits a key: about one in a hundred is taken for present.
    fn of(keys: &[(u64, u64)]) -> Self {
        let mut words = vec![0; keys.len().div_ceil(4)];
        for &(hash, _) in keys {
            let (word, bits) = Self::place(words.len(), hash);
            words[word] |= bits;
        }
        Self(words)
    }

    fn may_have(&self, hash: u64) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let (word, bits) = Self::place(self.0.len(), hash);
        self.0[word] & bits == bits
    }

    /// The word is chosen by the hash's high bits, and the bits in it by others.
    fn place(words: usize, hash: u64) -> (usize, u64) {
        let word = (u128::from(hash) * words as u128) >> 64;
        // 2^64 divided by the golden ratio spreads what is left over the high bits.
        let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = (0..5).map(|at| 1 << (spread >> (34 + 6 * at) & 63));
        (word as usize, bits.fold(0, |bits, bit: u64| bits | bit))
    }
}

impl Content<'_> {
    /// Writes and syncs the sidecar under another name and then gives it its own, so that it is
    /// never seen half-made, also after a crash. With `keep`, the name is durable as well: a full
    /// segment can do without it, the mark of a clean close cannot.
    ///
    /// When it cannot be written, the sidecar is kept in memory, and the next opening makes it.
    pub(crate) fn write(
        self,
        backend: &dyn Backend,
        segment: &Segment,
        keep: bool,
    ) -> Result<Sidecar, Error> {
        let bytes = self.encode();
        let name = segment.unfinished_name();
        let written = write_file(backend, &name, &bytes)
            .and_then(|()| backend.rename(&name, &segment.sidecar_name()));
        if written.is_err() {
            // Half of one is of no use, and the next opening removes it in any case.
            let _ = backend.remove(&name);
        } else if keep {
            segment::sync_dir(backend)?;
        }
        let file: Arc<dyn BackendFile> = Arc::new(InMemory(bytes));
        let in_memory = Sidecar::read(file).expect("it was just encoded");
        match written {
            Ok(()) => Ok(Sidecar::open(backend, segment).unwrap_or(in_memory)),
            Err(_) => Ok(in_memory),
        }
    }

    fn encode(self) -> Vec<u8> {
        let mut keys = self.older_keys;
        keys.extend(self.index.keys.pairs());
        keys.sort_unstable();
        let mut places = Vec::new();
        for mark in &self.index.marks {
            push(&mut places, &[mark.seq.0, mark.offset, mark.time_before]);
        }
        for block in keys.chunks(BLOCK_KEYS) {
            push(&mut places, &[block[0].0]);
        }
        let filter = Filter::of(&keys);
        push(&mut places, &filter.0);
        let chain = self.chain.map(|link| {
            let text = link.text().to_vec();
            String::from_utf8(text).expect("base64 is ASCII")
        });
        let summary = Summary {
            sidecar: VERSION,
            first: self.first,
            last: self.last,
            bytes: self.bytes,
            times: self.index.times,
            chain,
            index: self.index_name.map(str::to_owned),
            marks: self.index.marks.len(),
            blocks: keys.chunks(BLOCK_KEYS).len(),
            filter: filter.0.len(),
            places_crc: crc32c::crc32c(&places),
            removed: self.removed,
        };
        let mut out = summary_line(&summary).into_bytes();
        out.extend_from_slice(&places);
        keys.chunks(BLOCK_KEYS)
            .for_each(|block| push_block(&mut out, block));
        out
    }
}

fn summary_line(summary: &Summary) -> String {
    let text = serde_json::to_string(summary).expect("numbers and texts have a JSON form");
    let body = &text[..text.len() - 1];
    let crc = crc32c::crc32c(body.as_bytes());
    format!("{body}{CRC}{crc:08x}\"}}\n")
}

fn parse_summary(line: &str) -> Option<Summary> {
    let (body, crc) = line.strip_suffix("\"}")?.rsplit_once(CRC)?;
    let crc = u32::from_str_radix(crc, 16).ok()?;
    let whole = crc == crc32c::crc32c(body.as_bytes());
    let summary: Summary = serde_json::from_str(&format!("{}}}", whole.then_some(body)?)).ok()?;
    (summary.sidecar == VERSION).then_some(summary)
}

fn push_block(out: &mut Vec<u8>, keys: &[(u64, u64)]) {
    let mut rest = Vec::with_capacity(BLOCK_BYTES);
    let count = u32::try_from(keys.len()).expect("at most 63");
    rest.extend_from_slice(&count.to_le_bytes());
    for &(hash, offset) in keys {
        push(&mut rest, &[hash, offset]);
    }
    rest.resize(BLOCK_BYTES - 4, 0);
    out.extend_from_slice(&crc32c::crc32c(&rest).to_le_bytes());
    out.extend_from_slice(&rest);
}

fn push(out: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}

fn write_file(backend: &dyn Backend, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = match backend.open(name, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            backend.remove(name)?;
            backend.open(name, OpenMode::CreateNew)?
        }
        opened => opened?,
    };
    backend::write_all_at(&*file, bytes, 0)?;
    file.sync_data()
}

/// A sidecar for which the disk had no room.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl BackendFile for InMemory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}
