use std::cmp::Ordering;
use std::fmt;

use action::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// A condition on a request, for granting or denying it without a person.
///
/// What cannot be judged (a field that is missing, a number compared with a text) is *unknown*, and
/// unknown stays unknown under [`Not`](Self::Not), by Kleene's three-valued logic. Only what is
/// known to be true grants or denies anything, and nothing is granted while a denial is unknown, so
/// leaving a field out never helps the one who asks.
///
/// What a simulation predicted is visible where the requester put it into the context, such as
/// `context.simulation.outcome`.
///
/// ```
/// # use approval_workflow::Condition;
/// let condition: Condition = serde_json::from_str(r#"{"all": [
///     {"equals": {"field": "context.environment", "value": "test"}},
///     {"less_than": {"field": "parameters.amount_cents", "value": 5000}}
/// ]}"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// True of everything; only to deny with, as `auto_deny = "always"`.
    Always,
    /// Every part is true. There must be a part.
    All(Vec<Condition>),
    /// At least one part is true. There must be a part.
    Any(Vec<Condition>),
    /// The part is false.
    Not(Box<Condition>),
    /// The field has this value; numbers are compared by value, so `1` equals `1.0`.
    Equals {
        /// Which field.
        field: Field,
        /// The value.
        value: Value,
    },
    /// The field is a number below this one.
    LessThan {
        /// Which field.
        field: Field,
        /// The bound, which is not included.
        value: Number,
    },
    /// The field has one of these values.
    OneOf {
        /// Which field.
        field: Field,
        /// The values.
        values: Vec<Value>,
    },
}

impl Condition {
    /// Whether the condition is known to be true of an action and its context.
    #[must_use]
    pub fn holds(&self, action: &Action, context: &Map<String, Value>) -> bool {
        self.judge(action, context) == Some(true)
    }

    /// Whether it is true or false; none if that is unknown.
    pub(crate) fn judge(&self, action: &Action, context: &Map<String, Value>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::All(parts) => decide(parts, false, |part| part.judge(action, context)),
            Self::Any(parts) => decide(parts, true, |part| part.judge(action, context)),
            Self::Not(part) => part.judge(action, context).map(|known| !known),
            Self::Equals { field, value } => equals(field.find(action, context)?, value),
            Self::LessThan { field, value } => match field.find(action, context)? {
                Value::Number(number) => Some(compare(number, value)? == Ordering::Less),
                _ => None,
            },
            Self::OneOf { field, values } => {
                let found = field.find(action, context)?;
                decide(values, true, |value| equals(found, value))
            }
        }
    }

    /// What makes the condition senseless, if anything does.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.fault_below(Self::MAX_DEPTH)
    }

    /// Whether it is true of everything, or a part of it is.
    pub(crate) fn has_always(&self) -> bool {
        match self {
            Self::Always => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_always),
            Self::Not(part) => part.has_always(),
            Self::Equals { .. } | Self::LessThan { .. } | Self::OneOf { .. } => false,
        }
    }

    /// The deepest nesting of a condition, in levels.
    pub const MAX_DEPTH: usize = 32;

    fn fault_below(&self, levels: usize) -> Option<&'static str> {
        let Some(levels) = levels.checked_sub(1) else {
            return Some("the condition is nested deeper than 32 levels");
        };
        match self {
            Self::All(parts) | Self::Any(parts) if parts.is_empty() => {
                Some("`all` and `any` need at least one part")
            }
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().find_map(|part| part.fault_below(levels))
            }
            Self::Not(part) => part.fault_below(levels),
            Self::OneOf { values, .. } if values.is_empty() => {
                Some("`one_of` needs at least one value")
            }
            Self::Always | Self::Equals { .. } | Self::LessThan { .. } | Self::OneOf { .. } => None,
        }
    }
}

/// Ends at the first part with the decisive answer; without one, an unknown part makes the whole
/// unknown.
fn decide<T>(parts: &[T], decisive: bool, judge: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    let mut all_known = true;
    for part in parts {
        match judge(part) {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

/// Values of two kinds are not comparable: `"5"` is neither `5` nor known to be something else.
fn equals(found: &Value, wanted: &Value) -> Option<bool> {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => Some(compare(a, b)? == Ordering::Equal),
        _ if std::mem::discriminant(found) == std::mem::discriminant(wanted) => {
            Some(found == wanted)
        }
        _ => None,
    }
}

fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

/// Which value a [`Condition`] looks at: `context.environment`, or `parameters.amount_cents` of the
/// action itself. Further dots lead into objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Field {
    root: Root,
    keys: Vec<String>, // at least one, none of them empty
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Context,
    Parameters,
}

impl Field {
    fn find<'a>(&self, action: &'a Action, context: &'a Map<String, Value>) -> Option<&'a Value> {
        let mut fields = match self.root {
            Root::Context => context,
            Root::Parameters => &action.parameters,
        };
        let (last, path) = self.keys.split_last()?;
        for key in path {
            fields = fields.get(key)?.as_object()?;
        }
        fields.get(last)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Context => "context",
            Root::Parameters => "parameters",
        })?;
        self.keys.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

impl TryFrom<String> for Field {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.split('.');
        let root = match parts.next() {
            Some("context") => Some(Root::Context),
            Some("parameters") => Some(Root::Parameters),
            _ => None,
        };
        let keys: Vec<String> = parts.map(str::to_owned).collect();
        match root {
            Some(root) if !keys.is_empty() && keys.iter().all(|key| !key.is_empty()) => {
                Ok(Self { root, keys })
            }
            _ => Err(format!(
                "field {text:?} is neither `context.<name>` nor `parameters.<name>`"
            )),
        }
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use action::ActionPath;
    use serde_json::json;

    use super::*;

    fn judge(condition: Value) -> Option<bool> {
        let action = Action::new(ActionPath::new("a/b").unwrap(), "n")
            .with_parameter("amount", 4999)
            .with_parameter("to", json!({"country": "DE"}));
        let Value::Object(context) = json!({"env": "test", "n": 1.0, "big": u64::MAX}) else {
            unreachable!("an object literal");
        };
        let condition: Condition = serde_json::from_value(condition).unwrap();
        condition.judge(&action, &context)
    }

    fn is(field: &str, value: impl Into<Value>) -> Value {
        json!({"equals": {"field": field, "value": value.into()}})
    }

    #[test]
    fn values_are_found_in_the_context_and_in_the_parameters() {
        assert_eq!(judge(is("context.env", "test")), Some(true));
        assert_eq!(judge(is("context.env", "prod")), Some(false));
        assert_eq!(judge(is("parameters.to.country", "DE")), Some(true));
        let less = json!({"less_than": {"field": "parameters.amount", "value": 5000}});
        assert_eq!(judge(less), Some(true));
        let one = json!({"one_of": {"field": "context.env", "values": ["dev", "test"]}});
        assert_eq!(judge(one), Some(true));
    }

    #[test]
    fn numbers_are_compared_by_value_and_exactly() {
        assert_eq!(judge(is("context.n", 1)), Some(true));
        assert_eq!(judge(is("context.big", u64::MAX - 1)), Some(false));
        let below = json!({"less_than": {"field": "context.big", "value": u64::MAX}});
        assert_eq!(judge(below), Some(false));
    }

    #[test]
    fn what_cannot_be_judged_stays_unknown_also_when_negated() {
        let missing = is("context.tier", "prod");
        assert_eq!(judge(missing.clone()), None);
        assert_eq!(judge(json!({"not": missing.clone()})), None);
        assert_eq!(judge(json!({"not": is("context.n", "1")})), None);
        let (yes, no) = (is("context.env", "test"), is("context.env", "prod"));
        assert_eq!(judge(json!({"all": [yes.clone(), missing.clone()]})), None);
        assert_eq!(judge(json!({"all": [missing.clone(), no]})), Some(false));
        assert_eq!(judge(json!({"any": [missing, yes]})), Some(true));
    }

    #[test]
    fn a_condition_that_is_always_true_is_refused() {
        let empty: Condition = serde_json::from_value(json!({"all": []})).unwrap();
        assert!(Condition::Not(Box::new(empty)).fault().is_some());
        let deep = (0..40).fold(Condition::Any(vec![]), |inner, _| {
            Condition::Not(Box::new(inner))
        });
        assert!(deep.fault().is_some());
    }

    #[test]
    fn unknown_words_are_errors() {
        for text in [
            r#"{"equal": {"field": "context.a", "value": 1}}"#,
            r#"{"equals": {"field": "a", "value": 1}}"#,
            r#"{"equals": {"field": "context.", "value": 1}}"#,
            r#"{"equals": {"field": "context.a", "value": 1, "x": 2}}"#,
        ] {
            assert!(serde_json::from_str::<Condition>(text).is_err(), "{text}");
        }
    }
}
