//! The table of exponents.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{list, number, short, text};

/// What is shown: a sweep, its measure, and what it is called.
const SHOWN: [[&str; 3]; 5] = [
    [
        "log",
        "append, a record of a batch",
        "append, a record of a batch",
    ],
    ["log", "find by key, median", "query by key"],
    [
        "simulate",
        "simulate 5 actions, median",
        "simulate 5 actions",
    ],
    [
        "memory",
        "recall by words and vector, median",
        "recall by words and vector",
    ],
    ["gate", "can execute, median", "can execute"],
];

pub(super) fn table(sweep: &Value) -> Result<String> {
    let mut table = String::from(
        "| measure | at the smallest | at the largest | exponent | expected |\n\
         | --- | ---: | ---: | ---: | --- |\n",
    );
    for [kind, measure, name] in SHOWN {
        let missing = || format!("the sweep has no {kind}: {measure}");
        let of_kind = list(sweep, "")?.iter().find(|it| it["name"] == kind);
        let of_kind = of_kind.with_context(missing)?;
        let row = row(of_kind, measure, name).with_context(missing)?;
        table.push_str(&row);
    }
    Ok(table)
}

/// What the interval of an exponent says about what was expected; the limits are those of the sweep.
fn conclusion(expected: &str, exponent: f64, margin: f64) -> Result<&'static str> {
    let most = match expected {
        "flat" => 0.25,
        "less than linear" => 0.9,
        "linear" => 1.2,
        other => bail!("no such expectation: {other}"),
    };
    Ok(if exponent + margin <= most {
        ""
    } else if exponent - margin > most {
        ": **exceeded**"
    } else {
        ": **inconclusive**"
    })
}

fn row(kind: &Value, measure: &str, name: &str) -> Result<String> {
    let measures = list(kind, "/measures")?;
    let place = measures.iter().position(|it| it["name"] == measure);
    let place = place.context("no such measure")?;
    let fitted = &measures[place];
    let figures = list(kind, "/figures")?;
    let (first, last) = figures.first().zip(figures.last()).context("no figures")?;
    let (unit, varied) = (text(fitted, "/unit")?, text(kind, "/varied")?);
    let scale = number(fitted, "/scale")?;
    let at = |figures: &Value| -> Result<String> {
        let value = number(figures, &format!("/values/{place}"))? / scale;
        let size = short(number(figures, "/size")?);
        Ok(format!("{} {unit} ({size})", short(value)))
    };
    let (exponent, margin) = (
        number(fitted, "/growth/exponent")?,
        number(fitted, "/growth/margin")?,
    );
    let expected = text(fitted, "/expected")?.replace('_', " ");
    let note = conclusion(&expected, exponent, margin)?;
    let mut row = String::new();
    let _ = writeln!(
        row,
        "| {name}, by {varied} | {} | {} | {exponent:.2} ± {margin:.2} | {expected}{note} |",
        at(first)?,
        at(last)?,
    );
    Ok(row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_measure_is_shown_at_both_ends_with_its_exponent() {
        let kind = json!({
            "name": "log", "varied": "records",
            "figures": [
                { "size": 5_000, "values": [9.0, 1_500.0] },
                { "size": 5_000_000, "values": [9.0, 3_000.0] },
            ],
            "measures": [
                { "name": "other" },
                { "name": "append", "unit": "µs", "scale": 1000.0, "expected": "less_than_linear",
                  "growth": { "exponent": 0.95, "margin": 0.02 } },
            ],
        });
        assert_eq!(
            row(&kind, "append", "append a record").unwrap(),
            "| append a record, by records | 1.50 µs (5,000) | 3.00 µs (5,000,000) | 0.95 ± 0.02 | less than linear: **exceeded** |\n"
        );
        assert!(row(&kind, "none", "none").is_err());
    }
}
