use serde::{Deserialize, Serialize};

use crate::assess::rollback::{Rollback, roll_back};
use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::run::Run;
use crate::run::handler::{FailureMode, Handler};
use crate::run::report::PredictedOutcome;
use crate::run::simulator::Simulator;
use crate::world::World;
use crate::world::change::Change;
use action::Timestamp;

/// What is left when steps fail that should have gone well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FaultMatrix {
    /// One for each combination of faults.
    pub cases: Vec<FaultCase>,
    /// Whether all combinations are there; if not, there were more than
    /// [`FaultMatrix::MAX_CASES`], or they were too dear.
    pub complete: bool,
}

impl FaultMatrix {
    /// The most cases of one matrix: plans of five steps have some fifty, and the number grows
    /// with the square of the steps.
    pub const MAX_CASES: usize = 10_000;

    /// The cases in which something stays after the rollback.
    pub fn leaving_residue(&self) -> impl Iterator<Item = &FaultCase> {
        self.cases
            .iter()
            .filter(|case| !case.rollback.is_complete())
    }
}

/// A [`FaultMatrix`] in numbers, which grow with neither the steps nor what they change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FaultSummary {
    /// How many combinations of faults were tried.
    pub cases: usize,
    /// In how many of them something stays after the rollback.
    pub leaving_residue: usize,
    /// The first of those with the fewest faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub example: Vec<Fault>,
    /// Whether all combinations were tried.
    pub complete: bool,
}

/// One combination of faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultCase {
    /// The steps that fail, in the order in which they are tried.
    pub faults: Vec<Fault>,
    /// The steps that are not done because of them.
    pub blocked: Vec<StepId>,
    /// How the world differs from the start before anything is taken back.
    pub left: Vec<Change>,
    /// Taking back the steps that are known to be done, and what stays then.
    pub rollback: Rollback,
}

/// A step that fails, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The step.
    pub step: StepId,
    /// How it fails.
    pub mode: FailureMode,
}

/// How many faults at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultDepth {
    /// Every step alone.
    One,
    /// Every step alone, and any two.
    Two,
}

impl Simulator {
    /// Lets each step that would go well fail, in each of its failure modes. The steps that do not
    /// wait for it go on, as they may run at the same time.
    #[must_use]
    pub fn fault_matrix(
        &self,
        plan: &Plan,
        world: &World,
        at: Timestamp,
        depth: FaultDepth,
    ) -> FaultMatrix {
        let mut cases = Vec::new();
        let complete = self.each_fault(plan, world, at, depth, &mut |case| cases.push(case));
        FaultMatrix { cases, complete }
    }

    /// As [`Simulator::fault_matrix`], in numbers.
    #[must_use]
    pub fn fault_summary(
        &self,
        plan: &Plan,
        world: &World,
        at: Timestamp,
        depth: FaultDepth,
    ) -> FaultSummary {
        let mut summary = FaultSummary::default();
        summary.complete = self.each_fault(plan, world, at, depth, &mut |case| {
            summary.cases += 1;
            if case.rollback.is_complete() {
                return;
            }
            summary.leaving_residue += 1;
            if summary.example.is_empty() || case.faults.len() < summary.example.len() {
                summary.example = case.faults;
            }
        });
        summary
    }

    /// Calls back with each case; says whether all were tried.
    fn each_fault(
        &self,
        plan: &Plan,
        world: &World,
        at: Timestamp,
        depth: FaultDepth,
        found: &mut dyn FnMut(FaultCase),
    ) -> bool {
        let mut matrix = Matrix {
            simulator: self,
            plan,
            found,
            cases: 0,
            complete: true,
            work: 0,
        };
        matrix.descend(Run::new(&self.handlers, plan, world, at), 0, &[], depth);
        matrix.complete
    }
}

struct Matrix<'a, 'f> {
    simulator: &'a Simulator,
    plan: &'a Plan,
    found: &'f mut dyn FnMut(FaultCase),
    cases: usize,
    complete: bool,
    /// How many steps were played or copied.
    work: usize,
}

/// The most steps that are played or copied: some tenths of a second. Every pair of faults of fifty steps
/// stays below; without a bound, ten thousand steps would take days and all of the memory.
const MAX_WORK: usize = 200_000;

impl<'a> Matrix<'a, '_> {
    /// Goes on from a run of which some steps were played, so that what two cases have in common is
    /// played once.
    fn descend(&mut self, mut run: Run<'a>, from: usize, faults: &[Fault], depth: FaultDepth) {
        let deeper = match (faults.len(), depth) {
            (0, _) => true,
            (faults, FaultDepth::Two) => faults < 2,
            (_, FaultDepth::One) => false,
        };
        for (index, &position) in self.plan.order().iter().enumerate().skip(from) {
            self.work += 1 + if deeper { run.size() } else { 0 };
            if self.cases >= FaultMatrix::MAX_CASES || self.work > MAX_WORK {
                self.complete = false;
                return;
            }
            let may_fail = deeper && !self.modes(position).is_empty();
            let before = may_fail.then(|| run.clone());
            run.step(position);
            if let Some(before) = before.filter(|_| run.is_done(position)) {
                self.fail_each_way(&before, index, faults, depth);
            }
        }
        if !faults.is_empty() {
            self.record(run, faults);
        }
    }

    fn fail_each_way(
        &mut self,
        before: &Run<'a>,
        index: usize,
        faults: &[Fault],
        depth: FaultDepth,
    ) {
        let position = self.plan.order()[index];
        let step = &self.plan.steps()[position];
        for &mode in self.modes(position) {
            let mut failed = before.clone();
            failed.fail_step(position, mode);
            let mut faults = faults.to_vec();
            faults.push(Fault {
                step: step.id.clone(),
                mode,
            });
            self.descend(failed, index + 1, &faults, depth);
        }
    }

    /// How a step may fail.
    fn modes(&self, position: usize) -> &'a [FailureMode] {
        let path = &self.plan.steps()[position].action.path;
        let handler = self.simulator.handlers.find(path);
        handler.map_or(&[], Handler::failure_modes)
    }

    fn record(&mut self, mut run: Run<'a>, faults: &[Fault]) {
        let steps = std::mem::take(&mut run.steps);
        let blocked = steps
            .iter()
            .filter(|s| s.outcome == PredictedOutcome::Blocked);
        let blocked = blocked.map(|step| step.id.clone()).collect();
        self.cases += 1;
        (self.found)(FaultCase {
            faults: faults.to_vec(),
            blocked,
            left: run.overlay.net_changes(),
            rollback: roll_back(self.simulator, &mut run, &steps),
        });
    }
}
