//! Arithmetic over JSON numbers: exact for integers, and never a wrong number for others.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The sum, or `None` if it has no exact integer form or is no finite number.
pub(crate) fn add(a: &Number, b: &Number) -> Option<Value> {
    combine(a, b, i128::checked_add, |a, b| a + b)
}

/// The difference, as [`add`].
pub(crate) fn subtract(a: &Number, b: &Number) -> Option<Value> {
    combine(a, b, i128::checked_sub, |a, b| a - b)
}

fn combine(
    a: &Number,
    b: &Number,
    exact: impl Fn(i128, i128) -> Option<i128>,
    inexact: impl Fn(f64, f64) -> f64,
) -> Option<Value> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return from_integer(exact(a, b)?);
    }
    let result = inexact(a.as_f64()?, b.as_f64()?);
    Number::from_f64(result).map(Value::Number)
}

fn from_integer(value: i128) -> Option<Value> {
    let signed = i64::try_from(value).map(Value::from);
    signed
        .or_else(|_| u64::try_from(value).map(Value::from))
        .ok()
}

fn integer(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

/// Compares; `None` only for numbers that are not numbers, which JSON does not have.
pub(crate) fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Whether two values are the same, where 1 and 1.0 are.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: &Value) -> &Number {
        value.as_number().unwrap()
    }

    #[test]
    fn integers_are_exact_and_never_wrap() {
        let big = json!(u64::MAX);
        let sum = |a: &Value, b: &Value| add(number(a), number(b));
        assert_eq!(
            sum(&json!(9_007_199_254_740_993_i64), &json!(1)),
            Some(json!(9_007_199_254_740_994_i64))
        );
        assert_eq!(sum(&big, &json!(1)), None);
        assert_eq!(sum(&big, &json!(-1)), Some(json!(u64::MAX - 1)));
        assert_eq!(sum(&json!(1.5), &json!(1)), Some(json!(2.5)));
        assert_eq!(sum(&json!(f64::MAX), &json!(f64::MAX)), None);
    }

    #[test]
    fn one_and_one_point_zero_are_the_same() {
        assert!(same(&json!(1), &json!(1.0)));
        assert!(!same(&json!(1), &json!("1")));
    }
}
