//! The figures as a plot in SVG: each one relative to its first size, both axes logarithmic, so that
//! a flat line is flat and a diagonal is linear.

use report::picture::{LogAxis, Picture};

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

const GRID: &str = "stroke=\"#ddd\"";

struct Frame {
    x: LogAxis,
    y: LogAxis,
}

impl Frame {
    fn at(&self, size: f64, factor: f64) -> (f64, f64) {
        (self.x.at(size), self.y.at(factor))
    }
}

pub(crate) fn svg(kind: &Kind, all: &[Figures]) -> String {
    let title = format!(
        "{}: cost relative to the smallest size, by {}",
        kind.name, kind.varied
    );
    let mut picture = Picture::new(&title, WIDTH, HEIGHT);
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return picture.finish();
    };
    let frame = frame(all, first, last);
    grid(&mut picture, &frame, first, last);
    for (number, measure) in kind.measures.iter().enumerate() {
        let base = first.values[number];
        let places = all
            .iter()
            .map(|figures| frame.at(figures.size as f64, figures.values[number] / base));
        let colour = COLOURS[number];
        picture.curve(places, &format!("stroke=\"{colour}\" stroke-width=\"2\""));
        let row = TOP + 20.0 + 22.0 * number as f64;
        let mark = WIDTH - RIGHT + 15.0;
        let style = format!("stroke=\"{colour}\" stroke-width=\"3\"");
        picture.line((mark, row), (mark + 22.0, row), &style);
        picture.text((mark + 30.0, row + 4.0), "", measure.name);
    }
    picture.finish()
}

fn frame(all: &[Figures], first: &Figures, last: &Figures) -> Frame {
    let factors = all.iter().flat_map(|figures| {
        let pairs = figures.values.iter().zip(&first.values);
        pairs.map(|(value, base)| value / base)
    });
    // A tenth and ten times as much are on the picture of a flat figure too.
    let factors = factors.chain([0.1, 10.0]);
    let (from, to) = (first.size as f64, last.size as f64);
    Frame {
        x: LogAxis::between(from, to.max(10.0), (LEFT, WIDTH - RIGHT)),
        y: LogAxis::decades(factors, (HEIGHT - BOTTOM, TOP)),
    }
}

fn grid(picture: &mut Picture, frame: &Frame, first: &Figures, last: &Figures) {
    let (from, to) = (first.size as f64, last.size as f64);
    for power in frame.y.powers() {
        let factor = 10f64.powi(power);
        let (x, y) = frame.at(from, factor);
        picture.line((x, y), frame.at(to, factor), GRID);
        let label = format!("×{}", short(factor));
        picture.text((x - 8.0, y), "text-anchor=\"end\"", &label);
    }
    for power in frame.x.powers() {
        let (x, bottom) = frame.at(10f64.powi(power), frame.y.lowest());
        picture.line((x, bottom), (x, TOP), GRID);
        let label = format!("10^{power}");
        picture.text((x, bottom + 20.0), "text-anchor=\"middle\"", &label);
    }
    let linear = "stroke=\"#999\" stroke-dasharray=\"5 5\"";
    let end = (to / from).min(frame.y.highest());
    picture.line(frame.at(from, 1.0), frame.at(from * end, end), linear);
}
