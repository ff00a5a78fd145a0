//! The system that the integrated scenario acts on: accounts and notes on a log.
//!
//! It does what a plan says by code of its own, and shares nothing with the simulator's schemas: a
//! comparison of what was predicted with what was done would otherwise compare a thing with itself.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use approval_workflow::FencingToken;
use forensic_simulator::{Change, Fact, Plan, SimulationReport, World};
use jsonl_storage::{Log, LogOptions, Record, Seq};
use load_engine::Failure;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use execution::{NotExecuted, System};

/// What is on each account in the beginning.
const BALANCE: i64 = 1_000;

/// Accounts and notes.
pub(super) struct Bank {
    log: Log<Entry>,
    state: RwLock<State>,
}

struct State {
    world: World,
    used: HashSet<u64>,
    /// What all accounts together must hold.
    total: i64,
}

/// A record of the log: what was done, for which claim; or what came from outside, for none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The token of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<u64>,
    /// Each key that changed, once, with what is there now; null where it is gone.
    changes: BTreeMap<String, Option<Value>>,
}

impl Entry {
    /// What is recorded of a plan that was done.
    pub(super) fn done(token: u64, changes: &[Change]) -> Self {
        let after = |change: &Change| change.after.as_ref().and_then(Fact::value).cloned();
        let changes = changes
            .iter()
            .map(|change| (change.key.as_str().to_owned(), after(change)));
        Self {
            token: Some(token),
            changes: changes.collect(),
        }
    }
}

impl Bank {
    /// Opens the log, and folds the state from it.
    pub(super) fn open(dir: &Path, accounts: u64) -> Result<Self, Failure> {
        let world = (0..accounts).map(|number| (account(number), Value::from(BALANCE)));
        let mut state = State {
            world: world.collect(),
            used: HashSet::new(),
            total: BALANCE * i64::try_from(accounts)?,
        };
        let log: Log<Entry> = LogOptions::new()
            .chained_when_new()
            .chained_in_groups()
            .open(dir)?;
        for record in log.scan()? {
            let Record { seq, data } = record?;
            state
                .fold(&data)
                .map_err(|fault| Failure::new(format!("entry {seq} of the bank: {fault}")))?;
        }
        Ok(Self {
            log,
            state: RwLock::new(state),
        })
    }

    /// The balance of an account.
    pub(super) fn balance(&self, account: &str) -> i64 {
        amount_in(&self.state.read().world, account).unwrap_or(0)
    }

    /// Pays in from outside: the world moves, and no approval was asked for.
    pub(super) fn pay_in(&self, account: &str, amount: i64) -> Result<Seq, Failure> {
        let mut state = self.state.write();
        let balance = amount_in(&state.world, account).map_err(Failure::new)?;
        let entry = Entry {
            token: None,
            changes: BTreeMap::from([(account.to_owned(), Some(Value::from(balance + amount)))]),
        };
        let ticket = self.log.submit(&entry)?;
        state.fold(&entry).map_err(Failure::new)?;
        drop(state);
        Ok(ticket.wait()?)
    }

    /// What was done for claims, from the log itself; at the end, whether the accounts together
    /// hold what they must.
    pub(super) fn executions(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, Entry), Failure>>, Failure> {
        let entries = self.log.scan()?.filter_map(|record| match record {
            Ok(record) => Some(Ok((record.data.token?, record.data))),
            Err(error) => Some(Err(Failure::from(error))),
        });
        Ok(entries.chain(self.audit().err().map(Err)))
    }

    fn audit(&self) -> Result<(), Failure> {
        let state = self.state.read();
        let mut sum = 0;
        for (key, _) in state
            .world
            .iter()
            .filter(|(key, _)| is_account(key.as_str()))
        {
            sum += amount_in(&state.world, key.as_str()).map_err(Failure::new)?;
        }
        if sum == state.total {
            return Ok(());
        }
        let total = state.total;
        Err(Failure::new(format!(
            "the accounts hold {sum} together, and {total} was paid in"
        )))
    }

    pub(super) fn close(self) -> Result<(), Failure> {
        Ok(self.log.close()?)
    }
}

impl State {
    fn fold(&mut self, entry: &Entry) -> Result<(), String> {
        match entry.token {
            Some(token) if !self.used.insert(token) => {
                return Err(format!("token {token} was used twice"));
            }
            Some(_) => {}
            None => self.total += self.growth(entry)?,
        }
        for (key, value) in &entry.changes {
            match value {
                Some(value) => drop(self.world.insert(key.as_str(), value.clone())),
                None => drop(self.world.remove(key)),
            }
        }
        Ok(())
    }

    fn growth(&self, entry: &Entry) -> Result<i64, String> {
        let mut growth = 0;
        for (key, value) in &entry.changes {
            let after = value.as_ref().and_then(Value::as_i64).ok_or("no amount")?;
            growth += after - amount_in(&self.world, key)?;
        }
        Ok(growth)
    }
}

impl System for Bank {
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.state.read().world)
    }

    fn execute(
        &self,
        plan: &Plan,
        predicted: &SimulationReport,
        token: FencingToken,
    ) -> Result<Vec<Change>, NotExecuted> {
        let mut state = self.state.write();
        if state.used.contains(&token.0) {
            return Err(NotExecuted::TokenUsed(token));
        }
        let moved = predicted.moved_keys(&state.world);
        if !moved.is_empty() {
            return Err(NotExecuted::Changed(moved.into_iter().cloned().collect()));
        }
        let mut work = Work {
            world: &state.world,
            changed: BTreeMap::new(),
        };
        for &position in plan.order() {
            let action = &plan.steps()[position].action;
            work.step(action.path.as_str(), &action.parameters)
                .map_err(NotExecuted::Refused)?;
        }
        let changed = work.changed;
        let observed = changed.iter().map(|(key, after)| Change {
            key: key.as_str().into(),
            before: state.world.get(key).cloned(),
            after: after.clone().map(Fact::from),
        });
        let observed = observed.collect();
        let entry = Entry {
            token: Some(token.0),
            changes: changed,
        };
        // The log's order is the order of the states; the disk is waited for without the lock.
        let ticket = self
            .log
            .submit(&entry)
            .map_err(|error| NotExecuted::Refused(error.to_string()))?;
        state.fold(&entry).map_err(NotExecuted::Unknown)?;
        drop(state);
        ticket
            .wait()
            .map_err(|error| NotExecuted::Unknown(error.to_string()))?;
        Ok(observed)
    }
}

/// One plan on its way: nothing of it is seen before all of it is done.
struct Work<'w> {
    world: &'w World,
    changed: BTreeMap<String, Option<Value>>,
}

impl Work<'_> {
    fn step(&mut self, path: &str, parameters: &Map<String, Value>) -> Result<(), String> {
        let text = |name: &str| {
            let value = parameters.get(name).and_then(Value::as_str);
            value.ok_or_else(|| format!("{path} lacks {name}"))
        };
        match path {
            "kv/read" => match self.get(text("key")?) {
                Some(_) => Ok(()),
                None => Err(format!("{} is not there", text("key")?)),
            },
            "kv/create" => {
                let key = text("key")?;
                let value = parameters.get("value").ok_or("no value")?.clone();
                match self.get(key) {
                    Some(_) => Err(format!("{key} is there already")),
                    None => {
                        self.changed.insert(key.to_owned(), Some(value));
                        Ok(())
                    }
                }
            }
            "kv/transfer" => {
                let amount = parameters.get("amount").and_then(Value::as_i64);
                let amount = amount.filter(|amount| *amount >= 0).ok_or("no amount")?;
                self.add(text("from")?, -amount)?;
                self.add(text("to")?, amount)
            }
            other => Err(format!("the bank does not do {other}")),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        match self.changed.get(key) {
            Some(value) => value.as_ref(),
            None => self.world.get(key)?.value(),
        }
    }

    fn add(&mut self, account: &str, amount: i64) -> Result<(), String> {
        let balance = self.get(account).and_then(Value::as_i64);
        let balance = balance.ok_or_else(|| format!("{account} is no account"))? + amount;
        if balance < 0 {
            return Err(format!("{account} would be overdrawn"));
        }
        self.changed
            .insert(account.to_owned(), Some(balance.into()));
        Ok(())
    }
}

fn amount_in(world: &World, account: &str) -> Result<i64, String> {
    let fact = world.get(account).and_then(Fact::value);
    let amount = fact.and_then(Value::as_i64);
    amount.ok_or_else(|| format!("{account} is no account"))
}

const ACCOUNTS: &str = "accounts/";

fn is_account(key: &str) -> bool {
    key.starts_with(ACCOUNTS)
}

/// The name of an account.
pub(super) fn account(number: u64) -> String {
    format!("{ACCOUNTS}{number:04}")
}
