//! Resources and what they refer to, as a drawing.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::markup;
use crate::formats::planned::{ChangeKind, PlannedResource};

/// At most so many resources are drawn, the most dangerous first.
const SHOWN: usize = 150;

const WIDTH: usize = 260;
const HEIGHT: usize = 26;
const COLUMN: usize = 330;
const ROW: usize = 38;

/// A box for each resource, in the column behind all that it refers to.
pub(super) fn of(resources: &[PlannedResource]) -> String {
    let shown = &resources[..resources.len().min(SHOWN)];
    let places: HashMap<&str, usize> = shown
        .iter()
        .enumerate()
        .map(|(place, resource)| (resource.address.as_str(), place))
        .collect();
    let columns = columns(shown, &places);
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let at: Vec<(usize, usize)> = columns
        .iter()
        .map(|&column| {
            let row = rows.entry(column).or_default();
            *row += 1;
            (10 + column * COLUMN, 10 + (*row - 1) * ROW)
        })
        .collect();
    let width = 20 + WIDTH + columns.iter().max().unwrap_or(&0) * COLUMN;
    let height = 20 + ROW * rows.values().max().unwrap_or(&1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n"
    );
    for (place, resource) in shown.iter().enumerate() {
        for name in &resource.depends_on {
            if let Some(&from) = places.get(name.as_str()) {
                let ((x1, y1), (x2, y2)) = (at[from], at[place]);
                let (x1, y1, y2) = (x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2);
                let _ = writeln!(
                    svg,
                    "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"#888888\"/>"
                );
            }
        }
    }
    for (resource, (x, y)) in shown.iter().zip(at) {
        let label = format!("{} {}", resource.kind.as_str(), resource.address);
        let start: String = label.chars().take(38).collect();
        let (label, start, fill) = (markup(&label), markup(&start), color(resource.kind));
        let (text_x, text_y) = (x + 8, y + 17);
        let _ = writeln!(
            svg,
            "<g><title>{label}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"4\" \
             fill=\"{fill}\" stroke=\"#555555\"/><text x=\"{text_x}\" y=\"{text_y}\" fill=\"#111111\">{start}</text></g>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The length of the longest chain of references before each resource.
fn columns(shown: &[PlannedResource], places: &HashMap<&str, usize>) -> Vec<usize> {
    let mut columns = vec![0; shown.len()];
    // So often at most does a longer chain reach one resource more; a circle ends here too.
    for _ in 0..shown.len() {
        let mut moved = false;
        for (place, resource) in shown.iter().enumerate() {
            let before = resource
                .depends_on
                .iter()
                .filter_map(|name| places.get(name.as_str()));
            let column = before.map(|&before| columns[before] + 1).max().unwrap_or(0);
            if column > columns[place] && column < shown.len() {
                columns[place] = column;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    columns
}

pub(super) fn color(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Destroy => "#ffb8b8",
        ChangeKind::Replace => "#ffd9b0",
        ChangeKind::Invoke | ChangeKind::Unknown | ChangeKind::Outside => "#e8d5ff",
        ChangeKind::Forget => "#eeddcc",
        ChangeKind::Update => "#fff2c0",
        ChangeKind::Create => "#cdeccd",
        ChangeKind::Import | ChangeKind::Move | ChangeKind::Read => "#e6e6e6",
    }
}
