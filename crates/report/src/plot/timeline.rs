//! The intervals of a run, made as many columns as a plot can show.

use load_engine::{IntervalSummary, RunRecord};

use super::buckets::{Reader, Tally, highest_value, indexes};

/// Columns of a plot over time at most: more are narrower than two dots of a wide screen.
const MAX_COLUMNS: u64 = 480;

/// Rows of the heat map for each factor of ten.
pub(super) const ROWS_PER_DECADE: f64 = 8.0;

/// Rows for every latency of 64 bits.
const ROWS: usize = 160;

/// A last interval of less than this part of an interval is added to the one before.
const SLIVER: u64 = 5;

/// The run over time. Neighbouring intervals share a column when there are too many: their
/// histograms are merged, so that percentiles stay those of all operations, and the lowest and the
/// highest rate of an interval are kept beside the mean.
pub(super) struct Timeline {
    /// All steps together.
    pub(super) columns: Vec<Column>,
    /// Each step, in the record's order.
    pub(super) steps: Vec<Vec<Column>>,
    /// Operations by column and row, where there are any.
    pub(super) heat: Vec<Vec<u64>>,
    /// Intervals whose histogram could not be read.
    pub(super) damaged: u64,
    /// How many intervals make a column.
    pub(super) merged: u64,
}

/// A time of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Column {
    pub(super) start_s: f64,
    pub(super) end_s: f64,
    /// Attempts.
    pub(super) count: u64,
    /// Those that failed.
    pub(super) failed: u64,
    /// The lowest number of attempts a second of any interval in it.
    pub(super) lowest_rate: f64,
    /// The highest.
    pub(super) highest_rate: f64,
    pub(super) p50_ns: u64,
    pub(super) p90_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) max_ns: u64,
}

impl Column {
    /// Attempts a second.
    pub(super) fn rate(&self) -> f64 {
        self.per_second(self.count)
    }

    /// Failed attempts a second.
    pub(super) fn failed_rate(&self) -> f64 {
        self.per_second(self.failed)
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.end_s - self.start_s;
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    }

    fn set_latencies(&mut self, tally: &Tally) {
        if tally.total() > 0 {
            [self.p50_ns, self.p90_ns, self.p99_ns, self.max_ns] =
                tally.at_quantiles([0.5, 0.9, 0.99, 1.0]);
        }
    }
}

/// The row of a latency in the heat map.
pub(super) fn row_of(ns: u64) -> usize {
    ((ns.max(1) as f64).log10() * ROWS_PER_DECADE) as usize
}

/// The lowest latency of a row, in nanoseconds.
pub(super) fn row_start(row: usize) -> f64 {
    10f64.powf(row as f64 / ROWS_PER_DECADE)
}

/// One interval of one step, and its number in the run.
struct Piece<'r> {
    number: u64,
    step: usize,
    interval: &'r IntervalSummary,
}

impl Timeline {
    pub(super) fn of(run: &RunRecord) -> Self {
        let width_ns = run.interval_ns.max(1);
        let mut pieces: Vec<Piece<'_>> = run
            .steps
            .iter()
            .enumerate()
            .flat_map(|(step, summary)| {
                summary.intervals.iter().map(move |interval| Piece {
                    number: interval.start_ns / width_ns,
                    step,
                    interval,
                })
            })
            .filter(|piece| piece.interval.latency.count + piece.interval.failed > 0)
            .collect();
        pieces.sort_by_key(|piece| piece.number);
        let mut last = pieces.last().map_or(0, |piece| piece.number);
        // What ended in a sliver of an interval would make a rate of its own.
        let sliver_ns = run.wall_ns.saturating_sub(last.saturating_mul(width_ns));
        if last > 0 && sliver_ns < width_ns / SLIVER {
            last -= 1;
            for piece in &mut pieces {
                piece.number = piece.number.min(last);
            }
        }
        let merged = (last + 1).div_ceil(MAX_COLUMNS);
        let count = if pieces.is_empty() {
            0
        } else {
            last / merged + 1
        };
        let mut filler = Filler::new(run, width_ns, merged, last);
        let mut rest = pieces.as_slice();
        for column in 0..count {
            let own = rest.partition_point(|piece| piece.number / merged == column);
            let (of_column, others) = rest.split_at(own);
            filler.fill(column, of_column);
            rest = others;
        }
        filler.timeline
    }
}

struct Filler {
    reader: Reader,
    all: Tally,
    one: Vec<Tally>,
    /// The heat map's row of each index of a tally.
    rows: Vec<u8>,
    width_ns: u64,
    /// When the load ended: the last interval may be shorter than the others.
    end_ns: u64,
    last: u64,
    timeline: Timeline,
}

impl Filler {
    fn new(run: &RunRecord, width_ns: u64, merged: u64, last: u64) -> Self {
        let row = |index| row_of(highest_value(index)) as u8; // below ROWS, which a byte holds
        Self {
            reader: Reader::default(),
            all: Tally::new(),
            one: run.steps.iter().map(|_| Tally::new()).collect(),
            rows: indexes().map(row).collect(),
            width_ns,
            end_ns: run.wall_ns,
            last,
            timeline: Timeline {
                columns: Vec::new(),
                steps: vec![Vec::new(); run.steps.len()],
                heat: Vec::new(),
                damaged: 0,
                merged,
            },
        }
    }

    /// Adds a column of these intervals, which are sorted by their number.
    fn fill(&mut self, column: u64, pieces: &[Piece<'_>]) {
        let merged = self.timeline.merged;
        let numbers = column * merged..((column + 1) * merged).min(self.last + 1);
        let empty = Column {
            start_s: self.start_s(numbers.start),
            end_s: self.start_s(numbers.end),
            ..Column::default()
        };
        let mut whole = empty;
        let mut of_steps = vec![empty; self.one.len()];
        (whole.lowest_rate, whole.highest_rate) = self.rates(pieces, numbers);
        self.all.clear();
        self.one.iter_mut().for_each(Tally::clear);
        for Piece { step, interval, .. } in pieces {
            for column in [&mut whole, &mut of_steps[*step]] {
                column.count += interval.latency.count;
                column.failed += interval.failed;
            }
            let (all, one) = (&mut self.all, &mut self.one[*step]);
            let read = self
                .reader
                .read(&interval.latency.histogram, |value, count| {
                    all.add(value, count);
                    one.add(value, count);
                });
            self.timeline.damaged += u64::from(read.is_none());
        }
        whole.set_latencies(&self.all);
        for (column, tally) in of_steps.iter_mut().zip(&self.one) {
            column.set_latencies(tally);
        }
        let mut heat = vec![0; ROWS];
        for (index, count) in self.all.iter() {
            heat[usize::from(self.rows[index])] += count;
        }
        self.timeline.columns.push(whole);
        self.timeline.heat.push(heat);
        for (steps, column) in self.timeline.steps.iter_mut().zip(of_steps) {
            steps.push(column);
        }
    }

    /// The lowest and the highest number of attempts a second of these intervals.
    fn rates(&self, pieces: &[Piece<'_>], numbers: std::ops::Range<u64>) -> (f64, f64) {
        let mut distinct = 0;
        let (mut lowest, mut highest) = (f64::INFINITY, 0f64);
        for own in pieces.chunk_by(|a, b| a.number == b.number) {
            let number = own[0].number;
            let count: u64 = own.iter().map(|piece| piece.interval.latency.count).sum();
            let seconds = self.start_s(number + 1) - self.start_s(number);
            let rate = if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            };
            lowest = lowest.min(rate);
            highest = highest.max(rate);
            distinct += 1;
        }
        // An interval that is not there had no operation.
        if distinct < numbers.end - numbers.start {
            lowest = 0.0;
        }
        (lowest, highest)
    }

    /// When an interval begins; the one behind the last begins at the load's end.
    fn start_s(&self, number: u64) -> f64 {
        let start_ns = number.saturating_mul(self.width_ns);
        let ends = number > self.last && self.end_ns > self.last.saturating_mul(self.width_ns);
        // The last interval bears a sliver of the next; more than that is time without operations.
        let most_ns = start_ns.saturating_add(self.width_ns / SLIVER);
        let ns = if ends {
            self.end_ns.min(most_ns)
        } else {
            start_ns
        };
        ns as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use load_engine::{LatencySummary, StepSummary, empty_histogram};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn interval(second: u64, values: &[u64]) -> IntervalSummary {
        let mut histogram = empty_histogram();
        for &value in values {
            histogram.record(value).unwrap();
        }
        let mut interval = IntervalSummary::default();
        interval.start_ns = second * SECOND;
        interval.latency = LatencySummary::of(&histogram);
        interval
    }

    fn run(steps: Vec<Vec<IntervalSummary>>, wall_ns: u64) -> RunRecord {
        let mut run = RunRecord::default();
        run.interval_ns = SECOND;
        run.wall_ns = wall_ns;
        for intervals in steps {
            let mut step = StepSummary::default();
            step.intervals = intervals;
            run.steps.push(step);
        }
        run
    }

    #[test]
    fn a_short_run_has_a_column_an_interval_and_the_last_is_as_long_as_it_was() {
        let first = vec![interval(0, &[10, 20]), interval(1, &[1000])];
        let second = vec![interval(1, &[5])];
        let timeline = Timeline::of(&run(vec![first, second], 3 * SECOND / 2));
        let [zero, one] = timeline.columns.as_slice() else {
            panic!("{:?}", timeline.columns);
        };
        assert_eq!((zero.count, zero.p50_ns, zero.max_ns), (2, 10, 20));
        assert_eq!((one.start_s, one.end_s, one.rate()), (1.0, 1.5, 4.0));
        assert_eq!((one.p50_ns, one.max_ns), (5, 1000));
        assert_eq!(timeline.steps[1][0].count, 0);
        assert_eq!(timeline.heat[1][row_of(1000)], 1);
    }

    #[test]
    fn merged_columns_keep_every_operation_the_extremes_and_the_idle_seconds() {
        let seconds = 3 * MAX_COLUMNS;
        // One slow operation in the 100th second, none in the 200th.
        let intervals = (0..seconds)
            .filter(|&second| second != 200)
            .map(|second| match second {
                100 => interval(second, &[10, 77_000]),
                _ => interval(second, &[10]),
            });
        let timeline = Timeline::of(&run(vec![intervals.collect()], seconds * SECOND));
        assert_eq!((timeline.merged, timeline.columns.len()), (3, 480));
        let count: u64 = timeline.columns.iter().map(|column| column.count).sum();
        assert_eq!(count, seconds);
        let slow = &timeline.columns[100 / 3];
        assert_eq!((slow.lowest_rate, slow.highest_rate), (1.0, 2.0));
        assert!(slow.max_ns.abs_diff(77_000) < 77, "{slow:?}");
        assert_eq!(slow.p50_ns, 10);
        assert_eq!(timeline.columns[200 / 3].lowest_rate, 0.0);
        let drawn: u64 = timeline.heat.iter().flatten().sum();
        assert_eq!(drawn, seconds);
    }

    #[test]
    fn a_run_without_operations_has_no_column_and_a_damaged_histogram_is_counted() {
        assert!(Timeline::of(&RunRecord::default()).columns.is_empty());
        let mut damaged = interval(0, &[1]);
        damaged.latency.histogram = "?".to_owned();
        let timeline = Timeline::of(&run(vec![vec![damaged]], SECOND));
        assert_eq!((timeline.damaged, timeline.columns[0].count), (1, 1));
    }
}
