//! Each lie of a shop over real HTTP is named, and a shop that tells the truth passes.

use std::path::Path;

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use load_engine::{Defect, Expectation};
use report::{Conclusion, EffectReport, Report, ScenarioResult};

use crate::server::{Lie, Shop, command, lines};

/// Orders that are read back by a listing with pages.
pub(crate) const LISTED: &str = r#"
name = "orders"
thresholds = ['error_rate < 50%']

[services.shop]
kind = "http"
URL

[[flows.order]]
name = "place"
vars = { quantity = "${int(1, 5)}" }
http = '''
POST /orders

{ "reference": "${id}", "quantity": ${quantity} }
'''
expect = { status = 201 }
effect = { creates = "order", key = "${id}", content = "${quantity}" }

[effects.order]
read.http = "GET /orders?prefix=${run}&after=${cursor}"
read.rows = "$.items[*]"
read.key = "$.reference"
read.content = "$.quantity"
read.next = "$.next"

[model]
users = 4
iterations = 25
"#;

pub(crate) fn run(text: &str, out: &Path) -> (Report, ScenarioResult) {
    run_with(text, out, &Overrides::default())
}

pub(crate) fn run_with(text: &str, out: &Path, overrides: &Overrides) -> (Report, ScenarioResult) {
    let file = ScenarioFile::parse("orders.toml", text, overrides)
        .unwrap_or_else(|error| panic!("{error}"));
    let suite = Suite::new([file]);
    let report = suite
        .run(out, &mut NoProgress)
        .unwrap_or_else(|error| panic!("{error}"));
    let result = report.scenarios[0].clone();
    (report, result)
}

pub(crate) fn over(text: &str, shop: &std::sync::Arc<Shop>) -> String {
    text.replace("URL", &format!("url = \"http://{}\"", shop.listen()))
}

fn told(lie: Lie, text: &str) -> (ScenarioResult, EffectReport, String) {
    let shop = Shop::new(lie);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&over(text, &shop), out.path());
    let effect = result.effects.as_ref().unwrap()[0].clone();
    (result, effect, crate::page(&report))
}

/// Read back by key instead.
fn by_key() -> String {
    let (before, _) = LISTED.split_once("read.http").unwrap();
    let (_, after) = LISTED.split_once("[model]").unwrap();
    format!(
        "{before}read.http = \"GET /orders/${{key}}\"\nread.content = \"$.quantity\"\n[model]{after}"
    )
}

#[test]
fn a_shop_that_tells_the_truth_passes() {
    for text in [LISTED, &by_key()] {
        let (result, effect, page) = told(Lie::None, text);
        // On a busy machine the generator may be the limit, of which no effect is a matter.
        assert_ne!(result.conclusion, Conclusion::Fail, "{page}");
        assert!(result.effects_hold(), "{page}");
        assert_eq!(result.verification.verified, 100, "{page}");
        assert_eq!(
            (effect.acknowledged, effect.refused, effect.unknown),
            (100, 0, 0)
        );
        assert!(
            page.contains("100 acknowledged effects, 100 final states verified"),
            "{page}"
        );
        assert!(page.contains("read without a restart"), "{page}");
        assert!(page.contains("not proved over a restart"), "{page}");
    }
}

#[test]
fn rows_that_are_looked_for_in_the_wrong_place_are_unreadable_and_not_lost() {
    for place in ["$.itmes[*]", "$.items.all[*]"] {
        let text = LISTED.replace("$.items[*]", place);
        let (result, _, page) = told(Lie::None, &text);
        assert_eq!(result.conclusion, Conclusion::Fail, "{page}");
        let found = &result.verification;
        assert_eq!((found.lost, found.unreadable), (0, 1), "{page}");
        let missing = place.trim_end_matches("[*]");
        let wanted = format!("the answer has no `{missing}`, which `read.rows` names");
        assert!(page.contains(&wanted), "{page}");
    }
}

#[test]
fn each_lie_is_named() {
    let cases = [
        (Lie::Drops, [10, 0, 0, 0]),
        (Lie::Alters, [0, 10, 0, 0]),
        (Lie::Duplicates, [0, 0, 10, 0]),
        (Lie::RefusesAndStores, [0, 0, 0, 10]),
    ];
    for (lie, [lost, altered, duplicated, unexpected]) in cases {
        let (result, effect, page) = told(lie, LISTED);
        let found = &result.verification;
        assert_eq!(result.conclusion, Conclusion::Fail, "{lie:?}\n{page}");
        assert_eq!(
            [
                found.lost,
                found.altered,
                found.duplicated,
                found.unexpected
            ],
            [lost, altered, duplicated, unexpected],
            "{lie:?}\n{page}"
        );
        assert_eq!(effect.readings.len(), 1, "{lie:?}");
        assert_eq!(found.discrepancies.len(), 10, "{lie:?}");
    }
}

#[test]
fn by_key_each_lie_but_a_duplicate_is_named_and_the_report_says_so() {
    for (lie, [lost, altered, unexpected]) in [
        (Lie::Drops, [10, 0, 0]),
        (Lie::Alters, [0, 10, 0]),
        (Lie::Duplicates, [0, 0, 0]),
        (Lie::RefusesAndStores, [0, 0, 10]),
    ] {
        let (result, _, page) = told(lie, &by_key());
        let found = &result.verification;
        assert_eq!(
            [found.lost, found.altered, found.unexpected],
            [lost, altered, unexpected],
            "{lie:?}\n{page}"
        );
        assert!(
            page.contains("reading order back cannot see duplicates"),
            "{page}"
        );
    }
}

#[test]
fn a_write_whose_fate_is_unknown_is_held_against_nobody() {
    let (result, effect, page) = told(Lie::Fails, LISTED);
    let found = &result.verification;
    assert!(result.effects_hold(), "{page}");
    assert_eq!((found.verified, found.indeterminate), (90, 10), "{page}");
    assert_eq!((effect.acknowledged, effect.unknown), (90, 10));
    assert_eq!(result.run.step("place").unwrap().failed, 10, "{page}");
}

#[test]
fn what_cannot_be_read_is_neither_lost_nor_found() {
    let (result, _, page) = told(Lie::CannotList, LISTED);
    let found = &result.verification;
    assert_eq!(result.conclusion, Conclusion::Fail, "{page}");
    assert_eq!(
        (found.lost, found.verified, found.unreadable),
        (0, 0, 1),
        "{page}"
    );
    assert!(page.contains("HTTP 500"), "{page}");
}

#[test]
fn what_was_removed_and_is_there_is_unexpected() {
    let removing = LISTED.replace(
        "[effects.order]",
        r#"[[flows.order]]
name = "cancel"
http = "DELETE /orders/${id}"
effect = { removes = "order", key = "${id}" }

[effects.order]"#,
    );
    let (result, _, page) = told(Lie::None, &removing);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 100, "{page}");
    let (result, _, page) = told(Lie::KeepsRemoved, &removing);
    assert_eq!(result.verification.unexpected, 100, "{page}");
}

#[test]
fn the_last_write_of_a_key_counts() {
    let updating = LISTED
        .replace(
            "POST /orders\n\n{ \"reference\": \"${id}\", ",
            "PUT /orders/${run}-${int(1, 9)}\n\n{ ",
        )
        .replace(
            "vars = { quantity = \"${int(1, 5)}\" }",
            "vars = { quantity = \"${text(8)}\", n = \"${int(1, 9)}\" }",
        )
        .replace("${run}-${int(1, 9)}", "${run}-${n}")
        .replace("\"quantity\": ${quantity}", "\"quantity\": \"${quantity}\"")
        .replace("status = 201", "status = 200")
        .replace(
            "creates = \"order\", key = \"${id}\"",
            "updates = \"order\", key = \"${run}-${n}\"",
        );
    let (result, effect, page) = told(Lie::None, &updating);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(
        (effect.acknowledged, result.verification.keys),
        (100, 9),
        "{page}"
    );
}

#[test]
fn what_is_added_has_to_come_to_the_sum() {
    let adding = LISTED
        .replace(
            "POST /orders\n\n{ \"reference\": \"${id}\", \"quantity\": ${quantity} }",
            "POST /tally\n\n{ \"reference\": \"${run}-${user}\", \"by\": ${quantity} }",
        )
        .replace("status = 201", "status = 200")
        .replace(
            "creates = \"order\", key = \"${id}\", content = \"${quantity}\"",
            "adds = \"order\", key = \"${run}-${user}\", by = \"${quantity}\"",
        );
    let (result, effect, page) = told(Lie::None, &adding);
    assert!(result.effects_hold(), "{page}");
    let found = (effect.acknowledged, result.verification.verified);
    assert_eq!(found, (100, 4), "{page}");
    assert!(page.contains("errors that cancel each other"), "{page}");
    let (result, _, page) = told(Lie::Drops, &adding);
    let found = &result.verification;
    assert!(
        found.miscounted > 0 && found.altered + found.lost + found.unexpected == 0,
        "{page}"
    );
    assert_eq!(found.miscounted + found.verified, 4, "{page}");
    assert!(page.contains("miscounted == 0"), "{page}");
    let Some(wrong) = found.discrepancies.first() else {
        panic!("{page}")
    };
    assert_eq!(wrong.defect, Defect::Miscounted);
    // Each addition is 1 or more, and some of them were dropped.
    let Expectation::Value(expected) = &wrong.expected else {
        panic!("{wrong:?}")
    };
    let number = |text: &str| text.parse::<i64>().unwrap();
    assert!(
        number(wrong.value.as_ref().unwrap()) < number(expected),
        "{wrong:?}"
    );
}

#[test]
fn a_write_that_was_refused_and_is_there_is_called_so() {
    let (result, effect, page) = told(Lie::RefusesAndStores, LISTED);
    assert!(
        page.contains("10 unexpected (10 refused but found)"),
        "{page}"
    );
    assert_eq!(effect.readings[0].refused_but_found, 10);
    for found in &result.verification.discrepancies {
        let refused = Expectation::Refused("HTTP 409".to_owned());
        assert_eq!((&found.expected, found.user.is_some()), (&refused, true));
    }
}

#[test]
fn what_is_seen_late_is_looked_for_until_it_has_had_its_time() {
    let (result, _, page) = told(Lie::Lags, LISTED);
    assert_eq!(result.verification.lost, 100, "{page}");
    // It is there at the fourth look: who slept for five minutes would not be here in time.
    let patient = LISTED.replace("[model]", "settle = \"5m\"\n[model]");
    let (result, effect, page) = told(Lie::Lags, &patient);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(
        (effect.readings.len(), result.verification.verified),
        (1, 100)
    );
    // And no longer: what never comes is lost.
    let hasty = LISTED.replace("[model]", "settle = \"60ms\"\n[model]");
    let (result, _, page) = told(Lie::Drops, &hasty);
    assert_eq!(result.verification.lost, 10, "{page}");
}

/// A shop that is started, killed and started again.
fn restarted(lie: Lie) -> (ScenarioResult, String) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("shop.sock");
    let service = format!(
        "url = \"unix:{}\"\nstart = {}\nready = \"GET /health\"",
        socket.display(),
        command(&socket, lie)
    );
    let (report, result) = run(&LISTED.replace("URL", &service), dir.path());
    (result, crate::page(&report))
}

#[test]
fn what_was_acknowledged_before_it_was_written_is_lost_after_the_kill() {
    let (result, page) = restarted(Lie::Forgets);
    assert_eq!(result.conclusion, Conclusion::Fail, "{page}");
    assert_eq!(
        (result.verification.lost, result.verification.verified),
        (100, 0),
        "{page}"
    );
    let effect = &result.effects.as_ref().unwrap()[0];
    let stages: Vec<_> = effect
        .readings
        .iter()
        .map(|reading| &*reading.stage)
        .collect();
    assert_eq!(stages, ["end", "after restart"]);
    assert_eq!(effect.readings[0].verification.lost, 0, "{page}");
    assert!(page.contains("100 lost, read after a restart"), "{page}");
}

#[test]
fn what_was_written_before_it_was_acknowledged_survives_the_kill() {
    let (result, page) = restarted(Lie::None);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 100, "{page}");
    assert!(
        page.contains("100 acknowledged effects, 100 final states verified"),
        "{page}"
    );
    assert!(page.contains("verified, read after a restart"), "{page}");
}

#[test]
fn a_kill_during_the_load_loses_what_was_not_written_and_nothing_else() {
    for (lie, loses) in [(Lie::None, false), (Lie::Forgets, true)] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("shop.sock");
        let service = format!(
            "url = \"unix:{}\"\nstart = {}\nready = \"GET /health\"",
            socket.display(),
            command(&socket, lie)
        );
        let (before, _) = LISTED.split_once("[model]").unwrap();
        let phases = "[[phases]]\nname = \"killed\"\nfor = \"3s\"\nusers = 4\n\
                      faults = [{ at = \"500ms\", for = \"100ms\", kind = \"kill\" }]\n";
        let text = format!("{before}{phases}").replace("URL", &service);
        let (report, result) = run(&text, dir.path());
        let page = crate::page(&report);
        let [fault] = &*result.faults else {
            panic!("{page}")
        };
        assert_eq!((&*fault.kind, &*fault.service), ("kill", "shop"), "{page}");
        assert_eq!(fault.failed, None, "{page}");
        assert!(
            fault.began_ms >= 500 && fault.ended_ms >= fault.began_ms + 100,
            "{page}"
        );
        assert!(page.contains("fault: kill of shop from"), "{page}");
        assert_eq!(result.verification.lost > 0, loses, "{page}");
        assert!(result.verification.verified > 0 || loses, "{page}");
    }
}

#[test]
fn all_discrepancies_are_in_a_file_and_the_first_in_the_report() {
    let shop = Shop::new(Lie::Drops);
    let out = tempfile::tempdir().unwrap();
    let text = over(LISTED, &shop).replace("iterations = 25", "iterations = 75");
    let (_, result) = run(&text, out.path());
    assert_eq!(result.verification.lost, 30);
    assert_eq!(result.verification.discrepancies.len(), 20);
    let file = out.path().join(result.discrepancies_file.as_ref().unwrap());
    assert_eq!(lines(&file), 30);
}

#[test]
fn what_other_runs_left_is_counted_and_not_held_against_this_one() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let text = over(LISTED, &shop).replace("prefix=${run}&", "");
    let (_, first) = run(&text, out.path());
    assert!(first.effects_hold());
    let (report, second) = run(&text, out.path());
    let page = crate::page(&report);
    assert!(second.effects_hold(), "{page}");
    let reading = &second.effects.as_ref().unwrap()[0].readings[0];
    assert_eq!(
        (reading.foreign, reading.verification.verified),
        (100, 100),
        "{page}"
    );
}

#[test]
fn what_was_found_is_removed_and_what_is_left_is_counted() {
    let removing = LISTED.replace(
        "[model]",
        "delete.http = \"DELETE /orders/${key}\"\n[model]",
    );
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&over(&removing, &shop), out.path());
    assert_eq!(result.effects.as_ref().unwrap()[0].left, Some(0));
    assert_eq!(shop.orders(), 0);
    assert!(crate::page(&report).contains("; removed"));
    let (_, effect, page) = told(Lie::KeepsRemoved, &removing);
    assert_eq!(effect.left, Some(100), "{page}");
    assert!(page.contains("100 left after removing"), "{page}");
}
