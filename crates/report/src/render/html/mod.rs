//! The report as one page of HTML that needs nothing besides itself.
//!
//! Plots are SVG, drawn here, so that the page is whole without its script; the script (140 lines of
//! its own, since a library for charts would bring ten times as much to draw again what is drawn
//! already) sorts tables, zooms, and reads out figures. No name of a target can become code: all of
//! them are escaped, and the page's policy allows no script but the one whose digest it names.

mod figures;
mod findings;
mod scenario;
mod table;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::page::{Origin, Page, Tone};
use super::text::{capitalized, elided, markup};
use crate::{Conclusion, Report};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The report as a page of HTML: what ran and its verdict first, then why, then each scenario with its
/// thresholds and its plots, then the findings.
///
/// ```
/// use report::{Report, render};
///
/// let report = Report::new(vec![], std::path::Path::new("/"));
/// let page = render::html(&report);
/// assert!(page.starts_with("<!doctype html>"));
/// ```
#[must_use]
pub fn html(report: &Report) -> String {
    let page = Page::of(report);
    let mut out = String::new();
    head(&mut out, &page);
    navigation(&mut out, &page);
    out.push_str("<main id=\"main\">");
    verdict(&mut out, &page);
    reasons(&mut out, "Violations", &page.violations);
    reasons(&mut out, "Recommendations", &page.recommendations);
    out.push_str("<section id=\"scenarios\"><h2>Scenarios</h2>");
    table::overview(&mut out, &page);
    out.push_str("</section>");
    for (at, section) in page.sections.iter().enumerate() {
        scenario::scenario(&mut out, &page, at, section, &report.scenarios[at].run);
    }
    findings::findings(&mut out, &page);
    origin(&mut out, &page.origin);
    let _ = writeln!(out, "</main><script>{SCRIPT}</script></body></html>");
    out
}

fn head(out: &mut String, page: &Page) {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let (script, style) = (digest(SCRIPT), digest(STYLE));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:\">\
         <link rel=\"icon\" href=\"data:,\"><title>{}: {} · load test</title><style>{STYLE}</style></head><body>\n",
        capitalized(page.conclusion),
        markup(&page.subject),
    );
}

/// The id of a scenario's part of the page.
fn anchor(at: usize) -> String {
    format!("scenario-{}", at + 1)
}

fn navigation(out: &mut String, page: &Page) {
    out.push_str(
        "<a class=\"skip\" href=\"#main\">Skip to the verdict</a>\
         <header class=\"top\"><b>Proofload</b><nav aria-label=\"Parts of the report\">",
    );
    for (at, section) in page.sections.iter().enumerate() {
        let _ = write!(
            out,
            "<a href=\"#{}\"><bdi>{}</bdi></a>",
            anchor(at),
            markup(&elided(&section.name, 40))
        );
    }
    if !page.findings.is_empty() {
        out.push_str("<a href=\"#findings\">findings</a>");
    }
    out.push_str("<a href=\"#repeat\">repeat</a></nav></header>\n");
}

fn verdict(out: &mut String, page: &Page) {
    let tone = Tone::of(page.conclusion);
    let _ = write!(
        out,
        "<section class=\"verdict {}\" aria-labelledby=\"verdict\"><p class=\"subject\"><bdi>{}</bdi></p>\
         <h1 id=\"verdict\">{}{}</h1><p class=\"reason\">{}</p>",
        class(tone),
        markup(&page.subject),
        sign(page.conclusion),
        capitalized(page.conclusion),
        markup(&page.reason)
    );
    for note in &page.notes {
        let _ = write!(out, "<p class=\"remark\">{}</p>", markup(note));
    }
    out.push_str("<dl class=\"figures\">");
    for figure in &page.figures {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>",
            figure.name,
            class(figure.tone),
            markup(&figure.value)
        );
    }
    out.push_str("</dl></section>\n");
}

fn reasons(out: &mut String, title: &str, reasons: &[String]) {
    if reasons.is_empty() {
        return;
    }
    let _ = write!(out, "<section><h2>{title}</h2><ul class=\"why\">");
    for reason in reasons {
        let _ = write!(out, "<li>{}</li>", markup(reason));
    }
    out.push_str("</ul></section>\n");
}

fn origin(out: &mut String, origin: &Origin) {
    let _ = write!(
        out,
        "<section id=\"repeat\"><h2>How to repeat this</h2><pre><code>{}</code></pre><dl class=\"facts\">",
        markup(&origin.command)
    );
    for (name, fact) in &origin.facts {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", markup(fact));
    }
    out.push_str("</dl></section>\n");
}

/// The class of a tone in the style sheet.
fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "open",
    }
}

/// A tick, a cross or a ring, so that the verdict needs no colour.
fn sign(conclusion: Conclusion) -> String {
    let path = match conclusion {
        Conclusion::Pass => "M2 9l4.5 4.5L14 3.5",
        Conclusion::Fail => "M3 3l10 10M13 3L3 13",
        Conclusion::Inconclusive => "M8 2a6 6 0 1 0 .01 0z",
    };
    format!(
        "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"{path}\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\"/></svg>"
    )
}
