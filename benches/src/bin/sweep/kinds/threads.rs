//! The log under more and more threads: group commit makes of many waits one.

use std::time::Instant;

use jsonl_storage::{Log, LogOptions};
use serde::{Deserialize, Serialize};

use super::{Kind, MICROSECONDS, Measure, text};
use crate::fit::Expected;

/// Records of each thread: long enough for the threads to fall into step.
const EACH: u64 = 60;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    id: u64,
    text: String,
}

pub(super) const KIND: Kind = Kind {
    name: "threads",
    varied: "threads",
    sizes: &[1, 2, 5, 10, 20, 50, 100, 200],
    measures: &[
        Measure::new(
            "durable append, wall time over records",
            MICROSECONDS,
            Expected::Flat,
        ),
        Measure::new(
            "durable append, one thread's wait",
            MICROSECONDS,
            Expected::Linear,
        ),
    ],
    measure: |dir, threads| {
        let log: Log<Event> = LogOptions::new().open(dir).map_err(text)?;
        let began = Instant::now();
        let appended = std::thread::scope(|scope| {
            let append = |thread: u64| {
                let log = &log;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let event = Event {
                            id: thread * EACH + number,
                            text: "-".repeat(200),
                        };
                        log.append(&event).map_err(text)?;
                    }
                    Ok::<(), String>(())
                })
            };
            let threads: Vec<_> = (0..threads).map(append).collect();
            threads
                .into_iter()
                .try_for_each(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(_) => Err("a thread panicked".to_owned()),
                })
        });
        appended?;
        let wall = began.elapsed().as_nanos() as f64;
        let found = log.scan().map_err(text)?.filter(Result::is_ok).count() as u64;
        if found != threads * EACH {
            return Err(format!("{found} of {} records are there", threads * EACH));
        }
        Ok(vec![wall / (threads * EACH) as f64, wall / EACH as f64])
    },
    planted: false,
};
