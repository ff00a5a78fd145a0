//! The output of `terraform show -json` on its way in.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::address::address_type;
use super::error::{FORMAT, refuse, within};
use super::reasons::{deferral, words_of};
use super::references;
use super::values::attributes;
use crate::assess::kinds::FindingKind;
use crate::error::Error;
use crate::formats::planned::{
    AttributeChange, ChangeKind, PlannedChanges, PlannedResource, holds_data, sort_by_references,
};
use crate::input::json;

/// The newest minor version of format 1 whose fields are known here.
const KNOWN_MINOR: u64 = 2;

/// The fields of a plan, of which some say nothing about changes.
const FIELDS: &[&str] = &[
    "format_version",
    "terraform_version",
    "variables",
    "planned_values",
    "resource_drift",
    "resource_changes",
    "output_changes",
    "prior_state",
    "configuration",
    "relevant_attributes",
    "checks",
    "timestamp",
    "applyable",
    "complete",
    "errored",
    "deferred_changes",
    "action_invocations",
    "deferred_action_invocations",
    "provider_format_version",
    "proposed_unknown",
];

const RESOURCE_FIELDS: &[&str] = &[
    "address",
    "previous_address",
    "module_address",
    "mode",
    "type",
    "name",
    "index",
    "provider_name",
    "deposed",
    "change",
    "action_reason",
    "index_unknown",
];

const CHANGE_FIELDS: &[&str] = &[
    "actions",
    "before",
    "after",
    "after_unknown",
    "before_sensitive",
    "after_sensitive",
    "replace_paths",
    "importing",
    "generated_config",
    "before_identity",
    "after_identity",
];

pub(crate) fn read(text: &str) -> Result<PlannedChanges, Error> {
    let fields: BTreeMap<String, Range<usize>> = json::fields(FORMAT, text)?.into_iter().collect();
    let mut import = Import {
        text,
        fields,
        plan: PlannedChanges::of(FORMAT),
    };
    import.version()?;
    import.resources()?;
    import.deferred()?;
    import.invocations()?;
    import.outputs()?;
    import.checks()?;
    import.drift()?;
    import.unknown_fields();
    import.state()?;
    Ok(import.plan)
}

/// A plan on its way in.
struct Import<'t> {
    text: &'t str,
    fields: BTreeMap<String, Range<usize>>,
    plan: PlannedChanges,
}

impl<'t> Import<'t> {
    fn part(&self, field: &str) -> Option<&'t str> {
        Some(&self.text[self.fields.get(field)?.clone()])
    }

    fn value(&self, field: &str) -> Result<Value, Error> {
        match self.part(field) {
            Some(part) => json::exact(FORMAT, part).map_err(|error| within(field, error)),
            None => Ok(Value::Null),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, Error> {
        match self.value(field)? {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(flag)),
            other => Err(refuse(field, format!("{other} is neither true nor false"))),
        }
    }

    /// The elements of a list that may be missing or null.
    fn items(&self, field: &str) -> Result<Vec<Value>, Error> {
        let elements = self.elements(field)?.into_iter();
        elements.map(|at| self.item(field, at)).collect()
    }

    /// Where the elements of a list stand within its text.
    fn elements(&self, field: &str) -> Result<Vec<Range<usize>>, Error> {
        match self.part(field).filter(|part| *part != "null") {
            Some(part) => json::elements(FORMAT, part).map_err(|error| within(field, error)),
            None => Ok(Vec::new()),
        }
    }

    fn item(&self, field: &str, at: Range<usize>) -> Result<Value, Error> {
        let part = self.part(field).unwrap_or_default();
        json::exact(FORMAT, &part[at]).map_err(|error| within(field, error))
    }

    fn version(&mut self) -> Result<(), Error> {
        let version = match self.value("format_version")? {
            Value::String(version) => version,
            Value::Null => return Err(refuse("format_version", "it is missing")),
            other => return Err(refuse("format_version", format!("{other} is no text"))),
        };
        let (major, minor) = version.split_once('.').unwrap_or((&version, "0"));
        match (major, minor.parse::<u64>()) {
            ("0" | "1", Ok(0..=KNOWN_MINOR)) => {}
            ("1", Ok(_)) => self.plan.notes.push(format!(
                "the plan has format {version}, newer than 1.{KNOWN_MINOR}: what is new in it is not understood"
            )),
            ("0", Ok(_)) => {}
            _ => {
                let reason = format!("{version:?} is none of 0.x and 1.x");
                return Err(refuse("format_version", reason));
            }
        }
        if let Value::String(terraform) = self.value("terraform_version")? {
            self.plan
                .notes
                .push(format!("planned by version {terraform}"));
        }
        Ok(())
    }

    fn resources(&mut self) -> Result<(), Error> {
        let mut resources = Vec::new();
        // One at a time: what is only read of each, such as what stays as it is, need not be held.
        for at in self.elements("resource_changes")? {
            let item = self.item("resource_changes", at)?;
            self.unknown_parts(&item);
            resources.extend(self.resource(&item)?);
        }
        if resources.len() > 1 && self.fields.contains_key("configuration") {
            let configuration = self.value("configuration")?;
            references::add(&configuration, &mut resources);
            sort_by_references(&mut resources);
        }
        *self.plan.resources_mut() = resources;
        Ok(())
    }

    /// A resource that changes, with the remarks on it.
    fn resource(&mut self, item: &Value) -> Result<Option<PlannedResource>, Error> {
        let Some(address) = item["address"].as_str() else {
            return Err(refuse("resource_changes", "a resource without an address"));
        };
        let deposed = item["deposed"].as_str();
        let name = match deposed {
            Some(deposed) => format!("{address} (deposed {deposed})"),
            None => address.to_owned(),
        };
        let change = &item["change"];
        let is_data = item["mode"] == "data";
        let mut notes = Vec::new();
        let kind = kind_of(&name, &change["actions"], is_data, &mut notes)?;
        if let Some(reason) = item["action_reason"].as_str() {
            notes.extend(words_of(reason));
        }
        let paths = replace_paths(&change["replace_paths"]);
        if !paths.is_empty() {
            notes.push(format!("a change of {} replaces it", paths.join(", ")));
        }
        let imports = &change["importing"];
        let moved = item["previous_address"]
            .as_str()
            .filter(|from| *from != address);
        self.remark_bookkeeping(&name, imports, moved, &mut notes);
        let Some(kind) = kind.or(match (imports.is_null(), moved) {
            (false, _) => Some(ChangeKind::Import),
            (true, Some(_)) => Some(ChangeKind::Move),
            (true, None) => None,
        }) else {
            return Ok(None);
        };
        let attributes = match kind {
            ChangeKind::Import | ChangeKind::Move => Vec::new(),
            _ => attributes(change),
        };
        notes.extend(attributes.iter().filter_map(|attribute| {
            let written = attribute.name.strip_suffix("_wo_version")?;
            Some(format!(
                "{written}_wo is written; its value is never part of a plan"
            ))
        }));
        let type_name = item["type"].as_str().unwrap_or_default();
        let type_name = match address_type(address) {
            // `type` says what the address says, unless somebody wrote the plan by hand.
            Some(of_address) => of_address,
            None => type_name,
        };
        Ok(Some(PlannedResource {
            address: name,
            kind,
            holds_data: !is_data && holds_data(type_name),
            type_name: type_name.to_owned(),
            notes,
            attributes,
            depends_on: Vec::new(),
        }))
    }

    /// What changes only in the state of Terraform.
    fn remark_bookkeeping(
        &mut self,
        name: &str,
        imports: &Value,
        moved: Option<&str>,
        notes: &mut Vec<String>,
    ) {
        if !imports.is_null() {
            let id = imports["id"].as_str().map(str::to_owned);
            let id = id.unwrap_or_else(|| imports.to_string());
            notes.push(format!("imported as {id}"));
            let evidence = format!("it exists, as {id}, and would be managed");
            self.plan.remark(FindingKind::Import, name, evidence);
        }
        if let Some(from) = moved {
            notes.push(format!("moved from {from}"));
            let evidence = format!("its address was {from}");
            self.plan.remark(FindingKind::Move, name, evidence);
        }
    }

    fn deferred(&mut self) -> Result<(), Error> {
        for item in self.items("deferred_changes")? {
            let reason = deferral(item["reason"].as_str().unwrap_or("unknown"));
            let address = item["resource_change"]["address"].as_str().unwrap_or("?");
            self.plan
                .incomplete
                .push(format!("{address} is put off: {reason}"));
            if let Some(mut resource) = self.resource(&item["resource_change"])? {
                resource.notes.push(format!("put off: {reason}"));
                if self
                    .plan
                    .resources
                    .iter()
                    .any(|known| known.address == resource.address)
                {
                    resource.address.push_str(" (put off)");
                }
                self.plan.resources_mut().push(resource);
            }
        }
        Ok(())
    }

    fn invocations(&mut self) -> Result<(), Error> {
        for item in self.items("action_invocations")? {
            self.invocation(&item);
        }
        for item in self.items("deferred_action_invocations")? {
            let reason = deferral(item["reason"].as_str().unwrap_or("unknown"));
            let invocation = &item["action_invocation"];
            let address = invocation["address"].as_str().unwrap_or("?");
            self.plan
                .incomplete
                .push(format!("{address} is put off: {reason}"));
            self.invocation(invocation);
        }
        Ok(())
    }

    fn invocation(&mut self, item: &Value) {
        let address = item["address"].as_str().unwrap_or("an action").to_owned();
        let change = serde_json::json!({
            "before": null,
            "after": item["config_values"],
            "after_sensitive": item["config_sensitive"],
            "after_unknown": item["config_unknown"],
        });
        let mut notes =
            vec!["runs a procedure of its provider; a plan does not say what it does".to_owned()];
        let trigger = &item["lifecycle_action_trigger"];
        if let Some(by) = trigger["triggering_resource_address"].as_str() {
            let event = trigger["action_trigger_event"]
                .as_str()
                .unwrap_or("a change");
            notes.push(format!("triggered by {by} ({event})"));
        }
        let same = self.plan.resources.iter();
        let same = same
            .filter(|known| known.address.split(" (call ").next() == Some(&address))
            .count();
        self.plan.resources_mut().push(PlannedResource {
            kind: ChangeKind::Invoke,
            type_name: item["type"].as_str().unwrap_or_default().to_owned(),
            notes,
            attributes: attributes(&change),
            depends_on: Vec::new(),
            holds_data: false,
            address: match same {
                0 => address,
                others => format!("{address} (call {})", others + 1),
            },
        });
    }

    fn outputs(&mut self) -> Result<(), Error> {
        let outputs = self.value("output_changes")?;
        for (name, change) in outputs.as_object().into_iter().flatten() {
            let actions = &change["actions"];
            if *actions == serde_json::json!(["no-op"]) {
                continue;
            }
            let wrapped = |side: &str| match &change[side] {
                Value::Null => Value::Null,
                value => serde_json::json!({ "value": value }),
            };
            let whole = serde_json::json!({
                "before": wrapped("before"),
                "after": wrapped("after"),
                "after_unknown": {"value": change["after_unknown"]},
                "before_sensitive": {"value": change["before_sensitive"]},
                "after_sensitive": {"value": change["after_sensitive"]},
            });
            let change = attributes(&whole).pop();
            let change = change.map(|change| AttributeChange {
                name: name.clone(),
                ..change
            });
            let removed = actions
                .as_array()
                .is_some_and(|all| all.iter().any(|a| a == "delete"));
            if removed {
                let evidence = "it would be gone, for whoever reads this state";
                self.plan
                    .remark(FindingKind::Output, format!("output {name}"), evidence);
            }
            self.plan.outputs.extend(change);
        }
        Ok(())
    }

    fn checks(&mut self) -> Result<(), Error> {
        for check in self.items("checks")? {
            let name = check["address"]["to_display"].as_str().unwrap_or("a check");
            let instances: &[Value] = check["instances"].as_array().map_or(&[], Vec::as_slice);
            let problems = instances
                .iter()
                .flat_map(|instance| instance["problems"].as_array().into_iter().flatten());
            let problems: Vec<_> = problems
                .filter_map(|problem| problem["message"].as_str())
                .collect();
            let failed = instances.iter().chain([&check]);
            let mut failed = failed.filter_map(|part| part["status"].as_str());
            match failed.find(|status| matches!(*status, "fail" | "error")) {
                Some(status) => {
                    let evidence = match problems.is_empty() {
                        true => format!("the check has status {status}"),
                        false => format!("the check has status {status}: {}", problems.join("; ")),
                    };
                    self.plan.remark(FindingKind::Check, name, evidence);
                }
                None if check["status"] == "unknown" => {
                    self.plan
                        .notes
                        .push(format!("{name} is checked only by the apply"));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn drift(&mut self) -> Result<(), Error> {
        let relevant = self.items("relevant_attributes")?;
        for item in self.items("resource_drift")? {
            let address = item["address"].as_str().unwrap_or("a resource").to_owned();
            let change = &item["change"];
            let gone = change["actions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|a| a == "delete"));
            let mut evidence = if gone {
                "it was deleted by someone else than terraform".to_owned()
            } else {
                let names = attributes(change);
                let names: Vec<_> = names.iter().map(|change| change.name.as_str()).collect();
                match names.is_empty() {
                    true => continue,
                    false => format!("someone else than terraform changed {}", names.join(", ")),
                }
            };
            if relevant
                .iter()
                .any(|attribute| attribute["resource"] == *address)
            {
                evidence.push_str("; other resources of this plan depend on it");
            }
            self.plan.remark(FindingKind::Drift, address, evidence);
        }
        Ok(())
    }

    /// What the plan says of itself as a whole.
    fn state(&mut self) -> Result<(), Error> {
        let errored = self.flag("errored")? == Some(true);
        let applyable = self.flag("applyable")?;
        if errored {
            self.plan
                .incomplete
                .insert(0, "the plan failed: make it anew".to_owned());
        }
        if self.flag("complete")? == Some(false) && self.plan.incomplete.is_empty() {
            let reason = "the plan says that it is not complete: another one is needed after it";
            self.plan.incomplete.push(reason.to_owned());
        }
        let plan = &self.plan;
        let changes = !plan.resources.is_empty() || !plan.outputs.is_empty();
        let empty = !changes && plan.incomplete.is_empty() && plan.remarks.is_empty();
        // Versions before 1.7 do not write `applyable`; they always write the list of changes.
        let silent = applyable.is_none() && self.fields.contains_key("resource_changes");
        self.plan.nothing_to_do = empty && (applyable == Some(false) || silent);
        if !changes && self.plan.incomplete.is_empty() && applyable == Some(true) {
            let evidence = "the plan can be applied, and no change was found in it";
            self.plan.remark(FindingKind::Unread, "the plan", evidence);
        }
        Ok(())
    }

    fn unknown_fields(&mut self) {
        let unknown: Vec<String> = self
            .fields
            .iter()
            .filter(|(name, at)| {
                !FIELDS.contains(&name.as_str())
                    && !matches!(
                        &self.text[(*at).clone()],
                        "null" | "false" | "[]" | "{}" | "\"\""
                    )
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in unknown {
            let evidence =
                format!("it has a field {name:?}, which is not understood and may be a change");
            self.plan.remark(FindingKind::Unread, "the plan", evidence);
        }
    }

    fn unknown_parts(&mut self, item: &Value) {
        let address = item["address"].as_str().unwrap_or("a resource").to_owned();
        for (part, known) in [(item, RESOURCE_FIELDS), (&item["change"], CHANGE_FIELDS)] {
            for (name, value) in part.as_object().into_iter().flatten() {
                if says_something(value) && !known.contains(&name.as_str()) {
                    let evidence = format!(
                        "it has a field {name:?}, which is not understood and may be a change"
                    );
                    self.plan
                        .remark(FindingKind::Unread, address.clone(), evidence);
                }
            }
        }
    }
}

/// What becomes of a resource by its actions; none if they change nothing.
fn kind_of(
    name: &str,
    actions: &Value,
    is_data: bool,
    notes: &mut Vec<String>,
) -> Result<Option<ChangeKind>, Error> {
    let all = actions.as_array().into_iter().flatten();
    let all: Vec<&str> = all.filter_map(Value::as_str).collect();
    let mut note = |text: &str, kind| {
        notes.push(text.to_owned());
        kind
    };
    Ok(Some(match all.as_slice() {
        ["no-op"] => return Ok(None),
        ["create"] => ChangeKind::Create,
        ["read" | "open" | "renew" | "close"] => ChangeKind::Read,
        ["update"] => ChangeKind::Update,
        ["delete"] if is_data => ChangeKind::Read,
        ["delete"] => ChangeKind::Destroy,
        ["forget"] => ChangeKind::Forget,
        ["delete", "create"] => note(
            "destroyed before the new one is created",
            ChangeKind::Replace,
        ),
        ["create", "delete"] => note(
            "the new one is created before the old one is destroyed",
            ChangeKind::Replace,
        ),
        ["create", "forget"] | ["forget", "create"] => note(
            "a new one is created; the old one stays, and nobody manages it",
            ChangeKind::Forget,
        ),
        _ => return Err(refuse(name, format!("unknown actions {all:?}"))),
    }))
}

/// Whether the value of a field says more than that there is nothing.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::String(_) => true,
    }
}

/// Paths such as `[["ami"], ["disk", 0, "size"]]`, as people write them.
fn replace_paths(paths: &Value) -> Vec<String> {
    let path = |path: &Value| {
        let parts = path.as_array().into_iter().flatten();
        let parts = parts.map(|part| {
            part.as_str()
                .map_or_else(|| part.to_string(), str::to_owned)
        });
        parts.collect::<Vec<_>>().join(".")
    };
    paths.as_array().into_iter().flatten().map(path).collect()
}
