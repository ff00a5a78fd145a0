use std::sync::Arc;

use action::PathPattern;

use crate::advice::{self, Remark};
use crate::context::Draft;
use crate::handler::Handlers;
use crate::overlay::{Overlay, StepEffects};
use crate::{
    Context, Error, Estimate, Handler, Limits, Outcome, Plan, Report, Reversibility, Schema,
    Spread, StepId, StepReport, Stop, Timestamp, Workflow, World, builtin,
};

/// Simulates plans: handlers, and nothing else. It holds no state and does no I/O, so it can be
/// shared by any number of threads.
///
/// ```
/// use action::{Action, ActionPath};
/// use forensic_simulator::{Outcome, Simulator, Timestamp, Workflow, World};
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
/// assert_eq!(report.outcome, Outcome::Success);
/// assert_eq!(report.net_changes()[0].after, Some(70.into()));
/// assert_eq!(world.get("a"), Some(&100.into())); // nothing was done
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Simulator {
    handlers: Handlers,
    limits: Limits,
}

/// Collects handlers; ends in [`SimulatorBuilder::build`].
#[derive(Default)]
pub struct SimulatorBuilder {
    handlers: Vec<(PathPattern, Arc<dyn Handler>)>,
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
    pub fn simulate(&self, plan: &Plan, world: &World, at: Timestamp) -> Report {
        let mut run = Run::new(plan, world, at);
        for &position in plan.order() {
            run.step(self, position);
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

    /// Adds a handler that is shared with someone else.
    #[must_use]
    pub fn shared_handler(mut self, pattern: PathPattern, handler: Arc<dyn Handler>) -> Self {
        self.handlers.push((pattern, handler));
        self
    }

    /// Adds schemas, each under its own path pattern.
    #[must_use]
    pub fn schemas(mut self, schemas: impl IntoIterator<Item = Schema>) -> Self {
        for schema in schemas {
            let pattern = schema.pattern().clone();
            self.handlers.push((pattern, Arc::new(schema)));
        }
        self
    }

    /// Adds the [built-in schemas](crate::BUILTIN_SCHEMAS).
    #[must_use]
    pub fn builtins(self) -> Self {
        self.schemas(builtin::schemas())
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
            handlers: Handlers::new(self.handlers)?,
            limits: self.limits,
        })
    }
}

/// One simulation on its way.
struct Run<'a> {
    plan: &'a Plan,
    at: Timestamp,
    overlay: Overlay<'a>,
    steps: Vec<StepReport>,
    remarks: Vec<Remark>,
    /// By position in the plan.
    done: Vec<Done>,
}

/// What later steps need to know of one before them.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    state: State,
    /// When it would end, counted from the start of the plan.
    end: Spread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Done, and the overlay shows what it did.
    #[default]
    Done,
    /// Not done.
    NotDone,
    /// Perhaps done, with effects that the overlay does not show.
    NotKnown,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, world: &'a World, at: Timestamp) -> Self {
        let steps = plan.steps().len();
        Self {
            plan,
            at,
            overlay: Overlay::new(world, steps),
            steps: Vec::with_capacity(steps),
            remarks: Vec::with_capacity(steps),
            done: vec![Done::default(); steps],
        }
    }

    fn step(&mut self, simulator: &Simulator, position: usize) {
        let step = &self.plan.steps()[position];
        let handler = simulator.handlers.find(&step.action.path);
        self.overlay.begin_step();
        let played = match (self.waits_in_vain(position), handler) {
            (Some(played), _) => played,
            (None, Some(handler)) => self.play(handler, position),
            (None, None) => Played::stopped(Stop::unknown(format!(
                "no handler models {}",
                step.action.path
            ))),
        };
        let reversibility = handler.map_or(Reversibility::Opaque, Handler::reversibility);
        self.record(position, played, reversibility);
    }

    /// What becomes of a step whose dependencies are not done, or not known to be.
    fn waits_in_vain(&self, position: usize) -> Option<Played> {
        let in_state = |state| -> Vec<StepId> {
            let of_step = self.plan.dependencies(position).iter();
            let stuck = of_step.filter(|&&dependency| self.done[dependency].state == state);
            stuck
                .map(|&dependency| self.plan.steps()[dependency].id.clone())
                .collect()
        };
        for (state, outcome, why) in [
            (State::NotDone, Outcome::Blocked, "would not be done"),
            (State::NotKnown, Outcome::Unknown, "is not modelled"),
        ] {
            let blocked_by = in_state(state);
            if let Some(first) = blocked_by.first() {
                let reason = format!("it waits for step {first}, which {why}");
                let mut played = Played::stopped(Stop::new(outcome, reason));
                played.blocked_by = blocked_by;
                return Some(played);
            }
        }
        None
    }

    fn play(&mut self, handler: &dyn Handler, position: usize) -> Played {
        let step = &self.plan.steps()[position];
        let mut context = Context::new(step, self.at, &mut self.overlay);
        let result = handler.simulate(&mut context);
        let draft = context.draft;
        match result {
            Ok(()) => Played {
                effects: self.overlay.keep_step(),
                draft,
                stop: None,
                blocked_by: Vec::new(),
            },
            Err(stop) => Played {
                effects: self.overlay.drop_step(),
                draft: Draft {
                    preconditions: draft.preconditions,
                    ..Draft::default()
                },
                stop: Some(stop),
                blocked_by: Vec::new(),
            },
        }
    }

    fn record(&mut self, position: usize, played: Played, reversibility: Reversibility) {
        let step = &self.plan.steps()[position];
        let (outcome, reason, remedy, state) = played.judge();
        let begin = self.plan.dependencies(position).iter();
        let begin = begin.fold(Spread::default(), |latest, &dependency| {
            latest.max(self.done[dependency].end)
        });
        let end = begin.plus(played.draft.estimate.duration_us);
        self.done[position] = Done { state, end };
        self.remarks.push(Remark { remedy });
        self.steps.push(StepReport {
            id: step.id.clone(),
            path: step.action.path.clone(),
            action: self.plan.action_digest(position),
            outcome,
            reason,
            would_run: state == State::Done,
            blocked_by: played.blocked_by,
            preconditions: played.draft.preconditions,
            reads: played.effects.reads,
            changes: played.effects.changes,
            external: played.draft.external,
            reversibility,
            estimate: played.draft.estimate,
        });
    }

    fn finish(self) -> Report {
        let plan = self.plan;
        let steps = self.steps;
        let outcome = steps.iter().map(|step| step.outcome).max();
        let mut estimate = Estimate::default();
        for (done, step) in self.done.iter().zip(&steps) {
            estimate.duration_us = estimate.duration_us.max(done.end);
            estimate.cost_micros = estimate.cost_micros.plus(step.estimate.cost_micros);
        }
        let mut positions = plan.order().iter();
        let not_modelled = steps.iter().filter(|_| {
            let done = positions.next().map(|&position| self.done[position].state);
            done == Some(State::NotKnown)
        });
        Report {
            workflow: plan.workflow().name.clone(),
            plan: plan.digest(),
            at: self.at,
            outcome: outcome.unwrap_or_default(),
            safety_issues: advice::safety_issues(&steps),
            recommendations: advice::recommendations(&steps, &self.remarks),
            reads: self.overlay.into_reads(),
            estimate,
            not_modelled: not_modelled.map(|step| step.id.clone()).collect(),
            steps,
        }
    }
}

/// How playing one step ended.
struct Played {
    effects: StepEffects,
    draft: Draft,
    stop: Option<Stop>,
    blocked_by: Vec<StepId>,
}

impl Played {
    fn stopped(stop: Stop) -> Self {
        Self {
            effects: StepEffects::default(),
            draft: Draft::default(),
            stop: Some(stop),
            blocked_by: Vec::new(),
        }
    }

    fn judge(&self) -> (Outcome, Arc<str>, Option<String>, State) {
        match (&self.stop, &self.draft.unsafe_because) {
            (Some(stop), _) => {
                let state = match stop.outcome {
                    Outcome::Unknown | Outcome::Unsafe => State::NotKnown,
                    Outcome::Success | Outcome::Blocked | Outcome::WouldFail => State::NotDone,
                };
                let reason = stop.reason.as_str().into();
                (stop.outcome, reason, stop.remedy.clone(), state)
            }
            (None, Some(reason)) => {
                let remedy = self.draft.remedy.clone();
                (Outcome::Unsafe, reason.as_str().into(), remedy, State::Done)
            }
            (None, None) => {
                let reason = match (self.effects.changes.len(), self.draft.external.len()) {
                    (0, 0) => "it would change nothing",
                    (0, _) => "it would act outside of the world that is modelled",
                    _ => "every precondition holds",
                };
                (Outcome::Success, reason.into(), None, State::Done)
            }
        }
    }
}
