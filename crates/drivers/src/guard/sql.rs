//! Which statements of SQL a flow may have.

use super::words::{Word, words};
use crate::error::SpecError;

/// Verbs that change rows, which have to say which.
const CHANGES: [(&str, &str); 3] = [
    ("UPDATE", "changes every row"),
    ("DELETE", "empties the table"),
    ("MERGE", "changes every row"),
];

/// Refuses what a flow must not do: anything but SELECT, INSERT, UPDATE, DELETE and MERGE, and the last
/// three where they do not say which rows they mean.
///
/// The placeholders of the statement are its parameters, such as `$1`.
///
/// # Errors
///
/// The verb, and where it may stand.
pub fn check_sql(statement: &str) -> Result<(), SpecError> {
    let words = words(statement);
    let mut begins = None;
    for (index, word) in words.iter().enumerate() {
        if begins != Some(word.statement) {
            begins = Some(word.statement);
            check_verb(word)?;
        }
        check_change(&words, index)?;
    }
    Ok(())
}

/// Refuses what a `read` must not do: anything that begins otherwise than those that read.
///
/// # Errors
///
/// The verb, and those that may stand there.
pub fn check_sql_read(statement: &str) -> Result<(), SpecError> {
    let words = words(statement);
    let Some(first) = words.first() else {
        let told = "a `read` needs a statement, such as a SELECT";
        return Err(SpecError::new(0, told));
    };
    match &*first.text {
        // A WITH may write in a part of it, which the server refuses in a read-only transaction.
        "SELECT" | "WITH" | "VALUES" | "TABLE" => Ok(()),
        verb => {
            let told = format!(
                "a `read` must not write, and {verb} may: take SELECT, WITH, VALUES or TABLE"
            );
            Err(SpecError::new(first.at, told))
        }
    }
}

fn check_verb(word: &Word) -> Result<(), SpecError> {
    match &*word.text {
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "WITH" => Ok(()),
        verb => {
            let told = format!("{verb} may stand in [[setup]], [[teardown]] and `delete` only");
            Err(SpecError::new(word.at, told))
        }
    }
}

/// A changing verb needs WHERE, or MERGE's ON, behind it and in the same parentheses.
fn check_change(words: &[Word], index: usize) -> Result<(), SpecError> {
    let word = &words[index];
    let Some((verb, does)) = CHANGES.iter().find(|(verb, _)| *verb == word.text) else {
        return Ok(());
    };
    let before = index.checked_sub(1).map(|before| &*words[before].text);
    // `FOR UPDATE` locks, `ON CONFLICT DO UPDATE` changes the row in conflict, `WHEN … THEN UPDATE` and
    // `ON DELETE` belong to another verb.
    let is_part = matches!(before, Some("FOR" | "KEY" | "DO" | "THEN" | "ON"));
    let says_which = words[index + 1..]
        .iter()
        .take_while(|other| other.statement == word.statement && other.depth >= word.depth)
        .any(|other| other.depth == word.depth && matches!(&*other.text, "WHERE" | "ON"));
    match is_part || says_which {
        true => Ok(()),
        false => {
            let article = if *verb == "UPDATE" { "an" } else { "a" };
            let told =
                format!("{article} {verb} without WHERE {does}: it may stand in [[setup]] only");
            Err(SpecError::new(word.at, told))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_say_which_rows_they_mean_are_allowed() {
        for statement in [
            "select * from a where b = 'drop table'",
            "insert into a (b) values ($1)",
            "insert into a values (1) on conflict (id) do update set b = 2",
            "update a set b = (select max(c) from d) where e = $1",
            "delete from a where starts_with(id, $1)",
            "merge into a using b on a.id = b.id when matched then update set c = 1",
            "with gone as (delete from a where b = 1 returning *) select * from gone",
            "select * from a for update",
            "select * from a for no key update",
            "select 1; select 2;",
            "",
        ] {
            assert_eq!(check_sql(statement), Ok(()), "{statement}");
        }
    }

    #[test]
    fn what_may_only_stand_in_a_set_up_is_told_with_its_place() {
        let told = |statement: &str| {
            let error = check_sql(statement).unwrap_err();
            format!("{}: {}", error.inside, error.problem)
        };
        assert_eq!(
            told("delete from a"),
            "0: a DELETE without WHERE empties the table: it may stand in [[setup]] only"
        );
        assert_eq!(
            told("select 1; update a set b = (select c from d where e = 1)"),
            "10: an UPDATE without WHERE changes every row: it may stand in [[setup]] only"
        );
        assert_eq!(
            told("with gone as (delete from a returning *) select * from gone where b = 1"),
            "14: a DELETE without WHERE empties the table: it may stand in [[setup]] only"
        );
        assert_eq!(
            told("delete from a -- where"),
            "0: a DELETE without WHERE empties the table: it may stand in [[setup]] only"
        );
        for verb in ["TRUNCATE", "DROP", "CREATE", "ALTER", "COPY", "VACUUM"] {
            assert_eq!(
                told(&format!("{verb} x")),
                format!("0: {verb} may stand in [[setup]], [[teardown]] and `delete` only")
            );
        }
    }
}
