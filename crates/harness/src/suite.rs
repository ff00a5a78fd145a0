use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use load_engine::{Model, Plan};

use crate::scenario_file::quoted;
use crate::{Error, Executor, Journal, Progress, Scenario, ScenarioFile, Trial, clock};
use report::{Draft, save_draft};
use report::{Limits, Report, Saved, ScenarioResult, Settings, judge};

/// Scenarios that run one after another, and what they are judged by.
#[derive(Debug, Clone)]
pub struct Suite {
    settings: Settings,
    entries: Vec<Entry>,
    limits: Limits,
    journal: Journal,
    keep: bool,
    command: String,
}

#[derive(Debug, Clone)]
enum Entry {
    Builtin(Scenario),
    // A file is large, and there are few.
    File(Box<ScenarioFile>),
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
            entries: scenarios.into_iter().map(Entry::Builtin).collect(),
            limits: Limits::default(),
            journal: Journal::none(),
            keep: false,
            command,
        }
    }

    /// A suite of scenario files, in this order. Those with thresholds are judged by them, and not by
    /// the limits.
    pub fn of_files(files: impl IntoIterator<Item = ScenarioFile>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let mut command = "proofload run".to_owned();
        for file in &files {
            command.push(' ');
            command.push_str(&quoted(&file.path().display().to_string()));
        }
        // All files of one command line have the same ones.
        if let Some(first) = files.first() {
            command.push_str(&first.arguments());
        }
        let settings = Settings {
            seed: files.first().map_or(0, |file| file.spec().seed),
            ..Settings::default()
        };
        let files = files.into_iter().map(Box::new).map(Entry::File);
        Self {
            settings,
            entries: files.collect(),
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
        for entry in &self.entries {
            if progress.is_interrupted() {
                break;
            }
            scenarios.push(match entry {
                Entry::Builtin(scenario) => {
                    let trial = self.trial(*scenario, out, beside_report);
                    scenario.run(&trial, &self.journal, progress)?
                }
                Entry::File(file) => {
                    let trial = file.trial(out, beside_report, self.keep);
                    file.run(&trial, &self.journal, progress)?
                }
            });
        }
        // What was left out is the caller's to know, even if no load was cut short.
        let interrupted = scenarios.len() < self.entries.len()
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
        let model = match self.settings.duration_ms {
            Some(ms) => Model::elapsed(load.users, Duration::from_millis(ms.get())),
            None => Model::iterations(load.users, load.each),
        };
        Trial {
            name: scenario.name().to_owned(),
            title: scenario.title().to_owned(),
            target: scenario.name().to_owned(),
            plan: Plan::new(scenario.name(), model).seed(self.settings.seed),
            executor: Executor::Threads,
            needed_bytes: scenario.needed_bytes(load, self.settings.duration_ms),
            out: PathBuf::from(out),
            discrepancies: beside_report.join(format!("discrepancies-{}.jsonl", scenario.name())),
            keep: self.keep,
        }
    }
}
