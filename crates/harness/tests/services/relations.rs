//! What holds between effects and beside them: invariants, order, and both or neither.

use std::path::Path;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use load_engine::Defect;
use report::{Conclusion, ScenarioResult};

use crate::effects::{LISTED, over, run};
use crate::server::{Lie, Shop};

fn told(lie: Lie, text: &str) -> (ScenarioResult, String) {
    let shop = Shop::new(lie);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&over(text, &shop), out.path());
    (result, crate::page(&report))
}

/// A load of two seconds, so that an invariant is asked during it.
fn with_invariant(expect: &str) -> String {
    let (before, _) = LISTED.split_once("[model]").unwrap();
    format!(
        "{before}[invariants.total]\nhttp = \"GET /total\"\nevery = \"100ms\"\n{expect}\n\
         [model]\nthink_time = \"20ms\"\n[[phases]]\nname = \"all\"\nfor = \"2s\"\nusers = 2\n"
    )
}

#[test]
fn an_invariant_that_holds_is_asked_before_during_and_after_the_load() {
    for expect in ["expect = { \"$.total\" = 100 }", ""] {
        let (result, page) = told(Lie::None, &with_invariant(expect));
        assert!(result.effects_hold(), "{page}");
        let [invariant] = &*result.invariants else {
            panic!("{page}")
        };
        assert!(invariant.asked >= 3, "{page}");
        assert_eq!((invariant.violated, invariant.unanswered), (0, 0), "{page}");
        assert!(page.contains("held in each answer"), "{page}");
        let mut judged = result.judgements.iter();
        assert!(judged.any(|own| own.threshold.to_string() == "violated == 0"));
    }
}

#[test]
fn an_invariant_that_does_not_hold_for_a_moment_fails_the_run() {
    for (expect, found) in [
        (
            "expect = { \"$.total\" = 100 }",
            "`$.total` is 99, and 100 is expected",
        ),
        ("", "{\"total\":99}"),
    ] {
        let (result, page) = told(Lie::Leaks, &with_invariant(expect));
        assert_eq!(result.conclusion, Conclusion::Fail, "{page}");
        assert_eq!(result.verification.violated, 1, "{page}");
        let [wrong] = &*result.verification.discrepancies else {
            panic!("{page}")
        };
        assert_eq!(wrong.defect, Defect::Violated);
        assert_eq!(wrong.value.as_deref(), Some(found));
        let first = result.invariants[0].first_violation.as_deref().unwrap();
        assert!(first.ends_with(found), "{first}");
    }
}

#[test]
fn an_invariant_that_does_not_hold_before_the_load_ends_the_run_without_one() {
    let shop = Shop::new(Lie::None);
    let text = over(&with_invariant("expect = { \"$.total\" = 7 }"), &shop);
    let out = tempfile::tempdir().unwrap();
    let file = ScenarioFile::parse("orders.toml", &text, &Overrides::default()).unwrap();
    let run = Suite::new([file]).run_to_save(out.path(), &mut NoProgress);
    let run = run.unwrap();
    let result = &run.report.scenarios[0];
    assert_eq!(result.run.operations(), 0);
    assert_eq!(
        result.incomplete.as_deref(),
        Some(
            "scenario orders cannot check its target: the invariant `total` before the load: `$.total` is \
             100, and 7 is expected"
        )
    );
}

/// Each order has a receipt, which is listed elsewhere.
fn with_receipt() -> String {
    LISTED
        .replace(
            "effect = { creates = \"order\", key = \"${id}\", content = \"${quantity}\" }",
            "effect = [{ creates = \"order\", key = \"${id}\", content = \"${quantity}\" }, \
             { creates = \"receipt\", key = \"${id}\" }]",
        )
        .replace(
            "[model]",
            "[effects.receipt]\nread.http = \"GET /receipts\"\nread.rows = \"$.items[*]\"\n\
             read.key = \"$.reference\"\ntogether_with = \"order\"\n[model]",
        )
}

#[test]
fn both_parts_are_there_or_neither() {
    let (result, page) = told(Lie::None, &with_receipt());
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 200, "{page}");
    // Neither of what is refused is there.
    let (result, page) = told(Lie::Fails, &with_receipt());
    assert_eq!(result.verification.partial, 0, "{page}");
    let (result, page) = told(Lie::Drops, &with_receipt());
    assert_eq!(
        (result.verification.lost, result.verification.partial),
        (10, 10),
        "{page}"
    );
    let discrepancies = result.verification.discrepancies.iter();
    let mut partial = discrepancies.filter(|found| found.defect == Defect::Partial);
    let found = partial.next().unwrap();
    assert_eq!(
        found.value.as_deref(),
        Some("`receipt` without `order`"),
        "{page}"
    );
    assert!(page.contains("10 partial"), "{page}");
}

#[test]
fn a_users_effects_are_listed_in_the_order_of_their_acknowledgement() {
    let ordered = LISTED.replace("[model]", "ordered = true\n[model]");
    let (result, page) = told(Lie::None, &ordered);
    assert!(result.effects_hold(), "{page}");
    assert!(
        page.contains("cannot see altered") || page.contains("order between users"),
        "{page}"
    );
    let (result, page) = told(Lie::Reorders, &ordered);
    assert!(result.verification.out_of_order > 0, "{page}");
    assert_eq!(result.verification.lost, 0, "{page}");
    assert!(page.contains("out of order"), "{page}");
}

/// Each user writes a key of its own and reads it again.
fn with_reads() -> String {
    LISTED
        .replace(
            "POST /orders\n\n{ \"reference\": \"${id}\", \"quantity\": ${quantity} }",
            "PUT /orders/${run}-${user}\n\n{ \"quantity\": \"${id}\" }",
        )
        .replace("status = 201", "status = 200")
        .replace(
            "effect = { creates = \"order\", key = \"${id}\", content = \"${quantity}\" }",
            "effect = { updates = \"order\", key = \"${run}-${user}\", content = \"${id}\" }\n\
             [[flows.order]]\nname = \"look\"\nhttp = \"GET /orders/${run}-${user}\"\n\
             capture = { seen = \"$.quantity\" }\n\
             effect = { reads = \"order\", key = \"${run}-${user}\", content = \"${seen}\" }",
        )
}

#[test]
fn a_read_that_gives_what_was_replaced_before_it_is_stale() {
    let (result, page) = told(Lie::None, &with_reads());
    assert!(result.effects_hold(), "{page}");
    let effect = &result.effects.as_ref().unwrap()[0];
    assert_eq!((effect.acknowledged, effect.reads), (100, 100), "{page}");
    assert!(page.contains("100 reads during the load"), "{page}");
    let (result, page) = told(Lie::Caches, &with_reads());
    assert!((1..=10).contains(&result.verification.stale), "{page}");
    assert_eq!(result.verification.lost, 0, "{page}");
    assert_eq!(result.conclusion, Conclusion::Fail, "{page}");
    let found = &result.verification.discrepancies[0];
    assert_eq!((found.defect, found.user.is_some()), (Defect::Stale, true));
}

#[test]
fn mistakes_are_told_at_their_keys() {
    let shop = Shop::new(Lie::None);
    let told = |text: &str| {
        let path = Path::new("orders.toml");
        let file = ScenarioFile::parse(path, &over(text, &shop), &Overrides::default());
        file.unwrap_err().to_string()
    };
    let text = over(&with_invariant(""), &shop);
    let file = ScenarioFile::parse("orders.toml", &text, &Overrides::default()).unwrap();
    let shown = file.dry_run().unwrap().unwrap();
    assert!(
        shown.contains("# invariant total, to shop\nGET /total"),
        "{shown}"
    );
    for (text, problem) in [
        (
            LISTED
                .replace("[model]", "ordered = true\n[model]")
                .replace("/orders?prefix=${run}&after=${cursor}", "/orders/${key}")
                .replace("read.next = \"$.next\"\n", ""),
            "an order needs a listing: this `read` asks for one key",
        ),
        (
            with_receipt().replace("together_with = \"order\"", "together_with = \"receipt\""),
            "both need a `read`, and the same keys",
        ),
        (
            with_receipt().replace("together_with = \"order\"", "together_with = \"ordr\""),
            "there is no effect `ordr`, there is `order`, `receipt`; did you mean `order`?",
        ),
        (
            with_reads().replace(", content = \"${seen}\"", ""),
            "`reads` needs the `content` that was read, such as content = \"${value}\"",
        ),
        (
            with_invariant("").replace("GET /total", "GET /total?n=${int(1, 5)}"),
            "an invariant has no functions: it asks the same each time",
        ),
        (
            with_invariant("").replace("GET /total", "GET /total?user=${user}"),
            "`user` is a value of one user, and this runs once for all",
        ),
    ] {
        let told = told(&text);
        assert!(told.ends_with(problem), "{told}");
    }
}
