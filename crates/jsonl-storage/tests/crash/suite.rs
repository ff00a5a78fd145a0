//! The crash suite: lives and crashes from one seed, over any wrapping of the simulated disk.

use std::path::Path;
use std::sync::Arc;

use jsonl_storage::{Backend, FsBackend};

use crate::backend::{Change, CrashPoint, Machine, Plan};
use crate::disk::{Disk, Survival};
use crate::life::{Failure, Model, Script, ensure, live};
use crate::rng::Rng;

/// What stands between the log and the machine: nothing, or a fault of ours.
pub(crate) type Wrap<'a> = &'a dyn Fn(&Machine) -> Arc<dyn Backend>;

/// The log over the machine as it is.
pub(crate) fn honest(machine: &Machine) -> Arc<dyn Backend> {
    machine.backend()
}

/// Several lives on one disk, each ended by a crash at a random place of it, and one that must go
/// well.
pub(crate) fn crashing_lives(seed: u64, wrap: Wrap<'_>) -> Result<(), Failure> {
    let mut rng = Rng::new(seed);
    let mut disk = Disk::default();
    let mut model = Model::default();
    let chained = rng.chance(30);
    let (steps, longest_text) = rng.pick(&[(5, 40), (12, 300), (30, 2_000)]);
    for _ in 0..=rng.below(4) {
        let script = Script::random(&mut rng, steps, longest_text).chained(chained);
        let plan = random_plan(&mut rng, steps);
        let machine = Machine::new(disk, plan);
        live(&machine, &wrap(&machine), &script, &mut model, &mut rng)?;
        disk = crash(&machine, &mut model, &mut rng);
    }
    must_go_on(disk, &mut model, wrap, &mut rng)
}

fn random_plan(rng: &mut Rng, steps: usize) -> Plan {
    let crash_at = CrashPoint {
        change: rng.below(3 * steps + 5),
        bytes: rng.below(3_000),
    };
    Plan {
        crash_at: rng.chance(80).then_some(crash_at),
        fail_sync: rng.chance(15).then(|| rng.next() % (steps as u64 + 4)),
        fail_dir_sync: rng.chance(5).then(|| rng.next() % 4),
        partial: rng.chance(30),
        capacity: rng.chance(20).then(|| rng.below(4_000)),
        seed: rng.next(),
    }
}

/// After a failed sync the power goes: the page cache of a machine that stays up lies.
fn crash(machine: &Machine, model: &mut Model, rng: &mut Rng) -> Disk {
    if rng.chance(25) && !machine.sync_has_failed() {
        return machine.disk_after_kill();
    }
    let survival = rng.pick(&Survival::ALL);
    cut_power(machine, survival, model, rng)
}

fn cut_power(machine: &Machine, survival: Survival, model: &mut Model, rng: &mut Rng) -> Disk {
    model.power_was_cut();
    machine.disk_after_power_cut(survival, rng)
}

/// A sync fails, the process ends, the system stays up, and the log is opened again: its reads show
/// what never reached the disk, and a sync of those pages says that all is well.
pub(crate) fn reopening_after_a_failed_sync(seed: u64, wrap: Wrap<'_>) -> Result<(), Failure> {
    let mut rng = Rng::new(seed);
    let mut model = Model::default();
    let script = Script::random(&mut rng, 12, 900).chained(rng.chance(30));
    // Not of the directory: where that fails, the file system lets nobody write any more.
    let fail_sync = Some(rng.next() % 10);
    let machine = Machine::new(
        Disk::default(),
        Plan {
            fail_sync,
            seed,
            ..Plan::default()
        },
    );
    live(&machine, &wrap(&machine), &script, &mut model, &mut rng)?;
    must_go_on(machine.disk_after_kill(), &mut model, wrap, &mut rng)
}

/// Opens, checks, appends, reopens and checks, with nothing in the way; then the same after a last
/// power cut, which shows whether what was just acknowledged is durable.
fn must_go_on(
    mut disk: Disk,
    model: &mut Model,
    wrap: Wrap<'_>,
    rng: &mut Rng,
) -> Result<(), Failure> {
    for _ in 0..2 {
        let machine = Machine::new(disk, Plan::default());
        live(&machine, &wrap(&machine), &Script::going_on(), model, rng)?;
        disk = cut_power(&machine, Survival::Nothing, model, rng);
    }
    Ok(())
}

/// The same life on the simulated disk and on the real file system leaves the same files: what the
/// simulation shows holds there too.
pub(crate) fn same_as_the_file_system(seed: u64, dir: &Path) -> Result<(), Failure> {
    let mut rng = Rng::new(seed);
    let script = Script::random(&mut rng, 20, 200).chained(rng.chance(50));
    let machine = Machine::new(Disk::default(), Plan::default());
    live(
        &machine,
        &machine.backend(),
        &script,
        &mut Model::default(),
        &mut rng.clone(),
    )?;

    let real: Arc<dyn Backend> = Arc::new(FsBackend::new(dir).with_identity([7; 16]));
    // This machine has nothing to do with it, and so nothing to excuse a failure with.
    let idle = Machine::new(Disk::default(), Plan::default());
    live(&idle, &real, &script, &mut Model::default(), &mut rng)?;

    let simulated = machine
        .backend()
        .list()
        .map_err(|error| Failure(error.to_string()))?;
    let mut names = real.list().map_err(|error| Failure(error.to_string()))?;
    names.retain(|name| name != "LOCK");
    names.sort();
    ensure(names == simulated, || {
        format!("{names:?} and {simulated:?}")
    })?;
    for name in names {
        let bytes = std::fs::read(dir.join(&name)).map_err(|error| Failure(error.to_string()))?;
        ensure(bytes == machine.content(&name), || {
            format!("{name} differs")
        })?;
    }
    Ok(())
}

/// How many crashes [`every_crash`] tried.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) crashes: u64,
}

/// One small life, crashed at every change and every byte of every record that it writes, with
/// every survival, and once more within the recovery.
pub(crate) fn every_crash(seed: u64, wrap: Wrap<'_>) -> Result<Tried, Failure> {
    let mut rng = Rng::new(seed);
    let chained = rng.chance(30);
    let (disk, model) = some_past(&mut rng, chained, wrap)?;
    let script = Script::random(&mut rng, 6, 40).chained(chained);

    let whole = Machine::new(disk.clone(), Plan::default());
    live(
        &whole,
        &wrap(&whole),
        &script,
        &mut model.clone(),
        &mut rng.clone(),
    )?;
    let changes = whole.changes();

    let mut tried = Tried { crashes: 0 };
    for point in crash_points(&changes) {
        let plan = Plan {
            crash_at: Some(point),
            ..Plan::default()
        };
        let machine = Machine::new(disk.clone(), plan);
        let mut before = model.clone();
        live(
            &machine,
            &wrap(&machine),
            &script,
            &mut before,
            &mut rng.clone(),
        )?;
        // What a prefix leaves is tried anyway.
        for survival in Survival::ALL
            .into_iter()
            .filter(|&it| it != Survival::Prefix)
        {
            tried.crashes += 1;
            let mut rng = Rng::new(seed ^ tried.crashes.rotate_left(32));
            let mut model = before.clone();
            let after = cut_power(&machine, survival, &mut model, &mut rng);
            recover_twice(after, model, wrap, &mut rng).map_err(|failure| {
                let done = listed(changes.iter().take(point.change + 1));
                let bytes = point.bytes;
                Failure(format!(
                    "{failure}\nafter a crash at byte {bytes} of the last of\n{done}\
                     with {survival:?} of the unsynced surviving"
                ))
            })?;
        }
    }
    Ok(tried)
}

/// Before each change, at every byte of a record, at some of an index, and after the last one.
fn crash_points(changes: &[Change]) -> Vec<CrashPoint> {
    const BYTES_BETWEEN_IN_AN_INDEX: usize = 331;
    let mut points = Vec::new();
    for (change, it) in changes.iter().enumerate() {
        let step = if it.is_of_records() {
            1
        } else {
            BYTES_BETWEEN_IN_AN_INDEX
        };
        let bytes = (0..it.bytes).step_by(step).chain([it.bytes]);
        points.extend(bytes.map(|bytes| CrashPoint { change, bytes }));
    }
    points.push(CrashPoint {
        change: changes.len(),
        bytes: 0,
    });
    points
}

fn listed<'a>(changes: impl Iterator<Item = &'a Change>) -> String {
    changes.map(|change| format!("  {change}\n")).collect()
}

/// A disk on which a log has lived and perhaps crashed, so that the opening has something to do.
fn some_past(rng: &mut Rng, chained: bool, wrap: Wrap<'_>) -> Result<(Disk, Model), Failure> {
    let mut model = Model::default();
    if rng.chance(25) {
        return Ok((Disk::default(), model));
    }
    let script = Script::random(rng, 5, 60).chained(chained);
    let crash_at = CrashPoint {
        change: 4 + rng.below(6),
        bytes: rng.below(150),
    };
    let plan = Plan {
        crash_at: Some(crash_at),
        ..Plan::default()
    };
    let machine = Machine::new(Disk::default(), plan);
    live(&machine, &wrap(&machine), &script, &mut model, rng)?;
    let disk = cut_power(&machine, Survival::Everything, &mut model, rng);
    Ok((disk, model))
}

fn recover_twice(
    disk: Disk,
    mut model: Model,
    wrap: Wrap<'_>,
    rng: &mut Rng,
) -> Result<(), Failure> {
    let crash_at = CrashPoint {
        change: rng.below(9),
        bytes: rng.below(100),
    };
    let plan = Plan {
        crash_at: Some(crash_at),
        ..Plan::default()
    };
    let machine = Machine::new(disk, plan);
    live(
        &machine,
        &wrap(&machine),
        &Script::going_on(),
        &mut model,
        rng,
    )?;
    let survival = rng.pick(&Survival::ALL);
    let after = cut_power(&machine, survival, &mut model, rng);
    must_go_on(after, &mut model, wrap, rng)
}
