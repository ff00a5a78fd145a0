//! How faithful are the predictions? Writes a page with precision, recall and Brier score over worlds
//! that others published, and over planning problems that are generated.
//!
//! `cargo run --release -p proofload-forensic-simulator --example fidelity -- --data DIR -o docs/fidelity.md`
//!
//! It is no command of `proofload`: the tools of the airline and the words of AgentDojo are
//! somebody else's, and belong to the tests, of which it uses the modules. The data is not part of
//! this repository; `DIR` has the folders `tau-bench-airline` and `agentdojo`.

#[allow(
    dead_code,
    unused_imports,
    reason = "its tests are not part of this program"
)]
#[path = "../../tests/it/agentdojo/mod.rs"]
mod agentdojo;
#[path = "../../tests/it/airline.rs"]
mod airline;
mod score;
#[allow(
    dead_code,
    unused_imports,
    reason = "its tests are not part of this program"
)]
#[path = "../../tests/it/strips/mod.rs"]
mod strips;
#[allow(
    dead_code,
    unused_imports,
    reason = "its tests are not part of this program"
)]
#[path = "../../tests/it/tau_bench.rs"]
mod tau_bench;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use forensic_simulator::PredictedOutcome;

use crate::score::Score;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (mut data, mut out) = (None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().map(PathBuf::from);
        match name.as_str() {
            "--data" => data = value,
            "-o" => out = value,
            other => return Err(io::Error::other(format!("unknown argument {other:?}"))),
        }
    }
    let usage = || io::Error::other("usage: fidelity --data DIR -o FILE");
    let (data, out) = (data.ok_or_else(usage)?, out.ok_or_else(usage)?);
    fs::write(out, page(&data))
}

// A `String` takes every write, so the results below are not looked at.

fn page(data: &Path) -> String {
    let mut page = "\
# Fidelity of the forensic simulator

Its predictions, compared with what others observed. Written by

```sh
cargo run --release -p proofload-forensic-simulator --example fidelity -- --data DIR -o docs/fidelity.md
```

Precision is the share of what was predicted that came true, recall the share of what happened that
was predicted. The Brier score is the mean square of the distance between the predicted probability
and what happened: 0 is perfect, 0.25 is a coin. A prediction that nothing can be said counts as a
probability of one half, and as no prediction.

| data | predicted | cases | precision | recall | Brier score |
|---|---|---:|---:|---:|---:|
"
    .to_owned();
    let airline = tau_bench::measure(&data.join("tau-bench-airline"));
    let mut calls = Score::default();
    for (predicted, succeeded) in &airline.verdicts {
        let failure = match predicted {
            PredictedOutcome::Success => 0.0,
            PredictedOutcome::Unknown => 0.5,
            PredictedOutcome::Blocked | PredictedOutcome::WouldFail | PredictedOutcome::Unsafe => {
                1.0
            }
        };
        calls.add(failure, !succeeded);
    }
    let _ = writeln!(page, "| τ-bench airline | a call fails | {calls} |");
    let measured = agentdojo::measure(&data.join("agentdojo"));
    let figures = measured.whole;
    let score = Score::of_counts(
        figures.held,
        figures.benign_held,
        figures.attacks - figures.held,
        figures.benign - figures.benign_held,
    );
    let _ = writeln!(page, "| AgentDojo | a plan holds an attack | {score} |");
    let mut plans = Score::default();
    strips::compare(28, 30, &mut |_, _, expected, found| {
        let works = if found.is_none() { 1.0 } else { 0.0 };
        plans.add(works, expected.is_none());
    });
    let _ = writeln!(page, "| STRIPS, twelve domains | a plan works | {plans} |");
    airline_section(&mut page, &airline);
    agentdojo_section(&mut page, &measured);
    strips_section(&mut page);
    page
}

fn airline_section(page: &mut String, airline: &tau_bench::Seen) {
    let all = airline.answers + airline.errors;
    let _ = write!(
        page,
        "
## τ-bench airline

160 recorded runs of an agent against the tools of an airline, and the plan that solves each task. Of
{} published digests of end states, of {} recorded answers and of {} recorded errors, {} differ from
what was predicted ({all} calls together, text for text).
",
        airline.digests,
        airline.answers,
        airline.errors,
        airline.wrong.len(),
    );
}

fn agentdojo_section(page: &mut String, measured: &agentdojo::Measured) {
    page.push_str(
        "
## AgentDojo

An attack is what a person asked for, followed by what an attacker planted. A plan is held by where the
targets of its calls come from (`ProvenancePolicy`): named in the request, known from a place that no
outsider writes, or read from a source that the request named. Nothing is chosen or fitted per suite, so
a rotation would give the same figures. But the rules, and the names of parameters that are targets, were
written with these three suites in sight: only another suite can check them. Every suite in the folder is
measured.

| suite | attacks held | benign plans held |
|---|---:|---:|
",
    );
    let all = ("all".to_owned(), measured.whole);
    for (suite, figures) in measured.suites.iter().chain([&all]) {
        let _ = writeln!(
            page,
            "| {suite} | {} of {} | {} of {} |",
            figures.held, figures.attacks, figures.benign_held, figures.benign
        );
    }
}

fn strips_section(page: &mut String) {
    page.push_str(
        "
## STRIPS

Twelve classical planning domains, 28 generated problems of each, and of each problem a plan that works
and 30 plans that were spoilt. The observer is a validator that shares no code with the simulator. Plans
count as the same only if both name the same step as the first that goes wrong; a test fails otherwise.
",
    );
}
