use std::sync::Arc;

use action::PathPattern;

use crate::error::Error;
use crate::plan::workflow::Workflow;
use crate::plan::{Limits, Plan};
use crate::run::Run;
use crate::run::handler::{Guard, Handler, Handlers};
use crate::run::report::SimulationReport;
use crate::world::World;
use action::Timestamp;

/// Simulates plans: handlers, and nothing else. It holds no state and does no I/O, so it can be
/// shared by any number of threads.
///
/// ```
/// use action::{Action, ActionPath};
/// use forensic_simulator::{PredictedOutcome, Simulator, Timestamp, Workflow, World};
///
/// let simulator = Simulator::builder().builtins().build()?;
/// let world = World::from_iter([("a", 100), ("b", 5)]);
/// let transfer = Action::new(ActionPath::new("kv/transfer")?, "Move")
///     .with_parameter("from", "a")
///     .with_parameter("to", "b")
///     .with_parameter("amount", 30);
/// let plan = simulator.check(Workflow::new("move").step("move", transfer))?;
///
/// let report = simulator.simulate(&plan, &world, Timestamp::from_micros(0));
/// assert_eq!(report.outcome, PredictedOutcome::Success);
/// assert_eq!(report.net_changes()[0].after, Some(70.into()));
/// assert_eq!(world.get("a"), Some(&100.into())); // nothing was done
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Simulator {
    pub(crate) handlers: Handlers,
    limits: Limits,
}

/// Collects handlers; ends in [`SimulatorBuilder::build`].
#[derive(Default)]
pub struct SimulatorBuilder {
    pub(crate) handlers: Vec<(PathPattern, Arc<dyn Handler>)>,
    fallback: Vec<(PathPattern, Arc<dyn Handler>)>,
    guards: Vec<(PathPattern, Arc<dyn Guard>)>,
    limits: Limits,
}

impl Simulator {
    /// Starts without handlers and with the default limits.
    #[must_use]
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::default()
    }

    /// Checks a workflow against the limits of this simulator.
    ///
    /// # Errors
    ///
    /// As [`Plan::new`].
    pub fn check(&self, workflow: Workflow) -> Result<Plan, Error> {
        Plan::new(workflow, &self.limits)
    }

    /// Says what a plan would do in a world at a moment.
    #[must_use]
    pub fn simulate(&self, plan: &Plan, world: &World, at: Timestamp) -> SimulationReport {
        let mut run = Run::new(&self.handlers, plan, world, at);
        for &position in plan.order() {
            run.step(position);
        }
        run.finish()
    }
}

impl SimulatorBuilder {
    /// Adds a handler for every action whose path the pattern covers. Where several patterns do,
    /// the most specific one decides.
    #[must_use]
    pub fn handler(self, pattern: PathPattern, handler: impl Handler + 'static) -> Self {
        self.shared_handler(pattern, Arc::new(handler))
    }

    /// Adds a handler for those actions of a pattern that no other handler models.
    #[must_use]
    pub fn fallback(mut self, pattern: PathPattern, handler: impl Handler + 'static) -> Self {
        self.fallback.push((pattern, Arc::new(handler)));
        self
    }

    /// Adds a check of the actions of a pattern, which comes before whatever models them.
    #[must_use]
    pub fn guard(mut self, pattern: PathPattern, guard: impl Guard + 'static) -> Self {
        self.guards.push((pattern, Arc::new(guard)));
        self
    }

    /// Adds a handler that is shared with someone else.
    #[must_use]
    pub fn shared_handler(mut self, pattern: PathPattern, handler: Arc<dyn Handler>) -> Self {
        self.handlers.push((pattern, handler));
        self
    }

    /// Sets how large a workflow may be (default: [`Limits::default`]).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes the simulator.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateHandler`] when a pattern was given twice.
    pub fn build(self) -> Result<Simulator, Error> {
        Ok(Simulator {
            handlers: Handlers::new(self.handlers)?.with(self.fallback, self.guards),
            limits: self.limits,
        })
    }
}
