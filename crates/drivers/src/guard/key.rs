//! Which values may stand in the key of an effect.

use crate::error::SpecError;
use crate::template::Template;
use crate::values::Traits;

/// Refuses the key of an effect that `creates` if it does not name the run: what another run left
/// would be taken for this one's.
///
/// # Errors
///
/// What to put into the key.
pub fn check_created_key(key: &Template) -> Result<(), SpecError> {
    match key.traits().has(Traits::NAMES_RUN) {
        true => Ok(()),
        false => Err(SpecError::new(
            0,
            "`key` is the same in every run: put ${id} or ${run} into it",
        )),
    }
}

/// Refuses a secret where outputs show the text: in `key`, `content`, `name` and `expect`.
///
/// # Errors
///
/// Where secrets may stand.
pub fn check_no_secret(text: &Template, place: &str) -> Result<(), SpecError> {
    match text.traits().has(Traits::SECRET) {
        false => Ok(()),
        true => Err(SpecError::new(
            0,
            format!(
                "a secret does not stand in `{place}`, which reports show: it may stand in a URL, \
                 a header, a body, `args` and statements"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Constants, Scope};

    #[test]
    fn a_created_key_names_the_run_and_no_secret() {
        let constants = Constants::new("k3v9q2xz").with_environment(|_| Some("x".into()));
        let mut scope = Scope::new(constants);
        let mut template = |text| Template::text(text, &mut scope).unwrap();
        for good in ["${id}", "a-${run}", "${uuid()}"] {
            assert_eq!(check_created_key(&template(good)), Ok(()), "{good}");
        }
        for bad in ["a", "${user}", "${int(1, 9)}", "${env.X}"] {
            assert_eq!(
                check_created_key(&template(bad)).unwrap_err().problem,
                "`key` is the same in every run: put ${id} or ${run} into it"
            );
        }
        assert_eq!(check_no_secret(&template("${env.X}"), "key"), Ok(()));
        let told = check_no_secret(&template("a${secret.X}"), "key").unwrap_err();
        assert!(told.problem.starts_with("a secret does not stand in `key`"));
    }
}
