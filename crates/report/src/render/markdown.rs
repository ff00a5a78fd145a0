use std::fmt::Write as _;

use super::page::{
    Cell, ColumnKind, Discrepancies, FailureNote, FindingNote, Origin, Page, Section, Table, Tone,
    mark,
};
use super::text::{capitalized, visible};
use crate::Report;

/// The report as Markdown, verdict first; fit for a pull request.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let page = Page::of(report);
    let mut text = Text::default();
    heading(&mut text, &page);
    table(&mut text, &page.overview);
    violations(&mut text, &page);
    list(&mut text, "Recommendations", &page.recommendations);
    findings(&mut text, &page.findings);
    for section in &page.sections {
        details(&mut text, section);
    }
    origin(&mut text, &page.origin);
    text.0
}

/// Text that is written line by line; a `String` takes every write.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    /// A line and a gap behind it.
    fn paragraph(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.0.push('\n');
    }

    fn row<'c>(&mut self, cells: impl IntoIterator<Item = std::borrow::Cow<'c, str>>) {
        for cell in cells {
            let _ = write!(self.0, "| {cell} ");
        }
        self.line("|");
    }
}

fn heading(text: &mut Text, page: &Page) {
    text.paragraph(format!("# Load test: {}", mark(page.conclusion)));
    text.paragraph(escape(&page.subject));
    text.paragraph(format!("**{}**", escape(&page.reason)));
    text.paragraph(&page.summary);
    for note in &page.notes {
        text.paragraph(note);
    }
}

/// "None" is said only where nothing at all was found.
fn violations(text: &mut Text, page: &Page) {
    if page.violations.is_empty() && page.findings.is_empty() {
        text.paragraph("## Violations");
        text.paragraph("None.");
    }
    list(text, "Violations", &page.violations);
}

fn list(text: &mut Text, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    text.paragraph(format!("## {title}"));
    for item in items {
        text.line(format!("- {}", escape(item)));
    }
    text.0.push('\n');
}

fn findings(text: &mut Text, findings: &[FindingNote]) {
    if findings.is_empty() {
        return;
    }
    text.paragraph("## Findings");
    for found in findings {
        let when = found.when.as_deref().unwrap_or("throughout");
        text.line(format!(
            "{}. **{}** ({}), {}, {when}: {}. {}. *{}*",
            found.number,
            found.kind,
            found.grade,
            escape(&found.place),
            escape(&found.evidence),
            escape(&found.strength),
            escape(&found.recommendation),
        ));
        for (name, value) in &found.figures {
            text.line(format!("   - {}: {value}", escape(name)));
        }
    }
    text.0.push('\n');
}

fn details(text: &mut Text, section: &Section) {
    text.paragraph(format!(
        "## {}: {}",
        escape(&section.name),
        escape(&section.title)
    ));
    if let Some(reason) = &section.reason {
        text.paragraph(format!(
            "**{}:** {}.",
            capitalized(section.conclusion),
            escape(reason)
        ));
    }
    text.paragraph(escape(&section.evidence));
    text.paragraph(escape(&section.note));
    if let Some(arrivals) = &section.arrivals {
        text.paragraph(arrivals);
    }
    for steps in &section.steps {
        if section.steps.len() > 1 {
            text.paragraph(format!("{}:", steps.caption));
        }
        table(text, steps);
    }
    if let Some(parts) = &section.parts {
        text.paragraph(format!("{}:", parts.caption));
        table(text, parts);
    }
    if let Some(phases) = &section.phases {
        folded(text, phases);
    }
    failures(text, &section.failures);
    for step in &section.vacuous {
        text.paragraph(format!(
            "**Vacuous:** write step {} wrote nothing.",
            escape(step)
        ));
    }
    if let Some(found) = &section.discrepancies {
        discrepancies(text, found);
    }
    if !section.thresholds.rows.is_empty() {
        text.paragraph("Thresholds:");
        table(text, &section.thresholds);
    }
    folded(text, &section.effects);
}

fn failures(text: &mut Text, failures: &[FailureNote]) {
    if failures.is_empty() {
        return;
    }
    text.paragraph("Failures:");
    for failure in failures {
        let (step, count) = (escape(&failure.step), &failure.count);
        text.line(match &failure.message {
            Some(message) => format!("- {step}: {} ({count} times)", escape(message)),
            None => format!("- {step}: {count} with other messages"),
        });
    }
    text.0.push('\n');
}

fn discrepancies(text: &mut Text, found: &Discrepancies) {
    text.paragraph(format!("{}:", found.heading));
    table(text, &found.table);
    if let Some(file) = &found.file {
        text.paragraph(format!(
            "All of them are in {} beside this report.",
            code(file)
        ));
    }
    if let Some(data) = &found.data {
        text.paragraph(format!("What the target wrote is kept in {}.", code(data)));
    }
}

fn folded(text: &mut Text, rows: &Table) {
    text.paragraph(format!("<details><summary>{}</summary>", rows.caption));
    table(text, rows);
    text.paragraph("</details>");
}

fn table(text: &mut Text, table: &Table) {
    text.row(table.columns.iter().map(|column| column.name.into()));
    text.row(table.columns.iter().map(|column| {
        match column.kind {
            ColumnKind::Text => "---",
            ColumnKind::Number => "---:",
        }
        .into()
    }));
    for row in &table.rows {
        text.row(row.iter().map(|cell| shown(cell).into()));
    }
    text.0.push('\n');
}

fn shown(cell: &Cell) -> String {
    let text = escape(&cell.text);
    // A verdict has its sign, and a figure that is wrong has to be seen without colours.
    if cell.tone == Tone::Bad && !text.starts_with('❌') {
        format!("**{text}**")
    } else {
        text
    }
}

fn origin(text: &mut Text, origin: &Origin) {
    text.paragraph("## How to repeat this");
    text.paragraph(format!(
        "```\n{}\n```",
        visible(&origin.command).replace('`', "'")
    ));
    for (name, fact) in &origin.facts {
        text.line(format!("- {name}: {}", escape(fact)));
    }
}

/// A file's name as code, which nothing in it can end.
fn code(name: &str) -> String {
    format!("`{}`", visible(name).replace('`', "'"))
}

/// Names and messages come from targets: they are shown as text, whatever they hold.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            // Would call whoever is named so, where the text becomes a comment.
            '@' => out.push_str("@\u{2060}"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text() {
        assert_eq!(
            escape("<script>|`x`\n\u{7}"),
            "&lt;script&gt;\\|\\`x\\`\\\\n\\\\u{7}"
        );
        assert_eq!(code("a`b\n"), "`a'b\\n`");
    }
}
