use proptest::prelude::*;

use super::*;
use crate::values::{Constants, Reach, Value};

/// The text with `v` as its one value, in this encoding.
fn rendered(encoding: Encoding, value: Value<'_>) -> Result<Vec<u8>, String> {
    let mut scope = Scope::new(Constants::new("k3v9q2xz"));
    let slot = scope
        .define("v", Reach::Iteration, Traits::default())
        .unwrap();
    let template = Template::parsed("${v}", &mut scope, encoding).unwrap();
    let mut values = Values::default();
    values.set(slot, value);
    let mut out = Vec::new();
    template
        .render(&values, &mut out)
        .map_err(|failure| failure.to_string())?;
    Ok(out)
}

fn decoded(encoded: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut bytes = encoded.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'%' => {
                let hex = [*bytes.next().unwrap(), *bytes.next().unwrap()];
                let hex = std::str::from_utf8(&hex).unwrap();
                decoded.push(u8::from_str_radix(hex, 16).unwrap());
            }
            b'+' if plus_is_space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    decoded
}

proptest! {
    #[test]
    fn a_text_inside_json_quotes_is_read_back_as_it_was(text in any::<String>()) {
        let mut json = b"\"".to_vec();
        json.extend(rendered(Encoding::JsonString, Value::Text(text.as_bytes())).unwrap());
        json.push(b'"');
        prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text.clone());
        let whole = rendered(Encoding::JsonValue, Value::Text(text.as_bytes())).unwrap();
        prop_assert_eq!(whole, json);
    }

    #[test]
    fn a_part_of_a_url_is_one_part_and_is_read_back_as_it_was(
        bytes in proptest::collection::vec(any::<u8>(), 0..40)
    ) {
        let encoded = rendered(Encoding::UrlPart, Value::Text(&bytes)).unwrap();
        prop_assert!(!encoded.iter().any(|byte| b"/?#&=+ \r\n".contains(byte)));
        prop_assert!(encoded.is_ascii());
        prop_assert_eq!(decoded(&encoded, false), bytes);
    }

    #[test]
    fn a_field_of_a_form_is_one_field_and_is_read_back_as_it_was(
        bytes in proptest::collection::vec(any::<u8>(), 0..40)
    ) {
        let encoded = rendered(Encoding::FormField, Value::Text(&bytes)).unwrap();
        prop_assert!(!encoded.iter().any(|byte| b"&= \r\n".contains(byte)));
        prop_assert_eq!(decoded(&encoded, true), bytes);
    }

    #[test]
    fn bytes_are_taken_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let text = Value::Text(&bytes);
        prop_assert_eq!(&rendered(Encoding::Bytes, text).unwrap(), &bytes);
        prop_assert_eq!(&rendered(Encoding::Text, text).unwrap(), &bytes);
    }

    #[test]
    fn a_header_has_no_line_end_or_is_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..12)
    ) {
        let wrong = bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        match rendered(Encoding::Header, Value::Text(&bytes)) {
            Ok(written) => prop_assert!(!wrong && written == bytes),
            Err(told) => {
                prop_assert!(wrong);
                prop_assert_eq!(
                    told,
                    "the value of `v` has a line end or NUL, which a header cannot carry"
                );
            }
        }
    }

    #[test]
    fn a_part_of_a_path_stays_in_its_folder_or_is_refused(text in r"[a./\x00]{0,4}") {
        let leaves = text.contains(['/', '\0']) || text.contains("..");
        let written = rendered(Encoding::PathPart, Value::Text(text.as_bytes()));
        prop_assert_eq!(written.is_err(), leaves);
    }
}

#[test]
fn values_that_are_no_text_are_written_alike_everywhere() {
    for encoding in [
        Encoding::JsonValue,
        Encoding::JsonString,
        Encoding::UrlPart,
        Encoding::Header,
        Encoding::Text,
    ] {
        let written = |value| String::from_utf8(rendered(encoding, value).unwrap()).unwrap();
        assert_eq!(written(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(written(Value::Bool(true)), "true");
        assert_eq!(written(Value::Null), "null");
    }
    let json = Value::Json(br#"{"b":1.50,"a":"x"}"#);
    let written = |encoding| String::from_utf8(rendered(encoding, json).unwrap()).unwrap();
    assert_eq!(written(Encoding::JsonValue), r#"{"b":1.50,"a":"x"}"#);
    assert_eq!(written(Encoding::JsonString), r#"{\"b\":1.50,\"a\":\"x\"}"#);
    assert_eq!(written(Encoding::Text), r#"{"a":"x","b":1.5}"#);
    assert_eq!(written(Encoding::Bytes), r#"{"b":1.50,"a":"x"}"#);
}

#[test]
fn what_is_no_text_cannot_stand_in_json() {
    for encoding in [Encoding::JsonString, Encoding::JsonValue] {
        assert_eq!(
            rendered(encoding, Value::Text(b"\xff")).unwrap_err(),
            "the value of `v` is not UTF-8, so it cannot stand in JSON"
        );
    }
}

#[test]
fn a_constant_is_encoded_when_the_file_is_read() {
    let constants = Constants::new("k3v9q2xz")
        .with_environment(|name| (name == "X").then(|| "a \"b\"\n".to_owned()));
    let mut scope = Scope::new(constants);
    let json = Template::json(r#"["${env.X}", ${env.X}]"#, "the body", &mut scope).unwrap();
    let written = json.as_constant().unwrap();
    assert_eq!(written, br#"["a \"b\"\n", "a \"b\"\n"]"#);
    let error = Template::parsed("a: ${env.X}", &mut scope, Encoding::Header).unwrap_err();
    assert_eq!(
        (error.inside, error.problem.as_str()),
        (
            5,
            "the value of `env.X` has a line end or NUL, which a header cannot carry"
        )
    );
}

#[test]
fn a_value_that_is_not_known_yet_is_told_by_its_name() {
    let mut scope = Scope::new(Constants::new("k3v9q2xz"));
    scope
        .define("token", Reach::User, Traits::CAPTURED)
        .unwrap();
    let template = Template::text("Bearer ${token}", &mut scope).unwrap();
    let values = Values::default();
    let failure = template.render(&values, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.to_string(), "`token` has no value yet");
    assert!(!template.is_filled(&values));
}

#[test]
fn a_text_of_one_value_is_known_as_such() {
    let mut scope = Scope::new(Constants::new("k3v9q2xz"));
    let single = |text: &str, scope: &mut Scope| Template::text(text, scope).unwrap().single();
    assert_eq!(single("${id}", &mut scope), Some(Slot::ID));
    assert_eq!(single("${id} ", &mut scope), None);
    assert_eq!(single("${run}", &mut scope), None);
}

#[test]
fn templates_are_joined() {
    let mut scope = Scope::new(Constants::new("k3v9q2xz"));
    let a = Template::text("a${id}", &mut scope).unwrap();
    let b = Template::text("${user}b", &mut scope).unwrap();
    let both = Template::concat(&[&a, &Template::literal(b"-"), &b]);
    let mut values = Values::default();
    values.set(Slot::ID, Value::Text(b"x"));
    values.set(Slot::USER, Value::Int(4));
    let mut out = Vec::new();
    both.render(&values, &mut out).unwrap();
    assert_eq!(out, b"ax-4b");
    assert_eq!(both.traits(), a.traits() | b.traits());
}
