use action::{Action, ActionPath};
use approval_workflow::DenyReason;
use forensic_simulator::{PredictedOutcome, Workflow};
use load_engine::{Failure, Iteration};

use super::bank::{Bank, account};

/// The users with two accounts of their own; what anybody else does may meet another's plan.
const OWNERS: u64 = 2_000;

/// The accounts that everybody uses.
const SHARED: u64 = 10;

pub(super) const ACCOUNTS: u64 = SHARED + 2 * OWNERS;

/// Twice what a plan moves at most: the richer of two accounts has enough.
const MOST: u64 = 200;

/// What is planted in a plan or in the world around it, and so what must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    /// More is to be moved than is there.
    Overdraft,
    /// A step may do anything.
    Shell,
    /// The world moves between the approval and the claim.
    MovesBeforeTheClaim,
    /// The world moves between the claim and the execution.
    MovesAfterTheClaim,
    /// Everybody uses the same accounts: the world may move at any time.
    Contended,
}

impl Planted {
    pub(super) fn outcome(self) -> PredictedOutcome {
        match self {
            Self::Overdraft => PredictedOutcome::WouldFail,
            Self::Shell => PredictedOutcome::Unsafe,
            _ => PredictedOutcome::Success,
        }
    }
}

/// One plan of one user.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) planted: Planted,
    /// Whether a person decides it even if it would succeed.
    pub(super) large: bool,
    name: String,
    amount: u64,
    /// Two different accounts.
    accounts: [u64; 2],
}

impl Task {
    pub(super) fn draw(it: &mut Iteration<'_>) -> Self {
        let user = u64::from(it.user());
        let name = format!("task-{}-{}", it.user(), it.index());
        let rng = it.rng();
        let mut planted = match rng.next_u64() % 10 {
            0..5 => Planted::Nothing,
            5 => Planted::Overdraft,
            6 => Planted::Shell,
            7 => Planted::MovesBeforeTheClaim,
            8 => Planted::MovesAfterTheClaim,
            _ => Planted::Contended,
        };
        if user >= OWNERS {
            planted = Planted::Contended;
        }
        let accounts = match planted {
            Planted::Contended => {
                let first = rng.next_u64() % SHARED;
                [first, (first + 1 + rng.next_u64() % (SHARED - 1)) % SHARED]
            }
            _ => [SHARED + 2 * user, SHARED + 2 * user + 1],
        };
        Self {
            planted,
            large: rng.next_u64().is_multiple_of(2),
            name,
            amount: 1 + rng.next_u64() % (MOST / 2),
            accounts,
        }
    }

    /// The account that is taken from: the richer one.
    pub(super) fn from(&self, bank: &Bank) -> String {
        self.richer_first(bank).0
    }

    fn richer_first(&self, bank: &Bank) -> (String, String) {
        let [a, b] = self.accounts.map(account);
        if bank.balance(&a) >= bank.balance(&b) {
            (a, b)
        } else {
            (b, a)
        }
    }

    /// Five actions, each after the last.
    pub(super) fn workflow(&self, bank: &Bank) -> Result<Workflow, Failure> {
        let (from, to) = self.richer_first(bank);
        let note = format!("notes/{}", self.name);
        let amount = match self.planted {
            Planted::Overdraft => u64::try_from(bank.balance(&from))? + 1,
            _ => self.amount,
        };
        let last = match self.planted {
            Planted::Shell => action("shell/run")?.with_parameter("command", "make deploy"),
            _ => action("kv/read")?.with_parameter("key", note.clone()),
        };
        let transfer = |amount: u64| -> Result<Action, Failure> {
            Ok(action("kv/transfer")?
                .with_parameter("from", from.clone())
                .with_parameter("to", to.clone())
                .with_parameter("amount", amount))
        };
        let actions = [
            action("kv/read")?.with_parameter("key", from.clone()),
            transfer(amount)?,
            transfer(1)?,
            action("kv/create")?
                .with_parameter("key", note)
                .with_parameter("value", "moved"),
            last,
        ];
        let mut workflow = Workflow::new(&self.name);
        let mut before: Option<String> = None;
        for (number, action) in actions.into_iter().enumerate() {
            let id = format!("step-{}", number + 1);
            workflow = workflow.step_after(id.clone(), action, before.replace(id));
        }
        Ok(workflow)
    }

    /// For which reasons the claim may be refused; none if it must not be.
    pub(super) fn refusals(&self) -> &'static [DenyReason] {
        const STALE: &[DenyReason] = &[DenyReason::EffectsChanged, DenyReason::ReadsChanged];
        match self.planted {
            Planted::Nothing | Planted::MovesAfterTheClaim => &[],
            Planted::Overdraft | Planted::Shell => &[DenyReason::Denied],
            Planted::MovesBeforeTheClaim | Planted::Contended => STALE,
        }
    }

    /// Whether it may be done.
    pub(super) fn may_be_done(&self) -> bool {
        matches!(self.planted, Planted::Nothing | Planted::Contended)
    }

    /// Whether the world may move between the claim and the execution.
    pub(super) fn may_move_late(&self) -> bool {
        matches!(
            self.planted,
            Planted::MovesAfterTheClaim | Planted::Contended
        )
    }
}

fn action(path: &str) -> Result<Action, Failure> {
    Ok(Action::new(ActionPath::new(path)?, format!("Do {path}")))
}
