//! What another process uses, from the kernel's files about it. What cannot be read is `None`, never 0.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::RunError;
use crate::monitor::pressure::Pressure;
use crate::monitor::ticks::clock_ticks_per_second;
use crate::monitor::usage::Usage;

/// A process, told from a later one of the same number by when it was started.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    name: String,
    started: u64,
    files: PathBuf,
}

/// What a line of `/proc/<pid>/stat` tells, described in proc_pid_stat(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    /// Ended, and not yet waited for by its parent.
    is_zombie: bool,
    user_ticks: u64,
    system_ticks: u64,
    started: u64,
}

impl Process {
    /// # Errors
    ///
    /// When there is no such process, or none that can be looked at.
    pub(crate) fn find(pid: u32) -> Result<Self, RunError> {
        let files = Path::new("/proc").join(pid.to_string());
        let refused = |source| RunError::Watch { pid, source };
        let line = fs::read_to_string(files.join("stat")).map_err(refused)?;
        let stat = Stat::parse(&line).ok_or_else(|| {
            refused(io::Error::new(
                io::ErrorKind::InvalidData,
                "its `stat` file is not as proc(5) says",
            ))
        })?;
        Ok(Self {
            pid,
            name: stat.name,
            started: stat.started,
            files,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// One reading of every source; nothing if the process has ended.
    pub(crate) fn read(&self) -> Option<Usage> {
        let line = fs::read_to_string(self.files.join("stat")).ok()?;
        let stat =
            Stat::parse(&line).filter(|stat| stat.started == self.started && !stat.is_zombie)?;
        let status = fs::read_to_string(self.files.join("status")).unwrap_or_default();
        let (voluntary, involuntary) = self.switches().unzip();
        Some(Usage {
            cpu_user_ns: nanoseconds(stat.user_ticks),
            cpu_system_ns: nanoseconds(stat.system_ticks),
            open_files: self.open_files(),
            voluntary_switches: voluntary,
            involuntary_switches: involuntary,
            pressure: Pressure::of(&self.files),
            ..Usage::from_status(&status)
        })
    }

    /// Of all threads: the process's own `status` has those of its first one alone.
    fn switches(&self) -> Option<(u64, u64)> {
        let (mut voluntary, mut involuntary) = (0, 0);
        for thread in fs::read_dir(self.files.join("task")).ok()? {
            // A thread may end while the others are read; it is not the process's end.
            let Ok(status) = fs::read_to_string(thread.ok()?.path().join("status")) else {
                continue;
            };
            voluntary += number(&status, "voluntary_ctxt_switches:")?;
            involuntary += number(&status, "nonvoluntary_ctxt_switches:")?;
        }
        Some((voluntary, involuntary))
    }

    fn open_files(&self) -> Option<u64> {
        let entries = fs::read_dir(self.files.join("fd")).ok()?;
        Some(entries.count() as u64)
    }
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // A name may have spaces and brackets of its own.
        let (before, after) = line.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        // From the third field on.
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Self {
            name: name.to_owned(),
            is_zombie: matches!(fields.first(), Some(&("Z" | "X"))),
            user_ticks: number(14)?,
            system_ticks: number(15)?,
            started: number(22)?,
        })
    }
}

fn nanoseconds(ticks: u64) -> Option<u64> {
    let tick_ns = 1_000_000_000u64.checked_div(clock_ticks_per_second())?;
    ticks.checked_mul(tick_ns)
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "42 (a ) (b) S 1 42 42 0 -1 4194560 5 0 0 0 17 9 0 0 20 0 1 0 777 100 5 0\n";
        let stat = Stat {
            name: "a ) (b".to_owned(),
            is_zombie: false,
            user_ticks: 17,
            system_ticks: 9,
            started: 777,
        };
        assert_eq!(Stat::parse(line), Some(stat));
        assert_eq!(Stat::parse("42 (cut off) S 1 42"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_source_of_another_process_can_be_read_until_it_ends() {
        let mut child = std::process::Command::new("sleep")
            .arg("3600")
            .spawn()
            .unwrap();
        let process = Process::find(child.id()).unwrap();
        let usage = process.read().unwrap();
        for (name, value) in usage.sources() {
            assert!(value.is_some(), "{name} is missing");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.read(), None);
        let error = Process::find(child.id()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot watch process "),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_later_process_of_the_same_number_is_another_one() {
        let mut process = Process::find(std::process::id()).unwrap();
        assert!(process.read().is_some());
        process.started += 1;
        assert_eq!(process.read(), None);
    }
}
