//! Times that a workload measures beside its steps, such as the first event of a step's stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::is_zero;
use crate::record::histogram::{MAX_LATENCY_NS, empty_histogram};
use crate::record::latency::LatencySummary;

/// Times beside those of steps, by name: parts of a step (`say.first_event`), and what is in no step
/// (`db.connect`). They are in no total of the run.
///
/// ```
/// use std::time::Duration;
/// use load_engine::{Parts, RunRecord, Ruling, Threshold};
///
/// let parts = Parts::new(["say.first_event".to_owned()], []);
/// for ms in [3, 5] {
///     parts.book(0, 0, [Duration::from_millis(ms)]);
/// }
/// let mut record = RunRecord::default();
/// record.parts = parts.summaries();
///
/// let late: Threshold = "max(say.first_event) < 4ms".parse()?;
/// assert_eq!(late.judge(&record, None).ruling, Ruling::Violated);
/// # Ok::<(), load_engine::RunError>(())
/// ```
#[derive(Debug)]
pub struct Parts {
    parts: Box<[Part]>,
    phases: Box<[String]>,
}

#[derive(Debug)]
struct Part {
    name: String,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    all: Histogram<u64>,
    failed: u64,
    /// By the number of the phase; made when there is a time of it.
    phases: Box<[Option<Histogram<u64>>]>,
    failed_in: Box<[u64]>,
}

impl Parts {
    /// Nothing measured yet, of parts with these names in these phases.
    pub fn new(
        names: impl IntoIterator<Item = String>,
        phases: impl IntoIterator<Item = String>,
    ) -> Self {
        let phases: Box<[String]> = phases.into_iter().collect();
        let part = |name| Part {
            name,
            times: Mutex::new(Times {
                all: empty_histogram(),
                failed: 0,
                phases: vec![None; phases.len()].into(),
                failed_in: vec![0; phases.len()].into(),
            }),
        };
        Self {
            parts: names.into_iter().map(part).collect(),
            phases,
        }
    }

    /// Books times of the part with this number, in the phase with this number if there is one.
    pub fn book(&self, part: usize, phase: usize, times: impl IntoIterator<Item = Duration>) {
        let mut of_part = self.parts[part].lock();
        let Times { all, phases, .. } = &mut *of_part;
        let mut in_phase = phases.get_mut(phase);
        for time in times {
            let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let ns = ns.clamp(1, MAX_LATENCY_NS);
            all.saturating_record(ns);
            if let Some(histogram) = &mut in_phase {
                let histogram = histogram.get_or_insert_with(empty_histogram);
                histogram.saturating_record(ns);
            }
        }
    }

    /// Counts what took no time because it failed, such as a wait that was given up.
    pub fn fail(&self, part: usize, phase: usize) {
        let mut of_part = self.parts[part].lock();
        of_part.failed += 1;
        if let Some(failed) = of_part.failed_in.get_mut(phase) {
            *failed += 1;
        }
    }

    /// What was measured of each part.
    #[must_use]
    pub fn summaries(&self) -> Vec<PartSummary> {
        let measured = self.parts.iter().map(|part| {
            let times = part.lock();
            let phases = self.phases.iter().zip(&times.phases);
            let phases = phases.filter_map(|(name, times)| {
                let times = times.as_ref()?;
                Some((name.clone(), LatencySummary::of(times)))
            });
            let failed_in = self.phases.iter().zip(&times.failed_in);
            let failed_in = failed_in.filter(|(_, failed)| **failed > 0);
            PartSummary {
                name: part.name.clone(),
                time: LatencySummary::of(&times.all),
                failed: times.failed,
                phases: phases.collect(),
                failed_in: failed_in
                    .map(|(name, failed)| (name.clone(), *failed))
                    .collect(),
            }
        });
        measured.collect()
    }
}

impl Part {
    fn lock(&self) -> MutexGuard<'_, Times> {
        // Nothing under the lock panics half-way.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Times that were measured beside those of steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartSummary {
    /// What they are of, such as `say.first_event`.
    pub name: String,
    /// All of them.
    pub time: LatencySummary,
    /// How often it failed, and so has no time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Those of each phase in which there were some.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, LatencySummary>,
    /// How often it failed in each phase in which it did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed_in: BTreeMap<String, u64>,
}
