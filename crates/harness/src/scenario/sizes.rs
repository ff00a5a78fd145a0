//! The same scenario at another size, for searches: as what is set over the file, so that a report of it
//! can be repeated like any other.

use super::ScenarioFile;
use super::key_path::{KeyPath, SpecError, byte_of, line_and_column};
use super::spec::{Course, ModelKind};
use crate::Error;

impl ScenarioFile {
    /// The highest rate that its phases ask for, in arrivals a second; none in a closed model.
    #[must_use]
    pub fn highest_rate(&self) -> Option<f64> {
        let rates = self
            .compiled
            .spec
            .phases
            .iter()
            .filter_map(|phase| phase.rate);
        rates.map(|rate| rate.from.max(rate.to)).reduce(f64::max)
    }

    /// What to set over the file so that its highest rate is this one, and all others are so in
    /// proportion.
    ///
    /// # Errors
    ///
    /// When its model has no rate.
    pub fn set_for_rate(&self, per_s: f64) -> Result<Vec<String>, Error> {
        let Some(highest) = self.highest_rate().filter(|rate| *rate > 0.0) else {
            let problem = "a closed model has no rate to search: set kind = \"open\", and a `rate` in \
                           each phase";
            return Err(self.refused(KeyPath::to("model").then("kind"), problem));
        };
        let scaled = |rate: f64| rate * (per_s / highest);
        let phases = self.compiled.spec.phases.iter().enumerate();
        let set = phases.filter_map(|(number, phase)| {
            let Course { from, to, steps } = phase.rate?;
            let (from, to) = (scaled(from), scaled(to));
            Some(match steps {
                None if from == to => format!("phases.{number}.rate={from:?}"),
                None => format!("phases.{number}.rate={{ from = {from:?}, to = {to:?} }}"),
                Some(steps) => {
                    format!(
                        "phases.{number}.rate={{ from = {from:?}, to = {to:?}, steps = {steps} }}"
                    )
                }
            })
        });
        Ok(set.collect())
    }

    /// What to set over the file so that there are as many users all the time.
    ///
    /// # Errors
    ///
    /// When its model is open.
    pub fn set_for_users(&self, users: u32) -> Result<Vec<String>, Error> {
        if self.compiled.spec.model.kind == ModelKind::Open {
            let problem = "an open model has arrivals, whose number does not grow with users: set kind = \
                           \"closed\"";
            return Err(self.refused(KeyPath::to("model").then("kind"), problem));
        }
        Ok(match self.compiled.spec.phases.len() {
            0 => vec![format!("model.users={users}")],
            phases => (0..phases)
                .map(|number| format!("phases.{number}.users={users}"))
                .collect(),
        })
    }

    fn refused(&self, at: KeyPath, problem: &str) -> Error {
        let text = &self.definition.text;
        let (line, column) = line_and_column(text, byte_of(text, &SpecError::new(at, problem)));
        Error::ScenarioFile {
            path: self.path.clone(),
            line,
            column,
            problem: problem.to_owned(),
        }
    }
}
