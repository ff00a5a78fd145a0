//! Faults during the load: services that are killed, paused or restarted while they are used.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use load_engine::{Failure, Progress, Stage};
use report::FaultReport;

use super::hosts::Hosts;
use super::program::{Fault, FaultKind};

/// How long is waited for a fault at once while none goes on.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

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

/// A fault of the network that goes on.
struct Ongoing<'f> {
    fault: &'f Fault,
    number: u64,
    /// When the load began.
    load_began: Instant,
    began: Instant,
}

impl Ongoing<'_> {
    fn until(&self) -> Instant {
        self.began + self.fault.length
    }

    fn end(self, hosts: &Hosts) -> FaultReport {
        if let Some(proxy) = hosts.proxy(self.fault.service) {
            proxy.end(self.number);
        }
        let since = |moment: Instant| moment.saturating_duration_since(self.load_began);
        told(self.fault, since(self.began), since(Instant::now()), None)
    }
}

/// Does faults until no more can come: those of services one after the other, those of the network beside them.
fn work(hosts: &mut Hosts, inbox: &Receiver<Due<'_>>) -> Vec<FaultReport> {
    let (mut done, mut ongoing) = (Vec::new(), Vec::<Ongoing<'_>>::new());
    loop {
        let now = Instant::now();
        let over = ongoing.extract_if(.., |fault| fault.until() <= now);
        done.extend(over.map(|fault| fault.end(hosts)));
        let next = ongoing.iter().map(Ongoing::until).min();
        let within = next.map_or(LOOK_AGAIN, |next| next.saturating_duration_since(now));
        let (fault, seen, elapsed) = match inbox.recv_timeout(within) {
            Ok(due) => due,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match (&fault.network, hosts.proxy(fault.service)) {
            (Some(network), Some(proxy)) => {
                proxy.begin(*network);
                ongoing.push(Ongoing {
                    fault,
                    number: network.number,
                    load_began: seen.checked_sub(elapsed).unwrap_or(seen),
                    began: Instant::now(),
                });
            }
            _ => {
                let began = elapsed + seen.elapsed();
                let failed = act(hosts, fault).err();
                done.push(told(fault, began, elapsed + seen.elapsed(), failed));
            }
        }
    }
    // The load is over, and nothing is left that they could happen to.
    done.extend(ongoing.into_iter().map(|fault| fault.end(hosts)));
    done.sort_by_key(|fault| fault.began_ms);
    done
}

fn told(fault: &Fault, began: Duration, ended: Duration, failed: Option<Failure>) -> FaultReport {
    FaultReport {
        kind: fault.kind.name().to_owned(),
        detail: fault.detail.clone(),
        service: fault.service_name.to_string(),
        began_ms: milliseconds(began),
        ended_ms: milliseconds(ended),
        failed: failed.map(|failure| failure.message().to_owned()),
    }
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
        // Those of the network are switched, not done.
        _ => return Ok(()),
    }
    hosts.wait_until_ready(fault.service)
}
