//! Values that a JSON schema allows, such as arguments by a tool's `inputSchema`.

use serde_json::{Map, Value, json};

use crate::values::Random;

/// How deep a schema is followed; below that only a required reference to itself can be.
const DEEPEST: u32 = 16;

/// How deep values are made that a schema does not ask for.
const OPTIONAL_DEPTH: u32 = 4;

/// A value that a schema allows, as far as keywords say it that most schemas of tools have: types, `enum`, `const`,
/// `required`, bounds of numbers and lengths, `format`, references within the schema, and `anyOf`, `oneOf` and
/// `allOf`. A text with a `pattern` is its `default` or one of its `examples`.
pub(crate) fn generate(schema: &Value, random: &mut Random) -> Value {
    Generator {
        root: schema,
        random,
    }
    .value(schema, 0)
}

/// A value that a schema within a document allows; references are to places in the document. The same seed
/// makes the same value.
///
/// ```
/// use serde_json::json;
///
/// let document = json!({ "schemas": { "Count": { "type": "integer", "minimum": 3, "maximum": 3 } } });
/// let schema = json!({ "$ref": "#/schemas/Count" });
/// assert_eq!(drivers::json_by_schema(&document, &schema, 1), json!(3));
/// ```
#[must_use]
pub fn json_by_schema(document: &Value, schema: &Value, seed: u64) -> Value {
    Generator {
        root: document,
        random: &mut Random::of(&[seed]),
    }
    .value(schema, 0)
}

struct Generator<'s, 'r> {
    root: &'s Value,
    random: &'r mut Random,
}

impl Generator<'_, '_> {
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        let Some(keys) = schema.as_object() else {
            return json!(self.word(8));
        };
        if let Some(target) = keys.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            let target = target.strip_prefix('#').and_then(|path| root.pointer(path));
            return target.map_or(Value::Null, |target| self.value(target, depth + 1));
        }
        if let Some(only) = keys.get("const") {
            return only.clone();
        }
        if let Some(choices) = list(keys, "enum") {
            return self.pick(choices).clone();
        }
        for (key, takes_all) in [("allOf", true), ("anyOf", false), ("oneOf", false)] {
            if let Some(parts) = list(keys, key) {
                let chosen = match takes_all {
                    true => parts,
                    false => std::slice::from_ref(self.pick(parts)),
                };
                let whole = self.merged(keys, key, chosen);
                return self.value(&whole, depth + 1);
            }
        }
        match self.kind(keys) {
            "object" => self.object(keys, depth),
            "array" => self.array(keys, depth),
            "integer" => json!(self.integer(keys)),
            "number" => self.number(keys),
            "boolean" => json!(self.random.below(2) == 1),
            "null" => Value::Null,
            _ => json!(self.text(keys)),
        }
    }

    /// A schema without one of its keywords, and with what its parts say.
    fn merged(&self, keys: &Map<String, Value>, without: &str, parts: &[Value]) -> Value {
        let mut whole = keys.clone();
        whole.remove(without);
        for part in parts {
            let target = part["$ref"]
                .as_str()
                .and_then(|path| path.strip_prefix('#'));
            let part = target
                .and_then(|path| self.root.pointer(path))
                .unwrap_or(part);
            for (key, value) in part.as_object().into_iter().flatten() {
                match (whole.get_mut(key), value) {
                    (Some(Value::Object(own)), Value::Object(more)) => own.extend(more.clone()),
                    (Some(Value::Array(own)), Value::Array(more)) if key == "required" => {
                        own.extend(more.clone());
                    }
                    _ => {
                        whole.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        Value::Object(whole)
    }

    /// The type, one of several, or what the other keywords are for.
    fn kind<'k>(&mut self, keys: &'k Map<String, Value>) -> &'k str {
        match keys.get("type") {
            Some(Value::String(only)) => only,
            Some(Value::Array(several)) if !several.is_empty() => {
                self.pick(several).as_str().unwrap_or_default()
            }
            _ if keys.contains_key("properties") || keys.contains_key("required") => "object",
            _ if keys.contains_key("items") => "array",
            _ if keys.contains_key("minimum") || keys.contains_key("maximum") => "number",
            _ => "string",
        }
    }

    fn object(&mut self, keys: &Map<String, Value>, depth: u32) -> Value {
        let required = keys.get("required").and_then(Value::as_array);
        let required: Vec<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = keys.get("properties").and_then(Value::as_object);
        let mut made = Map::new();
        for (name, schema) in properties.into_iter().flatten() {
            let is_required = required.contains(&name.as_str());
            if is_required || depth < OPTIONAL_DEPTH && self.random.below(2) == 1 {
                made.insert(name.clone(), self.value(schema, depth + 1));
            }
        }
        for name in required {
            if !made.contains_key(name) {
                let schema = keys.get("additionalProperties").unwrap_or(&Value::Null);
                let value = self.value(schema, depth + 1);
                made.insert(name.to_owned(), value);
            }
        }
        Value::Object(made)
    }

    fn array(&mut self, keys: &Map<String, Value>, depth: u32) -> Value {
        let least = whole(keys, "minItems").unwrap_or(0);
        let most = whole(keys, "maxItems")
            .unwrap_or(least + 2)
            .min(least + 2)
            .max(least);
        let most = if depth < OPTIONAL_DEPTH { most } else { least };
        let length = least + self.random.below(most - least + 1);
        let first = keys.get("prefixItems").and_then(Value::as_array);
        let first = first.map_or(&[][..], Vec::as_slice);
        let items = keys.get("items").unwrap_or(&Value::Bool(true));
        let is_unique = keys.get("uniqueItems") == Some(&Value::Bool(true));
        let mut made: Vec<Value> = Vec::new();
        // A set of few values has no more: some tries, and it is as long as it became.
        let mut tries = length + 16;
        while (made.len() as u64) < length && tries > 0 {
            let schema = first.get(made.len()).unwrap_or(items);
            let value = self.value(schema, depth + 1);
            if !(is_unique && made.contains(&value)) {
                made.push(value);
            }
            tries -= 1;
        }
        Value::Array(made)
    }

    fn integer(&mut self, keys: &Map<String, Value>) -> i64 {
        let bound = |key: &str| keys.get(key).and_then(Value::as_f64);
        let above = bound("exclusiveMinimum").map(|bound| bound.floor() as i64 + 1);
        let below = bound("exclusiveMaximum").map(|bound| bound.ceil() as i64 - 1);
        let least = above.max(bound("minimum").map(|bound| bound.ceil() as i64));
        let most = [below, bound("maximum").map(|bound| bound.floor() as i64)];
        let most = most.into_iter().flatten().min();
        let (least, most) = match (least, most) {
            (None, None) => (0, 100),
            (Some(least), None) => (least, least.saturating_add(100)),
            (None, Some(most)) => (most.saturating_sub(100).max(0).min(most), most),
            (Some(least), Some(most)) => (least, most.max(least)),
        };
        let of = whole(keys, "multipleOf").filter(|of| *of > 0);
        let of = of.and_then(|of| i64::try_from(of).ok()).unwrap_or(1);
        let first = least.saturating_add((of - least.rem_euclid(of)) % of);
        let steps = (most.saturating_sub(first).max(0) / of) as u64;
        first.saturating_add(of.saturating_mul(self.random.below(steps + 1) as i64))
    }

    fn number(&mut self, keys: &Map<String, Value>) -> Value {
        if keys.contains_key("multipleOf") {
            return json!(self.integer(keys));
        }
        let bound = |key: &str| keys.get(key).and_then(Value::as_f64);
        let least = bound("minimum").or(bound("exclusiveMinimum"));
        let most = bound("maximum").or(bound("exclusiveMaximum"));
        let (least, most) = match (least, most) {
            (None, None) => (0.0, 100.0),
            (Some(least), None) => (least, least + 100.0),
            (None, Some(most)) => (most - 100.0, most),
            (Some(least), Some(most)) => (least, most),
        };
        // Not at the ends, which may be excluded.
        let share = 0.001 + 0.998 * self.random.unit();
        json!(least + (most - least) * share)
    }

    fn text(&mut self, keys: &Map<String, Value>) -> String {
        if keys.contains_key("pattern") {
            let examples = keys.get("examples").and_then(Value::as_array);
            let mut known = keys
                .get("default")
                .into_iter()
                .chain(examples.into_iter().flatten());
            if let Some(text) = known.find_map(Value::as_str) {
                return text.to_owned();
            }
        }
        let (hour, day) = (self.random.below(24), 1 + self.random.below(28));
        match keys.get("format").and_then(Value::as_str) {
            Some("date-time") => format!("2026-01-{day:02}T{hour:02}:00:00Z"),
            Some("date") => format!("2026-01-{day:02}"),
            Some("time") => format!("{hour:02}:00:00Z"),
            Some("uri" | "url" | "uri-reference" | "iri") => {
                format!("http://127.0.0.1/{}", self.word(8))
            }
            Some("email") => format!("{}@example.com", self.word(8)),
            Some("hostname") => format!("{}.example.com", self.word(8)),
            Some("ipv4") => format!("127.0.0.{day}"),
            Some("ipv6") => format!("::{day}"),
            Some("uuid") => {
                let bits = u128::from(self.random.bits()) << 64 | u128::from(self.random.bits());
                let hex = format!("{bits:032x}");
                let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
                format!("{a}-{b}-4{c}-8{d}-{}", &hex[20..])
            }
            _ => {
                let least = whole(keys, "minLength").unwrap_or(1);
                let most = whole(keys, "maxLength").unwrap_or(least + 15);
                let most = most.min(least + 15).max(least);
                let length = least + self.random.below(most - least + 1);
                self.word(length)
            }
        }
    }

    /// Small letters.
    fn word(&mut self, length: u64) -> String {
        let letter = |_| char::from(b'a' + self.random.below(26) as u8);
        (0..length).map(letter).collect()
    }

    fn pick<'v>(&mut self, choices: &'v [Value]) -> &'v Value {
        &choices[self.random.below(choices.len() as u64) as usize]
    }
}

/// A list that is not empty.
fn list<'k>(keys: &'k Map<String, Value>, key: &str) -> Option<&'k [Value]> {
    let list = keys.get(key)?.as_array()?;
    (!list.is_empty()).then_some(list.as_slice())
}

fn whole(keys: &Map<String, Value>, key: &str) -> Option<u64> {
    keys.get(key)?.as_u64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As tools have them: by pydantic, by zod, and by hand.
    fn schemas() -> Vec<Value> {
        vec![
            json!({}),
            json!(true),
            json!({ "type": "object", "properties": {}, "additionalProperties": false }),
            json!({ "type": "object", "required": ["a", "n"], "properties": {
                "a": { "type": "string", "minLength": 3, "maxLength": 5 },
                "n": { "type": "integer", "minimum": 3, "exclusiveMaximum": 9, "multipleOf": 2 },
                "x": { "type": "number", "exclusiveMinimum": 0, "maximum": 0.5 },
                "b": { "type": ["boolean", "null"] },
                "e": { "enum": ["one", 2, null] },
                "c": { "const": { "k": 1 } },
            } }),
            json!({ "type": "object", "required": ["names", "pair"], "properties": {
                "names": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 4, "uniqueItems": true },
                "pair": { "type": "array", "prefixItems": [{ "type": "integer" }, { "type": "boolean" }], "items": false, "minItems": 2, "maxItems": 2 },
            } }),
            json!({ "$defs": {
                "Node": { "type": "object", "required": ["name"], "properties": {
                    "name": { "type": "string" }, "next": { "anyOf": [{ "$ref": "#/$defs/Node" }, { "type": "null" }] },
                    "all": { "type": "array", "items": { "$ref": "#/$defs/Node" } } } } },
                "type": "object", "required": ["node"], "properties": { "node": { "$ref": "#/$defs/Node" } } }),
            json!({ "allOf": [
                { "type": "object", "required": ["a"], "properties": { "a": { "type": "integer", "maximum": -5 } } },
                { "required": ["b"], "properties": { "b": { "type": "integer", "minimum": 7 } } },
            ] }),
            json!({ "oneOf": [
                { "type": "object", "required": ["kind"], "properties": { "kind": { "const": "a" } } },
                { "type": "object", "required": ["kind", "n"], "properties": { "kind": { "const": "b" }, "n": { "type": "number", "maximum": 3 } } },
            ] }),
            json!({ "type": "object", "required": ["at", "on", "id", "mail", "page"], "properties": {
                "at": { "type": "string", "format": "date-time" }, "on": { "type": "string", "format": "date" },
                "id": { "type": "string", "format": "uuid" }, "mail": { "type": "string", "format": "email" },
                "page": { "type": "string", "format": "uri" },
                "code": { "type": "string", "pattern": "^[A-Z]{3}$", "default": "ABC" } } }),
            json!({ "type": "object", "required": ["extra"], "additionalProperties": { "type": "integer" } }),
            json!({ "properties": { "a": { "minimum": 1, "maximum": 2 } }, "required": ["a"] }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_made_is_what_the_schema_allows(seed: u64) {
            for schema in schemas() {
                let made = generate(&schema, &mut Random::of(&[seed]));
                let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
                let checked = validator.validate(&made).map_err(|error| error.to_string());
                prop_assert_eq!(checked, Ok(()), "{} {}", schema, made);
                prop_assert_eq!(&made, &generate(&schema, &mut Random::of(&[seed])));
            }
        }
    }

    #[test]
    fn a_schema_that_asks_for_itself_without_end_comes_to_an_end() {
        let schema = json!({ "type": "object", "required": ["again"], "properties": { "again": { "$ref": "#" } } });
        let made = generate(&schema, &mut Random::of(&[1]));
        assert!(made["again"]["again"].is_object());
        assert_eq!(
            generate(&json!({ "$ref": "#/nowhere" }), &mut Random::of(&[1])),
            json!(null)
        );
    }
}
