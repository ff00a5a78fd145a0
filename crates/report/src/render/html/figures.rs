use std::fmt::Write as _;

use crate::PlotKind;
use crate::plot::Plot;
use crate::render::page::FindingNote;
use crate::render::text::markup;

/// A plot with its title, its legend, the findings that are seen on it, and how to read it.
pub(super) fn figure(out: &mut String, plot: &Plot, findings: &[&FindingNote]) {
    let time = if plot.kind == PlotKind::Percentiles {
        "percentiles"
    } else {
        "time"
    };
    let _ = write!(
        out,
        "<figure class=\"plot {time}\" id=\"{}\"><figcaption><h3><bdi>{}</bdi></h3>",
        plot.id,
        markup(&plot.title)
    );
    legend(out, plot);
    chips(out, findings);
    let _ = write!(
        out,
        "</figcaption><div class=\"area\">{}</div><p class=\"note\">{}</p>",
        plot.svg,
        markup(&plot.caption)
    );
    if let Some(points) = &plot.points {
        let _ = write!(out, "<script type=\"application/json\">{points}</script>");
    }
    out.push_str("</figure>\n");
}

fn legend(out: &mut String, plot: &Plot) {
    if plot.legend.is_empty() {
        return;
    }
    if plot.kind == PlotKind::HeatMap {
        out.push_str("<ul class=\"legend shades\"><li class=\"end\"><span>fewer</span></li>");
        for entry in &plot.legend {
            let _ = write!(out, "<li><i class=\"{}\"></i></li>", entry.class);
        }
        out.push_str("<li class=\"end\"><span>more operations</span></li></ul>");
        return;
    }
    out.push_str("<ul class=\"legend\">");
    for entry in &plot.legend {
        let name = markup(&entry.name);
        let _ = write!(
            out,
            "<li><i class=\"{}\"></i><span title=\"{name}\"><bdi>{name}</bdi></span>",
            entry.class
        );
        if plot.points.is_some() {
            out.push_str("<span class=\"value\"></span>");
        }
        out.push_str("</li>");
    }
    out.push_str("</ul>");
}

fn chips(out: &mut String, findings: &[&FindingNote]) {
    if findings.is_empty() {
        return;
    }
    out.push_str("<span class=\"chips\">");
    for found in findings {
        let _ = write!(
            out,
            "<a class=\"number\" href=\"#finding-{0}\" aria-label=\"Finding {0}: {1}\">{0}</a>",
            found.number,
            markup(found.kind)
        );
    }
    out.push_str("</span>");
}
