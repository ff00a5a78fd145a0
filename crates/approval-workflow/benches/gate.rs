//! What stands before every action should cost next to nothing.
//!
//! - `can_execute`: the question an executor asks, at two numbers of requests: it must stay flat;
//! - `policy`: which rule decides, among 5 and among 500;
//! - `pending`: a reviewer's page of what waits, beside so many that do not: it must stay flat;
//! - `write`: a request, its decision and its use, each on disk before the call returns; and not.
//!
//! With `--test` the larger number of requests is 100,000 rather than 1,000,000.

use std::hint::black_box;

use action::{Action, ActionDigest, ActionPath, PathPattern};
use approval_workflow::{
    ApprovalWorkflow, Binding, Decision, Disposition, Durability, Event, NewRequest, Page,
    PersonId, Policy, Query, RequestId, Rule, Rulebook, Sensitivity, Submission, Terms, Timestamp,
    Use,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jsonl_storage::LogOptions;
use serde_json::Map;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn action(path: &str) -> Action {
    Action::new(ActionPath::new(path).expect("a path"), "Refund an order")
        .with_description("the customer sent it back")
        .with_parameter("order", "A-17")
        .with_parameter("amount_cents", 1250)
}

fn person(name: &str) -> PersonId {
    PersonId::new(name).expect("a person")
}

/// A workflow with so many approved requests, written straight to its log: one sync for them all.
fn filled(requests: usize) -> (TempDir, ApprovalWorkflow, Vec<(RequestId, ActionDigest)>) {
    let dir = TempDir::new().expect("a directory");
    let log = LogOptions::new().chained().open(dir.path()).expect("a log");
    let book = Rulebook::new(Policy::default()).expect("a policy");
    let mut asked = Vec::with_capacity(requests);
    for number in 0..requests {
        let id = RequestId::new(&format!("request-{number:07}")).expect("an id");
        let action = action("payments/refund").with_parameter("number", number);
        let digest = action.digest().expect("a digest");
        asked.push((id.clone(), digest));
        let submission = Submission {
            id,
            at: NOW,
            requester: person("agent-7"),
            action,
            digest,
            context: Map::new(),
            policy: book.digest(),
            rule: Some("small refunds".into()),
            need: Disposition::AutoApproved,
            terms: Terms::default(),
            key: None,
            binding: Binding::default(),
            hidden: None,
        };
        // Not waited for: closing the log writes what is left.
        let ticket = log.submit(&Event::Requested(submission.into()));
        drop(ticket.expect("a submission"));
    }
    log.close().expect("a close");
    let workflow = ApprovalWorkflow::open(dir.path(), Policy::default()).expect("a workflow");
    (dir, workflow, asked)
}

fn can_execute(c: &mut Criterion) {
    let in_test_mode = std::env::args().any(|argument| argument == "--test");
    let many = if in_test_mode { 100_000 } else { 1_000_000 };
    let mut group = c.benchmark_group("can_execute");
    for requests in [1_000, many] {
        let (_dir, workflow, asked) = filled(requests);
        // All requests, far from one another in the table. The questions lie in the order in which
        // they are asked: what a caller holds in its hands is in its cache.
        let questions: Vec<_> = (0..asked.len())
            .map(|number| &asked[number * 7_919 % asked.len()])
            .map(|(id, digest)| (RequestId::new(id.as_str()).expect("an id"), *digest))
            .collect();
        let mut questions = questions.iter().cycle();
        group.bench_function(BenchmarkId::new("digest", requests), |b| {
            b.iter(|| {
                let (id, digest) = questions.next().expect("an endless iterator");
                let permission = workflow.can_execute_digest(black_box(id), digest, NOW);
                assert!(permission.is_allowed());
            });
        });
    }
    let (_dir, workflow, asked) = filled(1_000);
    let action = action("payments/refund").with_parameter("number", 17);
    group.bench_function("action", |b| {
        b.iter(|| {
            let permission = workflow.can_execute(&asked[17].0, black_box(&action), NOW);
            assert!(permission.is_allowed());
        });
    });
    group.finish();
}

/// So many rules over a few dozen services, some exact, some with wildcards.
fn rules(count: usize) -> Policy {
    let rule = |number: usize| {
        let service = number / 5;
        let pattern = match number % 5 {
            0 => format!("service-{service}/**"),
            1 => format!("service-{service}/operation-{number}"),
            2 => format!("service-{service}/delete-{number}*"),
            3 => format!("service-{service}/*/item-{number}"),
            _ => format!("service-{service}/group-{number}/*"),
        };
        let pattern = PathPattern::new(pattern).expect("a pattern");
        Rule {
            name: Some(format!("rule {number}")),
            ..Rule::new(pattern, Sensitivity::High)
        }
    };
    Policy {
        rules: (0..count).map(rule).collect(),
        ..Policy::default()
    }
}

fn policy(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    for count in [5, 500] {
        let book = Rulebook::new(rules(count)).expect("a policy");
        let actions = [
            "service-0/operation-1",
            "service-0/x/item-3",
            "service-0/a/b/c",
        ]
        .map(action);
        let context = Map::new();
        let mut at = 0;
        group.bench_function(BenchmarkId::new("rules", count), |b| {
            b.iter(|| {
                at = (at + 1) % actions.len();
                let decided = book.judge(black_box(&actions[at]), &context);
                assert!(decided.rule.is_some());
            });
        });
    }
    group.finish();
}

fn pending(c: &mut Criterion) {
    let in_test_mode = std::env::args().any(|argument| argument == "--test");
    let many = if in_test_mode { 10_000 } else { 1_000_000 };
    let mut group = c.benchmark_group("pending");
    for others in [1_000, many] {
        let (dir, workflow, _) = filled(others);
        workflow.close().expect("a close");
        let options = ApprovalWorkflow::options().durability(Durability::Buffered);
        let workflow = options.open(dir.path(), rules(5)).expect("a workflow");
        for _ in 0..1_000 {
            let new = NewRequest::new(action("service-0/operation-1"), person("agent-7"), NOW);
            workflow.request(new).expect("a request");
        }
        let pattern = PathPattern::new("service-0/**").expect("a pattern");
        let query = Query::pending()
            .for_reviewer(person("alice"))
            .under(pattern);
        group.bench_function(BenchmarkId::new("page of 20", others), |b| {
            b.iter(|| {
                let listing = workflow.list(black_box(&query), Page::first(20), NOW);
                assert_eq!(listing.expect("a listing").requests.len(), 20);
            });
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let dir = TempDir::new().expect("a directory");
    let workflow = ApprovalWorkflow::open(dir.path(), rules(5)).expect("a workflow");
    let (agent, alice) = (person("agent-7"), person("alice"));
    c.bench_function("write/request and decide", |b| {
        b.iter(|| {
            let new = NewRequest::new(action("service-0/operation-1"), agent.clone(), NOW);
            let request = workflow.request(new).expect("a request");
            let yes = Decision::approve(alice.clone(), NOW);
            workflow
                .decide(&request.submission.id, yes)
                .expect("a decision")
        });
    });
    for level in [Durability::Synced, Durability::Buffered] {
        let dir = TempDir::new().expect("a directory");
        let options = ApprovalWorkflow::options().durability(level);
        let workflow = options.open(dir.path(), rules(5)).expect("a workflow");
        let name = format!("write/request, decide, claim, {level:?}").to_lowercase();
        c.bench_function(&name, |b| {
            b.iter(|| {
                let action = action("service-0/operation-1");
                let new = NewRequest::new(action.clone(), agent.clone(), NOW);
                let request = workflow.request(new).expect("a request");
                let id = &request.submission.id;
                let yes = Decision::approve(alice.clone(), NOW);
                workflow.decide(id, yes).expect("a decision");
                workflow
                    .claim(id, Use::new(action.clone(), agent.clone(), NOW))
                    .expect("a claim")
            });
        });
    }
}

criterion_group!(benches, can_execute, policy, pending, write);
criterion_main!(benches);
