//! What `kubectl diff` and a server-side dry run print.

use serde_json::{Value, json};

use crate::error::Error;
use crate::formats::planned::{
    AttributeChange, ChangeKind, PlannedChanges, PlannedResource, holds_data,
};
use crate::formats::terraform::values::attributes;
use crate::input::json as reader;
use crate::world::fact::Fact;

pub(crate) const DIFF: &str = "kubectl diff";
pub(crate) const DRY_RUN: &str = "kubectl dry-run";

/// Whether a text looks like the output of `kubectl diff`.
pub(crate) fn is_diff(text: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with("diff -") && line.contains("LIVE-"))
}

/// Whether a text looks like the lines of a dry run.
pub(crate) fn is_dry_run(text: &str) -> bool {
    text.lines().any(|line| verb_of(line).is_some())
}

/// Reads a unified diff in which each file is an object, `LIVE` before and `MERGED` after.
///
/// # Errors
///
/// [`Error::Import`] with the line.
pub(crate) fn read_diff(text: &str) -> Result<PlannedChanges, Error> {
    let mut plan = PlannedChanges::of(DIFF);
    let mut object: Option<Object> = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("diff -") {
            plan.resources_mut()
                .extend(object.take().map(Object::finish));
            let name = line.split_whitespace().next_back().unwrap_or_default();
            let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
            object = Some(Object::named(name));
        } else if let Some(error) = line
            .strip_prefix("error: ")
            .or(line.strip_prefix("Error from server"))
        {
            plan.incomplete.push(format!(
                "kubectl failed: {}",
                error.trim_start_matches([':', ' '])
            ));
        } else if let Some(object) = &mut object {
            object.line(line);
        } else if !line.trim().is_empty() {
            return Err(refuse(
                DIFF,
                format!("line {}", number + 1),
                "it stands before the first `diff`",
            ));
        }
    }
    plan.resources_mut().extend(object.map(Object::finish));
    plan.nothing_to_do = plan.resources.is_empty() && plan.incomplete.is_empty();
    Ok(plan)
}

/// One object of a diff on its way in.
struct Object {
    address: String,
    type_name: String,
    before: Vec<String>,
    after: Vec<String>,
    /// Lines around those that differ: the object is there before and after.
    context: usize,
}

impl Object {
    /// A file is named `group.version.Kind.namespace.name`, without the group for core objects.
    fn named(file: &str) -> Self {
        let parts: Vec<_> = file.split('.').collect();
        let kind = parts
            .iter()
            .position(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
        let (kind, rest) = match kind {
            Some(place) => (parts[place], &parts[place + 1..]),
            None => ("", parts.as_slice()),
        };
        let address = match rest {
            [] => file.to_owned(),
            [name] => format!("{kind}/{name}"),
            ["", name @ ..] => format!("{kind}/{}", name.join(".")),
            [namespace, name @ ..] => format!("{namespace}/{kind}/{}", name.join(".")),
        };
        Self {
            address,
            type_name: kind.to_owned(),
            before: Vec::new(),
            after: Vec::new(),
            context: 0,
        }
    }

    fn line(&mut self, line: &str) {
        if line.starts_with("--- ")
            || line.starts_with("+++ ")
            || line.starts_with("@@")
            || line.starts_with('\\')
        {
            return;
        }
        match line.split_at_checked(1) {
            Some(("-", rest)) => self.before.push(rest.to_owned()),
            Some(("+", rest)) => self.after.push(rest.to_owned()),
            _ => self.context += 1,
        }
    }

    fn finish(self) -> PlannedResource {
        let kind = match (self.context, self.before.is_empty(), self.after.is_empty()) {
            (0, true, false) => ChangeKind::Create,
            (0, false, true) => ChangeKind::Destroy,
            _ => ChangeKind::Update,
        };
        let side = |lines: &[String]| (!lines.is_empty()).then(|| Fact::from(lines.join("\n")));
        let mut attributes = by_field(&self.before, &self.after);
        if attributes.is_empty() {
            attributes.push(AttributeChange {
                name: "lines".to_owned(),
                before: side(&self.before),
                after: side(&self.after),
            });
        }
        PlannedResource {
            holds_data: holds_data(&self.type_name),
            address: self.address,
            kind,
            type_name: self.type_name,
            notes: Vec::new(),
            attributes,
            depends_on: Vec::new(),
        }
    }
}

/// Lines such as `  replicas: 3` by the name of their field, each name counted where it is there
/// more than once. Empty if there are lines without one.
fn by_field(before: &[String], after: &[String]) -> Vec<AttributeChange> {
    let mut changes: Vec<AttributeChange> = Vec::new();
    for (is_after, lines) in [(false, before), (true, after)] {
        let mut seen: Vec<String> = Vec::new();
        for line in lines {
            let field = line.trim_start().trim_start_matches("- ").split_once(": ");
            let (name, value) = match field {
                Some((name, value)) if !name.contains(' ') && !name.is_empty() => {
                    (name.to_owned(), value.to_owned())
                }
                _ => match line.trim().strip_suffix(':') {
                    Some(name) => (name.trim_start_matches("- ").to_owned(), String::new()),
                    None => ("lines".to_owned(), line.trim_end().to_owned()),
                },
            };
            let same = seen.iter().filter(|known| **known == name).count();
            seen.push(name.clone());
            let name = if same == 0 {
                name
            } else {
                format!("{name} ({})", same + 1)
            };
            let place = match changes.iter().position(|change| change.name == name) {
                Some(place) => place,
                None => {
                    changes.push(AttributeChange {
                        name,
                        before: None,
                        after: None,
                    });
                    changes.len() - 1
                }
            };
            let fact = Some(Fact::from(value));
            if is_after {
                changes[place].after = fact;
            } else {
                changes[place].before = fact;
            }
        }
    }
    changes.retain(|change| change.before != change.after);
    changes
}

/// The object and what becomes of it, in a line such as
/// `deployment.apps/web configured (server dry run)` or `pod "a" deleted (server dry run)`.
fn verb_of(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let rest = line
        .strip_suffix(" (server dry run)")
        .or(line.strip_suffix(" (dry run)"))?;
    let (object, verb) = rest.rsplit_once(' ')?;
    Some((object.replace(" \"", "/").replace('"', ""), verb))
}

/// Reads the lines of `kubectl apply --dry-run=server`.
///
/// # Errors
///
/// [`Error::Import`] with the line.
pub(crate) fn read_dry_run(text: &str) -> Result<PlannedChanges, Error> {
    let mut plan = PlannedChanges::of(DRY_RUN);
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let Some((object, verb)) = verb_of(line) else {
            if let Some(warning) = line.trim().strip_prefix("Warning: ") {
                plan.notes.push(format!("warning: {warning}"));
            } else {
                plan.incomplete
                    .push(format!("kubectl says: {}", line.trim()));
            }
            continue;
        };
        let (kind, note) = match verb {
            "unchanged" => continue,
            "created" => (ChangeKind::Create, None),
            "configured" | "patched" | "serverside-applied" | "scaled" | "labeled"
            | "annotated" | "edited" => (
                ChangeKind::Update,
                Some("a dry run does not say what changes: `kubectl diff` does"),
            ),
            "replaced" => (ChangeKind::Replace, None),
            "deleted" | "pruned" => (ChangeKind::Destroy, None),
            other => {
                let reason = format!("unknown result {other:?}");
                return Err(refuse(DRY_RUN, format!("line {}", number + 1), reason));
            }
        };
        let type_name = object
            .split(['.', '/'])
            .next()
            .unwrap_or_default()
            .to_owned();
        plan.resources_mut().push(PlannedResource {
            holds_data: holds_data(&type_name),
            address: object,
            kind,
            type_name,
            notes: note.map(str::to_owned).into_iter().collect(),
            attributes: Vec::new(),
            depends_on: Vec::new(),
        });
    }
    plan.nothing_to_do = plan.resources.is_empty() && plan.incomplete.is_empty();
    Ok(plan)
}

/// Reads the objects of `kubectl apply --dry-run=server -o json`: what they would be, not what they
/// are, so whether they are created or changed is not known.
///
/// # Errors
///
/// [`Error::Import`] with line and column.
pub(crate) fn read_objects(text: &str) -> Result<PlannedChanges, Error> {
    let whole = reader::exact(DRY_RUN, text)?;
    let mut plan = PlannedChanges::of(DRY_RUN);
    let one = std::slice::from_ref(&whole);
    let items = whole["items"].as_array().map_or(one, Vec::as_slice);
    for object in items {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let kind = text(&object["kind"]);
        let name = text(&object["metadata"]["name"]);
        let is_secret = kind == "Secret";
        let change = json!({
            "before": null,
            "after": object,
            "after_sensitive": {"data": is_secret, "stringData": is_secret},
        });
        let is_new = object["metadata"]["creationTimestamp"].is_null()
            && object["metadata"]["uid"].is_null();
        let is_gone = object["metadata"]["deletionTimestamp"].is_string();
        plan.resources_mut().push(PlannedResource {
            address: match object["metadata"]["namespace"].as_str() {
                Some(namespace) => format!("{namespace}/{kind}/{name}"),
                None => format!("{kind}/{name}"),
            },
            kind: match (is_gone, is_new) {
                (true, _) => ChangeKind::Destroy,
                (false, true) => ChangeKind::Create,
                (false, false) => ChangeKind::Unknown,
            },
            notes: vec!["a dry run has the object as it would be, not as it is: `kubectl diff` shows what changes".to_owned()],
            attributes: attributes(&change),
            depends_on: Vec::new(),
            holds_data: holds_data(&kind),
            type_name: kind,
        });
    }
    Ok(plan)
}

fn refuse(format: &'static str, place: String, reason: impl Into<String>) -> Error {
    Error::Import {
        format,
        place,
        reason: reason.into(),
    }
}
