//! A disk that is really full: the test starts itself again in a process where it is.

use std::path::Path;
use std::process::Command;

use jsonl_storage::{Error, Log, LogOptions, verify_log};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const DIR: &str = "JSONL_STORAGE_FULL_DISK_DIR";

/// Runs one of the tests below through a shell that prepares its process, on the given directory.
fn rerun(test: &str, shell: &[&str], script: &str, dir: &Path) -> std::process::Output {
    Command::new(shell[0])
        .args(&shell[1..])
        .args(["sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .output()
        .unwrap()
}

/// Appends until there is no room, and gives the records that were acknowledged.
fn fill(log: &Log<String>) -> usize {
    let record = "x".repeat(1000);
    let mut acknowledged = 0;
    loop {
        match log.append(&record) {
            Ok(_) => acknowledged += 1,
            Err(Error::Full { .. }) => return acknowledged,
            Err(error) => panic!("{error}"),
        }
        assert!(acknowledged < 10_000, "the disk is not full");
    }
}

fn assert_holds(dir: &Path, records: usize) {
    let found = verify_log(dir).unwrap();
    assert_eq!((found.records, found.breaks.len()), (records as u64, 0));
}

#[test]
fn a_file_size_limit_refuses_appends_until_it_is_raised() {
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        // The signal would end the process before it sees the error.
        let script = "trap '' XFSZ; exec \"$@\"";
        let name = "a_file_size_limit_refuses_appends_until_it_is_raised";
        let output = rerun(name, &["env"], script, dir.path());
        assert!(output.status.success(), "{output:?}");
        return;
    };
    let dir = Path::new(&dir);
    let log: Log<String> = LogOptions::new().open(dir).unwrap();
    let before = getrlimit(Resource::Fsize);
    let small = Rlimit {
        current: Some(50_500),
        ..before
    };
    setrlimit(Resource::Fsize, small).unwrap();
    let acknowledged = fill(&log);
    assert_eq!(acknowledged, 48);
    assert_eq!(fill(&log), 0, "still no room");
    setrlimit(Resource::Fsize, before).unwrap();
    log.append(&"again".to_owned()).unwrap();
    log.close().unwrap();
    assert_holds(dir, acknowledged + 1);
}

#[test]
fn a_full_file_system_refuses_appends_until_there_is_room() {
    let name = "a_full_file_system_refuses_appends_until_there_is_room";
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=256k none \"${DIR}\"");
        let own = ["unshare", "--user", "--map-root-user", "--mount"];
        let probe = rerun("none", &own, &mount, dir.path());
        if !probe.status.success() {
            #[allow(
                clippy::print_stderr,
                reason = "says plainly that the test did not run"
            )]
            {
                eprintln!("not run: no tmpfs in a user namespace here: {probe:?}");
            }
            return;
        }
        let output = rerun(name, &own, &format!("{mount} && exec \"$@\""), dir.path());
        assert!(output.status.success(), "{output:?}");
        return;
    };
    let dir = Path::new(&dir);
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 100 << 10]).unwrap();
    let log: Log<String> = LogOptions::new().open(dir).unwrap();
    let acknowledged = fill(&log);
    assert!((50..256).contains(&acknowledged), "{acknowledged}");
    assert_eq!(fill(&log), 0, "still no room");
    std::fs::remove_file(ballast).unwrap();
    let more = fill(&log);
    assert!(more > 50, "{more}");
    assert_holds(dir, acknowledged + more);
}
