//! Follows acknowledged effects, one at a time, until they are seen: how long that takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drivers::Values;
use load_engine::{Failure, Parts};

use super::beside::beside;
use super::program::Program;
use super::read::{Keys, Reader};

/// How long the prober waits between two looks.
const LOOK_EACH: Duration = Duration::from_millis(10);

/// An effect that was acknowledged just now.
pub(super) struct Probe {
    pub(super) effect: usize,
    pub(super) key: String,
    pub(super) user: u32,
    /// What its user's requests are made with.
    pub(super) values: Values,
    pub(super) phase: usize,
    pub(super) acknowledged: Instant,
}

/// Where users leave what the prober may follow.
#[derive(Default)]
pub(super) struct Probes {
    /// Whether the prober follows nothing at the moment.
    is_free: AtomicBool,
    sender: Mutex<Option<SyncSender<Probe>>>,
}

impl Probes {
    /// Hands over an effect if the prober is free.
    pub(super) fn offer(&self, probe: impl FnOnce() -> Probe) {
        if !self.is_free.load(Ordering::Relaxed) || !self.is_free.swap(false, Ordering::AcqRel) {
            return;
        }
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*sender {
            // A prober that is gone follows nothing.
            let _ = sender.try_send(probe());
        }
    }
}

/// Runs a load, of which effects are followed where the file lets them take their time.
pub(super) fn during<T>(
    program: &Arc<Program>,
    run_values: &Values,
    probes: &Probes,
    parts: &Parts,
    load: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let is_asked = program
        .effects
        .iter()
        .any(|kind| kind.visible_part.is_some());
    if !is_asked {
        return Ok(load());
    }
    let (sender, inbox) = sync_channel(1);
    let set = |sender| *probes.sender.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    set(Some(sender));
    // The first effect is followed however soon it comes.
    probes.is_free.store(true, Ordering::Release);
    let (loaded, ()) = beside(
        "harness:prober",
        || follow_all(program, run_values, probes, parts, inbox),
        || {
            let loaded = load();
            // The end of the channel is the prober's.
            set(None);
            loaded
        },
    )?;
    Ok(loaded)
}

async fn follow_all(
    program: &Arc<Program>,
    run_values: &Values,
    probes: &Probes,
    parts: &Parts,
    inbox: Receiver<Probe>,
) {
    loop {
        // Nothing else is on this thread that could be kept waiting.
        let Ok(probe) = inbox.recv() else { return };
        let (effect, phase, began) = (probe.effect, probe.phase, probe.acknowledged);
        follow(program, run_values, probe).await;
        if let Some(part) = program.effects[effect].visible_part {
            parts.book(part, phase, [began.elapsed()]);
        }
        probes.is_free.store(true, Ordering::Release);
    }
}

/// Looks for an effect until it is there or has had its time.
async fn follow(program: &Arc<Program>, run_values: &Values, probe: Probe) {
    let reader = Reader {
        program: Arc::clone(program),
        run_values: run_values.clone(),
        users: Arc::new(BTreeMap::from([(probe.user, probe.values)])),
    };
    let until = probe.acknowledged + program.effects[probe.effect].settle;
    let keys = Keys::from([(probe.key, probe.user)]);
    let looks = async {
        loop {
            let reading = reader.read(probe.effect, &keys).await;
            let mut found = reading.found.iter();
            if found.any(|found| keys.contains_key(&found.key)) {
                return;
            }
            tokio::time::sleep(LOOK_EACH).await;
        }
    };
    // What is not seen in its time has taken at least as long.
    let _ = tokio::time::timeout_at(until.into(), looks).await;
}
