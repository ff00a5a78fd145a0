//! One request's history in a file of its own: exported, and verified without the server.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use approval_workflow::verify_bundle;

use super::place::Place;
use super::segment;
use crate::exit::Exit;
use crate::terminal::{print_own, shown, tell, tell_error};

/// The bundle goes to stdout as it is, its digest to stderr: noted elsewhere, it tells a bundle that was rewritten.
pub(super) fn export(place: &Place, id: &str) -> anyhow::Result<()> {
    let bundle = place.text("GET", &format!("/approvals/{}/bundle", segment(id)), None)?;
    let verified = verify_bundle(&bundle, None)?;
    print_own(bundle.as_bytes())?;
    tell(&format!(
        "history {}: note it elsewhere, and give it to `proofload approvals verify --noted`",
        verified.digest
    ));
    Ok(())
}

pub(super) fn verify(file: &Path, noted: Option<&str>) -> anyhow::Result<Exit> {
    let bundle = fs::read_to_string(file).with_context(|| shown(file))?;
    let noted = noted
        .map(str::parse)
        .transpose()
        .context("--noted is no digest")?;
    match verify_bundle(&bundle, noted.as_ref()) {
        Ok(verified) => {
            let (id, events) = (&verified.request.submission.id, verified.trail.len());
            tell(&format!(
                "{id} holds: {events} events, history {}",
                verified.digest
            ));
            if noted.is_none() {
                tell(
                    "without the digest that was noted, a bundle that was rewritten as a whole holds too",
                );
            }
            Ok(Exit::Held)
        }
        Err(error) => {
            tell_error(&format!("{}: {error}", shown(file)));
            Ok(Exit::Failed)
        }
    }
}
