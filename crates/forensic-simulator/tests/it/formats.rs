//! Plans of Pulumi and Kubernetes, and the schema of what is written about any plan.

use forensic_simulator::{
    Examination, FailOn, FindingKind, GateResult, PlanFile, PlanFormat, Simulator, Timestamp,
};
use serde_json::{Value, json};

fn examine(text: &str, format: PlanFormat) -> Examination {
    let file = PlanFile::parse(text, None).unwrap();
    assert_eq!(file.format, format);
    let simulator = file
        .register(Simulator::builder().builtins())
        .build()
        .unwrap();
    simulator
        .examine_file(&file, &file.world, Timestamp::default(), 1)
        .unwrap()
}

fn gate(examination: &Examination) -> GateResult {
    FailOn::default().judge(examination)
}

fn urn(kind: &str, name: &str) -> String {
    format!("urn:pulumi:dev::shop::{kind}::{name}")
}

#[test]
fn a_preview_of_pulumi_is_read() {
    let bucket = urn("aws:s3/bucket:Bucket", "logs");
    let database = urn("aws:rds/instance:Instance", "orders");
    let secret = |text: &str| json!({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": text});
    let preview = json!({"config": {}, "steps": [
        {"op": "same", "urn": urn("pulumi:pulumi:Stack", "s")},
        {"op": "create-replacement", "urn": database, "replaceReasons": ["engine"],
         "oldState": {"inputs": {"engine": "a", "password": secret("\"CANARY\"")}},
         "newState": {"inputs": {"engine": "b", "password": secret("\"CANARY2\""), "subnet": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, "dependencies": [bucket]}},
        {"op": "replace", "urn": database}, {"op": "delete-replaced", "urn": database},
        {"op": "delete", "urn": bucket, "oldState": {"inputs": {"acl": "private"}}},
    ], "changeSummary": {"same": 1, "replace": 1, "delete": 1}});
    let it = examine(&preview.to_string(), PlanFormat::Pulumi);
    assert_eq!(it.headline, "REVIEW: 1 destroyed, 1 replaced");
    let text = it.to_text();
    for part in [
        "engine: \"a\" -> \"b\"",
        "(unknown: known after apply)",
        "a change of engine replaces it",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!it.to_json().unwrap().contains("CANARY"));
    assert_eq!(gate(&it), GateResult::Findings);
    let failed = json!({"steps": [], "diagnostics": [{"severity": "error", "message": "no credentials"}], "changeSummary": {}});
    assert_eq!(
        gate(&examine(&failed.to_string(), PlanFormat::Pulumi)),
        GateResult::Incomplete
    );
    let hidden = json!({"steps": [], "changeSummary": {"delete": 3}});
    let hidden = examine(&hidden.to_string(), PlanFormat::Pulumi);
    assert!(
        hidden
            .findings
            .iter()
            .any(|finding| finding.kind == FindingKind::Unread)
    );
    let nothing = json!({"steps": [{"op": "same", "urn": bucket}], "changeSummary": {"same": 1}});
    assert!(examine(&nothing.to_string(), PlanFormat::Pulumi).nothing_to_do);
    let unknown = json!({"steps": [{"op": "fly", "urn": bucket}], "changeSummary": {}});
    let error = PlanFile::parse(&unknown.to_string(), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("step 1: unknown operation \"fly\""),
        "{error}"
    );
}

const DIFF: &str = "\
diff -u -N /tmp/LIVE-1/apps.v1.Deployment.shop.web /tmp/MERGED-2/apps.v1.Deployment.shop.web
--- /tmp/LIVE-1/apps.v1.Deployment.shop.web\t2026-01-01
+++ /tmp/MERGED-2/apps.v1.Deployment.shop.web\t2026-01-01
@@ -6,7 +6,7 @@
   name: web
 spec:
-  replicas: 3
+  replicas: 1
   selector:
diff -u -N /tmp/LIVE-1/v1.PersistentVolumeClaim.shop.data /tmp/MERGED-2/v1.PersistentVolumeClaim.shop.data
--- /tmp/LIVE-1/v1.PersistentVolumeClaim.shop.data\t2026-01-01
+++ /tmp/MERGED-2/v1.PersistentVolumeClaim.shop.data\t2026-01-01
@@ -1,2 +0,0 @@
-apiVersion: v1
-kind: PersistentVolumeClaim
diff -u -N /tmp/LIVE-1/v1.Service.shop.api /tmp/MERGED-2/v1.Service.shop.api
--- /tmp/LIVE-1/v1.Service.shop.api\t2026-01-01
+++ /tmp/MERGED-2/v1.Service.shop.api\t2026-01-01
@@ -0,0 +1,2 @@
+apiVersion: v1
+kind: Service
";

#[test]
fn a_diff_of_kubectl_is_read() {
    let it = examine(DIFF, PlanFormat::KubectlDiff);
    assert_eq!(it.headline, "REVIEW: 1 destroyed, 1 updated, 1 created");
    let text = it.to_text();
    for part in [
        "- destroy shop/PersistentVolumeClaim/data",
        "~ replicas: \"3\" -> \"1\"",
        "+ create 1: shop/Service/api",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let failed = format!("{DIFF}error: no connection\n");
    assert_eq!(
        gate(&examine(&failed, PlanFormat::KubectlDiff)),
        GateResult::Incomplete
    );
}

#[test]
fn a_dry_run_of_kubectl_is_read() {
    let lines = "namespace/shop unchanged (server dry run)\ndeployment.apps/web configured (server dry run)\npod \"a\" deleted (server dry run)\nservice/api created (server dry run)\n";
    let it = examine(lines, PlanFormat::KubectlDryRun);
    assert_eq!(it.headline, "REVIEW: 1 destroyed, 1 updated, 1 created");
    let refused = format!("{lines}Error from server (Forbidden): no\n");
    assert_eq!(
        gate(&examine(&refused, PlanFormat::KubectlDryRun)),
        GateResult::Incomplete
    );
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "uid": "1"}, "data": {"k": "CANARY"}});
    let it = examine(&object.to_string(), PlanFormat::KubectlDryRun);
    assert_eq!(it.headline, "REVIEW: 1 unknown");
    assert!(!it.to_json().unwrap().contains("CANARY"));
}

#[test]
fn the_published_schema_describes_what_is_written() {
    let schema = Examination::json_schema();
    let published = include_str!("../../schemas/simulation.v1.json");
    assert_eq!(
        format!("{schema:#}\n"),
        published,
        "run `cargo run -p proofload -- schema simulation > crates/forensic-simulator/schemas/simulation.v1.json`"
    );
    let validator = jsonschema::validator_for(&schema).unwrap();
    let calls = json!([{"name": "f", "arguments": {"a": 1}}]).to_string();
    let terraform = include_str!("../../samples/terraform-plan.json");
    for (text, format) in [
        (DIFF, PlanFormat::KubectlDiff),
        (&calls, PlanFormat::Mcp),
        (terraform, PlanFormat::Terraform),
    ] {
        let json: Value = serde_json::from_str(&examine(text, format).to_json().unwrap()).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert!(!validator.is_valid(&json!({"format": "proofload simulation"})));
}
