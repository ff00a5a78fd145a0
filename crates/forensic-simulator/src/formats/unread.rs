//! Formats that are known and not read, each with what to do instead.

use serde_json::{Map, Value};

type Known = (&'static str, &'static str);

/// What a JSON object is, by the names of its fields.
pub(crate) fn object(fields: &Map<String, Value>) -> Option<Known> {
    let has = |name: &str| fields.contains_key(name);
    Some(
        if has("ChangeSetId") || has("ChangeSetName") || (has("Changes") && has("StackName")) {
            (
                "it is a change set of CloudFormation, which is not read",
                "describe its actions as a workflow, see `proofload schema actions`",
            )
        } else if has("Resources") || has("AWSTemplateFormatVersion") {
            (
                "it is a template of CloudFormation, no plan",
                "describe its actions as a workflow, see `proofload schema actions`",
            )
        } else if has("plays") && has("stats") {
            (
                "it is the output of Ansible, which is not read",
                "describe its actions as a workflow, see `proofload schema actions`",
            )
        } else if has("tools") || has("result") {
            (
                "it is an answer of an MCP server, no call",
                "pass a list of tools with `--tools`, and the calls as the plan",
            )
        } else if has("deployment") && has("version") {
            (
                "it is a stack of Pulumi as `pulumi stack export` writes it, no plan",
                "run `pulumi preview --json`",
            )
        } else if fields.values().len() == 1 && (has("properties") || has("$schema")) {
            ("it is a JSON schema", "pass a plan")
        } else if has("$schema") && has("resources") {
            (
                "it is a template of Azure Resource Manager, no plan",
                "describe its actions as a workflow, see `proofload schema actions`",
            )
        } else if has("changes") && has("status") {
            (
                "it is the result of `az deployment what-if`, which is not read",
                "describe its actions as a workflow, see `proofload schema actions`",
            )
        } else {
            return None;
        },
    )
}

/// What a text that is no JSON is, by how it begins.
pub(crate) fn text(start: &str) -> Known {
    let first = start.lines().next().unwrap_or_default();
    let has = |text: &str| start.contains(text);
    if first.starts_with("(define") {
        (
            "it is PDDL",
            "pass the plan, and the other two files with `--domain` and `--problem`",
        )
    } else if first.starts_with('(') {
        (
            "it looks like a plan of PDDL",
            "pass its domain and problem too, with `--domain` and `--problem`",
        )
    } else if has("Terraform will perform")
        || has("OpenTofu will perform")
        || has("Terraform used the selected providers")
        || has("OpenTofu used the selected providers")
        || has("No changes. Your infrastructure matches")
    {
        (
            "it is a plan of terraform as people read it",
            "run `terraform plan -out FILE` and `terraform show -json FILE`",
        )
    } else if has("Previewing update") || has("pulumi:pulumi:Stack") {
        (
            "it is a preview of pulumi as people read it",
            "run `pulumi preview --json`",
        )
    } else if first.starts_with("apiVersion:")
        || first.starts_with("kind:")
        || first.starts_with("---")
    {
        (
            "it is YAML of Kubernetes or of another tool, no plan",
            "run `kubectl diff -f FILE`, or `kubectl apply --dry-run=server -f FILE`",
        )
    } else if [
        "resource ",
        "terraform ",
        "provider ",
        "module ",
        "variable ",
    ]
    .iter()
    .any(|word| first.starts_with(word))
    {
        (
            "it is a configuration of terraform, no plan",
            "run `terraform plan -out FILE` and `terraform show -json FILE`",
        )
    } else if first.starts_with("diff ") || first.starts_with("--- ") {
        (
            "it is a diff, and not of `kubectl diff`",
            "pass the plan of a tool that is read: see `--help`",
        )
    } else {
        (
            "expected value",
            "it is no JSON, and no other format that is read; see `proofload simulate --help`",
        )
    }
}
