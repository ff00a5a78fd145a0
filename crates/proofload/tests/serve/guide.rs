//! The guide's pages, compared with the program: commands that there are, and settings that are printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::server::PROGRAM;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/guide")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of a page in a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once(&format!("```{language}\n")) {
        let (block, after) = after.split_once("```").expect("a block has an end");
        found.push(block.to_owned());
        rest = after;
    }
    found
}

/// The commands of this program in a page, each as its arguments.
fn commands(page: &str) -> Vec<Vec<String>> {
    let lines = blocks(page, "sh").into_iter().flat_map(|block| {
        let lines = block.lines().map(str::to_owned);
        lines.collect::<Vec<_>>()
    });
    lines
        .filter_map(|line| {
            let line = line.split(" #").next().unwrap_or_default().to_owned();
            let line = line.split(" > ").next().unwrap_or_default().to_owned();
            let (_, command) = line
                .split_once("proofload ")
                .filter(|(before, _)| !before.contains("//"))?;
            Some(words(command.trim_end_matches(')')))
        })
        .collect()
}

/// A command's words, as a shell takes them apart where it has only double quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in command.split('"').enumerate() {
        match number % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

/// With `--help` behind them, arguments are read and nothing is done; one that there is not is told before.
#[test]
fn every_command_of_the_pages_about_the_gate_is_one_of_this_program() {
    for name in ["gate-for-a-team.md", "agent-behind-the-gate.md"] {
        let commands = commands(&page(name));
        assert!(commands.len() >= 2, "{name}: {commands:?}");
        for mut arguments in commands {
            arguments.push("--help".to_owned());
            let output = Command::new(PROGRAM).args(&arguments).output().unwrap();
            assert!(output.status.success(), "{name}: {arguments:?}: {output:?}");
        }
    }
    let wrong = Command::new(PROGRAM)
        .args(["serve", "--dri", "gate", "--help"])
        .output()
        .unwrap();
    assert!(!wrong.status.success(), "a mistake before --help is told");
}

#[test]
fn the_settings_of_claude_code_in_the_guide_are_those_that_the_doctor_prints() {
    let page = page("agent-behind-the-gate.md");
    let in_guide: Value = serde_json::from_str(&blocks(&page, "json")[0]).unwrap();
    let arguments = ["doctor", "--host", "claude-code", "--print"];
    let printed = Command::new(PROGRAM).args(arguments).output().unwrap();
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(in_guide, printed);
}
