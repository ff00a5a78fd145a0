//! The figures as a plot in SVG: each one relative to its first size, both axes logarithmic, so that
//! a flat line is flat and a diagonal is linear.

use std::fmt::Write as _;

use crate::Figures;
use crate::kinds::Kind;
use crate::table::short;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Told apart also by people who see colours differently (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// From logarithms to the picture.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, size: f64, factor: f64) -> (f64, f64) {
        let along = |value: f64, (low, high): (f64, f64)| (value.log10() - low) / (high - low);
        (
            LEFT + along(size, self.x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - along(factor, self.y) * (HEIGHT - TOP - BOTTOM),
        )
    }
}

pub(crate) fn svg(kind: &Kind, all: &[Figures]) -> String {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\">{}: cost relative to the smallest size, by {}\
         </text>\n",
        kind.name, kind.varied
    );
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return text + "</svg>\n";
    };
    let frame = frame(all, first, last);
    grid(&mut text, &frame, first, last);
    for (number, measure) in kind.measures.iter().enumerate() {
        let base = first.values[number];
        let places = all
            .iter()
            .map(|f| frame.at(f.size as f64, f.values[number] / base));
        let points: String = places.map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        let colour = COLOURS[number];
        let row = TOP + 20.0 + 22.0 * number as f64;
        let (mark, label) = (WIDTH - RIGHT + 15.0, WIDTH - RIGHT + 45.0);
        let _ = writeln!(
            text,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <line x1=\"{mark}\" x2=\"{}\" y1=\"{row}\" y2=\"{row}\" stroke=\"{colour}\" \
             stroke-width=\"3\"/>\n<text x=\"{label}\" y=\"{}\">{}</text>",
            mark + 22.0,
            row + 4.0,
            measure.name
        );
    }
    text + "</svg>\n"
}

fn frame(all: &[Figures], first: &Figures, last: &Figures) -> Frame {
    let factors = all.iter().flat_map(|figures| {
        let pairs = figures.values.iter().zip(&first.values);
        pairs.map(|(value, base)| value / base)
    });
    let (low, high) = factors.fold((1.0f64, 1.0f64), |(low, high), f| (low.min(f), high.max(f)));
    Frame {
        x: (
            (first.size as f64).log10(),
            (last.size as f64).log10().max(1.0),
        ),
        y: (low.log10().floor().min(-1.0), high.log10().ceil().max(1.0)),
    }
}

fn grid(text: &mut String, frame: &Frame, first: &Figures, last: &Figures) {
    let line = |text: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str| {
        let _ = writeln!(
            text,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>"
        );
    };
    let (from, to) = (first.size as f64, last.size as f64);
    for power in frame.y.0 as i32..=frame.y.1 as i32 {
        let factor = 10f64.powi(power);
        let (x, y) = frame.at(from, factor);
        line(text, (x, y), frame.at(to, factor), "stroke=\"#ddd\"");
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{y:.1}\" text-anchor=\"end\">×{}</text>",
            x - 8.0,
            short(factor)
        );
    }
    for power in from.log10().ceil() as i32..=to.log10().floor() as i32 {
        let size = 10f64.powi(power);
        let (x, bottom) = frame.at(size, 10f64.powf(frame.y.0));
        line(text, (x, bottom), (x, TOP), "stroke=\"#ddd\"");
        let _ = writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">10^{power}</text>",
            bottom + 20.0
        );
    }
    let linear = "stroke=\"#999\" stroke-dasharray=\"5 5\"";
    let end = (to / from).min(10f64.powf(frame.y.1));
    line(text, frame.at(from, 1.0), frame.at(from * end, end), linear);
}
