//! Each request once, filled in, without any connection.

use std::fmt::Write as _;

use drivers::{Slot, Value, Values};
use load_engine::Failure;

use super::program::{Fields, Program, Request, Source, Step};
use super::user::{User, outside_iterations};

/// Every request of a file as its first user would send it. What only an answer tells is shown as the name
/// of the value in angle brackets.
pub(super) fn show(program: &Program) -> Result<String, Failure> {
    let mut values = Values::default();
    values.set(Slot::USER, Value::Int(0));
    let mut user = User::new(program, values);
    let mut text = String::new();
    for step in &program.run_setup {
        show_step(program, step, "setup", "s", &mut user, &mut text)?;
    }
    show_data(&program.user_data, &mut user.values);
    for step in &program.user_setup {
        show_step(
            program,
            step,
            "setup of each user",
            "0-s",
            &mut user,
            &mut text,
        )?;
    }
    for flow in &program.flows {
        user.values.end_iteration();
        let (place, id) = match program.is_open {
            true => (format!("flow {}", flow.name), "a0"),
            false => (format!("flow {}", flow.name), "0-0"),
        };
        show_data(&flow.data, &mut user.values);
        for step in &flow.steps {
            show_step(program, step, &place, id, &mut user, &mut text)?;
        }
    }
    for kind in &program.effects {
        user.values.end_iteration();
        user.values.set(Slot::KEY, Value::Text(b"<key>"));
        user.values.set(Slot::CURSOR, Value::Text(b""));
        let read = kind.read.as_ref().map(|read| &read.request);
        for (what, request) in [("read", read), ("delete", kind.delete.as_ref())] {
            if let Some(request) = request {
                let title = format!("effect {}: {what}", kind.name);
                show_request(program, request, &title, &user.values, &mut text)?;
            }
        }
    }
    for invariant in &program.invariants {
        let title = format!("invariant {}", invariant.name);
        let request = &invariant.step.request;
        show_request(program, request, &title, &user.values, &mut text)?;
    }
    for step in &program.teardown {
        show_step(program, step, "teardown", "s", &mut user, &mut text)?;
    }
    Ok(program.secrets.redact(&text).into_owned())
}

/// Shows each field of a record by its place in it.
fn show_data(fields: &Fields, values: &mut Values) {
    for (path, slot) in fields {
        let name = path
            .as_str()
            .trim_start_matches("$['")
            .trim_end_matches("']");
        values.set(*slot, Value::Text(format!("<{name}>").as_bytes()));
    }
}

fn show_step(
    program: &Program,
    step: &Step,
    place: &str,
    id: &str,
    user: &mut User,
    text: &mut String,
) -> Result<(), Failure> {
    let id = format!("{}-{id}", program.run);
    user.values.set(Slot::ID, Value::Text(id.as_bytes()));
    user.values.set(Slot::ITERATION, Value::Int(0));
    user.draw(step, &outside_iterations(program, 0))?;
    let title = format!("{place}, step {}", step.spec.name);
    show_request(program, &step.request, &title, &user.values, text)?;
    for capture in &step.captures {
        let shown = match &capture.from {
            Source::Path(_) | Source::Header(_) => format!("<{}>", capture.name),
        };
        user.values.set(capture.slot, Value::Text(shown.as_bytes()));
    }
    Ok(())
}

fn show_request(
    program: &Program,
    request: &Request,
    title: &str,
    values: &Values,
    text: &mut String,
) -> Result<(), Failure> {
    let service = &program.services[request.service];
    let shown = service
        .driver
        .show(&request.request, values)
        .map_err(|failure| Failure::new(format!("{title}: {failure}")))?;
    // A `String` takes every write.
    let _ = writeln!(
        text,
        "# {title}, to {}\n{}\n",
        service.name,
        shown.trim_end()
    );
    Ok(())
}
