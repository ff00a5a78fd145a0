//! The table of attacks and protections in `docs/security.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::log::ATTACKS;
use crate::scene::{Said, Scene};

const BEGIN: &str = "<!-- begin: written by `cargo xtask attack` -->\n";
const END: &str = "<!-- end -->\n";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md")
}

/// What a reader is told of an attack.
fn cell(said: Said, is_harmless: bool) -> &'static str {
    match said {
        Said::Found => "found",
        Said::Refused => "refused",
        Said::Undecided => "undecided",
        Said::Holds if is_harmless => "no effect",
        Said::Holds => "**unseen**",
    }
}

fn table() -> String {
    let scene = Scene::new();
    let whole = scene.verify(&scene.copy().data);
    assert_eq!(whole, [Said::Holds; 3], "before any attack");
    let mut table =
        "| attack | no protection | checkpoint | journal |\n| --- | --- | --- | --- |\n".to_owned();
    for attack in ATTACKS {
        let attacked = scene.copy();
        (attack.act)(&attacked);
        let [none, checkpoint, journal] = scene
            .verify(&attacked.data)
            .map(|said| cell(said, attack.is_harmless));
        let name = attack.name;
        writeln!(table, "| {name} | {none} | {checkpoint} | {journal} |").unwrap();
    }
    table
}

#[test]
fn the_documented_table_says_what_each_attack_comes_to() {
    let table = table();
    let document = std::env::var_os("ATTACK_TABLE").map_or_else(document, PathBuf::from);
    let text = fs::read_to_string(&document).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("docs/security.md has the place of the table");
    let (stands, after) = rest
        .split_once(END)
        .expect("the place of the table has an end");
    if std::env::var_os("ATTACK_TABLE").is_some() {
        fs::write(document, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert!(
            stands == table,
            "docs/security.md is not current: run `cargo xtask attack`. It is now:\n{table}"
        );
    }
}
