//! Pools: users share connections, and who gets none in time is told so.

use harness::{Overrides, ScenarioFile};
use load_engine::Ruling;

use crate::effects::{LISTED, over, run};
use crate::server::{Lie, Shop};

fn pooled(pool: &str) -> String {
    LISTED
        .replace("URL", &format!("URL\n{pool}"))
        .replace("users = 4", "users = 8")
}

#[test]
fn users_share_as_many_connections_as_there_are() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let text = pooled("pool = { size = 2, wait = \"60s\" }");
    let (report, result) = run(&over(&text, &shop), out.path());
    let page = crate::page(&report);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 200, "{page}");
    let part = |name: &str| result.run.part(name).unwrap();
    assert_eq!(
        (part("shop.wait").time.count, part("shop.wait").failed),
        (200, 0),
        "{page}"
    );
    assert!(part("shop.connect").time.count <= 2, "{page}");
}

#[test]
fn a_step_that_gets_no_connection_in_time_is_not_begun() {
    let shop = Shop::new(Lie::Dawdles);
    let out = tempfile::tempdir().unwrap();
    let thresholds = "'failed(shop.wait) > 0', 'error_rate(shop.wait) < 99%', 'failed(place) == 0'";
    let text = pooled("pool = { size = 1, wait = \"1ms\" }").replace(
        "'error_rate < 50%'",
        &format!("'error_rate < 100%', {thresholds}"),
    );
    let (report, result) = run(&over(&text, &shop), out.path());
    let page = crate::page(&report);
    let wait = result.run.part("shop.wait").unwrap();
    assert!(wait.failed > 0, "{page}");
    assert_eq!(wait.time.count + wait.failed, 200, "{page}");
    assert_eq!(shop.orders() as u64, wait.time.count, "{page}");
    assert!(result.effects_hold(), "{page}");
    assert!(
        page.contains("`shop` had no free connection within 1ms"),
        "{page}"
    );
    for text in ["failed(shop.wait) > 0", "failed(place) == 0"] {
        let mut judged = result.judgements.iter();
        let own = judged
            .find(|own| own.threshold.to_string() == text)
            .unwrap();
        assert_eq!(own.ruling, Ruling::Held, "{page}");
    }
}

#[test]
fn mistakes_are_told_at_their_keys() {
    let told = |text: &str| {
        let file = ScenarioFile::parse("orders.toml", text, &Overrides::default());
        file.unwrap_err().to_string()
    };
    let shop = Shop::new(Lie::None);
    let none = over(&pooled("pool = { size = 0 }"), &shop);
    assert!(told(&none).ends_with(": a pool has at least 1 connection"));
    let program = "name = \"p\"\n[services.p]\nkind = \"exec\"\ncommand = [\"true\"]\npool = { size = 1 }\n\
                   [[flows.a]]\nexec = \"{}\"\n[model]\nusers = 1\niterations = 1\n";
    assert_eq!(
        told(program),
        "orders.toml:5:1: a pool is of connections to a `url`, which this service does not have"
    );
}
