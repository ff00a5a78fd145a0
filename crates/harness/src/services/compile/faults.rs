//! Faults: what happens to services during the load, and when.

use std::time::Duration;

use drivers::proxy::{ActiveFault, Direction, NetworkFault};
use load_engine::quantity::{self, Dimension};

use super::super::program::{Fault, Service};
use super::super::spec::{DirectionSpec, FaultKind, FaultSpec};
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
    for (number, fault) in (1..).zip(&mut faults) {
        if let Some(network) = &mut fault.network {
            network.number = number;
        }
    }
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
    let network = network(spec, services[service].service.driver.kind(), at)?;
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
        network,
        detail: detail(spec),
    })
}

/// What the network does, if the fault is one of its.
fn network(spec: &FaultSpec, of: &str, at: &KeyPath) -> Result<Option<ActiveFault>, SpecError> {
    let kind = spec.kind.name();
    let value = |dimension, example: &str| {
        let Some(text) = &spec.value else {
            let problem = format!("`{kind}` needs a value, such as value = \"{example}\"");
            return Err(SpecError::new(at.clone(), problem));
        };
        // A bandwidth may say of what time it is.
        let text = match spec.kind {
            FaultKind::Bandwidth => text.strip_suffix("/s").unwrap_or(text),
            _ => text,
        };
        let at = at.then("value");
        match quantity::parse(text, dimension) {
            Ok(value) if value >= 1.0 => Ok(value),
            Ok(_) => Err(SpecError::new(
                at,
                format!("`value` of `{kind}` is above 0"),
            )),
            Err(problem) => Err(SpecError::new(at, problem)),
        }
    };
    let fault = match spec.kind {
        FaultKind::Restart | FaultKind::Kill | FaultKind::Pause => None,
        FaultKind::Latency => {
            let ns = value(Dimension::Time, "50ms")?;
            Some(NetworkFault::Latency(Duration::from_nanos(ns as u64)))
        }
        FaultKind::Bandwidth => {
            let rate = value(Dimension::Bytes, "100KB/s")?;
            Some(NetworkFault::Bandwidth(rate as u64))
        }
        FaultKind::LimitData => {
            let limit = value(Dimension::Bytes, "10KB")?;
            Some(NetworkFault::LimitData(limit as u64))
        }
        FaultKind::Timeout => Some(NetworkFault::Timeout),
        FaultKind::ResetPeer => Some(NetworkFault::ResetPeer),
        FaultKind::DropAnswer => Some(NetworkFault::DropAnswer),
        FaultKind::Duplicate if of != "http" => {
            let problem = "`duplicate` repeats a request over a connection of its own, which only a \
                           service of kind `http` understands";
            return Err(SpecError::of_key(at.then("kind"), problem));
        }
        FaultKind::Duplicate => Some(NetworkFault::Duplicate),
    };
    let has_value = matches!(
        spec.kind,
        FaultKind::Latency | FaultKind::Bandwidth | FaultKind::LimitData
    );
    let has_direction = has_value || spec.kind == FaultKind::Timeout;
    for (key, is_set, may_be) in [
        ("value", spec.value.is_some(), has_value),
        ("share", spec.share.is_some(), fault.is_some()),
        ("direction", spec.direction.is_some(), has_direction),
    ] {
        if is_set && !may_be {
            let problem = format!("a `{kind}` has no `{key}`: leave it out");
            return Err(SpecError::of_key(at.then(key), problem));
        }
    }
    let share = match &spec.share {
        None => 1.0,
        Some(text) => quantity::parse(text, Dimension::Share)
            .map_err(|problem| SpecError::new(at.then("share"), problem))?,
    };
    Ok(fault.map(|fault| ActiveFault {
        // Each has its own when all are known.
        number: 0,
        fault,
        share,
        direction: spec.direction.map(|direction| match direction {
            DirectionSpec::Requests => Direction::Requests,
            DirectionSpec::Answers => Direction::Answers,
        }),
    }))
}

/// What is told of a fault besides its kind.
fn detail(spec: &FaultSpec) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    words.extend(spec.value.as_deref());
    words.extend(spec.direction.map(|direction| match direction {
        DirectionSpec::Requests => "of requests",
        DirectionSpec::Answers => "of answers",
    }));
    let share = spec.share.as_ref().map(|share| format!("share {share}"));
    words.extend(share.as_deref());
    (!words.is_empty()).then(|| words.join(", "))
}

/// The service that is named, or the only one to which it can happen.
fn service(spec: &FaultSpec, services: &[Declared], at: &KeyPath) -> Result<usize, SpecError> {
    let can = |service: &Service| match spec.kind {
        FaultKind::Restart => service.start.is_some() || service.restart.is_some(),
        FaultKind::Kill | FaultKind::Pause => service.start.is_some(),
        _ => service.driver.address().is_some(),
    };
    let needs = match spec.kind {
        FaultKind::Restart => "`start` or `restart`",
        FaultKind::Kill | FaultKind::Pause => "`start`",
        _ => "an `url`",
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
