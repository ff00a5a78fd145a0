//! The stored counts, and how others compare with them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::environment::Environment;

/// The instructions of each path.
pub(crate) type Counts = BTreeMap<String, u64>;

/// How much more a path may take, in hundredths: less than a person would notice, more than hash
/// tables with random seeds make out.
const MORE: u64 = 5;

/// The same where the compiler or the machine is another one than the file's: enough for what they
/// change, and still a check.
const MORE_ELSEWHERE: u64 = 25;

const NOTE: &str = "Instructions of the hot paths, by cargo xtask instructions --update. Only comparable where all of \
depends_on is the same: elsewhere, the check allows more and says so.";

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Baseline {
    environment: Environment,
    pub(super) counts: Counts,
}

impl Baseline {
    pub(super) fn new(environment: Environment, counts: Counts) -> Self {
        Self {
            environment,
            counts,
        }
    }

    /// # Errors
    ///
    /// When there is no such file, or it has another form.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| {
            format!("cannot read {shown}; cargo xtask instructions --update makes it")
        })?;
        let value: Value =
            serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON"))?;
        Self::from_json(&value)
            .with_context(|| format!("{shown} has no depends_on with texts and paths with counts"))
    }

    fn from_json(value: &Value) -> Option<Self> {
        let paths = value.get("paths")?.as_object()?.iter();
        let counts = paths.map(|(path, count)| Some((path.clone(), count.as_u64()?)));
        Some(Self {
            environment: Environment::from_json(value.get("depends_on")?)?,
            counts: counts.collect::<Option<_>>()?,
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let value = json!({
            "about": NOTE,
            "depends_on": self.environment.to_json(),
            "paths": self.counts,
        });
        let text = serde_json::to_string_pretty(&value)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn compare(&self, here: &Environment, counts: &Counts) -> Comparison {
        let differences = self.environment.differences(here);
        let allowed = if differences.is_empty() {
            MORE
        } else {
            MORE_ELSEWHERE
        };
        let names = self.counts.keys().chain(counts.keys());
        let mut rows: Vec<Row> = names
            .map(|path| Row {
                path: path.clone(),
                before: self.counts.get(path).copied(),
                now: counts.get(path).copied(),
            })
            .collect();
        rows.sort();
        rows.dedup();
        Comparison {
            differences,
            allowed,
            rows,
        }
    }
}

/// Whether so many instructions more would fail where nothing else is different.
pub(super) fn is_found(before: u64, now: u64) -> bool {
    is_more(before, now, MORE)
}

fn is_more(before: u64, now: u64, allowed: u64) -> bool {
    u128::from(now) * 100 > u128::from(before) * u128::from(100 + allowed)
}

/// Counts beside the stored ones.
#[derive(Debug)]
pub(super) struct Comparison {
    differences: Vec<String>,
    allowed: u64, // hundredths
    rows: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    path: String,
    before: Option<u64>,
    now: Option<u64>,
}

impl Comparison {
    pub(super) fn holds(&self) -> bool {
        self.failures().is_empty()
    }

    /// A sentence for each path that takes more, and for each that only one side knows.
    fn failures(&self) -> Vec<String> {
        let failures = self.rows.iter().filter_map(|row| {
            let path = &row.path;
            match (row.before, row.now) {
                (Some(before), Some(now)) if is_more(before, now, self.allowed) => {
                    Some(format!(
                        "{path} takes {} % more instructions than before ({now}, not {before}); {} % more are allowed",
                        percent(before, now),
                        self.allowed
                    ))
                }
                (Some(_), None) => Some(format!("{path} was not counted")),
                (None, Some(_)) => Some(format!("{path} is not in the file")),
                _ => None,
            }
        });
        failures.collect()
    }

    fn is_better_somewhere(&self) -> bool {
        let better = |row: &Row| {
            let (Some(before), Some(now)) = (row.before, row.now) else {
                return false;
            };
            is_more(now, before, MORE)
        };
        self.rows.iter().any(better)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or("–".to_owned(), |count| count.to_string());
        writeln!(
            f,
            "{:24} {:>14} {:>14} {:>9}",
            "path", "stored", "now", "change"
        )?;
        for row in &self.rows {
            let (before, now) = (count(row.before), count(row.now));
            let change = match (row.before, row.now) {
                (Some(before), Some(now)) => format!("{} %", percent(before, now)),
                _ => "–".to_owned(),
            };
            writeln!(f, "{:24} {before:>14} {now:>14} {change:>9}", row.path)?;
        }
        if !self.differences.is_empty() {
            writeln!(
                f,
                "\nThe stored counts were made elsewhere, so {} % more are allowed instead of {MORE} %:",
                self.allowed
            )?;
            for difference in &self.differences {
                writeln!(f, "  {difference}")?;
            }
        }
        let failures = self.failures();
        for failure in &failures {
            writeln!(f, "\nfailed: {failure}")?;
        }
        if !failures.is_empty() || self.is_better_somewhere() {
            writeln!(
                f,
                "\nIf that is meant, store it: cargo xtask instructions --update"
            )?;
        }
        Ok(())
    }
}

fn percent(before: u64, now: u64) -> String {
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    format!("{change:+.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        let owned = |(path, count): &(&str, u64)| ((*path).to_owned(), *count);
        counts.iter().map(owned).collect()
    }

    fn on(compiler: &str) -> Environment {
        Environment(vec![("compiler".to_owned(), compiler.to_owned())])
    }

    fn stored() -> Baseline {
        Baseline::new(on("1"), counts(&[("append", 1_000_000), ("judge", 2_000)]))
    }

    #[test]
    fn five_in_a_hundred_more_pass_and_a_little_over_that_fails_by_the_paths_name() {
        let at_the_limit = counts(&[("append", 1_050_000), ("judge", 1)]);
        assert!(stored().compare(&on("1"), &at_the_limit).holds());
        let over = stored().compare(
            &on("1"),
            &counts(&[("append", 1_050_001), ("judge", 2_000)]),
        );
        assert_eq!(
            over.failures(),
            [
                "append takes +5.0 % more instructions than before (1050001, not 1000000); 5 % more are allowed"
            ]
        );
        assert!(over.to_string().contains("failed: append takes"), "{over}");
    }

    #[test]
    fn elsewhere_more_is_allowed_but_not_anything_and_the_difference_is_named() {
        let ten_more = counts(&[("append", 1_100_000), ("judge", 2_000)]);
        let elsewhere = stored().compare(&on("2"), &ten_more);
        assert!(elsewhere.holds());
        let text = elsewhere.to_string();
        assert!(
            text.contains("25 % more are allowed instead of 5 %"),
            "{text}"
        );
        assert!(text.contains("compiler: 2 here, 1 in the file"), "{text}");
        let half_more = counts(&[("append", 1_500_000), ("judge", 2_000)]);
        assert!(!stored().compare(&on("2"), &half_more).holds());
    }

    #[test]
    fn a_path_that_only_one_side_knows_fails() {
        let comparison = stored().compare(&on("1"), &counts(&[("append", 1_000_000), ("new", 1)]));
        assert_eq!(
            comparison.failures(),
            ["judge was not counted", "new is not in the file"]
        );
    }

    #[test]
    fn what_was_made_faster_is_to_be_stored() {
        let faster = stored().compare(&on("1"), &counts(&[("append", 900_000), ("judge", 2_000)]));
        assert!(faster.holds());
        let text = faster.to_string();
        assert!(
            text.contains("-10.0 %") && text.contains("--update"),
            "{text}"
        );
    }

    #[test]
    fn a_file_holds_what_was_written() {
        let dir = std::env::temp_dir().join(format!("xtask-instructions-{}", std::process::id()));
        stored().write(&dir).unwrap();
        let read = Baseline::read(&dir);
        fs::remove_file(&dir).unwrap();
        assert_eq!(read.unwrap(), stored());
    }
}
