use std::fmt::Write as _;

use super::anchor;
use crate::render::page::{FindingNote, Page};
use crate::render::text::markup;

/// What the run shows beyond its limits, each with a link to the plot on which it is seen.
pub(super) fn findings(out: &mut String, page: &Page) {
    if page.findings.is_empty() {
        return;
    }
    out.push_str("<section id=\"findings\"><h2>Findings</h2><ol class=\"findings\">");
    for found in &page.findings {
        finding(out, found);
    }
    out.push_str("</ol></section>\n");
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
