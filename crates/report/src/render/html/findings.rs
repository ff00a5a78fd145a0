use std::fmt::Write as _;

use super::anchor;
use crate::Grade;
use crate::render::page::{FindingNote, Page};
use crate::render::text::markup;
use crate::units::counted;

/// More findings than these are grouped by kind, and each group is opened by a click.
const SHOWN_AT_ONCE: usize = 6;

/// What the run shows beyond its limits, each with a link to the plot on which it is seen.
pub(super) fn findings(out: &mut String, page: &Page) {
    if page.findings.is_empty() {
        return;
    }
    out.push_str("<section id=\"findings\"><h2>Findings</h2>");
    if page.findings.len() <= SHOWN_AT_ONCE {
        list(out, page.findings.iter());
    } else {
        for kind in kinds(page) {
            let own = || page.findings.iter().filter(|found| found.kind == kind);
            let strongest = own().map(|found| found.grade).max();
            let _ = write!(
                out,
                "<details><summary>{}: {}, at most {}</summary>",
                markup(&capitalized(kind)),
                counted(own().count() as u64, "finding"),
                strongest.unwrap_or(Grade::Weak)
            );
            list(out, own());
            out.push_str("</details>");
        }
    }
    out.push_str("</section>\n");
}

/// The kinds of finding, each once, in the order of the findings.
fn kinds(page: &Page) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for found in &page.findings {
        if !kinds.contains(&found.kind) {
            kinds.push(found.kind);
        }
    }
    kinds
}

fn list<'p>(out: &mut String, findings: impl Iterator<Item = &'p FindingNote>) {
    out.push_str("<ol class=\"findings\">");
    for found in findings {
        finding(out, found);
    }
    out.push_str("</ol>");
}

fn finding(out: &mut String, found: &FindingNote) {
    let _ = write!(
        out,
        "<li id=\"finding-{0}\"><span class=\"number\" aria-hidden=\"true\">{0}</span><h3>{1} \
         <span class=\"grade\">{2} · <bdi>{3}</bdi>{4}</span></h3><p>{5}.</p>",
        found.number,
        markup(&capitalized(found.kind)),
        found.grade,
        markup(&found.place),
        found
            .when
            .as_ref()
            .map_or_else(String::new, |when| format!(" · {when}")),
        markup(&found.evidence),
    );
    out.push_str("<dl>");
    for (name, value) in &found.figures {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            markup(name),
            markup(value)
        );
    }
    let (name, value) = found
        .strength
        .rsplit_once(": ")
        .unwrap_or(("strength", &found.strength));
    let _ = write!(
        out,
        "<div><dt>{}</dt><dd>{}</dd></div></dl><p class=\"do\">{}.</p>",
        markup(name),
        markup(value),
        markup(&capitalized(&found.recommendation))
    );
    if let Some(section) = found.section {
        let anchor = anchor(section);
        let _ = write!(
            out,
            "<p><a href=\"#{anchor}-{}\">See it on the plot<span class=\"quiet\"> of {}</span></a></p>",
            found.plot.anchor(),
            markup(found.plot.anchor())
        );
    }
    out.push_str("</li>");
}

fn capitalized(text: &str) -> String {
    let sentence = crate::render::text::sentence(text);
    sentence.trim_end_matches('.').to_owned()
}
