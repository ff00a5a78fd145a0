use std::fmt;
use std::num::NonZeroU64;
use std::path::Path;
use std::str::FromStr;

use load_engine::Failure;

use crate::sizes::{Load, Sizes as _};
use crate::targets::{
    ApprovalTarget, ForensicTarget, IntegratedTarget, MemoryTarget, StorageTarget,
};
use crate::{Error, Journal, Progress, Target, Trial, prove};
use report::{ScenarioResult, Settings};

/// The scenarios that come with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scenario {
    /// Requests, decisions and the gate.
    Approval,
    /// Simulations, reports and statistics.
    Forensic,
    /// Whole plans: rehearsed, asked for, decided, rehearsed again at the claim, executed, and held
    /// against what was foretold.
    Integrated,
    /// Durable appends, queries and statistics of the log.
    Storage,
    /// The four tiers of the memory store, one by one and together.
    Memory,
}

impl Scenario {
    /// Every scenario, in the order in which a suite runs them.
    pub const ALL: [Self; 5] = [
        Self::Approval,
        Self::Forensic,
        Self::Integrated,
        Self::Storage,
        Self::Memory,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Forensic => "forensic",
            Self::Integrated => "integrated",
            Self::Storage => "storage",
            Self::Memory => "memory",
        }
    }

    /// What it does, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Approval => "create a request, decide it, ask the gate",
            Self::Forensic => "simulate 5 actions, fetch the report, take statistics",
            Self::Integrated => {
                "rehearse, ask, decide, rehearse again at the claim, execute, reconcile"
            }
            Self::Storage => "append durably, query the pending records, take full statistics",
            Self::Memory => "remember, link, recall by every tier, forget",
        }
    }

    pub(crate) fn load(self, settings: &Settings) -> Load {
        match self {
            Self::Approval | Self::Forensic => settings.load(100, 10),
            Self::Integrated => settings.load(50, 1),
            Self::Storage => match settings.records {
                None => settings.load_of_total(100, 5000),
                Some(records) => {
                    // What was asked for is not shortened, quick or not.
                    Settings {
                        quick: false,
                        ..settings.clone()
                    }
                    .load_of_total(settings.load(100, 1).users.get(), records.get())
                }
            },
            Self::Memory => settings.load(100, MemoryTarget::OPERATIONS_PER_USER),
        }
    }

    /// What a load writes, by a generous estimate: records with their indexes and journals.
    pub(crate) fn needed_bytes(self, load: Load, duration_ms: Option<NonZeroU64>) -> u64 {
        const PER_ITERATION: u64 = 8 << 10;
        /// Of a load that ends by time: what a fast disk takes of small records in a millisecond.
        const PER_MILLISECOND: u64 = 64 << 10;
        const AT_LEAST: u64 = 16 << 20;
        let written = match duration_ms {
            Some(ms) => ms.get().saturating_mul(PER_MILLISECOND),
            None => load.total().saturating_mul(PER_ITERATION),
        };
        written.saturating_add(AT_LEAST)
    }

    /// Puts the load on the scenario's target and verifies every effect.
    ///
    /// # Errors
    ///
    /// As [`prove`], and when the journal could not be written.
    pub fn run(
        self,
        trial: &Trial,
        journal: &Journal,
        progress: &mut dyn Progress,
    ) -> Result<ScenarioResult, Error> {
        let result = match self {
            Self::Approval => go::<ApprovalTarget>(trial, journal, progress),
            Self::Forensic => go::<ForensicTarget>(trial, journal, progress),
            Self::Integrated => go::<IntegratedTarget>(trial, journal, progress),
            Self::Storage => go::<StorageTarget>(trial, journal, progress),
            Self::Memory => go::<MemoryTarget>(trial, journal, progress),
        };
        journal.check()?;
        result
    }
}

/// A target that comes with the program.
pub(crate) trait Builtin: Target {
    /// Opens it in a directory.
    fn open(dir: &Path, journal: Journal) -> Result<Self, Failure>;
}

fn go<T: Builtin>(
    trial: &Trial,
    journal: &Journal,
    progress: &mut dyn Progress,
) -> Result<ScenarioResult, Error> {
    prove(trial, |dir| T::open(dir, journal.clone()), progress)
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scenario {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name)
            .ok_or_else(|| Error::UnknownScenario {
                name: name.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            })
    }
}
