use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_constant_rate_has_exactly_its_arrivals_evenly() {
    let schedule = Schedule::constant(500.0, 14 * SECOND);
    let times: Vec<_> = schedule.times(0).collect();
    assert_eq!(times.len(), 7_000);
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] == Duration::from_millis(2))
    );
    assert_eq!(times[6_999], Duration::from_millis(13_998));
}

#[test]
fn a_ramp_is_exact_in_count_and_its_arrivals_lie_where_the_integral_says() {
    let schedule = Schedule::ramp(0.0, 1000.0, 10 * SECOND);
    assert_eq!(schedule.arrivals(), 5_000);
    // 50 t² arrivals have come at t, so number 1,250 comes at 5 s.
    assert_eq!(schedule.time_of(1_250), 5 * SECOND);
    assert_eq!(schedule.rate_at(5 * SECOND), 500.0);
    let down = Schedule::ramp(1000.0, 0.0, 10 * SECOND);
    assert_eq!((down.arrivals(), down.time_of(3_750)), (5_000, 5 * SECOND));
}

#[test]
fn a_fraction_is_carried_over_to_the_next_stage() {
    let schedule = (0..9).fold(Schedule::constant(0.1, SECOND), |schedule, _| {
        schedule.then_at(0.1, SECOND)
    });
    assert_eq!(schedule.arrivals(), 1);
    let longer = schedule.then_at(0.1, SECOND).then_at(10.0, SECOND);
    assert_eq!(longer.arrivals(), 12);
    // 1.1 arrivals have come after 11 s; number 2 is due when 0.9 more have.
    assert_eq!(longer.time_of(2).as_millis(), 11_090);
}

#[test]
fn steps_divide_the_time_and_reach_the_last_rate() {
    let schedule = Schedule::stepped(5.0, 50.0, 10, 100 * SECOND);
    let rates: Vec<_> = schedule
        .stages
        .iter()
        .map(|stage| stage.from_per_s)
        .collect();
    assert_eq!(
        rates,
        [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0]
    );
    assert_eq!(
        (schedule.duration(), schedule.arrivals()),
        (100 * SECOND, 2_750)
    );
}

/// The largest distance between the observed distribution of gaps and the exponential one.
fn kolmogorov_smirnov(mut gaps: Vec<f64>, per_s: f64) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let count = gaps.len() as f64;
    (0u32..)
        .zip(&gaps)
        .map(|(rank, gap)| {
            let truth = 1.0 - (-gap * per_s).exp();
            let rank = f64::from(rank);
            (truth - rank / count)
                .abs()
                .max((truth - (rank + 1.0) / count).abs())
        })
        .fold(0.0, f64::max)
}

fn gaps(schedule: &Schedule) -> Vec<f64> {
    let times: Vec<_> = schedule.times(7).collect();
    times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect()
}

#[test]
fn poisson_arrivals_pass_a_kolmogorov_smirnov_test_and_even_ones_do_not() {
    let even = Schedule::constant(10_000.0, 5 * SECOND);
    let poisson = even.clone().poisson();
    assert_eq!(poisson.times(7).count(), 50_000);
    // The critical distance at the level of 1 %.
    let critical = 1.628 / 50_000f64.sqrt();
    let distance = kolmogorov_smirnov(gaps(&poisson), 10_000.0);
    assert!(distance < critical, "{distance} {critical}");
    assert!(kolmogorov_smirnov(gaps(&even), 10_000.0) > critical);
}

#[test]
fn poisson_arrivals_follow_a_ramp() {
    let ramp = Schedule::ramp(0.0, 10_000.0, 10 * SECOND).poisson();
    let first_half = ramp.times(3).filter(|&time| time < 5 * SECOND).count();
    // A quarter of 50,000, with a standard deviation of 97.
    assert!((12_100..12_900).contains(&first_half), "{first_half}");
}

#[test]
fn rates_and_counts_that_make_no_sense_are_refused() {
    let message = |schedule: Schedule| schedule.check().unwrap_err().to_string();
    assert!(message(Schedule::constant(f64::NAN, SECOND)).contains("arrival rate is NaN/s"));
    assert!(message(Schedule::constant(-1.0, SECOND)).contains("-1/s"));
    assert!(message(Schedule::constant(1.0, Duration::ZERO)).contains("stage duration"));
    assert!(message(Schedule::constant(0.0, SECOND)).contains("number of arrivals is 0"));
}

fn stages() -> impl Strategy<Value = Vec<(f64, f64, u64)>> {
    prop::collection::vec((0.0..500.0, 0.0..500.0, 1..3_000u64), 1..5)
}

proptest! {
    #[test]
    fn arrivals_come_in_order_within_the_schedule(stages in stages(), poisson: bool) {
        let spacing = if poisson { Spacing::Poisson } else { Spacing::Uniform };
        let mut schedule = Schedule { stages: Vec::new(), spacing };
        for (from, to, ms) in stages {
            schedule = schedule.then_ramp(from, to, Duration::from_millis(ms));
        }
        let times: Vec<_> = schedule.times(1).collect();
        prop_assert_eq!(times.len() as u64, schedule.arrivals());
        prop_assert!(times.is_sorted());
        prop_assert!(times.last().is_none_or(|&last| last <= schedule.duration()));
    }
}
