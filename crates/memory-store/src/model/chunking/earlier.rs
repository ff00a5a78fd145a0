//! Cutting a value by what is known of an earlier one: where both are alike, neither a boundary is
//! looked for nor a digest computed again. The result is the same as without.

use super::{Chunk, Node, PreparedValue, chunk_digest, cut, gather, nodes};

impl PreparedValue {
    /// As [`PreparedValue::new`], for a value that may differ little from an earlier one.
    pub(crate) fn after(bytes: Vec<u8>, earlier: &Self) -> Self {
        let nodes = match (Self::is_inline(&bytes), earlier.nodes.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => nodes(&bytes),
            (false, false) => nodes_after(&bytes, earlier),
        };
        Self { bytes, nodes }
    }
}

fn nodes_after(bytes: &[u8], earlier: &PreparedValue) -> Vec<Node> {
    let known: Vec<&Chunk> = earlier.nodes.iter().flat_map(|node| &node.chunks).collect();
    let old = &earlier.bytes;
    let prefix = common_prefix(bytes, old);
    let suffix = common_suffix(&bytes[prefix..], &old[prefix..]);
    let find = |start: usize| -> Option<&Chunk> {
        let place = known
            .binary_search_by_key(&start, |chunk| chunk.range.start)
            .ok()?;
        Some(known[place])
    };
    // A chunk is the same if all its bytes are and, as the value's end is a boundary too, if both
    // values go on after it or both end with it.
    let before_the_change = |start: usize| {
        find(start).filter(|chunk| chunk.range.end <= prefix && chunk.range.end < old.len())
    };
    let behind_the_change = |start: usize| {
        let from_the_end = bytes.len() - start;
        (from_the_end <= suffix)
            .then(|| find(old.len() - from_the_end))
            .flatten()
    };
    gather(bytes.len(), |start| {
        let same = before_the_change(start).or_else(|| behind_the_change(start));
        match same {
            Some(chunk) => (start + chunk.range.len(), chunk.digest),
            None => {
                let end = start + cut(&bytes[start..]);
                (end, chunk_digest(&bytes[start..end]))
            }
        }
    })
}

/// Compared in blocks of this length first, at the speed of memory.
const BLOCK: usize = 4 << 10;

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let same = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let bytes = a[same..].iter().zip(&b[same..]);
    same + bytes.take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let same = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (&a[..a.len() - same], &b[..b.len() - same]);
    let bytes = a.iter().rev().zip(b.iter().rev());
    same + bytes.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::tests::noise;
    use super::*;

    fn same(bytes: &[u8], earlier: &[u8]) {
        let earlier = PreparedValue::new(earlier.to_vec());
        let after = PreparedValue::after(bytes.to_vec(), &earlier);
        assert_eq!(after, PreparedValue::new(bytes.to_vec()));
    }

    #[test]
    fn the_common_ends_are_found_to_the_byte() {
        let a = noise(3 * BLOCK + 17, 1);
        for place in [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 5, a.len() - 1] {
            let mut b = a.clone();
            b[place] ^= 1;
            assert_eq!(common_prefix(&a, &b), place);
            assert_eq!(common_suffix(&a, &b), a.len() - 1 - place);
        }
        assert_eq!(common_prefix(&a, &a), a.len());
        assert_eq!(common_suffix(&a, &a[5..]), a.len() - 5);
    }

    #[test]
    fn a_value_that_became_shorter_or_longer_at_its_end_is_cut_as_if_it_were_new() {
        let long = noise(200_000, 2);
        for length in [4_097, 5_147, 5_148, 100_000, 199_999] {
            same(&long[..length], &long);
            same(&long, &long[..length]);
        }
        same(&long, &long);
        same(&long, b"short");
        same(b"short", &long);
        same(&vec![0; 100_000], &vec![0; 90_000]);
    }

    proptest! {
        #[test]
        fn a_changed_value_is_cut_as_if_it_were_new(
            seed in 0_u64..1_000,
            length in 0_usize..120_000,
            changes in vec((0_usize..120_000, 0_usize..9_000, 0_usize..9_000), 0..4),
        ) {
            let old = noise(length, seed);
            let mut new = old.clone();
            for (number, (place, removed, added)) in changes.into_iter().enumerate() {
                let start = place.min(new.len());
                let end = (start + removed).min(new.len());
                new.splice(start..end, noise(added, seed + 7 + number as u64));
            }
            same(&new, &old);
        }
    }
}
