//! Which commands of Redis a file may have.

use crate::error::SpecError;

/// Commands that reach beyond the keys they name.
const REFUSED: [&str; 8] = [
    "FLUSHALL",
    "FLUSHDB",
    "KEYS",
    "CONFIG",
    "DEBUG",
    "SHUTDOWN",
    "EVAL",
    "REPLICAOF",
];

/// Refuses a command that reaches beyond the keys it names, unless `allow` names it.
///
/// # Errors
///
/// The command, and how to allow it.
pub fn check_redis(command: &str, allow: &[String]) -> Result<(), SpecError> {
    let command = command.to_ascii_uppercase();
    let is_allowed = allow
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(&command));
    // These three are older, newer and read-only names of the same.
    let known = match &*command {
        "SLAVEOF" => "REPLICAOF",
        "EVALSHA" | "EVAL_RO" => "EVAL",
        other => other,
    };
    if is_allowed || !REFUSED.contains(&known) {
        return Ok(());
    }
    let told = format!("{command} reaches beyond its keys: add it to `allow` = [\"{command}\"]");
    Err(SpecError::new(0, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_reaches_beyond_its_keys_is_refused_unless_it_is_allowed() {
        for command in REFUSED.iter().chain(&["flushall", "SLAVEOF", "EVALSHA"]) {
            assert!(check_redis(command, &[]).is_err(), "{command}");
        }
        assert_eq!(
            check_redis("flushdb", &[]).unwrap_err().problem,
            "FLUSHDB reaches beyond its keys: add it to `allow` = [\"FLUSHDB\"]"
        );
        assert_eq!(check_redis("FLUSHDB", &["flushdb".into()]), Ok(()));
        for command in ["SET", "UNLINK", "SCAN", "XADD"] {
            assert_eq!(check_redis(command, &[]), Ok(()), "{command}");
        }
    }
}
