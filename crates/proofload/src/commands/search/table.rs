//! Tables and bars of text.

/// How many characters the longest bar has.
const BAR: usize = 40;

/// A bar for a part of the whole, from 0 to 1; anything above nothing shows.
pub(super) fn bar(part: f64) -> String {
    let eighths = (part.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    let eighths = if part > 0.0 { eighths.max(1) } else { 0 };
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

/// Nanoseconds as a person reads them.
pub(super) fn time(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        ..1e6 => format!("{:.0} us", ns / 1e3),
        1e6..1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

/// A rate with as many digits as say something.
pub(super) fn rate(per_s: f64) -> String {
    let digits = if per_s < 100.0 { 1 } else { 0 };
    format!("{per_s:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_never_vanishes() {
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1e-9), "▏");
        assert_eq!(bar(0.5), "█".repeat(20));
        assert_eq!(bar(7.0), "█".repeat(40));
        assert_eq!(bar(1.0 / 80.0), "▌");
    }

    #[test]
    fn figures_have_the_unit_that_fits() {
        assert_eq!(
            (time(1_500), time(1_500_000)),
            ("2 us".into(), "1.50 ms".into())
        );
        assert_eq!((rate(12.34), rate(1234.5)), ("12.3".into(), "1234".into()));
    }
}
