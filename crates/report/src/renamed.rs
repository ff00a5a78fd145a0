//! Steps of built-in scenarios that had other names in earlier versions, so that runs of then and of now
//! are put side by side.

use load_engine::{RunRecord, Threshold};

/// Scenario, earlier name, name of today.
const STEPS: [(&str, &str, &str); 2] = [
    ("integrated", "rehearse", "simulate"),
    (
        "integrated",
        "rehearse again and claim",
        "simulate again and claim",
    ),
];

/// Gives a step its name of today.
pub(crate) fn rename(scenario: &str, step: &mut String) {
    let is = |&&(of, before, _): &&(&str, &str, &str)| of == scenario && before == step;
    if let Some((_, _, today)) = STEPS.iter().find(is) {
        (*today).clone_into(step);
    }
}

/// Gives the steps of a record their names of today.
pub(crate) fn rename_steps(scenario: &str, run: &mut RunRecord) {
    let steps = run.steps.iter_mut().map(|step| &mut step.name);
    let phases = run.phases.iter_mut();
    let in_phases = phases.flat_map(|phase| phase.steps.iter_mut().map(|step| &mut step.name));
    steps
        .chain(in_phases)
        .for_each(|name| rename(scenario, name));
}

/// A threshold on the step's name of today.
pub(crate) fn rename_threshold(scenario: &str, threshold: &Threshold) -> Threshold {
    let mut text = threshold.to_string();
    for (of, before, today) in STEPS {
        if of == scenario {
            for (open, close) in [("\"", "\""), ("(", ")"), ("(", " @")] {
                text = text.replace(
                    &format!("{open}{before}{close}"),
                    &format!("{open}{today}{close}"),
                );
            }
        }
    }
    // A name without quotes is one word in every version, so the text still parses.
    text.parse().unwrap_or_else(|_| threshold.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_renamed_steps_of_their_scenario_are_renamed() {
        let renamed = |scenario, step: &str| {
            let mut step = step.to_owned();
            rename(scenario, &mut step);
            step
        };
        assert_eq!(renamed("integrated", "rehearse"), "simulate");
        assert_eq!(renamed("integrated", "decide"), "decide");
        assert_eq!(renamed("mine", "rehearse"), "rehearse");
    }

    #[test]
    fn thresholds_follow_their_steps() {
        for (before, today) in [
            ("p99(rehearse) < 5ms", "p99(simulate) < 5ms"),
            ("p99(rehearse @ peak) < 5ms", "p99(simulate @ peak) < 5ms"),
            (
                "p99(\"rehearse again and claim\") < 5ms",
                "p99(\"simulate again and claim\") < 5ms",
            ),
            ("error_rate < 1%", "error_rate < 1%"),
        ] {
            let threshold = before.parse().unwrap();
            let renamed = rename_threshold("integrated", &threshold);
            assert_eq!(renamed.to_string(), today);
            assert_eq!(rename_threshold("mine", &threshold), threshold);
        }
    }
}
