use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use action::{Action, ActionPath};
use forensic_simulator::{
    ForensicSimulator, PredictedOutcome, Simulator, Stored, Timestamp, Workflow, World,
};
use load_engine::{Digest, Failure, Found, Iteration, Rng, StepSpec, Workload};
use serde_json::json;

use super::registry::{LoadFacts, NoOptions, OpenContext, RegisteredTarget};
use crate::prove::EffectsFound;
use crate::scenario::SpecError;
use crate::{Journal, Target, clock};

const SIMULATE: StepSpec = StepSpec::effectful("simulate");
const REPORT: StepSpec = StepSpec::new("fetch report");
const STATISTICS: StepSpec = StepSpec::new("statistics");

const STEPS: [StepSpec; 3] = [SIMULATE, REPORT, STATISTICS];

/// The kind of the effects in the ledger.
pub(super) const SIMULATION: &str = "simulation";

/// Actions in each simulated workflow.
const ACTIONS: usize = 5;

/// Accounts in the world that workflows meet, and what is on each.
const ACCOUNTS: u64 = 500;
const BALANCE: u64 = 1_000;

/// Simulates workflows, fetches their reports, and takes statistics.
pub struct ForensicTarget {
    simulator: ForensicSimulator,
    journal: Journal,
    acknowledged: AtomicU64,
}

/// What is planted in a workflow, and so what must come of it. The outcome is known before the
/// simulation: a simulator that always says the same is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    Overdraft,
    Shell,
}

impl Planted {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.next_u64() % 10 {
            0..7 => Self::Nothing,
            7..9 => Self::Overdraft,
            _ => Self::Shell,
        }
    }

    pub(super) fn outcome(self) -> PredictedOutcome {
        match self {
            Self::Nothing => PredictedOutcome::Success,
            Self::Overdraft => PredictedOutcome::WouldFail,
            Self::Shell => PredictedOutcome::Unsafe,
        }
    }
}

/// A simulator and the ledger of what it acknowledged: what two scenarios do alike.
pub(super) struct Simulations<'t> {
    pub(super) simulator: &'t ForensicSimulator,
    pub(super) journal: &'t Journal,
}

impl Simulations<'_> {
    pub(super) fn simulate(
        &self,
        workflow: &Workflow,
        planted: Planted,
        step: &StepSpec,
        it: &mut Iteration<'_>,
    ) -> Result<Stored, Failure> {
        it.step(step, |effects| {
            let at = Timestamp::from_micros(clock::now_micros());
            let stored = self.simulator.simulate(workflow, at)?;
            let key = stored.id.to_string();
            self.journal
                .created(effects, SIMULATION, &key, ledger_digest(&stored)?);
            let outcome = stored.report.outcome;
            if stored.report.steps.len() != workflow.steps.len() || outcome != planted.outcome() {
                return Err(Failure::new(format!(
                    "{planted:?} was planted, {outcome} came of it"
                )));
            }
            Ok(stored)
        })
    }

    /// Every stored report, its digest computed from what was read.
    pub(super) fn effects(simulator: &ForensicSimulator) -> Result<EffectsFound<'_>, Failure> {
        let found = simulator.stored()?.map(|stored| {
            let stored = stored?;
            Ok(Found::new(
                SIMULATION,
                stored.id.to_string(),
                ledger_digest(&stored)?,
            ))
        });
        Ok(Box::new(found))
    }
}

pub(super) fn open_simulator(dir: &Path) -> Result<ForensicSimulator, Failure> {
    let accounts = (0..ACCOUNTS).map(|number| (account(number), json!(BALANCE)));
    let world: World = accounts.collect();
    let simulator = Simulator::builder().builtins().build()?;
    Ok(ForensicSimulator::open(dir, simulator, world)?)
}

/// A workflow of five actions, each after the last.
pub(super) fn workflow(name: &str, planted: Planted, rng: &mut Rng) -> Result<Workflow, Failure> {
    let from = rng.next_u64() % ACCOUNTS;
    let to = (from + 1 + rng.next_u64() % (ACCOUNTS - 1)) % ACCOUNTS;
    let amount = match planted {
        Planted::Overdraft => BALANCE + 1,
        _ => rng.next_u64() % (BALANCE / 4),
    };
    let note = format!("notes/{name}");
    let last = match planted {
        Planted::Shell => action("shell/run")?.with_parameter("command", "make deploy"),
        _ => action("kv/read")?.with_parameter("key", note.clone()),
    };
    let transfer = |amount: u64| -> Result<Action, Failure> {
        Ok(action("kv/transfer")?
            .with_parameter("from", account(from))
            .with_parameter("to", account(to))
            .with_parameter("amount", amount))
    };
    let actions: [Action; ACTIONS] = [
        action("kv/read")?.with_parameter("key", account(from)),
        transfer(amount)?,
        transfer(1)?,
        action("kv/create")?
            .with_parameter("key", note)
            .with_parameter("value", "moved"),
        last,
    ];
    let mut workflow = Workflow::new(name);
    let mut before: Option<String> = None;
    for (number, action) in actions.into_iter().enumerate() {
        let id = format!("step-{}", number + 1);
        workflow = workflow.step_after(id.clone(), action, before.replace(id));
    }
    Ok(workflow)
}

fn action(path: &str) -> Result<Action, Failure> {
    Ok(Action::new(ActionPath::new(path)?, format!("Do {path}")))
}

fn account(number: u64) -> String {
    format!("accounts/{number:04}")
}

pub(super) fn ledger_digest(stored: &Stored) -> Result<Digest, Failure> {
    Ok(Digest::from_blake3(*stored.report.digest()?.as_bytes()))
}

impl ForensicTarget {
    fn fetch(&self, stored: &Stored, it: &mut Iteration<'_>) -> Result<(), Failure> {
        it.step(&REPORT, |_| {
            let fetched = self.simulator.report(stored.id)?;
            if fetched.digest != stored.digest || fetched.report != stored.report {
                return Err(Failure::new("the report is not the one that was made"));
            }
            Ok(())
        })
    }

    fn statistics(&self, it: &mut Iteration<'_>) -> Result<(), Failure> {
        // Read before the statistics are: what was acknowledged by then must be counted.
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        it.step(&STATISTICS, |_| {
            let statistics = self.simulator.statistics();
            let outcomes: u64 = statistics.outcomes.values().sum();
            if statistics.reports < acknowledged || outcomes != statistics.reports {
                return Err(Failure::new("the statistics lack an acknowledged report"));
            }
            Ok(())
        })
    }
}

impl Workload for ForensicTarget {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        STEPS.to_vec()
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let name = format!("plan-{}-{}", it.user(), it.index());
        let planted = Planted::draw(it.rng());
        let workflow = workflow(&name, planted, it.rng())?;
        let simulations = Simulations {
            simulator: &self.simulator,
            journal: &self.journal,
        };
        let stored = simulations.simulate(&workflow, planted, &SIMULATE, it)?;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.fetch(&stored, it)?;
        self.statistics(it)
    }
}

impl Target for ForensicTarget {
    fn close(self) -> Result<(), Failure> {
        Ok(self.simulator.close()?)
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        Simulations::effects(&self.simulator)
    }
}

impl RegisteredTarget for ForensicTarget {
    const NAME: &'static str = "forensic";
    type Options = NoOptions;
    type PhaseOptions = NoOptions;
    type Prepared = ();

    fn prepare(_: NoOptions, _: Vec<NoOptions>, _: &LoadFacts) -> Result<(), SpecError> {
        Ok(())
    }

    fn steps((): &()) -> Vec<StepSpec> {
        STEPS.to_vec()
    }

    fn open(dir: &Path, (): &(), context: OpenContext) -> Result<Self, Failure> {
        let journal = context.journal;
        Ok(Self {
            simulator: open_simulator(dir)?,
            journal,
            acknowledged: AtomicU64::new(0),
        })
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        RegisteredTarget::open(dir, &(), OpenContext::default())
    }
}
