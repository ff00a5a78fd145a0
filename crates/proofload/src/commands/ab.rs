use anyhow::Context as _;
use harness::{ScenarioFile, Suite};
use report::Report;
use report::comparison::{Comparison, comparison_in_words, figures_of_steps, rounds_needed};

use crate::arguments::{AbArguments, Runnable};
use crate::commands::compare::{show, within};
use crate::commands::suite::{read, suite_of};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::live;
use crate::terminal::{print, shown};

/// Runs two scenarios in turns, and compares them round by round.
pub(crate) fn run(arguments: &AbArguments) -> anyhow::Result<Exit> {
    let load = &arguments.load;
    let sides = [
        (&arguments.a, &arguments.set_a),
        (&arguments.b, &arguments.set_b),
    ];
    let [a, b] = sides.map(|(side, set)| suite_of(load, std::slice::from_ref(side), set));
    let suites = [a?, b?];
    let rounds = match arguments.rounds {
        Some(rounds) => rounds.get(),
        None => default_rounds(&read(load, &arguments.a, &arguments.set_a)?),
    };
    std::fs::create_dir_all(&load.output.out)
        .with_context(|| format!("cannot create {}", load.output.out.display()))?;
    let folder = tempfile::Builder::new()
        .prefix("ab-")
        .tempdir_in(&load.output.out)
        .with_context(|| format!("cannot create a folder in {}", load.output.out.display()))?
        .keep();

    let mut progress = live::progress(&load.output, load.json, Interrupt::listen()?)?;
    let mut reports: [Vec<Report>; 2] = [Vec::new(), Vec::new()];
    let mut interrupted = false;
    'rounds: for round in 0..rounds {
        // Who goes second finds warm caches: each side does so every other time.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let mut pair: [Option<Report>; 2] = [None, None];
        for side in order {
            let out = folder.join(if side == 0 { "a" } else { "b" });
            let (report, _) = Suite::run_and_save(&suites[side], &out, &mut *progress)?;
            if report.interrupted {
                interrupted = true;
                break 'rounds;
            }
            pair[side] = Some(report);
        }
        if let [Some(a), Some(b)] = pair {
            reports[0].push(a);
            reports[1].push(b);
        }
    }
    let [a, mut b] = reports;
    name_alike(&a, &mut b);
    let names = [&arguments.a, &arguments.b].map(Runnable::name);
    let comparison = Comparison::of((&names[0], &a), (&names[1], &b));
    let comparison = within(comparison, arguments.no_worse_than);
    let place = folder.join("comparison.md");
    std::fs::write(&place, comparison_in_words(&comparison))
        .with_context(|| format!("cannot write {}", place.display()))?;
    let exit = show(&comparison, load.json)?;
    if !load.json {
        print(&format!(
            "rounds: {}\ncompare again: proofload compare {} {}\n",
            shown(&folder),
            shown(&folder.join("a")),
            shown(&folder.join("b"))
        ))?;
    }
    Ok(match interrupted {
        true => Exit::Interrupted,
        false => exit,
    })
}

/// At the fewest rounds that can show a difference every one has to agree, so it is two more.
fn default_rounds(file: &ScenarioFile) -> u32 {
    const MORE: u32 = 2;
    let needed = rounds_needed(figures_of_steps(file.steps().len()));
    u32::try_from(needed)
        .unwrap_or(u32::MAX)
        .saturating_add(MORE)
}

/// Two files may call their scenario by two names: the first of one is held against the first of
/// the other.
fn name_alike(a: &[Report], b: &mut [Report]) {
    for (a, b) in a.iter().zip(b) {
        for (a, b) in a.scenarios.iter().zip(&mut b.scenarios) {
            b.name.clone_from(&a.name);
        }
    }
}
