//! Approvals at the command line: over a running server, or over the directory of one that is not running.

mod bundle;
pub(crate) mod place;
mod text;
mod watch;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use self::place::Place;
use crate::arguments::{ApprovalsArguments, ApprovalsCommand, DecideArguments};
use crate::exit::Exit;
use crate::terminal::{print, print_json, tell};

/// So many hexadecimal digits of a digest are not the beginning of another's by chance.
const SHOWN_DIGITS: usize = 8;

pub(crate) fn run(arguments: &ApprovalsArguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        ApprovalsCommand::List { place, status } => {
            let query = match status {
                None => "sort=risk&limit=200".to_owned(),
                Some(status) => format!("status={status}&limit=200"),
            };
            let found = Place::of(place)?.get(&format!("/approvals?{query}"))?;
            show(place.json, &found, text::list)?;
        }
        ApprovalsCommand::Show { id, place } => {
            let found = Place::of(place)?.get(&format!("/approvals/{}", segment(id)))?;
            show(place.json, &found, text::request)?;
        }
        ApprovalsCommand::Approve(decide) => vote(decide, "approve")?,
        ApprovalsCommand::Deny(decide) => vote(decide, "deny")?,
        ApprovalsCommand::Watch { server, json } => watch::run(server, *json)?,
        ApprovalsCommand::Export { id, place } => bundle::export(&Place::of(place)?, id)?,
        ApprovalsCommand::Verify { file, noted } => return bundle::verify(file, noted.as_deref()),
        ApprovalsCommand::Audit { id, place } => {
            let path = match id {
                Some(id) => format!("/approvals/{}/audit", segment(id)),
                None => "/audit?limit=200".to_owned(),
            };
            let found = Place::of(place)?.get(&path)?;
            show(place.json, &found, text::audit)?;
        }
    }
    Ok(Exit::Held)
}

fn vote(arguments: &DecideArguments, verdict: &str) -> anyhow::Result<()> {
    let place = Place::of(&arguments.place)?;
    let path = format!("/approvals/{}", segment(&arguments.id));
    let asked = place.get(&path)?;
    let digest = asked["digest"]
        .as_str()
        .context("the server names no digest")?;
    let shown = &arguments.shown;
    if shown.len() < SHOWN_DIGITS || !digest.starts_with(shown) {
        bail!(
            "the action of {} has the digest {digest}, not {shown:?}: look at it again",
            arguments.id
        );
    }
    let mut body = json!({ "verdict": verdict, "shown": digest });
    let more = [("reason", &arguments.reason), ("code", &arguments.code)];
    for (name, text) in more
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.as_ref()?)))
    {
        body[name] = json!(text);
    }
    let done = place.post(&format!("{path}/decisions"), &body)?;
    if arguments.place.json {
        print_json(&done)
    } else {
        tell(&format!(
            "{} is {}",
            arguments.id,
            done["status"].as_str().unwrap_or("decided")
        ));
        Ok(())
    }
}

fn show(as_json: bool, found: &Value, text: fn(&Value) -> String) -> anyhow::Result<()> {
    if as_json {
        print_json(found)
    } else {
        print(&text(found))
    }
}

/// An id as a part of a path.
fn segment(id: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    id.bytes()
        .map(|byte| {
            if is_plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
