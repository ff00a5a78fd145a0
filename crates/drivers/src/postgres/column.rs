//! Rows as JSON objects: PostgreSQL sends each value in the binary form of its type.

use std::error::Error;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

use crate::outcome::Failure;
use crate::template::encode::json_text;

/// Microseconds from the Unix epoch to PostgreSQL's, the year 2000.
const EPOCH_US: i64 = 946_684_800_000_000;

const DAY_US: i64 = 86_400_000_000;

/// The bytes of a value, whatever its type.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Appends a row as a JSON object.
pub(super) fn object(row: &Row, out: &mut Vec<u8>) -> Result<(), Failure> {
    out.push(b'{');
    for (number, column) in row.columns().iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        text(column.name(), out);
        out.push(b':');
        let malformed = || Failure::new(&format!("column `{}` is malformed", column.name()));
        let raw: Option<Raw<'_>> = row.try_get(number).map_err(|_| malformed())?;
        let Some(Raw(raw)) = raw else {
            out.extend_from_slice(b"null");
            continue;
        };
        let of_type = column.type_();
        match value(of_type, raw, out) {
            Some(true) => {}
            Some(false) => {
                let name = column.name();
                let told = format!(
                    "column `{name}` is of type {of_type}, which is not read: write \
                     {name}::text as {name}"
                );
                return Err(Failure::new(&told));
            }
            None => return Err(malformed()),
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value; whether its type is known, and nothing if it is malformed.
fn value(of_type: &Type, raw: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let number = |number: i64, out: &mut Vec<u8>| {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    };
    match *of_type {
        Type::BOOL => out.extend_from_slice(match raw {
            [0] => b"false",
            _ => b"true",
        }),
        Type::INT2 => number(i16::from_be_bytes(raw.try_into().ok()?).into(), out),
        Type::INT4 => number(i32::from_be_bytes(raw.try_into().ok()?).into(), out),
        Type::OID => number(u32::from_be_bytes(raw.try_into().ok()?).into(), out),
        Type::INT8 => number(i64::from_be_bytes(raw.try_into().ok()?), out),
        Type::FLOAT4 => float(f32::from_be_bytes(raw.try_into().ok()?), out)?,
        Type::FLOAT8 => float(f64::from_be_bytes(raw.try_into().ok()?), out)?,
        Type::NUMERIC => numeric(raw, out)?,
        Type::JSON => out.extend_from_slice(raw),
        // A byte with the version, which is 1, comes first.
        Type::JSONB => out.extend_from_slice(raw.get(1..)?),
        Type::UUID => text(&uuid(raw)?, out),
        Type::BYTEA => text(&format!("\\x{}", hex(raw)), out),
        Type::TIMESTAMPTZ => text(&time(raw)?.to_string(), out),
        Type::TIMESTAMP => {
            let time = time(raw)?.to_zoned(TimeZone::UTC).datetime();
            text(&time.to_string(), out);
        }
        Type::DATE => {
            let days = i64::from(i32::from_be_bytes(raw.try_into().ok()?));
            let day = Timestamp::from_microsecond(days.checked_mul(DAY_US)? + EPOCH_US).ok()?;
            text(&day.to_zoned(TimeZone::UTC).date().to_string(), out);
        }
        ref other if is_text(other) => text(std::str::from_utf8(raw).ok()?, out),
        _ => return Some(false),
    }
    Some(true)
}

fn is_text(of_type: &Type) -> bool {
    let is_known = matches!(
        *of_type,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::UNKNOWN
    );
    match of_type.kind() {
        Kind::Enum(_) => true,
        Kind::Domain(inner) => is_text(inner),
        _ => is_known || of_type.name() == "citext",
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    json_text(text, out);
    out.push(b'"');
}

/// JSON has no number for what is infinite or none: it is a text then.
fn float<F: serde::Serialize + std::fmt::Display>(number: F, out: &mut Vec<u8>) -> Option<()> {
    let json = serde_json::to_vec(&number).ok()?;
    match &*json {
        b"null" => text(&number.to_string(), out),
        _ => out.extend_from_slice(&json),
    }
    Some(())
}

/// Groups of four decimal digits, of which `weight + 1` stand before the point.
fn numeric(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let word = |at: usize| {
        let bytes = raw.get(2 * at..2 * at + 2)?;
        Some(i16::from_be_bytes(bytes.try_into().ok()?))
    };
    let (count, weight) = (word(0)?, word(1)?);
    let (sign, scale) = (word(2)? as u16, usize::from(word(3)? as u16));
    let special = match sign {
        0 | 0x4000 => None,
        0xC000 => Some("NaN"),
        0xD000 => Some("Infinity"),
        _ => Some("-Infinity"),
    };
    if let Some(special) = special {
        text(special, out);
        return Some(());
    }
    if sign == 0x4000 {
        out.push(b'-');
    }
    let group = |place: i16| match usize::try_from(weight - place) {
        Ok(at) if at < count as usize => word(4 + at),
        _ => Some(0),
    };
    let before: String = (0..=weight.max(0))
        .rev()
        .map(|place| Some(format!("{:04}", group(place)?)))
        .collect::<Option<_>>()?;
    let before = before.trim_start_matches('0');
    out.extend_from_slice(if before.is_empty() { "0" } else { before }.as_bytes());
    if scale > 0 {
        let groups = i16::try_from(scale.div_ceil(4)).ok()?;
        let after: String = (1..=groups)
            .map(|place| Some(format!("{:04}", group(-place)?)))
            .collect::<Option<_>>()?;
        out.push(b'.');
        out.extend_from_slice(&after.as_bytes()[..scale]);
    }
    Some(())
}

fn hex(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(raw: &[u8]) -> Option<String> {
    let parts = [0..4, 4..6, 6..8, 8..10, 10..16];
    let parts = parts.map(|range| raw.get(range).map(hex));
    let parts: Option<Vec<String>> = parts.into_iter().collect();
    Some(parts?.join("-"))
}

fn time(raw: &[u8]) -> Option<Timestamp> {
    let since = i64::from_be_bytes(raw.try_into().ok()?);
    Timestamp::from_microsecond(since.checked_add(EPOCH_US)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(of_type: &Type, raw: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        value(of_type, raw, &mut out)?.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_type_is_json_of_its_own() {
        let cases: [(Type, &[u8], &str); 14] = [
            (Type::BOOL, &[1], "true"),
            (Type::INT2, &[0xff, 0xfe], "-2"),
            (Type::INT8, &7_i64.to_be_bytes(), "7"),
            (Type::FLOAT8, &0.5_f64.to_be_bytes(), "0.5"),
            (Type::FLOAT8, &f64::NAN.to_be_bytes(), "\"NaN\""),
            (Type::TEXT, b"a\"b", r#""a\"b""#),
            (Type::JSONB, b"\x01{\"a\":1}", "{\"a\":1}"),
            (Type::BYTEA, &[0, 255], r#""\\x00ff""#),
            (Type::DATE, &1_i32.to_be_bytes(), "\"2000-01-02\""),
            (
                Type::TIMESTAMPTZ,
                &0_i64.to_be_bytes(),
                "\"2000-01-01T00:00:00Z\"",
            ),
            (
                Type::TIMESTAMP,
                &0_i64.to_be_bytes(),
                "\"2000-01-01T00:00:00\"",
            ),
            // 10000.05, as 1 | 0 | 500 with two digits behind the point.
            (
                Type::NUMERIC,
                &[0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 1, 0xf4],
                "10000.05",
            ),
            // -0.0001, whose weight is -1.
            (
                Type::NUMERIC,
                &[0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 1],
                "-0.0001",
            ),
            (Type::NUMERIC, &[0, 0, 0, 0, 0, 0, 0, 0], "0"),
        ];
        for (of_type, raw, wanted) in cases {
            assert_eq!(shown(&of_type, raw).as_deref(), Some(wanted), "{of_type}");
        }
        assert_eq!(
            shown(&Type::UUID, &[0x11; 16]).as_deref(),
            Some("\"11111111-1111-1111-1111-111111111111\"")
        );
        assert_eq!(value(&Type::POINT, &[0; 16], &mut Vec::new()), Some(false));
        assert_eq!(value(&Type::INT8, &[0], &mut Vec::new()), None);
    }
}
