//! A process that appends from several threads is killed (SIGKILL) at random moments, over a real
//! file system; what it has acknowledged is kept outside of it and looked for afterwards.
//!
//! `KILL_ROUNDS=1000` runs more rounds than the usual few.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jsonl_storage::{Log, LogOptions, verify_log};
use serde::{Deserialize, Serialize};

const TEST: &str = "a_killed_process_loses_nothing_that_it_acknowledged";
/// Set for the process that shall be killed: where its log is.
const DIR: &str = "KILL_DIR";
/// Set for it too: which round it is.
const ROUND: &str = "KILL_ROUND";
const THREADS: u64 = 8;
/// Each round reads the whole log.
const ROUNDS_PER_LOG: usize = 25;
/// What the process says before it opens the log.
const OPENING: &str = "opening";

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Event {
    round: u64,
    thread: u64,
    index: u64,
    text: String,
}

impl Event {
    /// Follows from its place, so that the parent knows what should stand in the log.
    fn new(round: u64, thread: u64, index: u64) -> Self {
        let length = (round * 31 + thread * 17 + index * 7) % 900;
        let text = "lorem ipsum "
            .chars()
            .cycle()
            .take(usize::try_from(length).unwrap());
        Self {
            round,
            thread,
            index,
            text: text.collect(),
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    if let Some(dir) = std::env::var_os(DIR) {
        let round = std::env::var(ROUND).unwrap().parse().unwrap();
        append_until_killed(&PathBuf::from(dir), round);
    }
    let rounds = std::env::var("KILL_ROUNDS").map_or(30, |text| text.parse().unwrap());
    let mut acknowledged = 0;
    for first in (0..rounds).step_by(ROUNDS_PER_LOG) {
        let dir = tempfile::tempdir().unwrap();
        let mut known = Vec::new();
        for round in (first..rounds).take(ROUNDS_PER_LOG) {
            let seen = kill_one(dir.path(), round);
            acknowledged += seen.len();
            known = check(dir.path(), round, &known, &seen);
        }
    }
    assert!(
        acknowledged > 10,
        "the processes were killed before they did anything"
    );
}

/// Starts a process and kills it after so many acknowledgements as the round says; gives all that
/// it has made, with their places in the log.
fn kill_one(dir: &Path, round: u64) -> HashMap<Event, u64> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Some are killed while they open the log, the others after up to 500 acknowledgements.
    let wanted = if round % 5 == 4 {
        0
    } else {
        1 + round * 7_919 % 500
    };
    let mut opening = false;
    let mut lines = BufReader::new(process.stderr.take().unwrap());
    let mut seen = HashMap::new();
    let mut line = String::new();
    let mut killed = false;
    loop {
        // What is already in the pipe when it dies was acknowledged: it is read to its end.
        if !killed && opening && seen.len() as u64 >= wanted {
            process.kill().unwrap();
            killed = true;
        }
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        match line.strip_suffix('\n') {
            Some(OPENING) => opening = true,
            Some(line) => seen.extend([parse(round, line)]),
            None => {}
        }
    }
    let status = process.wait().unwrap();
    assert!(killed, "round {round}: it ended by itself, {status}");
    seen
}

fn parse(round: u64, line: &str) -> (Event, u64) {
    let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
    let Some(&[thread, index, seq]) = numbers.as_deref() else {
        panic!("round {round}: the process says: {line}")
    };
    (Event::new(round, thread, index), seq)
}

/// Everything that was known before and everything acknowledged since is there, at its place, and
/// nothing is there twice; gives what is known now.
fn check(dir: &Path, round: u64, known: &[Event], seen: &HashMap<Event, u64>) -> Vec<Event> {
    if dir.read_dir().unwrap().next().is_some() {
        let found = verify_log(dir).unwrap();
        assert!(found.holds(), "round {round}: {:?}", found.breaks);
    }
    let log: Log<Event> = LogOptions::new().open(dir).unwrap();
    let records: Vec<Event> = log
        .scan()
        .unwrap()
        .map(|record| record.unwrap().data)
        .collect();
    log.close().unwrap();

    assert!(
        records.len() >= known.len(),
        "round {round}: records of an earlier round are gone"
    );
    assert_eq!(
        records[..known.len()],
        *known,
        "round {round}: records of an earlier round changed"
    );
    for (event, &seq) in seen {
        let place = usize::try_from(seq).unwrap() - 1;
        assert_eq!(
            records.get(place),
            Some(event),
            "round {round}: record {seq} was acknowledged"
        );
    }
    let mut next = [0; THREADS as usize];
    for event in &records[known.len()..] {
        let next = &mut next[usize::try_from(event.thread).unwrap()];
        assert_eq!(
            *event,
            Event::new(round, event.thread, *next),
            "round {round}: out of order"
        );
        *next += 1;
    }
    records
}

/// The process that is killed: says on its standard error, in one write a record, which thread's
/// which record became which number.
fn append_until_killed(dir: &Path, round: u64) -> ! {
    let line = format!("{OPENING}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let log: Log<Event> = LogOptions::new().open(dir).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for index in 0.. {
                    let seq = log.append(&Event::new(round, thread, index)).unwrap();
                    let line = format!("{thread} {index} {seq}\n");
                    std::io::stderr().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
    unreachable!("every thread appends until the process is killed")
}
