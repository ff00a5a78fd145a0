//! How each part grows: the same work at more and more of one thing, and the exponent of each figure.
//!
//! Each size runs in a process of its own, so that its memory is its own. A figure that surely grows more than
//! it should fails the sweep; where the interval is too wide to tell, all sizes are measured again.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

mod fit;
mod kinds;
mod picture;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::fit::{Conclusion, Expected, Growth};
use crate::kinds::{KINDS, Kind};

const USAGE: &str = "usage: sweep [--only NAMES] [--max SIZE] [--time SECONDS] [--out DIR]
  --only NAMES    of log, gate, simulate, plan, threads, memory and state, with commas (default: all)
  --max SIZE      no size above this (default: what each sweep has)
  --time SECONDS  no further size or round of a sweep after so long (default 300)
  --out DIR       where the tables, the plots and the data go (default proofload-out/sweep)
exit codes: 0 all grow as expected, 1 one grows more, 2 it could not run, 3 inconclusive";

/// How often all sizes are measured at most, where a figure's growth cannot be told from fewer.
const MAX_ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        // How the program calls itself, for one size.
        ["--measure", kind, dir, size] => measure_here(kind, Path::new(dir), size),
        ["--fill", dir, size] => {
            kinds::log::fill(Path::new(dir), parse(size)).map(|never| match never {})
        }
        rest => match Settings::parse(rest) {
            Some(settings) => settings.run(),
            None => Err(USAGE.to_owned()),
        },
    };
    match done {
        Ok(exit) => exit,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// A number that this program wrote itself.
fn parse(size: &str) -> u64 {
    size.parse().expect("a size")
}

fn measure_here(kind: &str, dir: &Path, size: &str) -> Result<ExitCode, String> {
    let kind = Kind::named(kind).ok_or("no such sweep")?;
    let values = (kind.measure)(dir, parse(size))?;
    let json = serde_json::to_string(&values).map_err(|error| error.to_string())?;
    println!("{json}");
    Ok(ExitCode::SUCCESS)
}

/// The figures of one size, in the order of the kind's measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Figures {
    size: u64,
    values: Vec<f64>,
}

/// What one sweep came to.
#[derive(Debug, Serialize)]
struct Swept {
    name: &'static str,
    varied: &'static str,
    figures: Vec<Figures>,
    measures: Vec<Fitted>,
}

/// One measure over all sizes.
#[derive(Debug, Serialize)]
struct Fitted {
    name: &'static str,
    unit: &'static str,
    /// How many of what is measured make one of the unit.
    scale: f64,
    expected: Expected,
    growth: Option<Growth>,
    conclusion: Conclusion,
}

impl Swept {
    /// What the figures of one or more rounds come to; of each size, the median is shown.
    fn of(kind: &'static Kind, rounds: &[Figures]) -> Self {
        let measures = kind.measures.iter().enumerate().map(|(number, measure)| {
            let points: Vec<_> = rounds
                .iter()
                .map(|figures| (figures.size as f64, figures.values[number]))
                .collect();
            let growth = Growth::of(&points);
            Fitted {
                name: measure.name,
                unit: measure.unit,
                scale: measure.scale,
                expected: measure.expected,
                growth,
                conclusion: growth.map_or(Conclusion::Inconclusive, |growth| {
                    measure.expected.conclude(growth)
                }),
            }
        });
        Self {
            name: kind.name,
            varied: kind.varied,
            measures: measures.collect(),
            figures: medians(rounds, kind.measures.len()),
        }
    }
}

/// The median of each measure, by size.
fn medians(rounds: &[Figures], measures: usize) -> Vec<Figures> {
    let mut by_size: BTreeMap<u64, Vec<&Figures>> = BTreeMap::new();
    for figures in rounds {
        by_size.entry(figures.size).or_default().push(figures);
    }
    let of_size = |(size, all): (u64, Vec<&Figures>)| {
        let median = |number: usize| {
            let mut values: Vec<f64> = all.iter().map(|figures| figures.values[number]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Figures {
            size,
            values: (0..measures).map(median).collect(),
        }
    };
    by_size.into_iter().map(of_size).collect()
}

struct Settings {
    only: Vec<&'static Kind>,
    max: u64,
    time: Duration,
    out: PathBuf,
}

impl Settings {
    fn parse(arguments: &[&str]) -> Option<Self> {
        let mut settings = Self {
            only: KINDS.iter().filter(|kind| !kind.planted).collect(),
            max: u64::MAX,
            time: Duration::from_secs(300),
            out: "proofload-out/sweep".into(),
        };
        for pair in arguments.chunks(2) {
            match pair {
                ["--only", names] => {
                    settings.only = names.split(',').map(Kind::named).collect::<Option<_>>()?;
                }
                ["--max", size] => settings.max = size.parse().ok()?,
                ["--time", seconds] => settings.time = Duration::from_secs(seconds.parse().ok()?),
                ["--out", dir] => settings.out = dir.into(),
                _ => return None,
            }
        }
        Some(settings)
    }

    fn run(&self) -> Result<ExitCode, String> {
        std::fs::create_dir_all(&self.out).map_err(|error| self.cannot("create", &error))?;
        let mut all = Vec::new();
        for kind in &self.only {
            let swept = self.sweep(kind)?;
            let table = table::markdown(kind, &swept);
            println!("{table}");
            let json = serde_json::to_string_pretty(&swept).map_err(|error| error.to_string())?;
            self.save(&format!("{}.md", kind.name), &table)?;
            self.save(&format!("{}.json", kind.name), &format!("{json}\n"))?;
            let plot = picture::svg(kind, &swept.figures);
            self.save(&format!("{}.svg", kind.name), &plot)?;
            all.push(swept);
        }
        self.join()?;
        println!("tables, plots and data: {}", self.out.display());
        let concluded = |as_what: Conclusion| -> Vec<String> {
            let named = all.iter().flat_map(|swept| {
                let such = swept.measures.iter();
                such.filter(|measure| measure.conclusion == as_what)
                    .map(|measure| format!("{}: {}", swept.name, measure.name))
            });
            named.collect()
        };
        let open = concluded(Conclusion::Inconclusive);
        if !open.is_empty() {
            eprintln!(
                "cannot be told from these sizes and rounds: {}",
                open.join("; ")
            );
        }
        let grown = concluded(Conclusion::Exceeded);
        if !grown.is_empty() {
            eprintln!("grows more than it should: {}", grown.join("; "));
            return Ok(ExitCode::from(1));
        }
        Ok(ExitCode::from(if open.is_empty() { 0 } else { 3 }))
    }

    /// Measures all sizes, in rounds, until each figure's growth is known or the time is up.
    fn sweep(&self, kind: &'static Kind) -> Result<Swept, String> {
        let began = Instant::now();
        let mut rounds = self.round(kind, began)?;
        for _ in 1..MAX_ROUNDS {
            let swept = Swept::of(kind, &rounds);
            let is_open = |measure: &Fitted| measure.conclusion == Conclusion::Inconclusive;
            if began.elapsed() > self.time || !swept.measures.iter().any(is_open) {
                return Ok(swept);
            }
            eprintln!("{}: inconclusive, once more", kind.name);
            rounds.extend(self.round(kind, began)?);
        }
        Ok(Swept::of(kind, &rounds))
    }

    fn round(&self, kind: &'static Kind, began: Instant) -> Result<Vec<Figures>, String> {
        let mut figures = Vec::new();
        for &size in kind.sizes.iter().filter(|size| **size <= self.max) {
            if began.elapsed() > self.time {
                eprintln!(
                    "{}: the time is up before {size} {}",
                    kind.name, kind.varied
                );
                break;
            }
            eprintln!("{}: {size} {}", kind.name, kind.varied);
            let dir =
                tempfile::tempdir_in(&self.out).map_err(|error| self.cannot("use", &error))?;
            let printed = call(&["--measure", kind.name, path(dir.path())?, &size.to_string()])?;
            let values = serde_json::from_str(&printed).map_err(|error| error.to_string())?;
            figures.push(Figures { size, values });
        }
        Ok(figures)
    }

    /// Makes one table and one list of all that lies there, also from earlier runs.
    fn join(&self) -> Result<(), String> {
        let saved = |ending: &str| -> Result<Vec<String>, String> {
            let names = KINDS.iter().map(|kind| format!("{}.{ending}", kind.name));
            let paths = names.map(|name| self.out.join(name));
            let found = paths.filter(|path| path.is_file());
            found
                .map(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))
                .collect()
        };
        self.save("sweep.md", &saved("md")?.join("\n"))?;
        self.save("sweep.json", &format!("[{}]\n", saved("json")?.join(",")))
    }

    fn save(&self, name: &str, text: &str) -> Result<(), String> {
        std::fs::write(self.out.join(name), text).map_err(|error| self.cannot("write", &error))
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> String {
        format!("cannot {what} {}: {error}", self.out.display())
    }
}

fn path(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

/// Calls this program for one size.
fn call(arguments: &[&str]) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    let output = Command::new(own).args(arguments).output();
    let output = output.map_err(|error| format!("cannot start {arguments:?}: {error}"))?;
    // The process that fills a log aborts on purpose: what it prints is what counts.
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.is_empty() {
        return Err(format!(
            "{arguments:?} said nothing: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_quadratic_path_is_found() {
        let out = tempfile::tempdir().unwrap();
        let kind = Kind::named("planted").unwrap();
        let figures: Vec<Figures> = kind
            .sizes
            .iter()
            .map(|&size| Figures {
                size,
                values: (kind.measure)(out.path(), size).unwrap(),
            })
            .collect();
        for (number, measure) in kind.measures.iter().enumerate() {
            let points: Vec<_> = figures
                .iter()
                .map(|f| (f.size as f64, f.values[number]))
                .collect();
            let growth = Growth::of(&points).unwrap();
            let quadratic = measure.name == "pairs of all";
            assert_eq!(
                measure.expected.conclude(growth) == Conclusion::Held,
                !quadratic,
                "{}: {growth:?}",
                measure.name
            );
        }
    }

    #[test]
    fn what_was_swept_before_stays_beside_what_is_swept_now() {
        let out = tempfile::tempdir().unwrap();
        let text = out.path().to_str().unwrap();
        let settings = Settings::parse(&["--out", text]).unwrap();
        for (name, saved) in [
            ("state.json", "2"),
            ("log.json", "1"),
            ("log.md", "a table\n"),
        ] {
            settings.save(name, saved).unwrap();
        }
        settings.join().unwrap();
        let read = |name| std::fs::read_to_string(out.path().join(name)).unwrap();
        assert_eq!(read("sweep.json"), "[1,2]\n");
        assert_eq!(read("sweep.md"), "a table\n");
    }

    #[test]
    fn names_and_numbers_are_checked() {
        assert!(Settings::parse(&["--only", "gate", "--max", "1000"]).is_some());
        assert!(Settings::parse(&["--only", "gates"]).is_none());
        let two = Settings::parse(&["--only", "state,gate"]).unwrap();
        let names: Vec<_> = two.only.iter().map(|kind| kind.name).collect();
        assert_eq!(names, ["state", "gate"]);
        assert!(Settings::parse(&["--max", "many"]).is_none());
        assert!(Settings::parse(&["--max"]).is_none());
    }
}
