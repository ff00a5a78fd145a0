//! Names that do not exist, and the ones that were probably meant.

use strsim::osa_distance;

/// A misspelt name, the names there are, and the one that was probably meant.
///
/// `place` says where they were looked for: `""`, or `" here"`.
pub fn unknown<'n>(
    what: &str,
    name: &str,
    place: &str,
    known: impl IntoIterator<Item = &'n str> + Clone,
) -> String {
    let list: Vec<String> = known
        .clone()
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if list.is_empty() {
        return format!("there is no {what} `{name}`{place}, nor any other");
    }
    let meant = nearest(name, known).map(|meant| format!("; did you mean `{meant}`?"));
    format!(
        "there is no {what} `{name}`{place}, there is {}{}",
        list.join(", "),
        meant.unwrap_or_default()
    )
}

/// The known name that a misspelt one was probably meant to be: at most a third of its letters, and
/// at least one, may be wrong.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let far = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (osa_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= far || candidate.starts_with(name) && name.len() >= 3
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_with_the_one_that_was_meant() {
        let told = unknown("effect", "mesage", "", ["message", "order"]);
        assert_eq!(
            told,
            "there is no effect `mesage`, there is `message`, `order`; did you mean `message`?"
        );
        assert_eq!(
            unknown("value", "x", " here", ["order"]),
            "there is no value `x` here, there is `order`"
        );
        assert_eq!(
            unknown("tool", "x", "", []),
            "there is no tool `x`, nor any other"
        );
    }
}
