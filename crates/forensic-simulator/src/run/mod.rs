pub(crate) mod advice;
pub(crate) mod context;
pub(crate) mod handler;
pub(crate) mod report;
pub(crate) mod simulator;
pub(crate) mod stop;

use std::borrow::Cow;
use std::sync::Arc;

use action::Action;
use serde_json::Value;

use crate::plan::Plan;
use crate::plan::reference::Reference;
use crate::plan::step_id::StepId;
use crate::plan::value_bytes;
use crate::plan::workflow::Step;
use crate::run::advice::{Remark, recommendations, safety_issues};
use crate::run::context::Context;
use crate::run::context::Draft;
use crate::run::handler::Handlers;
use crate::run::handler::{FailureMode, Handler};
use crate::run::report::{
    Estimate, PredictedOutcome, Reversibility, SimulationReport, Spread, StepReport,
};
use crate::run::stop::Stop;
use crate::world::World;
use crate::world::change::Change;
use crate::world::fact::Fact;
use crate::world::overlay::{Overlay, StepEffects};
use action::Timestamp;

/// As the limits of a plan see only the references, a small step could ask for any number of copies
/// of a large answer.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// One simulation on its way: steps are played one by one, in any order that the plan allows.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    handlers: &'a Handlers,
    plan: &'a Plan,
    at: Timestamp,
    pub(crate) overlay: Overlay<'a>,
    pub(crate) steps: Vec<StepReport>,
    /// The remedies that handlers gave, each with the place of its step among those that were played.
    remarks: Vec<Remark>,
    /// By position in the plan.
    done: Vec<Done>,
    /// The steps with references, as they were played.
    resolved: Vec<Arc<Step>>,
}

/// What later steps need to know of one before them.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    state: State,
    /// When it would end, counted from the start of the plan.
    end: Spread,
    /// Its place among the steps that were played.
    played: Option<usize>,
    /// Its place among the steps with references, as they were played.
    resolved: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// Done, and the overlay shows what it did.
    #[default]
    Done,
    /// Not done.
    NotDone,
    /// Perhaps done, with effects that the overlay does not show.
    NotKnown,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        handlers: &'a Handlers,
        plan: &'a Plan,
        world: &'a World,
        at: Timestamp,
    ) -> Self {
        let steps = plan.steps().len();
        Self {
            handlers,
            plan,
            at,
            overlay: Overlay::new(world, steps),
            steps: Vec::with_capacity(steps),
            remarks: Vec::new(),
            done: vec![Done::default(); steps],
            resolved: Vec::new(),
        }
    }

    pub(crate) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Plays one step; those that it waits for were played before.
    pub(crate) fn step(&mut self, position: usize) {
        self.play_step(position, None);
    }

    /// Plays one step that fails on its way, unless it would not even begin.
    pub(crate) fn fail_step(&mut self, position: usize, mode: FailureMode) {
        self.play_step(position, Some(mode));
    }

    /// Whether a step was done, and whoever runs the plan knows it.
    pub(crate) fn is_done(&self, position: usize) -> bool {
        self.done[position].state == State::Done
    }

    /// About what a copy of it costs, in steps: one that changes much counts for many.
    pub(crate) fn size(&self) -> usize {
        self.steps.len() + self.overlay.len()
    }

    /// How a step ended, as far as later ones depend on it.
    pub(crate) fn state_code(&self, position: usize) -> u8 {
        self.done[position].state as u8
    }

    /// What a step answered, if it was played and says so.
    pub(crate) fn answer_of(&self, position: usize) -> Option<&Fact> {
        let played = self.done[position].played?;
        self.steps.get(played)?.answer.as_ref()
    }

    /// The action of a step, with the values that its references stood for.
    pub(crate) fn action_of(&self, position: usize) -> Cow<'a, Action> {
        let resolved = self.done[position].resolved;
        match resolved.and_then(|index| self.resolved.get(index)) {
            Some(step) => Cow::Owned(step.action.clone()),
            None => Cow::Borrowed(&self.plan.steps()[position].action),
        }
    }

    /// A step with the values that its references stand for.
    fn resolve(&self, position: usize) -> Result<Arc<Step>, Stop> {
        let mut step = self.plan.steps()[position].clone();
        let mut parameters = Value::Object(std::mem::take(&mut step.action.parameters));
        let mut bytes = 0;
        for reference in self.plan.references(position) {
            let of = &self.plan.steps()[reference.step].id;
            let value = answer_to(reference, of.as_str(), self.answer_of(reference.step))?;
            bytes += value_bytes(&value);
            if bytes > MAX_ANSWER_BYTES {
                let most = format!("more than {MAX_ANSWER_BYTES} bytes");
                return Err(Stop::unknown(format!("its references stand for {most}")));
            }
            if let Some(place) = parameters.pointer_mut(&reference.place) {
                *place = value;
            }
        }
        if let Value::Object(parameters) = parameters {
            step.action.parameters = parameters;
        }
        Ok(Arc::new(step))
    }

    fn play_resolved(
        &mut self,
        handler: &dyn Handler,
        position: usize,
        fault: Option<FailureMode>,
    ) -> Played {
        if self.plan.references(position).is_empty() {
            return self.play(handler, &self.plan.steps()[position], fault);
        }
        match self.resolve(position) {
            Ok(step) => {
                self.done[position].resolved = Some(self.resolved.len());
                self.resolved.push(Arc::clone(&step));
                self.play(handler, &step, fault)
            }
            Err(stop) => Played::stopped(stop),
        }
    }

    fn play_step(&mut self, position: usize, fault: Option<FailureMode>) {
        let step = &self.plan.steps()[position];
        let handler = self.handlers.find(&step.action.path);
        self.overlay.begin_step();
        let played = match (self.waits_in_vain(position), handler) {
            (Some(played), _) => played,
            (None, Some(handler)) => self.play_resolved(handler, position, fault),
            (None, None) => Played::stopped(Stop::unknown(format!(
                "no handler models {}",
                step.action.path
            ))),
        };
        let reversibility = handler.map_or(Reversibility::Opaque, Handler::reversibility);
        self.record(position, played, reversibility);
    }

    /// Plays an action that is no step of the plan, after the steps that were played.
    pub(crate) fn play_beside(
        &mut self,
        step: &Step,
    ) -> (PredictedOutcome, Cow<'static, str>, Vec<Change>) {
        self.overlay.begin_step();
        let mut played = match self.handlers.find(&step.action.path) {
            Some(handler) => self.play(handler, step, None),
            None => Played::stopped(Stop::unknown("no handler models it")),
        };
        let (outcome, reason, ..) = played.judge();
        (outcome, reason, played.effects.changes)
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
            (
                State::NotDone,
                PredictedOutcome::Blocked,
                "would not be done",
            ),
            (
                State::NotKnown,
                PredictedOutcome::Unknown,
                "is not modelled",
            ),
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

    fn play(&mut self, handler: &dyn Handler, step: &Step, fault: Option<FailureMode>) -> Played {
        let mut context = Context::new(step, self.at, &mut self.overlay);
        let checked = self.handlers.check(&mut context);
        let result = checked.and_then(|()| handler.simulate(&mut context));
        let draft = context.draft;
        let (effects, draft, stop) = match (result, fault) {
            (Err(stop), _) => (
                self.overlay.drop_step(),
                draft.only_preconditions(),
                Some(stop),
            ),
            (Ok(()), None) => (self.overlay.keep_step(), draft, None),
            (Ok(()), Some(mode)) => {
                let (effects, draft) = match mode {
                    FailureMode::NothingDone => {
                        (self.overlay.drop_step(), draft.only_preconditions())
                    }
                    FailureMode::HalfDone => (self.overlay.keep_half_of_step(), draft),
                    FailureMode::DoneUnacknowledged => (self.overlay.keep_step(), draft),
                };
                (effects, draft, Some(Stop::would_fail(mode.words())))
            }
        };
        Played {
            effects,
            draft,
            stop,
            blocked_by: Vec::new(),
        }
    }

    fn record(&mut self, position: usize, mut played: Played, reversibility: Reversibility) {
        let step = &self.plan.steps()[position];
        let (outcome, reason, remedy, state) = played.judge();
        let begin = self.plan.dependencies(position).iter();
        let begin = begin.fold(Spread::default(), |latest, &dependency| {
            latest.max(self.done[dependency].end)
        });
        let end = begin.plus(played.draft.estimate.duration_us);
        let done = &mut self.done[position];
        (done.state, done.end, done.played) = (state, end, Some(self.steps.len()));
        if let Some(remedy) = remedy {
            let played = self.steps.len();
            self.remarks.push(Remark { played, remedy });
        }
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
            answer: played.draft.answer,
            reversibility,
            estimate: played.draft.estimate,
        });
    }

    pub(crate) fn finish(mut self) -> SimulationReport {
        self.take_report()
    }

    /// The report of the steps that were played. What is left of the run is its state, from which
    /// it can be rolled back.
    pub(crate) fn take_report(&mut self) -> SimulationReport {
        let plan = self.plan;
        let steps = std::mem::take(&mut self.steps);
        let outcome = steps.iter().map(|step| step.outcome).max();
        let mut estimate = Estimate::default();
        for (done, step) in self.done.iter().zip(&steps) {
            estimate.duration_us = estimate.duration_us.max(done.end);
            estimate.cost_micros = estimate.cost_micros.plus(step.estimate.cost_micros);
        }
        let played = plan.order().iter().zip(&steps);
        let not_modelled =
            played.filter(|&(&position, _)| self.done[position].state == State::NotKnown);
        SimulationReport {
            workflow: plan.workflow().name.clone(),
            plan: plan.digest(),
            at: self.at,
            outcome: outcome.unwrap_or_default(),
            safety_issues: safety_issues(&steps),
            recommendations: recommendations(&steps, &self.remarks),
            reads: self.overlay.base_reads(),
            estimate,
            not_modelled: not_modelled.map(|(_, step)| step.id.clone()).collect(),
            steps,
        }
    }
}

/// What a reference stands for, given what the step answered.
fn answer_to(reference: &Reference, step: &str, answer: Option<&Fact>) -> Result<Value, Stop> {
    let (place, pointer) = (&reference.place, &reference.pointer);
    match answer {
        Some(Fact::Known(answer)) => answer.pointer(pointer).cloned().ok_or_else(|| {
            Stop::would_fail(format!(
                "parameter {place} refers to {pointer:?} of the answer of step {step:?}, which has no such part"
            ))
        }),
        Some(Fact::Unknown(_) | Fact::Secret(_)) | None => Err(Stop::unknown(format!(
            "parameter {place} is not known before step {step:?} has answered"
        ))),
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

    /// Its outcome, why, what would be better, and what later steps need to know. Takes the texts.
    fn judge(&mut self) -> (PredictedOutcome, Cow<'static, str>, Option<String>, State) {
        match (self.stop.take(), self.draft.unsafe_because.take()) {
            (Some(stop), _) => {
                let state = match stop.outcome {
                    PredictedOutcome::Unknown | PredictedOutcome::Unsafe => State::NotKnown,
                    PredictedOutcome::Success
                    | PredictedOutcome::Blocked
                    | PredictedOutcome::WouldFail => State::NotDone,
                };
                (stop.outcome, stop.reason.into(), stop.remedy, state)
            }
            (None, Some(reason)) => {
                let remedy = self.draft.remedy.take();
                (PredictedOutcome::Unsafe, reason.into(), remedy, State::Done)
            }
            (None, None) => {
                let reason = match (self.effects.changes.len(), self.draft.external.len()) {
                    (0, 0) => "it would change nothing",
                    (0, _) => "it would act outside of the world that is modelled",
                    _ => "every precondition holds",
                };
                (PredictedOutcome::Success, reason.into(), None, State::Done)
            }
        }
    }
}
