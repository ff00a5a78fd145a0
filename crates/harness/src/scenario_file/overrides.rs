//! Values that the command line sets over those of the file: `model.users=20`, `phases.peak.for=5s`.

use toml::{Table, Value};

use super::place::unknown;

/// Sets one value, `key=value`.
///
/// A key's parts are separated by dots; an element of an array is named by its number from 0 or by its
/// `name`. A value is written as in TOML, or is a text without its quotation marks.
pub(super) fn set(table: &mut Table, setting: &str) -> Result<(), String> {
    let (key, value) = setting
        .split_once('=')
        .ok_or("expected key=value, such as model.users=20")?;
    let parts: Vec<&str> = key.trim().split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("the key `{}` has an empty part", key.trim()));
    }
    let (first, rest) = parts.split_first().ok_or("the key is missing")?;
    let value = parse(value.trim());
    if rest.is_empty() {
        table.insert((*first).to_owned(), value);
        return Ok(());
    }
    let place = table
        .entry(*first)
        .or_insert_with(|| Value::Table(Table::new()));
    put(place, rest, value)
}

fn put(place: &mut Value, parts: &[&str], value: Value) -> Result<(), String> {
    let [part, rest @ ..] = parts else {
        *place = value;
        return Ok(());
    };
    match place {
        Value::Table(table) => {
            let inner = table
                .entry(*part)
                .or_insert_with(|| Value::Table(Table::new()));
            put(inner, rest, value)
        }
        Value::Array(list) => {
            let index = index_of(list, part)?;
            put(&mut list[index], rest, value)
        }
        other => {
            let kind = other.type_str();
            Err(format!("there is no `{part}` in a value that is {kind}"))
        }
    }
}

fn index_of(list: &[Value], part: &str) -> Result<usize, String> {
    let name = |value: &'_ Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if let Ok(index) = part.parse::<usize>()
        && index < list.len()
    {
        return Ok(index);
    }
    let names: Vec<String> = list.iter().filter_map(name).collect();
    list.iter()
        .position(|value| name(value).as_deref() == Some(part))
        .ok_or_else(|| unknown("element", part, names.iter().map(String::as_str)))
}

/// A value of TOML, or else a text.
fn parse(text: &str) -> Value {
    let whole: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    whole
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[&str]) -> Result<Table, String> {
        let mut table: Table = toml::from_str(
            "seed = 1\n[model]\nusers = 5\n[[phases]]\nname = \"peak\"\nfor = \"30s\"\n",
        )
        .unwrap();
        for setting in settings {
            set(&mut table, setting)?;
        }
        Ok(table)
    }

    #[test]
    fn values_are_set_by_key_by_number_and_by_name() {
        let table = with(&[
            "seed=7",
            "model.users = 20",
            "phases.peak.for=5s",
            "phases.0.users={ from = 1, to = 2 }",
            "target.mix.load=60",
        ])
        .unwrap();
        assert_eq!(table["seed"].as_integer(), Some(7));
        assert_eq!(table["model"]["users"].as_integer(), Some(20));
        assert_eq!(table["phases"][0]["for"].as_str(), Some("5s"));
        assert_eq!(table["phases"][0]["users"]["to"].as_integer(), Some(2));
        assert_eq!(table["target"]["mix"]["load"].as_integer(), Some(60));
    }

    #[test]
    fn what_cannot_be_set_says_why() {
        let mistake = |setting: &str| with(&[setting]).unwrap_err();
        assert_eq!(
            mistake("seed"),
            "expected key=value, such as model.users=20"
        );
        assert_eq!(mistake("a..b=1"), "the key `a..b` has an empty part");
        assert_eq!(
            mistake("phases.peek.for=5s"),
            "there is no element `peek`, there is `peak`; did you mean `peak`?"
        );
        assert_eq!(
            mistake("seed.x=1"),
            "there is no `x` in a value that is integer"
        );
    }
}
