//! Names that do not exist, and the ones that were probably meant.

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
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= far || candidate.starts_with(name) && name.len() >= 3
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to be put in, left out, changed or swapped with their neighbour: the restricted distance of
/// F. J. Damerau, "A technique for computer detection and correction of spelling errors", 1964.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + other);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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
