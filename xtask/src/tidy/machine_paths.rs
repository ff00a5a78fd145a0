//! No file names a folder of somebody's machine: it means nothing on another one.

use super::Violation;
use super::tree::Tree;

/// Folders that hold people's homes; the slash and the name follow.
const HOMES: &[&str] = &["/home", "/Users", r":\Users"];

/// Folders that stand in the root of some machines, and belong to nobody's project.
const ROOTS: &[&str] = &["/root", "/work"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.texts() {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(path) = machine_path(&line.replace(r"\\", r"\")) {
                let what = format!("names a path of a machine: {path}");
                violations.push(Violation::at(&file.name, index, what));
            }
        }
    }
    violations
}

/// The first such path of a line, whose escaped backslashes are resolved.
fn machine_path(line: &str) -> Option<String> {
    let home = |at: usize, root: &str| named(&line[at + root.len()..]);
    let inside = |at: usize, root: &str| line[at + root.len()..].starts_with('/');
    let homes = HOMES
        .iter()
        .flat_map(|root| line.match_indices(root))
        .filter(|m| home(m.0, m.1));
    let roots = ROOTS
        .iter()
        .flat_map(|root| line.match_indices(root))
        .filter(|m| inside(m.0, m.1));
    let (at, _) = homes
        .chain(roots)
        .find(|(at, root)| begins(&line[..*at], root))?;
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;".contains(c);
    let end = line[at..].find(ends).unwrap_or(line.len() - at);
    Some(line[at..at + end].trim_start_matches(':').to_owned())
}

/// Whether a slash and a name follow: `/home/<user>` is a placeholder and names nobody.
fn named(rest: &str) -> bool {
    let name = rest.strip_prefix(['/', '\\']);
    name.is_some_and(|name| name.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Whether a path can begin after `before`; `crates/work/` and `example.com/home/a` continue one.
fn begins(before: &str, root: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || "./_-~$})".contains(c);
    root.starts_with(':') || !before.ends_with(continues) || before.ends_with("file://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_line(line: &str) -> String {
        render(&check(&Tree::of(&[(
            "notes.md",
            &format!("first\n{line}\n"),
        )])))
    }

    // The paths are put together, so that this file holds none.

    #[test]
    fn each_kind_of_machine_path_is_named_with_its_line() {
        for path in [
            concat!("/home", "/alice/project"),
            concat!("/Users", "/alice"),
            concat!("/root", "/.cargo"),
            concat!("/work", "/main"),
        ] {
            let expected = format!("notes.md:2: names a path of a machine: {path}");
            assert_eq!(check_line(&format!("see {path}")), expected);
            assert_eq!(check_line(&format!("`{path}`, there")), expected);
            assert_eq!(check_line(&format!("file://{path}")), expected);
        }
    }

    #[test]
    fn windows_homes_are_named_escaped_or_not() {
        let expected = concat!(
            r"notes.md:2: names a path of a machine: \Users",
            r"\alice\x"
        );
        assert_eq!(check_line(concat!(r"C:\Users", r"\alice\x")), expected);
        assert_eq!(
            check_line(concat!(r#""C:\\Users"#, r#"\\alice\\x""#)),
            expected
        );
    }

    #[test]
    fn parts_of_other_paths_and_placeholders_pass() {
        for line in [
            concat!("/home", "/<user>/x"),
            concat!("$PREFIX/home", "/alice"),
            concat!("https://example.com/home", "/alice"),
            concat!("../work", "/main"),
            concat!("crates/work", "/src"),
            "/workspace/x and /rooted",
        ] {
            assert_eq!(check_line(line), "", "{line}");
        }
    }
}
