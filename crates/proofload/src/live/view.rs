//! The frame: what a person sees of a load that goes on.

use action::visible;
use load_engine::{Judgement, Model, MonitorSample, Ruling, RunRecord, StepSummary};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Gauge, Paragraph, Row, Sparkline, Table};
use report::{Grade, describe_figure, describe_judgement, render};

use super::state::State;

// Colours that are told apart on dark and on light grounds; what matters less is dimmed, not grey.
const MUTED: Style = Style::new().add_modifier(Modifier::DIM);
const NOTED: Style = Style::new().fg(Color::Magenta);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Rows of a plot at least, and at most on a large screen; with its title it takes one more.
const PLOT: u16 = 4;
const LARGE_PLOT: u16 = 24;

/// From so many columns on, the two plots stand side by side.
const SIDE_BY_SIDE: u16 = 72;

/// The keys that there are.
const KEYS: &str = "q ends the load";

/// Messages of failures that are shown, the most frequent ones.
const MESSAGES: usize = 3;

/// Draws the state as well as the place allows: what does not fit is cut from below, where what is
/// rarest stands.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) {
    let steps = state.record.as_ref().map_or(0, |record| record.steps.len());
    let thresholds = state.judgements.len().max(1) as u16;
    let failures = state.record.as_deref().map_or_else(Vec::new, failures);
    let failure_rows = match failures.len() as u16 {
        0 => 0,
        rows => rows + 1,
    };
    let others = 4 + 2 + steps as u16 + failure_rows + 2 + 1 + thresholds;
    let findings = 1 + state.findings.len().max(1) as u16;
    // What a large screen has more goes to the plots.
    let is_wide = frame.area().width >= SIDE_BY_SIDE;
    let spare = frame.area().height.saturating_sub(others + findings);
    let each = if is_wide { spare } else { spare / 2 };
    let plot = each.saturating_sub(1).clamp(PLOT, LARGE_PLOT) + 1;
    let parts = [
        Constraint::Length(4),
        Constraint::Length(if is_wide { plot } else { 2 * plot }),
        Constraint::Length(2 + steps as u16),
        Constraint::Length(failure_rows),
        Constraint::Length(2),
        Constraint::Length(1 + thresholds),
        Constraint::Min(2),
    ];
    // One after the other: a solver that shares out what is missing would cut all of them.
    let mut left = frame.area();
    let mut areas = [Rect::default(); 7];
    for (area, part) in areas.iter_mut().zip(parts) {
        [*area, left] = Layout::vertical([part, Constraint::Fill(1)]).areas(left);
        if let Constraint::Min(_) = part {
            area.height += left.height;
        }
    }
    let [head, plots, table, failed, monitors, limits, findings] = areas;
    draw_head(frame, head, state);
    let halves = [Constraint::Fill(1); 2];
    let [rate, latency] = match is_wide {
        true => Layout::horizontal(halves).spacing(2).areas(plots),
        false => Layout::vertical(halves).areas(plots),
    };
    draw_throughput(frame, rate, state);
    draw_latency(frame, latency, state);
    if let Some(record) = &state.record {
        draw_steps(frame, table, record);
        draw_monitors(frame, monitors, record);
    }
    if !failures.is_empty() {
        let block = section("failures");
        frame.render_widget(Paragraph::new(failures).block(block), failed);
    }
    draw_thresholds(frame, limits, state);
    draw_findings(frame, findings, state);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let [title, users, rate, bar] = Layout::vertical([Constraint::Length(1); 4]).areas(area);
    let mut words = vec![Span::styled(
        visible(&state.scenario),
        Style::new().add_modifier(Modifier::BOLD),
    )];
    if let Some((number, name)) = state.phase() {
        let all = state.phases.len();
        words.push(Span::raw(format!(
            "  phase {} ({number} of {all})",
            visible(name)
        )));
    }
    words.push(Span::styled(format!("  {}", visible(&state.load)), MUTED));
    frame.render_widget(Line::from(words), title);

    let asked = match state.users_asked() {
        Some(asked) => format!("{} of {asked} asked", state.users),
        None => state.users.to_string(),
    };
    let done = match state.planned {
        Some(planned) => format!("{} of {planned}", state.done),
        None => state.done.to_string(),
    };
    let failed = Span::styled(
        format!("{} failed", state.failed),
        if state.failed > 0 { BAD } else { Style::new() },
    );
    let counts = format!("users {asked}   iterations {done}, ");
    frame.render_widget(Line::from(vec![Span::raw(counts), failed]), users);

    let achieved = state.rate().map_or_else(|| "?".to_owned(), render::rate);
    let asked = match state.rate_asked() {
        Some(asked) => format!(" of {} asked", render::rate(asked)),
        None => String::new(),
    };
    let line = format!("rate {achieved}{asked}, iterations over the last 2 s");
    let room = usize::from(rate.width).saturating_sub(line.chars().count());
    let mut words = vec![Span::raw(line)];
    if state.reads_keys && room > KEYS.len() {
        words.push(Span::styled(format!("{KEYS:>room$}"), MUTED));
    }
    frame.render_widget(Line::from(words), rate);

    let seconds = match state.model.as_ref().and_then(Model::length) {
        Some(length) => format!(
            "{:.0} s of {:.0} s",
            state.elapsed.as_secs_f64(),
            length.as_secs_f64()
        ),
        None => format!("{:.0} s", state.elapsed.as_secs_f64()),
    };
    match state.share_done() {
        Some(share) => frame.render_widget(
            Gauge::default()
                .ratio(share)
                .label(format!("{seconds}, {:.0} %", share * 100.0))
                .gauge_style(Style::new().fg(Color::Cyan)),
            bar,
        ),
        None => frame.render_widget(Line::raw(seconds), bar),
    }
}

fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let all = state.throughput();
    let shown = &all[all.len().saturating_sub(usize::from(area.width))..];
    let title = match (shown.last(), shown.iter().max()) {
        (Some(last), Some(most)) => format!(
            "operations: {}, at most {}",
            render::rate(*last as f64),
            render::rate(*most as f64)
        ),
        _ => "operations: not known yet".to_owned(),
    };
    let plot = Sparkline::default()
        .data(shown)
        .style(Style::new().fg(Color::Cyan))
        .block(section(title));
    frame.render_widget(plot, area);
}

/// The slowest step's p99 over time.
fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let all = state.p99();
    let shown = &all[all.len().saturating_sub(usize::from(area.width))..];
    let title = match (shown.last(), shown.iter().max()) {
        (Some(last), Some(most)) => format!(
            "p99: {}, at most {}",
            render::duration(*last as f64),
            render::duration(*most as f64)
        ),
        _ => "p99: not known yet".to_owned(),
    };
    let plot = Sparkline::default()
        .data(shown)
        .style(Style::new().fg(Color::Cyan))
        .block(section(title));
    frame.render_widget(plot, area);
}

/// The most frequent failures, of steps and outside of them.
fn failures(record: &RunRecord) -> Vec<Line<'static>> {
    let of_steps = record
        .steps
        .iter()
        .map(|step| (&*step.name, &step.failures));
    let all = of_steps.chain([("outside every step", &record.failures)]);
    let mut messages: Vec<(&str, &str, u64)> = all
        .flat_map(|(place, failures)| {
            let messages = failures.messages.iter();
            messages.map(move |failure| (place, &*failure.message, failure.count))
        })
        .collect();
    messages.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    messages.truncate(MESSAGES);
    let line = |(place, message, count): (&str, &str, u64)| {
        Line::from(vec![
            Span::styled(format!("{count}× "), BAD),
            Span::raw(format!("{}: {}", visible(place), visible(message))),
        ])
    };
    messages.into_iter().map(line).collect()
}

/// A column of the steps: its title, and its cell.
type StepColumn = (&'static str, fn(&StepSummary) -> String);

const COLUMNS: [StepColumn; 6] = [
    ("failed", |step| step.failed.to_string()),
    ("p99", |step| time(step.felt().p99())),
    ("p50", |step| time(step.felt().p50())),
    ("attempts", |step| step.attempted.to_string()),
    ("p90", |step| time(step.felt().p90())),
    ("max", |step| {
        time(Some(step.felt().max_ns).filter(|_| step.felt().count > 0))
    }),
];

/// The order in which columns stand, of those that there is room for.
const ORDER: [&str; 6] = ["attempts", "failed", "p50", "p90", "p99", "max"];

/// A column's width, with the space before it.
const COLUMN: u16 = 11;

/// What a step's name has at least.
const NAME: u16 = 14;

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "–".to_owned(), |ns| render::duration(ns as f64))
}

/// A name is kept whatever the width; of the columns, those that matter most.
fn draw_steps(frame: &mut Frame<'_>, area: Rect, record: &RunRecord) {
    let response = record.steps.iter().any(|step| step.response_time.is_some());
    let kind = if response { "response" } else { "service" };
    let room = usize::from(area.width.saturating_sub(NAME) / COLUMN).min(COLUMNS.len());
    let mut columns = COLUMNS[..room].to_vec();
    columns.sort_by_key(|(name, _)| ORDER.iter().position(|other| other == name));
    let head = std::iter::once("").chain(columns.iter().map(|(name, _)| *name));
    let rows = record.steps.iter().map(|step| {
        let cells = columns.iter().map(|(_, cell)| cell(step));
        let name = visible(&step.name).into_owned();
        let row = Row::new(std::iter::once(name).chain(cells));
        if step.failed > 0 { row.style(BAD) } else { row }
    });
    let mut widths = vec![Constraint::Length(COLUMN - 1); room + 1];
    widths[0] = Constraint::Fill(1);
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(MUTED))
        .block(section(format!(
            "steps, {kind} time of the whole load so far"
        )));
    frame.render_widget(table, area);
}

fn draw_monitors(frame: &mut Frame<'_>, area: Rect, record: &RunRecord) {
    let monitor = &record.monitor;
    let mut words = Vec::new();
    if let Some(cores) = monitor.summary.cores_used {
        words.push(format!("{cores:.2} cores"));
    }
    if let Some(last) = monitor.samples.last() {
        if let Some(bytes) = last.resident_bytes {
            words.push(format!("{:.1} MB resident", bytes as f64 / 1e6));
        }
        if let Some(threads) = last.threads {
            words.push(format!("{threads} threads"));
        }
        words.extend(pressure(&monitor.samples, last));
    }
    if monitor.gap_count > 0 {
        words.push(format!("{} gaps", monitor.gap_count));
    }
    let line = if words.is_empty() {
        "nothing could be read".to_owned()
    } else {
        words.join(", ")
    };
    frame.render_widget(Paragraph::new(line).block(section("monitors")), area);
}

/// The share of the last second in which something had to wait for a resource; nothing where it did
/// not.
fn pressure(samples: &[MonitorSample], last: &MonitorSample) -> Vec<String> {
    type Total = fn(&MonitorSample) -> Option<u64>;
    const TOTALS: [(&str, Total); 5] = [
        ("waiting for CPU", |sample| sample.cpu_pressure_ns),
        ("for memory", |sample| sample.memory_pressure_ns),
        ("for disk", |sample| sample.io_pressure_ns),
        ("throttled", |sample| sample.throttled_ns),
        ("stolen", |sample| sample.stolen_ns),
    ];
    let second_ago = last.at_ns - 1_000_000_000;
    let earlier = samples.partition_point(|sample| sample.at_ns <= second_ago);
    let Some(earlier) = samples.get(earlier.saturating_sub(1)) else {
        return Vec::new();
    };
    let time_ns = (last.at_ns - earlier.at_ns) as f64;
    let share = |total: Total| {
        let grown = total(last)?.checked_sub(total(earlier)?)?;
        (time_ns > 0.0).then(|| grown as f64 / time_ns)
    };
    TOTALS
        .iter()
        .filter_map(|(name, total)| Some((name, share(*total)?)))
        .filter(|(_, share)| *share >= 0.01)
        .map(|(name, share)| format!("{name} {:.0} %", share * 100.0))
        .collect()
}

fn draw_thresholds(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let lines: Vec<_> = state.judgements.iter().map(threshold).collect();
    let block = section("thresholds, as of now");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn threshold(judgement: &Judgement) -> Line<'static> {
    let (mark, style, text) = match judgement.ruling {
        Ruling::Held => ("✓ ", GOOD, describe_judgement(judgement)),
        Ruling::Violated => ("✗ ", BAD, describe_judgement(judgement)),
        Ruling::Unknown => ("· ", MUTED, describe_figure(judgement)),
    };
    let text = visible(&text).into_owned();
    Line::from(vec![Span::styled(mark, style), Span::styled(text, style)])
}

fn draw_findings(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let mut lines = Vec::new();
    for finding in &state.findings {
        let style = match finding.strength.grade {
            Grade::Strong => BAD,
            _ => NOTED,
        };
        let place = finding.step.as_deref().unwrap_or("all steps");
        lines.push(Line::from(vec![
            Span::styled(format!("! {}", finding.kind.name()), style),
            Span::raw(format!(
                " in {}: {}",
                visible(place),
                visible(&finding.evidence.text)
            )),
        ]));
    }
    if lines.is_empty() {
        lines.push(Line::styled("none so far", MUTED));
    }
    frame.render_widget(Paragraph::new(lines).block(section("findings")), area);
}

fn section(title: impl std::fmt::Display) -> Block<'static> {
    Block::new()
        .borders(Borders::TOP)
        .border_style(MUTED)
        .title(Span::styled(
            format!("{title} "),
            Style::new().add_modifier(Modifier::BOLD),
        ))
}
