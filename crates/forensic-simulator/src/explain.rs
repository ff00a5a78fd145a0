//! Reports as people read them. Every text that comes from a plan is made harmless first: a key may
//! hold an escape sequence or a table's border.

use std::fmt::Write as _;

use crate::{Change, Fact, Key, Outcome, Report, Spread, StepReport};

/// At most this many characters of a value are shown.
const SHOWN: usize = 60;

impl Report {
    /// The report as plain text for a terminal: a line a step, its changes below it, `+` for what
    /// would be created, `~` for what would be changed, `-` for what would be removed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", plain(&self.workflow), self.outcome);
        for step in &self.steps {
            let id = plain(step.id.as_str());
            let _ = writeln!(
                text,
                "\n{id} ({}): {}",
                plain(step.path.as_str()),
                step.outcome
            );
            let _ = writeln!(text, "    {}", plain(&step.reason));
            for change in step.changes.iter().filter(|change| !change.is_noop()) {
                let _ = writeln!(text, "  {}", plain(&describe(change)));
            }
            for external in &step.external {
                let _ = writeln!(
                    text,
                    "  ! {}: {}",
                    plain(&external.target),
                    plain(&external.effect)
                );
            }
        }
        if !self.recommendations.is_empty() {
            text.push_str("\nRecommended\n");
        }
        for advice in &self.recommendations {
            let (id, remedy) = (plain(advice.step.as_str()), plain(&advice.remedy));
            let _ = writeln!(text, "  {id}: {remedy} ({})", plain(&advice.evidence));
        }
        let _ = writeln!(text, "\n{}", self.totals());
        text
    }

    /// The report as Markdown: a table of the steps, the changes as a diff, and what to do.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}: {}\n\n", cell(&self.workflow), self.outcome);
        text.push_str("| step | action | outcome | reason | duration |\n|---|---|---|---|---|\n");
        for step in &self.steps {
            let duration = duration(step.estimate.duration_us);
            let (id, path) = (cell(step.id.as_str()), cell(step.path.as_str()));
            let reason = cell(&step.reason);
            let _ = writeln!(
                text,
                "| {id} | {path} | {} | {reason} | {duration} |",
                step.outcome
            );
        }
        let changed: Vec<_> = self.net_changes();
        if !changed.is_empty() {
            text.push_str("\n## Changes\n\n```diff\n");
            for change in &changed {
                push_diff(&mut text, change);
            }
            text.push_str("```\n");
        }
        if !self.safety_issues.is_empty() {
            text.push_str("\n## Safety\n\n");
        }
        for issue in &self.safety_issues {
            let _ = writeln!(
                text,
                "- {}: {}",
                cell(issue.step.as_str()),
                cell(&issue.evidence)
            );
        }
        if !self.recommendations.is_empty() {
            text.push_str("\n## Recommended\n\n");
        }
        for advice in &self.recommendations {
            let (id, remedy) = (cell(advice.step.as_str()), cell(&advice.remedy));
            let _ = writeln!(text, "- {id}: {remedy} ({})", cell(&advice.evidence));
        }
        let _ = writeln!(text, "\n{}", self.totals());
        text
    }

    /// One line: what would be created, changed and removed, and how much was not modelled.
    fn totals(&self) -> String {
        let net = self.net_changes();
        let count = |sign| net.iter().filter(|change| sign_of(change) == sign).count();
        let mut text = format!(
            "{} to create, {} to change, {} to remove; {}",
            count('+'),
            count('~'),
            count('-'),
            duration(self.estimate.duration_us),
        );
        if !self.not_modelled.is_empty() {
            let (unknown, all) = (self.not_modelled.len(), self.steps.len());
            let _ = write!(
                text,
                "; {unknown} of {all} steps are not modelled and may do more"
            );
        }
        text
    }

    /// The steps and the keys that they read and write, as SVG: steps on the left, keys on the
    /// right, a dashed line for a read and a solid one for a write.
    #[must_use]
    pub fn to_svg(&self) -> String {
        Drawing::of(self).render()
    }
}

fn sign_of(change: &Change) -> char {
    match (&change.before, &change.after) {
        (None, Some(_)) => '+',
        (Some(_), None) => '-',
        _ => '~',
    }
}

fn describe(change: &Change) -> String {
    let key = &change.key;
    match (&change.before, &change.after) {
        (None, Some(after)) => format!("+ {key}: {}", short(after)),
        (Some(before), None) => format!("- {key}: {}", short(before)),
        (Some(before), Some(after)) => format!("~ {key}: {} -> {}", short(before), short(after)),
        (None, None) => format!("~ {key}"),
    }
}

fn push_diff(text: &mut String, change: &Change) {
    let key = &change.key;
    for (sign, side) in [('-', &change.before), ('+', &change.after)] {
        if let Some(fact) = side {
            // A fence within a value would end the block.
            let line = plain(&format!("{sign} {key}: {}", short(fact))).replace("```", "'''");
            let _ = writeln!(text, "{line}");
        }
    }
}

fn short(fact: &Fact) -> String {
    let text = fact.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn duration(spread: Spread) -> String {
    let text = |us: u64| match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    };
    if spread.least == spread.most {
        text(spread.likely)
    } else {
        let (least, most) = (text(spread.least), text(spread.most));
        format!("{} ({least} to {most})", text(spread.likely))
    }
}

/// Without control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    let harmless = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(harmless).collect()
}

/// For Markdown, where text must not become a table's border, a link or HTML.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in plain(text).chars() {
        if matches!(
            character,
            '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '\\' | '&'
        ) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// For SVG.
fn xml(text: &str) -> String {
    let text = plain(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Where everything stands, in SVG's user units.
struct Drawing<'a> {
    report: &'a Report,
    keys: Vec<&'a str>,
}

const ROW: usize = 34;
const STEP_X: usize = 10;
const KEY_X: usize = 420;
const BOX_WIDTH: usize = 230;
const BOX_HEIGHT: usize = 24;

impl<'a> Drawing<'a> {
    fn of(report: &'a Report) -> Self {
        let used = |step: &'a StepReport| {
            let written = step.changes.iter().map(|change| change.key.as_str());
            step.reads.iter().map(Key::as_str).chain(written)
        };
        let mut keys: Vec<_> = report.steps.iter().flat_map(used).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { report, keys }
    }

    fn render(&self) -> String {
        let rows = self.report.steps.len().max(self.keys.len());
        let (width, height) = (KEY_X + BOX_WIDTH + 10, rows * ROW + 10);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n"
        );
        for (row, step) in self.report.steps.iter().enumerate() {
            self.lines(&mut svg, row, step);
        }
        for (row, step) in self.report.steps.iter().enumerate() {
            let label = format!("{} ({})", step.id.as_str(), step.outcome);
            push_box(&mut svg, STEP_X, row, color(step.outcome), &label);
        }
        for (row, key) in self.keys.iter().enumerate() {
            push_box(&mut svg, KEY_X, row, "#eeeeee", key);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn lines(&self, svg: &mut String, row: usize, step: &StepReport) {
        let writes = |key: &str| step.changes.iter().any(|change| change.key.as_str() == key);
        let read = step.reads.iter().map(Key::as_str);
        for key in read.filter(|key| !writes(key)) {
            self.line(svg, row, key, " stroke-dasharray=\"4\"");
        }
        for change in &step.changes {
            self.line(svg, row, change.key.as_str(), "");
        }
    }

    fn line(&self, svg: &mut String, row: usize, key: &str, style: &str) {
        let Ok(to) = self.keys.binary_search(&key) else {
            return;
        };
        let middle = |row: usize| row * ROW + 10 + BOX_HEIGHT / 2;
        let (x1, y1, y2) = (STEP_X + BOX_WIDTH, middle(row), middle(to));
        let _ = writeln!(
            svg,
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{KEY_X}\" y2=\"{y2}\" stroke=\"#666666\"{style}/>"
        );
    }
}

fn push_box(svg: &mut String, x: usize, row: usize, fill: &str, label: &str) {
    /// What fits into a box.
    const CHARACTERS: usize = 34;
    let y = row * ROW + 10;
    let shown: String = label.chars().take(CHARACTERS).collect();
    let (text_x, text_y) = (x + 8, y + 16);
    let (label, shown) = (xml(label), xml(&shown));
    let _ = writeln!(
        svg,
        "<g><title>{label}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" \
         height=\"{BOX_HEIGHT}\" rx=\"4\" fill=\"{fill}\"/>\
         <text x=\"{text_x}\" y=\"{text_y}\">{shown}</text></g>"
    );
}

fn color(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "#cdeccd",
        Outcome::Unknown => "#e0e0f8",
        Outcome::Blocked => "#fff2c0",
        Outcome::WouldFail => "#ffd9b0",
        Outcome::Unsafe => "#ffb8b8",
    }
}
