//! Redis as it is: what survives a kill is what its settings say.

use std::{env, fs};

use report::ScenarioResult;

use super::redis_server::Server;
use crate::effects::run;

fn proved(text: &str) -> (ScenarioResult, String) {
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(text, out.path());
    (result, crate::page(&report))
}

/// Every command is in the file before it is answered.
const ALWAYS: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

const ENTRIES: &str = r#"
name = "entries"
thresholds = ['error_rate < 50%']

[services.cache]
SERVICE

[[flows.set]]
vars = { text = "${text(100)}" }
redis = ["SET", "pl:${run}:${id}", "${text}"]
effect = { creates = "entry", key = "pl:${run}:${id}", content = "${text}" }

[effects.entry]
read.scan = "pl:${run}:*"
delete.redis = ["UNLINK", "${key}"]

LOAD
"#;

const COUNTED: &str = "[model]\nusers = 4\niterations = 50";

#[test]
fn a_redis_that_writes_nothing_loses_everything_with_its_memory() {
    let Some(server) = Server::find() else { return };
    let text = ENTRIES.replace("LOAD", COUNTED);
    let (result, page) = proved(&text.replace("SERVICE", &server.service(&["--appendonly", "no"])));
    assert_eq!(result.verification.lost, 200, "{page}");
    let [end, after] = &*result.effects.as_ref().unwrap()[0].readings else {
        panic!("{page}")
    };
    assert_eq!(end.verification.lost, 0, "{page}");
    assert_eq!(after.verification.lost, 200, "{page}");
}

#[test]
fn a_redis_that_syncs_each_command_loses_none_when_it_is_killed_under_load() {
    let Some(server) = Server::find() else { return };
    let killed = "[[phases]]\nname = \"killed\"\nfor = \"2s\"\nusers = 8\n\
                  faults = [{ at = \"700ms\", for = \"200ms\", kind = \"kill\" }]";
    let text = ENTRIES
        .replace("LOAD", killed)
        .replace("SERVICE", &server.service(&ALWAYS));
    let (result, page) = proved(&text);
    assert_eq!(result.faults.len(), 1, "{page}");
    assert_eq!(result.faults[0].failed, None, "{page}");
    assert!(result.effects_hold(), "{page}");
    assert!(result.verification.verified > 0, "{page}");
}

/// The specification's scenario of files and Redis, as it is but for where Redis comes from.
#[test]
fn files_and_redis_are_proved_together_after_redis_was_killed() {
    let Some(server) = Server::find() else { return };
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        return;
    };
    let path = std::path::Path::new(&data).join("external-scenarios/06-mixed.toml");
    // Before a temporary folder, whose name may have any letters, is part of it.
    let text = fs::read_to_string(path).unwrap().replace("5s", "700ms");
    let (before, after) = text.split_once("kind = \"redis\"").unwrap();
    let (_, after) = after.split_once("\n\n").unwrap();
    let text = format!("{before}{}\n\n{after}", server.service(&ALWAYS));
    let (result, page) = proved(&text);
    assert!(result.effects_hold(), "{page}");
    for effect in result.effects.as_ref().unwrap() {
        assert!(effect.acknowledged > 0, "{page}");
        let is_in_redis = matches!(&*effect.name, "entry" | "published");
        assert_eq!(effect.restarted, is_in_redis, "{page}");
    }
}
