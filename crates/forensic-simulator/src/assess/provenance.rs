use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::assess::request::{Concern, ConcernKind, Request, has_form, mentions, scalars};
use crate::formats::mcp::McpTools;
use crate::formats::mcp::shape::{ToolShape, is_named_as, is_role};
use crate::plan::Plan;
use crate::plan::workflow::Step;
use crate::text::shorten;
use crate::world::World;
use crate::world::fact::Fact;

/// Holds the calls of an agent for review by where their targets come from.
///
/// It needs no list of words and no understanding of the request. An effect is held
///
/// - if what it is aimed at is neither named in the request, nor known from a place that no outsider
///   writes, nor read from a source that the request itself named, such as an address on a page
///   that the person pointed to; from such a source one effect of a kind may take its target, if
///   the request has the verb of the tool's own name;
/// - if it is a second one of its kind on the same target, and the request does not name that target
///   so often;
/// - if it has no target, and the request has no word of the tool's own name. For a destructive tool, that
///   is the verb.
///
/// To fetch an address is an effect outside, whatever the tool is called: whoever answers there
/// learns of it. An address within a text that is sent is a target too.
///
/// Which parameter is a target is told by the tool's schema: by its format, or by its name, as far
/// as that says what it is (`recipient`, `channel`, `url`); and by its value, if that is an address. Whether a
/// tool only reads and whether it is destructive is told by its annotations.
///
/// ```
/// use forensic_simulator::{McpTools, ProvenancePolicy, Request, Simulator, World};
/// let tools = McpTools::parse(r#"{"tools": [{"name": "send_email",
///     "inputSchema": {"properties": {"recipient": {"type": "string"}}}}]}"#)?;
/// let calls = r#"[{"name": "send_email", "arguments": {"recipient": "mallory@example.org"}}]"#;
/// let simulator = tools.register(Simulator::builder()).build()?;
/// let plan = simulator.check(McpTools::calls(calls)?)?;
/// let policy = ProvenancePolicy::new().tools(&tools);
/// let held = |request| policy.concerns(&plan, &World::new(), &Request::new(request));
/// assert!(held("Send it to mallory@example.org, please.").is_empty());
/// assert_eq!(held("Send it to Ann.").len(), 1);
/// # Ok::<(), forensic_simulator::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProvenancePolicy {
    shapes: BTreeMap<String, ToolShape>,
    untrusted: Vec<String>,
}

impl ProvenancePolicy {
    /// Of no tools, under which every call is an effect.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what a list of tools says of them.
    #[must_use]
    pub fn tools(mut self, tools: &McpTools) -> Self {
        self.shapes.extend(tools.shapes());
        self
    }

    /// Keys that outsiders write, of a form such as `inbox/*/body`, where `*` is any one segment.
    #[must_use]
    pub fn untrusted(mut self, keys: impl Into<String>) -> Self {
        self.untrusted.push(keys.into());
        self
    }

    /// Finds the calls of a plan that should be held, in the order of the plan.
    #[must_use]
    pub fn concerns(&self, plan: &Plan, world: &World, request: &Request) -> Vec<Concern> {
        let mut judge = Judge {
            policy: self,
            request,
            places: Places::of(world, &self.untrusted, request),
            fetched: 0,
            kinds: HashSet::new(),
            done: BTreeMap::new(),
            found: Vec::new(),
        };
        for &position in plan.order() {
            judge.step(&plan.steps()[position]);
        }
        judge.found
    }
}

struct Judge<'a> {
    policy: &'a ProvenancePolicy,
    request: &'a Request,
    places: Places,
    /// How many addresses were fetched.
    fetched: usize,
    /// The tools that had an effect.
    kinds: HashSet<String>,
    /// How often a tool had an effect on the same targets.
    done: BTreeMap<(String, Vec<String>), usize>,
    found: Vec<Concern>,
}

impl Judge<'_> {
    fn step(&mut self, step: &Step) {
        let tool = &step.action.name;
        let shape = self.policy.shapes.get(tool).cloned().unwrap_or_default();
        let parameters = &step.action.parameters;
        if shape.read_only {
            self.fetches(step, parameters);
            return;
        }
        let targets = targets(parameters, &shape);
        for (parameter, target) in &targets {
            if !self.is_accounted(tool, target) {
                self.hold(step, ConcernKind::NewTarget, format!(
                    "parameter {parameter:?} has {}, which the request does not name and no trusted place holds",
                    shorten(target)
                ));
            }
        }
        if targets.is_empty() && !self.is_asked_for(tool, shape.destructive) {
            let reason = format!("it has no target, and the request does not ask for {tool}");
            self.hold(step, ConcernKind::NotAskedFor, reason);
        }
        let mut on: Vec<String> = targets.into_iter().map(|(_, target)| target).collect();
        on.sort();
        let again = self.done.entry((tool.clone(), on.clone())).or_insert(0);
        *again += 1;
        let again = *again;
        if again > 1
            && (on.is_empty()
                || on
                    .iter()
                    .any(|target| self.request.mentions(target) < again))
        {
            let reason = format!("it is the {again}. {tool} on the same target");
            self.hold(step, ConcernKind::Repeated, reason);
        }
        self.kinds.insert(tool.clone());
    }

    /// A tool that only reads tells whoever answers at an address that it is read.
    fn fetches(&mut self, step: &Step, parameters: &Map<String, Value>) {
        for (name, value) in parameters {
            for text in scalars(value) {
                if !is_web_address(&text) && !is_named_as(name, &WEB) {
                    continue;
                }
                self.fetched += 1;
                let from_source = self.fetched == 1 && self.places.is_from_named_source(&text);
                if !self.request.names(&text) && !self.places.knows(&text) && !from_source {
                    let reason = format!(
                        "it fetches {}, which the request does not name",
                        shorten(&text)
                    );
                    self.hold(step, ConcernKind::NewTarget, reason);
                }
            }
        }
    }

    fn is_accounted(&self, tool: &str, target: &str) -> bool {
        let may_take = || {
            !self.kinds.contains(tool)
                && self.is_asked_for(tool, true)
                && self.places.is_from_named_source(target)
        };
        self.request.names(target) || self.places.knows(target) || may_take()
    }

    fn is_asked_for(&self, tool: &str, by_its_verb: bool) -> bool {
        let words = tool
            .split(['_', '-', '.', '/', ' '])
            .filter(|word| !word.is_empty());
        let words = words.take(if by_its_verb { 1 } else { usize::MAX });
        words
            .flat_map(inflected)
            .any(|word| self.request.has_word(&word))
    }

    fn hold(&mut self, step: &Step, kind: ConcernKind, reason: String) {
        self.found.push(Concern {
            step: step.id.clone(),
            kind,
            reason,
        });
    }
}

/// A word as English bends it.
fn inflected(word: &str) -> [String; 4] {
    let stem = word.strip_suffix('e').unwrap_or(word);
    [
        word.to_owned(),
        format!("{word}s"),
        format!("{stem}ed"),
        format!("{stem}ing"),
    ]
}

/// The names of parameters that hold an address of the web.
const WEB: [&str; 5] = ["url", "uri", "link", "href", "endpoint"];

/// The targets of a call: with the parameter, in lower case.
fn targets(parameters: &Map<String, Value>, shape: &ToolShape) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in parameters {
        let is_target = shape.targets.contains(name) || is_role(name);
        for text in scalars(value) {
            if is_target || is_address(&text) {
                found.push((name.clone(), text));
            } else {
                found.extend(addresses_within(&text).map(|address| (name.clone(), address)));
            }
        }
    }
    found
}

fn is_web_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://") || text.starts_with("www.")
}

fn is_mail_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    })
}

/// An account as banks write it: two letters, two digits, and at least eight more of either.
fn is_account(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 12
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes.iter().all(u8::is_ascii_alphanumeric)
}

fn is_address(text: &str) -> bool {
    is_web_address(text) || is_mail_address(text) || is_account(text)
}

fn addresses_within(text: &str) -> impl Iterator<Item = String> {
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                ',' | ';' | '(' | ')' | '[' | ']' | '<' | '>' | '"' | '\'' | '{' | '}'
            )
    };
    let words = text
        .split(ends)
        .map(|word| word.trim_end_matches(['.', ':', '!', '?']));
    let found = words.filter(|word| is_web_address(word) || is_mail_address(word));
    found.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// What the world holds, and where.
struct Places {
    known: HashSet<String>,
    /// Texts of the sources that the request named, in lower case.
    named: Vec<String>,
}

impl Places {
    fn of(world: &World, untrusted: &[String], request: &Request) -> Self {
        let mut places = Self {
            known: HashSet::new(),
            named: Vec::new(),
        };
        let entries: Vec<(&str, &Value)> = world
            .iter()
            .filter_map(|(key, fact)| match fact {
                Fact::Known(value) => Some((key.as_str(), &**value)),
                _ => None,
            })
            .collect();
        let outsiders = |key: &str| untrusted.iter().any(|form| has_form(key, form));
        let mut named_records = HashSet::new();
        for (key, value) in &entries {
            let parent = parent_of(key);
            let is_open = outsiders(key);
            let open_place = untrusted.iter().any(|form| is_below(form, parent));
            for text in scalars(value) {
                if !is_open && (is_address(&text) || (!open_place && text.len() < LONG)) {
                    places.known.insert(text.clone());
                }
                let says = !is_open && (SHORT..LONG).contains(&text.len()) && !is_address(&text);
                if says && request.names(&text) {
                    named_records.insert(parent);
                }
            }
            if !open_place {
                places.known.extend(instances(key).map(str::to_lowercase));
            }
        }
        for (key, value) in &entries {
            let named = instances(key).any(|name| request.names(name))
                || ancestors(key).any(|place| named_records.contains(place));
            if named {
                places.named.extend(scalars(value));
            }
        }
        places
    }

    fn knows(&self, target: &str) -> bool {
        self.known.contains(&target.trim().to_lowercase())
    }

    fn is_from_named_source(&self, target: &str) -> bool {
        let target = target.trim().to_lowercase();
        self.named.iter().any(|text| mentions(text, &target) > 0)
    }
}

/// Shorter texts are numbers and the like, longer ones no names.
const SHORT: usize = 6;
const LONG: usize = 60;

fn parent_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn ancestors(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(parent_of(key)), |place| {
        (!place.is_empty()).then(|| parent_of(place))
    })
}

/// The segments of a key that name one thing of several: fields are in lower case, and numbers count.
fn instances(key: &str) -> impl Iterator<Item = &str> {
    let is_field = |segment: &&str| {
        segment
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    key.split('/').filter(move |segment| !is_field(segment))
}

/// Whether a form is of keys below a place.
fn is_below(form: &str, place: &str) -> bool {
    if place.is_empty() {
        return true;
    }
    let (mut form, place) = (form.split('/'), place.split('/'));
    for segment in place {
        match form.next() {
            Some(wanted) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
    form.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_by_their_form() {
        assert!(is_address("gb29nwbk60161331926819") && !is_address("2024-05-15"));
        let found: Vec<_> =
            addresses_within("see (https://a.example/x). or b@c.example!").collect();
        assert_eq!(found, ["https://a.example/x", "b@c.example"]);
    }

    #[test]
    fn fields_are_no_instances_and_places_are_open_where_outsiders_write_below() {
        assert_eq!(instances("inbox/Bob/0/body").collect::<Vec<_>>(), ["Bob"]);
        assert_eq!(
            instances("files/bill-2023.txt").collect::<Vec<_>>(),
            ["bill-2023.txt"]
        );
        assert!(is_below("hotels/*/reviews/*", "hotels/3") && !is_below("inbox/*/body", "users/3"));
    }
}
