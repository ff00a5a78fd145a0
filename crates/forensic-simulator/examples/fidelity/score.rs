use std::fmt;

/// Predictions of something that happens or does not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    hits: usize,
    false_alarms: usize,
    misses: usize,
    rejections: usize,
    /// The sum of the squared distances.
    distance: f64,
}

impl Score {
    /// Takes in one prediction: its probability, and whether it happened.
    pub(crate) fn add(&mut self, probability: f64, happened: bool) {
        let count = match (probability > 0.5, happened) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.false_alarms,
            (false, true) => &mut self.misses,
            (false, false) => &mut self.rejections,
        };
        *count += 1;
        let observed = if happened { 1.0 } else { 0.0 };
        self.distance += (probability - observed) * (probability - observed);
    }

    /// Of predictions that are all certain.
    pub(crate) fn of_counts(
        hits: usize,
        false_alarms: usize,
        misses: usize,
        rejections: usize,
    ) -> Self {
        Self {
            hits,
            false_alarms,
            misses,
            rejections,
            distance: (false_alarms + misses) as f64,
        }
    }
}

/// Cells of a table: cases, precision, recall and Brier score.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases = self.hits + self.false_alarms + self.misses + self.rejections;
        let share = |part: usize, rest: usize| match part + rest {
            0 => "–".to_owned(),
            all => format!("{:.4}", part as f64 / all as f64),
        };
        write!(
            f,
            "{cases} | {} | {} | {:.4}",
            share(self.hits, self.false_alarms),
            share(self.hits, self.misses),
            self.distance / cases.max(1) as f64
        )
    }
}
