use super::*;

const PERIOD: Duration = Duration::from_nanos(100);

fn sampler(peak_was_reset: bool) -> Sampler {
    Sampler::new(PERIOD, peak_was_reset, None)
}

fn resident(bytes: u64) -> Usage {
    Usage {
        resident_bytes: Some(bytes),
        ..Usage::default()
    }
}

#[test]
fn a_late_sample_is_a_gap_and_a_slow_one_is_none() {
    let mut sampler = sampler(false);
    for at in [0, 100, 400, 701] {
        sampler.add(at, &Usage::default());
    }
    let record = sampler.to_record(100, Some(None), 0);
    assert_eq!(
        record.gaps,
        [MonitorGap {
            from_ns: 300,
            to_ns: 601
        }]
    );
    assert_eq!(record.gap_count, 1);
}

#[test]
fn a_missing_source_is_reported_as_missing() {
    let mut sampler = sampler(true);
    sampler.add(0, &resident(5));
    let record = sampler.to_record(0, Some(None), 0);
    assert!(record.missing.contains(&"open files".to_owned()));
    assert!(record.missing.contains(&"CPU throttling".to_owned()));
    assert!(!record.missing.contains(&"resident memory".to_owned()));
    assert!(!record.summary.resident_peak_is_exact);
    assert_eq!(record.samples[0].open_files, None);
}

#[test]
fn a_long_run_keeps_a_bounded_number_of_evenly_spread_samples() {
    let mut sampler = sampler(false);
    let (mut at, periods) = (0, 100_000);
    while at < periods * 100 {
        sampler.add(at, &resident(at));
        at += sampler.period_ns;
    }
    let last = sampler.last_at_ns;
    let record = sampler.to_record(0, Some(None), 0);
    assert!((MAX_SAMPLES / 2..=MAX_SAMPLES).contains(&record.samples.len()));
    assert_eq!(record.gap_count, 0);
    let steps: std::collections::BTreeSet<_> = record
        .samples
        .windows(2)
        .map(|pair| pair[1].at_ns - pair[0].at_ns)
        .collect();
    // The halving falls between two samples, so at most one step is a short one.
    assert!(steps.len() <= 2, "{steps:?}");
    assert_eq!(record.summary.resident_peak_bytes, last);
}

#[test]
fn a_peak_between_two_samples_is_the_kernels() {
    let mut sampler = sampler(true);
    sampler.add(0, &resident(10));
    sampler.add(
        100,
        &Usage {
            peak_resident_bytes: Some(50),
            ..resident(12)
        },
    );
    let summary = sampler.to_record(0, Some(Some(30)), 100).summary;
    assert_eq!(summary.resident_peak_bytes, Some(50));
    assert_eq!(summary.resident_before_bytes, Some(10));
    assert_eq!(summary.resident_after_bytes, Some(12));
    assert_eq!(summary.cores_used, Some(0.3));
}
