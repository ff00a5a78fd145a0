//! The graph of a namespace on disk, so that opening a store need not build it anew.
//!
//! The file holds links, and for each node its memory's id and a fingerprint of its vector; the
//! vectors themselves are in the database. So it need not be of the same moment as the database: a
//! node whose memory is gone or has another vector is taken out, and a memory without a node waits
//! for one, as if it had just been written. What a crash leaves is never worth less than nothing.
//!
//! ```text
//! magic "PLMSHNSW" | version u32 | metric u8 | links u16 | dimension u32 | nodes u32
//! | length of the namespace u32 | namespace
//! then for each node: id u64 | fingerprint u64 | level u8
//! then for each node and level from 0: count u16 | links u32 * count
//! then BLAKE3 of all before
//! ```
//!
//! All numbers are in little endian. The file is written under another name, synced and renamed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::model::names::{MemoryId, Namespace};

use super::block::{Blocks, Slot};
use super::metric::Metric;
use super::space::{Plan, Space};

const MAGIC: &[u8; 8] = b"PLMSHNSW";
const VERSION: u32 = 1;
const DIGEST_BYTES: usize = 32;

/// The folder in the store's directory.
pub(crate) const FOLDER: &str = "similarity";

/// A graph as it was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) namespace: Namespace,
    pub(super) dimension: usize,
    pub(super) nodes: Vec<SavedNode>,
    /// Which node has which memory.
    pub(super) by_id: HashMap<MemoryId, Slot>,
}

#[derive(Debug)]
pub(super) struct SavedNode {
    pub(super) fingerprint: u64,
    /// By level, from the lowest.
    pub(super) links: Vec<Vec<Slot>>,
}

/// Where the graph of a namespace is kept.
pub(super) fn path_of(folder: &Path, namespace: &Namespace) -> PathBuf {
    // A name may have letters that no file may have, and may not outlive its namespace.
    let digest = blake3::hash(namespace.as_str().as_bytes()).to_hex();
    folder.join(format!("{}.hnsw", &digest[..32]))
}

/// Tells vectors apart, by their bits.
pub(super) fn fingerprint(vector: &[f32]) -> u64 {
    // Two multiplications a component (as in wyhash), since every vector is read at each opening.
    let mix = |hash: u64, component: &f32| {
        let product = u128::from(hash ^ u64::from(component.to_bits()))
            * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        (product as u64) ^ ((product >> 64) as u64)
    };
    vector.iter().fold(0x2d35_8dcc_aa6c_78a5, mix)
}

/// Saves a graph. Insertions into it wait meanwhile; searches and writes go on.
pub(super) fn save(folder: &Path, namespace: &Namespace, space: &Space) -> Result<()> {
    fs::create_dir_all(folder).io("create", folder)?;
    let path = path_of(folder, namespace);
    let unfinished = path.with_extension("unfinished");
    // Nodes without a memory are not worth saving, and what they lead to needs other ways.
    space.unlink_removed();
    let written = space.graph().pause(|| write(&unfinished, namespace, space));
    written.io("write", &unfinished)?;
    fs::rename(&unfinished, &path).io("rename", &unfinished)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .io("sync", folder)
}

fn write(path: &Path, namespace: &Namespace, space: &Space) -> io::Result<()> {
    let blocks = space.graph().blocks();
    let numbers = number(&blocks);
    let slots: Vec<Slot> = blocks
        .linked()
        .filter(|slot| numbers[*slot as usize].is_some())
        .collect();
    let mut out = Hashed {
        inner: BufWriter::new(File::create(path)?),
        hasher: blake3::Hasher::new(),
    };
    let Plan { metric, shape, .. } = space.plan();
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&[metric_code(metric)])?;
    out.write_all(&shape.width.0.to_le_bytes())?;
    out.write_all(&(space.dimension() as u32).to_le_bytes())?;
    out.write_all(&(slots.len() as u32).to_le_bytes())?;
    out.write_all(&(namespace.as_str().len() as u32).to_le_bytes())?;
    out.write_all(namespace.as_str().as_bytes())?;
    for slot in &slots {
        let (block, place) = blocks.at(*slot);
        let id = numbers[*slot as usize].expect("just filtered").1;
        out.write_all(&id.get().to_le_bytes())?;
        out.write_all(&fingerprint(block.vectors.exact(place)).to_le_bytes())?;
        out.write_all(&[block.nodes.level(place) as u8])?;
    }
    for slot in &slots {
        let (block, place) = blocks.at(*slot);
        for level in 0..=block.nodes.level(place) {
            let links = block.nodes.links(place, level);
            let kept = links.filter_map(|link| numbers.get(link as usize).copied().flatten());
            let kept: Vec<Slot> = kept.map(|(number, _)| number).collect();
            out.write_all(&(kept.len() as u16).to_le_bytes())?;
            kept.iter()
                .try_for_each(|link| out.write_all(&link.to_le_bytes()))?;
        }
    }
    let Hashed { mut inner, hasher } = out;
    inner.write_all(hasher.finalize().as_bytes())?;
    inner.into_inner()?.sync_all()
}

/// For each slot the number and the memory of its node in the file; removed ones have none.
fn number(blocks: &Blocks) -> Vec<Option<(Slot, MemoryId)>> {
    let mut numbers = vec![None; blocks.slots()];
    let mut next = 0;
    for slot in blocks.linked() {
        // Asked for once, as a memory may be removed meanwhile.
        if let Some(id) = blocks.id(slot) {
            numbers[slot as usize] = Some((next, id));
            next += 1;
        }
    }
    numbers
}

struct Hashed<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads a file whole; the error says what is wrong with it.
pub(super) fn load(path: &Path, plan: Plan) -> Result<Saved, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let saved = decode(&bytes, plan)?;
    let folder = path.parent().unwrap_or(path);
    if path_of(folder, &saved.namespace) != path {
        return Err(format!("is of namespace {}", saved.namespace));
    }
    Ok(saved)
}

fn decode(bytes: &[u8], plan: Plan) -> Result<Saved, String> {
    let too_short = || "is too short".to_owned();
    let body = bytes
        .len()
        .checked_sub(DIGEST_BYTES)
        .ok_or_else(too_short)?;
    let (body, digest) = bytes.split_at(body);
    if body.get(..MAGIC.len()) != Some(MAGIC) {
        return Err("is no index".into());
    }
    if blake3::hash(body).as_bytes() != digest {
        return Err("differs from its checksum".into());
    }
    let mut input = Input(&body[MAGIC.len()..]);
    let version = u32::from_le_bytes(input.array()?);
    if version != VERSION {
        return Err(format!("has version {version}, this build reads {VERSION}"));
    }
    let [metric] = input.array()?;
    let links = u16::from_le_bytes(input.array()?);
    if metric != metric_code(plan.metric) || links != plan.shape.width.0 {
        return Err("was built with other options".into());
    }
    let dimension = u32::from_le_bytes(input.array()?) as usize;
    let nodes = u32::from_le_bytes(input.array()?);
    let name = u32::from_le_bytes(input.array()?) as usize;
    let name = String::from_utf8(input.take(name)?.to_vec()).map_err(|error| error.to_string())?;
    let namespace = Namespace::new(name).map_err(|error| error.to_string())?;
    let mut saved = Saved {
        namespace,
        dimension,
        nodes: Vec::new(),
        by_id: HashMap::new(),
    };
    let mut levels = Vec::new();
    for number in 0..nodes {
        let id = u64::from_le_bytes(input.array()?);
        let id = MemoryId::new(id).map_err(|error| error.to_string())?;
        let fingerprint = u64::from_le_bytes(input.array()?);
        let [level] = input.array()?;
        levels.push(level);
        saved.by_id.insert(id, number);
        saved.nodes.push(SavedNode {
            fingerprint,
            links: Vec::new(),
        });
    }
    for (number, level) in levels.into_iter().enumerate() {
        for level in 0..=usize::from(level) {
            let links = input.links(plan.shape.width.links(level), nodes)?;
            saved.nodes[number].links.push(links);
        }
    }
    if saved.by_id.len() != saved.nodes.len() || !input.0.is_empty() {
        return Err("contradicts itself".into());
    }
    Ok(saved)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or("is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    fn links(&mut self, room: usize, nodes: u32) -> Result<Vec<Slot>, String> {
        let count = usize::from(u16::from_le_bytes(self.array()?));
        let links = self.take(count * size_of::<Slot>())?.as_chunks().0;
        let links: Vec<Slot> = links
            .iter()
            .map(|link| Slot::from_le_bytes(*link))
            .collect();
        if count > room || links.iter().any(|link| *link >= nodes) {
            return Err("has links that lead nowhere".into());
        }
        Ok(links)
    }
}

fn metric_code(metric: Metric) -> u8 {
    match metric {
        Metric::Cosine => 1,
        Metric::Euclidean => 2,
        Metric::InnerProduct => 3,
    }
}

/// The saved graphs of a store whose bytes are not those that were written.
pub(crate) fn damaged_graphs(directory: &Path) -> Result<Vec<PathBuf>> {
    let folder = directory.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).io("read", &folder),
    };
    let mut damaged = Vec::new();
    for entry in entries {
        let path = entry.io("read", &folder)?.path();
        // Anything else is no graph, such as one whose writing was cut off.
        if path.extension().is_none_or(|extension| extension != "hnsw") {
            continue;
        }
        let bytes = fs::read(&path).io("read", &path)?;
        let parts = bytes.split_at_checked(bytes.len().wrapping_sub(DIGEST_BYTES));
        let is_whole = parts.is_some_and(|(body, digest)| blake3::hash(body).as_bytes() == digest);
        if !is_whole {
            damaged.push(path);
        }
    }
    damaged.sort();
    Ok(damaged)
}
