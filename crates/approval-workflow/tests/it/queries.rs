//! Listings by status, reviewer, place and age, page by page: the same as a search of everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use action::PathPattern;
use approval_workflow::{
    ApprovalWorkflow, AuditEntry, Decision, Directory, Error, Listing, NewRequest, Page, Policy,
    Query, RequestId, Seq, Status, Timestamp, Use,
};
use tempfile::{TempDir, tempdir};

use crate::disk::Disk;
use crate::support::{action, ask, id, person, second};

const POLICY: &str = r#"
    [[rules]]
    pattern = "db/**"
    sensitivity = "critical"
    requires.all = [
        { at_least = { people = 1, of = "dba" } },
        { at_least = { people = 1, of = "security" } },
    ]
"#;

const DIRECTORY: &str = r#"
    reviewers.alice.groups = ["dba"]
    reviewers.bob.groups = ["security"]
    reviewers.carol.groups = []
    reviewers.dave.groups = ["dba"]
    [[delegations]]
    from = "erin"
    to = "dave"
    scope = "**"
    until = 1800000000000000
"#;

fn open(dir: &TempDir) -> ApprovalWorkflow {
    let directory: Directory = toml::from_str(DIRECTORY).unwrap();
    let options = crate::support::options()
        .directory(directory)
        .held_requests(3);
    options
        .open(dir.path(), Policy::from_toml(POLICY).unwrap())
        .unwrap()
}

fn ids(listing: &Listing) -> Vec<RequestId> {
    let requests = listing.requests.iter();
    requests
        .map(|request| request.submission.id.clone())
        .collect()
}

/// All pages of so many.
fn all(workflow: &ApprovalWorkflow, query: &Query, limit: usize, now: Timestamp) -> Vec<RequestId> {
    let mut page = Page::first(limit);
    let mut found = Vec::new();
    loop {
        let listing = workflow.list(query, page, now).unwrap();
        assert!(listing.requests.len() <= limit);
        found.extend(ids(&listing));
        match listing.next {
            None => return found,
            after => page.after = after,
        }
    }
}

#[test]
fn a_listing_is_what_a_search_of_everything_finds() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for number in 0..60 {
        let path = if number % 2 == 0 {
            "db/migrate"
        } else {
            "other/x"
        };
        let mut new = ask(path);
        new.at = second(number);
        let id = workflow.request(new).unwrap().submission.id.clone();
        let at = second(number + 1);
        match number % 6 {
            1 => drop(
                workflow
                    .decide(&id, Decision::deny(person("carol"), at))
                    .unwrap(),
            ),
            2 => drop(workflow.withdraw(&id, person("agent-7"), at).unwrap()),
            3 => drop(
                workflow
                    .decide(&id, Decision::approve(person("carol"), at))
                    .unwrap(),
            ),
            _ => {}
        }
        if number % 12 == 3 {
            workflow
                .claim(&id, Use::new(action(path), person("x"), at))
                .unwrap();
        }
    }
    workflow.expire_due(second(86_400 + 10)).unwrap();
    for now in [second(100), second(86_400 + 30), second(10_000_000)] {
        let mut seen = 0;
        for status in Status::ALL {
            for pattern in ["**", "db/*", "nothing/*"] {
                let pattern = PathPattern::new(pattern).unwrap();
                let before = second(40);
                let query = Query::with_status(status)
                    .under(pattern.clone())
                    .asked_before(before);
                let wanted = workflow.requests().map(Result::unwrap).filter(|request| {
                    request.status(now) == status
                        && pattern.matches(&request.submission.action.path)
                        && request.submission.at < before
                });
                let wanted: Vec<_> = wanted
                    .map(|request| request.submission.id.clone())
                    .collect();
                for limit in [1, 7, 1000] {
                    assert_eq!(
                        all(&workflow, &query, limit, now),
                        wanted,
                        "{status} {pattern}"
                    );
                    let newest_first = query.clone().newest_first();
                    let mut reversed = all(&workflow, &newest_first, limit, now);
                    reversed.reverse();
                    assert_eq!(reversed, wanted, "{status} {pattern}, newest first");
                }
                seen += wanted.len();
            }
        }
        assert_eq!(seen, 40 + 20, "every request has one status");
    }
}

#[test]
fn a_part_of_the_log_is_read_forwards_and_backwards() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for _ in 0..5 {
        workflow.request(ask("other/x")).unwrap();
    }
    let numbers = |entries: &mut dyn Iterator<Item = Result<AuditEntry, Error>>| {
        let entries = entries.map(|entry| entry.unwrap().seq.0);
        entries.collect::<Vec<_>>()
    };
    let part = Seq(2)..Seq(5);
    let mut forwards = workflow.audit_range(part.clone()).unwrap();
    assert_eq!(numbers(&mut forwards), [2, 3, 4]);
    assert_eq!(numbers(&mut workflow.audit_range_back(part)), [4, 3, 2]);
    assert_eq!(numbers(&mut workflow.audit_range_back(..)), [5, 4, 3, 2, 1]);
}

/// Each request that nobody decided in time took a sync of its own.
#[test]
fn many_requests_expire_with_one_sync() {
    let disk = Disk::default();
    let policy = Policy::default();
    let backend = Arc::new(disk.clone());
    let workflow = crate::support::options().open_on(backend, policy).unwrap();
    for _ in 0..200 {
        workflow.request(ask("other/x")).unwrap();
    }
    let before = disk.syncs();
    assert_eq!(workflow.expire_due(second(86_400)).unwrap(), 200);
    assert!(disk.syncs() - before <= 2, "{}", disk.syncs() - before);
    let expired = Query::with_status(Status::Expired);
    let listed = all(&workflow, &expired, 1000, second(86_400));
    assert_eq!(listed.len(), 200);
}

#[test]
fn a_reviewer_sees_what_lacks_an_approval_of_theirs() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    let now = second(10);
    let asked = |name: &str, path: &str, by: &str| {
        let new = NewRequest::new(action(path), person(by), second(0)).with_id(id(name));
        workflow.request(new).unwrap();
    };
    asked("db", "db/x", "agent-7");
    asked("any", "other/x", "agent-7");
    asked("own", "other/x", "carol");
    asked("erin's", "other/x", "erin");
    let sees = |name: &str| {
        let query = Query::pending().for_reviewer(person(name));
        let found: BTreeSet<String> = all(&workflow, &query, 2, now)
            .iter()
            .map(ToString::to_string)
            .collect();
        found.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sees("alice"), "any db erin's own");
    assert_eq!(
        sees("carol"),
        "any erin's",
        "not the own one, and in no group"
    );
    assert_eq!(sees("dave"), "any db own", "stands in for erin");
    assert_eq!(sees("nobody"), "");
    workflow
        .decide(&id("db"), Decision::approve(person("alice"), now))
        .unwrap();
    assert_eq!(sees("dave"), "any own", "a dba has approved");
    assert_eq!(sees("bob"), "any db erin's own");
    let none = Query::with_status(Status::Approved).for_reviewer(person("bob"));
    assert_eq!(all(&workflow, &none, 9, now), []);
}

#[test]
fn a_cursor_stays_good_over_changes_and_openings() {
    let dir = tempdir().unwrap();
    let workflow = open(&dir);
    for number in 0..6 {
        workflow
            .request(ask("other/x").with_id(id(&format!("q-{number}"))))
            .unwrap();
    }
    let first = workflow
        .list(&Query::pending(), Page::first(2), second(1))
        .unwrap();
    assert_eq!(ids(&first), [id("q-0"), id("q-1")]);
    workflow
        .decide(&id("q-1"), Decision::deny(person("carol"), second(2)))
        .unwrap();
    workflow
        .decide(&id("q-2"), Decision::deny(person("carol"), second(2)))
        .unwrap();
    workflow.close().unwrap();
    let workflow = open(&dir);
    let page = Page {
        after: first.next,
        limit: 2,
    };
    let second_page = workflow.list(&Query::pending(), page, second(3)).unwrap();
    assert_eq!(ids(&second_page), [id("q-3"), id("q-4")]);
}

/// Age alone buried what cannot wait and what does most harm.
#[test]
fn what_could_do_most_harm_comes_first_and_then_what_ends_soonest() {
    let dir = tempdir().unwrap();
    let policy = format!("{POLICY}\n[[rules]]\npattern = \"other/**\"\nsensitivity = \"low\"\n");
    let directory: Directory = toml::from_str(DIRECTORY).unwrap();
    let workflow = crate::support::options()
        .directory(directory)
        .open(dir.path(), Policy::from_toml(&policy).unwrap())
        .unwrap();
    for (name, path, at) in [
        ("late", "other/x", 5),
        ("early", "other/x", 1),
        ("critical", "db/x", 9),
        ("decided", "db/x", 0),
    ] {
        let new = NewRequest::new(action(path), person("agent-7"), second(at)).with_id(id(name));
        workflow.request(new).unwrap();
    }
    let no = Decision::deny(person("bob"), second(10));
    workflow.decide(&id("decided"), no).unwrap();
    let sees = |reviewer: Option<&str>, most: usize, now: Timestamp| {
        let reviewer = reviewer.map(person);
        let found = workflow.riskiest(reviewer.as_ref(), most, now);
        let names = found
            .iter()
            .map(|request| request.submission.id.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sees(None, 9, second(10)), "critical early late");
    assert_eq!(sees(None, 2, second(10)), "critical early");
    assert_eq!(
        sees(Some("carol"), 9, second(10)),
        "early late",
        "in no group"
    );
    assert_eq!(sees(None, 9, second(10_000_000)), "", "all are over");
}
