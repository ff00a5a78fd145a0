//! Users that all ask for the same, of whom some get much less: a lock that favours who has it, a pool
//! that starves, a shard that is slower than the others.

use std::time::Duration;

use load_engine::{Fairness, RunRecord};

use super::chance::strength;
use crate::{Evidence, Figure, Finding, FindingKind, Grade, PlotKind, Unit};

/// Of fewer users there is no usual one.
const MIN_USERS: u32 = 4;

/// In fewer iterations of the median user, a few long ones make the difference: the mean of 60 times
/// whose deviation is as large as their mean is true to an eighth.
const MIN_ITERATIONS: u64 = 60;

/// In a shorter time, a single wait makes the difference.
const MIN_TIME: Duration = Duration::from_secs(10);

/// The slowest user is so many times as slow as is usual, for a strong finding.
const STRONG_TIMES: f64 = 4.0;

/// So long a user must have had its turns on a processor: in a shorter time a scheduler that gives
/// each thread some milliseconds has been at a thousand of them only once or twice.
const MIN_TIME_A_USER: Duration = Duration::from_millis(10);

/// Below this index the users are far apart although none may be far behind the median: of two groups
/// as large as each other, the slower one then has less than a fifth of the faster one's rate.
const UNEVEN: f64 = 0.7;

pub(super) fn find(scenario: &str, run: &RunRecord) -> Vec<Finding> {
    let Some(fairness) = run.fairness.as_ref().filter(|fairness| can_tell(fairness)) else {
        return Vec::new();
    };
    if fairness.behind == 0 && fairness.jain_index >= UNEVEN {
        return Vec::new();
    }
    let least = &fairness.least;
    // Who did not come to a single iteration is as far behind as who came to one.
    let least_per_s = least.iterations.max(1) as f64 * 1e9 / least.time_ns.max(1) as f64;
    // Where the slow are the most, they are the median.
    let usual_per_s = match fairness.behind {
        0 => fairness.max_per_s,
        _ => fairness.median_per_s,
    };
    let times = usual_per_s / least_per_s;
    vec![Finding {
        kind: FindingKind::Unfairness,
        scenario: scenario.to_owned(),
        step: None,
        phase: None,
        strength: strength(
            if times >= STRONG_TIMES {
                Grade::Strong
            } else {
                Grade::Moderate
            },
            times,
            "the usual rate over the slowest user's",
        ),
        evidence: Evidence {
            text: text(fairness),
            figures: vec![
                Figure::new("users behind", f64::from(fairness.behind), Unit::Count),
                Figure::new("slowest user", fairness.min_per_s, Unit::PerSecond),
                Figure::new("median user", fairness.median_per_s, Unit::PerSecond),
                Figure::new("fastest user", fairness.max_per_s, Unit::PerSecond),
                Figure::new("Jain's fairness index", fairness.jain_index, Unit::Plain),
            ],
        },
        recommendation:
            "look for what some users wait for and others do not: a lock or a pool that \
                         is not fair, or data that only they use"
                .to_owned(),
        span: None,
        plot: PlotKind::Throughput,
    }]
}

fn can_tell(fairness: &Fairness) -> bool {
    let time = Duration::from_nanos(fairness.median_time_ns);
    fairness.users >= MIN_USERS
        && fairness.median_iterations >= MIN_ITERATIONS
        && time >= MIN_TIME.max(MIN_TIME_A_USER * fairness.users)
}

fn text(fairness: &Fairness) -> String {
    let Fairness { users, behind, .. } = fairness;
    // As people count them.
    let number = fairness.least.user + 1;
    let (slowest, fastest) = (fairness.min_per_s, fairness.max_per_s);
    if *behind == 0 {
        return format!(
            "the rates of {users} users vary by {:.0} % of their mean, from {slowest:.1} a second of \
             user {number} to {fastest:.1}",
            fairness.coefficient_of_variation * 100.0
        );
    }
    format!(
        "{behind} of {users} users came to less than a third of the median user's rate of {:.1} a \
         second; the slowest, user {number}, to {slowest:.1}",
        fairness.median_per_s
    )
}

#[cfg(test)]
mod tests {
    use load_engine::{
        Clock, Failure, Iteration, Model, Plan, SimulatedClock, StepSpec, StopHandle, UserTally,
        Workload, run_on,
    };

    use super::*;
    use crate::Grade;

    const CALL: StepSpec = StepSpec::new("call");

    /// A target that serves the first users ten times as slowly.
    struct Favouring {
        clock: SimulatedClock,
        slow: u32,
    }

    impl Workload for Favouring {
        type User = u64;

        fn steps(&self) -> Vec<StepSpec> {
            vec![CALL]
        }

        fn set_up(&self, user: u32) -> Result<u64, Failure> {
            Ok(if user < self.slow {
                200_000_000
            } else {
                20_000_000
            })
        }

        fn iterate(&self, ns: &mut u64, it: &mut Iteration<'_>) -> Result<(), Failure> {
            it.step(&CALL, |_| {
                self.clock.sleep_until(self.clock.now_ns() + *ns);
                Ok(())
            })
        }
    }

    fn ran(slow: u32, seconds: u64) -> RunRecord {
        let target = Favouring {
            clock: SimulatedClock::new(),
            slow,
        };
        let model = Model::elapsed(8.try_into().unwrap(), Duration::from_secs(seconds));
        let plan = Plan::new("favouring", model);
        let ran = run_on(&target.clock, &target, &plan, &StopHandle::new(), |_| {});
        ran.unwrap().0
    }

    #[test]
    fn users_who_are_served_worse_are_found_in_a_run() {
        let found = find("favouring", &ran(2, 10));
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].evidence.text,
            "2 of 8 users came to less than a third of the median user's rate of 50.0 a second; the \
             slowest, user 1, to 5.0"
        );
        assert_eq!(found[0].strength.grade, Grade::Strong);
        assert_eq!(found[0].plot, PlotKind::Throughput);
    }

    #[test]
    fn so_are_the_few_who_are_served_better_than_most() {
        let found = find("favouring", &ran(6, 30));
        assert_eq!(found.len(), 1);
        let text = &found[0].evidence.text;
        assert!(
            text.starts_with("the rates of 8 users vary by 120 %"),
            "{text}"
        );
        assert_eq!(found[0].strength.value, 10.0);
    }

    #[test]
    fn users_who_are_served_alike_are_no_finding() {
        let run = ran(0, 10);
        assert!(can_tell(run.fairness.as_ref().unwrap()));
        assert_eq!(find("alike", &run), []);
    }

    #[test]
    fn nothing_is_said_of_too_little() {
        assert_eq!(find("short", &ran(2, 2)), []);
        assert_eq!(find("few iterations", &ran(6, 5)), []);
        let mut many = ran(2, 10);
        many.fairness.as_mut().unwrap().users = 2_000;
        assert_eq!(find("many users on few processors", &many), []);
        assert_eq!(find("another model", &RunRecord::default()), []);
    }

    #[test]
    fn who_came_to_nothing_is_as_far_behind_as_can_be_told() {
        let mut tallies = vec![UserTally::default(); 8];
        for (number, tally) in (0..).zip(&mut tallies) {
            tally.user = number;
            tally.iterations = if number == 5 { 0 } else { 400 };
            tally.time_ns = 10_000_000_000;
        }
        let mut run = RunRecord::default();
        run.fairness = Fairness::of(tallies);
        let found = find("starved", &run);
        assert_eq!(found[0].strength.value, 400.0);
        assert!(found[0].evidence.text.contains("user 6, to 0.0"));
    }
}
