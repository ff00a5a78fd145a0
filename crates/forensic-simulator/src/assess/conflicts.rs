use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::digest::{Hasher, update_text};
use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::run::Run;
use crate::run::report::{PredictedOutcome, StepReport};
use crate::run::simulator::Simulator;
use crate::world::World;
use crate::world::fact::Key;
use action::Timestamp;

/// Steps that may run in either order and should not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conflicts {
    /// The pairs, in the order of the plan.
    pub pairs: Vec<Conflict>,
    /// Whether every order that the plan allows was looked at, or proven to be the same as one that
    /// was. If not, there are pairs that are only suspected, and there may be more.
    pub exhaustive: bool,
    /// The steps that are not modelled, for which nothing can be said.
    pub not_modelled: Vec<StepId>,
}

impl Conflicts {
    /// Of steps that touch nothing in common.
    pub(crate) fn none() -> Self {
        Self {
            pairs: Vec::new(),
            exhaustive: true,
            not_modelled: Vec::new(),
        }
    }
}

/// Two steps for which the order decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The one that the workflow lists first.
    pub first: StepId,
    /// The other.
    pub second: StepId,
    /// The keys that one of them writes and the other one uses, sorted.
    pub keys: Vec<Key>,
    /// Whether an order was found in which swapping the two, side by side, changes an outcome or
    /// what is left. If not, they touch the same keys and were not tried in every order.
    pub proven: bool,
}

/// The most steps that are played in search of conflicts: some ten milliseconds, and every order of
/// ten steps that wait for none.
const MAX_PLAYS: usize = 10_000;

/// The most steps of the runs that are copied for it, each as long as the plan.
const MAX_COPIED: usize = 16 * MAX_PLAYS;

/// The most pairs that are listed.
const MAX_PAIRS: usize = 1_000;

impl Simulator {
    /// Finds the steps that no dependency orders, and for which the order decides.
    ///
    /// Where no two of them touch the same key, one of them writing it, that is proof: swapping two
    /// neighbours changes nothing that either reads, and every order comes from another by such
    /// swaps. Otherwise the orders are tried, as far as there are not too many of them.
    #[must_use]
    pub fn conflicts(&self, plan: &Plan, world: &World, at: Timestamp) -> Conflicts {
        let mut run = Run::new(&self.handlers, plan, world, at);
        for &position in plan.order() {
            run.step(position);
        }
        self.conflicts_of(&run, world, at)
    }

    /// As [`Simulator::conflicts`], given a run of the whole plan in its order.
    pub(crate) fn conflicts_of(&self, run: &Run<'_>, world: &World, at: Timestamp) -> Conflicts {
        let (plan, steps) = (run.plan(), run.steps.as_slice());
        let unknown = steps
            .iter()
            .filter(|s| s.outcome == PredictedOutcome::Unknown);
        let not_modelled = unknown.map(|step| step.id.clone()).collect();
        if !run.overlay.may_conflict() {
            return Conflicts {
                pairs: Vec::new(),
                exhaustive: true,
                not_modelled,
            };
        }
        let suspects = suspects(plan, steps);
        let mut search = Search {
            plan,
            proven: BTreeMap::new(),
            seen: HashSet::new(),
            plays: 0,
            exhausted: false,
        };
        if !suspects.is_empty() {
            search.explore(
                Run::new(&self.handlers, plan, world, at),
                &mut vec![false; plan.steps().len()],
            );
        }
        let exhaustive = !search.exhausted;
        let mut pairs = search.proven;
        if !exhaustive {
            for (pair, keys) in suspects {
                pairs.entry(pair).or_insert((keys, false));
            }
        }
        let id = |position: usize| plan.steps()[position].id.clone();
        let listed = pairs.into_iter().take(MAX_PAIRS);
        let pairs = listed.map(|((first, second), (keys, proven))| Conflict {
            first: id(first),
            second: id(second),
            keys: keys.into_iter().collect(),
            proven,
        });
        Conflicts {
            pairs: pairs.collect(),
            exhaustive,
            not_modelled,
        }
    }
}

type Pair = (usize, usize); // the smaller position first

/// The pairs that are not ordered and touch the same key, one of them writing it.
fn suspects(plan: &Plan, steps: &[StepReport]) -> BTreeMap<Pair, BTreeSet<Key>> {
    // By key, who uses it, in the order of the plan, and whether they write it.
    let mut users: BTreeMap<&Key, Vec<(usize, bool)>> = BTreeMap::new();
    for (&position, step) in plan.order().iter().zip(steps) {
        for key in &step.reads {
            users.entry(key).or_default().push((position, false));
        }
        for change in &step.changes {
            users.entry(&change.key).or_default().push((position, true));
        }
    }
    users.retain(|_, users| users.len() > 1 && users.iter().any(|(_, writes)| *writes));
    let ancestors = Ancestors::of(plan);
    let ordered = |a: usize, b: usize| a == b || ancestors.ordered((a, b));
    let mut suspects: BTreeMap<Pair, BTreeSet<Key>> = BTreeMap::new();
    for (key, users) in users {
        // Each before the next one: then each is before all that follow.
        if users.windows(2).all(|two| ordered(two[0].0, two[1].0)) {
            continue;
        }
        for &(writer, _) in users.iter().filter(|(_, writes)| *writes) {
            for &(other, _) in &users {
                if suspects.len() >= MAX_PAIRS {
                    return suspects;
                }
                if !ordered(writer, other) {
                    let pair = (writer.min(other), writer.max(other));
                    suspects.entry(pair).or_default().insert(key.clone());
                }
            }
        }
    }
    suspects
}

/// For each step those that it waits for, directly or not, as a set of bits.
struct Ancestors(Vec<Vec<u64>>);

impl Ancestors {
    fn of(plan: &Plan) -> Self {
        let words = plan.steps().len().div_ceil(64);
        let mut sets = vec![vec![0; words]; plan.steps().len()];
        for &position in plan.order() {
            let mut own = std::mem::take(&mut sets[position]);
            for &dependency in plan.dependencies(position) {
                own[dependency / 64] |= 1 << (dependency % 64);
                for (word, of_dependency) in own.iter_mut().zip(&sets[dependency]) {
                    *word |= of_dependency;
                }
            }
            sets[position] = own;
        }
        Self(sets)
    }

    fn ordered(&self, (a, b): Pair) -> bool {
        let has = |set: &Vec<u64>, step: usize| set[step / 64] >> (step % 64) & 1 == 1;
        has(&self.0[a], b) || has(&self.0[b], a)
    }
}

/// A walk over every set of steps that can have been done, in each state that they can leave.
struct Search<'a> {
    plan: &'a Plan,
    proven: BTreeMap<Pair, (BTreeSet<Key>, bool)>,
    seen: HashSet<[u8; 32]>,
    plays: usize,
    exhausted: bool,
}

impl<'a> Search<'a> {
    fn explore(&mut self, run: Run<'a>, done: &mut Vec<bool>) {
        if !self.seen.insert(fingerprint(self.plan, &run, done)) {
            return;
        }
        let waits_for = |step| self.plan.dependencies(step).iter();
        let is_ready = |&step: &usize| !done[step] && waits_for(step).all(|&step| done[step]);
        let ready: Vec<usize> = (0..done.len()).filter(is_ready).collect();
        // Before anything is copied: a hostile plan has thousands of steps that are ready at once.
        if self.plays + ready.len() > MAX_PLAYS.min(MAX_COPIED / done.len()) {
            self.exhausted = true;
            return;
        }
        let after: Vec<Run<'a>> = ready.iter().map(|&step| after(&run, step)).collect();
        self.plays += ready.len();
        for (i, &a) in ready.iter().enumerate() {
            for (j, &b) in ready.iter().enumerate().skip(i + 1) {
                self.try_both_orders((a, b), &after[i], &after[j]);
            }
        }
        for (step, after) in ready.into_iter().zip(after) {
            done[step] = true;
            self.explore(after, done);
            done[step] = false;
        }
    }

    /// Notes the pair if the two orders end differently.
    fn try_both_orders(&mut self, pair: Pair, after_a: &Run<'a>, after_b: &Run<'a>) {
        let (Some(a), Some(b)) = (after_a.steps.last(), after_b.steps.last()) else {
            return;
        };
        // Two steps that touch different keys cannot tell in which order they run.
        let keys = shared_keys(a, b);
        if keys.is_empty() || self.proven.contains_key(&pair) {
            return;
        }
        let (a_b, b_a) = (after(after_a, pair.1), after(after_b, pair.0));
        self.plays += 2;
        let answers = self.plan.has_references();
        let same = alike(Some(a), b_a.steps.last(), answers)
            && alike(a_b.steps.last(), Some(b), answers)
            && a_b.overlay.net_changes() == b_a.overlay.net_changes();
        if !same {
            self.proven.insert(pair, (keys, true));
        }
    }
}

fn after<'a>(run: &Run<'a>, step: usize) -> Run<'a> {
    let mut next = run.clone();
    next.step(step);
    next
}

/// Whether a step ends the same way. Its changes count by what is left in the end, and its answer
/// only where steps refer to answers.
fn alike(one: Option<&StepReport>, other: Option<&StepReport>, answers: bool) -> bool {
    let visible = |step: &StepReport| {
        let answer = step.answer.clone().filter(|_| answers);
        (step.outcome, step.would_run, step.external.clone(), answer)
    };
    one.map(visible) == other.map(visible)
}

fn shared_keys(a: &StepReport, b: &StepReport) -> BTreeSet<Key> {
    let written = |step: &StepReport| -> BTreeSet<Key> {
        step.changes
            .iter()
            .map(|change| change.key.clone())
            .collect()
    };
    let (by_a, by_b) = (written(a), written(b));
    let read_by = |step: &StepReport, key: &&Key| step.reads.contains(key);
    let of_a = by_a
        .iter()
        .filter(|key| by_b.contains(*key) || read_by(b, key));
    let of_b = by_b.iter().filter(|key| read_by(a, key));
    of_a.chain(of_b).cloned().collect()
}

/// What decides how a run goes on: the steps that were played, how each ended, and the state.
fn fingerprint(plan: &Plan, run: &Run<'_>, done: &[bool]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    for (position, &done) in done.iter().enumerate() {
        let state = if done {
            1 + run.state_code(position)
        } else {
            0
        };
        hasher.update(&[state]);
        let refers = plan.has_references();
        let answer = if refers {
            run.answer_of(position)
        } else {
            None
        };
        if let Some(answer) = answer {
            hasher.update(answer.version().as_bytes());
        }
    }
    for change in run.overlay.net_changes() {
        update_text(&mut hasher, change.key.as_str());
        match &change.after {
            Some(fact) => hasher.update(&[1]).update(fact.version().as_bytes()),
            None => hasher.update(&[0]),
        };
    }
    hasher.finish()
}
