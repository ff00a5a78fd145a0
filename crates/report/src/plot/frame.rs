//! The frame of a plot: grid, axes, phases, findings, and the paths within.
//!
//! Words are placed by percentages around an inner SVG that stretches with the page, so that they
//! keep their size on every screen and lines keep their width. Zooming changes only the inner
//! `viewBox`; the script moves the words along.

use std::fmt::Write as _;

use super::scale::Scale;
use crate::render::text::{elided, markup};
use crate::{PlotKind, Span};

/// Width and height of the inner coordinates: enough that rounding to whole ones is not seen.
const WIDTH: f64 = 10_000.0;
const HEIGHT: f64 = 1_000.0;

/// What a label needs of the height of a plot.
const LABEL_HEIGHT: u32 = 18;

/// What all plots over the time of a scenario share.
pub(super) struct TimeAxis {
    pub(super) end_s: f64,
    /// Each phase's name, beginning and end.
    pub(super) phases: Vec<(String, f64, f64)>,
    /// Each finding's number and time.
    pub(super) findings: Vec<(usize, Span)>,
    /// When the monitor knew nothing.
    pub(super) gaps: Vec<(f64, f64)>,
}

/// A plot that is being drawn.
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
    data: String,
}

impl Frame {
    pub(super) fn new(x: Scale, y: Scale) -> Self {
        Self {
            x,
            y,
            data: String::new(),
        }
    }

    pub(super) fn x_at(&self, value: f64) -> i64 {
        (self.x.at(value) * WIDTH).round() as i64
    }

    pub(super) fn y_at(&self, value: f64) -> i64 {
        ((1.0 - self.y.at(value)) * HEIGHT).round() as i64
    }

    /// Adds a path in inner coordinates; nothing, if it is empty.
    pub(super) fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = write!(self.data, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// A line through points; a point that is not there is a gap in it.
    pub(super) fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, Option<f64>)>) {
        let mut path = String::new();
        let mut drawing = false;
        for (x, y) in points {
            let Some(y) = y else {
                drawing = false;
                continue;
            };
            let command = if drawing { 'L' } else { 'M' };
            drawing = true;
            let _ = write!(path, "{command}{} {}", self.x_at(x), self.y_at(y));
        }
        self.path(class, &path);
    }

    /// A level from each beginning to its end: what is one figure for a time is no slope.
    pub(super) fn levels(
        &mut self,
        class: &str,
        levels: impl Iterator<Item = (f64, f64, Option<f64>)>,
    ) {
        let mut path = String::new();
        let mut drawing = false;
        for (from, to, y) in levels {
            let Some(y) = y.map(|y| self.y_at(y)) else {
                drawing = false;
                continue;
            };
            let _ = if drawing {
                write!(path, "V{y}H{}", self.x_at(to))
            } else {
                write!(path, "M{} {y}H{}", self.x_at(from), self.x_at(to))
            };
            drawing = true;
        }
        self.path(class, &path);
    }

    /// The area between a low and a high figure of each time.
    pub(super) fn band(
        &mut self,
        class: &str,
        bands: impl DoubleEndedIterator<Item = (f64, f64, f64, f64)> + Clone,
    ) {
        let mut path = String::new();
        for (from, to, _, high) in bands.clone() {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (from, to, high) = (self.x_at(from), self.x_at(to), self.y_at(high));
            let _ = write!(path, "{command}{from} {high}H{to}");
        }
        for (from, to, low, _) in bands.rev() {
            let (from, to, low) = (self.x_at(from), self.x_at(to), self.y_at(low));
            let _ = write!(path, "L{to} {low}H{from}");
        }
        if !path.is_empty() {
            path.push('Z');
        }
        self.path(class, &path);
    }

    /// A rectangle in the form of a path.
    pub(super) fn rectangle(&self, x: (f64, f64), y: (f64, f64)) -> String {
        let (left, right) = (self.x_at(x.0), self.x_at(x.1));
        let (bottom, top) = (self.y_at(y.0), self.y_at(y.1));
        format!("M{left} {bottom}H{right}V{top}H{left}Z")
    }

    /// The whole plot as an SVG. Title and description are for those who cannot see it.
    pub(super) fn finish(
        self,
        kind: PlotKind,
        id: &str,
        title: &str,
        summary: &str,
        height: u32,
        time: Option<&TimeAxis>,
    ) -> String {
        let mut svg = format!(
            "<svg class=\"frame\" width=\"100%\" height=\"{height}\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title>\
             <desc id=\"{id}-d\">{}</desc>",
            markup(title),
            markup(summary)
        );
        self.grid(&mut svg, height);
        if let Some(axis) = time {
            phases(&mut svg, axis);
        }
        let _ = write!(
            svg,
            "<svg class=\"data\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             preserveAspectRatio=\"none\">"
        );
        if let Some(axis) = time {
            self.shades(&mut svg, axis);
        }
        svg.push_str(&self.data);
        svg.push_str("</svg>");
        if let Some(axis) = time {
            marks(&mut svg, axis);
        }
        axis_titles(&mut svg, kind, height);
        svg.push_str("<line class=\"cursor\" y2=\"100%\"/></svg>");
        svg
    }

    fn grid(&self, svg: &mut String, height: u32) {
        svg.push_str("<g class=\"grid\" aria-hidden=\"true\">");
        let ticks = self.y.ticks();
        // Every other label goes where they would touch, counted from the lowest.
        let each = 1 + usize::from(ticks.len() as u32 * LABEL_HEIGHT > height);
        for (value, label) in ticks.into_iter().step_by(each) {
            let at = percent(1.0 - self.y.at(value));
            let _ = write!(
                svg,
                "<line x2=\"100%\" y1=\"{at}%\" y2=\"{at}%\"/>\
                 <text x=\"-8\" y=\"{at}%\" dy=\".32em\" text-anchor=\"end\">{}</text>",
                markup(&label)
            );
        }
        svg.push_str("</g><g class=\"ticks\" aria-hidden=\"true\">");
        for (value, label) in self.x.ticks() {
            let at = percent(self.x.at(value));
            // On a narrow screen it would touch its neighbour.
            let minor = matches!(self.x, Scale::Nines { .. }) && value == 0.5;
            let class = if minor { " class=\"minor\"" } else { "" };
            let _ = write!(
                svg,
                "<line x1=\"{at}%\" x2=\"{at}%\" y2=\"100%\"/>\
                 <text{class} x=\"{at}%\" y=\"100%\" dy=\"17\" text-anchor=\"middle\">{}</text>",
                markup(&label)
            );
        }
        svg.push_str("</g>");
    }

    /// Areas behind the data: gaps of the monitor, and times of findings.
    fn shades(&self, svg: &mut String, axis: &TimeAxis) {
        for &(from, to) in &axis.gaps {
            let path = self.column(from, to);
            let _ = write!(svg, "<path class=\"gap\" d=\"{path}\"/>");
        }
        for (_, span) in &axis.findings {
            let path = self.column(span.start_ns as f64 / 1e9, span.end_ns as f64 / 1e9);
            let _ = write!(svg, "<path class=\"span\" d=\"{path}\"/>");
        }
    }

    fn column(&self, from: f64, to: f64) -> String {
        let (left, right) = (self.x_at(from), self.x_at(to));
        // A moment is a line.
        let right = right.max(left + 10);
        format!("M{left} 0H{right}V{HEIGHT}H{left}Z")
    }
}

/// What the axes are counted in, along them.
fn axis_titles(svg: &mut String, kind: PlotKind, height: u32) {
    let along = match kind {
        PlotKind::Percentiles => "percentile",
        _ => "time since the load began",
    };
    let middle = height / 2;
    let _ = write!(
        svg,
        "<g class=\"axes\" aria-hidden=\"true\">\
         <text x=\"50%\" y=\"100%\" dy=\"33\" text-anchor=\"middle\">{along}</text>\
         <text transform=\"translate(-56 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text></g>",
        kind.axis()
    );
}

/// The names of phases above the plot. The script moves what has `data-x` when it zooms.
fn phases(svg: &mut String, axis: &TimeAxis) {
    const NAME_CHARACTERS: usize = 40;
    svg.push_str("<g class=\"phases\" aria-hidden=\"true\">");
    for (number, (name, from, to)) in (1..).zip(&axis.phases) {
        let (from, to) = (from / axis.end_s, to / axis.end_s);
        let width = percent((to.min(1.0) - from).max(0.0));
        let at = percent(from.min(1.0));
        let name = elided(name, NAME_CHARACTERS);
        let needed = name.chars().count() as f64 * LETTER;
        let fits = |plot: f64| needed <= (to.min(1.0) - from) * plot;
        // A name that would be cut is its number, by which the phases are listed.
        let (wide, narrow) = (fits(WIDE_PLOT), fits(NARROW_PLOT));
        let _ = write!(
            svg,
            "<svg x=\"{at}%\" width=\"{width}%\" y=\"-18\" height=\"100%\" data-x=\"{from:.6}\" \
             data-to=\"{to:.6}\"><line y1=\"18\" y2=\"100%\"/>"
        );
        if wide {
            let class = if narrow { "" } else { " class=\"on-wide\"" };
            let _ = write!(
                svg,
                "<text{class} x=\"4\" y=\"12\">{}</text>",
                markup(&name)
            );
        }
        if !narrow {
            let class = if wide { " class=\"on-narrow\"" } else { "" };
            let _ = write!(svg, "<text{class} x=\"4\" y=\"12\">{number}</text>");
        }
        svg.push_str("</svg>");
    }
    svg.push_str("</g>");
}

/// About how wide a letter of a phase's name is, and the plots of a wide and of a narrow screen, in pixels.
const LETTER: f64 = 7.5;
const WIDE_PLOT: f64 = 700.0;
const NARROW_PLOT: f64 = 270.0;

/// The numbers of findings, at the middle of their times.
fn marks(svg: &mut String, axis: &TimeAxis) {
    svg.push_str("<g class=\"marks\" aria-hidden=\"true\">");
    for (number, span) in &axis.findings {
        let middle = (span.start_ns as f64 + span.end_ns as f64) / 2e9 / axis.end_s;
        let at = percent(middle.min(1.0));
        let _ = write!(
            svg,
            "<svg class=\"mark\" x=\"{at}%\" data-x=\"{middle:.6}\" overflow=\"visible\" width=\"1\" \
             height=\"1\"><circle cy=\"12\" r=\"9\"/><text y=\"12\" dy=\".34em\" \
             text-anchor=\"middle\">{number}</text></svg>"
        );
    }
    svg.push_str("</g>");
}

/// A share as percent, as short as a browser needs it.
fn percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}
