use std::fmt::Write as _;

use super::frame::Frame;
use super::scale::Scale;
use super::timeline::{Column, row_start};
use super::{Legend, Painter, Plot};
use crate::PlotKind;
use crate::units::counted;

/// Shades of the heat map.
const SHADES: usize = 7;

impl Painter<'_> {
    /// How many operations took how long, over time.
    pub(super) fn heat_map(&self) -> Option<Plot> {
        let timeline = self.timeline;
        let cells = || timeline.heat.iter().flatten();
        let most = *cells().max()?;
        let used = |row: &usize| timeline.heat.iter().any(|column| column[*row] > 0);
        let lowest = (0..timeline.heat[0].len()).find(used)?;
        let highest = (0..timeline.heat[0].len()).rfind(used)?;
        let y = Scale::Log {
            low: row_start(lowest),
            high: row_start(highest + 1),
        };
        let mut frame = Frame::new(
            Scale::Time {
                end_s: self.axis.end_s,
            },
            y,
        );
        let mut shades = vec![String::new(); SHADES];
        for row in lowest..=highest {
            self.row(&frame, row, most, &mut shades);
        }
        for (shade, path) in shades.iter().enumerate() {
            frame.path(&format!("h{}", shade + 1), path);
        }
        let title = "How many operations took how long".to_owned();
        let width = timeline
            .columns
            .first()
            .map_or(0.0, |column| column.end_s - column.start_s);
        let caption = format!(
            "A cell is {} of the run and an eighth of a factor of ten of latency, all steps together. \
             The darkest has up to {}; the scale of shades is logarithmic.",
            super::over_time::seconds(width),
            counted(most, "operation")
        );
        let kind = PlotKind::HeatMap;
        let id = self.id(kind);
        let svg = frame.finish(kind, &id, &title, &caption, 200, Some(&self.axis_of(kind)));
        Some(Plot {
            kind,
            id,
            title,
            caption,
            legend: (1..=SHADES)
                .map(|shade| Legend::new(format!("h{shade}"), ""))
                .collect(),
            svg,
            points: None,
        })
    }

    /// Adds a row's cells to the paths of their shades; equal neighbours are one rectangle.
    fn row(&self, frame: &Frame, row: usize, most: u64, shades: &mut [String]) {
        let heat = &self.timeline.heat;
        let columns = &self.timeline.columns;
        let y = (row_start(row), row_start(row + 1));
        let cells: Vec<(usize, &Column)> = heat
            .iter()
            .zip(columns)
            .map(|(cells, column)| (shade(cells[row], most), column))
            .collect();
        for own in cells.chunk_by(|a, b| a.0 == b.0) {
            let (shade, first) = own[0];
            let (_, last) = own[own.len() - 1];
            if shade > 0 {
                let x = (first.start_s, last.end_s);
                let _ = write!(shades[shade - 1], "{}", frame.rectangle(x, y));
            }
        }
    }
}

/// From 1 for a single operation to [`SHADES`] for the most; 0 for none.
fn shade(count: u64, most: u64) -> usize {
    if count == 0 {
        return 0;
    }
    let share = if most <= 1 {
        1.0
    } else {
        (count as f64).ln() / (most as f64).ln()
    };
    1 + (share * (SHADES - 1) as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_operation_is_seen_beside_millions() {
        assert_eq!(shade(0, 1_000_000), 0);
        assert_eq!(shade(1, 1_000_000), 1);
        assert_eq!(shade(1_000, 1_000_000), 4);
        assert_eq!(shade(1_000_000, 1_000_000), 7);
        assert_eq!(shade(1, 1), 7);
    }
}
