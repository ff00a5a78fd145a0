use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::report::issue::IssueKind;
use crate::run::report::{PredictedOutcome, SimulationReport};
use action::Timestamp;

/// What one report adds to the [`Statistics`]. It is stored beside the report, so that the
/// statistics of a reopened store need not parse the reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The moment at which the plan would have run.
    pub at: Timestamp,
    /// The outcome of the whole.
    pub outcome: PredictedOutcome,
    /// How many steps had each outcome.
    pub steps: BTreeMap<PredictedOutcome, u64>,
    /// How many safety issues there were of each kind.
    pub issues: BTreeMap<IssueKind, u64>,
    /// How many recommendations there were.
    pub recommendations: u64,
    /// How many changes there were.
    pub changes: u64,
    /// The likely duration, in microseconds.
    pub duration_us: u64,
    /// The likely cost, in millionths of the unit.
    pub cost_micros: u64,
}

impl Summary {
    /// Summarises a report.
    #[must_use]
    pub fn of(report: &SimulationReport) -> Self {
        let mut steps = BTreeMap::new();
        for step in &report.steps {
            *steps.entry(step.outcome).or_insert(0) += 1;
        }
        let mut issues = BTreeMap::new();
        for issue in &report.safety_issues {
            *issues.entry(issue.kind).or_insert(0) += 1;
        }
        Self {
            at: report.at,
            outcome: report.outcome,
            steps,
            issues,
            recommendations: report.recommendations.len() as u64,
            changes: report.changes().count() as u64,
            duration_us: report.estimate.duration_us.likely,
            cost_micros: report.estimate.cost_micros.likely,
        }
    }
}

/// Totals over every stored report. They do not depend on the order in which the reports came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Statistics {
    /// How many reports there are.
    pub reports: u64,
    /// How many had each outcome.
    pub outcomes: BTreeMap<PredictedOutcome, u64>,
    /// How many steps they had together.
    pub steps: u64,
    /// How many steps had each outcome.
    pub step_outcomes: BTreeMap<PredictedOutcome, u64>,
    /// How many safety issues there were of each kind.
    pub issues: BTreeMap<IssueKind, u64>,
    /// How many recommendations there were.
    pub recommendations: u64,
    /// How many changes there were.
    pub changes: u64,
    /// The sum of the likely durations, in microseconds.
    pub duration_us: u64,
    /// The sum of the likely costs, in millionths of the unit.
    pub cost_micros: u64,
    /// The earliest moment that was simulated.
    pub earliest: Option<Timestamp>,
    /// The latest moment that was simulated.
    pub latest: Option<Timestamp>,
}

impl Statistics {
    /// Takes in one more report.
    pub fn add(&mut self, summary: &Summary) {
        self.reports += 1;
        *self.outcomes.entry(summary.outcome).or_insert(0) += 1;
        self.steps += summary.steps.values().sum::<u64>();
        add_counts(&mut self.step_outcomes, &summary.steps);
        add_counts(&mut self.issues, &summary.issues);
        self.recommendations += summary.recommendations;
        self.changes += summary.changes;
        self.duration_us = self.duration_us.saturating_add(summary.duration_us);
        self.cost_micros = self.cost_micros.saturating_add(summary.cost_micros);
        let at = summary.at;
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        self.latest = Some(self.latest.map_or(at, |latest| latest.max(at)));
    }

    /// The share of reports whose outcome is success; `None` before the first report.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        let successes = self
            .outcomes
            .get(&PredictedOutcome::Success)
            .copied()
            .unwrap_or(0);
        (self.reports > 0).then(|| successes as f64 / self.reports as f64)
    }
}

fn add_counts<K: Ord + Copy>(totals: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (kind, count) in counts {
        *totals.entry(*kind).or_insert(0) += count;
    }
}
