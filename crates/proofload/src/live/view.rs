//! The frame: what a person sees of a load that goes on.

use action::visible;
use load_engine::{Judgement, MonitorSample, Ruling, RunRecord, StepSummary};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Gauge, Paragraph, Row, Sparkline, Table};
use report::{Grade, describe_figure, describe_judgement, render};

use super::state::State;

const MUTED: Style = Style::new().fg(Color::DarkGray);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Rows of a plot; with its title it takes one more.
const PLOT: u16 = 4;

/// Draws the state as well as the place allows: what does not fit is cut from below, where what is
/// rarest stands.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) {
    let steps = state.record.as_ref().map_or(0, |record| record.steps.len());
    let thresholds = state.judgements.len();
    let parts = [
        Constraint::Length(4),
        Constraint::Length(PLOT + 1),
        Constraint::Length(2 + steps as u16),
        Constraint::Length(2),
        Constraint::Length(1 + thresholds.max(1) as u16),
        Constraint::Min(2),
    ];
    // One after the other: a solver that shares out what is missing would cut all of them.
    let mut left = frame.area();
    let mut areas = [Rect::default(); 6];
    for (area, part) in areas.iter_mut().zip(parts) {
        [*area, left] = Layout::vertical([part, Constraint::Fill(1)]).areas(left);
        if let Constraint::Min(_) = part {
            area.height += left.height;
        }
    }
    let [head, plot, table, monitors, limits, findings] = areas;
    draw_head(frame, head, state);
    draw_throughput(frame, plot, state);
    if let Some(record) = &state.record {
        draw_steps(frame, table, record);
        draw_monitors(frame, monitors, record);
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
    frame.render_widget(Line::raw(line), rate);

    let seconds = format!("{:.0} s", state.elapsed.as_secs_f64());
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

fn draw_steps(frame: &mut Frame<'_>, area: Rect, record: &RunRecord) {
    let response = record.steps.iter().any(|step| step.response_time.is_some());
    let kind = if response { "response" } else { "service" };
    let head = ["", "attempts", "failed", "p50", "p90", "p99", "max"];
    let rows = record.steps.iter().map(step_row);
    let mut widths = [Constraint::Length(10); 7];
    widths[0] = Constraint::Fill(1);
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(MUTED))
        .block(section(format!(
            "steps, {kind} time of the whole load so far"
        )));
    frame.render_widget(table, area);
}

fn step_row(step: &StepSummary) -> Row<'static> {
    let times = step.response_time.as_ref().unwrap_or(&step.service_time);
    let time = |ns: u64| render::duration(ns as f64);
    let cells = [
        visible(&step.name).into_owned(),
        step.attempted.to_string(),
        step.failed.to_string(),
        time(times.p50_ns),
        time(times.p90_ns),
        time(times.p99_ns),
        time(times.max_ns),
    ];
    let row = Row::new(cells);
    if step.failed > 0 { row.style(BAD) } else { row }
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
            _ => Style::new().fg(Color::Yellow),
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
