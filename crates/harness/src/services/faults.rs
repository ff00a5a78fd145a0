//! Faults during the load: services that are killed, paused or restarted while they are used.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use load_engine::{Failure, Progress, Stage};
use report::FaultReport;

use super::hosts::Hosts;
use super::program::{Fault, FaultKind};

/// Runs a load, during which faults are done as it tells how far it has come; gives what was done.
pub(super) fn during<T>(
    hosts: &mut Hosts,
    faults: &[Fault],
    load: impl FnOnce(&mut dyn FnMut(&Progress)) -> T,
) -> (T, Vec<FaultReport>) {
    if faults.is_empty() {
        return (load(&mut |_| {}), Vec::new());
    }
    thread::scope(|scope| {
        // Each fault is told once, so that the channel never fills.
        let (due, inbox) = sync_channel(faults.len());
        let worker = thread::Builder::new()
            .name("harness:faults".to_owned())
            .spawn_scoped(scope, move || work(hosts, &inbox));
        let mut left = faults.iter().peekable();
        let mut tell = |state: &Progress| {
            while let Some(fault) =
                left.next_if(|fault| state.stage == Stage::Running && state.elapsed >= fault.at)
            {
                tell_worker(&due, fault, state.elapsed);
            }
        };
        let loaded = load(&mut tell);
        drop(due);
        let done = match worker {
            Ok(worker) => worker.join().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        (loaded, done)
    })
}

/// A fault that is due, when it was seen, and how far the load had come then.
type Due<'f> = (&'f Fault, Instant, Duration);

fn tell_worker<'f>(due: &SyncSender<Due<'f>>, fault: &'f Fault, elapsed: Duration) {
    // A worker that is gone tells of no fault.
    let _ = due.send((fault, Instant::now(), elapsed));
}

/// Does faults one after the other, until no more can come.
fn work(hosts: &mut Hosts, inbox: &Receiver<Due<'_>>) -> Vec<FaultReport> {
    let mut done = Vec::new();
    while let Ok((fault, seen, elapsed)) = inbox.recv() {
        let began = elapsed + seen.elapsed();
        let failed = act(hosts, fault).err();
        let ended = elapsed + seen.elapsed();
        done.push(FaultReport {
            kind: fault.kind.name().to_owned(),
            service: fault.service_name.to_string(),
            began_ms: milliseconds(began),
            ended_ms: milliseconds(ended),
            failed: failed.map(|failure| failure.message().to_owned()),
        });
    }
    done
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Does a fault; it is over when the service is ready again.
fn act(hosts: &mut Hosts, fault: &Fault) -> Result<(), Failure> {
    match fault.kind {
        FaultKind::Restart => hosts.restart_one(fault.service)?,
        FaultKind::Kill => {
            hosts.kill(fault.service);
            thread::sleep(fault.length);
            hosts.start_one(fault.service)?;
        }
        FaultKind::Pause => {
            hosts.pause(fault.service, true);
            thread::sleep(fault.length);
            hosts.pause(fault.service, false);
        }
    }
    hosts.wait_until_ready(fault.service)
}
