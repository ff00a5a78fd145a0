//! `cargo xtask ci`: everything that a change must pass, in one command.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{cargo, instructions, tidy};

pub(crate) const HELP: &str = "\
Runs everything that a change must pass, and stops at the first stage that fails.

Usage: cargo xtask ci [--full] [--skip <STAGE>]...

Options:
  --full          Add the stages that build what nothing else needs
  --skip <STAGE>  Leave a stage out; may be repeated

Stages, in order:
  tidy          cargo xtask tidy
  fmt           the formatting of all packages
  clippy        lints over all targets, warnings denied
  test          every test, examples in the documents included
  zstd          the tests of the log once more, with compressed archives
  shuttle       the group commit and the gate under schedules chosen by a test
  bench         every benchmark once, as a check that it still runs
  instructions  the instructions of the hot paths, against those of before; needs valgrind
  doc           the documentation, warnings denied
  package       the archives that would be published

With --full also:
  cedar         the gate's policies held against Cedar's answers, which takes minutes to build

Exit codes: 0 all held; 1 a stage failed; 2 it could not run.";

/// Cheap before dear, so that the first failure is seen soon.
const STAGES: &[Stage] = &[
    Stage {
        name: "tidy",
        work: Work::Tidy,
    },
    Stage {
        name: "fmt",
        work: Work::cargo(&["fmt", "--all", "--check"]),
    },
    Stage {
        name: "clippy",
        work: Work::cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Stage {
        name: "test",
        work: Work::cargo(&["test", "--workspace"]),
    },
    Stage {
        name: "zstd",
        work: Work::cargo(&[
            "test",
            "-p",
            "proofload-jsonl-storage",
            "--features",
            "zstd",
        ]),
    },
    Stage {
        name: "shuttle",
        work: Work::Cargo {
            env: Some(("RUSTFLAGS", "--cfg shuttle")),
            // Other flags would have everything in the usual directory built anew, twice.
            args: &[
                "test",
                "--package",
                "proofload-jsonl-storage",
                "--package",
                "proofload-approval-workflow",
                "--test",
                "shuttle",
                "--target-dir",
                "target/shuttle",
            ],
        },
    },
    Stage {
        name: "bench",
        work: Work::cargo(&["bench", "--workspace", "--", "--test"]),
    },
    Stage {
        name: "instructions",
        work: Work::Instructions,
    },
    Stage {
        name: "doc",
        work: Work::Cargo {
            env: Some(("RUSTDOCFLAGS", "-D warnings")),
            args: &["doc", "--no-deps", "--workspace"],
        },
    },
    Stage {
        name: "package",
        // Not built once more from the archives: what they hold and name is what can go wrong.
        work: Work::cargo(&["package", "--workspace", "--no-verify", "--allow-dirty"]),
    },
];

/// What takes long to build and stands outside of the workspace.
const FULL_STAGES: &[Stage] = &[Stage {
    name: "cedar",
    work: Work::cargo(&["test", "--manifest-path", "cedar/Cargo.toml"]),
}];

/// What to leave out, and whether to add what is dear.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    is_full: bool,
    skipped: Vec<&'static str>, // names in STAGES
}

impl Options {
    /// # Errors
    ///
    /// On anything but `--full`, and `--skip` with the name of a stage.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options> {
        let mut options = Options::default();
        let mut args = args
            .into_iter()
            .map(|arg| arg.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            if arg == "--full" {
                options.is_full = true;
                continue;
            }
            let name = match arg.split_once('=') {
                Some(("--skip", name)) => name.to_owned(),
                _ if arg == "--skip" => args.next().context("--skip wants the name of a stage")?,
                _ => bail!("ci knows no argument {arg:?}; see `cargo xtask ci --help`"),
            };
            options.skipped.push(stage_name(&name)?);
        }
        Ok(options)
    }

    fn stages(&self) -> impl Iterator<Item = &'static Stage> {
        let dear = if self.is_full { FULL_STAGES } else { &[] };
        let stages = STAGES.iter().chain(dear);
        stages.filter(|stage| !self.skipped.contains(&stage.name))
    }
}

/// Runs the stages that `options` keep.
///
/// # Errors
///
/// When a stage cannot be started; one that fails is the exit code 1.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut times = Vec::new();
    for stage in options.stages() {
        println!("\n==== {}: {}", stage.name, stage.work.command_line());
        let start = Instant::now();
        let held = stage
            .work
            .run()
            .with_context(|| format!("stage {} of ci", stage.name))?;
        let took = start.elapsed();
        if !held {
            println!("\n==== {} failed after {}", stage.name, seconds(took));
            println!("rerun it with: {}", stage.work.command_line());
            return Ok(ExitCode::FAILURE);
        }
        println!("==== {} held in {}", stage.name, seconds(took));
        times.push((stage.name, took));
    }
    println!("\n==== ci: {}", summary(&times, options));
    Ok(ExitCode::SUCCESS)
}

struct Stage {
    name: &'static str,
    work: Work,
}

enum Work {
    Tidy,
    Instructions,
    Cargo {
        env: Option<(&'static str, &'static str)>,
        args: &'static [&'static str],
    },
}

impl Work {
    const fn cargo(args: &'static [&'static str]) -> Work {
        Work::Cargo { env: None, args }
    }

    fn run(&self) -> Result<bool> {
        match self {
            Work::Tidy => tidy::holds(),
            Work::Instructions => instructions::holds(),
            Work::Cargo { env, args } => {
                let mut command = cargo::cargo();
                command.current_dir(cargo::root()).args(*args).envs(*env);
                let status = command
                    .status()
                    .with_context(|| cargo::cannot_start(command.get_program()))?;
                Ok(status.success())
            }
        }
    }

    /// What to type in a shell for this alone.
    fn command_line(&self) -> String {
        match self {
            Work::Tidy => "cargo xtask tidy".to_owned(),
            Work::Instructions => "cargo xtask instructions".to_owned(),
            Work::Cargo { env, args } => {
                let env = env.map(|(name, value)| format!("{name}=\"{value}\" "));
                format!("{}cargo {}", env.unwrap_or_default(), args.join(" "))
            }
        }
    }
}

fn stage_name(name: &str) -> Result<&'static str> {
    let known = || STAGES.iter().chain(FULL_STAGES).map(|stage| stage.name);
    known().find(|stage| *stage == name).with_context(|| {
        let known: Vec<_> = known().collect();
        format!(
            "ci has no stage {name:?}; its stages are {}",
            known.join(", ")
        )
    })
}

fn summary(times: &[(&str, Duration)], options: &Options) -> String {
    let stages: Vec<_> = times
        .iter()
        .map(|(name, took)| format!("{name} {}", seconds(*took)))
        .collect();
    let total = seconds(times.iter().map(|(_, took)| *took).sum());
    let skipped = match options.skipped.join(", ") {
        names if names.is_empty() => names,
        names => format!(" (skipped: {names})"),
    };
    format!("all held in {total}: {}{skipped}", stages.join(", "))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    fn kept(line: &str) -> Vec<&'static str> {
        let options = parse(line).unwrap();
        options.stages().map(|stage| stage.name).collect()
    }

    #[test]
    fn without_options_every_stage_runs_in_the_order_of_the_help() {
        let in_help = |head: &str| -> Vec<&str> {
            HELP.lines()
                .skip_while(|line| !line.starts_with(head))
                .skip(1)
                .map_while(|line| line.strip_prefix("  ")?.split(' ').next())
                .collect()
        };
        assert_eq!(kept(""), in_help("Stages"));
        let full = [in_help("Stages"), in_help("With --full")].concat();
        assert_eq!(kept("--full"), full);
    }

    #[test]
    fn a_dear_stage_is_left_out_like_any_other() {
        assert_eq!(kept("--skip cedar"), kept(""));
        assert_eq!(kept("--full --skip cedar"), kept(""));
    }

    #[test]
    fn a_skipped_stage_is_left_out() {
        assert_eq!(
            kept("--skip test"),
            [
                "tidy",
                "fmt",
                "clippy",
                "zstd",
                "shuttle",
                "bench",
                "instructions",
                "doc",
                "package"
            ]
        );
        assert_eq!(
            kept("--skip=test --skip doc"),
            [
                "tidy",
                "fmt",
                "clippy",
                "zstd",
                "shuttle",
                "bench",
                "instructions",
                "package"
            ]
        );
    }

    #[test]
    fn an_unknown_stage_is_named_beside_those_there_are() {
        let error = parse("--skip tests").unwrap_err().to_string();
        let stages =
            "tidy, fmt, clippy, test, zstd, shuttle, bench, instructions, doc, package, cedar";
        assert_eq!(
            error,
            format!("ci has no stage \"tests\"; its stages are {stages}")
        );
    }

    #[test]
    fn a_skip_without_a_stage_and_an_unknown_argument_are_errors() {
        assert_eq!(
            parse("--skip").unwrap_err().to_string(),
            "--skip wants the name of a stage"
        );
        assert!(
            parse("--only test")
                .unwrap_err()
                .to_string()
                .contains("\"--only\"")
        );
        assert!(
            parse("--skip-all=test")
                .unwrap_err()
                .to_string()
                .contains("\"--skip-all=test\"")
        );
    }

    #[test]
    fn a_stage_says_the_command_that_reruns_it() {
        let lines: Vec<_> = STAGES
            .iter()
            .map(|stage| stage.work.command_line())
            .collect();
        assert_eq!(lines[0], "cargo xtask tidy");
        assert_eq!(
            lines[2],
            "cargo clippy --workspace --all-targets --all-features -- -D warnings"
        );
        assert_eq!(
            lines[5],
            "RUSTFLAGS=\"--cfg shuttle\" cargo test --package proofload-jsonl-storage --package \
             proofload-approval-workflow --test shuttle --target-dir target/shuttle"
        );
        assert_eq!(
            lines[7..9],
            [
                "cargo xtask instructions",
                "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps --workspace"
            ]
        );
    }

    #[test]
    fn the_summary_names_times_and_what_was_skipped() {
        let times = [
            ("fmt", Duration::from_millis(250)),
            ("doc", Duration::from_secs(2)),
        ];
        let line = summary(&times, &parse("--skip test").unwrap());
        assert_eq!(
            line,
            "all held in 2.2 s: fmt 0.2 s, doc 2.0 s (skipped: test)"
        );
    }
}
