//! What a file says about its target, made into what a target understands.

use std::collections::BTreeMap;
use std::path::Path;

use load_engine::{Discrepancy, Failure, Ledger, StepSpec, Verification};

use super::compile::Timed;
use super::place::{Fault, Way, unknown};
use super::spec::{ScenarioSpec, TargetKind};
use crate::scenario::Builtin;
use crate::targets::{
    AgentOperation, AgentOptions, AgentsTarget, ApprovalTarget, DataFeed, ForensicTarget,
    IntegratedTarget, MemoryOptions, MemoryTarget, Phased, PoolOptions, StorageOperation,
    StorageOptions, StorageTarget, Turn, Weights,
};
use crate::{Error, Journal, Progress, Trial, prove};
use report::ScenarioResult;

/// How large a state is unless the file says.
const STATE_BYTES: u64 = 2_000;

/// A target with its options.
#[derive(Debug, Clone)]
pub(super) enum TargetPlan {
    Approval,
    Forensic,
    Integrated,
    Storage(StorageOptions),
    Memory(MemoryOptions),
    Agents(AgentOptions),
}

impl TargetPlan {
    pub(super) fn new(spec: &ScenarioSpec, timed: &[Timed<'_>], users: u32) -> Result<Self, Fault> {
        only_what_it_knows(spec)?;
        let target = &spec.target;
        Ok(match target.kind {
            TargetKind::Approval => Self::Approval,
            TargetKind::Forensic => Self::Forensic,
            TargetKind::Integrated => Self::Integrated,
            TargetKind::Storage => Self::Storage(StorageOptions {
                records: target.records.unwrap_or(0),
                mix: mixes(spec, timed, &StorageOperation::ALL)?,
            }),
            TargetKind::Memory => Self::Memory(MemoryOptions {
                mix: mixes(spec, timed, &Turn::ALL)?,
            }),
            TargetKind::Agents => Self::Agents(AgentOptions {
                agents: users,
                mix: mixes(spec, timed, &AgentOperation::ALL)?
                    .unwrap_or_else(|| Phased::always(AgentOperation::usual())),
                state_bytes: Phased {
                    usual: target.state_bytes.map_or(STATE_BYTES, |size| size.0),
                    by_phase: timed
                        .iter()
                        .map(|phase| phase.spec.state_bytes.map(|size| size.0))
                        .collect(),
                },
                pool: pool(spec)?,
                down_in: match &target.down_in {
                    Some(name) => Some(phase_number(
                        name,
                        timed,
                        &Way::to("target").then("down_in"),
                    )?),
                    None => None,
                },
            }),
        })
    }

    /// The steps that the target takes with these options.
    pub(super) fn steps(&self) -> Result<Vec<StepSpec>, Failure> {
        match self {
            Self::Approval => steps_of::<ApprovalTarget>(),
            Self::Forensic => steps_of::<ForensicTarget>(),
            Self::Integrated => steps_of::<IntegratedTarget>(),
            Self::Storage(options) => Ok(options.steps()),
            Self::Memory(options) => Ok(options.steps()),
            Self::Agents(options) => Ok(options.steps()),
        }
    }

    /// Puts the load on the target and verifies every effect.
    pub(super) fn prove(
        &self,
        trial: &Trial,
        data: Option<&Path>,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let feed = || data.map(DataFeed::open).transpose().map_err(Failure::new);
        match self {
            Self::Approval => prove(
                trial,
                |dir| ApprovalTarget::open(dir, journal.clone()),
                progress,
            ),
            Self::Forensic => prove(
                trial,
                |dir| ForensicTarget::open(dir, journal.clone()),
                progress,
            ),
            Self::Integrated => prove(
                trial,
                |dir| IntegratedTarget::open(dir, journal.clone()),
                progress,
            ),
            Self::Storage(options) => prove(
                trial,
                |dir| {
                    let target = <StorageTarget as Builtin>::open(dir, journal.clone())?;
                    Ok(target.used(options.clone(), feed()?))
                },
                progress,
            ),
            Self::Memory(options) => prove(
                trial,
                |dir| {
                    let target = <MemoryTarget as Builtin>::open(dir, journal.clone())?;
                    Ok(target.used(options.clone()))
                },
                progress,
            ),
            Self::Agents(options) => prove(
                trial,
                |dir| AgentsTarget::open(dir, options.clone(), feed()?, journal.clone()),
                progress,
            ),
        }
    }
}

/// What a target has to say which operations it takes: to be opened, in a directory of its own.
fn steps_of<T: Builtin>() -> Result<Vec<StepSpec>, Failure> {
    let dir = tempfile::tempdir()?;
    let target = T::open(dir.path(), Journal::none())?;
    let steps = target.steps();
    target.close()?;
    Ok(steps)
}

/// Refuses an option that the target would not look at.
fn only_what_it_knows(spec: &ScenarioSpec) -> Result<(), Fault> {
    let target = &spec.target;
    let kind = target.kind;
    let at = |key: &str| Way::to("target").then(key);
    let storage: &[TargetKind] = &[TargetKind::Storage];
    let agents: &[TargetKind] = &[TargetKind::Agents];
    let mixed: &[TargetKind] = &[TargetKind::Storage, TargetKind::Memory, TargetKind::Agents];
    let fed: &[TargetKind] = &[TargetKind::Storage, TargetKind::Agents];
    let mut options = vec![
        (at("records"), target.records.is_some(), storage),
        (at("state_bytes"), target.state_bytes.is_some(), agents),
        (at("mix"), !target.mix.is_empty(), mixed),
        (at("pool"), target.pool.is_some(), agents),
        (at("down_in"), target.down_in.is_some(), agents),
        (Way::to("data"), spec.data.is_some(), fed),
    ];
    for (number, phase) in spec.phases.iter().enumerate() {
        let at = |key: &str| Way::to("phases").then(number).then(key);
        options.push((at("mix"), phase.mix.is_some(), mixed));
        options.push((at("state_bytes"), phase.state_bytes.is_some(), agents));
    }
    for (at, is_set, knows) in options {
        if is_set && !knows.contains(&kind) {
            let knows: Vec<_> = knows.iter().map(|kind| kind.name()).collect();
            let problem = format!(
                "target {} has no such option: leave it out, or take {}",
                kind.name(),
                knows.join(" or ")
            );
            return Err(Fault::new(at, problem));
        }
    }
    Ok(())
}

/// The mix of the target and those of its phases; none if there is none at all.
fn mixes<T: Copy + PartialEq>(
    spec: &ScenarioSpec,
    timed: &[Timed<'_>],
    known: &[(&'static str, T)],
) -> Result<Option<Phased<Weights<T>>>, Fault> {
    let at = Way::to("target").then("mix");
    let mut by_phase = Vec::new();
    for phase in timed {
        let at = Way::to("phases").then(phase.number).then("mix");
        let mix = phase.spec.mix.as_ref();
        by_phase.push(mix.map(|mix| weights(mix, known, &at)).transpose()?);
    }
    if !spec.target.mix.is_empty() {
        let usual = weights(&spec.target.mix, known, &at)?;
        return Ok(Some(Phased { usual, by_phase }));
    }
    match timed.iter().zip(&by_phase).find(|(_, mix)| mix.is_none()) {
        _ if by_phase.iter().all(Option::is_none) => Ok(None),
        Some((phase, _)) => Err(Fault::new(
            Way::to("phases").then(phase.number),
            "other phases have a mix: give this one its own, or the target one for all",
        )),
        None => {
            let usual = by_phase[0].clone().expect("each phase has a mix");
            Ok(Some(Phased { usual, by_phase }))
        }
    }
}

fn weights<T: Copy + PartialEq>(
    mix: &BTreeMap<String, u32>,
    known: &[(&'static str, T)],
    at: &Way,
) -> Result<Weights<T>, Fault> {
    let weight = |(name, weight): (&String, &u32)| {
        let found = known.iter().find(|(known, _)| known == name);
        let names = known.iter().map(|(name, _)| *name);
        let (_, operation) = found.ok_or_else(|| {
            let problem = unknown("operation", name, names);
            Fault {
                of_key: true,
                ..Fault::new(at.then(name.as_str()), problem)
            }
        })?;
        Ok((*operation, *weight))
    };
    let weights = mix.iter().map(weight).collect::<Result<Vec<_>, Fault>>()?;
    Weights::new(weights).map_err(|problem| Fault::new(at.clone(), problem))
}

fn pool(spec: &ScenarioSpec) -> Result<Option<PoolOptions>, Fault> {
    let Some(pool) = spec.target.pool else {
        return Ok(None);
    };
    if pool.size == 0 {
        let at = Way::to("target").then("pool").then("size");
        return Err(Fault::new(at, "a pool has at least one connection"));
    }
    Ok(Some(PoolOptions {
        size: pool.size,
        wait: pool.wait.0,
        hold: pool.hold.map(|hold| hold.0).unwrap_or_default(),
    }))
}

/// Which phase has this name.
pub(super) fn phase_number(name: &str, timed: &[Timed<'_>], at: &Way) -> Result<usize, Fault> {
    let names = timed.iter().map(|phase| phase.name.as_str());
    names
        .clone()
        .position(|other| other == name)
        .ok_or_else(|| Fault::new(at.clone(), unknown("phase", name, names)))
}

impl TargetKind {
    /// Each target.
    pub const ALL: [Self; 6] = [
        Self::Approval,
        Self::Forensic,
        Self::Integrated,
        Self::Storage,
        Self::Memory,
        Self::Agents,
    ];

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Forensic => "forensic",
            Self::Integrated => "integrated",
            Self::Storage => "storage",
            Self::Memory => "memory",
            Self::Agents => "agents",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Opens what a load left in a directory, and holds it against a ledger.
    pub(crate) fn verify(
        self,
        dir: &Path,
        ledger: &Ledger,
        each: &mut dyn FnMut(&Discrepancy),
    ) -> Result<Verification, Error> {
        let verified = match self {
            Self::Approval => reopen(ApprovalTarget::open(dir, Journal::none()), ledger, each),
            Self::Forensic => reopen(ForensicTarget::open(dir, Journal::none()), ledger, each),
            Self::Integrated => reopen(IntegratedTarget::open(dir, Journal::none()), ledger, each),
            Self::Storage => reopen(
                <StorageTarget as Builtin>::open(dir, Journal::none()),
                ledger,
                each,
            ),
            Self::Memory => reopen(MemoryTarget::open(dir, Journal::none()), ledger, each),
            Self::Agents => reopen(AgentsTarget::reopen(dir), ledger, each),
        };
        verified.map_err(|failure| Error::Target {
            scenario: self.name().to_owned(),
            operation: "reopen",
            failure,
        })
    }
}

fn reopen<T: crate::Target>(
    opened: Result<T, Failure>,
    ledger: &Ledger,
    each: &mut dyn FnMut(&Discrepancy),
) -> Result<Verification, Failure> {
    let target = opened?;
    let verification = load_engine::verify_each(ledger, target.effects()?, each);
    target.close()?;
    Ok(verification)
}
