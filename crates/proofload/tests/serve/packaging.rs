//! What is in `packaging`, compared with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::server::Team;

fn packaging(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging")
        .join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a text that begin as this program's figures do.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words
        .filter(|word| word.starts_with("proofload_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_dashboard_shows_figures_that_there_are() {
    let Team {
        agent,
        alice,
        operator,
        server: _server,
        dir: _dir,
        ..
    } = Team::new();
    let asked = agent.ask();
    alice.approve(&asked).ok(201);
    agent.claim(&asked).ok(201);
    alice.claim(&asked).problem(403);
    operator.approve(&asked).problem(403);
    let there = names(&operator.get("/metrics").text);
    let dashboard: Value = serde_json::from_str(&packaging("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 6);
    for panel in panels {
        let shown = names(&panel["targets"].to_string());
        assert!(!shown.is_empty(), "{panel}");
        assert!(
            shown.is_subset(&there),
            "{}: {shown:?} of {there:?}",
            panel["title"]
        );
    }
}

#[test]
fn what_starts_the_server_uses_options_that_there_are() {
    let mut command = std::process::Command::new(crate::server::PROGRAM);
    let help = command.args(["serve", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    for file in ["proofload.service", "Dockerfile", "kubernetes.yaml"] {
        let text = packaging(file);
        // What is said to others, such as cargo, stands in comments and in steps that build the image.
        let lines = text.lines().filter(|line| {
            !["#", "RUN", "COPY"]
                .iter()
                .any(|other| line.starts_with(other))
        });
        let words =
            lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || "\"',[]=".contains(c)));
        let mut found = 0;
        for option in words.filter(|word| word.starts_with("--") && word.len() > 3) {
            assert!(help.contains(option), "{file}: {option}");
            found += 1;
        }
        assert!(found > 0, "{file}");
    }
}
