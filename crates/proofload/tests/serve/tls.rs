//! TLS, the configuration's file, and limits on each caller.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::server::{PROGRAM, Server, refund, token};

/// A certificate for 127.0.0.1 with its key, and the authority that issued it, as files of a folder.
fn certify(folder: &Path, authority: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    fs::write(folder.join(authority), root.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&own, &issuer)
        .unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), own.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A load over TLS: how many requests for approval were found again.
fn found(folder: &Path, url: &str, authority: &str, token: &str) -> Option<u64> {
    let scenario = format!(
        r#"
name = "tls"
thresholds = ['error_rate < 50%']

[services.gate]
kind = "http"
url = "{url}"
ca = "{}"

[[flows.ask]]
http = '''
POST /api/v1/approvals
Authorization: Bearer ${{secret.PROOFLOAD_TOKEN}}
Idempotency-Key: ${{id}}

{{ "action": {{ "path": "load/write", "name": "${{id}}" }} }}
'''
expect = {{ status = 201 }}
effect = {{ creates = "request", key = "${{id}}", content = "load/write" }}

[effects.request]
read.http = '''
GET /api/v1/approvals?limit=200
Authorization: Bearer ${{secret.PROOFLOAD_TOKEN}}
'''
read.rows = "$[*].action"
read.key = "$.name"
read.content = "$.path"

[model]
users = 2
total_iterations = 10
"#,
        folder.join(authority).display()
    );
    let (file, out) = (
        folder.join("tls.toml"),
        folder.join(format!("out-{authority}")),
    );
    fs::write(&file, scenario).unwrap();
    let mut command = Command::new(PROGRAM);
    let command = command
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .env("PROOFLOAD_TOKEN", token);
    command.output().unwrap();
    let report: Value =
        serde_json::from_slice(&fs::read(out.join("latest/report.json")).ok()?).unwrap();
    report["scenarios"][0]["effects"][0]["readings"][0]["verification"]["verified"].as_u64()
}

#[test]
fn a_server_with_a_certificate_is_reached_by_tls_alone_and_takes_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path().join("gate"), dir.path());
    certify(folder, "old.pem");
    let agent = token(&data, "build-bot", "agent");
    let config = folder.join("config.toml");
    fs::write(&config, "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    assert_eq!(found(folder, &server.url, "old.pem", &agent), Some(10));
    let mut plain = server.client(&agent);
    plain.url = server.url.replace("https://", "http://");
    let answer = plain.send("GET", "/api/v1/health", &[], None);
    assert!(
        answer.is_none_or(|answer| answer.status == 400),
        "nothing is said without TLS"
    );
    certify(folder, "new.pem");
    server.signal(Signal::HUP);
    // The signal is handled in its own time.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while found(folder, &server.url, "new.pem", &agent) != Some(10) {
        assert!(
            std::time::Instant::now() < until,
            "the new certificate is not used"
        );
        // It is there only if the load came as far as a report.
        let _ = fs::remove_dir_all(folder.join("out-new.pem"));
    }
}

/// What `proofload serve` says when it does not start.
fn refused(arguments: &[&str], data: &Path) -> String {
    let mut command = Command::new(PROGRAM);
    let command = command.arg("serve").arg("--dir").arg(data).args(arguments);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn other_machines_need_tls_and_a_token_and_a_key_is_nobodys_business() {
    let dir = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path().join("gate"), dir.path());
    certify(folder, "ca.pem");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let tls = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let anywhere = ["--listen", "0.0.0.0:0"];
    assert!(refused(&anywhere, &data).contains("is not an address of this machine alone"));
    assert!(refused(&[&anywhere[..], &tls[..]].concat(), &data).contains("nobody has a token yet"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&tls, &data).contains("others can read the key"));
    assert!(refused(&tls[..2], &data).contains("--tls-key"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "no key").unwrap();
    assert!(refused(&tls, &data).contains("key.pem"));
    let config = folder.join("config.toml");
    fs::write(&config, "\n\nlistn = \"127.0.0.1:1\"\n").unwrap();
    let told = refused(&["--config", config.to_str().unwrap()], &data);
    assert!(told.contains("line 3") && told.contains("listn"), "{told}");
}

#[test]
fn one_caller_who_asks_too_often_is_told_when_to_come_again_and_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    fs::write(&config, "[limits.rate]\nagent = 1\n").unwrap();
    let data = dir.path().join("gate");
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let client = |name, role| server.client(&token(&data, name, role));
    let (agent, other, operator) = (
        client("build-bot", "agent"),
        client("pay-bot", "agent"),
        client("olga", "operator"),
    );
    let refused = (0..100)
        .map(|_| agent.get("/api/v1/approvals"))
        .find(|answer| answer.status != 200);
    let refused = refused.expect("a hundred are more than one a second");
    assert_eq!(refused.problem(429), "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    let body = json!({ "session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {} });
    let said = (0..100).map(|_| {
        agent
            .post("/hooks/claude-code?wait=0s", &body)
            .ok(200)
            .to_string()
    });
    assert!(
        { said }.any(|said| said.contains("rate_limited") && said.contains("deny")),
        "a hook is refused too"
    );
    other
        .post("/api/v1/approvals", &json!({ "action": refund() }))
        .ok(201);
    for _ in 0..20 {
        assert_eq!(operator.get("/api/v1/config").ok(200)["rate_agent"], 1);
    }
}
