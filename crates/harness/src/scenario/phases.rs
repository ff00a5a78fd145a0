//! The phases of a load as they come: one that is repeated comes several times.

use std::collections::BTreeSet;
use std::time::Duration;

use super::key_path::{KeyPath, SpecError};
use super::spec::{PhaseSpec, ScenarioSpec};

/// How often a phase may come.
const MAX_REPEAT: u32 = 1_000;

/// A phase as it comes.
#[derive(Debug, Clone)]
pub(super) struct TimedPhase<'s> {
    /// Which of the file's phases it is.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) length: Duration,
    pub(super) spec: &'s PhaseSpec,
}

impl TimedPhase<'_> {
    /// Its place in the file.
    pub(super) fn path(&self) -> KeyPath {
        KeyPath::to("phases").then(self.number)
    }
}

/// Every phase of the load, in order.
pub(super) fn timed_phases(spec: &ScenarioSpec) -> Result<Vec<TimedPhase<'_>>, SpecError> {
    let mut timed = Vec::new();
    let mut names = BTreeSet::new();
    for (number, phase) in spec.phases.iter().enumerate() {
        let at = KeyPath::to("phases").then(number);
        let repeat = phase.repeat.unwrap_or(1);
        if !(1..=MAX_REPEAT).contains(&repeat) {
            let problem = format!("a phase comes 1 to {MAX_REPEAT} times");
            return Err(SpecError::new(at.then("repeat"), problem));
        }
        if phase.name.is_empty() || phase.name.contains(['"', '\n']) {
            let problem = "a phase has a name, without quotation marks";
            return Err(SpecError::new(at.then("name"), problem));
        }
        for time in 1..=repeat {
            let name = match phase.repeat {
                Some(_) => format!("{} {time}", phase.name),
                None => phase.name.clone(),
            };
            if !names.insert(name.clone()) {
                let problem =
                    format!("another phase is called `{name}`: give this one its own name");
                return Err(SpecError::new(at.then("name"), problem));
            }
            timed.push(TimedPhase {
                number,
                name,
                length: phase.length.0,
                spec: phase,
            });
        }
    }
    Ok(timed)
}
