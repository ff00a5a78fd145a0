//! Which databases may be put under load.

use crate::error::SpecError;

/// Refuses a database whose name does not say that it is for tests, unless `allow` names it.
///
/// # Errors
///
/// The database, and how to allow it.
pub fn check_database(service: &str, name: &str, allow: &[String]) -> Result<(), SpecError> {
    let lower = name.to_ascii_lowercase();
    let is_for_tests = lower.contains("test") || lower.starts_with("proofload");
    if is_for_tests || allow.iter().any(|allowed| allowed == name) {
        return Ok(());
    }
    let told = format!("`{service}` is the database `{name}`: rename it, or allow = [\"{name}\"]");
    Err(SpecError::new(0, told))
}

/// Refuses Redis' database 0, which is the one that everybody uses, unless `allow` names it.
///
/// # Errors
///
/// How to take another, or to allow it.
pub fn check_redis_database(service: &str, number: u32, allow: &[String]) -> Result<(), SpecError> {
    if number != 0 || allow.iter().any(|allowed| allowed == "0") {
        return Ok(());
    }
    let told = format!(
        "`{service}` is the database 0: take another, such as redis://127.0.0.1/9, or allow = [\"0\"]"
    );
    Err(SpecError::new(0, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_for_tests_or_allowed() {
        for name in ["shop_test", "TestDb", "proofload", "proofload_x"] {
            assert_eq!(check_database("db", name, &[]), Ok(()), "{name}");
        }
        assert_eq!(
            check_database("db", "orders", &[]).unwrap_err().problem,
            "`db` is the database `orders`: rename it, or allow = [\"orders\"]"
        );
        assert!(check_database("db", "my_proofload", &[]).is_err());
        assert_eq!(check_database("db", "orders", &["orders".into()]), Ok(()));
        assert_eq!(check_redis_database("cache", 9, &[]), Ok(()));
        assert_eq!(
            check_redis_database("cache", 0, &[]).unwrap_err().problem,
            "`cache` is the database 0: take another, such as redis://127.0.0.1/9, or allow = [\"0\"]"
        );
        assert_eq!(check_redis_database("cache", 0, &["0".into()]), Ok(()));
    }
}
