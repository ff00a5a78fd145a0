//! Actions of a domain, as the simulator plays them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effect::{Done, Effect};
use super::formula::{Formula, Objects, is_of};
use super::names::Typed;
use crate::run::context::Context;
use crate::run::handler::Handler;
use crate::run::report::{PreconditionStatus, Reversibility, Spread};
use crate::run::stop::Stop;

/// An action as the domain declares it.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    pub(super) parameters: Vec<Typed>,
    pub(super) precondition: Formula,
    pub(super) effect: Effect,
}

pub(super) struct Play {
    operator: Operator,
    objects: Arc<Objects>,
    values: Arc<BTreeMap<String, f64>>,
}

impl Play {
    pub(super) fn new(
        operator: Operator,
        objects: &Objects,
        values: &BTreeMap<String, f64>,
    ) -> Self {
        Self {
            operator,
            objects: Arc::new(objects.clone()),
            values: Arc::new(values.clone()),
        }
    }
}

impl Handler for Play {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let given = context.parameters();
        let mut bindings = Vec::with_capacity(self.operator.parameters.len());
        for parameter in &self.operator.parameters {
            let object = context.text(&parameter.name)?;
            match self.objects.get(object) {
                None => return Err(Stop::would_fail(format!("there is no object {object:?}"))),
                Some(types) if !is_of(types, parameter) => {
                    let wanted = parameter.types.join(" or ");
                    return Err(Stop::would_fail(format!("{object} is no {wanted}")));
                }
                Some(_) => bindings.push((parameter.name.clone(), object.to_owned())),
            }
        }
        if given.len() > bindings.len() {
            return Err(Stop::would_fail(format!(
                "it takes {} objects, not {}",
                bindings.len(),
                given.len()
            )));
        }
        require(
            &self.operator.precondition,
            &bindings,
            &self.objects,
            context,
        )?;
        let mut done = Done::default();
        self.operator
            .effect
            .gather(&bindings, &self.objects, &self.values, context, &mut done);
        for key in &done.deleted {
            // What is added too holds before and after.
            if !done.added.contains(key) {
                context.delete(key);
            }
        }
        for key in &done.added {
            context.write(key, true);
        }
        if done.cost > 0.0 {
            /// Costs are counted in millionths.
            const MICROS: f64 = 1_000_000.0;
            context.estimate(
                Spread::default(),
                Spread::exactly((done.cost * MICROS) as u64),
            );
        }
        Ok(())
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }
}

/// What has to hold at the end of a plan.
pub(super) struct Goal {
    goal: Formula,
    objects: Arc<Objects>,
}

impl Goal {
    pub(super) fn new(goal: Formula, objects: &Objects) -> Self {
        Self {
            goal,
            objects: Arc::new(objects.clone()),
        }
    }
}

impl Handler for Goal {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        require(&self.goal, &[], &self.objects, context)
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }
}

fn require(
    formula: &Formula,
    bindings: &[(String, String)],
    objects: &Objects,
    context: &mut Context<'_, '_>,
) -> Result<(), Stop> {
    match formula.broken(bindings, objects, context) {
        None => {
            context.precondition("its condition", PreconditionStatus::Satisfied, None);
            Ok(())
        }
        Some(reason) => {
            context.precondition(
                "its condition",
                PreconditionStatus::Violated,
                Some(reason.clone()),
            );
            Err(Stop::would_fail(reason))
        }
    }
}
