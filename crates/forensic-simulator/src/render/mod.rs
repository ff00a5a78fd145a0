//! Reports as people read them. Every text that comes from a plan is made harmless first: a key may
//! hold an escape sequence or a table's border.

pub(crate) mod examination;
mod graph;
mod html;
mod markdown;
pub(crate) mod paint;
mod sarif;
pub(crate) mod svg;
mod values;

use std::fmt::Write as _;

use self::paint::Paint;
use self::values::lines;
use crate::run::report::{SimulationReport, Spread, StepReport};
use crate::world::change::Change;
use crate::world::fact::Fact;

/// At most this many characters of a value are shown.
const SHOWN: usize = 60;

impl SimulationReport {
    /// The report as plain text for a terminal: a line a step, its changes below it, `+` for what
    /// would be created, `~` for what would be changed, `-` for what would be removed.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.paint(&Paint::PLAIN)
    }

    /// As [`SimulationReport::to_text`], with ANSI styles: print it through a stream that removes them where
    /// they do not belong.
    #[must_use]
    pub fn to_terminal(&self) -> String {
        self.paint(&Paint::TERMINAL)
    }

    fn paint(&self, paint: &Paint) -> String {
        let title = paint.title;
        let style = paint.outcome(self.outcome);
        let name = plain(&self.workflow);
        let mut text = format!("{title}{name}{title:#}: {style}{}{style:#}\n", self.outcome);
        for step in &self.steps {
            self.paint_step(step, paint, &mut text);
        }
        self.paint_advice(paint, &mut text);
        let _ = writeln!(text, "\n{}", self.totals());
        text
    }

    /// One step, with its changes below it.
    fn paint_step(&self, step: &StepReport, paint: &Paint, text: &mut String) {
        let (title, dim) = (paint.title, paint.dim);
        let (id, path) = (plain(step.id.as_str()), plain(step.path.as_str()));
        let style = paint.outcome(step.outcome);
        let _ = writeln!(
            text,
            "\n{title}{id}{title:#} ({path}): {style}{}{style:#}",
            step.outcome
        );
        let _ = writeln!(text, "    {dim}{}{dim:#}", plain(&step.reason));
        for change in step.changes.iter().filter(|change| !change.is_noop()) {
            for line in lines(
                change.key.as_str(),
                change.before.as_ref(),
                change.after.as_ref(),
            ) {
                let style = paint.sign(line.sign);
                let (sign, path) = (line.sign, line.path);
                let _ = writeln!(text, "  {style}{sign} {path}: {}{style:#}", line.text);
            }
        }
        let style = paint.sign('!');
        for external in &step.external {
            let (target, effect) = (plain(&external.target), plain(&external.effect));
            let _ = writeln!(text, "  {style}! {target}: {effect}{style:#}");
        }
    }

    fn paint_advice(&self, paint: &Paint, text: &mut String) {
        let (title, dim) = (paint.title, paint.dim);
        if !self.recommendations.is_empty() {
            let _ = writeln!(text, "\n{title}Recommended{title:#}");
        }
        for advice in &self.recommendations {
            let (id, remedy) = (plain(advice.step.as_str()), plain(&advice.remedy));
            let evidence = plain(&advice.evidence);
            let _ = writeln!(text, "  {id}: {remedy} {dim}({evidence}){dim:#}");
        }
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
}

fn sign_of(change: &Change) -> char {
    match (&change.before, &change.after) {
        (None, Some(_)) => '+',
        (Some(_), None) => '-',
        _ => '~',
    }
}

fn push_diff(text: &mut String, change: &Change) {
    let key = &change.key;
    if let (Some(before), Some(after)) = (&change.before, &change.after)
        && short(before) == short(after)
    {
        // They differ behind what is shown of each.
        for line in lines(key.as_str(), Some(before), Some(after)) {
            let line = format!("! {}: {}", line.path, line.text).replace("```", "'''");
            let _ = writeln!(text, "{line}");
        }
        return;
    }
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
    if spread.most == 0 {
        // Nobody said.
        "–".to_owned()
    } else if spread.least == spread.most {
        text(spread.likely)
    } else {
        let (least, most) = (text(spread.least), text(spread.most));
        format!("{} ({least} to {most})", text(spread.likely))
    }
}

/// Without characters that a terminal would obey or that deceive a reader.
fn plain(text: &str) -> String {
    action::visible(text).into_owned()
}

/// For HTML: without characters that would be markup.
fn markup(text: &str) -> String {
    let text = plain(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
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
