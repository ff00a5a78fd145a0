//! From what a file says to what can be run; each contradiction is told with its place.

mod asked;
mod context;
mod data;
mod effects;
mod expect;
mod faults;
mod invariants;
mod parts;
mod places;
mod services;
mod steps;

use std::collections::BTreeMap;

use drivers::{Constants, Reach, Scope, Traits};
use load_engine::Mix;

pub(super) use self::context::File;
use self::context::{Context, reach_of};
use self::effects::Effects;
use self::places::key_of;
pub(super) use self::services::service_files;
use super::program::{Flow, Program, Service, Step};
use super::spec::StepSpec;
use crate::scenario::key_path::unknown;
use crate::{KeyPath, SpecError};

/// Compiles a file for the run of these constants.
pub(super) fn compile(file: &File, constants: Constants) -> Result<Program, SpecError> {
    let mut scope = Scope::new(constants);
    let flows = &file.flows;
    declare_setup(&flows.setup, &mut scope)?;
    let services = services::compile(&file.services, &file.load.permissions, &mut scope)?;
    let mut context = Context {
        file,
        services: &services,
        effects: Effects::of(&flows.effects, file.load.permissions.unverified)?,
        user_setup: Vec::new(),
        names: BTreeMap::new(),
    };
    let user_data = data::define(file, &flows.setup, Reach::User, &mut scope)?;
    let (run_setup, user_setup) = context.setup(&mut scope)?;
    let lasting = scope.mark();
    let compiled_flows = context.flows(&mut scope, lasting)?;
    let effects = context.effects.compile(&services, &mut scope)?;
    scope.forget_after(lasting);
    scope.limit(Reach::Run);
    let teardown = context.teardown(&mut scope)?;
    let invariants = invariants::compile(file, &services, &mut scope)?;
    let mixes = mixes(file)?;
    let faults = faults::compile(file, &services)?;
    let services = services.into_iter().map(|declared| declared.service);
    let mut services: Vec<Service> = services.collect();
    let (mut user_setup, mut flows, mut effects) = (user_setup, compiled_flows, effects);
    let parts = parts::number(&mut services, &mut user_setup, &mut flows, &mut effects);
    let constants = scope.constants();
    Ok(Program {
        run: constants.run().into(),
        secrets: constants.secrets().clone(),
        services,
        flows,
        mixes,
        run_setup,
        user_setup,
        teardown,
        effects,
        is_open: file.load.is_open,
        seed: file.load.seed,
        folder: file.load.permissions.folder.clone(),
        user_data,
        invariants,
        faults,
        parts,
    })
}

/// Defines what set-ups capture, which headers of services may name before any step is compiled.
fn declare_setup(setup: &[StepSpec], scope: &mut Scope) -> Result<(), SpecError> {
    for (number, step) in setup.iter().enumerate() {
        let at = KeyPath::to("setup").then(number).then("capture");
        for name in step.capture.keys() {
            scope
                .define(name, reach_of(step), Traits::CAPTURED)
                .map_err(|error| key_of(&at.then(name.as_str()), error))?;
        }
    }
    Ok(())
}

impl Context<'_> {
    /// The set-ups for the whole run, and those for each user.
    fn setup(&mut self, scope: &mut Scope) -> Result<(Vec<Step>, Vec<Step>), SpecError> {
        let (mut of_run, mut of_user) = (Vec::new(), Vec::new());
        for (number, spec) in self.file.flows.setup.iter().enumerate() {
            let at = KeyPath::to("setup").then(number);
            let reach = reach_of(spec);
            scope.limit(reach);
            let name = format!("setup {}", number + 1);
            let step = self.step(spec, &at, Some(&name), steps::Place::SetUp(reach), scope)?;
            match reach {
                Reach::Run => of_run.push(step),
                _ => {
                    self.user_setup.push(step.spec.name.to_string());
                    of_user.push(step);
                }
            }
        }
        scope.limit(Reach::Iteration);
        Ok((of_run, of_user))
    }

    fn flows(&mut self, scope: &mut Scope, lasting: usize) -> Result<Vec<Flow>, SpecError> {
        let flows = &self.file.flows.flows;
        if flows.is_empty() {
            let problem = "there is no flow: write [[flows.NAME]] with a request";
            return Err(SpecError::new(KeyPath::to("services"), problem));
        }
        let mut compiled = Vec::new();
        for (name, specs) in flows {
            let at = KeyPath::to("flows").then(name.as_str());
            if specs.is_empty() {
                let problem = "a flow has at least one step";
                return Err(SpecError::new(at, problem));
            }
            let data = data::define(self.file, specs, Reach::Iteration, scope)?;
            let only = (specs.len() == 1).then_some(name.as_str());
            let mut steps = Vec::new();
            for (number, spec) in specs.iter().enumerate() {
                let at = at.then(number);
                steps.push(self.step(spec, &at, only, steps::Place::Flow, scope)?);
            }
            scope.forget_after(lasting);
            compiled.push(Flow {
                name: name.as_str().into(),
                steps,
                data,
            });
        }
        Ok(compiled)
    }

    fn teardown(&mut self, scope: &mut Scope) -> Result<Vec<Step>, SpecError> {
        let specs = self.file.flows.teardown.iter().enumerate();
        specs
            .map(|(number, spec)| {
                let at = KeyPath::to("teardown").then(number);
                let name = format!("teardown {}", number + 1);
                self.step(spec, &at, Some(&name), steps::Place::TearDown, scope)
            })
            .collect()
    }
}

/// The weights of flows, phase by phase.
fn mixes(file: &File) -> Result<Vec<Mix<usize>>, SpecError> {
    let whole = file.flows.mix.as_ref();
    let at = KeyPath::to("model").then("mix");
    let whole = mix(file, whole, &at)?;
    let phases = file.phases.iter().enumerate();
    let of_phases = phases.map(|(number, phase)| match &phase.mix {
        None => Ok(whole.clone()),
        Some(weights) => {
            let at = file.load.phase_path(number).then("mix");
            mix(file, Some(weights), &at)
        }
    });
    let of_phases = of_phases.collect::<Result<Vec<_>, _>>()?;
    Ok(match of_phases.is_empty() {
        true => vec![whole],
        false => of_phases,
    })
}

fn mix(
    file: &File,
    weights: Option<&BTreeMap<String, u32>>,
    at: &KeyPath,
) -> Result<Mix<usize>, SpecError> {
    let names: Vec<&str> = file.flows.flows.keys().map(String::as_str).collect();
    let Some(weights) = weights else {
        let equal = (0..names.len()).map(|flow| (flow, 1));
        return Mix::new(equal).map_err(|error| SpecError::new(at.clone(), error.to_string()));
    };
    let mut choices = Vec::new();
    for (name, weight) in weights {
        let flow = names.iter().position(|known| known == name);
        let flow = flow.ok_or_else(|| {
            let problem = unknown("flow", name, names.iter().copied());
            SpecError::of_key(at.then(name.as_str()), problem)
        })?;
        choices.push((flow, *weight));
    }
    Mix::new(choices).map_err(|error| SpecError::new(at.clone(), error.to_string()))
}
