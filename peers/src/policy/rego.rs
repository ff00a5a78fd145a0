//! The same rules in Rego: as a person writes them, one after the other, and as a person who knows
//! the machine does, with data to look up.

use std::fmt::Write as _;

use regorus::Value;
use serde_json::{Map, json};

/// Rules as an `else` chain, the most specific first; -1 if none decides.
pub(super) fn chain(count: usize) -> String {
    let mut source = String::from(
        "package peers\nimport rego.v1\nparts := split(input.path, \"/\")\ndefault decision := -1\n",
    );
    let mut head = "decision";
    for service in 0..count / 5 {
        let first = 5 * service;
        let is_service = format!("parts[0] == \"service-{service}\"");
        let rules = [
            (
                1,
                format!(
                    "input.path == \"service-{service}/operation-{}\"",
                    first + 1
                ),
            ),
            (
                4,
                format!(
                    "{is_service}; count(parts) == 3; parts[1] == \"group-{}\"",
                    first + 4
                ),
            ),
            (
                3,
                format!(
                    "{is_service}; count(parts) == 3; parts[2] == \"item-{}\"",
                    first + 3
                ),
            ),
            (
                2,
                format!(
                    "{is_service}; count(parts) == 2; startswith(parts[1], \"delete-{}\")",
                    first + 2
                ),
            ),
            (0, is_service.clone()),
        ];
        for (kind, condition) in rules {
            let _ = writeln!(source, "{head} := {} if {{ {condition} }}", first + kind);
            head = "else";
        }
    }
    source
}

/// Rules as tables under `data`. Looked up by `object.get`, since regorus' register machine gives up a
/// whole rule where a plain look-up finds nothing, instead of going on with `else`.
pub(super) const TABLES: &str = r#"
package peers
import rego.v1
parts := split(input.path, "/")
default decision := -1
decision := rule if { rule := object.get(data.exact, input.path, -1); rule != -1 }
else := rule if {
    count(parts) == 3
    rule := object.get(object.get(data.group, parts[0], {}), parts[1], -1)
    rule != -1
}
else := rule if {
    count(parts) == 3
    rule := object.get(object.get(data.item, parts[0], {}), parts[2], -1)
    rule != -1
}
else := rule if {
    count(parts) == 2
    found := object.get(data.delete, parts[0], {"start": "/", "rule": -1})
    startswith(parts[1], found.start)
    rule := found.rule
}
else := rule if { rule := object.get(data.service, parts[0], -1); rule != -1 }
"#;

/// What [`TABLES`] looks up.
pub(super) fn data(count: usize) -> Value {
    let names = ["exact", "group", "item", "delete", "service"];
    let [mut exact, mut group, mut item, mut delete, mut all] = names.map(|_| Map::new());
    for index in 0..count / 5 {
        let (service, first) = (format!("service-{index}"), 5 * index);
        exact.insert(
            format!("{service}/operation-{}", first + 1),
            json!(first + 1),
        );
        delete.insert(
            service.clone(),
            json!({ "start": format!("delete-{}", first + 2), "rule": first + 2 }),
        );
        item.insert(
            service.clone(),
            json!({ format!("item-{}", first + 3): first + 3 }),
        );
        group.insert(
            service.clone(),
            json!({ format!("group-{}", first + 4): first + 4 }),
        );
        all.insert(service, json!(first));
    }
    let tables = [exact, group, item, delete, all];
    let tables = names.into_iter().zip(tables);
    let tables: Map<_, _> = tables
        .map(|(name, table)| (name.into(), table.into()))
        .collect();
    serde_json::Value::Object(tables).into()
}
