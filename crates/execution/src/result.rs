use std::collections::BTreeMap;

use approval_workflow::ReceiptOutcome;
use forensic_simulator::{Change, Fact, Key, SimulationReport};

use crate::error::NotExecuted;

/// What came of a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutionResult {
    /// It was done, and changed exactly what was predicted.
    AsPredicted {
        /// The changes, net, sorted by key.
        changes: Vec<Change>,
    },
    /// It was done, and changed something else.
    Otherwise {
        /// Each key on which the two differ.
        differences: Vec<Difference>,
    },
    /// It was not done.
    NotExecuted(NotExecuted),
}

/// A key that does not end as was predicted. `None` is a key that does not exist, or that was not
/// touched.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The key.
    pub key: Key,
    /// What was predicted to be there.
    pub predicted: Option<Fact>,
    /// What was observed there.
    pub observed: Option<Fact>,
}

impl ExecutionResult {
    /// Compares what was observed with what was predicted: the state in which each key ends, and
    /// that it began as was predicted.
    #[must_use]
    pub fn reconcile(predicted: &SimulationReport, observed: Vec<Change>) -> Self {
        Self::compare(predicted.net_changes(), observed)
    }

    /// As [`reconcile`](Self::reconcile), with the changes of a report that is kept elsewhere.
    #[must_use]
    pub fn compare(predicted: Vec<Change>, observed: Vec<Change>) -> Self {
        let (predicted, observed) = (net(predicted), net(observed));
        if predicted == observed {
            return Self::AsPredicted { changes: observed };
        }
        let mut sides: BTreeMap<&Key, [Option<&Change>; 2]> = BTreeMap::new();
        for (side, changes) in [&predicted, &observed].into_iter().enumerate() {
            for change in changes {
                sides.entry(&change.key).or_default()[side] = Some(change);
            }
        }
        let after = |change: Option<&Change>| change.and_then(|change| change.after.clone());
        let differences = sides
            .into_iter()
            .filter(|(_, [predicted, observed])| predicted != observed)
            .map(|(key, [predicted, observed])| Difference {
                key: key.clone(),
                predicted: after(predicted),
                observed: after(observed),
            })
            .collect();
        Self::Otherwise { differences }
    }

    /// What the receipt says: whether it took effect.
    #[must_use]
    pub fn outcome(&self) -> ReceiptOutcome {
        match self {
            Self::AsPredicted { .. } | Self::Otherwise { .. } => ReceiptOutcome::Succeeded,
            Self::NotExecuted(NotExecuted::Unknown(_)) => ReceiptOutcome::Indeterminate,
            Self::NotExecuted(_) => ReceiptOutcome::Failed,
        }
    }

    /// What was observed, for people, in at most about a kilobyte.
    #[must_use]
    pub fn in_words(&self) -> String {
        const SHOWN: usize = 10;
        match self {
            Self::AsPredicted { changes } => {
                format!("{} keys changed as predicted", changes.len())
            }
            Self::Otherwise { differences } => {
                let keys: Vec<String> = differences
                    .iter()
                    .take(SHOWN)
                    .map(|difference| difference.key.as_str().escape_debug().take(80).collect())
                    .collect();
                let more = differences.len().saturating_sub(SHOWN);
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                format!(
                    "changed differently than predicted: {}{more}",
                    keys.join(", ")
                )
            }
            Self::NotExecuted(reason) => reason.to_string().escape_debug().take(1_000).collect(),
        }
    }
}

/// Sorted by key, each once, without keys that end as they began.
fn net(changes: Vec<Change>) -> Vec<Change> {
    let mut net: BTreeMap<Key, Change> = BTreeMap::new();
    for change in changes {
        match net.get_mut(&change.key) {
            Some(first) => first.after = change.after,
            None => drop(net.insert(change.key.clone(), change)),
        }
    }
    let mut changes: Vec<Change> = net.into_values().collect();
    changes.retain(|change| !change.is_noop());
    changes
}

/// How often simulations told the truth, counted over executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fidelity {
    /// Done, with exactly the predicted changes.
    pub as_predicted: u64,
    /// Done, with other changes.
    pub otherwise: u64,
    /// Not done since the world moved after the claim. Says nothing about the simulation.
    pub moved: u64,
    /// Not done, or perhaps done, though the simulation predicted that it would be.
    pub not_done: u64,
}

impl Fidelity {
    /// Counts one execution.
    pub fn count(&mut self, result: &ExecutionResult) {
        let counter = match result {
            ExecutionResult::AsPredicted { .. } => &mut self.as_predicted,
            ExecutionResult::Otherwise { .. } => &mut self.otherwise,
            ExecutionResult::NotExecuted(NotExecuted::Changed(_)) => &mut self.moved,
            ExecutionResult::NotExecuted(_) => &mut self.not_done,
        };
        *counter += 1;
    }

    /// The share of simulations that told the truth, from 0 to 1, among those that could be judged;
    /// none if there are none.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let judged = self.as_predicted + self.otherwise + self.not_done;
        (judged > 0).then(|| self.as_predicted as f64 / judged as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, before: u64, after: u64) -> Change {
        Change {
            key: key.into(),
            before: Some(before.into()),
            after: Some(after.into()),
        }
    }

    #[test]
    fn a_key_that_is_written_twice_counts_by_its_ends() {
        let net = net(vec![
            change("b", 1, 2),
            change("a", 5, 6),
            change("b", 2, 3),
            change("a", 6, 5),
        ]);
        assert_eq!(net, [change("b", 1, 3)]);
    }

    #[test]
    fn fidelity_does_not_count_what_says_nothing_of_the_simulation() {
        let mut fidelity = Fidelity::default();
        assert_eq!(fidelity.share(), None);
        fidelity.count(&ExecutionResult::NotExecuted(NotExecuted::Changed(vec![])));
        assert_eq!(fidelity.share(), None);
        fidelity.count(&ExecutionResult::AsPredicted { changes: vec![] });
        fidelity.count(&ExecutionResult::Otherwise {
            differences: vec![],
        });
        assert_eq!(fidelity.share(), Some(0.5));
    }
}
