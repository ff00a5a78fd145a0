//! The canonical form and the digest of an action are stored with every approval: neither may change.

#[path = "../../../tests/support/golden.rs"]
mod golden;

use action::{Action, ActionPath};
use serde_json::{Value, json};

fn action(path: &str, parameters: Value) -> Action {
    let mut action = Action::new(ActionPath::new(path).unwrap(), "Do \"it\"\n");
    action.description = "für {name} \u{1f980}\u{2028}\u{7f}\u{0}".to_owned();
    action.parameters = parameters.as_object().unwrap().clone();
    action
}

/// Actions whose canonical form is easily got wrong.
fn hostile() -> Vec<(&'static str, Action)> {
    let nested = (0..100).fold(json!("inmost"), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({ "z": null, "a": inner }),
    });
    let numbers = json!({
        "fractions": [0.1, -0.0, 0.0, 1.0, 1e21, 1e20, 1e-7, 1e-6, 5e-324, 1.797_693_134_862_315_7e308],
        "integers": [0, -1, 9_007_199_254_740_992_u64, -9_007_199_254_740_992_i64],
        "same": [100, 100.0, 1e2],
        "thirds": [0.333_333_333_333_333_3, 4.5, 2e-3, 333_333_333.333_333_3],
    });
    // In UTF-16 the crab sorts before the letter that UTF-8 puts first.
    let names = json!({
        "\u{1f980}": 1, "\u{fb33}": 2, "\u{20ac}": 3, "\u{f6}": 4, "\u{80}": 5,
        "\r": 6, "1": 7, "10": 8, "2": 9, "": 10, "Z": 11, "a": 12, "</script>": 13,
        "A\u{30a}": 14, "\u{c5}": 15,
    });
    let texts = json!({
        "control": "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1f}\u{7f}\u{80}\u{9f}",
        "escapes": "\"\\/\u{2028}\u{2029}\\u0041",
        "direction": "\u{202e}evil\u{202c}\u{feff}\u{200b}",
        "planes": "\u{ffff}\u{10000}\u{10ffff}",
        "composed": ["\u{e9}", "e\u{301}"],
    });
    vec![
        (
            "plain",
            action("payments/refund", json!({ "order": "A-17", "cents": 1250 })),
        ),
        ("empty", Action::new(ActionPath::new("a").unwrap(), "n")),
        (
            "kinds",
            action(
                "a/b",
                json!({ "n": null, "t": true, "f": false, "l": [], "o": {} }),
            ),
        ),
        ("numbers", action("a/b/c", numbers)),
        ("names", action("a-b/c_d.e", names)),
        ("texts", action("kv/update", texts)),
        ("nested", action("deep/down", json!({ "d": nested }))),
    ]
}

#[test]
fn golden_the_canonical_form_and_the_digest_of_hostile_actions_are_as_stored() {
    let mut canonical = Vec::new();
    let mut digests = String::new();
    for (name, action) in hostile() {
        canonical.extend(action.canonical().unwrap());
        canonical.push(b'\n');
        digests += &format!("{name} {}\n", action.digest().unwrap());
    }
    golden::assert_file("canonical.jsonl", &canonical);
    golden::assert_file("digests.txt", digests.as_bytes());
}

#[test]
fn golden_the_stored_canonical_forms_read_back_as_actions_of_the_same_digest() {
    let canonical = String::from_utf8(golden::read("canonical.jsonl")).unwrap();
    let digests = String::from_utf8(golden::read("digests.txt")).unwrap();
    assert_eq!(canonical.lines().count(), hostile().len());
    for (line, named) in canonical.lines().zip(digests.lines()) {
        let action: Action = serde_json::from_str(line).unwrap();
        let (name, digest) = named.split_once(' ').unwrap();
        assert_eq!(action.digest().unwrap().to_string(), digest, "{name}");
        assert_eq!(action.canonical().unwrap(), line.as_bytes(), "{name}");
    }
}
