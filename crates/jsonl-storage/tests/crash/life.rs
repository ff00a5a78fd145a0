//! One life of a log: opened, checked against what is known, used, and ended by whatever comes.

use std::fmt;
use std::sync::Arc;

use jsonl_storage::{Backend, Error, Log, LogOptions, Seq, Ticket, verify_on};
use serde::{Deserialize, Serialize};

use crate::backend::Machine;
use crate::rng::Rng;

/// A record that can be told from every other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    number: u64,
    text: String,
}

/// What a life does after the opening.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    queue_bytes: usize,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Appends a record with a text of so many characters, and waits.
    Append(usize),
    Submit(usize),
    /// Waits for the last ticket, and so for all.
    Wait,
    /// Drops the tickets without having waited.
    Forget,
    Close,
    Read,
}

/// The longest text, in characters, and what it is made of: with escapes, and of several bytes.
const LETTERS: [char; 8] = ['a', 'Z', ' ', '"', '\\', '\n', 'ä', '漢'];

impl Script {
    pub(crate) fn random(rng: &mut Rng, steps: usize, longest_text: usize) -> Self {
        let steps = (0..steps)
            .map(|_| Step::random(rng, longest_text))
            .collect();
        Self {
            queue_bytes: rng.pick(&[200, 5_000, 1 << 20]),
            steps,
        }
    }

    /// For what has to work after everything else: a few appends, a reopening, another append.
    pub(crate) fn going_on() -> Self {
        let steps = vec![
            Step::Append(5),
            Step::Append(30),
            Step::Close,
            Step::Append(1),
        ];
        Self {
            queue_bytes: 1 << 20,
            steps,
        }
    }
}

impl Step {
    fn random(rng: &mut Rng, longest_text: usize) -> Self {
        match rng.below(20) {
            0..8 => Self::Append(rng.below(longest_text)),
            8..14 => Self::Submit(rng.below(longest_text)),
            14..17 => Self::Wait,
            17 => Self::Forget,
            18 => Self::Close,
            _ => Self::Read,
        }
    }
}

/// What a log has been given and has acknowledged, kept outside of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// In the order of the log. Those behind the acknowledged ones may be lost, from the end on.
    attempted: Vec<Payload>,
    acknowledged: usize,
    numbers: u64,
}

impl Model {
    fn attempt(&mut self, length: usize, rng: &mut Rng) -> Payload {
        self.numbers += 1;
        let text = (0..length).map(|_| rng.pick(&LETTERS)).collect();
        let payload = Payload {
            number: self.numbers,
            text,
        };
        self.attempted.push(payload.clone());
        payload
    }

    fn acknowledge(&mut self, seq: Seq) -> Result<(), Failure> {
        let upto = usize::try_from(seq.0).expect("few records");
        ensure(upto <= self.attempted.len(), || {
            format!("record {seq} was never submitted")
        })?;
        self.acknowledged = self.acknowledged.max(upto);
        Ok(())
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }
}

/// A promise that was broken, in words.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure(otherwise()))
    }
}

/// Why a life ended early: a promise broken, or an error that may have had a cause.
enum Stop {
    Broken(Failure),
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

/// Lives one life on a machine, through a backend that may be less than the machine's own.
///
/// # Errors
///
/// When a promise was broken. That the machine went down is none.
pub(crate) fn live(
    machine: &Machine,
    backend: &Arc<dyn Backend>,
    script: &Script,
    model: &mut Model,
    rng: &mut Rng,
) -> Result<(), Failure> {
    match try_live(backend, script, model, rng) {
        Ok(()) => Ok(()),
        Err(Stop::Broken(failure)) => Err(failure),
        Err(Stop::Refused(_)) if machine.is_down() || machine.sync_has_failed() => Ok(()),
        Err(Stop::Refused(error)) => Err(Failure(format!("nothing was wrong, but: {error}"))),
    }
}

fn try_live(
    backend: &Arc<dyn Backend>,
    script: &Script,
    model: &mut Model,
    rng: &mut Rng,
) -> Result<(), Stop> {
    check_before_opening(backend, model)?;
    let mut log = open(backend, script, model)?;
    let mut tickets = Vec::new();
    for step in &script.steps {
        match step {
            Step::Close => {
                tickets.clear();
                close(log, model)?;
                log = open(backend, script, model)?;
            }
            step => take(step, &log, &mut tickets, model, rng)
                .or_else(|stop| after_refusal(&log, model, stop))?,
        }
    }
    drop(tickets);
    close(log, model)
}

fn take(
    step: &Step,
    log: &Log<Payload>,
    tickets: &mut Vec<Ticket>,
    model: &mut Model,
    rng: &mut Rng,
) -> Result<(), Stop> {
    match *step {
        Step::Append(length) => {
            let seq = log.append(&model.attempt(length, rng))?;
            model.acknowledge(seq)?;
        }
        Step::Submit(length) => tickets.push(log.submit(&model.attempt(length, rng))?),
        Step::Wait => {
            if let Some(last) = tickets.drain(..).next_back() {
                model.acknowledge(last.wait()?)?;
            }
        }
        Step::Forget => tickets.clear(),
        Step::Read => check_content(log, model)?,
        Step::Close => unreachable!("takes the log itself"),
    }
    // What the log calls durable counts as much as what it has answered.
    model.acknowledge(log.durable())?;
    Ok(())
}

/// Once it has failed, a log takes nothing more, and still shows what it has acknowledged.
fn after_refusal(log: &Log<Payload>, model: &Model, stop: Stop) -> Result<(), Stop> {
    if matches!(stop, Stop::Broken(_)) {
        return Err(stop);
    }
    let another = Payload {
        number: u64::MAX,
        text: String::new(),
    };
    let taken = log.append(&another).is_ok();
    ensure(!taken, || {
        "an append succeeded after one had failed".to_owned()
    })?;
    match log.scan().map(|scan| scan.collect::<Result<Vec<_>, _>>()) {
        Ok(Ok(records)) => ensure(records.len() >= model.acknowledged, || {
            format!(
                "{} of {} readable after a failure",
                records.len(),
                model.acknowledged
            )
        })?,
        // The machine is down, or reads fail for the reason that the stop gives.
        Ok(Err(_)) | Err(_) => {}
    }
    Err(stop)
}

fn close(log: Log<Payload>, model: &mut Model) -> Result<(), Stop> {
    log.close()?;
    model.acknowledged = model.attempted.len();
    Ok(())
}

/// What a crash leaves must not look like damage, whoever looks first.
fn check_before_opening(backend: &Arc<dyn Backend>, model: &Model) -> Result<(), Stop> {
    let found = verify_on(Arc::clone(backend))?;
    ensure(found.holds(), || {
        format!("verify reports damage: {:?}", found.breaks)
    })?;
    ensure(found.records >= model.acknowledged as u64, || {
        format!(
            "verify finds {} of {} acknowledged",
            found.records, model.acknowledged
        )
    })?;
    Ok(())
}

fn open(
    backend: &Arc<dyn Backend>,
    script: &Script,
    model: &mut Model,
) -> Result<Log<Payload>, Stop> {
    let options = LogOptions::new().queue_bytes(script.queue_bytes);
    let log: Log<Payload> = options.open_on(Arc::clone(backend))?;
    check_content(&log, model)?;

    let durable = usize::try_from(log.durable().0).expect("few records");
    ensure(
        durable >= model.acknowledged && durable <= model.attempted.len(),
        || {
            format!(
                "{durable} records after the opening, {} acknowledged, {} attempted",
                model.acknowledged,
                model.attempted.len()
            )
        },
    )?;
    // An opened log shows these to everyone, so from now on they have to stay.
    model.acknowledged = durable;
    model.attempted.truncate(durable);

    let recovery = log.recovery();
    ensure(
        (recovery.records, recovery.last) == (durable as u64, log.durable()),
        || format!("{recovery:?} with {durable} records"),
    )?;
    let found = verify_on(Arc::clone(backend))?;
    ensure(
        found.breaks.is_empty() && found.records == durable as u64,
        || format!("verify after the opening, with {durable} records: {found:?}"),
    )?;
    Ok(log)
}

/// Nothing acknowledged is missing, nothing altered, nothing there that was never submitted.
fn check_content(log: &Log<Payload>, model: &Model) -> Result<(), Stop> {
    let mut count = 0;
    for record in log.scan()? {
        let record = record?;
        ensure(record.seq.0 == count as u64 + 1, || {
            format!("record {} at place {}", record.seq, count + 1)
        })?;
        let attempted = model.attempted.get(count);
        ensure(attempted == Some(&record.data), || {
            format!(
                "record {} is {:?} and was {attempted:?}",
                record.seq, record.data
            )
        })?;
        count += 1;
    }
    ensure(count >= model.acknowledged, || {
        format!(
            "{count} of {} acknowledged records are left",
            model.acknowledged
        )
    })?;
    Ok(())
}
