//! Numbers for the times that are measured beside steps.

use super::super::program::{EffectKind, Flow, Service, Step, StreamParts};

/// Numbers every time that a file's run measures; gives their names.
pub(super) fn number(
    services: &mut [Service],
    user_setup: &mut [Step],
    flows: &mut [Flow],
    effects: &mut [EffectKind],
) -> Vec<String> {
    let mut names = Vec::new();
    let mut part = |owner: &str, what: &str| {
        names.push(format!("{owner}.{what}"));
        names.len() - 1
    };
    for service in services {
        service.connect_part = part(&service.name, "connect");
        if let Some(pool) = &mut service.pool {
            pool.wait_part = part(&service.name, "wait");
        }
    }
    let of_flows = flows.iter_mut().flat_map(|flow| &mut flow.steps);
    let steps = user_setup.iter_mut().chain(of_flows);
    for step in steps.filter(|step| step.expect.is_stream) {
        step.stream_parts = Some(StreamParts {
            first_byte: part(&step.spec.name, "first_byte"),
            first_event: part(&step.spec.name, "first_event"),
            event_gap: part(&step.spec.name, "event_gap"),
        });
    }
    for kind in effects {
        let takes_time = !kind.settle.is_zero() && kind.read.is_some();
        kind.visible_part = takes_time.then(|| part(kind.name, "visible"));
    }
    names
}
