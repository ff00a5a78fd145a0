//! How the log grows: the same work at more and more records, and the exponent of each figure.
//!
//! Each size runs in a process of its own, so that its memory is its own. Sizes go 5,000, 10,000,
//! 20,000, 50,000 … to `--max`; a table goes to stdout, and `sweep.md`, `sweep.json` and
//! `sweep.svg` to `--out`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

mod fit;
mod measure;
mod picture;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::measure::Figures;

const USAGE: &str = "usage: sweep [--max RECORDS] [--out DIR]
  --max RECORDS  the largest size, from 5000 (default 1000000)
  --out DIR      where the table, the plot and the data go (default proofload-out/sweep)";

/// The first size: that of the storage scenario.
const FIRST: u64 = 5_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        // How the program calls itself, for one size.
        ["--fill", dir, records] => measure::fill(Path::new(dir), parse(records)),
        ["--read", dir, records] => measure::read(Path::new(dir), parse(records)),
        rest => match Settings::parse(rest) {
            Some(settings) => settings.run(),
            None => Err(USAGE.to_owned()),
        },
    };
    match done {
        Ok(printed) => {
            println!("{printed}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// A number that this program wrote itself.
fn parse(records: &str) -> u64 {
    records.parse().expect("a number of records")
}

struct Settings {
    max: u64,
    out: PathBuf,
}

impl Settings {
    fn parse(arguments: &[&str]) -> Option<Self> {
        let mut settings = Self {
            max: 1_000_000,
            out: "proofload-out/sweep".into(),
        };
        for pair in arguments.chunks(2) {
            match pair {
                ["--max", records] => settings.max = records.parse().ok()?,
                ["--out", dir] => settings.out = dir.into(),
                _ => return None,
            }
        }
        (settings.max >= FIRST).then_some(settings)
    }

    fn run(&self) -> Result<String, String> {
        std::fs::create_dir_all(&self.out).map_err(|error| self.cannot("create", &error))?;
        let mut all = Vec::new();
        for records in sizes(self.max) {
            eprintln!("{records} records");
            all.push(self.measure(records)?);
        }
        let table = table::markdown(&all);
        self.save("sweep.md", &table)?;
        self.save("sweep.svg", &picture::svg(&all))?;
        let json = serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?;
        self.save("sweep.json", &json)?;
        Ok(format!(
            "{table}\nplot: {}",
            self.out.join("sweep.svg").display()
        ))
    }

    /// Fills a log in one process, which is killed by its own hand, and reads it in another.
    fn measure(&self, records: u64) -> Result<Figures, String> {
        let dir = tempfile::tempdir_in(&self.out).map_err(|error| self.cannot("use", &error))?;
        let filled = call("--fill", dir.path(), records)?;
        let read = call("--read", dir.path(), records)?;
        Figures::joined(records, &filled, &read)
            .ok_or_else(|| format!("no figures for {records} records: {filled}{read}"))
    }

    fn save(&self, name: &str, text: &str) -> Result<(), String> {
        std::fs::write(self.out.join(name), text).map_err(|error| self.cannot("write", &error))
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> String {
        format!("cannot {what} {}: {error}", self.out.display())
    }
}

/// 5,000, 10,000, 20,000, 50,000 … up to `max`.
fn sizes(max: u64) -> impl Iterator<Item = u64> {
    let decades = (0..).map(|power| 1_000 * 10_u64.pow(power));
    decades
        .flat_map(|decade| [decade, 2 * decade, 5 * decade])
        .filter(|&size| size >= FIRST)
        .take_while(move |&size| size <= max)
}

fn call(what: &str, dir: &Path, records: u64) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    let output = Command::new(own)
        .arg(what)
        .arg(dir)
        .arg(records.to_string())
        .output();
    let output = output.map_err(|error| format!("cannot start {what}: {error}"))?;
    // The first process aborts on purpose: what it prints is what counts.
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.is_empty() {
        return Err(format!(
            "{what} said nothing: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_evenly_spread_over_the_decades() {
        let all: Vec<_> = sizes(120_000).collect();
        assert_eq!(all, [5_000, 10_000, 20_000, 50_000, 100_000]);
    }
}
