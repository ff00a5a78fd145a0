use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use load_engine::Until;

use crate::saved::{Draft, save_draft};
use crate::{
    Error, Journal, Limits, Progress, Report, Saved, Scenario, ScenarioResult, Settings, Trial,
    clock, judge,
};

/// Scenarios that run one after another, and what they are judged by.
#[derive(Debug, Clone)]
pub struct Suite {
    settings: Settings,
    scenarios: Vec<Scenario>,
    limits: Limits,
    journal: Journal,
    keep: bool,
    command: String,
}

impl Suite {
    /// A suite of these scenarios, in this order.
    pub fn new(settings: Settings, scenarios: impl IntoIterator<Item = Scenario>) -> Self {
        let scenarios: Vec<_> = scenarios.into_iter().collect();
        let only: String = match scenarios.as_slice() {
            all if all == Scenario::ALL => String::new(),
            some => some
                .iter()
                .map(|scenario| format!(" --only {scenario}"))
                .collect(),
        };
        let command = format!("proofload suite{only} {}", settings.to_arguments());
        Self {
            settings,
            scenarios,
            limits: Limits::default(),
            journal: Journal::none(),
            keep: false,
            command,
        }
    }

    /// Sets what the run is judged by (default: [`Limits::default`]).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.command.push_str(&limits.to_arguments());
        self.limits = limits;
        self
    }

    /// Sets where acknowledgements are written besides the ledger (default: nowhere).
    #[must_use]
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Keeps what the targets wrote also when all holds (default: only when it does not).
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Runs every scenario and gives the report, saving nothing but discrepancies, which stand in
    /// `out`.
    ///
    /// # Errors
    ///
    /// When a scenario could not run or not be verified. See [`prove`](crate::prove).
    pub fn run(&self, out: &Path, progress: &mut dyn Progress) -> Result<Report, Error> {
        std::fs::create_dir_all(out).map_err(Error::io("create directory", out))?;
        self.run_into(out, out, progress)
    }

    /// Runs every scenario and saves the report in a folder of its own below `out`.
    ///
    /// # Errors
    ///
    /// As [`Suite::run`], and when the report cannot be written.
    pub fn run_and_save(
        &self,
        out: &Path,
        progress: &mut dyn Progress,
    ) -> Result<(Report, Saved), Error> {
        let draft = Draft::begin(out)?;
        let report = self.run_into(out, draft.path(), progress)?;
        let saved = save_draft(&report, out, draft)?;
        Ok((report, saved))
    }

    fn run_into(
        &self,
        out: &Path,
        beside_report: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Report, Error> {
        let (started_at, began) = (clock::now(), Instant::now());
        let mut scenarios: Vec<ScenarioResult> = Vec::new();
        for &scenario in &self.scenarios {
            if progress.is_interrupted() {
                break;
            }
            let trial = self.trial(scenario, out, beside_report);
            scenarios.push(scenario.run(&trial, &self.journal, progress)?);
        }
        // What was left out is the caller's to know, even if no load was cut short.
        let interrupted = scenarios.len() < self.scenarios.len()
            || scenarios.iter().any(|scenario| scenario.run.interrupted);
        let verdict = judge(&scenarios, interrupted, &self.limits);
        Ok(Report {
            started_at: started_at.to_string(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            command: self.command.clone(),
            interrupted,
            verdict,
            ..Report::new(scenarios, &self.settings, self.limits, out)
        })
    }

    fn trial(&self, scenario: Scenario, out: &Path, beside_report: &Path) -> Trial {
        let load = scenario.load(&self.settings);
        Trial {
            name: scenario.name().to_owned(),
            title: scenario.title().to_owned(),
            users: load.users,
            until: match self.settings.duration_ms {
                Some(ms) => Until::Elapsed(Duration::from_millis(ms.get())),
                None => Until::Iterations(load.each),
            },
            seed: self.settings.seed,
            needed_bytes: scenario.needed_bytes(load, self.settings.duration_ms),
            out: PathBuf::from(out),
            discrepancies: beside_report.join(format!("discrepancies-{}.jsonl", scenario.name())),
            keep: self.keep,
        }
    }
}
