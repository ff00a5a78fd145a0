//! The form that the comparisons of processor time share: sides that do the same work, measured in
//! turns, and the ratios within each round.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::spread::Spread;

/// How long and how often everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// How long a side is measured in a round, at least.
    pub(crate) window: Duration,
}

/// What a side is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Ours,
    Peer,
    /// The least that anyone has to do: no contender.
    Limit,
}

/// What came out of one round of one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// The time of the round divided by its operations.
    pub(crate) nanos_each: f64,
    /// How good the answers were, in [0, 1], where they may differ.
    pub(crate) quality: Option<f64>,
}

impl Measured {
    pub(crate) fn nanos(nanos_each: f64) -> Self {
        Self {
            nanos_each,
            quality: None,
        }
    }
}

/// One side of a comparison, with what it needs for a round.
pub(crate) struct Side<'a> {
    name: String,
    role: Role,
    round: Box<dyn FnMut() -> anyhow::Result<Measured> + 'a>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        role: Role,
        name: impl Into<String>,
        round: impl FnMut() -> anyhow::Result<Measured> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            role,
            round: Box::new(round),
        }
    }
}

/// A question, asked in one or several settings.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    /// What the sides do, and what is not compared.
    pub(crate) about: &'static str,
    /// What the quality is called; absent where all answers are the same.
    pub(crate) quality: Option<&'static str>,
    pub(crate) settings: Vec<Setting>,
}

/// The same work by all sides.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
    /// What else there is to know, such as a limit of the quality.
    pub(crate) notes: Vec<String>,
}

/// One side; every figure is over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) side: String,
    pub(crate) role: Role,
    pub(crate) nanos_each: Spread,
    /// How many times as long as ours it took, within each round; absent for ours.
    pub(crate) ours_is_times: Option<Spread>,
    /// The limit's time divided by this one's; absent without a limit.
    pub(crate) of_limit: Option<Spread>,
    pub(crate) quality: Option<Spread>,
}

impl Setting {
    /// Measures all sides in every round. Each round begins with another one, so that nobody
    /// always follows the same neighbour's heat.
    pub(crate) fn measure(
        name: impl Into<String>,
        rounds: usize,
        mut sides: Vec<Side<'_>>,
    ) -> anyhow::Result<Self> {
        let name = name.into();
        ensure!(rounds > 0, "no rounds: give --rounds 1 or more");
        let mut measured = vec![Vec::with_capacity(rounds); sides.len()];
        for round in 0..rounds {
            for turn in 0..sides.len() {
                let at = (round + turn) % sides.len();
                let side = &mut sides[at];
                let result = (side.round)()
                    .with_context(|| format!("round {}, {name}, {}", round + 1, side.name))?;
                eprintln!(
                    "round {}/{rounds}  {name:24}  {:44}  {:.1} ns",
                    round + 1,
                    side.name,
                    result.nanos_each
                );
                measured[at].push(result);
            }
        }
        let of_role = |role| sides.iter().position(|side| side.role == role);
        let ours = of_role(Role::Ours).map(|at| measured[at].as_slice());
        let limit = of_role(Role::Limit).map(|at| measured[at].as_slice());
        let row = |(side, own): (&Side<'_>, &Vec<Measured>)| Row {
            side: side.name.clone(),
            role: side.role,
            nanos_each: Spread::of(own.iter().map(|it| it.nanos_each)),
            ours_is_times: ours
                .filter(|_| side.role == Role::Peer)
                .map(|ours| ratios(own, ours)),
            of_limit: limit
                .filter(|_| side.role != Role::Limit)
                .map(|limit| ratios(limit, own)),
            quality: own[0]
                .quality
                .map(|_| Spread::of(own.iter().filter_map(|it| it.quality))),
        };
        Ok(Self {
            rows: sides.iter().zip(&measured).map(row).collect(),
            name,
            notes: Vec::new(),
        })
    }

    /// Adds a sentence that stands under the table.
    pub(crate) fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }
}

fn ratios(of: &[Measured], to: &[Measured]) -> Spread {
    let pairs = of.iter().zip(to);
    Spread::of(pairs.map(|(of, to)| of.nanos_each / to.nanos_each))
}

/// Nanoseconds an operation, over at least the window and after a quarter of it to warm up. The
/// clock is read once in `batch` operations.
pub(crate) fn nanos_each(window: Duration, batch: u64, mut operation: impl FnMut()) -> f64 {
    let mut for_at_least = |window: Duration| {
        let (began, mut operations) = (Instant::now(), 0);
        loop {
            (0..batch).for_each(|_| operation());
            operations += batch;
            let elapsed = began.elapsed();
            if elapsed >= window {
                return elapsed.as_nanos() as f64 / operations as f64;
            }
        }
    };
    for_at_least(window / 4);
    for_at_least(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_within_a_round_and_each_round_begins_with_another_side() {
        let turns = std::cell::RefCell::new(Vec::new());
        let side = |role, name: &'static str, nanos: [f64; 3]| {
            let (mut nanos, turns) = (nanos.into_iter(), &turns);
            Side::new(role, name, move || {
                turns.borrow_mut().push(name);
                Ok(Measured::nanos(nanos.next().unwrap()))
            })
        };
        // The machine is ten times as slow in the second round.
        let sides = vec![
            side(Role::Ours, "ours", [2.0, 20.0, 2.0]),
            side(Role::Peer, "theirs", [6.0, 80.0, 10.0]),
            side(Role::Limit, "limit", [1.0, 10.0, 1.0]),
        ];
        let setting = Setting::measure("a setting", 3, sides).unwrap();
        let [ours, theirs, limit] = &setting.rows[..] else {
            panic!("three rows");
        };
        let times = theirs.ours_is_times.unwrap();
        assert_eq!((times.lowest, times.median, times.highest), (3.0, 4.0, 5.0));
        assert_eq!(ours.of_limit.unwrap().median, 0.5);
        assert!(ours.ours_is_times.is_none() && limit.of_limit.is_none());
        let expected = [
            ["ours", "theirs", "limit"],
            ["theirs", "limit", "ours"],
            ["limit", "ours", "theirs"],
        ];
        assert_eq!(*turns.borrow(), expected.concat());
    }

    #[test]
    fn the_time_of_an_operation_is_that_of_the_window_over_its_operations() {
        let mut operations = 0_u64;
        let began = Instant::now();
        let nanos = nanos_each(Duration::from_millis(4), 8, || operations += 1);
        let most = began.elapsed().as_nanos() as f64;
        assert!(operations >= 16 && operations.is_multiple_of(8));
        assert!(nanos > 0.0 && nanos <= most);
    }
}
