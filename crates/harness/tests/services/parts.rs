//! Times beside the steps: of streams, of connecting, and until an effect is seen.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use harness::{Overrides, ScenarioFile};
use report::render;

use crate::effects::{LISTED, over, run};
use crate::server::{Lie, Shop, read_request};

/// A model endpoint: each answer is a stream of three events.
fn endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    address.to_string()
}

fn answer(stream: &TcpStream) {
    let (mut from, mut to) = (BufReader::new(stream), stream);
    while let Ok(Some(_)) = read_request(&mut from) {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 39\r\n\r\n";
        if to.write_all(head.as_bytes()).is_err() {
            return;
        }
        for word in ["one", "two", "six"] {
            let _ = to.write_all(format!("data: \"{word}\"\n\n").as_bytes());
        }
    }
}

const ASKED: &str = r#"
name = "ask"
thresholds = ['max(ask.first_event) < 60s', 'operations(ask.event_gap) == 40', 'max(model.connect) < 60s',
              'max(ask.first_byte) < 60s', 'error_rate == 0']

[services.model]
kind = "http"
url = "http://ADDRESS"

[[flows.ask]]
http = "POST /chat"
stream = "sse"

[model]
users = 4
iterations = 5
"#;

fn asked() -> String {
    ASKED.replace("ADDRESS", &endpoint())
}

#[test]
fn a_streams_times_are_measured_beside_its_step() {
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&asked(), out.path());
    let page = crate::page(&report);
    let record = &result.run;
    // They are in no total of the run.
    assert_eq!(record.operations(), 20, "{page}");
    let count = |name: &str| record.part(name).unwrap().time.count;
    let counts = [
        "ask.first_byte",
        "ask.first_event",
        "ask.event_gap",
        "model.connect",
    ]
    .map(count);
    assert_eq!(counts, [20, 20, 40, 4], "{page}");
    let longest = |name: &str| record.part(name).unwrap().time.max_ns;
    assert!(
        longest("ask.first_byte") <= longest("ask.first_event"),
        "{page}"
    );
    let step = record.step("ask").unwrap();
    assert!(
        longest("ask.first_event") <= step.service_time.max_ns,
        "{page}"
    );
    for judgement in &result.judgements {
        assert_ne!(judgement.ruling, load_engine::Ruling::Violated, "{page}");
    }
    let markdown = render::markdown(&report).replace('\\', "");
    for text in [page, render::html(&report), markdown] {
        assert!(text.contains("ask.first_event"), "{text}");
        assert!(
            text.to_lowercase().contains("times beside the steps"),
            "{text}"
        );
    }
    let csv = render::csv(&report);
    let steps = csv.iter().find(|file| file.name == "steps.csv").unwrap();
    assert!(
        steps
            .content
            .contains("ask,ask.event_gap,40,40,0,0,beside,"),
        "{}",
        steps.content
    );
}

#[test]
fn the_time_until_an_effect_is_seen_is_measured_during_the_load() {
    let shop = Shop::new(Lie::Lags);
    let out = tempfile::tempdir().unwrap();
    let text = over(LISTED, &shop)
        .replace("[model]", "settle = \"5m\"\n[model]")
        .replace(
            "'error_rate < 50%'",
            "'error_rate < 50%', 'max(order.visible) < 5m'",
        );
    let (report, result) = run(&text, out.path());
    let page = crate::page(&report);
    assert!(result.effects_hold(), "{page}");
    let visible = result.run.part("order.visible").unwrap();
    assert!(visible.time.count > 0, "{page}");
    assert!(page.contains("order.visible"), "{page}");
}

#[test]
fn an_unknown_part_is_told_with_those_there_are() {
    let told = |threshold: &str| {
        let text = asked().replace("max(ask.first_event) < 60s", threshold);
        let file = ScenarioFile::parse("ask.toml", &text, &Overrides::default());
        file.unwrap_err().to_string()
    };
    assert_eq!(
        told("max(ask.frist_event) < 60s"),
        "ask.toml:3:20: there is no part `ask.frist_event`; there is `ask.first_byte`, `ask.first_event`, \
         `ask.event_gap`, `ask.failed`, `ask.service`"
    );
    assert_eq!(
        told("max(model.conect) < 60s"),
        "ask.toml:3:20: there is no part `model.conect`; there is `model.connect`"
    );
    assert_eq!(
        told("max(asc) < 60s"),
        "ask.toml:3:20: there is no step `asc`; there is `ask`"
    );
    assert_eq!(
        told("rate(ask.first_event) < 1/s"),
        "ask.toml:3:21: `ask.first_event` is a time beside steps: ask for a time, such as \
         p95(ask.first_event), or for operations(ask.first_event), failed(ask.first_event) or \
         error_rate(ask.first_event)"
    );
    let ends = asked().replace(
        "[services.model]",
        "[[abort_on_fail]]\nthreshold = \"max(ask.first_event) < 1s\"\n[services.model]",
    );
    let file = ScenarioFile::parse("ask.toml", &ends, &Overrides::default());
    let told = file.unwrap_err().to_string();
    assert!(
        told.contains("times beside steps are known only when the load is over"),
        "{told}"
    );
}
