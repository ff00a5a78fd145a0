//! Which statements of Cypher a flow may have.

use super::words::words;
use crate::error::SpecError;

/// Refuses `DETACH DELETE` of nodes that no pattern chooses: without a label, a property or WHERE it
/// empties the graph.
///
/// # Errors
///
/// Where it may stand.
pub fn check_cypher(statement: &str) -> Result<(), SpecError> {
    let words = words(statement);
    let detach = words
        .windows(2)
        .find(|pair| pair[0].text == "DETACH" && pair[1].text == "DELETE");
    let Some([detach, _]) = detach else {
        return Ok(());
    };
    let chooses = words
        .iter()
        .any(|word| word.text == "WHERE" && word.at < detach.at)
        || statement[..detach.at].contains([':', '{']);
    match chooses {
        true => Ok(()),
        false => Err(SpecError::new(
            detach.at,
            "a DETACH DELETE without a pattern empties the graph: it may stand in [[setup]] only",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detach_delete_needs_a_pattern() {
        for statement in [
            "match (n:Note {id: $p0}) detach delete n",
            "match (n:Note) detach delete n",
            "match (n) where n.id = $p0 detach delete n",
            "match (n) return n",
            "create (n {text: 'detach delete'})",
        ] {
            assert_eq!(check_cypher(statement), Ok(()), "{statement}");
        }
        let error = check_cypher("MATCH (n) DETACH DELETE n").unwrap_err();
        assert_eq!(error.inside, 10);
        assert_eq!(
            error.problem,
            "a DETACH DELETE without a pattern empties the graph: it may stand in [[setup]] only"
        );
    }
}
