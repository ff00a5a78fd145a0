//! The scenario files that come with Proofload, run against the servers that they are for.

use harness::{NoProgress, Overrides, ScenarioFile, Suite};
use report::ScenarioResult;
use serde_json::json;

use super::installed;
use super::redis_server::Server;

/// Runs a file of `scenarios/services` with what is set over it.
fn run(name: &str, set: &[String]) -> (ScenarioResult, String) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/services");
    let path = format!("{folder}/{name}.toml");
    let file = ScenarioFile::read(path.as_ref(), &Overrides::set(set));
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    let out = tempfile::tempdir().unwrap();
    let report = Suite::new([file]).run(out.path(), &mut NoProgress);
    let report = report.unwrap_or_else(|error| panic!("{error}"));
    let page = crate::page(&report);
    (report.scenarios[0].clone(), page)
}

#[test]
fn the_official_mcp_memory_server_loses_writes_that_overlap_and_none_that_do_not() {
    if installed("node_modules/.bin/mcp-server-memory").is_none() {
        return;
    }
    for (users, loses) in [(8, true), (1, false)] {
        let (result, page) = run("mcp-memory-server", &[format!("model.users={users}")]);
        let effect = &result.effects.as_ref().unwrap()[0];
        // A call that reads the file while another one writes it may fail, and two that write it at once may leave
        // what nobody can read: then the reading says so.
        assert_eq!(effect.acknowledged + effect.unknown, 200, "{users}\n{page}");
        assert_eq!(result.effects_hold(), !loses, "{users}\n{page}");
        let found = &result.verification;
        if loses && found.unreadable > 0 {
            continue;
        }
        assert_eq!(
            found.verified + found.lost,
            effect.acknowledged,
            "{users}\n{page}"
        );
        assert_eq!(found.lost > 0, loses, "{users}\n{page}");
        let told = format!("{} lost", found.lost);
        assert!(!loses || page.contains(&told), "{users}\n{page}");
    }
}

#[test]
fn json_server_loses_posts_that_it_acknowledged_when_it_is_killed() {
    let Some(program) = installed("node_modules/.bin/json-server") else {
        return;
    };
    // An address of this machine that no other run of this test has: all of 127.0.0.0/8 are.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = format!("127.{high}.{middle}.{low}");
    let start = json!([
        program,
        "--quiet",
        "--host",
        host,
        "--port",
        "3999",
        "${dir}/db.json"
    ]);
    let set = [
        format!("services.posts.url=http://{host}:3999"),
        format!("services.posts.start={start}"),
    ];
    let (result, page) = run("json-server", &set);
    assert_eq!(result.faults[0].failed, None, "{page}");
    assert!(result.verification.verified > 0, "{page}");
    assert!(result.verification.lost > 0, "{page}");
}

#[test]
fn the_files_for_redis_hold_against_redis() {
    let Some(server) = Server::find() else { return };
    let phases = ["files alone", "redis alone", "together"];
    let shorter = phases.map(|phase| format!("phases.{phase}.for=700ms"));
    for (name, more) in [
        ("redis-set", Vec::new()),
        ("redis-hundred", Vec::new()),
        ("mixed-files-redis", shorter.to_vec()),
    ] {
        let set = [server.settings(), more].concat();
        let (result, page) = run(name, &set);
        assert!(result.effects_hold(), "{name}\n{page}");
        for effect in result.effects.as_ref().unwrap() {
            assert!(effect.acknowledged > 0, "{name}\n{page}");
            let is_file = matches!(&*effect.name, "transcript" | "index");
            assert_eq!(effect.restarted, !is_file, "{name}\n{page}");
        }
    }
}
