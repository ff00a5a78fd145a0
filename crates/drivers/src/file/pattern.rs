//! Patterns of paths: `*` is any part of a name and `?` one character, as in a shell.

/// Whether a name is of a pattern. One that begins with a dot is only if the pattern does: files that are
/// being written have such names.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where to go on after the last `*`, which takes one more character each time.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(from) {
            Some('*') => {
                star = Some((from + 1, at));
                from += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[at] => {
                at += 1;
                from += 1;
            }
            _ => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    (from, at) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[from..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_as_in_a_shell() {
        for (pattern, name, wanted) in [
            ("*.json", "a.json", true),
            ("*.json", ".json", false),
            (".*", ".json", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("??.txt", "é1.txt", true),
            ("?.txt", "12.txt", false),
            ("*a", "aaaa", true),
            ("abc", "ab", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
