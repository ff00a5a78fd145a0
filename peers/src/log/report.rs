//! Medians over the rounds, as Markdown and JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::log::cell::{Cell, Measured, Medium};
use crate::plot::Line;
use crate::spread::Spread;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rounds: usize,
    window_ms: u64,
    rows: Vec<Row>,
}

/// One cell; every figure is the median over the rounds.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip)]
    medium: Medium,
    peer: &'static str,
    threads: usize,
    /// The length of the replaced sync; absent on the real disk.
    sync_ms: Option<u64>,
    records_per_second: f64,
    slowest_round: f64,
    fastest_round: f64,
    /// Of threads divided by the length of a sync; absent on the real disk and for batches.
    share_of_limit: Option<f64>,
    p50_us: f64,
    p99_us: f64,
    records_per_sync: f64,
    /// How many times as many records the first peer of the same kind wrote, by the ratios
    /// within each round.
    first_peer_is_times: Option<Spread>,
}

impl Report {
    pub(crate) fn new(rounds: usize, window_ms: u64, measured: &[(Cell, Measured)]) -> Self {
        let per_round = measured.len() / rounds.max(1);
        let rows = (0..per_round)
            .map(|at| row(measured, at, per_round))
            .collect();
        Self {
            rounds,
            window_ms,
            rows,
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "Medians of {} rounds of {} ms each, all peers in every round. `S` is the length of \
             a sync, N the number of threads; N/S is the most that N waiting threads can reach.\n",
            self.rounds, self.window_ms
        );
        let mut heading = None;
        for row in &self.rows {
            if heading != Some((row.medium, row.threads)) {
                heading = Some((row.medium, row.threads));
                push_heading(&mut text, row);
            }
            push_row(&mut text, row);
        }
        text
    }

    /// The ratios of the records a second, for a picture.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let rows = self.rows.iter();
        rows.filter_map(|row| {
            Some(Line {
                group: format!("{}, {} threads", row.medium, row.threads),
                label: row.peer.to_owned(),
                ratio: row.first_peer_is_times?,
            })
        })
        // A disk can stall for a whole round, in which nothing was written: no axis has room for that.
        .filter(|line| line.ratio.lowest > 0.0 && line.ratio.highest.is_finite())
        .collect()
    }
}

fn row(measured: &[(Cell, Measured)], at: usize, per_round: usize) -> Row {
    let rounds = || measured.iter().skip(at).step_by(per_round);
    let cell = &measured[at].0;
    let median_of = |of: fn(&Measured) -> f64| Spread::of(rounds().map(|(_, it)| of(it))).median;
    let rates = Spread::of(rounds().map(|(_, it)| it.records_per_second));
    let rate = rates.median;
    let sync = match cell.medium {
        Medium::Memory { sync } => Some(sync),
        Medium::Disk => None,
    };
    let single = cell.peer.kind == crate::log::peer::Kind::Single;
    let limit = sync
        .filter(|_| single)
        .map(|sync| cell.threads as f64 / sync.as_secs_f64());
    Row {
        medium: cell.medium,
        peer: cell.peer.name,
        threads: cell.threads,
        sync_ms: sync.map(|sync| sync.as_millis() as u64),
        records_per_second: rate,
        slowest_round: rates.lowest,
        fastest_round: rates.highest,
        share_of_limit: limit.map(|limit| rate / limit),
        p50_us: median_of(|it| it.p50.as_secs_f64() * 1e6),
        p99_us: median_of(|it| it.p99.as_secs_f64() * 1e6),
        records_per_sync: median_of(|it| it.records_per_sync),
        first_peer_is_times: first_of_kind(measured, at).map(|first| {
            let firsts = measured.iter().skip(first).step_by(per_round);
            let ratio = |((_, ours), (_, it)): (&(Cell, Measured), &(Cell, Measured))| {
                ours.records_per_second / it.records_per_second
            };
            Spread::of(firsts.zip(rounds()).map(ratio))
        }),
    }
}

/// The cell of the same setting whose peer is the first of its kind, unless that is the cell itself.
fn first_of_kind(measured: &[(Cell, Measured)], at: usize) -> Option<usize> {
    let cell = &measured[at].0;
    let first = measured.iter().position(|(other, _)| {
        (other.medium, other.threads) == (cell.medium, cell.threads)
            && other.peer.kind == cell.peer.kind
    })?;
    (first != at).then_some(first)
}

fn push_heading(text: &mut String, row: &Row) {
    let threads = if row.threads == 1 {
        "thread"
    } else {
        "threads"
    };
    let (unit, share) = match row.medium {
        Medium::Memory { .. } => ("S", "of N/S"),
        Medium::Disk => ("ms", "–"),
    };
    let _ = write!(
        text,
        "\n### {}, {} {threads}\n\n\
         | peer | records/s | slowest – fastest round | {share} | p50, {unit} | p99, {unit} | records a sync | ours is |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        row.medium, row.threads
    );
}

fn push_row(text: &mut String, row: &Row) {
    let unit_us = match row.medium {
        Medium::Memory { sync } => sync.as_secs_f64() * 1e6,
        Medium::Disk => Duration::from_millis(1).as_secs_f64() * 1e6,
    };
    let share = row
        .share_of_limit
        .map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let times = row
        .first_peer_is_times
        .map_or("–".to_owned(), |times| times.to_string());
    let _ = writeln!(
        text,
        "| {} | {:.0} | {:.0} – {:.0} | {share} | {:.2} | {:.2} | {:.1} | {times} |",
        row.peer,
        row.records_per_second,
        row.slowest_round,
        row.fastest_round,
        row.p50_us / unit_us,
        row.p99_us / unit_us,
        row.records_per_sync,
    );
}
