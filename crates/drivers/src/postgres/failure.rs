//! What the errors of PostgreSQL mean.

use tokio_postgres::Error;

use crate::outcome::{Code, Failure, Outcome};

/// After these a transaction may be committed all the same: completion unknown (40003), the end of the
/// server during it (57P01, 57P02), resolution unknown (08007).
const UNCERTAIN: [&str; 4] = ["08007", "40003", "57P01", "57P02"];

/// A server that is starting up or coming to its end.
const NOT_YET: &str = "57P03";

/// What an error says, and the code to decide by: an SQLSTATE, or that the connection broke.
pub(super) fn failure(error: &Error) -> Failure {
    match error.as_db_error() {
        Some(told) => {
            let code = told.code().code();
            let message = format!("{} (SQLSTATE {code})", told.message());
            Failure::with_code(&message, Code::word(code))
        }
        None => Failure::with_code(&format!("the connection broke: {error}"), Code::Reset),
    }
}

/// The same while connecting, where whoever is not up yet is no other than one who does not listen.
pub(super) fn of_connecting(error: &Error) -> Failure {
    let mut failure = failure(error);
    let is_starting = failure.code == Code::word(NOT_YET);
    if is_starting || failure.code == Code::Reset {
        failure.code = Code::Connect;
    }
    failure
}

/// Without a COMMIT that was sent, nothing is done. With one, an error of the server says that nothing is,
/// but for a few.
pub(super) fn outcome(failure: &Failure, may_be_committed: bool) -> Outcome {
    let is_answer = matches!(failure.code, Code::Word(_));
    let is_uncertain = UNCERTAIN
        .iter()
        .any(|state| failure.code == Code::word(state));
    match may_be_committed && (!is_answer || is_uncertain) {
        true => Outcome::Unknown(failure.reason),
        false => Outcome::Refused(failure.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_committed_may_be_unknown() {
        let outcome = |code, committing| {
            let failure = Failure::with_code("told", code);
            matches!(outcome(&failure, committing), Outcome::Unknown(_))
        };
        for state in ["22001", "23505", "40001", "40P01", "42P01", "57014"] {
            assert!(!outcome(Code::word(state), true), "{state}");
        }
        for state in UNCERTAIN {
            assert!(outcome(Code::word(state), true), "{state}");
            assert!(!outcome(Code::word(state), false), "{state}");
        }
        for code in [Code::Reset, Code::Timeout] {
            assert!(outcome(code, true));
            assert!(!outcome(code, false));
        }
    }
}
