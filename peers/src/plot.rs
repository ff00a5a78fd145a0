//! Ratios as an SVG picture: a dot at the median, a line over the rounds, on a logarithmic axis.

use report::picture::{LogAxis, Picture};

use crate::spread::{Figure, Spread};

/// One line of a picture.
#[derive(Debug)]
pub(crate) struct Line {
    /// Lines of the same group stand under its heading.
    pub(crate) group: String,
    pub(crate) label: String,
    pub(crate) ratio: Spread,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 320.0; // of the axis; labels stand before it
const RIGHT: f64 = 740.0; // of the axis; figures stand behind it
const STEP: f64 = 20.0; // from line to line
const TOP: f64 = 56.0;

/// Draws how many times as fast ours is as each other side.
pub(crate) fn svg(title: &str, lines: &[Line]) -> String {
    let height = TOP + STEP * (lines.len() + groups(lines) + 2) as f64;
    let bottom = height - 2.0 * STEP;
    let ratios = lines
        .iter()
        .flat_map(|line| [line.ratio.lowest, line.ratio.highest]);
    let axis = LogAxis::decades(ratios, (LEFT, RIGHT));
    let mut picture = Picture::new(title, WIDTH, height);
    for power in axis.powers() {
        let ratio = 10_f64.powi(power);
        let at = axis.at(ratio);
        let style = if power == 0 {
            "stroke=\"#333\""
        } else {
            "stroke=\"#ddd\""
        };
        picture.line((at, TOP), (at, bottom), style);
        let label = format!("{ratio} ×");
        picture.text((at, bottom + 16.0), "text-anchor=\"middle\"", &label);
    }
    let note =
        "right of 1 ×: ours is faster; dot: median of the ratios within a round; line: all rounds";
    picture.text((12.0, height - 6.0), "fill=\"#555\"", note);
    let (mut y, mut group) = (TOP, None);
    for line in lines {
        if group != Some(&line.group) {
            group = Some(&line.group);
            y += STEP;
            picture.text((12.0, y), "font-weight=\"bold\"", &line.group);
        }
        y += STEP;
        let Spread {
            lowest,
            median,
            highest,
        } = line.ratio;
        let middle = y - 4.0;
        let color = if median >= 1.0 { "#1a7f37" } else { "#bc4c00" };
        picture.text((24.0, y), "", &line.label);
        picture.line(
            (axis.at(lowest), middle),
            (axis.at(highest), middle),
            &format!("stroke=\"{color}\""),
        );
        picture.dot((axis.at(median), middle), color);
        picture.text((RIGHT + 16.0, y), "", &format!("{} ×", Figure(median)));
    }
    picture.finish()
}

/// How often a heading is drawn.
fn groups(lines: &[Line]) -> usize {
    let changes = lines.windows(2).filter(|two| two[0].group != two[1].group);
    changes.count() + usize::from(!lines.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_stands_between_the_powers_of_ten_around_it() {
        let line = |group: &str, label: &str, figures: [f64; 3]| Line {
            group: group.into(),
            label: label.into(),
            ratio: Spread::of(figures),
        };
        let lines = [
            line("g", "a < b", [10.0, 10.0, 10.0]),
            line("h", "slower", [0.1, 0.5, 0.9]),
        ];
        let svg = svg("a title", &lines);
        // The whole axis to the right, and "1 ×" in its middle.
        assert!(svg.contains("<circle cx=\"740.0\" cy=\"92.0\" r=\"4\" fill=\"#1a7f37\"/>"));
        assert!(svg.contains(
            "<line x1=\"530.0\" y1=\"56.0\" x2=\"530.0\" y2=\"136.0\" stroke=\"#333\"/>"
        ));
        assert!(svg.contains("a &lt; b") && svg.contains("fill=\"#bc4c00\""));
        assert_eq!(svg.matches("font-weight").count(), 2);
    }
}
