use std::path::Path;
use std::sync::Arc;

use jsonl_storage::Recovery;
use parking_lot::RwLock;

use crate::assess::compare::Comparison;
use crate::assess::statistics::Statistics;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::workflow::Workflow;
use crate::run::report::SimulationReport;
use crate::run::simulator::Simulator;
use crate::store::id::ReportId;
use crate::store::{SimulationStore, StoreOptions, Stored, StoredReports};
use crate::world::World;
use action::Timestamp;

/// A simulator, the world that it simulates against, and a store that keeps every report.
///
/// ```
/// use action::{Action, ActionPath};
/// use forensic_simulator::{ForensicSimulator, Simulator, Timestamp, Workflow, World};
///
/// let dir = tempfile::tempdir()?;
/// let simulator = Simulator::builder().builtins().build()?;
/// let forensic = ForensicSimulator::open(dir.path(), simulator, World::from_iter([("a", 1)]))?;
///
/// let delete = Action::new(ActionPath::new("kv/delete")?, "Delete").with_parameter("key", "a");
/// let workflow = Workflow::new("clean up").step("delete", delete);
/// let stored = forensic.simulate(&workflow, Timestamp::from_micros(0))?; // on disk
/// assert_eq!(forensic.report(stored.id)?.digest, stored.report.digest()?);
/// assert_eq!(forensic.statistics().reports, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForensicSimulator {
    simulator: Simulator,
    world: RwLock<Arc<World>>,
    store: SimulationStore,
}

impl ForensicSimulator {
    /// Opens the store of reports in a directory, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// As [`StoreOptions::open`].
    pub fn open(dir: impl AsRef<Path>, simulator: Simulator, world: World) -> Result<Self, Error> {
        Ok(Self::new(StoreOptions::new().open(dir)?, simulator, world))
    }

    /// Takes a store that is open.
    #[must_use]
    pub fn new(store: SimulationStore, simulator: Simulator, world: World) -> Self {
        Self {
            simulator,
            world: RwLock::new(Arc::new(world)),
            store,
        }
    }

    /// Simulates a workflow in the world as it is now, and saves the report. When this returns it
    /// is on disk and counted.
    ///
    /// # Errors
    ///
    /// As [`Plan::new`] and [`SimulationStore::save`].
    pub fn simulate(&self, workflow: &Workflow, at: Timestamp) -> Result<Stored, Error> {
        let plan = self.simulator.check(workflow.clone())?;
        self.simulate_plan(&plan, at)
    }

    /// As [`ForensicSimulator::simulate`], for a workflow that was checked before.
    ///
    /// # Errors
    ///
    /// As [`SimulationStore::save`].
    pub fn simulate_plan(&self, plan: &Plan, at: Timestamp) -> Result<Stored, Error> {
        self.store.save(self.predict(plan, at))
    }

    /// Simulates without saving.
    #[must_use]
    pub fn predict(&self, plan: &Plan, at: Timestamp) -> SimulationReport {
        let world = self.world();
        self.simulator.simulate(plan, &world, at)
    }

    /// The world as it is now. Later changes do not reach what is returned.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read())
    }

    /// Changes the world for the simulations that begin later. Costs a copy of the world if one
    /// that began earlier is still on its way.
    pub fn update_world<T>(&self, update: impl FnOnce(&mut World) -> T) -> T {
        update(Arc::make_mut(&mut self.world.write()))
    }

    /// The simulator.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// As [`SimulationStore::report`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn report(&self, id: ReportId) -> Result<Stored, Error> {
        self.store.report(id)
    }

    /// As [`SimulationStore::compare`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn compare(&self, first: ReportId, second: ReportId) -> Result<Comparison, Error> {
        self.store.compare(first, second)
    }

    /// As [`SimulationStore::statistics`].
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.store.statistics()
    }

    /// As [`SimulationStore::recent`].
    #[must_use]
    pub fn recent(&self, most: usize) -> Vec<Stored> {
        self.store.recent(most)
    }

    /// As [`SimulationStore::stored`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn stored(&self) -> Result<StoredReports, Error> {
        self.store.stored()
    }

    /// As [`SimulationStore::recovery`].
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.store.recovery()
    }

    /// As [`SimulationStore::close`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn close(self) -> Result<(), Error> {
        self.store.close()
    }
}
