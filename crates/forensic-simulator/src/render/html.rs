//! A page that stands alone: no script, nothing that is loaded.

use std::fmt::Write as _;

use super::examination::{about, attribute_lines, notes_of, push_more};
use super::graph::color;
use super::markup;
use crate::assess::examination::Examination;

/// At most so many resources and lines of one stand on the page.
const SHOWN: usize = 1_000;
const SHOWN_LINES: usize = 200;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#111;background:#fff}\
h1{font-size:1.4em}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}\
pre{overflow-x:auto;background:#f6f6f6;padding:.6em}.error{color:#a00}.warning{color:#850}.note{color:#555}\
summary{cursor:pointer;padding:.15em .4em;border-radius:4px;color:#111}.graph{overflow:auto;border:1px solid #ccc;max-height:40em}";

impl Examination {
    /// A page of HTML with the plan as a graph, to be kept beside the plan or opened from a build.
    #[must_use]
    pub fn to_html(&self) -> String {
        let headline = markup(&self.headline);
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{headline}</title><style>{STYLE}</style></head><body><main>\n<h1>{headline}</h1>\n<p>{}</p>\n",
            markup(&self.about())
        );
        if !self.findings.is_empty() {
            page.push_str("<h2>Findings</h2>\n<table><tr><th>kind</th><th>about</th><th>what was seen</th></tr>\n");
            for finding in self.findings.iter().take(SHOWN) {
                let severity = finding.severity.as_str();
                let _ = writeln!(
                    page,
                    "<tr class=\"{severity}\"><td>{}</td><td>{}</td><td>{}</td></tr>",
                    finding.kind.as_str(),
                    markup(about(finding).trim_end_matches(": ")),
                    markup(&finding.evidence)
                );
            }
            page.push_str("</table>\n");
            push_more(&mut page, "<p>", self.findings.len(), SHOWN);
        }
        let _ = write!(
            page,
            "<h2>Plan</h2>\n<div class=\"graph\" role=\"group\" aria-label=\"The plan as a graph\" tabindex=\"0\">{}</div>\n",
            self.to_svg()
        );
        if self.is_imported() {
            self.html_resources(&mut page);
        } else {
            let _ = write!(
                page,
                "<h2>Steps</h2>\n<pre tabindex=\"0\">{}</pre>\n",
                html_lines(&self.to_text())
            );
        }
        if !self.notes.is_empty() {
            page.push_str("<h2>Notes</h2>\n<ul>");
            for note in self.notes.iter().take(SHOWN) {
                let _ = write!(page, "<li>{}</li>", markup(note));
            }
            page.push_str("</ul>\n");
        }
        page.push_str("</main></body></html>\n");
        page
    }

    fn html_resources(&self, page: &mut String) {
        page.push_str("<h2>Changes</h2>\n");
        for resource in self.resources.iter().take(SHOWN) {
            let _ = write!(
                page,
                "<details><summary style=\"background:{}\">{} {}</summary>",
                color(resource.kind),
                resource.kind.as_str(),
                markup(&resource.address)
            );
            if !resource.notes.is_empty() {
                let _ = write!(page, "<p>{}</p>", markup(&notes_of(resource)));
            }
            let all = attribute_lines(&resource.attributes);
            page.push_str("<pre tabindex=\"0\">");
            for line in all.iter().take(SHOWN_LINES) {
                let _ = writeln!(
                    page,
                    "{} {}: {}",
                    line.sign,
                    markup(&line.path),
                    markup(&line.text)
                );
            }
            push_more(page, "", all.len(), SHOWN_LINES);
            page.push_str("</pre></details>\n");
        }
        push_more(page, "<p>", self.resources.len(), SHOWN);
        if !self.outputs.is_empty() {
            page.push_str("<h2>Outputs</h2>\n<pre tabindex=\"0\">");
            for line in attribute_lines(&self.outputs).iter().take(SHOWN) {
                let _ = writeln!(
                    page,
                    "{} {}: {}",
                    line.sign,
                    markup(&line.path),
                    markup(&line.text)
                );
            }
            page.push_str("</pre>\n");
        }
    }
}

/// Several lines, each made harmless.
fn html_lines(text: &str) -> String {
    text.lines().map(markup).collect::<Vec<_>>().join("\n")
}
