//! Pictures that stand alone: SVG on a white ground with logarithmic axes, for a README or a table's
//! side.
//!
//! ```
//! use report::picture::{LogAxis, Picture};
//!
//! let axis = LogAxis::decades([0.4, 30.0], (100.0, 400.0));
//! assert_eq!(axis.powers(), -1..=2);
//! assert_eq!(axis.at(1.0), 200.0);
//!
//! let mut picture = Picture::new("Latency & rate", 500.0, 100.0);
//! picture.line((axis.at(1.0), 20.0), (axis.at(1.0), 80.0), "stroke=\"#ddd\"");
//! picture.text((axis.at(1.0), 95.0), "text-anchor=\"middle\"", "1 ×");
//! assert!(picture.finish().contains("Latency &amp; rate"));
//! ```

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::render::text::markup;

/// A logarithmic axis, from figures to places in a picture.
#[derive(Debug, Clone, Copy)]
pub struct LogAxis {
    /// Of the figures at both ends, the logarithms to base 10.
    low: f64,
    high: f64,
    /// Where both ends lie.
    from: f64,
    to: f64,
}

impl LogAxis {
    /// An axis from the power of ten below all figures to the one above, and over one factor of ten at
    /// least. It includes 1. Figures that have no logarithm are left out.
    #[must_use]
    pub fn decades(figures: impl IntoIterator<Item = f64>, (from, to): (f64, f64)) -> Self {
        let figures = figures.into_iter().filter(|figure| *figure > 0.0);
        let (low, high) = figures.fold((1.0_f64, 1.0_f64), |(low, high), figure| {
            (low.min(figure), high.max(figure))
        });
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        let high = high.max(low + 1.0);
        Self {
            low,
            high,
            from,
            to,
        }
    }

    /// An axis from one positive figure to a larger one.
    #[must_use]
    pub fn between(low: f64, high: f64, (from, to): (f64, f64)) -> Self {
        let low = low.log10();
        let high = high.log10();
        let high = if high > low { high } else { low + 1.0 };
        Self {
            low,
            high,
            from,
            to,
        }
    }

    /// Where a figure lies.
    #[must_use]
    pub fn at(&self, figure: f64) -> f64 {
        let share = (figure.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten on the axis.
    #[must_use]
    pub fn powers(&self) -> RangeInclusive<i32> {
        // An end that is a power of ten is on the axis, however it was rounded.
        (self.low - 1e-9).ceil() as i32..=(self.high + 1e-9).floor() as i32
    }

    /// The figure at the lower end.
    #[must_use]
    pub fn lowest(&self) -> f64 {
        10_f64.powf(self.low)
    }

    /// The figure at the upper end.
    #[must_use]
    pub fn highest(&self) -> f64 {
        10_f64.powf(self.high)
    }
}

/// A picture that is being drawn. Places are from its upper left corner; texts are escaped.
#[derive(Debug)]
pub struct Picture {
    svg: String,
}

impl Picture {
    /// An empty picture of this size with a title at its top.
    #[must_use]
    pub fn new(title: &str, width: f64, height: f64) -> Self {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
             <title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"12\" y=\"24\" font-size=\"15\">{0}</text>\n",
            markup(title)
        );
        Self { svg }
    }

    /// A straight line; `style` are attributes such as `stroke="#ddd"`.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let _ = writeln!(
            self.svg,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A line through points.
    pub fn curve(&mut self, points: impl Iterator<Item = (f64, f64)>, style: &str) {
        let points: String = points.map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        let _ = writeln!(
            self.svg,
            "<polyline points=\"{}\" fill=\"none\" {style}/>",
            points.trim_end()
        );
    }

    /// A dot.
    pub fn dot(&mut self, (x, y): (f64, f64), color: &str) {
        let _ = writeln!(
            self.svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{color}\"/>"
        );
    }

    /// A text; `style` are attributes such as `text-anchor="middle"`.
    pub fn text(&mut self, (x, y): (f64, f64), style: &str, text: &str) {
        let _ = writeln!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
            markup(text)
        );
    }

    /// The picture as the text of an SVG file.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_length_whatever_comes() {
        let axis = LogAxis::decades([], (0.0, 10.0));
        assert_eq!((axis.powers(), axis.at(10.0)), (0..=1, 10.0));
        let axis = LogAxis::decades([0.0, f64::NAN, 0.02], (0.0, 10.0));
        assert_eq!((axis.powers(), axis.at(0.1)), (-2..=0, 5.0));
        let axis = LogAxis::between(5_000.0, 5_000.0, (0.0, 10.0));
        assert_eq!((axis.at(5_000.0), axis.powers()), (0.0, 4..=4));
        let axis = LogAxis::between(1_000.0, 100_000.0, (0.0, 10.0));
        assert_eq!((axis.powers(), axis.at(10_000.0)), (3..=5, 5.0));
    }

    #[test]
    fn no_text_becomes_markup() {
        let mut picture = Picture::new("a < b", 10.0, 10.0);
        picture.text((0.0, 0.0), "", "<script>");
        let svg = picture.finish();
        assert!(svg.contains("a &lt; b") && svg.contains("&lt;script&gt;"));
        assert!(!svg.contains("<script"));
    }
}
