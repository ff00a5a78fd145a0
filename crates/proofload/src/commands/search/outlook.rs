//! How far a search has come, and how long the rest will take.

use std::time::{Duration, Instant};

use load_engine::search::{ProbeResult, RateSearch};

/// Counts runs and their time.
pub(super) struct Outlook {
    began: Instant,
    made: u32,
}

impl Outlook {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            made: 0,
        }
    }

    /// Says, after one more run of which so many are to come, how far it is: of a search, that is the most.
    pub(super) fn after(&mut self, more: u32, is_exact: bool) -> String {
        self.made += 1;
        let left = self.began.elapsed() / self.made * more;
        let made = self.made;
        match (more, is_exact) {
            (0, _) => format!("run {made}, the last"),
            (_, true) => format!("run {made} of {}, {} left", made + more, about(left)),
            (_, false) => format!("run {made}, at most {more} more, {} left", about(left)),
        }
    }
}

/// A time to come, as precisely as it can be known.
fn about(time: Duration) -> String {
    match time.as_secs() {
        0 => "a moment".to_owned(),
        seconds @ 1..90 => format!("about {seconds} s"),
        seconds @ 90..5_400 => format!("about {} min", seconds.div_ceil(60)),
        seconds => format!("about {:.1} h", seconds as f64 / 3_600.0),
    }
}

/// The most runs that are still to come, if none of them contradicts what was found: the rates between the
/// highest that held and the lowest that did not are halved by their logarithms, and then both ends are
/// confirmed.
pub(super) fn most_to_come(search: &RateSearch, tried: &[(f64, &ProbeResult)]) -> u32 {
    let held = |of: &&(f64, &ProbeResult)| *of.1 == ProbeResult::Held;
    let violated = |of: &&(f64, &ProbeResult)| matches!(of.1, ProbeResult::Violated(_));
    let highest = tried.iter().filter(held).map(|of| of.0).reduce(f64::max);
    let lowest = tried
        .iter()
        .filter(violated)
        .map(|of| of.0)
        .reduce(f64::min);
    let precise = (1.0 + search.precision).ln();
    let halvings = |gap: f64| (gap.ln() / precise).max(1.0).log2().ceil() as u32;
    let votes = |end: Option<f64>| {
        let agreed = tried.iter().filter(|of| Some(of.0) == end).count() as u32;
        search.agreeing.saturating_sub(agreed.max(1))
    };
    match (highest, lowest) {
        (Some(high), Some(low)) => halvings(low / high) + votes(highest) + votes(lowest),
        (None, Some(_)) => 0,
        _ => {
            let from = highest.unwrap_or(search.from_per_s);
            let doublings = (search.to_per_s / from).max(1.0).log2().ceil() as u32;
            doublings + halvings(2.0) + 2 * (search.agreeing - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_come_falls_from_run_to_run() {
        let search = RateSearch::between(100.0, 800.0).precision(0.1);
        let (held, violated) = (
            ProbeResult::Held,
            ProbeResult::Violated("p99 < 1s".to_owned()),
        );
        // Three doublings, three halvings to 10 %, three more votes at each end.
        assert_eq!(most_to_come(&search, &[]), 12);
        assert_eq!(most_to_come(&search, &[(100.0, &held)]), 12);
        let tried = [(100.0, &held), (200.0, &held), (400.0, &violated)];
        assert_eq!(most_to_come(&search, &tried), 9);
        let near = [(300.0, &held), (320.0, &violated), (300.0, &held)];
        assert_eq!(most_to_come(&search, &near), 5);
        assert_eq!(most_to_come(&search, &[(100.0, &violated)]), 0);
    }

    #[test]
    fn a_sweep_says_how_many_runs_of_how_many() {
        let mut outlook = Outlook::begin();
        let line = outlook.after(3, true);
        assert!(
            line.starts_with("run 1 of 4, ") && line.ends_with(" left"),
            "{line}"
        );
        assert!(
            outlook
                .after(2, false)
                .starts_with("run 2, at most 2 more, ")
        );
        assert_eq!(outlook.after(0, true), "run 3, the last");
        assert_eq!(about(Duration::from_secs(200)), "about 4 min");
    }
}
