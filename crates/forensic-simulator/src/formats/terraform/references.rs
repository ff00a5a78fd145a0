//! Which resource refers to which, by the configuration that a plan brings along.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::address::segments;
use crate::formats::planned::{ChangeKind, PlannedResource};

/// A resource of the configuration: the names of the modules around it, and `type.name`.
type Place = (Vec<String>, String);

/// A module of the configuration, with the one around it.
struct Module<'v> {
    path: Vec<String>,
    body: &'v Value,
    /// The call of it, with the expressions of its variables.
    call: &'v Value,
}

/// Every instance of many may refer to every one of many, and their number must not grow with the
/// square: of more pairs than these, each waits for the first instances only.
const MAX_PAIRS: usize = 4_096;

/// So many it waits for in any case.
const LEAST_INSTANCES: usize = 16;

/// Adds to each resource the addresses of those that it refers to. A resource that would be destroyed
/// is destroyed before what it refers to, so there the order is the other way round.
pub(super) fn add(configuration: &Value, resources: &mut [PlannedResource]) {
    let mut modules = BTreeMap::new();
    collect(
        &configuration["root_module"],
        &Value::Null,
        Vec::new(),
        &mut modules,
    );
    let mut instances: HashMap<Place, Vec<usize>> = HashMap::new();
    for (index, resource) in resources.iter().enumerate() {
        instances
            .entry(place_of(&resource.address))
            .or_default()
            .push(index);
    }
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for module in modules.values() {
        for declared in module.body["resources"].as_array().into_iter().flatten() {
            let Some(name) = declared["address"].as_str() else {
                continue;
            };
            let from = (module.path.clone(), name.to_owned());
            let Some(own) = instances.get(&from) else {
                continue;
            };
            let mut found = Finder {
                modules: &modules,
                instances: &instances,
                seen: BTreeSet::new(),
                places: BTreeSet::new(),
            };
            for text in references(declared) {
                found.follow(&module.path, text);
            }
            let most = (MAX_PAIRS / own.len()).max(LEAST_INSTANCES);
            for place in &found.places {
                let targets = instances.get(place).into_iter().flatten().take(most);
                for &to in targets {
                    let own = own.iter().filter(|&&from| from != to);
                    edges.extend(own.map(|&from| (from, to)));
                }
            }
        }
    }
    for (from, to) in edges {
        let gone = |index: usize| resources[index].kind == ChangeKind::Destroy;
        let (first, second) = match (gone(from), gone(to)) {
            (true, true) => (from, to),
            (true, false) => continue,
            _ => (to, from),
        };
        let name = resources[first].address.clone();
        resources[second].depends_on.push(name);
    }
    for resource in resources {
        resource.depends_on.sort();
        resource.depends_on.dedup();
    }
}

fn collect<'v>(
    body: &'v Value,
    call: &'v Value,
    path: Vec<String>,
    modules: &mut BTreeMap<Vec<String>, Module<'v>>,
) {
    for (name, call) in body["module_calls"].as_object().into_iter().flatten() {
        let path = path.iter().chain([name]).cloned().collect();
        collect(&call["module"], call, path, modules);
    }
    modules.insert(path.clone(), Module { path, body, call });
}

fn place_of(address: &str) -> Place {
    let mut parts = segments(address.split(" (").next().unwrap_or(address)).peekable();
    let mut path = Vec::new();
    while parts.next_if_eq(&"module").is_some() {
        path.extend(parts.next().map(str::to_owned));
    }
    (path, parts.collect::<Vec<_>>().join("."))
}

/// Every text within a list `references` or `depends_on`, at any depth.
fn references(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (name.as_str(), field) {
                        ("references" | "depends_on", Value::Array(names)) => {
                            found.extend(names.iter().filter_map(Value::as_str));
                        }
                        ("module", _) => {}
                        _ => open.push(field),
                    }
                }
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

struct Finder<'a, 'v> {
    modules: &'a BTreeMap<Vec<String>, Module<'v>>,
    instances: &'a HashMap<Place, Vec<usize>>,
    seen: BTreeSet<(Vec<String>, String)>,
    places: BTreeSet<Place>,
}

impl Finder<'_, '_> {
    /// Follows a reference such as `aws_vpc.main.id`, `module.net.vpc_id` or `var.vpc`, through the
    /// modules, to the resources behind it.
    fn follow(&mut self, path: &[String], text: &str) {
        if !self.seen.insert((path.to_vec(), text.to_owned())) {
            return;
        }
        let parts: Vec<_> = segments(text).collect();
        match parts.as_slice() {
            ["var", name, ..] => {
                let Some(module) = self.modules.get(path).filter(|_| !path.is_empty()) else {
                    return;
                };
                let outer = &path[..path.len() - 1];
                for text in references(&module.call["expressions"][*name]) {
                    self.follow(outer, text);
                }
            }
            ["module", name, rest @ ..] => {
                let inner: Vec<String> = path.iter().cloned().chain([(*name).to_owned()]).collect();
                let Some(module) = self.modules.get(&inner) else {
                    return;
                };
                match rest.first() {
                    Some(output) if !module.body["outputs"][*output].is_null() => {
                        for text in references(&module.body["outputs"][*output]) {
                            self.follow(&inner, text);
                        }
                    }
                    // The module as a whole.
                    _ => {
                        let within = self
                            .instances
                            .keys()
                            .filter(|(of, _)| of.starts_with(&inner));
                        self.places.extend(within.cloned());
                    }
                }
            }
            ["data", type_name, name, ..] => {
                self.places
                    .insert((path.to_vec(), format!("data.{type_name}.{name}")));
            }
            [type_name, name, ..] => {
                self.places
                    .insert((path.to_vec(), format!("{type_name}.{name}")));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::import::read;

    /// For each instance of a rule how many instances of a server it waits for.
    fn waits(rules: usize, servers: usize) -> Vec<usize> {
        let change = |kind: &str, index: usize| {
            json!({
                "address": format!("{kind}[{index}]"), "mode": "managed",
                "type": kind.split('.').next(), "name": "all", "index": index,
                "change": {"actions": ["create"], "before": null, "after": {"n": index}},
            })
        };
        let mut changes: Vec<_> = (0..rules).map(|n| change("rule.all", n)).collect();
        changes.extend((0..servers).map(|n| change("server.all", n)));
        let declared = json!({
            "address": "rule.all", "mode": "managed", "type": "rule", "name": "all",
            "expressions": {"targets": {"references": ["server.all"]}},
        });
        let plan = json!({
            "format_version": "1.2", "applyable": true, "complete": true,
            "resource_changes": changes,
            "configuration": {"root_module": {"resources": [
                declared, {"address": "server.all", "type": "server", "name": "all"},
            ]}},
        });
        let plan = read(&plan.to_string()).unwrap();
        let rules = plan
            .resources
            .iter()
            .filter(|resource| resource.type_name == "rule");
        rules.map(|resource| resource.depends_on.len()).collect()
    }

    #[test]
    fn every_instance_is_waited_for_until_their_pairs_would_be_too_many() {
        assert_eq!(waits(1, 100), [100]);
        assert_eq!(waits(40, 100), [100; 40]);
        assert_eq!(waits(1_000, 1_000), [16; 1_000]);
    }
}
