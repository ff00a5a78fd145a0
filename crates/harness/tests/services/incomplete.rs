//! Runs that something beside the load kept from being complete: the report has what was found until then.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use harness::{Error, NoProgress, Overrides, ScenarioFile, Suite};
use report::{Conclusion, Report, ScenarioResult};

use crate::effects::{LISTED, over};
use crate::server::{Lie, Shop, command};

/// Runs a file whose run is not complete; gives the saved report, and what kept it from being so.
fn run(text: &str) -> (ScenarioResult, Report, String) {
    let out = tempfile::tempdir().unwrap();
    let file = ScenarioFile::parse("orders.toml", text, &Overrides::default());
    let suite = Suite::new([file.unwrap_or_else(|error| panic!("{error}"))]);
    let run = suite.run_to_save(out.path(), &mut NoProgress);
    let mut run = run.unwrap_or_else(|error| panic!("{error}"));
    let problem = run.problem.take().expect("a problem").to_string();
    let (report, saved) = run.save().unwrap();
    assert!(saved.folder.join("report.json").exists());
    (report.scenarios[0].clone(), report, problem)
}

/// Checks that the result tells the problem, and that a run of which not all is known is no pass.
fn tells(result: &ScenarioResult, report: &Report, problem: &str) {
    let page = crate::page(report);
    assert_eq!(result.incomplete.as_deref(), Some(problem), "{page}");
    assert_eq!(result.conclusion, Conclusion::Inconclusive, "{page}");
    assert_eq!(report.verdict.conclusion, Conclusion::Inconclusive);
    assert_eq!(report.verdict.reason, format!("not complete: {problem}"));
    assert!(result.data_kept_in.is_some(), "{page}");
}

#[test]
fn a_set_up_that_fails_ends_in_a_report_without_a_load() {
    let shop = Shop::new(Lie::None);
    let set_up = "[[setup]]\nname = \"create\"\nhttp = \"POST /nowhere\"\n[[flows.order]]";
    let text = over(LISTED, &shop).replace("[[flows.order]]", set_up);
    let (result, report, problem) = run(&text);
    assert_eq!(
        problem,
        "scenario orders cannot set up its target: `create`: refused: HTTP 404"
    );
    assert_eq!(result.run.operations(), 0);
    tells(&result, &report, &problem);
}

#[test]
fn a_tear_down_that_fails_does_not_undo_what_was_found() {
    let shop = Shop::new(Lie::None);
    let tear_down = "[[teardown]]\nname = \"drop\"\nhttp = \"POST /nowhere\"\n[model]";
    let text = over(LISTED, &shop).replace("[model]", tear_down);
    let (result, report, problem) = run(&text);
    assert_eq!(
        problem,
        "scenario orders cannot tear down its target: `drop`: refused: HTTP 404"
    );
    assert_eq!(result.verification.verified, 100);
    tells(&result, &report, &problem);
}

#[test]
fn a_restart_that_fails_leaves_what_was_found_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("shop.sock");
    let service = format!(
        "url = \"unix:{}\"\nstart = {}\nready = \"GET /health\"\nrestart = [\"false\"]",
        socket.display(),
        command(&socket, Lie::None)
    );
    let (result, report, problem) = run(&LISTED.replace("URL", &service));
    assert!(
        problem.starts_with("scenario orders cannot restart its target: service `shop`: `false`"),
        "{problem}"
    );
    let effect = &result.effects.as_ref().unwrap()[0];
    assert_eq!((effect.readings.len(), effect.restarted), (1, false));
    assert_eq!(result.verification.verified, 100);
    tells(&result, &report, &problem);
}

#[test]
fn what_is_lost_fails_a_run_that_is_not_complete() {
    let shop = Shop::new(Lie::Drops);
    let tear_down = "[[teardown]]\nname = \"drop\"\nhttp = \"POST /nowhere\"\n[model]";
    let text = over(LISTED, &shop).replace("[model]", tear_down);
    let (result, report, _) = run(&text);
    assert_eq!(result.conclusion, Conclusion::Fail);
    assert_eq!(report.verdict.conclusion, Conclusion::Fail);
    assert_eq!(result.verification.lost, 10);
}

/// Takes connections of PostgreSQL, and answers nothing that it is asked.
fn mute() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut start = [0; 1024];
                let _ = stream.read(&mut start);
                // AuthenticationOk and ReadyForQuery.
                let _ = stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
                while matches!(stream.read(&mut start), Ok(1..)) {}
            });
        }
    });
    address.to_string()
}

#[test]
fn a_server_that_never_tells_a_setting_is_waited_for_no_longer_than_its_timeout() {
    let text = format!(
        "name = \"mute\"\n[services.db]\nkind = \"postgres\"\nurl = \"postgres://u@{}/test\"\n\
         timeout = \"200ms\"\nrequire = {{ fsync = \"on\" }}\n\
         [[flows.ask]]\nsql = \"SELECT 1\"\n[model]\nusers = 1\niterations = 1\n",
        mute()
    );
    let out = tempfile::tempdir().unwrap();
    let file = ScenarioFile::parse("mute.toml", &text, &Overrides::default()).unwrap();
    let ended = Suite::new([file]).run(out.path(), &mut NoProgress);
    let Err(Error::Target { failure, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(failure.message(), "service `db`: no answer in 200ms");
}
