//! The thresholds of a file: of the whole load, of a phase, and those that end it.

use std::time::Duration;

use load_engine::{Condition, Names, Phase, RunError, StepSpec, Threshold};

use super::key_path::{Inside, KeyPath, SpecError};
use super::phases::TimedPhase;
use super::spec::ScenarioSpec;

/// Reads thresholds that may name these steps and phases.
pub(super) struct ThresholdReader<'r> {
    pub(super) steps: &'r [StepSpec],
    /// The names of times beside steps.
    pub(super) parts: &'r [String],
    /// Steps with times beside them that are named when the run has begun.
    pub(super) open_parts: &'r [String],
    /// The names of services.
    pub(super) services: &'r [String],
    pub(super) phases: &'r [Phase],
}

impl ThresholdReader<'_> {
    /// Those of the whole load, and those of each phase as it comes.
    pub(super) fn all(
        &self,
        spec: &ScenarioSpec,
        timed: &[TimedPhase<'_>],
    ) -> Result<Vec<Threshold>, SpecError> {
        let mut thresholds = Vec::new();
        for (number, text) in spec.thresholds.iter().enumerate() {
            thresholds.push(self.read(text, &KeyPath::to("thresholds").then(number))?);
        }
        for phase in timed {
            let at = phase.path().then("thresholds");
            for (number, text) in phase.spec.thresholds.iter().enumerate() {
                let at = at.then(number);
                // As it stands first, so that a mistake is pointed at where it stands.
                parse(text, &at)?;
                thresholds.push(self.read(&in_phase(text, &phase.name, &at)?, &at)?);
            }
        }
        Ok(thresholds)
    }

    /// Those that end the load, each with the time from which on it is judged.
    pub(super) fn aborts(
        &self,
        spec: &ScenarioSpec,
    ) -> Result<Vec<(Threshold, Duration)>, SpecError> {
        let rules = spec.abort_on_fail.iter().enumerate();
        rules
            .map(|(number, rule)| {
                let at = KeyPath::to("abort_on_fail").then(number).then("threshold");
                let after = rule.after.map_or(Duration::ZERO, |time| time.0);
                Ok((self.live(self.read(&rule.threshold, &at)?, &at)?, after))
            })
            .collect()
    }

    /// What ends phases before their time, each with the phase's number.
    pub(super) fn ends(
        &self,
        timed: &[TimedPhase<'_>],
    ) -> Result<Vec<(usize, Condition)>, SpecError> {
        let mut ends = Vec::new();
        for (number, phase) in timed.iter().enumerate() {
            let Some(text) = &phase.spec.until else {
                continue;
            };
            let at = phase.path().then("until");
            parse(text, &at)?;
            let threshold = self.read(&in_phase(text, &phase.name, &at)?, &at)?;
            ends.push((number, self.live(threshold, &at)?.into()));
        }
        Ok(ends)
    }

    fn names(&self) -> Names<'_> {
        Names {
            steps: self.steps,
            parts: self.parts,
            open_parts: self.open_parts,
            services: self.services,
            phases: self.phases,
        }
    }

    fn read(&self, text: &str, at: &KeyPath) -> Result<Threshold, SpecError> {
        let threshold = parse(text, at)?;
        let checked = threshold.check_names(&self.names());
        checked.map_err(|error| mistake(error, at.clone()))?;
        Ok(threshold)
    }
}

impl ThresholdReader<'_> {
    /// A threshold that can be judged while the load goes on.
    fn live(&self, threshold: Threshold, at: &KeyPath) -> Result<Threshold, SpecError> {
        let checked = threshold.check_live();
        checked.map_err(|error| mistake(error, at.clone()))?;
        match threshold.names_part(&self.names()) {
            false => Ok(threshold),
            true => Err(SpecError::new(
                at.clone(),
                "times beside steps are known only when the load is over, so they cannot end it",
            )),
        }
    }
}

fn parse(text: &str, at: &KeyPath) -> Result<Threshold, SpecError> {
    text.parse().map_err(|error| mistake(error, at.clone()))
}

/// A mistake in a threshold, at its place in the text.
fn mistake(error: RunError, at: KeyPath) -> SpecError {
    match error {
        RunError::Threshold {
            column, problem, ..
        } => SpecError {
            inside: Inside::Chars(column.saturating_sub(1)),
            ..SpecError::new(at, problem)
        },
        other => SpecError::new(at, other.to_string()),
    }
}

/// The same threshold of one phase: `p99 < 50ms` becomes `p99(@ "peak") < 50ms`.
fn in_phase(text: &str, phase: &str, at: &KeyPath) -> Result<String, SpecError> {
    let name_end = text
        .find(|c: char| "(<>=!".contains(c) || c.is_whitespace())
        .unwrap_or(text.len());
    let (metric, rest) = text.split_at(name_end);
    let scope = format!("@ \"{phase}\"");
    let Some(inner) = rest.trim_start().strip_prefix('(') else {
        return Ok(format!("{metric}({scope}){rest}"));
    };
    let end = closing(inner).unwrap_or(inner.len());
    let (step, rest) = inner.split_at(end);
    if step.contains('@') {
        let problem = "a threshold of a phase names no other one: leave the `@` and the name out";
        return Err(SpecError::new(at.clone(), problem));
    }
    Ok(format!("{metric}({} {scope}{rest}", step.trim_end()))
}

/// Where the parenthesis closes: not within a quotation.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, letter)| {
            quoted ^= *letter == '"';
            *letter == ')' && !quoted
        })
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_of_a_phase_is_one_of_that_phase() {
        let scoped = |text: &str| in_phase(text, "peak 1", &KeyPath::default()).unwrap();
        assert_eq!(scoped("p99 < 50ms"), "p99(@ \"peak 1\") < 50ms");
        assert_eq!(scoped("p99<50ms"), "p99(@ \"peak 1\")<50ms");
        assert_eq!(
            scoped("mean(append) < 1ms"),
            "mean(append @ \"peak 1\") < 1ms"
        );
        assert_eq!(
            scoped("max(\"can (not)\") < 1ms"),
            "max(\"can (not)\" @ \"peak 1\") < 1ms"
        );
        for text in ["p99 < 50ms", "max(\"can (not)\") < 1ms"] {
            scoped(text).parse::<Threshold>().unwrap();
        }
        assert!(in_phase("p99(@ other) < 1ms", "peak", &KeyPath::default()).is_err());
    }
}
