//! Steps: set-ups, captures, retries, polls and repeats.

use harness::Overrides;

use crate::effects::{over, run, run_with};
use crate::server::{Lie, Shop};

const EACH_USER: &str = r#"
name = "login"
thresholds = ['error_rate < 50%']

[services.api]
kind = "http"
URL
headers = { authorization = "Bearer ${token}" }

[[setup]]
per = "user"
name = "login"
http = '''
POST /login

{ "user": "load-${user}" }
'''
capture = { token = "$.access_token" }

[[flows.work]]
name = "order"
http = '''
POST /orders

{ "reference": "${id}", "quantity": 1 }
'''
expect = { status = 201 }
capture = { order = "$.id" }
effect = { creates = "order", key = "${id}" }

[[flows.work]]
name = "shipped"
http = "GET /orders/${id}"
expect = { "$.status" = "shipped", "$.quantity" = 1, "$.reference" = "${id}", exists = ["$.quantity"] }
poll = { every = "1ms", timeout = "1s" }

[effects.order]
read.http = "GET /orders?after=${cursor}"
read.rows = "$.items[*]"
read.key = "$.reference"
read.next = "$.next"

[model]
users = 3
iterations = 10
"#;

#[test]
fn each_user_logs_in_once_and_its_effects_are_read_as_it() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&over(EACH_USER, &shop), out.path());
    let page = crate::page(&report);
    assert!(result.effects_hold(), "{page}");
    assert_eq!(result.verification.verified, 30, "{page}");
    assert_eq!(shop.logins(), 3);
    for (step, attempts) in [("login", 3), ("order", 30), ("shipped", 30)] {
        let step = result.run.step(step).unwrap();
        assert_eq!((step.attempted, step.failed), (attempts, 0), "{page}");
    }
}

#[test]
fn an_expectation_that_is_not_met_fails_the_step_and_says_why() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let text = over(EACH_USER, &shop)
        .replace("\"shipped\", \"$.q", "\"lost\", \"$.q")
        .replace("timeout = \"1s\"", "timeout = \"3ms\"");
    let (report, result) = run(&text, out.path());
    let page = crate::page(&report);
    assert_eq!(result.run.step("shipped").unwrap().failed, 30, "{page}");
    let reason = "unmet within 3ms: unknown: `$.status` is \"shipped\", and \"lost\" is expected";
    assert!(page.contains(reason), "{page}");
}

#[test]
fn a_failure_is_tried_again_and_one_acknowledgement_counts() {
    let shop = Shop::new(Lie::Fails);
    let out = tempfile::tempdir().unwrap();
    let text = over(EACH_USER, &shop).replace(
        "expect = { status = 201 }",
        "expect = { status = 201 }\nretry = { times = 3, delay = \"1ms\" }",
    );
    let (report, result) = run(&text, out.path());
    let page = crate::page(&report);
    let effect = &result.effects.as_ref().unwrap()[0];
    assert_eq!((effect.acknowledged, effect.unknown), (30, 0), "{page}");
    assert_eq!(result.run.step("order").unwrap().failed, 0, "{page}");
    // A shop that stored what it failed, and was asked again, has it twice: that is its defect.
    assert!(result.verification.duplicated > 0, "{page}");
}

#[test]
fn a_repeat_that_answers_otherwise_fails_the_step() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let text = over(EACH_USER, &shop).replace(
        "expect = { status = 201 }",
        "expect = { status = 201 }\nrepeat = 2",
    );
    let (report, result) = run(&text, out.path());
    let page = crate::page(&report);
    assert_eq!(result.run.step("order").unwrap().failed, 30, "{page}");
    assert!(page.contains("answer 2 gave `order` = o-"), "{page}");
    assert_eq!(result.verification.duplicated, 30, "{page}");
    assert_eq!(result.verification.lost, 0, "{page}");
}

#[test]
fn an_open_model_names_its_arrivals() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    let text = over(EACH_USER, &shop);
    let (before, _) = text.split_once("[model]").unwrap();
    let text = format!(
        "{before}[model]\nkind = \"open\"\nmax_in_flight = 1\n[[phases]]\nname = \"steady\"\nfor = \"1s\"\nrate = 20\n"
    );
    let overrides = Overrides {
        run_id: Some("k3v9q2xz".to_owned()),
        ..Overrides::default()
    };
    // The shop tells users by the second part of a reference, and arrivals have another.
    let text = text.replace("headers = { authorization = \"Bearer ${token}\" }\n", "");
    let (report, result) = run_with(&text, out.path(), &overrides);
    let page = crate::page(&report);
    assert!(result.effects_hold(), "{page}");
    assert!(result.verification.verified > 0, "{page}");
}

#[test]
fn records_are_shared_out_to_users_and_to_iterations() {
    let shop = Shop::new(Lie::None);
    let out = tempfile::tempdir().unwrap();
    std::fs::write(
        out.path().join("users.csv"),
        "name,n\na,1\nb,2\nc,3\nd,4\ne,5\n",
    )
    .unwrap();
    let text = over(EACH_USER, &shop)
        .replace("\"load-${user}\"", "\"${data.name}\"")
        .replace(
            "[model]\nusers = 3\niterations = 10",
            "[data]\nfile = \"users.csv\"\n[model]\nusers = 3\niterations = 1",
        )
        .replace("headers = { authorization = \"Bearer ${token}\" }\n", "");
    let run = |text: &str| {
        let path = out.path().join("login.toml");
        let file = harness::ScenarioFile::parse(&path, text, &Overrides::default()).unwrap();
        let report = harness::Suite::new([file])
            .run(out.path(), &mut harness::NoProgress)
            .unwrap();
        (report.scenarios[0].clone(), crate::page(&report))
    };
    let (result, page) = run(&text);
    assert_eq!(result.run.step("login").unwrap().succeeded, 3, "{page}");
    // Of five records three are for the users, and each iteration takes another one.
    let (result, page) = run(&text
        .replace("\"quantity\": 1", "\"quantity\": ${data.n}")
        .replace("\"$.quantity\" = 1, ", ""));
    let orders = result.run.step("order").unwrap();
    assert_eq!(
        (orders.succeeded, result.run.iterations.failed),
        (2, 1),
        "{page}"
    );
    let told = text.replace("data.name", "data.nmae");
    let told =
        harness::ScenarioFile::parse(out.path().join("login.toml"), &told, &Overrides::default());
    let told = told.unwrap_err().to_string();
    assert!(
        told.contains("there is no value `data.nmae` here"),
        "{told}"
    );
}

#[test]
fn a_secret_is_shown_nowhere() {
    let shop = Shop::new(Lie::Fails);
    let out = tempfile::tempdir().unwrap();
    // Every machine has this variable, and its value stands in no report of its own.
    let secret = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let text = over(EACH_USER, &shop)
        .replace("\"load-${user}\"", "\"${secret.CARGO_MANIFEST_DIR}\"")
        .replace(
            "capture = { token = \"$.access_token\" }",
            "expect = { \"$.access_token\" = \"other\" }",
        )
        .replace("headers = { authorization = \"Bearer ${token}\" }\n", "");
    let (report, result) = run(&text, out.path());
    assert_eq!(result.run.step("login").unwrap().succeeded, 0);
    let page = crate::page(&report);
    assert!(page.contains("`$.access_token` is \"***\""), "{page}");
    let json = serde_json::to_string(&result).unwrap();
    assert!(!json.contains(&format!("{secret}\\\"")), "{json}");
}
