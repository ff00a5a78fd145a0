//! `cargo xtask figures`: the README's figures, from what `peers` and `sweep` last wrote.

mod growth;
mod peers;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;

pub(crate) const HELP: &str = "\
Writes the figures between the marks in README.md anew, from peers/results and docs/sweep/sweep.json. A test of
xtask holds that they are equal.

Usage: cargo xtask figures

To measure anew first:
  cargo xtask peers --quick --out peers
  cargo xtask sweep --out docs/sweep";

const BEGIN: &str = "<!-- begin: written by `cargo xtask figures` -->\n";
const END: &str = "<!-- end: written by `cargo xtask figures` -->\n";

/// Writes them.
///
/// # Errors
///
/// When a file cannot be read or written, or does not have what is expected in it.
pub(crate) fn run() -> Result<ExitCode> {
    let root = cargo::root();
    let path = root.join("README.md");
    let old = fs::read_to_string(&path).context("cannot read README.md")?;
    let new = replaced(&old, &figures(&root)?)?;
    fs::write(&path, &new).context("cannot write README.md")?;
    let said = if old == new {
        "is up to date"
    } else {
        "is changed"
    };
    println!("README.md {said}");
    Ok(ExitCode::SUCCESS)
}

fn figures(root: &Path) -> Result<String> {
    let results = root.join("peers").join("results");
    let mut text = String::from(
        "Side by side on the same work, all in turns in one run (`cargo xtask peers`); a ratio is the median over \
         the\nrounds, with the lowest and the highest. Everything, with what is compared and what not, is in\n\
         [`peers/RESULTS.md`](peers/RESULTS.md).\n\n",
    );
    text.push_str(&peers::table(|name| {
        read(&results.join(format!("{name}.json")))
    })?);
    text.push_str(
        "\nHow the cost grows with the size, as an exponent: 0 is flat, 1 is linear (`cargo xtask sweep`). All \
         measures\nare in [`docs/sweep/sweep.md`](docs/sweep/sweep.md).\n\n",
    );
    let sweep = read(&root.join("docs").join("sweep").join("sweep.json"))?;
    text.push_str(&growth::table(&sweep)?);
    Ok(text)
}

fn read(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// The text with other figures between the marks.
fn replaced(text: &str, figures: &str) -> Result<String> {
    let missing = || {
        format!(
            "README.md has no {:?} before {:?}",
            BEGIN.trim(),
            END.trim()
        )
    };
    let (before, rest) = text.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

/// A text in JSON.
fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str> {
    let found = value.pointer(place).and_then(Value::as_str);
    found.with_context(|| format!("no text at {place} in {value}"))
}

/// A number in JSON.
fn number(value: &Value, place: &str) -> Result<f64> {
    let found = value.pointer(place).and_then(Value::as_f64);
    found.with_context(|| format!("no number at {place} in {value}"))
}

/// A list in JSON.
fn list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value]> {
    let found = value.pointer(place).and_then(Value::as_array);
    let found = found.with_context(|| format!("no list at {place} in {value}"))?;
    Ok(found)
}

/// Three digits, which is what a shared machine can tell, and marks between thousands.
fn short(figure: f64) -> String {
    let decimals = match figure.abs() {
        large if large >= 99.95 => 0,
        middling if middling >= 9.995 => 1,
        small if small >= 0.0995 => 2,
        _ => 4,
    };
    let text = format!("{figure:.decimals$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut marked = String::new();
    for (place, digit) in text.chars().enumerate() {
        let is_thousand = place > 0 && place < whole && (whole - place).is_multiple_of(3);
        if is_thousand && !marked.ends_with('-') {
            marked.push(',');
        }
        marked.push(digit);
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_figures_that_were_measured() {
        let root = cargo::root();
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        let new = replaced(&readme, &figures(&root).unwrap()).unwrap();
        assert!(readme == new, "run `cargo xtask figures`");
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let old = format!("before\n{BEGIN}old\n{END}after\n");
        let new = replaced(&old, "new").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(replaced(&new, "new").unwrap(), new);
        assert!(replaced("no marks", "new").is_err());
        assert!(replaced(&format!("{END}{BEGIN}"), "new").is_err());
    }

    #[test]
    fn a_figure_has_three_digits_and_marks_between_thousands() {
        let shown = [0.0123, 0.123, 4.567, 45.67, 456.7, 4_567.0, 1_234_567.0].map(short);
        assert_eq!(
            shown,
            [
                "0.0123",
                "0.12",
                "4.57",
                "45.7",
                "457",
                "4,567",
                "1,234,567"
            ]
        );
    }
}
