use proptest::prelude::*;

use super::*;
use crate::workload::rng::Rng; // proptest's prelude has another

const SIZES: [u32; 8] = [1, 2, 4, 8, 16, 32, 48, 64];

fn sweep(law: Law, noise: f64, rng: &mut Rng) -> Vec<ScalePoint> {
    let mut point = |users: u32| {
        let error = noise * (2.0 * rng.unit() - 1.0);
        let per_second = law.at(users.into()) * (1.0 + error);
        ScalePoint { users, per_second }
    };
    SIZES.into_iter().map(&mut point).collect()
}

fn contains(interval: ConfidenceInterval, figure: f64) -> bool {
    interval.low.is_some_and(|low| low <= figure) && interval.high.is_none_or(|high| figure <= high)
}

#[test]
fn the_intervals_of_a_noisy_sweep_hold_the_truth_about_as_often_as_they_say() {
    let truth = Law {
        lambda: 1_000.0,
        sigma: 0.05,
        kappa: 0.001,
    };
    let mut rng = Rng::new(11);
    let runs = 40;
    let held = (0..runs)
        .filter(|&seed| {
            let fit = ScalabilityFit::new(&sweep(truth, 0.03, &mut rng), seed).unwrap();
            contains(fit.peak_users_interval, truth.peak())
        })
        .count();
    assert!(held >= 32, "{held} of {runs}");
}

#[test]
fn the_same_seed_gives_the_same_fit() {
    let law = Law {
        lambda: 50.0,
        sigma: 0.1,
        kappa: 0.002,
    };
    let points = sweep(law, 0.05, &mut Rng::new(1));
    let fit = |seed| ScalabilityFit::new(&points, seed).unwrap();
    assert_eq!(fit(5), fit(5));
    assert_ne!(fit(5).contention_interval, fit(6).contention_interval);
}

#[test]
fn a_target_that_scales_for_ever_has_no_peak() {
    let points = [1, 2, 4, 8, 16, 32].map(|users| ScalePoint {
        users,
        per_second: 100.0 * f64::from(users),
    });
    let fit = ScalabilityFit::new(&points, 0).unwrap();
    assert_eq!((fit.contention, fit.coherence), (0.0, 0.0));
    assert_eq!((fit.peak_users, fit.peak_per_second), (None, None));
    assert!((fit.per_second(8.0) - 800.0).abs() < 1e-6);
}

#[test]
fn too_few_sizes_and_points_that_say_nothing_are_refused() {
    let point = |users, per_second| ScalePoint { users, per_second };
    let refused = |points: &[ScalePoint]| ScalabilityFit::new(points, 0).unwrap_err().to_string();
    assert_eq!(
        refused(&[1, 1, 2, 4, 8, 16].map(|users| point(users, 9.0))),
        "cannot fit the scalability law: it takes 6 different numbers of users, and these are 5"
    );
    assert_eq!(
        refused(&[2, 4, 6, 8, 10, 15].map(|users| point(users, 9.0))),
        "cannot fit the scalability law: the most users have to be at least 8 times the fewest, and 15 are not \
         of 2"
    );
    assert!(check_sizes([2, 4, 6, 8, 10, 16]).is_ok());
    assert!(refused(&[point(1, f64::NAN)]).contains("NaN"));
}

proptest! {
    #[test]
    fn an_exact_sweep_gives_its_law_back(
        lambda in 1.0..1e6, sigma in 0.0..0.5, kappa in 1e-5..0.01
    ) {
        let truth = Law { lambda, sigma, kappa };
        let found = Law::fit(&sweep(truth, 0.0, &mut Rng::new(0)));
        prop_assert!((found.lambda / lambda - 1.0).abs() < 1e-6);
        prop_assert!((found.sigma - sigma).abs() < 1e-6);
        prop_assert!((found.kappa / kappa - 1.0).abs() < 1e-4);
    }
}

/// Five rounds of each size with noise of 5 %.
fn rounds(law: Law, rng: &mut Rng) -> Vec<ScalePoint> {
    (0..5).flat_map(|_| sweep(law, 0.05, rng)).collect()
}

#[test]
fn a_peak_is_named_only_where_the_measurements_show_it() {
    let mut rng = Rng::new(23);
    let peaked = Law {
        lambda: 1_000.0,
        sigma: 0.02,
        kappa: 0.0026,
    };
    let without = Law {
        kappa: 0.0,
        ..peaked
    };
    for seed in 0..10 {
        let shown = ScalabilityFit::new(&rounds(peaked, &mut rng), seed).unwrap();
        let peak = shown.shown_peak().expect("the peak of 19 of 64 users");
        assert!((15.0..25.0).contains(&peak), "{peak}");
        let none = ScalabilityFit::new(&rounds(without, &mut rng), seed).unwrap();
        assert_eq!(none.shown_peak(), None);
    }
}

#[test]
fn a_step_in_throughput_does_not_fit_the_law() {
    let law = Law {
        lambda: 1_000.0,
        sigma: 0.05,
        kappa: 0.0005,
    };
    let mut points = rounds(law, &mut Rng::new(3));
    let fit = ScalabilityFit::new(&points, 1).unwrap();
    assert_eq!(fit.misfits, [0; 0]);
    for point in points.iter_mut().filter(|point| point.users >= 16) {
        point.per_second *= 0.5;
    }
    let fit = ScalabilityFit::new(&points, 1).unwrap();
    assert!(!fit.misfits.is_empty());
}
