use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::assess::conflicts::Conflicts;
use crate::assess::risk::Risk;
use crate::assess::rollback::Rollback;
use crate::assess::rollback::roll_back;
use crate::plan::Plan;
use crate::run::Run;
use crate::run::report::SimulationReport;
use crate::run::simulator::Simulator;
use crate::world::World;
use action::Timestamp;

/// What a plan would do, and what there is to know about it besides.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Analysis {
    /// As [`Simulator::simulate`] gives it.
    #[schemars(with = "Map<String, Value>")]
    pub report: SimulationReport,
    /// As [`Simulator::conflicts`] gives them.
    #[schemars(with = "Map<String, Value>")]
    pub conflicts: Conflicts,
    /// As [`Simulator::rollback`] gives it.
    #[schemars(with = "Map<String, Value>")]
    pub rollback: Rollback,
    /// As [`Risk::of`] gives it.
    pub risk: Risk,
}

impl Simulator {
    /// Simulates a plan, and finds its conflicts, its rollback and its risk, from one play of its
    /// steps; it is played again only where unordered steps share a key.
    #[must_use]
    pub fn analyse(&self, plan: &Plan, world: &World, at: Timestamp) -> Analysis {
        let mut run = Run::new(&self.handlers, plan, world, at);
        for &position in plan.order() {
            run.step(position);
        }
        let conflicts = self.conflicts_of(&run, world, at);
        let (changed, removed) = run.overlay.count_changed();
        let report = run.take_report();
        Analysis {
            risk: Risk::weigh(&report, changed, removed),
            rollback: roll_back(self, &mut run, &report.steps),
            conflicts,
            report,
        }
    }

    /// As [`Simulator::analyse`], for a plan of another tool, whose steps touch nothing in common and
    /// of which nobody knows what takes them back.
    pub(crate) fn analyse_imported(&self, plan: &Plan, world: &World, at: Timestamp) -> Analysis {
        let report = self.simulate(plan, world, at);
        let steps = report.steps.iter();
        Analysis {
            risk: Risk::default(),
            conflicts: Conflicts::none(),
            rollback: Rollback::not_modelled(steps.map(|step| step.id.clone()).collect()),
            report,
        }
    }
}
