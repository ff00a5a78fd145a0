//! Races on one grant, by the ten thousand: one winner each. `APPROVAL_RACES=1000000` runs a million.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use approval_workflow::{ApprovalWorkflow, DenyReason, Error, Use};

use crate::disk::Disk;
use crate::support::{action, ask, person, policy, second, together};

const THREADS: usize = 4;
/// The threads set out anew after so many races, so that none runs ahead of the others.
const LAP: usize = 100;
/// Each log is that of so many laps, to stay small.
const LAPS_PER_LOG: usize = 50;

#[test]
fn each_of_many_races_on_a_grant_has_one_winner() {
    let wanted = std::env::var("APPROVAL_RACES");
    let races: usize = wanted.map_or(20_000, |text| text.parse().unwrap());
    let mut done = 0;
    while done < races {
        let disk = Disk::default();
        let options = crate::support::options();
        let workflow = options.open_on(Arc::new(disk.clone()), policy()).unwrap();
        for _ in 0..LAPS_PER_LOG {
            lap(&workflow);
            done += LAP;
        }
        workflow.close().unwrap();
    }
}

fn lap(workflow: &ApprovalWorkflow) {
    let ids: Vec<_> = (0..LAP)
        .map(|_| {
            let request = workflow.request(ask("reports/daily")).unwrap();
            request.submission.id.clone()
        })
        .collect();
    let daily = action("reports/daily");
    let wins: Vec<AtomicU32> = ids.iter().map(|_| AtomicU32::new(0)).collect();
    together(THREADS, |_| {
        for (id, wins) in ids.iter().zip(&wins) {
            match workflow.claim(id, Use::new(daily.clone(), person("executor"), second(1))) {
                Ok(_) => drop(wins.fetch_add(1, Ordering::Relaxed)),
                Err(Error::NotExecutable {
                    reason: DenyReason::Claimed,
                    ..
                }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    });
    for (id, wins) in ids.iter().zip(wins) {
        assert_eq!(wins.into_inner(), 1, "{id}");
    }
}
