//! Plans of classical planning domains: the simulator's verdict against a validator written for
//! this test, over generated problems, plans that work, and plans that were spoilt.

#[path = "problems.rs"]
pub(crate) mod problems;
#[path = "validator.rs"]
pub(crate) mod validator;

use forensic_simulator::{Plan, PredictedOutcome, Simulator, StripsDomain, Timestamp, World};

use self::problems::{DOMAINS, Start};
use self::validator::{Call, Domain, Problem};

/// SplitMix64, below a bound.
pub(crate) fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % below as u64) as usize
    }
}

fn text(plan: &[Call]) -> String {
    let lines: Vec<_> = plan
        .iter()
        .map(|call| format!("({})", call.join(" ")))
        .collect();
    lines.join("\n")
}

/// Spoils a plan, or perhaps not.
fn mutate(
    domain: &Domain,
    problem: &Problem,
    plan: &[Call],
    random: &mut impl FnMut(usize) -> usize,
) -> Vec<Call> {
    let mut plan = plan.to_vec();
    let at = random(plan.len());
    match random(8) {
        0 => drop(plan.remove(at)),
        1 => plan.insert(at, plan[at].clone()),
        2 => {
            let other = random(plan.len());
            plan.swap(at, other);
        }
        3 => plan[at] = domain.any_call(problem, random),
        4 => plan.insert(at, domain.any_call(problem, random)),
        5 if plan[at].len() > 1 => {
            let argument = 1 + random(plan[at].len() - 1);
            plan[at][argument].clone_from(&problem.objects[random(problem.objects.len())].0);
        }
        6 => match random(3) {
            0 => plan[at][0] = "no-such-action".to_owned(),
            1 => plan[at].push(problem.objects[0].0.clone()),
            _ => drop(plan[at].pop()),
        },
        _ => plan.truncate(at + 1),
    }
    plan.retain(|call| !call.is_empty());
    plan
}

/// The step at which the simulator says that a plan goes wrong.
pub(crate) fn first_fault(simulator: &Simulator, plan: &Plan, world: &World) -> Option<usize> {
    let report = simulator.simulate(plan, world, Timestamp::default());
    let mut steps = report.steps.iter();
    let fault = steps.position(|step| step.outcome != PredictedOutcome::Success);
    assert_eq!(fault.is_none(), report.outcome == PredictedOutcome::Success);
    fault
}

/// Each domain with so many problems, of which each has a plan that works and so many mutants;
/// calls back with the verdict of the validator and that of the simulator.
pub(crate) fn compare(
    problems: usize,
    mutants: usize,
    found: &mut impl FnMut(&str, &str, Option<usize>, Option<usize>),
) {
    for (name, source, make) in DOMAINS {
        let (domain, own) = (Domain::read(source), StripsDomain::parse(source).unwrap());
        for number in 0..problems {
            let mut random = random(number as u64 + 1);
            let mut start = Start::default();
            make(&mut start, &mut random);
            let mut problem = start.problem();
            let length = 4 + random(9);
            let plan = domain.walk(&mut problem, length, &mut random);
            assert!(!plan.is_empty(), "{name} {number}");
            let imported = own.problem(&problem.text(name)).unwrap();
            let simulator = own
                .register(&imported, Simulator::builder())
                .build()
                .unwrap();
            for mutant in 0..=mutants {
                let plan = match mutant {
                    0 => plan.clone(),
                    _ => mutate(&domain, &problem, &plan, &mut random),
                };
                let text = text(&plan);
                let expected = domain.first_fault(&problem, &plan);
                let verdict = match own.plan(&text) {
                    Ok(workflow) => {
                        let checked = simulator.check(workflow).unwrap();
                        first_fault(&simulator, &checked, &imported.world)
                    }
                    // A plan with an action that the domain does not have is refused as a whole.
                    Err(error) => {
                        let error = error.to_string();
                        assert!(
                            error.contains("the domain has no action \"no-such-action\""),
                            "{error}"
                        );
                        expected.or_else(|| panic!("refused, and it works: {text}"))
                    }
                };
                found(name, &text, expected, verdict);
            }
        }
    }
}

#[test]
fn ten_thousand_spoilt_plans_get_the_verdict_of_an_independent_validator() {
    let (mut plans, mut valid) = (0, 0);
    compare(28, 30, &mut |name, text, expected, found| {
        plans += 1;
        valid += usize::from(expected.is_none());
        assert_eq!(found, expected, "{name}:\n{text}");
    });
    // 12 domains × 28 problems × (a plan that works and 30 mutants).
    assert_eq!(plans, 10_416);
    // Neither verdict is so rare that agreeing on it would show little.
    assert!(valid > 1_500 && plans - valid > 4_000, "{valid} of {plans}");
}

#[test]
fn text_that_is_no_strips_is_refused_at_its_place() {
    for (text, message) in [
        ("", "PDDL, line 1, column 1: expected `(`"),
        (
            "(define (domain d)\n  (:action",
            "PDDL, line 2, column 3: `(` without its `)`",
        ),
        (
            "(define (problem p))",
            "PDDL, line 1, column 1: expected (define (domain …) …)",
        ),
        (
            "(define (domain d)) (x)",
            "PDDL, line 1, column 21: the text goes on after its end",
        ),
        (
            "(define (domain d) (:requirements :durative-actions))",
            "PDDL, line 1, column 35: only :strips, ",
        ),
        (
            "(define (domain d) (:derived (x)))",
            "PDDL, line 1, column 20: :derived is not supported",
        ),
        (
            "(define (domain d) (:action a :parameters () :effect (assign (x) (y))))",
            "PDDL, line 1, column 54: \"assign\" is not supported here",
        ),
        (
            "(define (domain d) (:action a) (:action a))",
            "PDDL, line 1, column 41: there are two actions of this name",
        ),
        (
            "(define (domain d/e))",
            "PDDL, line 1, column 17: \"d/e\" is no name of PDDL",
        ),
    ] {
        let error = StripsDomain::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\n{message}");
    }
    for (text, message) in [
        (
            "(define (domain d) (:predicates (p ?x)) (:action a :effect (p ?x)))",
            "PDDL, line 1, column 63: it names parameter \"x\", which is not declared",
        ),
        (
            "(define (domain d) (:predicates (p ?x)) (:action a :effect (p)))",
            "PDDL, line 1, column 60: predicate \"p\" takes 1 arguments, not 0",
        ),
        (
            "(define (domain d) (:predicates (p ?x)) (:action a :effect (p here)))",
            "PDDL, line 1, column 63: object \"here\" is not declared",
        ),
        (
            "(define (domain d) (:predicates (p ?x - place)))",
            "PDDL, line 1, column 33: type \"place\" is not declared",
        ),
        (
            "(define (domain d) (:action a :effect (p)))",
            "PDDL, line 1, column 39: predicate \"p\" is not declared",
        ),
    ] {
        let error = StripsDomain::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\n{message}");
    }
    let domain =
        StripsDomain::parse("(define (domain d) (:predicates (p)) (:action a :effect (p)))")
            .unwrap();
    let error = domain.plan("(a)\n(b)").unwrap_err().to_string();
    assert_eq!(
        error,
        "PDDL, line 2, column 1: the domain has no action \"b\""
    );
    let error = domain
        .problem("(define (problem p) (:domain e))")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"PDDL, line 1, column 21: it is not of domain "d""#
    );
}

const DOORS: &str = "(define (domain doors)
  (:requirements :strips :typing :equality :negative-preconditions :conditional-effects :adl :action-costs)
  (:types room door - object hall - room)
  (:constants attic - room)
  (:predicates (in ?r - room) (joins ?d - door ?a ?b - room) (open ?d - door) (lit ?r - room) (seen ?r - room))
  (:functions (total-cost) - number (length ?a ?b - room) - number)
  (:action move :parameters (?a ?b - room ?d - door)
    :precondition (and (in ?a) (not (= ?a ?b)) (or (joins ?d ?a ?b) (joins ?d ?b ?a)) (open ?d))
    :effect (and (in ?b) (not (in ?a)) (when (lit ?b) (seen ?b)) (increase (total-cost) (length ?a ?b))))
  (:action light-all :parameters ()
    :precondition (exists (?r - room) (in ?r))
    :effect (forall (?r - room) (when (not (lit ?r)) (lit ?r))))
  (:action shut :parameters (?d - door)
    :precondition (forall (?r - room) (imply (in ?r) (lit ?r)))
    :effect (not (open ?d))))";

const HOUSE: &str = "(define (problem house) (:domain doors)
  (:objects kitchen - room lobby - hall d1 d2 - door)
  (:init (in kitchen) (joins d1 kitchen lobby) (joins d2 lobby attic) (open d1) (open d2)
    (= (total-cost) 0) (= (length kitchen lobby) 3) (= (length lobby attic) 4))
  (:goal (and (in attic) (seen attic) (not (seen lobby)) (not (open d2))))
  (:metric minimize (total-cost)))";

/// The verdicts are those that VAL's semantics give, by hand.
#[test]
fn conditions_and_effects_beyond_strips_are_played() {
    let domain = StripsDomain::parse(DOORS).unwrap();
    let problem = domain.problem(HOUSE).unwrap();
    let simulator = domain
        .register(&problem, Simulator::builder())
        .build()
        .unwrap();
    let told = |plan: &str| {
        let plan = simulator.check(domain.plan(plan).unwrap()).unwrap();
        let report = simulator.simulate(&plan, &problem.world, Timestamp::default());
        let fault = report
            .steps
            .iter()
            .position(|step| step.outcome != PredictedOutcome::Success);
        (fault, report)
    };
    let good = "0: (move kitchen lobby d1) [1]\n1: (light-all) [1]\n(move lobby attic d2)\n(shut d2) ; done";
    let (fault, report) = told(good);
    assert_eq!(fault, None, "{:?}", report.recommendations);
    assert_eq!(report.estimate.cost_micros.likely, 7_000_000);
    for (plan, step, reason) in [
        (
            "(light-all) (move kitchen lobby d1) (move lobby attic d2) (shut d2)",
            4,
            "(seen lobby) holds",
        ),
        ("(move kitchen kitchen d1)", 0, "it is twice kitchen"),
        (
            "(move kitchen attic d1)",
            0,
            "no part of a disjunction holds",
        ),
        ("(shut d1)", 0, "no part of a disjunction holds"),
        ("(move kitchen d1 d1)", 0, "d1 is no room"),
        (
            "(move kitchen cellar d1)",
            0,
            "there is no object \"cellar\"",
        ),
        (
            "(light-all) (shut d1) (move kitchen lobby d1)",
            2,
            "(open d1) does not hold",
        ),
    ] {
        let (fault, report) = told(plan);
        assert_eq!(fault, Some(step), "{plan}");
        assert_eq!(&*report.steps[step].reason, reason, "{plan}");
    }
}
