//! How long the engine that ships and Cedar take for the same decisions, by the same policy.
//!
//! ```text
//! cargo run --release --example ratio
//! ```
//!
//! Rounds of both alternate. Cedar is timed twice: from the action and its context, as ours is, and with
//! the question in its own form already, so that only its authorizer runs. Medians of the rounds.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use action::{Action, ActionPath};
use approval_workflow::{Policy, PolicyEngine, Rulebook};
use proofload_cedar::CedarEngine;
use serde_json::{Map, Value, json};

const ROUNDS: usize = 31;
const DECISIONS: usize = 3_000; // of each engine in a round

const POLICY: &str = r#"
    [[rules]]
    pattern = "payments/**"
    sensitivity = "high"
    auto_approve.all = [
        { equals = { field = "context.environment", value = "test" } },
        { less_than = { field = "parameters.amount_cents", value = 5000 } },
    ]
    [[rules]]
    pattern = "payments/refund"
    sensitivity = "high"
    auto_deny.not.less_than = { field = "parameters.amount_cents", value = 100000 }
    [[rules]]
    pattern = "deploy/*"
    sensitivity = "medium"
    auto_approve.one_of = { field = "context.environment", values = ["test", "staging"] }
    [[rules]]
    pattern = "reports/**"
    sensitivity = "none"
    [[rules]]
    pattern = "db/*/drop"
    sensitivity = "critical"
    auto_deny = "always"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let policy = Policy::from_toml(POLICY)?;
    let (ours, cedar) = (Rulebook::new(policy.clone())?, CedarEngine::new(policy)?);
    let requests = requests()?;
    let mut prepared = Vec::new();
    for (action, context) in &requests {
        if ours.judge(action, context) != cedar.judge(action, context) {
            return Err(format!("the two differ about {action:?}").into());
        }
        prepared.push(cedar.question(action, context).ok_or("no question")?);
    }

    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let judge = |engine: &dyn PolicyEngine| {
            timed(|number| {
                let (action, context) = &requests[number % requests.len()];
                black_box(engine.judge(black_box(action), context));
            })
        };
        let whole = (judge(&ours), judge(&cedar));
        let alone = timed(|number| {
            black_box(cedar.ask(black_box(&prepared[number % prepared.len()])));
        });
        rounds.push((whole.0, whole.1, alone));
    }
    let nanos = |span: Duration| span.as_secs_f64() * 1e9 / DECISIONS as f64;
    let median = |pick: &dyn Fn(&(Duration, Duration, Duration)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ratio = |pick: fn(&(Duration, Duration, Duration)) -> Duration| {
        median(&|round| pick(round).as_secs_f64() / round.0.as_secs_f64())
    };
    say(&format!(
        "ours: {:.0} ns a decision",
        median(&|round| nanos(round.0))
    ));
    say(&format!(
        "Cedar: {:.0} ns, {:.0} times ours; its authorizer alone: {:.0} ns, {:.0} times",
        median(&|round| nanos(round.1)),
        ratio(|round| round.1),
        median(&|round| nanos(round.2)),
        ratio(|round| round.2),
    ));
    Ok(())
}

type Asked = (Action, Map<String, Value>);

fn requests() -> Result<Vec<Asked>, Box<dyn Error>> {
    let all = [
        ("payments/refund", 1250, "test"),
        ("payments/refund", 250_000, "live"),
        ("payments/out/sepa", 4999, "test"),
        ("deploy/web", 1, "staging"),
        ("reports/daily/sales", 1, "live"),
        ("db/orders/drop", 1, "test"),
        ("unheard/of", 1, "test"),
    ];
    let made = all.into_iter().map(|(path, cents, environment)| {
        let action = Action::new(ActionPath::new(path)?, "Do it")
            .with_description("the customer sent it back")
            .with_parameter("order", "A-17")
            .with_parameter("amount_cents", cents);
        let context = json!({"environment": environment, "simulation": {"outcome": "succeeded"}});
        let context = context.as_object().ok_or("no object")?.clone();
        Ok((action, context))
    });
    made.collect()
}

fn timed(mut work: impl FnMut(usize)) -> Duration {
    let watch = Instant::now();
    (0..DECISIONS).for_each(&mut work);
    watch.elapsed()
}

fn say(text: &str) {
    println!("{text}");
}
