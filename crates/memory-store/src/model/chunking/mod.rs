//! Cutting a large value into chunks where its content says, so that a change moves the boundaries
//! near it and no others: two values that differ little share nearly all chunks.
//!
//! The boundaries come from a gear hash over the last 64 bytes (Xia et al., "FastCDC", ATC 2016),
//! which is not looked at below the least length. Chunks are gathered into nodes in the same way,
//! at digests that say so: a value of a megabyte is some 250 chunks, but some 16 nodes, and a write
//! that changes little refers to the other nodes without touching their chunks.
//!
//! Chunks are stored and found by their digests, so values that are cut otherwise are stored again:
//! nothing here may change without need.

pub(crate) mod earlier;

use std::ops::Range;

/// Below this a chunk would cost more than it saves.
const MIN_BYTES: usize = 2 << 10;
const MAX_BYTES: usize = 16 << 10;
/// One in 2^11 places is a boundary: with the least length, chunks of 4 KiB on average.
const BOUNDARY_BITS: u32 = 11;
/// One in 16 chunks is the last of its node.
const NODE_MASK: u8 = 0x0f;
const MAX_NODE_CHUNKS: usize = 64;

/// A value up to this length is kept whole in its row.
const MAX_INLINE_BYTES: usize = 4 << 10;

pub(crate) type ChunkDigest = [u8; 32];

/// A value made ready by its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PreparedValue {
    pub(crate) bytes: Vec<u8>,
    /// None if it is to be kept whole.
    pub(crate) nodes: Vec<Node>,
}

/// A run of chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) digest: ChunkDigest,
    pub(crate) chunks: Vec<Chunk>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) digest: ChunkDigest,
    pub(crate) range: Range<usize>,
}

impl PreparedValue {
    /// Whether a value is kept whole.
    pub(crate) fn is_inline(bytes: &[u8]) -> bool {
        bytes.len() <= MAX_INLINE_BYTES
    }

    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let nodes = if Self::is_inline(&bytes) {
            Vec::new()
        } else {
            nodes(&bytes)
        };
        Self { bytes, nodes }
    }
}

/// The digest of a chunk's bytes.
pub(crate) fn chunk_digest(bytes: &[u8]) -> ChunkDigest {
    blake3::hash(bytes).into()
}

/// The digest of a node: of the digests of its chunks, and never that of a chunk.
pub(crate) fn node_digest(chunks: impl Iterator<Item = ChunkDigest>) -> ChunkDigest {
    let mut hasher = blake3::Hasher::new_derive_key("proofload memory-store node of chunks");
    chunks.for_each(|digest| {
        hasher.update(&digest);
    });
    hasher.finalize().into()
}

fn nodes(bytes: &[u8]) -> Vec<Node> {
    gather(bytes.len(), |start| {
        let end = start + cut(&bytes[start..]);
        (end, chunk_digest(&bytes[start..end]))
    })
}

/// Gathers chunks, each told by where it starts, into nodes.
fn gather(length: usize, next: impl Fn(usize) -> (usize, ChunkDigest)) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < length {
        let (end, digest) = next(start);
        let range = start..end;
        chunks.push(Chunk { digest, range });
        start = end;
        let is_last = digest[0] & NODE_MASK == 0 || chunks.len() == MAX_NODE_CHUNKS;
        if is_last || start == length {
            let digest = node_digest(chunks.iter().map(|chunk| chunk.digest));
            let chunks = std::mem::take(&mut chunks);
            nodes.push(Node { digest, chunks });
        }
    }
    nodes
}

/// The length of the first chunk.
fn cut(bytes: &[u8]) -> usize {
    let limit = bytes.len().min(MAX_BYTES);
    if limit <= MIN_BYTES {
        return limit;
    }
    let mut hash = 0_u64;
    // Bytes further back than 64 have been shifted out of the hash.
    let warm_up = MIN_BYTES - 64;
    for (index, byte) in bytes[warm_up..limit].iter().enumerate() {
        hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
        if hash >> (64 - BOUNDARY_BITS) == 0 && index >= 64 {
            return warm_up + index + 1;
        }
    }
    limit
}

/// A number without structure for each byte (SplitMix64).
const GEAR: [u64; 256] = {
    let mut gear = [0; 256];
    let mut state = 0_u64;
    let mut index = 0;
    while index < gear.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        gear[index] = mixed ^ (mixed >> 31);
        index += 1;
    }
    gear
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| byte()).collect()
    }

    fn digests(bytes: &[u8]) -> HashSet<ChunkDigest> {
        let nodes = nodes(bytes);
        let chunks = nodes.iter().flat_map(|node| &node.chunks);
        chunks.map(|chunk| chunk.digest).collect()
    }

    #[test]
    fn chunks_are_the_value_without_gaps_and_within_their_bounds() {
        for length in [4_097, 10_000, 1 << 20] {
            for bytes in [noise(length, 7), vec![0; length]] {
                let prepared = PreparedValue::new(bytes);
                let mut end = 0;
                for node in &prepared.nodes {
                    assert!(node.chunks.len() <= MAX_NODE_CHUNKS);
                    for chunk in &node.chunks {
                        assert_eq!(chunk.range.start, end);
                        end = chunk.range.end;
                        assert!(chunk.range.len() <= MAX_BYTES);
                        assert!(chunk.range.len() > MIN_BYTES || end == length);
                    }
                }
                assert_eq!(end, length);
            }
        }
        assert!(PreparedValue::new(noise(4_096, 7)).nodes.is_empty());
    }

    #[test]
    fn an_insertion_changes_the_chunks_around_it_only() {
        let old = noise(1 << 20, 3);
        let mut new = old.clone();
        new.splice(500_000..500_000, *b"inserted");
        let (old, new) = (digests(&old), digests(&new));
        assert!((200..320).contains(&old.len()), "{}", old.len());
        assert!(new.difference(&old).count() <= 2);
    }

    #[test]
    fn the_same_value_is_cut_alike_in_every_version() {
        let nodes = nodes(&noise(20_000, 1));
        let lengths: Vec<usize> = nodes
            .iter()
            .flat_map(|node| &node.chunks)
            .map(|chunk| chunk.range.len())
            .collect();
        assert_eq!(lengths, CUT);
    }

    /// How the first version cut it.
    const CUT: [usize; 6] = [5147, 3342, 4106, 2671, 3413, 1321];
}
