//! Which rule decides about an action: the rulebook of `approval-workflow`, a linear search, Rego.

mod rego;

use std::hint::black_box;
use std::time::Duration;

use action::{Action, ActionPath, PathPattern};
use anyhow::{Context as _, anyhow, ensure};
use approval_workflow::{Policy, Rule, Rulebook, Sensitivity};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::Map;

use crate::comparison::{Comparison, Effort, Measured, Role, Setting, Side, nanos_each};

const ABOUT: &str = "\
Five rules for each service, some exact, some with wildcards; the most specific one decides. Every side \
must name the same rule for each of the paths before it is measured. Ours judges the whole action, terms \
and condition included; the others only find the rule. Regorus runs compiled programs on its register \
machine, kept from call to call, and gets its input ready-made; 500 rules in one chain are more than that \
machine has registers for. The limit is code written for exactly these rules.";

/// What regorus can compile for its machine as one rule with `else`: 500 need more than its 255 registers.
const MOST_IN_A_CHAIN: usize = 10;

pub(crate) fn compare(effort: Effort) -> anyhow::Result<Comparison> {
    let setting = |rules| measure(rules, effort).with_context(|| format!("policy, {rules} rules"));
    Ok(Comparison {
        name: "policy",
        about: ABOUT,
        quality: None,
        settings: vec![setting(5)?, setting(500)?],
    })
}

fn measure(count: usize, effort: Effort) -> anyhow::Result<Setting> {
    let book = Rulebook::new(policy(count)?)?;
    let context = Map::new();
    let actions = actions(count)?;
    let ours = |at: usize| {
        let ruling = book.judge(&actions[at], &context);
        ruling.rule.map(Rule::label)
    };

    let mut ranked: Vec<&Rule> = book.policy().rules.iter().collect();
    ranked.sort_by_key(|rule| std::cmp::Reverse(rule.pattern.specificity()));
    let linear = |at: usize| {
        let matches = |rule: &&&Rule| rule.pattern.matches(&actions[at].path);
        ranked.iter().find(matches).map(|rule| rule.label())
    };
    let by_hand = |at: usize| by_hand(actions[at].path.as_str(), count);

    let inputs: Vec<Value> = actions
        .iter()
        .map(|action| serde_json::json!({ "path": action.path.as_str() }).into())
        .collect();
    let mut chain = (count <= MOST_IN_A_CHAIN)
        .then(|| Rego::new(&rego::chain(count), Value::new_object()))
        .transpose()?;
    let mut tables = Rego::new(rego::TABLES, rego::data(count))?;

    for (at, action) in actions.iter().enumerate() {
        let path = &action.path;
        let number = ours(at).map(number_of).transpose()?;
        let found = linear(at).map(number_of).transpose()?;
        ensure!(
            found == number,
            "{path}: {found:?} by linear search, {number:?} by ours"
        );
        let found = by_hand(at);
        ensure!(
            found == number,
            "{path}: {found:?} by hand, {number:?} by ours"
        );
        let styles = chain.iter_mut().map(|it| ("a chain", it));
        for (style, rego) in styles.chain([("tables", &mut tables)]) {
            let found = rego.decide(&inputs[at])?;
            let expected = Value::from(number.map_or(-1, |number| number as i64));
            ensure!(
                found == expected,
                "{path}: {found} by regorus with {style}, {number:?} by ours"
            );
        }
    }

    let window = effort.window;
    let paths = actions.len();
    let mut sides = vec![
        side(
            Role::Ours,
            "approval-workflow, Rulebook",
            window,
            paths,
            |at| {
                black_box(ours(at));
                Ok(())
            },
        ),
        side(
            Role::Peer,
            "linear search, first match",
            window,
            paths,
            |at| {
                black_box(linear(at));
                Ok(())
            },
        ),
        side(
            Role::Peer,
            "regorus, tables by service",
            window,
            paths,
            |at| {
                black_box(tables.decide(&inputs[at])?);
                Ok(())
            },
        ),
        side(
            Role::Limit,
            "hand-written for these rules",
            window,
            paths,
            |at| {
                black_box(by_hand(at));
                Ok(())
            },
        ),
    ];
    if let Some(chain) = &mut chain {
        let inputs = &inputs;
        sides.push(side(
            Role::Peer,
            "regorus, a chain of rules",
            window,
            paths,
            move |at| {
                black_box(chain.decide(&inputs[at])?);
                Ok(())
            },
        ));
    }
    Setting::measure(format!("{count} rules"), effort.rounds, sides)
}

/// Goes around the paths, from round to round.
fn side<'a>(
    role: Role,
    name: &str,
    window: Duration,
    paths: usize,
    mut decide: impl FnMut(usize) -> anyhow::Result<()> + 'a,
) -> Side<'a> {
    /// Decisions between two readings of the clock, each of which costs about half a decision.
    const BATCH: u64 = 64;
    let mut at = 0;
    Side::new(role, name, move || {
        let mut failed = None;
        let nanos = nanos_each(window, BATCH, || {
            failed = decide(at).err().or(failed.take());
            at = (at + 1) % paths;
        });
        failed.map_or(Ok(Measured::nanos(nanos)), Err)
    })
}

/// So many rules, five for each service, in the order of their numbers.
fn policy(count: usize) -> anyhow::Result<Policy> {
    let rule = |number: usize| {
        let service = number / 5;
        let pattern = match number % 5 {
            0 => format!("service-{service}/**"),
            1 => format!("service-{service}/operation-{number}"),
            2 => format!("service-{service}/delete-{number}*"),
            3 => format!("service-{service}/*/item-{number}"),
            _ => format!("service-{service}/group-{number}/*"),
        };
        Ok(Rule {
            name: Some(format!("rule {number}")),
            ..Rule::new(PathPattern::new(pattern)?, Sensitivity::High)
        })
    };
    Ok(Policy {
        rules: (0..count).map(rule).collect::<anyhow::Result<_>>()?,
        ..Policy::default()
    })
}

fn number_of(label: &str) -> anyhow::Result<usize> {
    let number = label.strip_prefix("rule ").context("a rule's label")?;
    Ok(number.parse()?)
}

/// A path for each rule and one for none, far from their neighbours.
fn actions(count: usize) -> anyhow::Result<Vec<Action>> {
    /// Prime, and no divisor of the number of paths.
    const STRIDE: usize = 7;
    let mut paths: Vec<String> = (0..count)
        .map(|number| {
            let rest = match number % 5 {
                0 => "a/b/c".to_owned(),
                1 => format!("operation-{number}"),
                2 => format!("delete-{number}-rows"),
                3 => format!("x/item-{number}"),
                _ => format!("group-{number}/y"),
            };
            format!("service-{}/{rest}", number / 5)
        })
        .collect();
    paths.push("elsewhere/operation-1".to_owned());
    let len = paths.len();
    let order = (0..len).map(|at| &paths[at * STRIDE % len]);
    order
        .map(|path| Ok(Action::new(ActionPath::new(path.as_str())?, "An operation")))
        .collect()
}

/// What these patterns come to when nobody may write others.
fn by_hand(path: &str, count: usize) -> Option<usize> {
    let (service, rest) = path.split_once('/').unwrap_or((path, ""));
    let service: usize = service.strip_prefix("service-")?.parse().ok()?;
    let first = 5 * service;
    if first >= count {
        return None;
    }
    let is = |text: &str, start: &str, number: usize| {
        text.strip_prefix(start).and_then(|it| it.parse().ok()) == Some(number)
    };
    let mut segments = rest.split('/');
    let kind = match (segments.next(), segments.next(), segments.next()) {
        (Some(one), None, _) if is(one, "operation-", first + 1) => 1,
        (Some(one), None, _) if begins(one, "delete-", first + 2) => 2,
        (Some(one), Some(_), None) if is(one, "group-", first + 4) => 4,
        (Some(_), Some(two), None) if is(two, "item-", first + 3) => 3,
        _ => 0,
    };
    Some(first + kind)
}

fn begins(text: &str, start: &str, number: usize) -> bool {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let rest = text.strip_prefix(start).and_then(|rest| rest.get(..digits));
    rest.and_then(|rest| rest.parse().ok()) == Some(number)
}

/// A compiled program on its machine.
struct Rego(RegoVM);

impl Rego {
    fn new(source: &str, data: Value) -> anyhow::Result<Self> {
        const DECISION: &str = "data.peers.decision";
        let mut engine = Engine::new();
        engine.add_policy("peers.rego".into(), source.into())?;
        let policy = engine.compile_with_entrypoint(&DECISION.into())?;
        let program = Compiler::compile_from_policy(&policy, &[DECISION])
            .map_err(|error| anyhow!("compile the policy: {error}"))?;
        let mut machine = RegoVM::new();
        machine.load_program(program);
        machine
            .set_data(data)
            .map_err(|error| anyhow!("set the data: {error}"))?;
        Ok(Self(machine))
    }

    fn decide(&mut self, input: &Value) -> anyhow::Result<Value> {
        self.0.set_input(input.clone());
        self.0
            .execute()
            .map_err(|error| anyhow!("execute the policy: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sides_name_the_same_rule_and_are_measured() {
        let effort = Effort {
            rounds: 1,
            window: Duration::from_micros(100),
        };
        let setting = measure(10, effort).unwrap();
        assert_eq!(setting.rows.len(), 5);
        let faster = |row: &crate::comparison::Row| row.nanos_each.median > 0.0;
        assert!(setting.rows.iter().all(faster));
    }

    #[test]
    fn the_hand_written_rule_knows_where_a_number_ends() {
        assert_eq!(by_hand("service-0/delete-2", 5), Some(2));
        assert_eq!(by_hand("service-0/delete-25", 5), Some(2));
        assert_eq!(by_hand("service-0/delete-x", 5), Some(0));
        assert_eq!(by_hand("service-0", 5), Some(0));
        assert_eq!(by_hand("service-1/a", 5), None);
    }
}
