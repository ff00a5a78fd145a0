//! Flows as a workload of the engine: what a user does in an iteration, and what of it enters the ledger.

use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{DrawContext, Outcome, Slot, Value, Values};
use load_engine::{AsyncWorkload, Digest, Effect, Effects, Failure, Iteration, StepSpec};

use super::pool::{Lease, Pools, Threads};
use super::prober::Probe;
use super::program::{EffectPlan, Fields, Program, Step, Verb};
use super::shared::{RefusedWrite, SeenContent, Shared, Tally};
use super::user::{User, outside_iterations};
use crate::targets::DataFeed;
use crate::{Journal, clock};

/// Flows under load.
pub(super) struct FlowWorkload {
    pub(super) program: Arc<Program>,
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Journal,
    /// What the set-up for the whole run captured.
    pub(super) run_values: Values,
    /// The records of `[data]`, each for one user or one iteration.
    pub(super) data: Option<DataFeed>,
    /// The threads among which pools are divided.
    pub(super) threads: Threads,
}

/// A user of the load.
pub(super) struct FlowUser {
    number: u32,
    user: User,
    /// Whether its set-up has succeeded.
    is_set_up: bool,
    writes: Vec<Write>,
    shared: Arc<Shared>,
    /// Connections that it shares with the other users of its thread.
    pools: Rc<Pools>,
}

/// One write of a step: its key and content as text, whose buffers serve all steps of a user.
#[derive(Default)]
struct Write {
    key: Vec<u8>,
    content: Vec<u8>,
    /// Whether the key is known: one that the service gives is not before the answer.
    has_key: bool,
    /// Whether the content is null.
    is_absent: bool,
}

impl Drop for FlowUser {
    /// Leaves the values that reading back needs, also when the user was cut off.
    fn drop(&mut self) {
        if self.is_set_up {
            let mut values = std::mem::take(&mut self.user.values);
            values.end_iteration();
            self.shared.keep_user(self.number, values);
        }
    }
}

impl AsyncWorkload for FlowWorkload {
    type User = FlowUser;

    fn steps(&self) -> Vec<StepSpec> {
        self.program
            .timed_steps()
            .map(|step| step.spec.clone())
            .collect()
    }

    async fn set_up(&self, number: u32) -> Result<FlowUser, Failure> {
        let mut values = Values::default();
        values.inherit(&self.run_values);
        values.set(Slot::USER, Value::Int(number.into()));
        Ok(FlowUser {
            number,
            user: User::metered(&self.program, values, &self.shared.parts),
            is_set_up: self.program.user_setup.is_empty(),
            writes: Vec::new(),
            shared: Arc::clone(&self.shared),
            pools: Pools::of_thread(&self.program, &self.threads),
        })
    }

    async fn iterate(&self, user: &mut FlowUser, it: &mut Iteration<'_>) -> Result<(), Failure> {
        if let Some(meter) = &mut user.user.meter {
            meter.phase = it.phase();
        }
        if !user.is_set_up {
            self.set_up_user(user, it).await?;
        }
        let context = self.begin(user, it);
        let phase = it.phase_now().min(self.program.mixes.len() - 1);
        let flow = &self.program.flows[*self.program.mixes[phase].draw(it.rng())];
        self.take_record(&flow.data, &mut user.user.values)?;
        for step in &flow.steps {
            self.step(user, it, step, &context).await?;
        }
        Ok(())
    }
}

impl FlowWorkload {
    async fn set_up_user(
        &self,
        user: &mut FlowUser,
        it: &mut Iteration<'_>,
    ) -> Result<(), Failure> {
        let (run, number) = (&self.program.run, user.number);
        user.user.values.set_with(Slot::ID, |out| {
            // Writing into memory does not fail.
            let _ = write!(out, "{run}-{number}-s");
        });
        self.take_record(&self.program.user_data, &mut user.user.values)?;
        let context = outside_iterations(&self.program, number.into());
        for step in &self.program.user_setup {
            self.step(user, it, step, &context).await?;
        }
        user.is_set_up = true;
        Ok(())
    }

    /// Takes the next record for those who name its fields.
    fn take_record(&self, fields: &Fields, values: &mut Values) -> Result<(), Failure> {
        if fields.is_empty() {
            return Ok(());
        }
        let feed = self.data.as_ref().expect("fields are of a file");
        let record = feed
            .next()?
            .ok_or_else(|| Failure::new("the data has no record left"))?;
        for (path, slot) in fields {
            let mut space = Vec::new();
            let field = path.first(record.as_bytes());
            let field = field.map_or(Value::Null, |json| Value::from_json(json, &mut space));
            values.set(*slot, field);
        }
        Ok(())
    }

    /// Makes the values of a new iteration, and tells where its random ones are drawn.
    fn begin(&self, user: &mut FlowUser, it: &Iteration<'_>) -> DrawContext {
        let values = &mut user.user.values;
        values.end_iteration();
        let (run, number, index) = (&self.program.run, user.number, it.index());
        values.set(Slot::ITERATION, Value::Int(index as i64));
        values.set_with(Slot::ID, |out| {
            let _ = match self.program.is_open {
                true => write!(out, "{run}-a{index}"),
                false => write!(out, "{run}-{number}-{index}"),
            };
        });
        let (who, iteration) = match self.program.is_open {
            // Arrivals have the upper half of the numbers, users the lower.
            true => (index | 1 << 63, 0),
            false => (number.into(), index),
        };
        DrawContext {
            seed: self.program.seed,
            who,
            iteration,
            now_us: clock::now_micros,
        }
    }

    async fn step(
        &self,
        user: &mut FlowUser,
        it: &mut Iteration<'_>,
        step: &Step,
        context: &DrawContext,
    ) -> Result<(), Failure> {
        let think_ns = step
            .think_time
            .draw_ns(context.seed, user.number, it.index());
        if think_ns > 0 {
            tokio::time::sleep(Duration::from_nanos(think_ns)).await;
        }
        user.user.draw(step, context)?;
        let service = step.request.service;
        let lease = self.lease(user, service).await?;
        // Connecting is in no step: a step's time begins with its first request.
        user.user.connect(&self.program, service).await;
        let done = it
            .step_async(&step.spec, async |effects| {
                self.perform(user, step, context, effects).await
            })
            .await;
        if let Some(lease) = lease {
            let connection = user.user.take_back(service);
            user.pools.give_back(service, lease, connection);
        }
        done
    }

    /// Waits for a place in the pool of a service, if it has one.
    async fn lease(&self, user: &mut FlowUser, service: usize) -> Result<Option<Lease>, Failure> {
        let of_service = &self.program.services[service];
        let Some(pool) = &of_service.pool else {
            return Ok(None);
        };
        let began = Instant::now();
        let taken = user.pools.take(service, pool.size.get(), &self.threads);
        let taken = tokio::time::timeout(pool.wait, taken).await;
        let meter = user.user.meter.as_ref();
        match taken {
            Ok(Some((lease, connection))) => {
                if let Some(meter) = meter {
                    meter.book(pool.wait_part, began.elapsed());
                }
                user.user.lend(service, connection);
                Ok(Some(lease))
            }
            Ok(None) | Err(_) => {
                if let Some(meter) = meter {
                    meter.fail(pool.wait_part);
                }
                let (name, wait) = (&of_service.name, pool.wait);
                let told = format!("`{name}` had no free connection within {wait:?}");
                Err(Failure::new(told))
            }
        }
    }

    /// Does a step, and enters what became of its writes.
    async fn perform(
        &self,
        user: &mut FlowUser,
        step: &Step,
        context: &DrawContext,
        effects: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        let mut writes = std::mem::take(&mut user.writes);
        writes.resize_with(step.effects.len(), Write::default);
        for (write, plan) in writes.iter_mut().zip(&step.effects) {
            write.render(plan, &user.user.values);
        }
        let mut pending = Pending {
            workload: self,
            step,
            user: user.number,
            writes,
            is_settled: false,
        };
        for (write, plan) in pending.writes.iter().zip(&step.effects) {
            if plan.verb == Verb::Adds
                && let Err(failure) = write.amount()
            {
                // Nothing was sent, so nothing is pending.
                pending.is_settled = true;
                return Err(failure);
            }
        }
        let (outcome, failed) = user.user.perform(&self.program, step, context).await;
        if outcome == Outcome::Acknowledged {
            // The answer may have given what a key or a content is made of.
            for (write, plan) in pending.writes.iter_mut().zip(&step.effects) {
                write.render(plan, &user.user.values);
            }
        }
        let result = pending.settle(outcome, failed, effects);
        if outcome == Outcome::Acknowledged {
            self.offer(user, step, &pending.writes);
        }
        user.writes = std::mem::take(&mut pending.writes);
        result
    }

    /// Offers what was created to the prober.
    fn offer(&self, user: &FlowUser, step: &Step, writes: &[Write]) {
        let created = writes.iter().zip(&step.effects);
        for (write, plan) in created.filter(|(_, plan)| plan.verb == Verb::Creates) {
            if self.program.effects[plan.effect].visible_part.is_some() && !write.is_absent {
                self.shared.probes.offer(|| Probe {
                    effect: plan.effect,
                    key: write.key().into_owned(),
                    user: user.number,
                    values: user.user.values.clone(),
                    phase: user.user.meter.as_ref().map_or(0, |meter| meter.phase),
                    acknowledged: Instant::now(),
                });
            }
        }
    }

    fn kind(&self, plan: &EffectPlan) -> &'static str {
        self.program.effects[plan.effect].name
    }
}

impl Write {
    fn render(&mut self, plan: &EffectPlan, values: &Values) {
        self.key.clear();
        self.content.clear();
        self.has_key = plan.key.render(values, &mut self.key).is_ok();
        if let Some(content) = &plan.content {
            let null = content.single().map(|slot| values.get(slot));
            self.is_absent = matches!(null, Some(Some(Value::Null)));
            // What is not known yet is rendered again when the answer has come.
            let _ = content.render(values, &mut self.content);
        }
    }

    fn key(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.key)
    }

    /// How much is added.
    fn amount(&self) -> Result<i64, Failure> {
        let text = String::from_utf8_lossy(&self.content);
        text.parse()
            .map_err(|_| Failure::new(format!("`by` is \"{text}\", which is no whole number")))
    }

    /// What the ledger says if the service says that it is done.
    fn effect(&self, verb: Verb) -> Effect {
        match verb {
            Verb::Removes => Effect::Removed,
            _ if self.is_absent => Effect::Removed,
            Verb::Creates => Effect::Created(Digest::of(&self.content)),
            // What it comes to is told by the sums; the ledger knows that something was written. A read is not
            // entered.
            Verb::Adds | Verb::Updates | Verb::Reads => Effect::Updated(Digest::of(&self.content)),
        }
    }
}

/// The writes of a step under way. One that is dropped before it is settled was cut off, so that its writes
/// may have been done.
struct Pending<'w> {
    workload: &'w FlowWorkload,
    step: &'w Step,
    user: u32,
    writes: Vec<Write>,
    is_settled: bool,
}

impl Pending<'_> {
    /// Enters what became of the writes. A step that failed although its writes were acknowledged says why.
    fn settle(
        &mut self,
        outcome: Outcome,
        failed: Option<String>,
        effects: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        self.is_settled = true;
        for (plan, write) in self.step.effects.iter().zip(&self.writes) {
            if plan.verb == Verb::Reads {
                if outcome == Outcome::Acknowledged {
                    self.saw(plan, write, effects.started_ns());
                }
                continue;
            }
            let tally = &self.workload.shared.tallies[plan.effect];
            match outcome {
                Outcome::Acknowledged => {
                    Tally::add(&tally.acknowledged);
                    self.add_to_sum(plan, write, true);
                    self.acknowledge(plan, write, failed.is_some(), effects);
                }
                Outcome::Refused(reason) => {
                    Tally::add(&tally.refused);
                    if write.has_key {
                        self.workload.shared.refuse(RefusedWrite {
                            effect: plan.effect,
                            key: write.key().into_owned(),
                            user: self.user,
                            reason,
                        });
                    }
                }
                Outcome::Unknown(_) => {
                    Tally::add(&tally.unknown);
                    self.add_to_sum(plan, write, false);
                    match write.has_key {
                        true => {
                            let kind = self.workload.kind(plan);
                            self.workload.journal.attempted(effects, kind, &write.key());
                        }
                        false => Tally::add(&tally.unnamed),
                    }
                }
            }
        }
        match (outcome, failed) {
            (Outcome::Acknowledged, None) => Ok(()),
            (Outcome::Acknowledged, Some(failed)) => Err(Failure::new(failed)),
            (outcome, _) => Err(Failure::new(outcome.to_string())),
        }
    }

    fn saw(&self, plan: &EffectPlan, write: &Write, began_ns: u64) {
        self.workload.shared.saw(SeenContent {
            effect: plan.effect,
            key: write.key().into_owned(),
            content: (!write.is_absent).then(|| Digest::of(&write.content)),
            began_ns,
            user: self.user,
        });
    }

    fn add_to_sum(&self, plan: &EffectPlan, write: &Write, is_acknowledged: bool) {
        if plan.verb == Verb::Adds
            && let Ok(by) = write.amount()
        {
            let shared = &self.workload.shared;
            shared.add(plan.effect, &write.key(), by, is_acknowledged);
        }
    }

    fn acknowledge(
        &self,
        plan: &EffectPlan,
        write: &Write,
        step_fails: bool,
        effects: &mut Effects<'_>,
    ) {
        let (kind, key) = (self.workload.kind(plan), write.key());
        let effect = write.effect(plan.verb);
        if step_fails {
            // The engine takes what a failed step says for attempts.
            self.workload.shared.enter(kind, &key, effect, self.user);
            return;
        }
        let journal = &self.workload.journal;
        match effect {
            Effect::Created(digest) => journal.created(effects, kind, &key, digest),
            Effect::Updated(digest) => journal.updated(effects, kind, &key, digest),
            Effect::Removed => journal.removed(effects, kind, &key),
            Effect::Attempted => journal.attempted(effects, kind, &key),
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let writes = self.step.effects.iter().zip(&self.writes);
        for (plan, write) in writes.filter(|(plan, _)| plan.verb != Verb::Reads) {
            let shared = &self.workload.shared;
            let tally = &shared.tallies[plan.effect];
            Tally::add(&tally.unknown);
            self.add_to_sum(plan, write, false);
            match write.has_key {
                true => shared.enter(
                    self.workload.kind(plan),
                    &write.key(),
                    Effect::Attempted,
                    self.user,
                ),
                false => Tally::add(&tally.unnamed),
            }
        }
    }
}
