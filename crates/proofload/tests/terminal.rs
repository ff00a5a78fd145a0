//! No text of others reaches a terminal as a character that it obeys, or that deceives a reader: the command
//! on a pseudo-terminal, with titles (OSC), cleared screens (CSI), both in C1, and text turned around in
//! names, paths, arguments and files.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
#[cfg(target_os = "linux")]
use std::{sync::mpsc, thread, time::Duration};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// A title, a screen that is cleared, and a name that reads backwards.
const ATTACK: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}3J\u{9d}0;owned\u{9c}\u{202e}fdp.exe";

/// What the command prints on a terminal, with its own styles taken out.
fn on_terminal(arguments: &[&str]) -> String {
    let (mut ours, theirs) = pair();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("proofload"))
        .args(arguments)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(theirs())
        .stderr(theirs())
        .spawn()
        .unwrap();
    let (mut printed, mut buffer) = (Vec::new(), [0; 4096]);
    // The end is an error once nobody holds the other side.
    while let Ok(read @ 1..) = ours.read(&mut buffer) {
        printed.extend_from_slice(&buffer[..read]);
    }
    child.wait().unwrap();
    without_styles(&String::from_utf8(printed).unwrap())
}

/// Without sequences that only choose colours and the like, and that clear the line of the progress.
fn without_styles(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap();
        let (parameters, kind) = (&sequence[..end], sequence[end..].chars().next().unwrap());
        assert!(
            kind == 'm' || (kind, parameters) == ('K', "2"),
            "{kind:?} in {text:?}"
        );
        rest = &sequence[end + kind.len_utf8()..];
    }
    out + rest
}

/// The attack is there, to be read, and nothing of it to be obeyed.
fn assert_harmless(what: &str, printed: &str) {
    // In Markdown a word joiner keeps `@` from calling somebody.
    let stays = |c: &char| matches!(c, '\r' | '\n' | '\t' | '\u{2060}');
    let obeyed = printed
        .chars()
        .find(|c| !stays(c) && action::is_deceptive(*c));
    assert_eq!(obeyed, None, "{what}: {printed:?}");
    assert!(
        printed.contains("fdp.exe"),
        "{what} shows the name: {printed:?}"
    );
    assert!(
        printed.contains("202e"),
        "{what} shows what is in it: {printed:?}"
    );
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn paths_and_arguments_are_shown_and_not_obeyed() {
    let dir = TempDir::new().unwrap();
    let named = dir.path().join(ATTACK);
    fs::create_dir(&named).unwrap();
    let option = format!("--{ATTACK}");
    for (what, arguments) in [
        ("an unknown argument", vec!["run", "storage", &option]),
        ("an unknown scenario", vec!["run", ATTACK]),
        ("a value", vec!["run", "storage", "--duration", ATTACK]),
        ("a setting", vec!["run", "storage", "--set", ATTACK]),
        ("a folder without data", vec!["verify", path(&named)]),
        ("a report that is none", vec!["report", path(&named)]),
        ("a comparison", vec!["compare", path(&named), path(&named)]),
        ("a history", vec!["trend", "--out", path(&named)]),
        ("a plan", vec!["simulate", path(&named)]),
        (
            "a log that is none",
            vec!["salvage", path(&named), path(&named)],
        ),
        (
            "a key",
            vec!["checkpoint", "keygen", ATTACK, "--out", path(&named)],
        ),
    ] {
        assert_harmless(what, &on_terminal(&arguments));
    }
}

#[test]
fn what_a_run_leaves_is_shown_and_not_obeyed_from_any_folder() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join(ATTACK);
    let printed = on_terminal(&[
        "run",
        "storage",
        "--quick",
        "--plain",
        "--keep",
        "--out",
        path(&out),
    ]);
    assert_harmless("a run", &printed);
    assert_harmless("verify", &on_terminal(&["verify", path(&out)]));
    assert_harmless(
        "verify in JSON",
        &on_terminal(&["verify", path(&out), "--json"]),
    );
    let data = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let data = data.filter(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("data-")
    });
    let data = data.collect::<Vec<_>>().pop().unwrap();
    let to = dir.path().join(format!("to {ATTACK}"));
    assert_harmless(
        "salvage",
        &on_terminal(&["salvage", path(&data), path(&to)]),
    );
    assert_harmless(
        "init",
        &on_terminal(&["init", path(&dir.path().join(format!("{ATTACK}.toml")))]),
    );
}

#[test]
fn what_files_say_is_shown_and_not_obeyed() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let json = serde_json::to_string(ATTACK).unwrap();
    let toml = "\\u001b]0;owned\\u0007\\u001b[2J\\u009b3J\\u009d0;owned\\u009c\\u202efdp.exe";
    let scenario = file(
        "a.toml",
        &format!("\"{toml}\" = 1\nname = \"a\"\n[target]\nkind = \"storage\"\n"),
    );
    assert_harmless(
        "a key of a scenario",
        &on_terminal(&["run", path(&scenario)]),
    );
    let scenario = file(
        "b.toml",
        &format!("name = \"{toml}\"\n[target]\nkind = \"storage\"\n"),
    );
    assert_harmless(
        "the name of a scenario",
        &on_terminal(&["run", path(&scenario)]),
    );
    let plan = file(
        "plan.json",
        &format!(
            "{{\"name\": {json}, \"steps\": [{{\"id\": {json}, \"action\": {{\"path\": \"a/b\", \"name\": {json}, \"parameters\": {{{json}: 1}}}}}}]}}"
        ),
    );
    for form in [
        &["simulate", path(&plan)][..],
        &["simulate", path(&plan), "--json"],
    ] {
        assert_harmless("a plan", &on_terminal(form));
    }
    // A report, with the name of its scenario, its reason and its command.
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../report/tests/fixtures/pass.json");
    let mut report: serde_json::Value = serde_json::from_slice(&fs::read(stored).unwrap()).unwrap();
    for pointer in [
        "/scenarios/0/name",
        "/scenarios/0/title",
        "/scenarios/0/load",
        "/command",
        "/verdict/reason",
    ] {
        *report.pointer_mut(pointer).unwrap() = ATTACK.into();
    }
    let report = file("report.json", &report.to_string());
    for form in [&[][..], &["--markdown"], &["--json"]] {
        let arguments = [&["report", path(&report)], form].concat();
        assert_harmless("a report", &on_terminal(&arguments));
    }
    let entry = format!(
        "{{\"started_at\":{json},\"command\":{json},\"version\":\"1\",\"health\":\"pass\",\"figures\":[{{\"scenario\":{json},\"step\":{json},\"metric\":\"p50\",\"value\":1.0}}]}}\n"
    );
    file("history.jsonl", &entry);
    assert_harmless(
        "a history",
        &on_terminal(&["trend", "--out", path(dir.path())]),
    );
    assert_harmless(
        "a history in JSON",
        &on_terminal(&["trend", "--json", "--out", path(dir.path())]),
    );
}

/// A pseudo-terminal's two sides: ours, and what a program gets.
fn pair() -> (File, impl Fn() -> File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let open = move || {
        File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
    };
    (File::from(ours), open)
}

#[test]
#[cfg(target_os = "linux")]
fn a_key_ends_the_load_with_its_report_and_the_terminal_is_as_it_was() {
    use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

    let dir = TempDir::new().unwrap();
    let (mut ours, theirs) = pair();
    let keys = theirs();
    tcsetwinsize(
        &keys,
        Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();
    let usual = tcgetattr(&keys).unwrap().local_modes;
    // Keys come to the program that has the terminal, which `setsid` of util-linux gives it.
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait"])
        .arg(assert_cmd::cargo::cargo_bin!("proofload"))
        .args(["run", "storage", "--duration", "120s", "--out"])
        .arg(dir.path().join("run"))
        .env("TERM", "xterm")
        .stdin(theirs())
        .stdout(theirs())
        .stderr(theirs())
        .spawn()
        .unwrap();
    // On a thread of its own, since a terminal that we hold open has no end.
    let (tell, told) = mpsc::sync_channel(1024);
    let mut screen = ours.try_clone().unwrap();
    let reader = thread::Builder::new().name("test:screen".to_owned());
    let reader = reader.spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            if tell.send(buffer[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    reader.unwrap();
    let (mut printed, mut pressed) = (Vec::new(), false);
    while child.try_wait().unwrap().is_none() {
        printed.extend(
            told.recv_timeout(Duration::from_millis(50))
                .into_iter()
                .flatten(),
        );
        if !pressed && String::from_utf8_lossy(&printed).contains("q ends the load") {
            pressed = true;
            assert!(tcgetattr(&keys).unwrap().local_modes != usual);
            ours.write_all(b"q").unwrap();
        }
    }
    let status = child.wait().unwrap();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(pressed, "{printed:?}");
    assert_eq!(status.code(), Some(130), "{printed}");
    assert_eq!(tcgetattr(&keys).unwrap().local_modes, usual);
    assert!(
        dir.path().join("run/latest/report.json").exists(),
        "{printed}"
    );
}
