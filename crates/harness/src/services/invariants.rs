//! Invariants: requests whose answer is the same before, during and after the load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{Outcome, Values, Wanted, canonical};
use load_engine::{Defect, Discrepancy, Expectation, Failure, SHOWN_DISCREPANCIES};
use report::InvariantReport;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::beside::beside;
use super::judge::{judge, want};
use super::program::{Invariant, Program};
use super::user::User;

/// How long a check outside the load waits for an answer: a service may be on its way up.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How long it waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What the invariants of a file gave so far.
#[derive(Default)]
pub(super) struct Checks {
    checks: Vec<Check>,
}

/// What one of them gave.
#[derive(Clone)]
struct Check {
    report: InvariantReport,
    /// The answer before the load, where the file expects nothing else.
    before: Option<String>,
    /// The first violations.
    violations: Vec<Discrepancy>,
    /// Why it could not be asked outside the load.
    unreadable: Vec<String>,
}

/// An answer against what is expected.
enum Seen {
    Holds(String),
    Violated { expected: String, found: String },
    Unanswered(String),
}

impl Checks {
    /// Asks each invariant before the load.
    ///
    /// # Errors
    ///
    /// One does not hold, or cannot be asked.
    pub(super) async fn before(program: &Program, values: &Values) -> Result<Self, Failure> {
        let mut checks = Self::default();
        for invariant in &program.invariants {
            let told = |told: &str| {
                let name = &invariant.name;
                Failure::new(format!("the invariant `{name}` before the load: {told}"))
            };
            let mut user = User::new(program, values.clone());
            let answer = match ask(program, invariant, None, &mut user).await {
                Seen::Holds(answer) => answer,
                Seen::Violated { found, .. } => return Err(told(&found)),
                Seen::Unanswered(why) => return Err(told(&why)),
            };
            checks.checks.push(Check {
                report: InvariantReport {
                    name: invariant.name.to_string(),
                    asked: 1,
                    ..InvariantReport::default()
                },
                before: (!invariant.has_expect).then_some(answer),
                violations: Vec::new(),
                unreadable: Vec::new(),
            });
        }
        Ok(checks)
    }

    /// Asks each invariant outside the load.
    pub(super) async fn ask_all(&mut self, program: &Program, values: &Values, stage: &str) {
        for (check, invariant) in self.checks.iter_mut().zip(&program.invariants) {
            let mut user = User::new(program, values.clone());
            let until = Instant::now() + ANSWER_WITHIN;
            let seen = loop {
                let seen = ask(program, invariant, check.before.as_deref(), &mut user).await;
                if !matches!(seen, Seen::Unanswered(_)) || Instant::now() >= until {
                    break seen;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            };
            if let Seen::Unanswered(why) = &seen {
                let told = format!("invariant {}, {stage}: {why}", invariant.name);
                check.unreadable.push(told);
            }
            check.take(seen, stage);
        }
    }

    /// How many answers violated an invariant, and how many could not be had outside the load.
    pub(super) fn counts(&self) -> (u64, u64) {
        let checks = self.checks.iter();
        checks.fold((0, 0), |(violated, unreadable), check| {
            let unread = check.unreadable.len() as u64;
            (violated + check.report.violated, unreadable + unread)
        })
    }

    /// What they found, and the discrepancies of it.
    pub(super) fn finish(self) -> (Vec<InvariantReport>, Vec<Discrepancy>) {
        let (mut reports, mut wrong) = (Vec::new(), Vec::new());
        for check in self.checks {
            wrong.extend(check.violations);
            let unreadable = check.unreadable.into_iter();
            wrong.extend(unreadable.map(|why| Discrepancy {
                defect: Defect::Unreadable,
                kind: String::new(),
                key: why,
                expected: Expectation::NeverAcknowledged,
                found: None,
                value: None,
                user: None,
            }));
            reports.push(check.report);
        }
        (reports, wrong)
    }
}

impl Check {
    fn take(&mut self, seen: Seen, when: &str) {
        self.report.asked += 1;
        match seen {
            Seen::Holds(_) => {}
            Seen::Unanswered(_) => self.report.unanswered += 1,
            Seen::Violated { expected, found } => {
                self.report.violated += 1;
                let first = self.report.first_violation.is_none();
                if first {
                    self.report.first_violation = Some(format!("{when}: {found}"));
                }
                if self.violations.len() < SHOWN_DISCREPANCIES {
                    self.violations.push(Discrepancy {
                        defect: Defect::Violated,
                        kind: "invariant".to_owned(),
                        key: format!("{} {when}", self.report.name),
                        expected: Expectation::Value(expected),
                        found: None,
                        value: Some(found),
                        user: None,
                    });
                }
            }
        }
    }
}

/// Asks an invariant once.
async fn ask(
    program: &Program,
    invariant: &Invariant,
    before: Option<&str>,
    user: &mut User,
) -> Seen {
    let step = &invariant.step;
    want(step, &mut user.answer);
    if !invariant.has_expect {
        user.answer.wanted = Wanted::PARSED;
    }
    user.connect(program, step.request.service).await;
    let by_protocol = user.ask(program, &step.request).await;
    if let Outcome::Refused(why) | Outcome::Unknown(why) = by_protocol {
        return Seen::Unanswered(why.to_string());
    }
    if let Outcome::Refused(why) | Outcome::Unknown(why) =
        judge(step, by_protocol, &user.answer, &user.values)
    {
        let expected = "what its `expect` says".to_owned();
        return Seen::Violated {
            expected,
            found: why.to_string(),
        };
    }
    let found = canonical(&user.answer.body);
    let found = String::from_utf8_lossy(&found).into_owned();
    match before {
        Some(before) if before != found => Seen::Violated {
            expected: before.to_owned(),
            found,
        },
        _ => Seen::Holds(found),
    }
}

/// Runs a load, during which each invariant is asked again and again, over connections of their own.
pub(super) fn during<T>(
    program: &Arc<Program>,
    values: &Values,
    checks: &mut Checks,
    load: impl FnOnce() -> T,
) -> Result<T, Failure> {
    if checks.checks.is_empty() {
        return Ok(load());
    }
    let (stop, stopped) = watch::channel(());
    let begun = std::mem::take(&mut checks.checks);
    let (loaded, asked) = beside(
        "harness:invariants",
        move || ask_each(program, values, begun, stopped),
        || {
            let loaded = load();
            drop(stop);
            loaded
        },
    )?;
    checks.checks = asked;
    Ok(loaded)
}

/// Asks each invariant until the load is over; gives them in the file's order.
async fn ask_each(
    program: &Arc<Program>,
    values: &Values,
    checks: Vec<Check>,
    stopped: watch::Receiver<()>,
) -> Vec<Check> {
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for (number, mut check) in checks.into_iter().enumerate() {
        let (program, values) = (Arc::clone(program), values.clone());
        let mut stopped = stopped.clone();
        asking.spawn_local(async move {
            let invariant = &program.invariants[number];
            let mut user = User::new(&program, values);
            let mut turns = tokio::time::interval(invariant.every);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let turn = async {
                    turns.tick().await;
                    ask(&program, invariant, check.before.as_deref(), &mut user).await
                };
                tokio::select! {
                    seen = turn => {
                        let when = format!("after {:.1} s of load", began.elapsed().as_secs_f64());
                        check.take(seen, &when);
                    }
                    // What is under way is not waited for: it is asked again after the load.
                    _ = stopped.changed() => return (number, check),
                }
            }
        });
    }
    let mut done = Vec::new();
    while let Some(ended) = asking.join_next().await {
        done.push(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
    }
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, check)| check).collect()
}
