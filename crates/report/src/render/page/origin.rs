use super::Origin;
use crate::Report;

/// Digits of a digest that tell two programs apart.
const DIGEST_DIGITS: usize = 16;

pub(super) fn origin(report: &Report) -> Origin {
    let unknown = || "unknown".to_owned();
    let (machine, build) = (&report.machine, &report.build);
    let digest = build.executable_blake3.as_deref();
    let digest = digest.map_or_else(unknown, |hash| hash.chars().take(DIGEST_DIGITS).collect());
    let program = format!(
        "proofload {} ({} build, BLAKE3 {digest})",
        build.version, build.profile
    );
    let hardware = format!(
        "{}, {} processors, {}, {} {} {}, data on {}",
        machine.processor.as_deref().unwrap_or("unknown processor"),
        machine
            .processors
            .map_or_else(unknown, |number| number.to_string()),
        machine
            .memory_bytes
            .map_or_else(unknown, |bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
        machine.os,
        machine.architecture,
        machine.kernel.as_deref().unwrap_or(""),
        machine
            .filesystem
            .as_deref()
            .unwrap_or("an unknown file system")
    );
    Origin {
        command: report.command.clone(),
        facts: vec![
            ("Began", report.started_at.clone()),
            ("Program", program),
            ("Machine", hardware),
        ],
    }
}
