use serde_json::Value;

/// A parameter, or a part of one, that stands for what an earlier step answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    /// Where it stands in the parameters, as a JSON pointer.
    pub(crate) place: String,
    /// The position of the step that answers.
    pub(crate) step: usize,
    /// Where it points within the answer.
    pub(crate) pointer: String,
}

/// The step and the pointer, if a value is exactly `{"$ref": "step", "pointer": "/x"}`. An object
/// with `$ref` alone is data, as it is in a JSON schema.
fn parts(value: &Value) -> Option<(&str, &str)> {
    let fields = value.as_object().filter(|fields| fields.len() == 2)?;
    Some((
        fields.get("$ref")?.as_str()?,
        fields.get("pointer")?.as_str()?,
    ))
}

/// Calls back for each reference within a value, with its place, the step and the pointer.
pub(crate) fn visit<E>(
    value: &Value,
    place: &mut String,
    found: &mut impl FnMut(&str, &str, &str) -> Result<(), E>,
) -> Result<(), E> {
    if let Some((step, pointer)) = parts(value) {
        return found(place, step, pointer);
    }
    let length = place.len();
    let mut below = |name: &str, value: &Value| {
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let visited = visit(value, place, found);
        place.truncate(length);
        visited
    };
    match value {
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| below(&index.to_string(), item))
        }
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.try_for_each(|(name, field)| below(name, field))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
