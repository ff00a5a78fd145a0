//! The tasks of this repository, behind the alias `cargo xtask`.
//!
//! It needs nothing but the Rust toolchain, compiles in seconds, and imports no crate of the
//! product: what it checks must not be able to break it.
//!
//! Exit codes: 0 all held, 1 a check failed, 2 it could not run. A task that ends in another
//! program (`loadtest`, `test`, `bench`, `sweep`, `peers`, `findings`, `crash`, `mutants`) passes on that program's own.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: what it has to say goes to the terminal"
)]

mod attack;
mod bench;
mod build_report;
mod cargo;
mod ci;
mod crash;
mod figures;
mod findings;
mod instructions;
mod loadtest;
mod mutants;
mod numbers;
mod peers;
mod picture;
mod services;
mod sweep;
mod test;
mod tidy;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
The tasks of this repository.

Usage: cargo xtask <TASK> [ARGS]...

Tasks:
  loadtest      Build the proofload binary in release mode and run its suite
  test          Run every test of every package, examples in the documents included
  services      Install the servers of others that tests run against
  bench         Run every benchmark
  sweep         Measure how each part grows
  peers         Measure in turns with others that do the same work
  figures       Write what was measured into the README
  findings      Count how often the findings of a report are wrong
  instructions  Count the instructions of the hot paths and compare them with those of before
  build-report  Build the binary from nothing, and say how long it takes and how large it is
  picture       Make the README's picture of a report
  attack        Attack the record, the gate and the evidence, and write down what comes of it
  crash         Run the log's crash tests for longer
  mutants       Plant mistakes in the gate's transition function and have them found
  tidy          Check what the compiler does not: ranks, links, manifests, white space
  ci            Run everything that a change must pass

`cargo xtask <TASK> --help` says more. Nothing needs to be installed, but for
services, instructions and mutants.";

/// What went wrong before the work could begin or end.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    match Task::parse(env::args_os().skip(1)).and_then(Task::run) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

#[derive(Debug, PartialEq)]
enum Task {
    Help(&'static str),
    Loadtest(Vec<OsString>),
    Test(Vec<OsString>),
    Services,
    Bench(Vec<OsString>),
    Sweep(Vec<OsString>),
    Peers(Vec<OsString>),
    Figures,
    Findings,
    Instructions(instructions::Task),
    BuildReport,
    Picture(Vec<OsString>),
    Attack(attack::Options),
    Crash(crash::Options),
    Mutants(Vec<OsString>),
    Tidy,
    Ci(ci::Options),
}

impl Task {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task> {
        let mut args = args.into_iter();
        let Some(name) = args.next() else {
            bail!("no task given\n\n{HELP}");
        };
        let rest: Vec<OsString> = args.collect();
        let asks_help = rest.first().is_some_and(is_help);
        let task = match name.to_str() {
            Some("help") => Task::Help(HELP),
            Some(_) if is_help(&name) => Task::Help(HELP),
            Some("loadtest") if asks_help => Task::Help(loadtest::HELP),
            Some("loadtest") => Task::Loadtest(loadtest::suite_arguments(rest)),
            Some("test") if asks_help => Task::Help(test::HELP),
            Some("test") => Task::Test(rest),
            Some("services") if asks_help => Task::Help(services::HELP),
            Some("services") => match rest.first() {
                None => Task::Services,
                Some(extra) => bail!("services takes no argument, got {extra:?}"),
            },
            Some("bench") if asks_help => Task::Help(bench::HELP),
            Some("bench") => Task::Bench(rest),
            Some("sweep") if asks_help => Task::Help(sweep::HELP),
            Some("sweep") => Task::Sweep(rest),
            Some("peers") if asks_help => Task::Help(peers::HELP),
            Some("peers") => Task::Peers(rest),
            Some("figures") if asks_help => Task::Help(figures::HELP),
            Some("figures") => match rest.first() {
                None => Task::Figures,
                Some(extra) => bail!("figures takes no argument, got {extra:?}"),
            },
            Some("findings") if asks_help => Task::Help(findings::HELP),
            Some("findings") => match rest.first() {
                None => Task::Findings,
                Some(extra) => bail!("findings takes no argument, got {extra:?}"),
            },
            Some("instructions") if asks_help => Task::Help(instructions::HELP),
            Some("instructions") => Task::Instructions(instructions::Task::parse(rest)?),
            Some("build-report") if asks_help => Task::Help(build_report::HELP),
            Some("build-report") => match rest.first() {
                None => Task::BuildReport,
                Some(extra) => bail!("build-report takes no argument, got {extra:?}"),
            },
            Some("picture") if asks_help => Task::Help(picture::HELP),
            Some("picture") => Task::Picture(rest),
            Some("attack") if asks_help => Task::Help(attack::HELP),
            Some("attack") => Task::Attack(attack::Options::parse(rest)?),
            Some("crash") if asks_help => Task::Help(crash::HELP),
            Some("crash") => Task::Crash(crash::Options::parse(rest)?),
            Some("mutants") if asks_help => Task::Help(mutants::HELP),
            Some("mutants") => Task::Mutants(rest),
            Some("tidy") if asks_help => Task::Help(tidy::HELP),
            Some("tidy") => match rest.first() {
                None => Task::Tidy,
                Some(extra) => bail!("tidy takes no argument, got {extra:?}"),
            },
            Some("ci") if asks_help => Task::Help(ci::HELP),
            Some("ci") => Task::Ci(ci::Options::parse(rest)?),
            _ => bail!("no task is called {name:?}\n\n{HELP}"),
        };
        Ok(task)
    }

    fn run(self) -> Result<ExitCode> {
        match self {
            Task::Help(text) => {
                println!("{text}");
                Ok(ExitCode::SUCCESS)
            }
            Task::Loadtest(args) => loadtest::run(&args),
            Task::Test(args) => test::run(&args),
            Task::Services => services::run(),
            Task::Bench(args) => bench::run(&args),
            Task::Sweep(args) => sweep::run(&args),
            Task::Peers(args) => peers::run(&args),
            Task::Figures => figures::run(),
            Task::Findings => findings::run(),
            Task::Instructions(task) => instructions::run(task),
            Task::BuildReport => build_report::run(),
            Task::Picture(args) => picture::run(&args),
            Task::Attack(options) => attack::run(&options),
            Task::Crash(options) => crash::run(&options),
            Task::Mutants(args) => mutants::run(&args),
            Task::Tidy => tidy::run(),
            Task::Ci(options) => ci::run(&options),
        }
    }
}

fn is_help(arg: &OsString) -> bool {
    arg == "--help" || arg == "-h"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task> {
        Task::parse(line.split_whitespace().map(OsString::from))
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn each_task_has_its_own_help() {
        let texts: Vec<_> = [
            "",
            "loadtest",
            "build-report",
            "test",
            "services",
            "bench",
            "sweep",
            "peers",
            "findings",
            "instructions",
            "picture",
            "attack",
            "crash",
            "mutants",
            "tidy",
            "ci",
        ]
        .map(|task| match parse(&format!("{task} --help")).unwrap() {
            Task::Help(text) => text,
            other => panic!("{task} --help is {other:?}"),
        })
        .into();
        for (i, text) in texts.iter().enumerate() {
            assert!(text.contains("Usage: cargo xtask"), "{text}");
            assert!(
                !texts[..i].contains(text),
                "one text stands for two tasks: {text}"
            );
        }
    }

    #[test]
    fn arguments_pass_on_as_they_are() {
        let args = "--quick --only approval --out a=b";
        assert_eq!(
            parse(&format!("loadtest {args}")).unwrap(),
            Task::Loadtest(words(args))
        );
        assert_eq!(
            parse(&format!("test {args}")).unwrap(),
            Task::Test(words(args))
        );
        assert_eq!(
            parse(&format!("bench {args}")).unwrap(),
            Task::Bench(words(args))
        );
        assert_eq!(
            parse("mutants --shard 0/4").unwrap(),
            Task::Mutants(words("--shard 0/4"))
        );
    }

    #[test]
    fn the_suite_gets_its_own_help_after_two_dashes() {
        assert_eq!(
            parse("loadtest -- --help").unwrap(),
            Task::Loadtest(words("--help"))
        );
    }

    #[test]
    fn an_unknown_task_is_named_beside_those_there_are() {
        let error = parse("lodtest").unwrap_err().to_string();
        assert!(error.contains("no task is called \"lodtest\""), "{error}");
        assert!(error.contains("loadtest      Build"), "{error}");
    }

    #[test]
    fn no_task_is_an_error_that_lists_them() {
        let error = parse("").unwrap_err().to_string();
        assert!(
            error.contains("no task given") && error.contains("Usage:"),
            "{error}"
        );
    }

    #[test]
    fn tidy_refuses_an_argument() {
        let error = parse("tidy --fix").unwrap_err().to_string();
        assert_eq!(error, "tidy takes no argument, got \"--fix\"");
    }
}
