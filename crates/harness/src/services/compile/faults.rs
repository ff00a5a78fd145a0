//! Faults: what happens to services during the load, and when.

use std::time::Duration;

use super::super::program::{Fault, Service};
use super::super::spec::{FaultKind, FaultSpec};
use super::context::File;
use super::services::Declared;
use crate::scenario::key_path::unknown;
use crate::{KeyPath, SpecError, Time};

/// The faults of all phases, as they come.
pub(super) fn compile(file: &File, services: &[Declared]) -> Result<Vec<Fault>, SpecError> {
    let mut faults = Vec::new();
    let mut begin = Duration::ZERO;
    for (number, phase) in file.phases.iter().enumerate() {
        let length = file
            .load
            .phase_lengths
            .get(number)
            .copied()
            .unwrap_or_default();
        for (place, spec) in phase.faults.iter().enumerate() {
            let at = file.load.phase_path(number).then("faults").then(place);
            if file.load.phases_may_end_early {
                let problem = "faults are timed from the load's begin, and a phase with `until` may move \
                               them: leave one out";
                return Err(SpecError::new(at, problem));
            }
            faults.push(fault(spec, begin, length, services, &at)?);
        }
        begin += length;
    }
    faults.sort_by_key(|fault| fault.at);
    Ok(faults)
}

fn fault(
    spec: &FaultSpec,
    begin: Duration,
    of_phase: Duration,
    services: &[Declared],
    at: &KeyPath,
) -> Result<Fault, SpecError> {
    let service = service(spec, services, at)?;
    let length = match (spec.kind, spec.length) {
        (FaultKind::Restart, Some(_)) => {
            let problem = "a restart is over when the service is ready: leave `for` out";
            return Err(SpecError::of_key(at.then("for"), problem));
        }
        (FaultKind::Restart, None) => Duration::ZERO,
        (_, Some(length)) => length.0,
        (kind, None) => {
            let problem = format!(
                "say how long: for = \"2s\" is missing in a `{}`",
                kind.name()
            );
            return Err(SpecError::new(at.clone(), problem));
        }
    };
    if spec.at.0 + length > of_phase {
        let problem = format!(
            "the fault ends after the phase: `at` and `for` are {} of {}",
            Time(spec.at.0 + length),
            Time(of_phase)
        );
        return Err(SpecError::new(at.clone(), problem));
    }
    Ok(Fault {
        at: begin + spec.at.0,
        length,
        kind: spec.kind,
        service,
        service_name: services[service].service.name.clone(),
    })
}

/// The service that is named, or the only one to which it can happen.
fn service(spec: &FaultSpec, services: &[Declared], at: &KeyPath) -> Result<usize, SpecError> {
    let can = |service: &Service| match spec.kind {
        FaultKind::Restart => service.start.is_some() || service.restart.is_some(),
        FaultKind::Kill | FaultKind::Pause => service.start.is_some(),
    };
    let needs = match spec.kind {
        FaultKind::Restart => "`start` or `restart`",
        FaultKind::Kill | FaultKind::Pause => "`start`",
    };
    let needed = || format!("`{}` needs {needs} in the service", spec.kind.name());
    if let Some(name) = &spec.service {
        let names = services.iter().map(|declared| &*declared.service.name);
        let number = names.clone().position(|known| known == name);
        let number = number
            .ok_or_else(|| SpecError::new(at.then("service"), unknown("service", name, names)))?;
        return match can(&services[number].service) {
            true => Ok(number),
            false => Err(SpecError::new(at.then("kind"), needed())),
        };
    }
    let able: Vec<usize> = (0..services.len())
        .filter(|number| can(&services[*number].service))
        .collect();
    match *able {
        [only] => Ok(only),
        [] => Err(SpecError::new(at.then("kind"), needed())),
        [first, ..] => {
            let problem = format!(
                "this can happen to several services: say to which, such as service = \"{}\"",
                services[first].service.name
            );
            Err(SpecError::new(at.clone(), problem))
        }
    }
}
