//! What shells and `man` are given is made from the command's own arguments.

use assert_cmd::Command;

fn printed(args: &[&str]) -> String {
    let output = Command::cargo_bin("proofload")
        .unwrap()
        .args(args)
        .assert()
        .success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

#[test]
fn completions_know_the_commands_and_their_options() {
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        for word in ["suite", "verify", "journal"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_the_program_and_for_each_command() {
    let all = printed(&["man"]);
    assert!(all.starts_with(".ie") && all.contains("proofload"), "{all}");
    assert!(printed(&["man", "run"]).contains("proofload\\-run"));
    Command::cargo_bin("proofload")
        .unwrap()
        .args(["man", "nix"])
        .assert()
        .code(2);
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = concat!("proofload ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(printed(&["--version"]), version);
}
