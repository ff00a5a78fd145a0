//! Invariants: requests that only read, and what their answers have to be.

use std::sync::OnceLock;
use std::time::Duration;

use drivers::{Purpose, Scope};
use load_engine::{StepSpec as EngineStep, ThinkTime};

use super::super::program::{Invariant, Step};
use super::super::spec::InvariantSpec;
use super::asked::Asked;
use super::context::File;
use super::expect;
use super::services::Declared;
use crate::{KeyPath, SpecError};

/// How long is waited between two requests, unless the file says.
const EVERY: Duration = Duration::from_secs(1);

/// Every invariant of a file.
pub(super) fn compile(
    file: &File,
    services: &[Declared],
    scope: &mut Scope,
) -> Result<Vec<Invariant>, SpecError> {
    let all = file.flows.invariants.iter();
    all.map(|(name, spec)| {
        let at = KeyPath::to("invariants").then(name.as_str());
        one(name, spec, &at, services, scope)
    })
    .collect()
}

fn one(
    name: &str,
    spec: &InvariantSpec,
    at: &KeyPath,
    services: &[Declared],
    scope: &mut Scope,
) -> Result<Invariant, SpecError> {
    scope.begin_step(&format!("invariant {name}"));
    let asked = spec.step();
    let request = Asked::by_step(&asked, Purpose::Read, at)?.compile(at, services, scope)?;
    let expect = expect::compile(&asked, &services[request.service], at, scope)?;
    if !scope.take_draws().is_empty() {
        let problem = "an invariant has no functions: it asks the same each time";
        return Err(SpecError::new(at.clone(), problem));
    }
    let every = spec.every.map_or(EVERY, |time| time.0);
    Ok(Invariant {
        name: name.into(),
        step: Step {
            spec: EngineStep::named(name.to_owned(), false),
            request,
            draws: Box::default(),
            expect,
            captures: Box::default(),
            effects: Box::default(),
            retry: None,
            poll: None,
            repeat: 1,
            think_time: ThinkTime::None,
            stream_parts: None,
            variants: OnceLock::new(),
        },
        has_expect: !spec.expect.is_empty(),
        every,
    })
}
