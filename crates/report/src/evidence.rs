//! What the verification of effects shows, in one sentence whose numbers add up.

use load_engine::{Defect, Verification};

use crate::units::{count, counted};

/// The effects in words: how many were acknowledged, and what became of each of them.
#[must_use]
pub(crate) fn evidence(found: &Verification) -> String {
    let Some(tally) = found.tally() else {
        return of_keys(found);
    };
    if found.effects == 0 && found.keys == 0 {
        let mut text = "no effect was acknowledged".to_owned();
        listed(&mut text, &wrong(found));
        return text;
    }
    let mut text = counted(tally.acknowledged, "acknowledged effect");
    let is_rewritten = tally.superseded > 0;
    if is_rewritten {
        text.push_str(&format!(" on {}", counted(found.keys, "key")));
    }
    let verified = match (tally.verified, tally.all_verified()) {
        (1.., true) => "each verified".to_owned(),
        (some, _) if is_rewritten => counted(some, "final state") + " verified",
        (some, _) => format!("{} verified", count(some)),
    };
    text.push_str(": ");
    text.push_str(&verified);
    let classes = [
        (tally.superseded, "superseded and not read"),
        (tally.lost, "lost"),
        (tally.altered, "altered"),
        (tally.miscounted, "miscounted"),
        (tally.reappeared, "reappeared"),
        (
            tally.unresolved,
            "open (a later write was not acknowledged)",
        ),
        (tally.unread, "not read"),
    ];
    listed(&mut text, &classes);
    let beside = [
        (found.duplicated, "duplicated"),
        (
            found.unexpected - tally.reappeared.min(found.unexpected),
            "unexpected",
        ),
        (found.unreadable, "unreadable"),
    ];
    if beside.iter().any(|(number, _)| *number > 0) {
        text.push_str("; also");
        let mut list = String::new();
        listed(&mut list, &beside);
        text.push_str(list.trim_start_matches(','));
    }
    if found.indeterminate > 0 {
        let keys = counted(found.indeterminate, "key");
        text.push_str(&format!("; {keys} last written without an acknowledgement"));
    }
    text
}

/// A report of an earlier version counts keys only.
fn of_keys(found: &Verification) -> String {
    let mut text = format!(
        "{}, {} verified",
        counted(found.effects, "acknowledged effect"),
        counted(found.verified, "final state")
    );
    listed(&mut text, &wrong(found));
    let open = [(found.indeterminate, "never acknowledged")];
    listed(&mut text, &open);
    text
}

fn wrong(found: &Verification) -> Vec<(u64, &'static str)> {
    let defects = found.defects().into_iter();
    defects
        .map(|(defect, count)| (count, defect.name()))
        .chain([(found.unreadable, Defect::Unreadable.name())])
        .collect()
}

fn listed(text: &mut String, counts: &[(u64, &str)]) {
    for (number, what) in counts.iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!(", {} {what}", count(*number)));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use load_engine::{Digest, Effect, Found, Ledger, LedgerEntry, verify};

    use super::*;

    fn found(writes: &[(&str, u8)], things: &[(&str, u8)]) -> String {
        let ledger: Ledger = (0..)
            .zip(writes)
            .map(|(at, (key, content))| LedgerEntry {
                kind: "record".into(),
                key: (*key).into(),
                effect: Effect::Updated(Digest::of(&[*content])),
                user: 0,
                started_ns: at,
                settled_ns: at,
            })
            .collect();
        let things = things.iter().map(|(key, content)| {
            Ok::<_, Infallible>(Found::new("record", *key, Digest::of(&[*content])))
        });
        evidence(&verify(&ledger, things))
    }

    #[test]
    fn the_numbers_add_up_and_what_was_not_read_is_said() {
        let once: Vec<(&str, u8)> = vec![("a", 1), ("b", 2)];
        assert_eq!(found(&once, &once), "2 acknowledged effects: each verified");
        let rewritten: Vec<(&str, u8)> = (0..100).map(|n| ("a", n)).collect();
        assert_eq!(
            found(&rewritten, &[("a", 99)]),
            "100 acknowledged effects on 1 key: 1 final state verified, 99 superseded and not read"
        );
        assert_eq!(
            found(&once, &[("a", 9), ("c", 1)]),
            "2 acknowledged effects: 0 verified, 1 lost, 1 altered; also 1 unexpected"
        );
        assert_eq!(found(&[], &[]), "no effect was acknowledged");
    }
}
