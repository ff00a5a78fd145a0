//! A plan under one digest: a Merkle tree over its actions in their order, so that each step can
//! prove that it belongs without the others being shown.

use serde::{Deserialize, Serialize};

use crate::digest::ActionDigest;
use crate::digest_type;

digest_type! {
    /// The digest of a plan: a BLAKE3 Merkle root over the digests of its actions, in their order.
    ///
    /// The tree has the shape of RFC 9162, section 2.1.1. Leaves, inner nodes and the root are hashed in
    /// `derive_key` mode under three names, so that none can be taken for another, and the root counts
    /// the steps: a plan that is the beginning of another one has another digest.
    ///
    /// ```
    /// use action::{Action, ActionPath, PlanDigest, StepProof};
    ///
    /// let step = |path: &str| Action::new(ActionPath::new(path)?, "Do it").digest();
    /// let steps = [step("db/backup")?, step("db/migrate")?, step("db/check")?];
    /// let plan = PlanDigest::of(&steps);
    ///
    /// let proof = StepProof::new(&steps, 1).expect("there is a step 1");
    /// assert!(proof.verify(&plan, &steps[1]));
    /// assert!(!proof.verify(&plan, &steps[2]), "another action in its place");
    /// # Ok::<(), action::Error>(())
    /// ```
    PlanDigest, 32
}

digest_type! {
    /// One hash on the way from a step to its plan's digest.
    PlanNode, 32
}

/// The proof that an action is a certain step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepProof {
    /// Which step, from 0.
    pub step: u64,
    /// How many steps the plan has.
    pub steps: u64,
    /// The hashes beside the way to the root, from the step upwards.
    pub path: Vec<PlanNode>, // at most 64
}

impl PlanDigest {
    /// Digests a plan. A plan without steps has a digest too, against which nothing can be proved.
    #[must_use]
    pub fn of(steps: &[ActionDigest]) -> Self {
        Self::root(steps.len() as u64, subtree(steps))
    }

    fn root(steps: u64, top: PlanNode) -> Self {
        const DOMAIN: &str = "proofload 2026-11 plan root v1";
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        hasher.update(&steps.to_le_bytes()).update(&top.0);
        Self(hasher.finalize().into())
    }
}

impl StepProof {
    /// Proves that a step, counted from 0, belongs to a plan; none if there is no such step.
    #[must_use]
    pub fn new(steps: &[ActionDigest], step: usize) -> Option<Self> {
        let mut path = Vec::new();
        let (mut part, mut at) = (steps, step);
        part.get(at)?;
        while part.len() > 1 {
            let (left, right) = part.split_at(split(part.len() as u64) as usize);
            if at < left.len() {
                path.push(subtree(right));
                part = left;
            } else {
                path.push(subtree(left));
                at -= left.len();
                part = right;
            }
        }
        path.reverse();
        Some(Self {
            step: step as u64,
            steps: steps.len() as u64,
            path,
        })
    }

    /// Whether the action with this digest is that step of the plan with that digest.
    #[must_use]
    pub fn verify(&self, plan: &PlanDigest, action: &ActionDigest) -> bool {
        if self.step >= self.steps {
            return false;
        }
        // Which side the step lies on, from the root down; the path is read the other way.
        let mut sides = Vec::new();
        let (mut at, mut size) = (self.step, self.steps);
        while size > 1 {
            let left = split(size);
            sides.push(at < left);
            (at, size) = if at < left {
                (at, left)
            } else {
                (at - left, size - left)
            };
        }
        if sides.len() != self.path.len() {
            return false;
        }
        let way = sides.iter().rev().zip(&self.path);
        let top = way.fold(leaf(action), |node, (is_left, beside)| {
            if *is_left {
                join(node, *beside)
            } else {
                join(*beside, node)
            }
        });
        PlanDigest::root(self.steps, top) == *plan
    }
}

/// The size of the left part of a tree: the largest power of two below its size, which is above 1.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn subtree(steps: &[ActionDigest]) -> PlanNode {
    match steps {
        [] => PlanNode([0; 32]),
        [step] => leaf(step),
        _ => {
            let (left, right) = steps.split_at(split(steps.len() as u64) as usize);
            join(subtree(left), subtree(right))
        }
    }
}

fn leaf(step: &ActionDigest) -> PlanNode {
    const DOMAIN: &str = "proofload 2026-11 plan step v1";
    PlanNode(blake3::derive_key(DOMAIN, step.as_bytes()))
}

fn join(left: PlanNode, right: PlanNode) -> PlanNode {
    const DOMAIN: &str = "proofload 2026-11 plan node v1";
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    hasher.update(&left.0).update(&right.0);
    PlanNode(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::action::Action;
    use crate::path::ActionPath;

    fn plan(steps: usize) -> Vec<ActionDigest> {
        let step = |number: usize| {
            let action = Action::new(ActionPath::new("plan/step").unwrap(), "Step");
            action.with_parameter("number", number).digest().unwrap()
        };
        (0..steps).map(step).collect()
    }

    #[test]
    fn every_step_of_every_small_plan_proves_its_place_and_no_other() {
        for size in 1..=17 {
            let steps = plan(size);
            let digest = PlanDigest::of(&steps);
            for place in 0..size {
                let proof = StepProof::new(&steps, place).unwrap();
                for (other, step) in steps.iter().enumerate() {
                    assert_eq!(proof.verify(&digest, step), other == place);
                    let moved = StepProof {
                        step: other as u64,
                        ..proof.clone()
                    };
                    assert_eq!(moved.verify(&digest, &steps[place]), other == place);
                }
            }
            assert_eq!(StepProof::new(&steps, size), None);
        }
    }

    #[test]
    fn order_length_and_content_are_in_the_digest() {
        let steps = plan(5);
        let mut swapped = steps.clone();
        swapped.swap(1, 3);
        let digests = [&steps[..], &swapped, &steps[..4], &steps[..1], &[]].map(PlanDigest::of);
        for (place, digest) in digests.iter().enumerate() {
            assert!(!digests[..place].contains(digest));
        }
    }

    #[test]
    fn an_inner_node_is_no_step() {
        // The second preimage of RFC 6962: a node's two children offered as one leaf.
        let steps = plan(4);
        let proof = StepProof::new(&steps, 0).unwrap();
        let inner: ActionDigest = subtree(&steps[..2]).to_string().parse().unwrap();
        let short = StepProof {
            step: 0,
            steps: 2,
            path: proof.path[1..].to_vec(),
        };
        assert!(!short.verify(&PlanDigest::of(&steps), &inner));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn a_changed_proof_proves_nothing(
            size in 1_usize..40, place in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(), bit in 0_u8..8, steps in 0_u64..80,
        ) {
            let steps_of_it = plan(size);
            let (digest, place) = (PlanDigest::of(&steps_of_it), place.index(size));
            let proof = StepProof::new(&steps_of_it, place).unwrap();
            prop_assert!(proof.verify(&digest, &steps_of_it[place]));
            let other_size = StepProof { steps, ..proof.clone() };
            prop_assert_eq!(other_size.verify(&digest, &steps_of_it[place]), steps == size as u64);
            if !proof.path.is_empty() {
                let mut bent = proof.clone();
                let byte = byte.index(32 * bent.path.len());
                bent.path[byte / 32].0[byte % 32] ^= 1 << bit;
                prop_assert!(!bent.verify(&digest, &steps_of_it[place]));
            }
            let longer = StepProof { path: [&proof.path[..], &[PlanNode([0; 32])]].concat(), ..proof };
            prop_assert!(!longer.verify(&digest, &steps_of_it[place]));
        }
    }
}
