//! What this process uses, from the kernel's own books. What cannot be read is `None`, never 0.

use std::fs;
use std::io::Write;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::monitor::pressure::Pressure;

/// One reading of every source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) anonymous_bytes: Option<u64>,
    pub(crate) peak_resident_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) cpu_user_ns: Option<u64>,
    pub(crate) cpu_system_ns: Option<u64>,
    pub(crate) voluntary_switches: Option<u64>,
    pub(crate) involuntary_switches: Option<u64>,
    pub(crate) pressure: Pressure,
}

impl Usage {
    pub(crate) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = Self {
            open_files: open_files(),
            pressure: Pressure::read(),
            ..Self::from_status(&status)
        };
        // The switches in `status` are those of one thread; the process's are here.
        let Ok(books) = getrusage(UsageWho::RUSAGE_SELF) else {
            return usage;
        };
        Self {
            cpu_user_ns: u64::try_from(books.user_time().num_nanoseconds()).ok(),
            cpu_system_ns: u64::try_from(books.system_time().num_nanoseconds()).ok(),
            voluntary_switches: u64::try_from(books.voluntary_context_switches()).ok(),
            involuntary_switches: u64::try_from(books.involuntary_context_switches()).ok(),
            ..usage
        }
    }

    /// Reads the text of `/proc/<pid>/status`, described in proc(5).
    pub(crate) fn from_status(status: &str) -> Self {
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            resident_bytes: number("VmRSS:").map(|kib| kib * 1024),
            anonymous_bytes: number("RssAnon:").map(|kib| kib * 1024),
            peak_resident_bytes: number("VmHWM:").map(|kib| kib * 1024),
            threads: number("Threads:"),
            ..Self::default()
        }
    }

    /// Processor time in both modes.
    pub(crate) fn cpu_ns(&self) -> Option<u64> {
        Some(self.cpu_user_ns? + self.cpu_system_ns?)
    }

    /// Each source by its name in reports.
    pub(crate) fn sources(&self) -> [(&'static str, Option<u64>); 9] {
        [
            ("resident memory", self.resident_bytes),
            ("anonymous memory", self.anonymous_bytes),
            ("peak resident memory", self.peak_resident_bytes),
            ("threads", self.threads),
            ("open files", self.open_files),
            ("user CPU time", self.cpu_user_ns),
            ("system CPU time", self.cpu_system_ns),
            ("voluntary context switches", self.voluntary_switches),
            ("involuntary context switches", self.involuntary_switches),
        ]
    }
}

/// Processor time of the process so far.
pub(crate) fn cpu_time_ns() -> Option<u64> {
    let books = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    u64::try_from((books.user_time() + books.system_time()).num_nanoseconds()).ok()
}

/// Makes the kernel's high-water mark of resident memory begin anew, so that it is this run's and
/// not that of whatever the process did before. Says whether it worked.
pub(crate) fn reset_peak_resident() -> bool {
    // 5 means "reset the peak resident set size", see proc(5).
    fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/clear_refs")
        .and_then(|mut file| file.write_all(b"5"))
        .is_ok()
}

fn open_files() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // The open directory is one of them itself.
    (entries.count() as u64).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_without_a_line_leaves_that_source_missing() {
        let usage = Usage::from_status("Name:\tx\nVmRSS:\t    1644 kB\nThreads:\t3\n");
        assert_eq!(usage.resident_bytes, Some(1644 * 1024));
        assert_eq!(usage.threads, Some(3));
        assert_eq!(usage.peak_resident_bytes, None);
    }

    #[test]
    fn a_line_that_is_no_number_is_missing() {
        assert_eq!(
            Usage::from_status("VmRSS:\tmany kB\nVmHWM:").resident_bytes,
            None
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_source_can_be_read_on_linux() {
        for (name, value) in Usage::read().sources() {
            assert!(value.is_some(), "{name} is missing");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_opened_file_is_counted() {
        let mut files = Vec::new();
        let before = open_files().unwrap();
        for _ in 0..50 {
            files.push(fs::File::open("/proc/self/status").unwrap());
        }
        // Other tests open and close files meanwhile, but not 40 of them.
        assert!(open_files().unwrap() >= before + 10);
    }
}
