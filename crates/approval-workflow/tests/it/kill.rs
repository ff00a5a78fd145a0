//! A process that approves and claims from several threads is killed (SIGKILL) at many moments, over a
//! real file system; what it has acknowledged is kept outside of it and looked for afterwards.
//!
//! `APPROVAL_KILLS=1000` runs more rounds than the usual twenty.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use approval_workflow::{Decision, DenyReason, Error, Event, State, Use};

use crate::support::{action, ask, id, person, policy, second};

const TEST: &str = "kill::a_killed_process_loses_no_decision_and_lets_nothing_be_used_twice";
/// Set for the process that shall be killed: where its log is.
const DIR: &str = "APPROVAL_KILL_DIR";
/// Set for it too: which round it is.
const ROUND: &str = "APPROVAL_KILL_ROUND";
const THREADS: usize = 4;
/// Each round tries to claim everything of the rounds before.
const ROUNDS_PER_LOG: usize = 10;
/// What the process says before it opens the log.
const OPENING: &str = "opening";

/// What was acknowledged so far: each approval, and each claim with its token.
#[derive(Default)]
struct Known {
    approved: Vec<String>,
    claimed: HashMap<String, u64>,
}

#[test]
fn a_killed_process_loses_no_decision_and_lets_nothing_be_used_twice() {
    if let Some(dir) = std::env::var_os(DIR) {
        work_until_killed(&PathBuf::from(dir), &std::env::var(ROUND).unwrap());
    }
    let kills: usize = std::env::var("APPROVAL_KILLS").map_or(20, |text| text.parse().unwrap());
    let mut acknowledged = 0;
    for first in (0..kills).step_by(ROUNDS_PER_LOG) {
        let dir = tempfile::tempdir().unwrap();
        let mut known = Known::default();
        for round in (first..kills).take(ROUNDS_PER_LOG) {
            kill_one(dir.path(), round, &mut known);
            check(dir.path(), round, &known);
        }
        acknowledged += known.claimed.len();
    }
    assert!(acknowledged > kills, "only {acknowledged} claims were made");
}

/// Starts a process, kills it after so many acknowledgements as the round says, and takes down all
/// that it made.
fn kill_one(dir: &Path, round: usize, known: &mut Known) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Some are killed while they open the log.
    let wanted = if round % 5 == 4 {
        0
    } else {
        1 + round * 7_919 % 150
    };
    let mut lines = BufReader::new(process.stderr.take().unwrap());
    let (mut opening, mut killed, mut seen) = (false, false, 0);
    let mut line = String::new();
    loop {
        // What is already in the pipe when it dies was acknowledged: it is read to its end.
        if !killed && opening && seen >= wanted {
            process.kill().unwrap();
            killed = true;
        }
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [OPENING] => opening = true,
            ["approved", id] => known.approved.push(id.to_owned()),
            ["claimed", id, token] => {
                let token = token.parse().unwrap();
                let before = known.claimed.insert(id.to_owned(), token);
                assert_eq!(before, None, "round {round}: {id} was claimed twice");
            }
            _ => panic!("round {round}: the process says: {line}"),
        }
        seen += usize::from(opening);
    }
    let status = process.wait().unwrap();
    assert!(killed, "round {round}: it ended by itself, {status}");
}

/// Whatever was acknowledged is there, no request was claimed twice, and none can be again.
fn check(dir: &Path, round: usize, known: &Known) {
    let workflow = crate::support::options().open(dir, policy()).unwrap();
    for name in &known.approved {
        let request = workflow.get(&id(name)).unwrap();
        let request = request.unwrap_or_else(|| panic!("round {round}: {name} is lost"));
        assert_ne!(request.state, State::Pending, "round {round}: {name}");
    }
    let mut claims: HashMap<String, u64> = HashMap::new();
    for entry in workflow.audit_log().unwrap() {
        if let Event::Claimed(claim) = entry.unwrap().event {
            let before = claims.insert(claim.id.to_string(), claim.token.0);
            assert_eq!(before, None, "round {round}: {} is used twice", claim.id);
        }
    }
    for (name, token) in &known.claimed {
        assert_eq!(claims.get(name), Some(token), "round {round}: {name}");
        let again = workflow.claim(
            &id(name),
            Use::new(action("payments/a"), person("x"), second(3)),
        );
        let is_refused = matches!(
            again,
            Err(Error::NotExecutable {
                reason: DenyReason::Claimed,
                ..
            })
        );
        assert!(is_refused, "round {round}: {again:?}");
    }
    workflow.close().unwrap();
}

/// The process that is killed: says on its standard error, in one write each, what was done.
fn work_until_killed(dir: &Path, round: &str) -> ! {
    let say = |line: String| std::io::stderr().write_all(line.as_bytes()).unwrap();
    say(format!("{OPENING}\n"));
    let workflow = crate::support::options().open(dir, policy()).unwrap();
    let refund = action("payments/a");
    let claim = |name: &str| {
        let by = person("executor");
        if let Ok(claim) = workflow.claim(&id(name), Use::new(refund.clone(), by, second(2))) {
            say(format!("claimed {name} {}\n", claim.token));
        }
    };
    let before: Vec<String> = workflow
        .requests()
        .map(Result::unwrap)
        .map(|request| request.submission.id.to_string())
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (workflow, claim, say, before) = (&workflow, &claim, &say, &before);
            let work = move || {
                before.iter().for_each(|name| claim(name));
                for index in 0.. {
                    let name = format!("{round}-{thread}-{index}");
                    workflow
                        .request(ask("payments/a").with_id(id(&name)))
                        .unwrap();
                    let yes = Decision::approve(person("alice"), second(1)).with_reason("so");
                    workflow.decide(&id(&name), yes).unwrap();
                    say(format!("approved {name}\n"));
                    // Its own, and one that others are after as well.
                    for owner in [thread, (thread + 1) % THREADS] {
                        claim(&format!("{round}-{owner}-{index}"));
                    }
                }
            };
            let name = format!("approval-kill:{thread}");
            std::thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, work)
                .unwrap();
        }
    });
    unreachable!("every thread works until the process is killed")
}
