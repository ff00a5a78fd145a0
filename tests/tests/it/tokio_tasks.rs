//! The log belongs to no runtime, and its tickets are awaited from tasks of any.

use std::sync::Arc;

use jsonl_storage::{Log, LogOptions};

#[test]
fn a_thousand_tasks_on_one_thread_share_their_syncs() {
    const TASKS: u64 = 1000;
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<Log<u64>> = Arc::new(LogOptions::new().open(dir.path()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let seq = log.submit(&number).unwrap().await.unwrap();
                    assert!(log.durable() >= seq, "acknowledged before it was durable");
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let mut numbers: Vec<u64> = log
        .scan()
        .unwrap()
        .map(|record| record.unwrap().data)
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..TASKS));
}
