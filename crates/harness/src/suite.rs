use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::scenario::quoted;
use crate::{Error, FlagThreshold, Journal, Progress, ScenarioFile, clock, data_dir};
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
        let ran = self.run_into(out, out, progress)?;
        match ran.problem {
            Some(problem) => Err(problem),
            None => remove_all(&ran.verified).map(|()| ran.report),
        }
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
        let mut run = self.run_to_save(out, progress)?;
        let problem = run.problem.take();
        let (report, saved) = run.save()?;
        problem.map_or(Ok((report, saved)), Err)
    }

    /// Runs every scenario, for a caller that shows the report before it is saved: what was found is then
    /// seen even where it cannot be saved. What the targets wrote is kept until [`SuiteRun::save`].
    ///
    /// # Errors
    ///
    /// When the first scenario could not run or not be verified. Of a later one, what the others came to
    /// is given, and [`SuiteRun::problem`] says what is wrong.
    pub fn run_to_save(&self, out: &Path, progress: &mut dyn Progress) -> Result<SuiteRun, Error> {
        let draft = Draft::begin(out)?;
        let ran = self.run_into(out, draft.path(), progress)?;
        Ok(SuiteRun {
            report: ran.report,
            problem: ran.problem,
            out: out.to_owned(),
            draft,
            verified: ran.verified,
        })
    }

    fn run_into(
        &self,
        out: &Path,
        beside_report: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Ran, Error> {
        let (started_at, began) = (clock::now(), Instant::now());
        let mut scenarios: Vec<ScenarioResult> = Vec::new();
        let mut problem = None;
        for file in &self.files {
            if problem.is_some() || progress.is_interrupted() {
                break;
            }
            let run = file.to_run(out, beside_report, true);
            match file.run(&run, &self.journal, progress) {
                Ok(result) => scenarios.push(result),
                Err(Error::Incomplete { result, source }) => {
                    scenarios.push(*result);
                    problem = Some(*source);
                }
                Err(error) if scenarios.is_empty() => return Err(error),
                Err(error) => problem = Some(error),
            }
        }
        let mut verified = Vec::new();
        if problem.is_none() && !self.keep {
            let held = scenarios.iter_mut().filter(|result| result.effects_hold());
            let data = held.filter_map(|result| result.data_kept_in.take());
            verified.extend(data.map(PathBuf::from));
        }
        // What was left out is the caller's to know, even if no load was cut short.
        let interrupted = problem.is_some()
            || scenarios.len() < self.files.len()
            || scenarios.iter().any(ScenarioResult::was_interrupted);
        let flags = self.advised.iter().map(|flag| flag.threshold.clone());
        let verdict = judge(&scenarios, interrupted, &advice(flags));
        let report = Report {
            started_at: started_at.to_string(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            command: self.command.clone(),
            interrupted,
            verdict,
            ..Report::new(scenarios, out)
        };
        Ok(Ran {
            report,
            problem,
            verified,
        })
    }
}

/// What a suite came to.
struct Ran {
    report: Report,
    problem: Option<Error>,
    /// Data that is not needed once the report is safe.
    verified: Vec<PathBuf>,
}

/// A suite that ran, and whose report is not saved yet.
#[derive(Debug)]
pub struct SuiteRun {
    /// What was measured and found.
    pub report: Report,
    /// What kept the suite from being complete, if anything did: a full disk, a journal that could not be
    /// written, or a scenario that could not be verified. All data is kept then.
    pub problem: Option<Error>,
    out: PathBuf,
    draft: Draft,
    verified: Vec<PathBuf>,
}

impl SuiteRun {
    /// Saves the report in a folder of its own, and removes what the targets wrote where all of it was
    /// verified, unless it is to be kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotSaved`] with where all data is, which is kept then.
    pub fn save(self) -> Result<(Report, Saved), Error> {
        let saved = save_draft(&self.report, &self.out, self.draft).map_err(|error| {
            let marked = self.report.scenarios.iter();
            let marked = marked.filter_map(|result| result.data_kept_in.as_ref());
            let kept = marked
                .map(PathBuf::from)
                .chain(self.verified.iter().cloned());
            Error::NotSaved {
                kept: kept.collect(),
                source: Box::new(error.into()),
            }
        })?;
        remove_all(&self.verified)?;
        Ok((self.report, saved))
    }
}

fn remove_all(verified: &[PathBuf]) -> Result<(), Error> {
    verified.iter().try_for_each(|data| data_dir::remove(data))
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
