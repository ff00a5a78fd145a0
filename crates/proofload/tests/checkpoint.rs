//! Checkpoints from key to verification: signed by a run, cosigned by a witness who has seen what came before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jsonl_storage::{Log, LogOptions};
use serde_json::Value;
use tempfile::TempDir;

fn proofload(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("proofload"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A key in a file, and its public part.
fn keygen(name: &str, file: &Path, more: &[&str]) -> String {
    let arguments = [&["checkpoint", "keygen", name, "--out", text(file)], more].concat();
    let output = proofload(&arguments);
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn code(arguments: &[&str]) -> (Option<i32>, String) {
    let output = proofload(arguments);
    (output.status.code(), told(&output))
}

/// The only entry of a folder whose name begins so.
fn entry(folder: &Path, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let begins = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(prefix)
    };
    let found: Vec<_> = entries.filter(begins).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn append(log: &Path) {
    let log: Log<Value> = LogOptions::new().open(log).unwrap();
    let record = log.scan().unwrap().next().unwrap().unwrap().data;
    log.append(&record).unwrap();
    log.close().unwrap();
}

#[test]
fn a_run_signs_what_it_keeps_and_a_witness_cosigns_only_what_goes_on_from_there() {
    let home = TempDir::new().unwrap();
    let at = |name: &str| home.path().join(name);
    let key = keygen("example.com/log", &at("log.key"), &[]);
    let witness = keygen("example.com/witness", &at("witness.key"), &["--witness"]);
    let out = at("out");
    let run = [
        "run",
        "storage",
        "--quick",
        "--out",
        text(&out),
        "--checkpoint-key",
    ];
    let (status, said) = code(&[&run[..], &[text(&at("log.key"))]].concat());
    assert_eq!(
        status,
        Some(2),
        "without --keep there is nothing left to verify: {said}"
    );
    let (status, said) = code(&[&run[..], &[text(&at("log.key")), "--keep"]].concat());
    assert_eq!(status, Some(0), "{said}");

    let (data, folder) = (entry(&out, "data-"), entry(&out, "run-"));
    let first = at("first");
    fs::copy(entry(&folder, "checkpoint-storage-1.txt"), &first).unwrap();
    let verify = |checkpoint: &Path, more: &[&str]| {
        code(
            &[
                &["verify", text(&data), "--checkpoint", text(checkpoint)],
                more,
            ]
            .concat(),
        )
    };
    assert_eq!(verify(&first, &["--key", &key]).0, Some(0));
    let (status, said) = verify(&first, &["--witness", &witness]);
    assert_eq!(status, Some(2), "not cosigned yet: {said}");
    assert!(
        said.contains("no signature by example.com/witness"),
        "{said}"
    );

    let secret = at("witness.key");
    let cosign = |checkpoint: &Path, more: &[&str]| {
        let arguments = [
            "checkpoint",
            "cosign",
            text(checkpoint),
            "--log",
            text(&data),
            "--signed-by",
            &key,
            "--key",
            text(&secret),
        ];
        code(&[&arguments[..], more].concat())
    };
    assert_eq!(cosign(&first, &[]).0, Some(0));
    assert_eq!(verify(&first, &["--witness", &witness]).0, Some(0));
    assert_eq!(
        verify(&first, &["--witness", &witness, "--key", &key]).0,
        Some(0)
    );

    // The log goes on, and so does the witness.
    let sign = |checkpoint: &Path| {
        let log_key = at("log.key");
        let arguments = [
            "checkpoint",
            "create",
            text(&data),
            "--key",
            text(&log_key),
            "--out",
            text(checkpoint),
        ];
        let (status, said) = code(&arguments);
        assert_eq!(status, Some(0), "{said}");
    };
    append(&data);
    let second = at("second");
    sign(&second);
    let (status, said) = cosign(&second, &["--previous", text(&first)]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = cosign(&first, &["--previous", text(&second)]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the log went back"), "{said}");

    // Whoever has the key signs another history; the witness does not.
    let segment = entry(&data, "segment-00000000000000000001.jsonl");
    let records: Vec<Value> = {
        let log: Log<Value> = LogOptions::new().open(&data).unwrap();
        log.scan()
            .unwrap()
            .map(|record| record.unwrap().data)
            .collect()
    };
    fs::remove_file(&segment).unwrap();
    let _ = fs::remove_file(segment.with_extension("index"));
    let forged: Log<Value> = LogOptions::new().chained().open(&data).unwrap();
    records
        .iter()
        .rev()
        .for_each(|record| assert!(forged.append(record).is_ok()));
    forged.close().unwrap();
    let third = at("third");
    sign(&third);
    let before = fs::read(&third).unwrap();
    let (status, said) = cosign(&third, &["--previous", text(&second)]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("not cosigned: "), "{said}");
    assert_eq!(fs::read(&third).unwrap(), before);
}
