//! Ratios as an SVG picture: a dot at the median, a line over the rounds, on a logarithmic axis.

use std::fmt::Write as _;

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
    let groups = groups(lines);
    let height = TOP + STEP * (lines.len() + groups + 2) as f64;
    let (low, high) = decades(lines);
    let x = |ratio: f64| LEFT + (ratio.log10() - low) / (high - low) * (RIGHT - LEFT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\">{}</text>\n",
        escape(title)
    );
    let bottom = height - 2.0 * STEP;
    for power in (low as i32)..=(high as i32) {
        let ratio = 10_f64.powi(power);
        let (at, stroke) = (x(ratio), if power == 0 { "#333" } else { "#ddd" });
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"{stroke}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{ratio} ×</text>",
            bottom + 16.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"12\" y=\"{:.1}\" fill=\"#555\">right of 1 ×: ours is faster; dot: median of the \
         ratios within a round; line: all rounds</text>",
        height - 6.0
    );
    let (mut y, mut group) = (TOP, None);
    for line in lines {
        if group != Some(&line.group) {
            group = Some(&line.group);
            y += STEP;
            let heading = escape(&line.group);
            let _ = writeln!(
                svg,
                "<text x=\"12\" y=\"{y}\" font-weight=\"bold\">{heading}</text>"
            );
        }
        y += STEP;
        let Spread {
            lowest,
            median,
            highest,
        } = line.ratio;
        let (from, at, to, middle) = (x(lowest), x(median), x(highest), y - 4.0);
        let color = if median >= 1.0 { "#1a7f37" } else { "#bc4c00" };
        let _ = writeln!(
            svg,
            "<text x=\"24\" y=\"{y}\">{}</text>\
             <line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"{color}\"/>\
             <circle cx=\"{at:.1}\" cy=\"{middle}\" r=\"4\" fill=\"{color}\"/>\
             <text x=\"{}\" y=\"{y}\">{} ×</text>",
            escape(&line.label),
            RIGHT + 16.0,
            Figure(median)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// How often a heading is drawn.
fn groups(lines: &[Line]) -> usize {
    let changes = lines.windows(2).filter(|two| two[0].group != two[1].group);
    changes.count() + usize::from(!lines.is_empty())
}

/// The powers of ten around all ratios and 1.
fn decades(lines: &[Line]) -> (f64, f64) {
    let ratios = || lines.iter().map(|line| line.ratio);
    let low = ratios().fold(1.0, |low, ratio| ratio.lowest.min(low));
    let high = ratios().fold(1.0, |high, ratio| ratio.highest.max(high));
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    (low, if high > low { high } else { low + 1.0 })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
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
        assert_eq!(decades(&lines), (-1.0, 1.0));
        let svg = svg("a title", &lines);
        // The whole axis to the right, and "1 ×" in its middle.
        assert!(svg.contains("<circle cx=\"740.0\" cy=\"92\" r=\"4\" fill=\"#1a7f37\"/>"));
        assert!(
            svg.contains("<line x1=\"530.0\" x2=\"530.0\" y1=\"56\" y2=\"136\" stroke=\"#333\"/>")
        );
        assert!(svg.contains("a &lt; b") && svg.contains("fill=\"#bc4c00\""));
        assert_eq!(svg.matches("font-weight").count(), 2);
    }

    #[test]
    fn an_axis_without_lines_still_has_a_length() {
        assert_eq!(decades(&[]), (0.0, 1.0));
    }
}
