//! What earlier runs measured, a line each, and where it changed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::median::median;
use crate::comparison::{Metric, Subject, value_of};
use crate::line_sum::{self, Sum};
use crate::renamed::rename;
use crate::{Conclusion, Error, Report};

/// The file's name in the folder that runs are saved in.
pub const HISTORY_FILE: &str = "history.jsonl";

/// One run, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// When the run began, RFC 3339 in UTC.
    pub started_at: String,
    /// The command that runs it again: only runs of one command are put side by side.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// What it came to.
    #[serde(rename = "health", with = "stored_conclusion")]
    #[schemars(with = "Conclusion")]
    pub conclusion: Conclusion,
    /// The figures of each step that ran.
    pub figures: Vec<HistoryFigure>,
}

/// The words that history files have had from their beginning.
mod stored_conclusion {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::Conclusion;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(of: &Conclusion, to: S) -> Result<S::Ok, S::Error> {
        match of {
            Conclusion::Inconclusive => to.serialize_str("not_judged"),
            other => other.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Conclusion, D::Error> {
        Conclusion::deserialize(from)
    }
}

/// One figure of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryFigure {
    /// Which figure.
    #[serde(flatten)]
    pub subject: Subject,
    /// The figure, in nanoseconds or operations a second.
    pub value: f64, // finite
}

impl HistoryEntry {
    /// The short form of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut figures = Vec::new();
        for scenario in &report.scenarios {
            for step in scenario.run.steps.iter().filter(|step| step.attempted > 0) {
                let latency = step.response_time.as_ref().unwrap_or(&step.service_time);
                figures.extend(Metric::ALL.map(|metric| HistoryFigure {
                    subject: Subject {
                        scenario: scenario.name.clone(),
                        step: step.name.clone(),
                        metric,
                    },
                    value: value_of(metric, latency, scenario.run.wall_ns),
                }));
            }
        }
        Self {
            started_at: report.started_at.clone(),
            command: report.command.clone(),
            version: report.build.version.clone(),
            conclusion: report.verdict.conclusion,
            figures,
        }
    }

    fn value(&self, subject: &Subject) -> Option<f64> {
        let mut figures = self.figures.iter();
        let found = figures.find(|figure| figure.subject == *subject)?;
        Some(found.value)
    }
}

/// Appends a run to the history of a folder.
///
/// # Errors
///
/// [`Error::Io`] when the line could not be written.
pub fn append(entry: &HistoryEntry, out: &Path) -> Result<PathBuf, Error> {
    let path = out.join(HISTORY_FILE);
    let mut line = serde_json::to_vec(entry).expect("an entry has only text and numbers");
    line_sum::add(&mut line);
    line.push(b'\n');
    // A line that was cut short must not swallow the next one.
    if ends_within_a_line(&path)? {
        line.insert(0, b'\n');
    }
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let mut file = file.map_err(Error::io("open", &path))?;
    // One write of one line, so that two runs at once do not mix.
    file.write_all(&line).map_err(Error::io("write", &path))?;
    Ok(path)
}

fn ends_within_a_line(path: &Path) -> Result<bool, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes.last().is_some_and(|byte| *byte != b'\n')),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// The runs of a history, oldest first, and the numbers of the lines that are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The runs.
    pub entries: Vec<HistoryEntry>,
    /// Lines that could not be read, from 1: a run that was killed while it wrote leaves one.
    pub damaged: Vec<usize>,
}

impl History {
    /// Reads a history file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when there is no such file, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let mut history = Self::default();
        for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
            let line = line.map_err(Error::io("read", path))?;
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice::<HistoryEntry>(&line) {
                Ok(mut entry) if line_sum::check(&line) != Sum::Wrong => {
                    for figure in &mut entry.figures {
                        rename(&figure.subject.scenario, &mut figure.subject.step);
                    }
                    history.entries.push(entry);
                }
                _ => history.damaged.push(number + 1),
            }
        }
        Ok(history)
    }

    /// The commands that were run, the one that ran last at the end.
    #[must_use]
    pub fn commands(&self) -> Vec<&str> {
        let mut commands: Vec<&str> = Vec::new();
        for entry in &self.entries {
            commands.retain(|command| *command != entry.command);
            commands.push(&entry.command);
        }
        commands
    }

    /// A figure over all runs of a command, and where it changed.
    #[must_use]
    pub fn trend(&self, command: &str, subject: &Subject) -> Trend {
        let runs = self.entries.iter().filter(|entry| entry.command == command);
        let points: Vec<TrendPoint> = runs
            .filter_map(|entry| {
                Some(TrendPoint {
                    started_at: entry.started_at.clone(),
                    value: entry.value(subject)?,
                })
            })
            .collect();
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        Trend {
            subject: subject.clone(),
            changes: change_points(&values),
            points,
        }
    }

    /// Every figure that any run of a command has.
    #[must_use]
    pub fn subjects(&self, command: &str) -> Vec<Subject> {
        let runs = self.entries.iter().filter(|entry| entry.command == command);
        let figures = runs.flat_map(|entry| &entry.figures);
        let mut subjects: Vec<Subject> = figures.map(|figure| figure.subject.clone()).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }
}

/// A figure over time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trend {
    /// Which figure.
    pub subject: Subject,
    /// Its value in each run that has it, oldest first.
    pub points: Vec<TrendPoint>,
    /// Where it changed, oldest first.
    pub changes: Vec<ChangePoint>,
}

/// A figure of one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TrendPoint {
    /// When the run began.
    pub started_at: String,
    /// The figure.
    pub value: f64,
}

/// Between two runs, a figure went to another level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ChangePoint {
    /// The first run on the new level, from 0.
    pub at: usize,
    /// The median before, back to the last change.
    pub before: f64,
    /// The median after, up to the next change.
    pub after: f64,
    /// The chance of this where nothing changed.
    pub p: f64,
}

/// The chance at which a change is believed: a history is looked at often.
const CHANGE_LEVEL: f64 = 0.005;

/// A smaller change is not worth a word.
const MIN_CHANGE: f64 = 0.05;

/// Pettitt's test says nothing of fewer.
const MIN_SEGMENT: usize = 4;

/// Where the level of a series changed, by Pettitt's test and, on either side of a change, again.
/// A. N. Pettitt, "A non-parametric approach to the change-point problem", 1979.
fn change_points(values: &[f64]) -> Vec<ChangePoint> {
    let mut cuts = Vec::new();
    divide(values, 0, &mut cuts);
    cuts.sort_by_key(|(at, _)| *at);
    let ends = cuts.iter().map(|(at, _)| *at);
    let borders: Vec<usize> = std::iter::once(0)
        .chain(ends)
        .chain([values.len()])
        .collect();
    let level = |from: usize, until: usize| middle(&values[from..until]);
    cuts.iter()
        .enumerate()
        .map(|(number, &(at, p))| ChangePoint {
            at,
            before: level(borders[number], at),
            after: level(at, borders[number + 2]),
            p,
        })
        .collect()
}

fn divide(values: &[f64], offset: usize, cuts: &mut Vec<(usize, f64)>) {
    let Some((at, p)) = pettitt(values) else {
        return;
    };
    let (before, after) = values.split_at(at);
    let change = (middle(after) / middle(before)).ln().abs();
    if p >= CHANGE_LEVEL || change < (1.0 + MIN_CHANGE).ln() {
        return;
    }
    cuts.push((offset + at, p));
    divide(before, offset, cuts);
    divide(after, offset + at, cuts);
}

fn middle(values: &[f64]) -> f64 {
    median(values.iter().copied()).unwrap_or(0.0)
}

/// The likeliest change and its chance where there is none; nothing for a short series.
fn pettitt(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    let uneven = |at: usize| -> f64 {
        let (before, after) = values.split_at(at);
        let sign = |a: &f64, b: &f64| f64::from(i8::from(a > b) - i8::from(a < b));
        let pairs = before
            .iter()
            .flat_map(|a| after.iter().map(move |b| sign(a, b)));
        pairs.sum::<f64>().abs()
    };
    let last = n.checked_sub(MIN_SEGMENT)?;
    let places = (MIN_SEGMENT..=last).map(|at| (at, uneven(at)));
    let (at, most) = places.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let n = n as f64;
    let p = 2.0 * (-6.0 * most * most / (n.powi(3) + n.powi(2))).exp();
    Some((at, p.min(1.0)))
}

#[cfg(test)]
mod tests {
    use load_engine::Rng;

    use super::*;

    fn noisy(seed: u64, levels: &[(f64, usize)]) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let mut noise = move || 0.9 + 0.2 * (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let levels = levels.iter();
        levels
            .flat_map(|(level, runs)| std::iter::repeat_n(*level, *runs))
            .map(|level| level * noise())
            .collect()
    }

    #[test]
    fn steps_are_found_where_they_are() {
        for seed in 0..50 {
            let found = change_points(&noisy(seed, &[(100.0, 20), (150.0, 20), (90.0, 15)]));
            let places: Vec<usize> = found.iter().map(|change| change.at).collect();
            assert_eq!(places, [20, 40], "seed {seed}");
            assert!(found[0].before < 111.0 && found[0].after > 134.0);
        }
    }

    #[test]
    fn noise_alone_has_no_change() {
        let changed =
            (0..400).filter(|seed| !change_points(&noisy(*seed, &[(100.0, 40)])).is_empty());
        assert!(changed.count() <= 4);
    }

    #[test]
    fn short_series_say_nothing() {
        assert_eq!(change_points(&[]), []);
        assert_eq!(change_points(&[1.0, 1.0, 9.0, 9.0]), []);
    }

    fn entry(command: &str, value: f64) -> HistoryEntry {
        HistoryEntry {
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            command: command.to_owned(),
            version: "0.1.0".to_owned(),
            conclusion: Conclusion::Pass,
            figures: vec![HistoryFigure {
                subject: subject(),
                value,
            }],
        }
    }

    fn subject() -> Subject {
        Subject {
            scenario: "storage".to_owned(),
            step: "append".to_owned(),
            metric: Metric::P50,
        }
    }

    #[test]
    fn a_line_that_was_cut_short_costs_itself_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = append(&entry("a", 1.0), dir.path()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        append(&entry("a", 2.0), dir.path()).unwrap();
        append(&entry("b", 3.0), dir.path()).unwrap();

        let history = History::read(&path).unwrap();
        assert_eq!(history.damaged, [1]);
        assert_eq!(history.commands(), ["a", "b"]);
        let trend = history.trend("a", &subject());
        assert_eq!(trend.points.len(), 1);
        assert_eq!(trend.points[0].value, 2.0);
    }
}
