//! What `terraform plan -json` prints: a message a line, and no attribute of any resource.

use std::collections::HashMap;

use serde_json::Value;

use super::address::{address_type, segments};
use super::error::{FORMAT, refuse};
use super::reasons::words_of;
use crate::assess::kinds::FindingKind;
use crate::error::Error;
use crate::formats::planned::{
    AttributeChange, ChangeKind, PlannedChanges, PlannedResource, holds_data,
};
use crate::input::json;
use crate::world::fact::Fact;

/// Whether a line is a message of such a stream.
pub(crate) fn is_message(line: &str) -> bool {
    line.starts_with('{') && line.contains("\"@level\"") && line.contains("\"type\"")
}

/// Reads the messages of a plan.
///
/// # Errors
///
/// [`Error::Import`] with the line; also for the stream of an apply or a test.
pub(crate) fn read(text: &str) -> Result<PlannedChanges, Error> {
    let mut stream = Stream {
        plan: PlannedChanges::of(FORMAT),
        counted: None,
        others: 0,
        seen: HashMap::new(),
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if !is_message(line) {
            stream.others += 1;
            continue;
        }
        let message = json::exact(FORMAT, line).map_err(|error| at_line(number + 1, error))?;
        stream.message(number + 1, &message)?;
    }
    Ok(stream.finish())
}

fn at_line(number: usize, error: Error) -> Error {
    match error {
        Error::Import { format, reason, .. } => Error::Import {
            format,
            place: format!("line {number}"),
            reason,
        },
        other => other,
    }
}

struct Stream {
    plan: PlannedChanges,
    /// What the summary counts: added, changed, removed.
    counted: Option<[u64; 3]>,
    /// Lines that are no messages.
    others: usize,
    /// How often each address was named.
    seen: HashMap<String, usize>,
}

impl Stream {
    fn message(&mut self, line: usize, message: &Value) -> Result<(), Error> {
        match message["type"].as_str().unwrap_or_default() {
            "version" => {
                let version = message["terraform"].as_str().or(message["tofu"].as_str());
                let version = version.unwrap_or("unknown");
                self.plan
                    .notes
                    .push(format!("planned by version {version}"));
            }
            "planned_change" | "deferred_change" => self.change(line, message)?,
            "planned_action_invocation" | "action_invocation" => {
                let address = message["action"]["addr"]
                    .as_str()
                    .or(message["invocation"]["action"]["addr"].as_str())
                    .unwrap_or("an action");
                self.push(address, ChangeKind::Invoke, Vec::new());
            }
            "resource_drift" => {
                let address = message["change"]["resource"]["addr"]
                    .as_str()
                    .unwrap_or("a resource");
                let what = message["change"]["action"].as_str().unwrap_or("changed");
                let evidence = format!("someone else than terraform changed it: {what}");
                self.plan.remark(FindingKind::Drift, address, evidence);
            }
            "outputs" => self.outputs(message),
            "change_summary" => self.summary(line, &message["changes"])?,
            "diagnostic" => self.diagnostic(&message["diagnostic"]),
            kind if kind.starts_with("apply_") || kind.starts_with("provision_") => {
                return Err(refuse(
                    format!("line {line}"),
                    "it is the stream of an apply, no plan: what it says was done already",
                ));
            }
            kind if kind.starts_with("test_") => {
                return Err(refuse(
                    format!("line {line}"),
                    "it is the stream of `terraform test`, no plan",
                ));
            }
            "log"
            | "refresh_start"
            | "refresh_complete"
            | "ephemeral_op_start"
            | "ephemeral_op_progress"
            | "ephemeral_op_complete"
            | "ephemeral_op_errored"
            | "init_output" => {}
            other => {
                let evidence = format!(
                    "it has a message of type {other:?}, which is not understood and may be a change"
                );
                self.plan
                    .remark(FindingKind::Unread, format!("line {line}"), evidence);
            }
        }
        Ok(())
    }

    fn change(&mut self, line: usize, message: &Value) -> Result<(), Error> {
        let change = &message["change"];
        let Some(address) = change["resource"]["addr"].as_str() else {
            return Err(refuse(
                format!("line {line}"),
                "a change without the address of a resource",
            ));
        };
        let mut notes: Vec<String> = change["reason"]
            .as_str()
            .and_then(reason)
            .into_iter()
            .collect();
        if message["type"] == "deferred_change" {
            self.plan.incomplete.push(format!("{address} is put off"));
        }
        if let Some(from) = change["previous_resource"]["addr"].as_str() {
            notes.push(format!("moved from {from}"));
            self.plan.remark(
                FindingKind::Move,
                address,
                format!("its address was {from}"),
            );
        }
        if let Some(id) = change["importing"]["id"].as_str() {
            notes.push(format!("imported as {id}"));
            self.plan.remark(
                FindingKind::Import,
                address,
                format!("it exists, as {id}, and would be managed"),
            );
        }
        let is_data = address.contains("data.") && segments(address).any(|part| part == "data");
        let kind = match change["action"].as_str().unwrap_or_default() {
            "noop" => return Ok(()),
            "create" => ChangeKind::Create,
            "read" => ChangeKind::Read,
            "update" => ChangeKind::Update,
            "replace" => ChangeKind::Replace,
            "delete" if is_data => ChangeKind::Read,
            "delete" => ChangeKind::Destroy,
            "remove" | "forget" => ChangeKind::Forget,
            "import" => ChangeKind::Import,
            "move" => ChangeKind::Move,
            other => {
                return Err(refuse(
                    format!("line {line}, {address}"),
                    format!("unknown action {other:?}"),
                ));
            }
        };
        self.push(address, kind, notes);
        Ok(())
    }

    fn push(&mut self, address: &str, kind: ChangeKind, notes: Vec<String>) {
        let type_name = address_type(address).unwrap_or_default();
        let count = self.seen.entry(address.to_owned()).or_insert(0);
        *count += 1;
        let address = match *count {
            1 => address.to_owned(),
            count => format!("{address} ({count})"),
        };
        self.plan.resources_mut().push(PlannedResource {
            address,
            kind,
            type_name: type_name.to_owned(),
            notes,
            attributes: Vec::new(),
            depends_on: Vec::new(),
            holds_data: holds_data(type_name),
        });
    }

    fn outputs(&mut self, message: &Value) {
        for (name, output) in message["outputs"].as_object().into_iter().flatten() {
            let action = output["action"].as_str().unwrap_or("noop");
            if action == "noop" {
                continue;
            }
            let value = if output["sensitive"] == true {
                Fact::secret("sensitive in the plan")
            } else if output["value"].is_null() {
                Fact::unknown("known after apply")
            } else {
                Fact::from(output["value"].clone())
            };
            if action == "delete" {
                let evidence = "it would be gone, for whoever reads this state";
                self.plan
                    .remark(FindingKind::Output, format!("output {name}"), evidence);
            }
            self.plan.outputs.push(AttributeChange {
                name: name.clone(),
                before: (action != "create").then(|| Fact::unknown("not part of a stream")),
                after: (action != "delete").then_some(value),
            });
        }
    }

    fn summary(&mut self, line: usize, changes: &Value) -> Result<(), Error> {
        if let Some(other @ ("apply" | "destroy")) = changes["operation"].as_str() {
            let reason = format!("it is the summary of an operation {other:?}, no plan");
            return Err(refuse(format!("line {line}"), reason));
        }
        let count = |name: &str| changes[name].as_u64().unwrap_or(0);
        self.counted = Some([count("add"), count("change"), count("remove")]);
        Ok(())
    }

    fn diagnostic(&mut self, diagnostic: &Value) {
        let summary = diagnostic["summary"]
            .as_str()
            .unwrap_or("a diagnostic without a summary");
        let detail = diagnostic["detail"].as_str().unwrap_or_default();
        if diagnostic["severity"] == "error" {
            self.plan
                .incomplete
                .push(format!("the plan failed: {summary}"));
        } else if summary.contains("Check block assertion failed")
            || summary.contains("Resource postcondition failed")
        {
            let at = diagnostic["address"].as_str().unwrap_or("a check");
            self.plan
                .remark(FindingKind::Check, at, format!("{summary}: {detail}"));
        } else {
            self.plan.notes.push(format!("warning: {summary}"));
        }
    }

    fn finish(mut self) -> PlannedChanges {
        let plan = &mut self.plan;
        if self.others > 0 {
            plan.notes.push(format!(
                "{} line(s) that are no messages were left out",
                self.others
            ));
        }
        match self.counted {
            None if plan.incomplete.is_empty() => {
                plan.incomplete.push(
                    "the stream ends before its summary: it was cut off, or the plan failed"
                        .to_owned(),
                );
            }
            None => {}
            Some(counted) => {
                let count = |kinds: &[ChangeKind]| {
                    let of_kinds = plan
                        .resources
                        .iter()
                        .filter(|resource| kinds.contains(&resource.kind));
                    of_kinds.count() as u64
                };
                let found = [
                    count(&[ChangeKind::Create, ChangeKind::Replace]),
                    count(&[ChangeKind::Update]),
                    count(&[ChangeKind::Destroy, ChangeKind::Replace]),
                ];
                let most = counted
                    .iter()
                    .zip(&found)
                    .any(|(counted, found)| counted > found);
                if most {
                    let [add, change, remove] = counted;
                    let evidence = format!(
                        "its summary counts {add} to add, {change} to change and {remove} to destroy, more than its messages name"
                    );
                    plan.remark(FindingKind::Unread, "the plan", evidence);
                }
                plan.nothing_to_do = counted == [0; 3]
                    && plan.resources.is_empty()
                    && plan.outputs.is_empty()
                    && plan.incomplete.is_empty()
                    && plan.remarks.is_empty();
            }
        }
        if !plan.resources.is_empty() {
            plan.notes.push(
                "a stream names resources and none of their attributes: `terraform show -json FILE` has them".to_owned(),
            );
        }
        self.plan
    }
}

/// Streams have shorter words than plans.
fn reason(reason: &str) -> Option<String> {
    match reason {
        "tainted" => words_of("replace_because_tainted"),
        "requested" => words_of("replace_by_request"),
        "replace_triggered_by" => words_of("replace_by_triggers"),
        "cannot_update" => words_of("replace_because_cannot_update"),
        "delete_because_no_resource_config" | "delete_because_no_module" => words_of(reason),
        "wrong_repetition" | "count_index" | "each_key" | "no_module" | "no_resource_config"
        | "no_move_target" => words_of(&format!("delete_because_{reason}")),
        other => words_of(other),
    }
}
