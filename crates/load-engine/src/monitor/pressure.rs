//! What kept the process waiting: pressure of the machine, throttling of its control group, its disk
//! traffic. What cannot be read is `None`, never 0.

use std::fs;
use std::path::{Path, PathBuf};

use crate::monitor::ticks::clock_ticks_per_second;

/// Totals so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    pub(crate) cpu_pressure_ns: Option<u64>,
    pub(crate) memory_pressure_ns: Option<u64>,
    pub(crate) io_pressure_ns: Option<u64>,
    pub(crate) throttled_ns: Option<u64>,
    pub(crate) stolen_ns: Option<u64>,
    pub(crate) disk_read_bytes: Option<u64>,
    pub(crate) disk_written_bytes: Option<u64>,
}

impl Pressure {
    /// Of this process.
    pub(crate) fn read() -> Self {
        Self::of(Path::new("/proc/self"))
    }

    /// Of the process with these files of the kernel's about it.
    pub(crate) fn of(files: &Path) -> Self {
        let pressure = |of: &str| stalled_ns(&read(Path::new("/proc/pressure").join(of)));
        let disk = read(files.join("io"));
        Self {
            cpu_pressure_ns: pressure("cpu"),
            memory_pressure_ns: pressure("memory"),
            io_pressure_ns: pressure("io"),
            throttled_ns: throttled(files),
            stolen_ns: stolen_ns(&read("/proc/stat"), clock_ticks_per_second()),
            disk_read_bytes: number(&disk, "read_bytes:"),
            disk_written_bytes: number(&disk, "write_bytes:"),
        }
    }

    /// Each source by its name in reports.
    pub(crate) fn sources(&self) -> [(&'static str, Option<u64>); 7] {
        [
            ("CPU pressure", self.cpu_pressure_ns),
            ("memory pressure", self.memory_pressure_ns),
            ("I/O pressure", self.io_pressure_ns),
            ("CPU throttling", self.throttled_ns),
            ("stolen time", self.stolen_ns),
            ("bytes read from disk", self.disk_read_bytes),
            ("bytes written to disk", self.disk_written_bytes),
        ]
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The time in which some task was stalled, of the kernel's pressure stall information (Linux's
/// `accounting/psi.rst`).
fn stalled_ns(pressure: &str) -> Option<u64> {
    let some = pressure
        .lines()
        .find_map(|line| line.strip_prefix("some "))?;
    let total = some
        .split_whitespace()
        .find_map(|field| field.strip_prefix("total="))?;
    total.parse::<u64>().ok()?.checked_mul(1000)
}

fn throttled(files: &Path) -> Option<u64> {
    places(&read(files.join("cgroup")))
        .into_iter()
        .find_map(|place| throttled_ns(&read(place)))
}

/// Where the statistics of the process's control group may be, from the text of `/proc/<pid>/cgroup`,
/// described in cgroups(7). In a container its own group is often mounted as the root, so that the path
/// which the kernel tells is not there.
fn places(groups: &str) -> Vec<PathBuf> {
    let group = |of: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let found = controllers.split(',').any(|controller| controller == of);
            found.then(|| path.trim_start_matches('/'))
        })
    };
    let at = |mount: &str, path: &str| {
        let mount = Path::new("/sys/fs/cgroup").join(mount);
        [mount.join(path).join("cpu.stat"), mount.join("cpu.stat")]
    };
    // Where the first version has the controller, the second has no figures of it.
    let first = group("cpu").map(|path| at("cpu", path));
    let second = group("").map(|path| at("", path));
    first.into_iter().chain(second).flatten().collect()
}

/// The throttled time of `cpu.stat`: microseconds in the second version of control groups, nanoseconds
/// in the first.
fn throttled_ns(stat: &str) -> Option<u64> {
    match number(stat, "throttled_usec") {
        Some(us) => us.checked_mul(1000),
        None => number(stat, "throttled_time"),
    }
}

/// The time in which the machine's processors were given to other machines on the same host: the eighth
/// figure of the first line of `/proc/stat`, described in proc_stat(5).
fn stolen_ns(stat: &str, ticks_per_second: u64) -> Option<u64> {
    let all = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: u64 = all.split_whitespace().nth(7)?.parse().ok()?;
    ticks.checked_mul(1_000_000_000u64.checked_div(ticks_per_second)?)
}

fn number(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESSURE: &str = "some avg10=0.12 avg60=0.05 avg300=0.01 total=123456\n\
                            full avg10=0.00 avg60=0.00 avg300=0.00 total=99\n";
    const FIRST: &str = "nr_periods 10\nnr_throttled 3\nthrottled_time 4500\n";
    const SECOND: &str = "usage_usec 70\nnr_periods 10\nnr_throttled 3\nthrottled_usec 42\n";

    #[test]
    fn pressure_is_the_time_in_which_some_task_was_stalled() {
        assert_eq!(stalled_ns(PRESSURE), Some(123_456_000));
        assert_eq!(stalled_ns("full avg10=0.00 total=99\n"), None);
        assert_eq!(stalled_ns("some avg10=0.00 total=many\n"), None);
    }

    #[test]
    fn stolen_time_is_that_of_all_processors() {
        let stat = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ns(stat, 100), Some(800_000_000));
        assert_eq!(stolen_ns("cpu  10 20\n", 100), None);
        assert_eq!(stolen_ns(stat, 0), None);
    }

    #[test]
    fn both_versions_of_control_groups_tell_throttled_time() {
        assert_eq!(throttled_ns(FIRST), Some(4_500));
        assert_eq!(throttled_ns(SECOND), Some(42_000));
        assert_eq!(throttled_ns("usage_usec 70\n"), None);
    }

    #[test]
    fn the_group_of_the_first_version_comes_before_that_of_the_second() {
        let render = |groups: &str| {
            let places: Vec<_> = places(groups)
                .iter()
                .map(|p| p.display().to_string())
                .collect();
            places.join(" ").replace("/sys/fs/cgroup", "")
        };
        assert_eq!(
            render("4:cpuset:/c\n3:cpu,cpuacct:/a/b\n0::/s:x\n"),
            "/cpu/a/b/cpu.stat /cpu/cpu.stat /s:x/cpu.stat /cpu.stat"
        );
        assert_eq!(render("0::/\n"), "/cpu.stat /cpu.stat");
        assert_eq!(render(""), "");
    }

    #[test]
    fn disk_traffic_is_not_that_of_the_page_cache() {
        let io = "rchar: 7127\nwchar: 151\nread_bytes: 4096\nwrite_bytes: 8192\n\
                  cancelled_write_bytes: 5\n";
        assert_eq!(number(io, "read_bytes:"), Some(4096));
        assert_eq!(number(io, "write_bytes:"), Some(8192));
        assert_eq!(number(io, "bytes:"), None);
    }
}
