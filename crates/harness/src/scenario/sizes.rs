//! The same scenario at another size, for searches: as what is set over the file, so that a report of it
//! can be repeated like any other.

use super::ScenarioFile;
use super::key_path::{KeyPath, SpecError, byte_of, line_and_column};
use super::overrides::Edit;
use super::spec::{Course, Executor, ModelKind, PhaseSpec, ScenarioSpec};
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

    /// The most users that stand at once; none in an open model.
    #[must_use]
    pub fn most_users(&self) -> Option<f64> {
        let spec = &self.compiled.spec;
        let courses = spec.phases.iter().filter_map(|phase| phase.users);
        let highest = courses.map(|users| users.from.max(users.to));
        highest
            .chain(spec.model.users.map(f64::from))
            .reduce(f64::max)
    }

    /// What to set over the file so that its highest rate is this one, and all others are so in
    /// proportion. The phases of a closed model become those of an open one, with rates in proportion to
    /// their users.
    ///
    /// # Errors
    ///
    /// When its model has neither a rate nor phases.
    pub fn set_for_rate(&self, per_s: f64) -> Result<Vec<String>, Error> {
        let spec = &self.compiled.spec;
        let Some(highest) = self.highest_rate().filter(|rate| *rate > 0.0) else {
            return self.opened(per_s);
        };
        let phases = spec.phases.iter().enumerate();
        let set = phases.filter_map(|(number, phase)| {
            let rate = course(phase.rate?.times(per_s / highest));
            Some(format!("phases.{number}.rate={rate}"))
        });
        Ok(set.collect())
    }

    /// An open model in place of the file's closed one.
    fn opened(&self, per_s: f64) -> Result<Vec<String>, Error> {
        let spec = &self.compiled.spec;
        let most = self.most_users().filter(|most| *most > 0.0);
        let Some(most) = most.filter(|_| !spec.phases.is_empty()) else {
            let problem = "a load without phases has no rate to search: give it phases, each with `users` \
                           or a `rate`";
            return Err(self.refused(KeyPath::to("model"), problem));
        };
        let phases: Vec<String> = spec
            .phases
            .iter()
            .map(|phase| opened(phase, per_s / most))
            .collect();
        let executor = match spec.model.executor {
            Executor::Threads => "threads",
            Executor::Tokio => "tokio",
        };
        Ok(vec![
            format!("model={{ kind = \"open\", executor = \"{executor}\" }}"),
            format!("phases=[{}]", phases.join(", ")),
        ])
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

impl Course {
    fn times(self, factor: f64) -> Self {
        Self {
            from: self.from * factor,
            to: self.to * factor,
            ..self
        }
    }
}

/// A course as TOML has it.
fn course(Course { from, to, steps }: Course) -> String {
    match steps {
        None if from == to => format!("{from:?}"),
        None => format!("{{ from = {from:?}, to = {to:?} }}"),
        Some(steps) => format!("{{ from = {from:?}, to = {to:?}, steps = {steps} }}"),
    }
}

/// A phase with a rate in place of its users, as TOML has it.
fn opened(phase: &PhaseSpec, per_user: f64) -> String {
    let none = Course {
        from: 0.0,
        to: 0.0,
        steps: None,
    };
    let rate = course(phase.users.unwrap_or(none).times(per_user));
    // A text of JSON is one of TOML.
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let thresholds: Vec<String> = phase.thresholds.iter().map(|own| text(own)).collect();
    let mut table = format!(
        "name = {}, for = \"{}\", rate = {rate}, thresholds = [{}]",
        text(&phase.name),
        phase.length,
        thresholds.join(", ")
    );
    if let Some(until) = &phase.until {
        table.push_str(&format!(", until = {}", text(until)));
    }
    if let Some(repeat) = phase.repeat {
        table.push_str(&format!(", repeat = {repeat}"));
    }
    format!("{{ {table} }}")
}

/// The number of users that is set over a file whose phases say how many there are: the most of them is that
/// number, and the others are so in proportion.
pub(super) fn users_of_phases(spec: &ScenarioSpec, edit: Edit) -> Vec<Edit> {
    let is_phased = spec.model.kind == ModelKind::Closed && !spec.phases.is_empty();
    let courses = || spec.phases.iter().filter_map(|phase| phase.users);
    let most = courses().map(|users| users.from.max(users.to));
    let most = most.reduce(f64::max).filter(|most| *most > 0.0);
    let asked = edit.number("model.users");
    let (Some(asked), Some(most), true) = (asked, most, is_phased) else {
        return vec![edit];
    };
    let phases = spec.phases.iter().enumerate();
    let scaled = phases.filter_map(|(number, phase)| {
        let users = phase.users?.times(f64::from(asked) / most);
        let whole = Course {
            from: users.from.round(),
            to: users.to.round(),
            ..users
        };
        let text = course(whole).replace(".0", "");
        Some(Edit::set(&format!("phases.{number}.users"), text))
    });
    scaled.collect()
}
