use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::assess::kinds::FindingKind;
use crate::error::Error;
use crate::formats::planned::{
    ChangeKind, PlannedChanges, PlannedResource, holds_data, sort_by_references,
};
use crate::formats::terraform::values::attributes;
use crate::input::json as reader;

pub(crate) const FORMAT: &str = "pulumi preview";

/// What stands for a text that is not known yet, and by which field a secret is known
/// (<https://www.pulumi.com/docs/iac/concepts/how-pulumi-works/>; `sdk/go/common/resource/plugin`).
const UNKNOWN: &str = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE: &str = "4dabf18193072939515e22adb298388d";

/// Reads the output of `pulumi preview --json`.
///
/// # Errors
///
/// [`Error::Import`] with line and column, or with the number of the step.
pub(crate) fn read(text: &str) -> Result<PlannedChanges, Error> {
    let preview = reader::exact(FORMAT, text)?;
    let mut plan = PlannedChanges::of(FORMAT);
    let mut by_urn: BTreeMap<String, usize> = BTreeMap::new();
    for (number, step) in preview["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let wrong = |reason: String| Error::Import {
            format: FORMAT,
            place: format!("step {}", number + 1),
            reason,
        };
        let urn = step["urn"]
            .as_str()
            .ok_or_else(|| wrong("it has no `urn`".to_owned()))?;
        let op = step["op"]
            .as_str()
            .ok_or_else(|| wrong("it has no `op`".to_owned()))?;
        let Some(kind) = kind_of(op).ok_or_else(|| wrong(format!("unknown operation {op:?}")))?
        else {
            continue;
        };
        let resource = resource(step, urn, kind);
        match by_urn.get(urn) {
            Some(&place) => merge(&mut plan.resources_mut()[place], resource),
            None => {
                by_urn.insert(urn.to_owned(), plan.resources.len());
                plan.resources_mut().push(resource);
            }
        }
    }
    for diagnostic in preview["diagnostics"].as_array().into_iter().flatten() {
        let message = diagnostic["message"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_owned();
        match diagnostic["severity"].as_str() {
            Some("error") => plan
                .incomplete
                .push(format!("the preview failed: {message}")),
            Some("warning") => plan.notes.push(format!("warning: {message}")),
            _ => {}
        }
    }
    if preview["maybeCorrupt"] == true {
        plan.incomplete
            .push("the preview says that it may be corrupt".to_owned());
    }
    if preview["steps"].is_null() && !preview["changeSummary"].is_object() {
        plan.incomplete
            .push("the preview has neither steps nor a summary".to_owned());
    }
    compare_summary(&preview, &mut plan);
    sort_by_references(plan.resources_mut());
    plan.nothing_to_do =
        plan.resources.is_empty() && plan.incomplete.is_empty() && plan.remarks.is_empty();
    Ok(plan)
}

fn kind_of(op: &str) -> Option<Option<ChangeKind>> {
    Some(match op {
        "same" | "refresh" | "remove-pending-replace" => None,
        "create" => Some(ChangeKind::Create),
        "update" => Some(ChangeKind::Update),
        "delete" => Some(ChangeKind::Destroy),
        "replace" | "create-replacement" | "delete-replaced" | "import-replacement" => {
            Some(ChangeKind::Replace)
        }
        "read" | "read-replacement" | "read-discard" => Some(ChangeKind::Read),
        "discard" => Some(ChangeKind::Forget),
        "import" => Some(ChangeKind::Import),
        _ => return None,
    })
}

fn resource(step: &Value, urn: &str, kind: ChangeKind) -> PlannedResource {
    let type_name = type_of(urn);
    let (before, _, was_secret) = mirrors(&step["oldState"]["inputs"]);
    let (after, unknown, is_secret) = mirrors(&step["newState"]["inputs"]);
    let change = json!({
        "before": before, "after": after, "after_unknown": unknown,
        "before_sensitive": was_secret, "after_sensitive": is_secret,
    });
    let reasons = step["replaceReasons"].as_array().into_iter().flatten();
    let reasons: Vec<_> = reasons.filter_map(Value::as_str).collect();
    let mut notes = Vec::new();
    if !reasons.is_empty() {
        notes.push(format!("a change of {} replaces it", reasons.join(", ")));
    }
    if step["newState"]["protect"] == true || step["oldState"]["protect"] == true {
        notes.push("it is protected".to_owned());
    }
    if step["oldState"]["retainOnDelete"] == true {
        notes.push("it stays when it is deleted here (retainOnDelete)".to_owned());
    }
    let dependencies = step["newState"]["dependencies"]
        .as_array()
        .into_iter()
        .flatten();
    PlannedResource {
        address: urn.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        notes,
        attributes: attributes(&change),
        depends_on: dependencies
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        holds_data: holds_data(&spaced(type_name)),
    }
}

/// A replacement comes as up to three steps.
fn merge(known: &mut PlannedResource, more: PlannedResource) {
    known.kind = known.kind.min(more.kind);
    if known.kind == ChangeKind::Destroy && more.kind != ChangeKind::Destroy {
        known.kind = ChangeKind::Replace;
    }
    if more.attributes.len() > known.attributes.len()
        || known.attributes.iter().all(|a| a.before.is_none())
    {
        known.attributes = more.attributes;
    }
    for note in more.notes {
        if !known.notes.contains(&note) {
            known.notes.push(note);
        }
    }
}

/// The type within `urn:pulumi:stack::project::parent$aws:s3/bucket:Bucket::name`.
fn type_of(urn: &str) -> &str {
    let types = urn.split("::").nth(2).unwrap_or_default();
    types.rsplit('$').next().unwrap_or(types)
}

/// Names such as `PersistentVolumeClaim` as words.
fn spaced(type_name: &str) -> String {
    let mut words = String::new();
    for character in type_name
        .rsplit([':', '/'])
        .next()
        .unwrap_or(type_name)
        .chars()
    {
        if character.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(character.to_lowercase());
    }
    words
}

/// A value, and mirrors of what in it is not known and what is secret.
fn mirrors(value: &Value) -> (Value, Value, Value) {
    match value {
        Value::String(text) if text == UNKNOWN => (Value::Null, true.into(), Value::Null),
        Value::String(text) if text == "[secret]" => (value.clone(), Value::Null, true.into()),
        Value::Object(fields) if fields.contains_key(SIGNATURE) => {
            (value.clone(), Value::Null, true.into())
        }
        Value::Object(fields) => {
            let (mut values, mut unknown, mut secret) = (json!({}), json!({}), json!({}));
            for (name, field) in fields {
                let (value, later, hidden) = mirrors(field);
                values[name] = value;
                unknown[name] = later;
                secret[name] = hidden;
            }
            (values, unknown, secret)
        }
        Value::Array(items) => {
            let parts: Vec<_> = items.iter().map(mirrors).collect();
            let list = |part: fn(&(Value, Value, Value)) -> &Value| {
                Value::Array(parts.iter().map(part).cloned().collect())
            };
            (list(|p| &p.0), list(|p| &p.1), list(|p| &p.2))
        }
        other => (other.clone(), Value::Null, Value::Null),
    }
}

/// A summary that counts more than the steps name means that something was not read.
fn compare_summary(preview: &Value, plan: &mut PlannedChanges) {
    let counts = preview["changeSummary"].as_object().into_iter().flatten();
    for (op, count) in counts {
        let Some(Some(kind)) = kind_of(op) else {
            continue;
        };
        let found = plan
            .resources
            .iter()
            .filter(|resource| resource.kind == kind)
            .count() as u64;
        if count.as_u64().unwrap_or(0) > found {
            let evidence = format!("its summary counts {count} of {op:?}, its steps name {found}");
            plan.remark(FindingKind::Unread, "the preview", evidence);
        }
    }
}
