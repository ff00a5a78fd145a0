use super::*;
use proptest::prelude::*;

/// The expression with a mark under the mistake, and what is wrong.
fn render(text: &str) -> String {
    match Threshold::from_str(text) {
        Ok(threshold) => format!("{text}\nok: {:?} {}", threshold.metric, threshold.limit),
        Err(RunError::Threshold {
            column, problem, ..
        }) => {
            format!("{text}\n{:>column$} {problem}", '^')
        }
        Err(other) => other.to_string(),
    }
}

fn assert_mistake(text: &str, mark: &str, problem: &str) {
    let rendered = render(text);
    let (_, below) = rendered.split_once('\n').unwrap();
    assert!(
        below.starts_with(&format!("{mark} {problem}")),
        "\n{rendered}"
    );
}

#[test]
fn limits_are_read_in_their_units() {
    let limit = |text| {
        Threshold::from_str(text)
            .map(|threshold| threshold.limit)
            .unwrap()
    };
    assert_eq!(limit("p99(create) < 200ms"), 200e6);
    assert_eq!(limit("p99.9<1.5s"), 1.5e9);
    assert_eq!(limit("error_rate < 1%"), 0.01);
    assert_eq!(limit("error_rate(@ peak) <= 0.01"), 0.01);
    assert_eq!(limit("lost == 0"), 0.0);
    assert_eq!(limit(" rate >= 1_000 /s "), 1000.0);
    assert_eq!(limit("rate > 60/min"), 1.0);
    assert_eq!(limit("memory_peak < 1.5GiB"), 1.5 * 1_073_741_824.0);
}

#[test]
fn steps_and_phases_are_read_with_their_places() {
    let threshold = Threshold::from_str("p95( \"can execute\" @ ramp-up ) != 3µs").unwrap();
    let step = Name {
        text: "can execute".to_owned(),
        column: 6,
    };
    let phase = Name {
        text: "ramp-up".to_owned(),
        column: 22,
    };
    assert_eq!((threshold.step, threshold.phase), (Some(step), Some(phase)));
    assert_eq!(threshold.comparison, Comparison::Unequal);
}

#[test]
fn a_mistake_is_pointed_at_with_what_would_be_right() {
    assert_mistake("", "^", "a figure is missing");
    assert_mistake("p99x < 3ms", "^", "`p99x` is no figure; there are");
    assert_mistake("p101 < 3ms", "^", "`p101` is no figure");
    assert_mistake("p99 200ms", "    ^", "a comparison is missing");
    assert_mistake(
        "p99 < ms",
        "      ^",
        "a number is missing, such as `200ms`",
    );
    assert_mistake("p99 < 1.2.3ms", "      ^", "a number is missing");
    assert_mistake(
        "p99 < 200",
        "      ^",
        "`p99` is a time, so its limit needs a unit",
    );
    assert_mistake(
        "p99 < 200 MB",
        "          ^",
        "`p99` is a time, whose unit is ns",
    );
    assert_mistake(
        "lost == 3%",
        "         ^",
        "`lost` is a count, whose unit is none",
    );
    assert_mistake(
        "lost(create) == 0",
        "    ^",
        "`lost` is a figure of the whole run",
    );
    assert_mistake(
        "memory_growth(*) < 1MB",
        "              ^",
        "`memory_growth` is no figure of a step",
    );
    assert_mistake("p99() < 1s", "    ^", "a step's name is missing");
    assert_mistake(
        "p99(create @) < 1s",
        "            ^",
        "a phase's name is missing",
    );
    assert_mistake(
        "p99(create < 1s",
        "           ^",
        "the parenthesis is not closed",
    );
    assert_mistake("p99(\"create) < 1s", "    ^", "the quotation is not closed");
    assert_mistake(
        "effects(a @ b) > 0",
        "          ^",
        "`effects` is no figure of a phase",
    );
    assert_mistake(
        "p99(ß) < 1 lost",
        "           ^",
        "`p99` is a time, whose unit is",
    );
    assert_mistake(
        "error_rate < 5",
        "             ^",
        "above 100 %; did you mean 5 %?",
    );
    assert_mistake("error_rate < 150%", "             ^", "above 100 %");
    assert_mistake("error_rate <= 100%", "           ^", "this always holds");
    assert_mistake("lost < 0", "     ^", "this never holds");
    assert_mistake(
        "memory_leak(a) == 0",
        "            ^",
        "`memory_leak` is no figure of a step",
    );
    assert_mistake(
        "lost == 0 0",
        "          ^",
        "nothing may follow the limit, not `0`",
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_pointed_at_within_it(text in "[a-z0-9()@\"<>=%/. ß]{0,24}") {
        if let Err(RunError::Threshold { column, .. }) = Threshold::from_str(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&column));
        }
    }

    #[test]
    fn a_well_formed_expression_is_read(
        percent in 1..100u32,
        step in "[a-z_-]{1,8}",
        comparison in prop::sample::select(&["<", "<=", ">", ">=", "==", "!="][..]),
        limit in 1..100_000u32,
    ) {
        let text = format!("p{percent}({step}) {comparison} {limit}us");
        let threshold = Threshold::from_str(&text).unwrap();
        prop_assert_eq!(threshold.limit, f64::from(limit) * 1e3);
        prop_assert_eq!(threshold.to_string(), text);
    }
}
