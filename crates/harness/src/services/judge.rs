//! An answer against what a step expects of it, and the values that are taken from it.

use drivers::{Answer, Code, Outcome, Reason, Value, Values, Wanted, canonical, is_valid_json};

use super::program::{Capture, Expect, Expected, Meaning, Source, Step};

/// What is wanted of the answers to a step.
pub(super) fn want(step: &Step, answer: &mut Answer) {
    let captures = step.captures.iter();
    let takes_body = captures
        .clone()
        .any(|capture| matches!(capture.from, Source::Path(_)));
    let looks = takes_body || !step.expect.exists.is_empty() || !step.expect.equals.is_empty();
    answer.wanted = match looks {
        true => Wanted::PARSED,
        false => Wanted::Nothing,
    };
    answer.wants_headers = captures
        .clone()
        .any(|capture| matches!(capture.from, Source::Header(_)));
}

/// What became of a request, by the protocol and by what the step expects.
pub(super) fn judge(
    step: &Step,
    by_protocol: Outcome,
    answer: &Answer,
    values: &Values,
) -> Outcome {
    let expect = &step.expect;
    let outcome = match by_code(expect, by_protocol, answer) {
        Outcome::Acknowledged => by_body(step, answer, values),
        outcome => outcome,
    };
    match outcome {
        Outcome::Acknowledged if expect.is_stream && answer.events.count == 0 => {
            Outcome::Unknown(Reason::new("the stream had no event"))
        }
        outcome => outcome,
    }
}

fn by_code(expect: &Expect, by_protocol: Outcome, answer: &Answer) -> Outcome {
    let told = || Reason::new(&format!("the answer was {}", code(answer.code)));
    let meaning = expect
        .outcomes
        .iter()
        .find(|(code, _)| *code == answer.code);
    match meaning.map(|(_, meaning)| *meaning) {
        Some(Meaning::Acknowledged) => return Outcome::Acknowledged,
        Some(Meaning::Refused) => return Outcome::Refused(told()),
        Some(Meaning::Unknown) => return Outcome::Unknown(told()),
        None => {}
    }
    let Code::Status(status) = answer.code else {
        return by_protocol;
    };
    match (
        expect.statuses.is_empty(),
        expect.statuses.contains(&status),
    ) {
        (true, _) => by_protocol,
        (false, true) => Outcome::Acknowledged,
        (false, false) => match by_protocol {
            Outcome::Acknowledged => {
                let expected: Vec<String> = expect.statuses.iter().map(u16::to_string).collect();
                let told = format!("HTTP {status}, and {} is expected", expected.join(" or "));
                Outcome::Unknown(Reason::new(&told))
            }
            outcome => outcome,
        },
    }
}

fn code(code: Code) -> String {
    match code {
        Code::Status(status) => format!("HTTP {status}"),
        code => code.to_string(),
    }
}

fn by_body(step: &Step, answer: &Answer, values: &Values) -> Outcome {
    if answer.wanted == Wanted::Nothing {
        return Outcome::Acknowledged;
    }
    match unmet(step, answer, values) {
        None => Outcome::Acknowledged,
        Some(problem) => Outcome::Unknown(Reason::new(&problem)),
    }
}

/// What of the expectations on a body is not met.
fn unmet(step: &Step, answer: &Answer, values: &Values) -> Option<String> {
    let json = &answer.body;
    if !is_valid_json(json) {
        return Some(match json.is_empty() {
            true => "the answer is empty, and JSON is expected".to_owned(),
            false => "the answer is not JSON".to_owned(),
        });
    }
    let captured = step
        .captures
        .iter()
        .filter_map(|capture| match &capture.from {
            Source::Path(path) => Some(path),
            Source::Header(_) => None,
        });
    let mut needed = step.expect.exists.iter().chain(captured);
    if let Some(missing) = needed.find(|path| path.first(json).is_none()) {
        return Some(format!("the answer has no `{missing}`"));
    }
    step.expect.equals.iter().find_map(|(path, expected)| {
        let Some(found) = path.first(json) else {
            return Some(format!("the answer has no `{path}`"));
        };
        let wanted = is_other(found, expected, values)?;
        let found = String::from_utf8_lossy(found);
        Some(format!("`{path}` is {found}, and {wanted} is expected"))
    })
}

/// What is expected in place of what was found, if it is not that.
fn is_other(found: &[u8], expected: &Expected, values: &Values) -> Option<String> {
    match expected {
        Expected::Json(json) => {
            let same = found == &**json || canonical(found) == *json;
            (!same).then(|| String::from_utf8_lossy(json).into_owned())
        }
        Expected::Text(template) => {
            let (mut text, mut space) = (Vec::new(), Vec::new());
            if let Err(failure) = template.render(values, &mut text) {
                return Some(failure.to_string());
            }
            let found = Value::from_json(found, &mut space)
                .text()
                .unwrap_or_default();
            (*found != *text).then(|| format!("\"{}\"", String::from_utf8_lossy(&text)))
        }
    }
}

/// Takes the values of an acknowledged answer. `again` is the number of an answer to the same request, whose
/// values have to be those of the first.
pub(super) fn capture(
    captures: &[Capture],
    answer: &Answer,
    again: Option<u8>,
    values: &mut Values,
) -> Result<(), String> {
    for capture in captures {
        let mut space = Vec::new();
        let value = match &capture.from {
            Source::Path(path) => path
                .first(&answer.body)
                .map(|json| Value::from_json(json, &mut space)),
            Source::Header(name) => answer.header(name).map(Value::Text),
        };
        let Some(value) = value else {
            // Only a header can be missing here: paths were looked for when the answer was judged.
            return Err(format!("the answer has no header for `{}`", capture.name));
        };
        match again {
            None => values.set(capture.slot, value),
            Some(number) => same(capture, number, value, values)?,
        }
    }
    Ok(())
}

fn same(capture: &Capture, number: u8, value: Value<'_>, values: &Values) -> Result<(), String> {
    let text = |value: Option<Value<'_>>| {
        let text = value.and_then(Value::text).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    };
    let (first, now) = (text(values.get(capture.slot)), text(Some(value)));
    if first == now {
        return Ok(());
    }
    Err(format!(
        "answer {number} gave `{}` = {now}, answer 1 gave {first}",
        capture.name
    ))
}
