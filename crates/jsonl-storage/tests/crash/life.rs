//! One life of a log: opened, checked against what is known, used, and ended by whatever comes.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jsonl_storage::{
    Backend, Durability, Error, Index, Log, LogOptions, Record, Retention, Seq, Ticket,
    verify_log_on,
};
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
    durability: Durability,
    queue_bytes: usize,
    segment_bytes: u64,
    chained: bool,
    /// Whether records that are written together share a link, in a chained log.
    in_groups: bool,
    /// The name of the index; another one makes the log build it anew.
    index: &'static str,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Appends a record with a text of so many characters, and waits.
    Append(usize),
    Submit(usize),
    /// Waits for the last ticket, and so for all.
    Wait,
    /// Drops the tickets without having waited.
    Forget,
    Flush,
    Sync,
    Rotate,
    /// Gives up the oldest files until the complete ones have at most so many bytes.
    Retire(u64),
    Reopen,
    Read,
    /// Reads by number, key and time, and backwards.
    Query,
}

/// What a text is made of: with escapes, and letters of several bytes.
const LETTERS: [char; 8] = ['a', 'Z', ' ', '"', '\\', '\n', 'ä', '漢'];

impl Script {
    pub(crate) fn random(rng: &mut Rng, steps: usize, longest_text: usize) -> Self {
        let durability = match rng.below(10) {
            0..7 => Durability::Synced,
            7..9 => Durability::Flushed,
            _ => Durability::Buffered,
        };
        Self {
            durability,
            queue_bytes: rng.pick(&[200, 5_000, 1 << 20]),
            segment_bytes: rng.pick(&[1, 700, 4_000, 64 << 20]),
            chained: false,
            in_groups: rng.chance(50),
            index: rng.pick(&["first", "second"]),
            steps: (0..steps)
                .map(|_| Step::random(rng, longest_text))
                .collect(),
        }
    }

    /// For what has to work after everything else: a few appends, a reopening, another append.
    pub(crate) fn going_on() -> Self {
        Self {
            durability: Durability::Synced,
            queue_bytes: 1 << 20,
            segment_bytes: 64 << 20,
            chained: false,
            in_groups: false,
            index: "first",
            steps: vec![
                Step::Append(5),
                Step::Append(30),
                Step::Reopen,
                Step::Query,
                Step::Append(1),
            ],
        }
    }
}

impl Script {
    /// The same with a hash chain, which a log has from its beginning or never.
    pub(crate) fn chained(self, chained: bool) -> Self {
        Self { chained, ..self }
    }
}

impl Step {
    fn random(rng: &mut Rng, longest_text: usize) -> Self {
        match rng.below(28) {
            0..9 => Self::Append(rng.below(longest_text)),
            9..15 => Self::Submit(rng.below(longest_text)),
            15..18 => Self::Wait,
            18 => Self::Forget,
            19 => Self::Flush,
            20 => Self::Sync,
            21 => Self::Rotate,
            22..24 => Self::Reopen,
            24..26 => Self::Read,
            26 => Self::Retire(rng.pick(&[0, 1_000])),
            _ => Self::Query,
        }
    }
}

/// What a log has been given and has acknowledged, kept outside of it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// In the order of the log. Those behind the acknowledged ones may be lost, from the end on.
    /// `None` is what the log states about itself, which has a number and is never read.
    attempted: Vec<Option<Payload>>,
    /// How many must be there as long as the machine is up.
    acknowledged: usize,
    /// How many must be there after a power cut.
    durable: usize,
    /// How many of the first are given up, and how many may be after a crash in between.
    retired: RangeInclusive<usize>,
    numbers: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            attempted: Vec::new(),
            acknowledged: 0,
            durable: 0,
            retired: 0..=0,
            numbers: 0,
        }
    }
}

impl Model {
    /// What a log of a lower level acknowledged without a sync may be gone.
    pub(crate) fn power_was_cut(&mut self) {
        self.acknowledged = self.durable;
    }

    fn next(&mut self, length: usize, rng: &mut Rng) -> Payload {
        self.numbers += 1;
        let text = (0..length).map(|_| rng.pick(&LETTERS)).collect();
        Payload {
            number: self.numbers,
            text,
        }
    }

    /// A record that was given a place.
    fn place(&mut self, payload: Payload, seq: Seq, may_refuse: bool) -> Result<(), Failure> {
        let before = place(seq) - 1;
        // A full disk may have refused what waited before it, but not what was acknowledged.
        let least = if may_refuse {
            self.acknowledged
        } else {
            self.attempted.len()
        };
        ensure((least..=self.attempted.len()).contains(&before), || {
            format!(
                "a record became number {seq}, behind {} others",
                self.attempted.len()
            )
        })?;
        self.attempted.truncate(before);
        self.attempted.push(Some(payload));
        Ok(())
    }

    fn acknowledge(&mut self, upto: usize) -> Result<(), Failure> {
        ensure(upto <= self.attempted.len(), || {
            format!("record {upto} was never submitted")
        })?;
        self.acknowledged = self.acknowledged.max(upto);
        Ok(())
    }

    fn synced(&mut self, upto: usize) -> Result<(), Failure> {
        self.acknowledge(upto)?;
        self.durable = self.durable.max(upto);
        Ok(())
    }
}

fn place(seq: Seq) -> usize {
    usize::try_from(seq.0).expect("few records")
}

/// How many keys the records share.
const KEYS: u64 = 5;

fn index(name: &str) -> Index<Payload> {
    Index::new(name)
        .by_key(|payload: &Payload| Some((payload.number % KEYS).to_string().into()))
        .by_time(|payload| payload.number)
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
#[derive(Debug)]
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
    let mut life = Life {
        machine,
        backend,
        script,
        model,
        rng,
    };
    match life.run() {
        Ok(()) => Ok(()),
        Err(Stop::Broken(failure)) => Err(failure),
        Err(Stop::Refused(_)) if machine.is_down() || machine.sync_has_failed() => Ok(()),
        Err(Stop::Refused(error)) => Err(Failure(format!("nothing was wrong, but: {error:?}"))),
    }
}

struct Life<'a> {
    machine: &'a Machine,
    backend: &'a Arc<dyn Backend>,
    script: &'a Script,
    model: &'a mut Model,
    rng: &'a mut Rng,
}

impl Life<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        self.check_before_opening()?;
        let mut log = self.open()?;
        let mut tickets = Vec::new();
        for &step in &self.script.steps {
            if let Step::Reopen = step {
                tickets.clear();
                self.close(log)?;
                log = self.open()?;
            } else if let Err(stop) = self.take(step, &log, &mut tickets) {
                tickets.clear();
                self.after_refusal(step, &log, stop)?;
            }
            // What the log calls durable counts as much as what it has answered.
            self.model.synced(place(log.durable()))?;
        }
        drop(tickets);
        self.close(log)
    }

    fn take(
        &mut self,
        step: Step,
        log: &Log<Payload>,
        tickets: &mut Vec<Ticket>,
    ) -> Result<(), Stop> {
        match step {
            Step::Append(length) => {
                // Placed before the answer, which may not come and still leave the record.
                let seq = self.submit(length, log)?.wait()?;
                self.acknowledged(seq)?;
            }
            Step::Submit(length) => tickets.push(self.submit(length, log)?),
            Step::Wait => {
                if let Some(last) = tickets.drain(..).next_back() {
                    let seq = last.wait()?;
                    self.acknowledged(seq)?;
                }
            }
            Step::Forget => tickets.clear(),
            Step::Flush => {
                log.flush()?;
                self.model.acknowledge(self.model.attempted.len())?;
            }
            Step::Sync => {
                log.sync()?;
                self.model.synced(self.model.attempted.len())?;
            }
            Step::Rotate => log.rotate()?,
            Step::Retire(bytes) => self.retire(log, bytes)?,
            Step::Read => drop(self.check_content(log)?),
            Step::Query => self.check_queries(log)?,
            Step::Reopen => unreachable!("takes the log itself"),
        }
        Ok(())
    }

    fn retire(&mut self, log: &Log<Payload>, bytes: u64) -> Result<(), Stop> {
        if self.machine.is_limited() {
            // What a full disk refuses by now has no number any more, and the statement takes the next.
            log.sync()?;
        }
        let before = *self.model.retired.start();
        self.model.retired = before..=self.model.attempted.len();
        self.model.attempted.push(None);
        let files = log.retire(&Retention::new().bytes_max(bytes))?;
        if files.is_empty() {
            self.model.attempted.pop();
        }
        let gone = files.last().map_or(before, |file| place(file.last));
        self.model.retired = gone..=gone;
        Ok(())
    }

    fn submit(&mut self, length: usize, log: &Log<Payload>) -> Result<Ticket, Stop> {
        let payload = self.model.next(length, self.rng);
        let ticket = log.submit(&payload)?;
        self.model
            .place(payload, ticket.seq(), self.machine.is_limited())?;
        Ok(ticket)
    }

    fn acknowledged(&mut self, seq: Seq) -> Result<(), Failure> {
        match self.script.durability {
            Durability::Synced => self.model.synced(place(seq)),
            Durability::Flushed => self.model.acknowledge(place(seq)),
            // Promises nothing that a kill or a power cut could break.
            Durability::Buffered => Ok(()),
        }
    }

    /// A full disk refuses what waits, and nothing else; there is some more room then. After any
    /// other failure a log takes nothing more, and still shows what it has acknowledged.
    fn after_refusal(&mut self, step: Step, log: &Log<Payload>, stop: Stop) -> Result<(), Stop> {
        match stop {
            Stop::Refused(Error::Full { .. }) if self.machine.is_limited() => {
                self.make_room();
                self.check_after_full(log)
            }
            Stop::Refused(_) if matches!(step, Step::Read | Step::Query) => {
                // Reading fails with the machine only, whatever the log has been through.
                ensure(self.machine.is_down(), || format!("{stop:?}"))?;
                Err(stop)
            }
            Stop::Refused(_) => {
                let another = Payload {
                    number: u64::MAX,
                    text: String::new(),
                };
                let taken = log.append(&another).is_ok();
                ensure(!taken, || format!("an append succeeds after {stop:?}"))?;
                if !self.machine.is_down() {
                    self.check_content(log)?;
                }
                Err(stop)
            }
            Stop::Broken(_) => Err(stop),
        }
    }

    fn check_after_full(&mut self, log: &Log<Payload>) -> Result<(), Stop> {
        if self.script.durability == Durability::Buffered {
            // Keeps what it has acknowledged, and writes it when there is room.
            return Ok(());
        }
        // What can be read was written before, so it is not among the refused.
        let written = self.check_content(log)?;
        self.model.attempted.truncate(written);
        self.model.acknowledge(written)?;
        let found = verify_log_on(Arc::clone(self.backend))?;
        ensure(found.breaks.is_empty(), || {
            format!("after a full disk: {:?}", found.breaks)
        })?;
        Ok(())
    }

    fn make_room(&mut self) {
        let bytes = self.machine.used() + self.rng.below(1_000);
        self.machine.set_capacity(Some(bytes));
    }

    fn close(&mut self, log: Log<Payload>) -> Result<(), Stop> {
        match log.close() {
            Ok(()) => Ok(self.model.synced(self.model.attempted.len())?),
            Err(Error::Full { .. }) if self.machine.is_limited() => {
                self.machine.set_capacity(None);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What a crash leaves must not look like damage, whoever looks first.
    fn check_before_opening(&self) -> Result<(), Stop> {
        let found = verify_log_on(Arc::clone(self.backend))?;
        ensure(found.holds(), || {
            format!("verify reports damage: {:?}", found.breaks)
        })?;
        ensure(place(found.last) >= self.model.acknowledged, || {
            format!(
                "verify finds {} of {} acknowledged",
                found.last, self.model.acknowledged
            )
        })?;
        Ok(())
    }

    fn open(&mut self) -> Result<Log<Payload>, Stop> {
        let log = match self.try_open() {
            // The torn tail is set aside before it is cut off, which takes room.
            Err(_) if self.machine.is_only_full() => {
                self.machine.set_capacity(None);
                self.try_open()?
            }
            result => result?,
        };
        self.check_content(&log)?;
        let durable = place(log.durable());
        ensure(
            (self.model.acknowledged..=self.model.attempted.len()).contains(&durable),
            || {
                format!(
                    "{durable} records after the opening, {} acknowledged, {} attempted",
                    self.model.acknowledged,
                    self.model.attempted.len()
                )
            },
        )?;
        // An opened log shows these to everyone, so from now on they have to stay.
        self.model.attempted.truncate(durable);
        self.model.synced(durable)?;

        let recovery = log.recovery();
        let gone = durable.saturating_sub(usize::try_from(recovery.records).expect("few records"));
        let retired = &self.model.retired;
        ensure(
            recovery.last == log.durable() && retired.contains(&gone),
            || format!("{recovery:?} with {durable} records, of which {retired:?} are retired"),
        )?;
        self.model.retired = gone..=gone;
        let found = verify_log_on(Arc::clone(self.backend))?;
        ensure(
            found.breaks.is_empty() && found.records == recovery.records,
            || format!("verify after the opening, with {recovery:?}: {found:?}"),
        )?;
        Ok(log)
    }

    fn try_open(&self) -> Result<Log<Payload>, Error> {
        let options = LogOptions::new()
            .durability(self.script.durability)
            .queue_bytes(self.script.queue_bytes)
            .segment_bytes(self.script.segment_bytes);
        let options = match (self.script.chained, self.script.in_groups) {
            (true, true) => options.chained().chained_in_groups(),
            (true, false) => options.chained(),
            (false, _) => options,
        };
        options
            .indexed(index(self.script.index))
            .open_on(Arc::clone(self.backend))
    }

    /// Whatever way leads to a record, it is the same one, and none is missing.
    fn check_queries(&mut self, log: &Log<Payload>) -> Result<(), Stop> {
        let all: Vec<_> = log.scan()?.collect::<Result<_, _>>()?;
        let back: Vec<_> = log.range_back(..).collect::<Result<_, _>>()?;
        ensure(back.iter().rev().eq(&all), || {
            format!("backwards: {back:?}, and {all:?}")
        })?;

        let number = 1 + self.rng.below(self.model.attempted.len() + 2);
        let one = log.get(Seq(number as u64))?;
        let expected = all.iter().find(|record| place(record.seq) == number);
        ensure(one.as_ref() == expected, || {
            format!("record {number} is {one:?}, {expected:?}")
        })?;

        let key = self.rng.next() % KEYS;
        let found: Vec<_> = log.find_all(&key.to_string())?.collect::<Result<_, _>>()?;
        let expected = all
            .iter()
            .filter(|record| record.data.number % KEYS == key)
            .rev();
        ensure(found.iter().eq(expected), || {
            format!("key {key}: {found:?} of {all:?}")
        })?;

        let from = self.rng.next() % (self.model.numbers + 2);
        let times = from..from + self.rng.next() % 5;
        let found: Vec<_> = log.between(times.clone())?.collect::<Result<_, _>>()?;
        let within = |record: &&Record<Payload>| times.contains(&record.data.number);
        ensure(found.iter().eq(all.iter().filter(within)), || {
            format!("between {times:?}: {found:?} of {all:?}")
        })?;
        Ok(())
    }

    /// Whether a record comes directly behind another one, but for what the log states about itself.
    fn follows(&self, last: usize, number: usize) -> bool {
        let between = self.model.attempted.get(last..number - 1);
        between.is_some_and(|between| between.iter().all(Option::is_none))
    }

    /// Nothing acknowledged is missing, nothing altered, nothing there that was never submitted.
    /// Gives the number of the last record.
    fn check_content(&self, log: &Log<Payload>) -> Result<usize, Stop> {
        let mut last = None;
        for record in log.scan()? {
            let record = record?;
            let number = place(record.seq);
            let follows = match last {
                None => self
                    .model
                    .retired
                    .clone()
                    .any(|gone| self.follows(gone, number)),
                Some(last) => self.follows(last, number),
            };
            ensure(follows, || format!("record {number} behind {last:?}"))?;
            let attempted = self.model.attempted.get(number - 1);
            ensure(attempted == Some(&Some(record.data.clone())), || {
                format!("record {number} is {:?} and was {attempted:?}", record.data)
            })?;
            last = Some(number);
        }
        let durable = place(log.durable());
        let mut last = last.unwrap_or(durable);
        while last < durable && self.follows(last, last + 2) {
            last += 1;
        }
        ensure(last >= self.model.acknowledged, || {
            format!(
                "{last} of {} acknowledged records are left",
                self.model.acknowledged
            )
        })?;
        Ok(last)
    }
}
