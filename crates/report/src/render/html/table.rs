use std::fmt::Write as _;

use super::{anchor, class, sign};
use crate::render::page::{Cell, ColumnKind, Page, Table, Tone};
use crate::render::text::{capitalized, markup};

/// A table that can be sorted and scrolled, with a last column of `extra` where there is any.
pub(super) fn table(out: &mut String, table: &Table, extra: &[String]) {
    head(
        out,
        table,
        if extra.is_empty() {
            None
        } else {
            Some("p99 over the run")
        },
    );
    for (at, row) in table.rows.iter().enumerate() {
        out.push_str("<tr>");
        for (number, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            if number == 0 {
                let _ = write!(
                    out,
                    "<th scope=\"row\"><bdi>{}</bdi></th>",
                    markup(&cell.text)
                );
            } else {
                data(out, cell, column.kind, &markup(&cell.text));
            }
        }
        if let Some(extra) = extra.get(at) {
            let _ = write!(out, "<td class=\"n\" data-v=\"{at}\">{extra}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

/// The scenarios, each with a link to its part of the page.
pub(super) fn overview(out: &mut String, page: &Page) {
    let table = &page.overview;
    if table.rows.is_empty() {
        out.push_str("<p class=\"quiet\">No scenario ran.</p>");
        return;
    }
    head(out, table, None);
    for (at, (row, section)) in table.rows.iter().zip(&page.sections).enumerate() {
        out.push_str("<tr>");
        for (number, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            match number {
                0 => {
                    let (anchor, name) = (anchor(at), markup(&cell.text));
                    let _ = write!(
                        out,
                        "<th scope=\"row\"><a href=\"#{anchor}\"><bdi>{name}</bdi></a></th>"
                    );
                }
                1 => {
                    let badge = badge(section.conclusion);
                    let _ = write!(out, "<td data-v=\"{}\">{badge}</td>", section.conclusion);
                }
                _ => data(out, cell, column.kind, &markup(&cell.text)),
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A verdict as a small sign with its word.
pub(super) fn badge(conclusion: crate::Conclusion) -> String {
    format!(
        "<span class=\"badge {}\">{}{}</span>",
        class(Tone::of(conclusion)),
        sign(conclusion),
        capitalized(conclusion)
    )
}

fn head(out: &mut String, table: &Table, extra: Option<&str>) {
    let caption = markup(&table.caption);
    let _ = write!(
        out,
        "<div class=\"wide\" role=\"group\" aria-label=\"{caption}\" tabindex=\"0\">\
         <table data-sorts><caption>{caption}</caption><thead><tr>"
    );
    for column in &table.columns {
        let kind = match column.kind {
            ColumnKind::Text => "",
            ColumnKind::Number => " class=\"n\"",
        };
        let _ = write!(out, "<th scope=\"col\"{kind}>{}</th>", markup(column.name));
    }
    if let Some(name) = extra {
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
}

fn data(out: &mut String, cell: &Cell, kind: ColumnKind, content: &str) {
    let kind = match kind {
        ColumnKind::Text => "wrap",
        ColumnKind::Number => "n",
    };
    let _ = write!(
        out,
        "<td class=\"{}\"",
        [kind, class(cell.tone)].join(" ").trim_end()
    );
    match cell.key {
        Some(key) if key == f64::NEG_INFINITY => out.push_str(" data-v=\"-1\""),
        Some(key) if key.is_finite() => {
            let _ = write!(out, " data-v=\"{key}\"");
        }
        _ => {}
    }
    let _ = write!(out, "><bdi>{content}</bdi></td>");
}
