use std::fmt::Write as _;

use super::cell;
use super::examination::{
    SHOWN_ITEMS, SHOWN_LINES, about, attribute_lines, is_folded, notes_of, push_more, sign_of,
};
use super::{markup, plain};
use crate::assess::examination::Examination;
use crate::formats::planned::{AttributeChange, ChangeKind};

/// What a comment on GitHub may have is 65,536 characters; so much is left for what others add.
const MOST_BYTES: usize = 60_000;

impl Examination {
    /// For a comment on a pull request: the advice, the counts and the findings, with the details folded.
    /// It is never longer than 60,000 bytes.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("## {}\n\n", cell(&self.headline));
        let _ = writeln!(text, "{}\n", cell(&self.about()));
        if self.nothing_to_do {
            text.push_str("there is nothing to do\n\n");
        }
        if !self.counts.is_empty() {
            text.push_str("| change | count |\n|---|---:|\n");
            for count in &self.counts {
                let _ = writeln!(text, "| {} | {} |", count.kind.participle(), count.count);
            }
            text.push('\n');
        }
        self.markdown_findings(&mut text);
        if self.is_imported() {
            self.markdown_resources(&mut text);
        } else {
            self.markdown_steps(&mut text);
        }
        if !self.notes.is_empty() {
            text.push_str("\n<details><summary>Notes</summary>\n\n");
            for note in self.notes.iter().take(SHOWN_ITEMS) {
                let _ = writeln!(text, "- {}", cell(note));
            }
            text.push_str("\n</details>\n");
        }
        bounded(text)
    }

    fn markdown_findings(&self, text: &mut String) {
        let count = self.findings.len();
        if count == 0 {
            text.push_str("Nothing speaks against it.\n");
            return;
        }
        let _ = writeln!(text, "### Findings: {count}\n");
        for finding in self.findings.iter().take(SHOWN_ITEMS) {
            let line = format!("{}{}", about(finding), plain(&finding.evidence));
            let _ = writeln!(
                text,
                "- **{}** {}",
                cell(finding.kind.as_str()),
                cell(&line)
            );
        }
        push_more(text, "- ", count, SHOWN_ITEMS);
    }

    fn markdown_resources(&self, text: &mut String) {
        let mut room = Room(MOST_BYTES.saturating_sub(text.len() + 4_000));
        let mut left = 0;
        for resource in self
            .resources
            .iter()
            .filter(|resource| !is_folded(resource.kind))
        {
            let verb = resource.kind.as_str();
            let mut block = format!(
                "\n<details><summary>{} {verb} {}</summary>\n\n",
                sign_of(resource.kind),
                markup(&resource.address)
            );
            let notes = notes_of(resource);
            if !notes.is_empty() {
                let _ = writeln!(block, "{}\n", cell(&notes));
            }
            push_diff(&resource.attributes, &mut block);
            block.push_str("\n</details>\n");
            left += usize::from(!room.push(text, &block));
        }
        if left > 0 {
            let _ = writeln!(text, "\n… and {left} more that change");
        }
        for kind in [ChangeKind::Create, ChangeKind::Read] {
            if let Some(line) = self.folded(kind) {
                let _ = writeln!(text, "\n{}", cell(&line));
            }
        }
        if !self.outputs.is_empty() {
            let mut block = "\n<details><summary>Outputs</summary>\n\n".to_owned();
            push_diff(&self.outputs, &mut block);
            block.push_str("\n</details>\n");
            room.push(text, &block);
        }
    }

    fn markdown_steps(&self, text: &mut String) {
        let mut block = "\n<details><summary>Steps</summary>\n\n".to_owned();
        block.push_str(&self.analysis.report.to_markdown());
        block.push_str("\n</details>\n\n");
        Room(MOST_BYTES.saturating_sub(text.len() + 4_000)).push(text, &block);
        for line in self.summary() {
            let _ = writeln!(text, "- {}", cell(&line));
        }
    }
}

/// How many bytes may still be written.
struct Room(usize);

impl Room {
    /// Whether it was written.
    fn push(&mut self, text: &mut String, block: &str) -> bool {
        if block.len() > self.0 {
            return false;
        }
        self.0 -= block.len();
        text.push_str(block);
        true
    }
}

fn push_diff(attributes: &[AttributeChange], text: &mut String) {
    let all = attribute_lines(attributes);
    if all.is_empty() {
        return;
    }
    text.push_str("```diff\n");
    for line in all.iter().take(SHOWN_LINES) {
        // A diff has no third colour: `!` is one on GitHub.
        let sign = if line.sign == '~' { '!' } else { line.sign };
        // A fence within a value would end the block.
        let _ = writeln!(
            text,
            "{sign} {}: {}",
            line.path.replace("```", "'''"),
            line.text.replace("```", "'''")
        );
    }
    push_more(text, "  ", all.len(), SHOWN_LINES);
    text.push_str("```\n");
}

/// Cut at a line, if there is no room for all.
fn bounded(mut text: String) -> String {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let mut end = MOST_BYTES - 100;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').unwrap_or(end);
    text.truncate(end);
    text.push_str("\n\n… the rest was left out: it is too long for a comment\n");
    text
}
