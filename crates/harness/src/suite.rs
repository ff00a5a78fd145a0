use std::path::Path;
use std::time::Instant;

use crate::scenario::quoted;
use crate::{Error, FlagThreshold, Journal, Progress, ScenarioFile, clock};
use report::{Draft, save_draft};
use report::{Report, Saved, ScenarioResult, advice, judge};

/// Scenarios that run one after another, and what they are judged by.
#[derive(Debug, Clone)]
pub struct Suite {
    // A file is large, and there are few.
    files: Vec<ScenarioFile>,
    advised: Vec<FlagThreshold>,
    journal: Journal,
    keep: bool,
    command: String,
}

impl Suite {
    /// A suite of scenario files, in this order.
    pub fn new(files: impl IntoIterator<Item = ScenarioFile>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        Self {
            command: command(&files),
            files,
            advised: Vec::new(),
            journal: Journal::none(),
            keep: false,
        }
    }

    /// Sets the thresholds over all scenarios together that only recommend (default:
    /// [`DEFAULT_ADVICE`](report::DEFAULT_ADVICE)); each goes before the default on the same figure.
    #[must_use]
    pub fn advised(mut self, advised: Vec<FlagThreshold>) -> Self {
        for FlagThreshold { flag, .. } in &advised {
            self.command.push_str(&format!(" {flag}"));
        }
        self.advised = advised;
        self
    }

    /// Sets where acknowledgements are written besides the ledger (default: nowhere).
    #[must_use]
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Sets the command that the report names to repeat it (default: that of the files).
    #[must_use]
    pub fn repeated_by(mut self, command: &str) -> Self {
        command.clone_into(&mut self.command);
        self
    }

    /// Keeps what the targets wrote also when all holds (default: only when it does not).
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Runs every scenario and gives the report, saving nothing but discrepancies, which go to `out`.
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
        for file in &self.files {
            if progress.is_interrupted() {
                break;
            }
            let run = file.to_run(out, beside_report, self.keep);
            scenarios.push(file.run(&run, &self.journal, progress)?);
        }
        // What was left out is the caller's to know, even if no load was cut short.
        let interrupted = scenarios.len() < self.files.len()
            || scenarios.iter().any(ScenarioResult::was_interrupted);
        let flags = self.advised.iter().map(|flag| flag.threshold.clone());
        let verdict = judge(&scenarios, interrupted, &advice(flags));
        Ok(Report {
            started_at: started_at.to_string(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            command: self.command.clone(),
            interrupted,
            verdict,
            ..Report::new(scenarios, out)
        })
    }
}

/// The command that runs these files again.
fn command(files: &[ScenarioFile]) -> String {
    // All files of one command line have the same ones.
    let mut overrides = files
        .first()
        .map(|file| file.overrides().clone())
        .unwrap_or_default();
    if files.is_empty() || !files.iter().all(ScenarioFile::is_embedded) {
        let mut command = "proofload run".to_owned();
        for file in files {
            command.push(' ');
            command.push_str(&quoted(&file.path().display().to_string()));
        }
        return command + &overrides.to_arguments();
    }
    let mut command = "proofload suite".to_owned();
    let names: Vec<&str> = files.iter().map(ScenarioFile::name).collect();
    if !ScenarioFile::embedded_names().eq(names.iter().copied()) {
        command.extend(names.iter().map(|name| format!(" --only {name}")));
    }
    overrides.seed = Some(files.first().map_or(1, |file| file.spec().seed));
    command + &overrides.to_arguments()
}
