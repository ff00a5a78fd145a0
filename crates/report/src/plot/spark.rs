//! A line without axes, as high as a word: how a step's p99 went over the run.

use std::fmt::Write as _;

use super::timeline::Column;

/// Points of such a line at most.
const POINTS: usize = 60;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 22.0;

/// The highest p99 of each part of the run, from 0 to the highest of all. Nothing for a run of less
/// than three columns, in which there is no course to be seen.
pub(super) fn spark(columns: &[Column]) -> String {
    if columns.len() < 3 {
        return String::new();
    }
    let each = columns.len().div_ceil(POINTS);
    let parts: Vec<u64> = columns
        .chunks(each)
        .map(|own| own.iter().map(|column| column.p99_ns).max().unwrap_or(0))
        .collect();
    let highest = parts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let last = (parts.len() - 1).max(1) as f64;
    let mut path = String::new();
    for (at, &value) in parts.iter().enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        let x = 1.0 + at as f64 / last * (WIDTH - 2.0);
        let y = HEIGHT - 2.0 - value as f64 / highest * (HEIGHT - 4.0);
        let _ = write!(path, "{command}{x:.0} {y:.1}");
    }
    format!(
        "<svg class=\"spark\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         aria-hidden=\"true\"><path d=\"{path}\"/></svg>"
    )
}
