//! What earlier runs measured, a line each, and where it changed.

mod change;

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::change::ChangePoint;
use self::change::{autocorrelation, change_points, is_outside};
use crate::comparison::{Metric, Subject, of_scenario, of_step};
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
    /// A digest of the scenarios' files and of what was set over them; nothing in a line of an earlier
    /// version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenarios: Option<String>,
    /// The machine's processors and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The figures of each scenario and of each step that ran.
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
            let mut add = |step: &str, metric, value: Option<f64>| {
                let subject = Subject {
                    scenario: scenario.name.clone(),
                    step: step.to_owned(),
                    metric,
                };
                figures.extend(value.map(|value| HistoryFigure { subject, value }));
            };
            for metric in FOLLOWED {
                add("", metric, of_scenario(metric, scenario));
            }
            for step in scenario.run.steps.iter().filter(|step| step.attempted > 0) {
                for metric in Metric::OF_STEP {
                    add(&step.name, metric, of_step(metric, step));
                }
            }
        }
        Self {
            started_at: report.started_at.clone(),
            command: report.command.clone(),
            version: report.build.version.clone(),
            conclusion: report.verdict.conclusion,
            scenarios: Some(digest(report)),
            machine: Some(machine(report)),
            figures,
        }
    }

    fn value(&self, subject: &Subject) -> Option<f64> {
        let mut figures = self.figures.iter();
        let found = figures.find(|figure| figure.subject == *subject)?;
        Some(found.value)
    }
}

/// The figures of a scenario that are followed.
const FOLLOWED: [Metric; 4] = [
    Metric::Throughput,
    Metric::ErrorRate,
    Metric::EffectsRate,
    Metric::MemoryPeak,
];

/// Digits of a digest that tell two files apart.
const DIGITS: usize = 16;

fn digest(report: &Report) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for scenario in &report.scenarios {
        add(&scenario.name);
        add(&scenario.load);
        if let Some(definition) = &scenario.definition {
            add(&definition.text);
            definition.set.iter().for_each(|set| add(set));
        }
    }
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    format!(
        "{}, {} processors, {} bytes, {}",
        machine
            .processor
            .as_deref()
            .unwrap_or(&machine.architecture),
        number(machine.processors.map(|count| count as u64)),
        number(machine.memory_bytes),
        machine.filesystem.as_deref().unwrap_or("?")
    )
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

    /// The runs of a command that can be put beside its last one.
    fn comparable(&self, command: &str) -> Vec<&HistoryEntry> {
        let mut runs = self.entries.iter().rev();
        match runs.find(|entry| entry.command == command) {
            Some(last) => self.like(last),
            None => Vec::new(),
        }
    }

    /// The runs of one command that can be put beside one of them: of the same scenarios, on the same machine.
    fn like(&self, run: &HistoryEntry) -> Vec<&HistoryEntry> {
        let same = |entry: &&HistoryEntry| {
            entry.command == run.command
                && entry.scenarios == run.scenarios
                && entry.machine == run.machine
        };
        self.entries.iter().filter(same).collect()
    }

    /// Tells of each figure from where to where 90 % of the runs like this one were, where there are eight or
    /// more that have it.
    pub fn usual(&self, report: &Report) -> impl Fn(&Subject) -> Option<[f64; 2]> {
        const LEAST: usize = 8;
        let runs = self.like(&HistoryEntry::of(report));
        move |subject| {
            let values = runs.iter().filter_map(|entry| entry.value(subject));
            let mut values: Vec<f64> = values.collect();
            values.sort_by(f64::total_cmp);
            let of = values.len();
            // The nearest ranks of 5 and 95 %.
            let at = |percent: usize| values[(of * percent).div_ceil(100).max(1) - 1];
            (of >= LEAST).then(|| [at(5), at(95)])
        }
    }

    /// How many runs of a command are left out of its trends: other scenarios, another machine, or a line of
    /// an earlier version, whose figures were defined otherwise.
    #[must_use]
    pub fn left_out(&self, command: &str) -> usize {
        let all = self.entries.iter().filter(|entry| entry.command == command);
        all.count() - self.comparable(command).len()
    }

    /// A figure over the comparable runs of a command, and where it changed.
    #[must_use]
    pub fn trend(&self, command: &str, subject: &Subject) -> Trend {
        let runs = self.comparable(command);
        let points: Vec<TrendPoint> = runs
            .into_iter()
            .filter_map(|entry| {
                Some(TrendPoint {
                    started_at: entry.started_at.clone(),
                    value: entry.value(subject)?,
                })
            })
            .collect();
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let changes = change_points(&values, self.subjects(command).len());
        Trend {
            subject: subject.clone(),
            certain: autocorrelation(&values, &changes) <= MAX_AUTOCORRELATION,
            last_outside: is_outside(&values),
            changes,
            points,
        }
    }

    /// The figures of the last run of a command.
    #[must_use]
    pub fn subjects(&self, command: &str) -> Vec<Subject> {
        let runs = self.comparable(command);
        let figures = runs
            .last()
            .map(|entry| &entry.figures)
            .into_iter()
            .flatten();
        let mut subjects: Vec<Subject> = figures.map(|figure| figure.subject.clone()).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }
}

/// Where neighbouring runs are more alike than this, changes turn up by chance too often.
const MAX_AUTOCORRELATION: f64 = 0.3;

/// A figure over time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trend {
    /// Which figure.
    pub subject: Subject,
    /// Its value in each run that has it, oldest first.
    pub points: Vec<TrendPoint>,
    /// Where it changed, oldest first.
    pub changes: Vec<ChangePoint>,
    /// Whether the changes are certain: neighbouring runs are not so alike that changes turn up by chance.
    pub certain: bool,
    /// Whether the last three runs are all outside the range of the twelve or more before them: a change
    /// that cannot be tested yet.
    pub last_outside: bool,
}

/// A figure of one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TrendPoint {
    /// When the run began.
    pub started_at: String,
    /// The figure.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(command: &str, value: f64) -> HistoryEntry {
        HistoryEntry {
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            command: command.to_owned(),
            version: "0.1.0".to_owned(),
            conclusion: Conclusion::Pass,
            scenarios: Some("digest".to_owned()),
            machine: None,
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

    #[test]
    fn runs_of_another_scenario_or_machine_and_of_an_earlier_version_are_left_out() {
        let mut history = History::default();
        for value in [1.0, 2.0, 3.0, 4.0] {
            history.entries.push(entry("a", value));
        }
        history.entries[0].scenarios = None;
        history.entries[2].machine = Some("another".to_owned());
        let points = history.trend("a", &subject()).points;
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        assert_eq!((values, history.left_out("a")), (vec![2.0, 4.0], 2));
    }
}
